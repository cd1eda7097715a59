//! One call from the first byte of the request's body to the last byte of the response.

use super::{live::LiveReply, response_writer::ResponseWriter};
use crate::{
    input::BodySource,
    invocation::{self, Call, Finished, Function, NoObserver, Outcome},
    output::TransferError,
    process::Cancel,
    reply::{
        Accept, CallFacts, answer,
        events::{self, EventStream},
    },
};

/// An invocation that is over, and the fate of its response. The workspace exists until this is dropped or
/// [`Finished::remove_workspace`] is called.
#[derive(Debug)]
pub struct CompletedCall {
    /// The invocation.
    pub finished: Finished,
    /// Whether the whole response was handed over. After an error the connection must be broken, so that the client
    /// does not take a part for the whole.
    pub sent: Result<(), TransferError>,
}

/// Runs `function` for one call and sends the response to `writer` in the form that `accept` asks for.
#[expect(clippy::disallowed_methods, reason = "below the service, which gives calls to it")]
pub fn run_and_answer(
    function: &Function,
    call: &Call,
    source: &mut dyn BodySource,
    cancel: &Cancel,
    accept: &Accept,
    service: Option<&str>,
    writer: &mut dyn ResponseWriter,
) -> CompletedCall {
    let facts = CallFacts { call_id: &call.id, service };
    let is_events = accept.events() && !function.is_bare();
    if function.is_live() && !is_events {
        let mut live = LiveReply::new(writer, function, facts, accept);
        let finished = invocation::run(function, call, source, cancel, &mut live);
        let sent = if live.has_begun(&finished.outcome) {
            live.finish(&finished.outcome)
        } else {
            // Nothing has been sent, so that a complete response can still be chosen.
            send(&finished, &facts, accept, writer)
        };
        return CompletedCall { finished, sent };
    }
    if !is_events {
        let finished = invocation::run(function, call, source, cancel, &mut NoObserver);
        let sent = send(&finished, &facts, accept, writer);
        return CompletedCall { finished, sent };
    }
    writer.begin(events::head(&facts), true);
    let mut events = EventStream::new(writer);
    let finished = invocation::run(function, call, source, cancel, &mut events);
    let sent = match &finished.outcome {
        // Nothing has been sent yet: bad input gets the same error response as without an event stream.
        Outcome::Refused(_) => send(&finished, &facts, accept, writer),
        outcome => events.finish(outcome, &facts),
    };
    CompletedCall { finished, sent }
}

fn send(
    finished: &Finished,
    facts: &CallFacts<'_>,
    accept: &Accept,
    writer: &mut dyn ResponseWriter,
) -> Result<(), TransferError> {
    let reply = answer(&finished.outcome, facts, accept);
    writer.begin(reply.head().clone(), false);
    reply.write_to(writer)
}
