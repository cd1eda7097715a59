//! The state that all calls share. It lies below the executors, which receive it, and knows none of them.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    admission::Admission,
    lifecycle::{Lifecycle, Phase},
    metrics::Metrics,
    runner::{Answer, Runner},
    settings::Settings,
    workers::Workers,
};
use crate::{
    reply::{AnswerStyle, Head, Problem},
    workspace::WorkspaceRoot,
};

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
    /// Runs the calls that are processes, and answers them; a front door may put its own here.
    pub runner: Arc<dyn Runner>,
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
            runner: Arc::new(Answer),
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
