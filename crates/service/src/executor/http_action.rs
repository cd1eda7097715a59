//! An action that a request does: to the service's own process, or to a server elsewhere.
//!
//! The body is taken in and bound to arguments that fit first (`arguments`), then those become a request (`request`) with
//! a body that can be sent again (`payload`), and the server's response is the action's result, or the failure (`result`).

mod arguments;
mod payload;
mod request;
mod result;

use std::sync::Arc;

use hyper::{
    StatusCode,
    header::{CONNECTION, HeaderValue},
};
use tokio::time::{Instant, sleep};

use self::{
    arguments::{BoundCall, Files},
    payload::Sending,
    request::{ActionFacts, PreparedRequest},
    result::{ActionFailure, ActionResult},
};
use super::proxy::{Deadline, InFlightProxy, Uploading, Upstream, add_own, in_time, limit, respond};
use crate::{
    actions::{self, Action, HttpCall, TextArgument},
    body::{Response, ResponseBody},
    call::Admitted,
    context::Context,
    invocation::{Attempts, Backoff, Cause, Failure, Outcome, Report, UpstreamError},
    lifecycle::Phase,
    reply::{Head, Problem},
};

/// The call of an action.
#[derive(Debug)]
pub(crate) struct RequestedAction<'a> {
    pub(crate) action: &'a Arc<Action>,
    /// The request that does it.
    pub(crate) how: &'a Arc<HttpCall>,
    pub(crate) way: actions::Placement,
    /// The arguments that are not in the body.
    pub(crate) texts: Vec<TextArgument>,
}

/// The resources that a call needs until its response has been sent.
#[derive(Debug)]
struct CallResources {
    _files: Option<Files>,
    _sending: Option<Sending>,
}

/// Has an action done by a request.
pub(crate) async fn call(
    context: &Arc<Context>,
    upstream: &Arc<Upstream>,
    requested: RequestedAction<'_>,
    admitted: Admitted<'_>,
) -> Result<Response, Problem> {
    let Admitted { call_id, head, envelope, body, permit, responder } = admitted;
    let settings = &context.settings;
    let (body, mut uploading) = Uploading::begin(body, settings.limits.body);
    let in_flight = InFlightProxy::new(context, upstream, permit, call_id);
    let mut deadline = in_flight.deadline(limit(settings.timeouts.exec, &head.headers));
    let closes = settings.actions.as_ref().is_some_and(|service| service.generation.closes_connections());
    let facts = ActionFacts {
        call_id: &in_flight.call_id,
        caller: &head.headers,
        peer: responder.peer(),
        is_ours: upstream.managed().is_some(),
        closes,
    };
    let (action, headers) = (requested.action, facts.fields(&upstream.address));
    let work = arguments::take(context, upstream, requested, headers, envelope, body);
    let (mut bound, mut is_whole) = in_time(&in_flight, &mut uploading, deadline, work).await;
    if bound.is_ok() && responder.starts_servers() {
        let since = Instant::now();
        match upstream.begin(context).await {
            // The time of a call is for the call.
            Ok(Ok(())) => deadline = deadline.and_then(|(limit, at)| Some((limit, at.checked_add(since.elapsed())?))),
            Ok(Err(error)) => {
                let report = Report::of_exchange(since.elapsed());
                bound = Err(Outcome::Failed { report, failure: Failure::Upstream(error) });
            }
            Err(problem) => {
                in_flight.turn_away();
                return Err(problem);
            }
        }
    }
    let outcome = match bound {
        Ok(BoundCall { request, files }) => {
            let work = perform(&in_flight, action, request, deadline);
            let (outcome, now_whole) = in_time(&in_flight, &mut uploading, deadline, work).await;
            is_whole = now_whole;
            outcome.map(|(result, sending)| (result, CallResources { _files: files, _sending: sending }))
        }
        Err(outcome) => Err(outcome),
    };
    let mut response = match outcome {
        Ok((result, resources)) => respond_with(result, resources, in_flight, uploading, deadline),
        Err(outcome) => in_flight.refuse(outcome),
    };
    if !is_whole {
        response.head.headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

/// The response that a result makes.
fn respond_with(
    result: ActionResult,
    resources: CallResources,
    mut in_flight: InFlightProxy,
    uploading: Uploading,
    deadline: Deadline,
) -> Response {
    in_flight.keep(resources);
    match result {
        ActionResult::Streamed(response) => respond(*response, in_flight, uploading, deadline),
        ActionResult::Whole { mut headers, body, sender } => {
            add_own(&mut headers, &in_flight);
            in_flight.end_well(sender.map(|sender| *sender));
            let head = Head { status: StatusCode::OK, headers, length: Some(body.len() as u64) };
            Response::new(head, ResponseBody::whole(Some(body).filter(|body| !body.is_empty())))
        }
    }
}

/// Sends the request, again after a while if that may help, and takes the result.
async fn perform(
    in_flight: &InFlightProxy,
    action: &Arc<Action>,
    request: PreparedRequest,
    deadline: Deadline,
) -> Result<(ActionResult, Option<Sending>), Outcome> {
    let (context, upstream, call_id) = (in_flight.context(), in_flight.upstream(), &*in_flight.call_id);
    let started = Instant::now();
    let mut backoff = Backoff::default();
    let mut count = 0;
    loop {
        count += 1;
        let (sent, sending) = request.payload.send(&context.workers).map_err(|error| Outcome::Failed {
            report: Report::of_exchange(started.elapsed()),
            failure: Failure::NoThread(error),
        })?;
        let response = upstream.ask(context, &request.head, sent, false).await;
        let ActionFailure { failure, status, traceback, may_help } = match response {
            Ok(response) => match result::take(&context.workers, action, response, upstream).await {
                Ok(result) => return Ok((result, sending)),
                Err(failed) => failed,
            },
            Err(error) => ActionFailure {
                may_help: matches!(error, UpstreamError::Unreachable { .. }),
                failure: Failure::Upstream(error),
                status: None,
                traceback: Vec::new(),
            },
        };
        if context.lifecycle.is(Phase::Closing) {
            return Err(Outcome::Cancelled { report: None, cause: Cause::Shutdown });
        }
        tracing::warn!(call_id, "the action {}: {failure}", action.name);
        drop(sending);
        let pause = backoff.pause();
        let is_in_time = deadline.is_none_or(|(_, deadline)| Instant::now() + pause < deadline);
        if may_help && is_in_time && count as usize <= context.settings.retries {
            sleep(pause).await;
            continue;
        }
        let failure = match failure {
            Failure::ActionUnavailable { .. } => Failure::ActionUnavailable { attempts: count },
            other => other,
        };
        let mut report = Report::of_exchange(started.elapsed());
        report.attempts = Some(Attempts { count, traceback, status });
        return Err(Outcome::Failed { report, failure });
    }
}
