//! A whole invocation with its answer: what `serve` does for a request and `run` does once.

use std::{os::fd::BorrowedFd, time::Duration};

use http::HeaderMap;

use super::{
    Accept, CallFacts, Head, TransferError, answer,
    events::{self, Events},
    live::Live,
};
use crate::{
    input::BodySource,
    invocation::{self, Call, Finished, Function, Outcome, Unwatched},
    output::BodySink,
    process::Cancel,
};

/// Where an answer goes: first its head, then its body.
pub trait Port: BodySink {
    /// The head of what follows. Sent with the first piece at the latest; until then another one may take its place.
    /// With `live` every piece is to be passed on at once.
    fn begin(&mut self, head: Head, live: bool);

    /// What follows the body, for a client that has asked for that.
    fn trail(&mut self, fields: HeaderMap);

    /// What can be written to when there is room again, if that can be polled; else [`Cancel::wake`] tells.
    fn outlet(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// How long there may be no room until the reader counts as gone; `None` for no limit.
    fn patience(&self) -> Option<Duration> {
        None
    }
}

/// An invocation that is over, and what became of its answer. The workspace exists until this is dropped or
/// [`Finished::remove_workspace`] is called.
#[derive(Debug)]
pub struct Delivered {
    /// How it went.
    pub finished: Finished,
    /// Whether the whole answer was handed over. If not, the reader must be shown that it was not.
    pub sent: Result<(), TransferError>,
}

/// Runs `function` for one call and answers through `port` in the form that `accept` asks for.
pub fn deliver(
    function: &Function,
    call: &Call,
    source: &mut dyn BodySource,
    cancel: &Cancel,
    accept: &Accept,
    service: Option<&str>,
    port: &mut dyn Port,
) -> Delivered {
    let facts = CallFacts { call_id: &call.id, service };
    let is_events = accept.events() && !function.is_bare();
    if function.is_live() && !is_events {
        let mut live = Live::new(port, function, facts, accept);
        let finished = invocation::run(function, call, source, cancel, &mut live);
        let sent = if live.has_begun(&finished.outcome) {
            live.finish(&finished.outcome)
        } else {
            // Nothing has been sent: what came of it is told as a whole.
            send(&finished, &facts, accept, port)
        };
        return Delivered { finished, sent };
    }
    if !is_events {
        let finished = invocation::run(function, call, source, cancel, &mut Unwatched);
        let sent = send(&finished, &facts, accept, port);
        return Delivered { finished, sent };
    }
    port.begin(events::head(&facts), true);
    let mut events = Events::new(port);
    let finished = invocation::run(function, call, source, cancel, &mut events);
    let sent = match &finished.outcome {
        // Nothing has been sent yet: bad input is answered as to everybody.
        Outcome::Refused(_) => send(&finished, &facts, accept, port),
        outcome => events.finish(outcome, &facts),
    };
    Delivered { finished, sent }
}

fn send(finished: &Finished, facts: &CallFacts<'_>, accept: &Accept, port: &mut dyn Port) -> Result<(), TransferError> {
    let reply = answer(&finished.outcome, facts, accept);
    port.begin(reply.head().clone(), false);
    reply.write_to(port)
}
