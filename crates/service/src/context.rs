//! The state that all calls share. It lies below the executors, which receive it, and knows none of them.

use std::sync::Arc;

use bandog_runtime::call::CompletedCall;
use bytes::Bytes;

use super::{
    admission::Admission,
    lifecycle::{Lifecycle, Phase},
    metrics::Metrics,
    settings::Settings,
    workers::Workers,
};
use crate::{
    input::BodySource,
    invocation::{Call as Invocation, Function},
    process::Cancel,
    reply::{Accept, AnswerStyle, Head, Problem},
    workspace::WorkspaceRoot,
};

/// Runs a function and answers; [`bandog_runtime::call::run_and_answer`] is one.
pub type Run = fn(
    &Function,
    &Invocation,
    &mut dyn BodySource,
    &Cancel,
    &Accept,
    Option<&str>,
    &mut dyn bandog_runtime::call::ResponseWriter,
) -> CompletedCall;

/// The state that all calls share.
#[derive(Debug)]
pub struct Context {
    /// The settings.
    pub settings: Settings,
    /// The wording of responses, where it is not bandog's own.
    pub style: Option<Arc<dyn AnswerStyle>>,
    /// Where workspaces are made.
    pub workspaces: Arc<WorkspaceRoot>,
    /// The permits and the queue.
    pub admission: Admission,
    /// The threads that calls run on.
    pub workers: Workers,
    /// The counters.
    pub metrics: Metrics,
    /// The phase, and the calls in flight.
    pub lifecycle: Lifecycle,
    /// Runs a function; a test may put another one here.
    pub run: Run,
}

impl Context {
    /// Nothing has been called yet.
    ///
    /// # Errors
    /// The metrics cannot be registered.
    pub fn new(
        settings: Settings,
        style: Option<Arc<dyn AnswerStyle>>,
        workspaces: Arc<WorkspaceRoot>,
    ) -> std::io::Result<Self> {
        let limits = &settings.limits;
        Ok(Self {
            style,
            workspaces,
            admission: Admission::new(limits.inflight, limits.queue, settings.timeouts.queue),
            workers: Workers::default(),
            metrics: Metrics::new(settings.metric_labels).map_err(std::io::Error::other)?,
            lifecycle: Lifecycle::default(),
            run: bandog_runtime::call::run_and_answer,
            settings,
        })
    }

    /// A problem as it is sent.
    pub fn page(&self, problem: Problem) -> (Head, Bytes) {
        match &self.style {
            Some(style) => style.page(problem),
            None => problem.into_parts(),
        }
    }

    /// Fails once no new calls are taken.
    #[expect(clippy::result_large_err, reason = "the response to the request, and made once for it")]
    pub fn check_open(&self, phase: Phase) -> Result<(), Problem> {
        if self.lifecycle.is(phase) { Err(Problem::draining()) } else { Ok(()) }
    }
}
