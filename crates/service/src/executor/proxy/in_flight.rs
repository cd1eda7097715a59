//! An exchange in flight: the resources that it holds as long as it lasts, and the outcome that it is counted as.

use std::{any::Any, sync::Arc, time::Duration};

use tokio::time::{Instant, timeout};

use super::{
    Upstream,
    pool::{HANDBACK, Sender},
};
use crate::{
    admission::Permit,
    body::{Response, ResponseBody},
    call::Held,
    context::Context,
    invocation::{Cause, Outcome, UpstreamKind},
    lifecycle::Phase,
    process::Cancel,
    reply::{self, CallFacts},
};

/// An exchange in flight. Dropped before its end it counts as cancelled: the client has hung up, or the service closes.
#[derive(Debug)]
pub(crate) struct InFlightProxy {
    pub(crate) started: Instant,
    pub(crate) call_id: String,
    context: Arc<Context>,
    upstream: Arc<Upstream>,
    /// Given back at the end.
    held: Option<Held>,
    /// A value that the caller of [`InFlightProxy::keep`] needs for as long.
    kept: Option<Box<dyn Any + Send + Sync>>,
}

impl InFlightProxy {
    pub(crate) fn new(context: &Arc<Context>, upstream: &Arc<Upstream>, permit: Permit, call_id: String) -> Self {
        let in_flight = context.lifecycle.in_flight().enter(&Cancel::new());
        Self {
            started: Instant::now(),
            call_id,
            context: Arc::clone(context),
            upstream: Arc::clone(upstream),
            held: Some(Held { _permit: permit, _in_flight: in_flight }),
            kept: None,
        }
    }

    /// The deadline of an exchange that may last for `limit`.
    pub(crate) fn deadline(&self, limit: Option<Duration>) -> super::Deadline {
        limit.and_then(|limit| Some((limit, self.started.checked_add(limit)?)))
    }

    /// Keeps this until the end.
    pub(crate) fn keep(&mut self, kept: impl Any + Send + Sync) {
        self.kept = Some(Box::new(kept));
    }

    pub(crate) fn context(&self) -> &Arc<Context> {
        &self.context
    }

    pub(crate) fn upstream(&self) -> &Arc<Upstream> {
        &self.upstream
    }

    /// Whether the response is encoded on the way.
    pub(crate) fn encodes(&self) -> bool {
        self.context.settings.bodies.encode && self.upstream.is_coded
    }

    /// The noun of the server in messages.
    pub(crate) fn who(&self) -> UpstreamKind {
        self.upstream.who
    }

    /// The function's address.
    pub(crate) fn authority(&self) -> String {
        self.upstream.address.to_string()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.held.is_none()
    }

    /// Counts it and gives back its resources. To be called before the last frame of the response is handed over.
    pub(crate) fn end(&mut self, outcome: &Outcome) {
        if self.held.take().is_some() {
            self.kept = None;
            self.context.metrics.count(outcome);
        }
    }

    /// Ends it well; the connection is used again, once the server has done with it.
    pub(crate) fn end_well(&mut self, sender: Option<Sender>) {
        self.end(&Outcome::Passed);
        let Some(mut sender) = sender else { return };
        let upstream = Arc::clone(&self.upstream);
        tokio::spawn(async move {
            if let Ok(Ok(())) = timeout(HANDBACK, sender.ready()).await {
                upstream.pool.put(sender);
            }
        });
    }

    /// Gives back its resources without counting it, if it has been counted otherwise.
    pub(crate) fn turn_away(mut self) {
        self.held = None;
    }

    /// Ends it with a problem as the response.
    pub(crate) fn refuse(mut self, outcome: Outcome) -> Response {
        let service = self.context.settings.name.as_deref();
        let problem = reply::refusal(&outcome, &CallFacts { call_id: &self.call_id, service });
        let (head, page) = self.context.page(problem);
        self.end(&outcome);
        Response { head, body: ResponseBody::whole(Some(page)), outcome: Some(Box::new(outcome)) }
    }
}

impl Drop for InFlightProxy {
    fn drop(&mut self) {
        let cause = if self.context.lifecycle.is(Phase::Closing) { Cause::Shutdown } else { Cause::ClientGone };
        self.end(&Outcome::Cancelled { report: None, cause });
    }
}
