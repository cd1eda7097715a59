//! The streams of an HTTP/2 connection, each of which ends in time though its client takes nothing of the response.
//!
//! hyper asks a body for a frame only when its stream has room for the one before (RFC 9113 §5.2), so that a body cannot
//! see to its own time limits while its client keeps the window shut. The task of the stream does it here: it looks at the
//! response from outside, and resets the stream by dropping it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hyper::rt::Executor;
use tokio::{select, task_local, time::Instant};

use super::state::lock;
use crate::{Server, service::Phase};

task_local! {
    /// The response of the stream that this task serves.
    static RESPONSE: Arc<ResponseWatch>;
}

/// Runs the tasks of an HTTP/2 connection.
#[derive(Debug, Clone)]
pub(super) struct StreamExecutor(pub(super) Arc<Server>);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for StreamExecutor {
    fn execute(&self, stream: F) {
        let server = Arc::clone(&self.0);
        let watch = Arc::new(ResponseWatch::default());
        tokio::spawn(RESPONSE.scope(Arc::clone(&watch), async move {
            select! {
                biased;
                () = stream => {}
                () = watch.overdue(&server) => {}
            }
        }));
    }
}

/// A response on a stream, as the task of the stream sees it.
#[derive(Debug, Default)]
pub(crate) struct ResponseWatch {
    /// When the response has to be over.
    deadline: std::sync::Mutex<Option<Instant>>,
    /// Since when hyper has a frame that the client has no room for, or that is being written right now.
    offered: std::sync::Mutex<Option<Instant>>,
    /// The response has begun.
    has_begun: AtomicBool,
}

impl ResponseWatch {
    /// The response of the current stream; `None` over HTTP/1.
    pub(crate) fn current() -> Option<Arc<Self>> {
        RESPONSE.try_with(Arc::clone).ok()
    }

    /// The response begins, and has to be over by `deadline`.
    pub(crate) fn begin(&self, deadline: Option<Instant>) {
        *lock(&self.deadline) = deadline;
        self.has_begun.store(true, Ordering::Relaxed);
    }

    /// hyper has been given a frame.
    pub(crate) fn offer(&self) {
        *lock(&self.offered) = Some(Instant::now());
    }

    /// hyper asks for a frame: there was room for the one before.
    pub(crate) fn taken(&self) {
        *lock(&self.offered) = None;
    }

    /// Resolves when the stream has to be reset.
    async fn overdue(&self, server: &Server) {
        let context = server.service.context();
        loop {
            server.disconnects.next().await;
            if !self.has_begun.load(Ordering::Relaxed) {
                continue;
            }
            let now = Instant::now();
            if lock(&self.deadline).is_some_and(|deadline| deadline <= now) {
                tracing::info!("a response was not taken before its time was over; its stream was reset");
                return;
            }
            let limit = if context.lifecycle.is(Phase::Closing) {
                Some(Duration::ZERO)
            } else {
                context.settings.timeouts.send
            };
            let stalled = lock(&self.offered).map(|since| now.saturating_duration_since(since));
            if let (Some(limit), Some(stalled)) = (limit, stalled)
                && stalled > limit
            {
                tracing::info!("a client took nothing of its response for {stalled:.1?}; its stream was reset");
                return;
            }
        }
    }
}
