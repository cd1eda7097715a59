//! A call of an action that is done by a request: to the service's own process, or to a server elsewhere.
//!
//! The body is taken in and made into arguments that fit first (`taken`), then those are a request (`order`) with a body
//! that can be sent again (`payload`), and what is answered is the action's result, or why there is none (`result`).

mod order;
mod payload;
mod result;
mod taken;

use std::{net::IpAddr, sync::Arc, time::Duration};

use hyper::{
    HeaderMap, StatusCode,
    header::{CONNECTION, HeaderValue},
};
use tokio::time::{Instant, sleep};

use self::{
    order::{Facts, Order},
    payload::Sending,
    result::{Failed, Given},
    taken::{Files, Taken},
};
use super::{Passage, Upstream, answer, in_time, limit, stay::Stay, upload::Uploading};
use crate::{
    actions::{self, Action, HttpCall, Text},
    http::{
        Phase, Running, Server,
        admission::Place,
        bridge::{Answer, Body, Incoming},
    },
    intake::Envelope,
    invocation::{Attempts, Backoff, Cause, Failure, Outcome, Report, Unanswered},
    process::Cancel,
    reply::Head,
};

/// What is asked of an action.
#[derive(Debug)]
pub(in crate::http) struct Asking<'a> {
    pub(in crate::http) action: &'a Arc<Action>,
    /// How it is done.
    pub(in crate::http) how: &'a Arc<HttpCall>,
    pub(in crate::http) way: actions::Way,
    /// What of it is in the head of the request.
    pub(in crate::http) texts: Vec<Text>,
}

/// What a call needs until its answer has been passed on.
#[derive(Debug)]
pub(super) struct Kept {
    _files: Option<Files>,
    _sending: Option<Sending>,
}

/// What is given to an action, and who gives it.
struct Giving<'a> {
    headers: &'a HeaderMap,
    peer: Option<IpAddr>,
    envelope: Envelope,
    incoming: Incoming,
    uploading: Uploading,
}

/// What has come of a call.
struct Attempt {
    stay: Stay,
    uploading: Uploading,
    deadline: Option<(Duration, Instant)>,
    outcome: Result<(Given, Kept), Outcome>,
    /// All that was sent has been read.
    is_whole: bool,
}

