//! What an exchange holds as long as it lasts, and what it is counted as at its end.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, timeout};

use super::{
    Upstream,
    call::Kept,
    pool::{HANDBACK, Sender},
};
use crate::{
    http::{
        Entry, Phase, Server,
        admission::Place,
        bridge::{Answer, Body},
    },
    invocation::{Cause, Outcome, Party},
    reply::{self, CallFacts},
};

/// An exchange under way. Dropped before its end it counts as called off: the client is gone, or bandog is going.
#[derive(Debug)]
pub(super) struct Stay {
    pub(super) started: Instant,
    pub(super) call_id: String,
    server: Arc<Server>,
    upstream: Arc<Upstream>,
    /// Given back at the end.
    held: Option<(Place, Entry)>,
    /// What a call of an action needs as long.
    kept: Option<Kept>,
}

impl Stay {
    pub(super) fn new(
        server: &Arc<Server>,
        upstream: &Arc<Upstream>,
        place: Place,
        entry: Entry,
        call_id: &str,
    ) -> Self {
        Self {
            started: Instant::now(),
            call_id: call_id.to_owned(),
            server: Arc::clone(server),
            upstream: Arc::clone(upstream),
            held: Some((place, entry)),
            kept: None,
        }
    }

    /// When it has to be over, if it may last for `limit`, which comes with it.
    pub(super) fn deadline(&self, limit: Option<Duration>) -> Option<(Duration, Instant)> {
        limit.and_then(|limit| Some((limit, self.started.checked_add(limit)?)))
    }

    /// Keeps this until the end.
    pub(super) fn keep(&mut self, kept: Kept) {
        self.kept = Some(kept);
    }

    pub(super) fn server(&self) -> &Arc<Server> {
        &self.server
    }

    /// Whether what is answered is encoded on the way.
    pub(super) fn encodes(&self) -> bool {
        self.server.encodes && self.upstream.is_coded
    }

    /// Whom it is with.
    pub(super) fn who(&self) -> Party {
        self.upstream.who
    }

    /// The function's address.
    pub(super) fn authority(&self) -> String {
        self.upstream.address.to_string()
    }

    pub(super) fn is_over(&self) -> bool {
        self.held.is_none()
    }

    /// Counts it and gives back what it held. To be called before the last piece of the answer is handed over.
    pub(super) fn end(&mut self, outcome: &Outcome) {
        if self.held.take().is_some() {
            self.kept = None;
            self.server.count(outcome);
        }
    }

    /// Ends it well; the connection is used again, once the function has done with it.
    pub(super) fn end_well(&mut self, sender: Option<Sender>) {
        self.end(&Outcome::Passed);
        let Some(mut sender) = sender else { return };
        let upstream = Arc::clone(&self.upstream);
        tokio::spawn(async move {
            if let Ok(Ok(())) = timeout(HANDBACK, sender.ready()).await {
                upstream.pool.put(sender);
            }
        });
    }

    /// Ends it with a problem for an answer.
    pub(super) fn refuse(mut self, outcome: &Outcome) -> Answer {
        let service = self.server.service.as_deref();
        let problem = reply::refusal(outcome, &CallFacts { call_id: &self.call_id, service });
        let (head, page) = self.server.page(problem);
        self.end(outcome);
        (head, Body::Whole(Some(page)))
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        let cause = if self.server.is(Phase::Closing) { Cause::Shutdown } else { Cause::ClientGone };
        self.end(&Outcome::Cancelled { report: None, cause });
    }
}