/// Has an action done by a request.
pub(in crate::http) async fn call(
    server: &Arc<Server>,
    upstream: &Arc<Upstream>,
    asking: Asking<'_>,
    passage: Passage<'_>,
) -> Answer {
    let Passage { parts, call_id, envelope, place, arrival, link } = passage;
    let (incoming, uploading) = Uploading::begin(arrival, server.max_body);
    let giving = Giving { headers: &parts.headers, peer: link.peer(), envelope, incoming, uploading };
    let Attempt { stay, uploading, deadline, outcome, is_whole } =
        attempt(server, upstream, asking, giving, place, call_id).await;
    let (mut head, body) = match outcome {
        Ok((given, kept)) => answer_with(given, kept, stay, uploading, deadline),
        Err(outcome) => stay.refuse(&outcome),
    };
    if !is_whole {
        head.headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    (head, body)
}

/// The same for who is not connected.
///
/// # Errors
/// Why there is no answer.
pub(in crate::http) async fn call_from_inside(
    server: &Arc<Server>,
    upstream: &Arc<Upstream>,
    asking: Asking<'_>,
    (headers, envelope, incoming): (&HeaderMap, Envelope, Incoming),
    (place, call_id): (Place, &str),
) -> Result<Answer, Outcome> {
    let giving = Giving { headers, peer: None, envelope, incoming, uploading: Uploading::none() };
    let Attempt { mut stay, uploading, deadline, outcome, .. } =
        attempt(server, upstream, asking, giving, place, call_id).await;
    match outcome {
        Ok((given, kept)) => Ok(answer_with(given, kept, stay, uploading, deadline)),
        Err(outcome) => {
            stay.end(&outcome);
            Err(outcome)
        }
    }
}

async fn attempt(
    server: &Arc<Server>,
    upstream: &Arc<Upstream>,
    asking: Asking<'_>,
    giving: Giving<'_>,
    place: Place,
    call_id: &str,
) -> Attempt {
    let Giving { headers, peer, envelope, incoming, mut uploading } = giving;
    let entry = Running::enter(server, &Cancel::new());
    let stay = Stay::new(server, upstream, place, entry, call_id);
    let deadline = stay.deadline(limit(server.exec_timeout, headers));
    let closes = server.actions.as_ref().is_some_and(|service| service.generation.closes_connections());
    let facts = Facts { call_id, caller: headers, peer, is_ours: upstream.standing.is_some(), closes };
    let (action, headers) = (asking.action, facts.fields(&upstream.address));
    let work = async {
        let Taken { order, files } = taken::take(server, upstream, asking, headers, envelope, incoming).await?;
        let (given, sending) = perform(server, upstream, action, order, (deadline, call_id)).await?;
        Ok((given, Kept { _files: files, _sending: sending }))
    };
    let (outcome, is_whole) = in_time(server, &stay, &mut uploading, deadline, work).await;
    Attempt { stay, uploading, deadline, outcome, is_whole }
}

/// The answer that a result is.
fn answer_with(
    given: Given,
    kept: Kept,
    mut stay: Stay,
    uploading: Uploading,
    deadline: Option<(Duration, Instant)>,
) -> Answer {
    stay.keep(kept);
    match given {
        Given::Streamed(answered) => answer::of(*answered, stay, uploading, deadline),
        Given::Whole { mut headers, body, sender } => {
            answer::add_own(&mut headers, &stay);
            stay.end_well(sender.map(|sender| *sender));
            let head = Head { status: StatusCode::OK, headers, length: Some(body.len() as u64) };
            (head, Body::Whole(Some(body).filter(|body| !body.is_empty())))
        }
    }
}

/// Sends the request, again after a while if that may help, and takes what is answered.
async fn perform(
    server: &Arc<Server>,
    upstream: &Upstream,
    action: &Arc<Action>,
    order: Order,
    (deadline, call_id): (Option<(Duration, Instant)>, &str),
) -> Result<(Given, Option<Sending>), Outcome> {
    let started = Instant::now();
    let mut backoff = Backoff::default();
    let mut count = 0;
    loop {
        count += 1;
        let (sent, sending) = order.payload.send(server).map_err(|error| Outcome::Failed {
            report: Report::of_exchange(started.elapsed()),
            failure: Failure::Supervise(error),
        })?;
        let answered = upstream.ask(server, &order.head, sent, false).await;
        let Failed { failure, status, traceback, may_help } = match answered {
            Ok(answered) => match result::take(server, action, answered, upstream).await {
                Ok(given) => return Ok((given, sending)),
                Err(failed) => failed,
            },
            Err(error) => Failed {
                may_help: matches!(error, Unanswered::Unreachable { .. }),
                failure: Failure::Unanswered(error),
                status: None,
                traceback: Vec::new(),
            },
        };
        if server.is(Phase::Closing) {
            return Err(Outcome::Cancelled { report: None, cause: Cause::Shutdown });
        }
        tracing::warn!(call_id, "the action {}: {failure}", action.name);
        drop(sending);
        let pause = backoff.pause();
        let is_in_time = deadline.is_none_or(|(_, deadline)| Instant::now() + pause < deadline);
        if may_help && is_in_time && count as usize <= server.retries {
            sleep(pause).await;
            continue;
        }
        let failure = match failure {
            Failure::Unavailable { .. } => Failure::Unavailable { attempts: count },
            other => other,
        };
        let mut report = Report::of_exchange(started.elapsed());
        report.attempts = Some(Attempts { count, traceback, status });
        return Err(Outcome::Failed { report, failure });
    }
}
