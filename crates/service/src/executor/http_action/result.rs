//! The response of an action's server: the result of the action, or the reason why there is none.

use std::{io, sync::Arc};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::{
    HeaderMap, StatusCode,
    body::Incoming,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue},
};

use tokio::sync::oneshot;

use crate::{
    actions::{self, Action, MAX_RESULT, Output, Type},
    executor::proxy::{Address, Sender, Upstream, UpstreamResponse, reason},
    invocation::{Failure, UpstreamError},
    workers::Workers,
};

/// Bytes of a result that is looked at by the network thread itself.
const AT_ONCE: usize = 16 * 1024;

/// Bytes of an answer that is no result which are told.
const TRACEBACK: usize = 64 * 1024;

/// A result.
pub(super) enum ActionResult {
    /// It is passed on as it comes.
    Streamed(Box<UpstreamResponse>),
    /// It has been looked at.
    Whole {
        headers: HeaderMap,
        body: Bytes,
        /// The connection it came on, if nothing is left on that.
        sender: Option<Box<Sender>>,
    },
}

/// Why there is none.
#[derive(Debug)]
pub(super) struct ActionFailure {
    pub(super) failure: Failure,
    pub(super) status: Option<u16>,
    /// The beginning of what was answered.
    pub(super) traceback: Vec<u8>,
    /// Another try may.
    pub(super) may_help: bool,
}

/// The meaning of a status for an action, 2xx excepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Never again.
    Final,
    /// Another try may help.
    Passing,
    /// Nothing: it is the server that has failed, or is none for actions.
    Stray,
}

impl Verdict {
    fn of(status: StatusCode) -> Self {
        match status.as_u16() {
            408 | 425 | 429 | 503 => Self::Passing,
            400..500 => Self::Final,
            _ => Self::Stray,
        }
    }
}

/// Takes an answer for what it is.
pub(super) async fn take(
    workers: &Workers,
    action: &Arc<Action>,
    answered: UpstreamResponse,
    upstream: &Upstream,
) -> Result<ActionResult, ActionFailure> {
    let (who, address) = (upstream.who, &upstream.address);
    let (status, output) = (answered.response.status(), &action.output);
    if !status.is_success() {
        return Err(refused(answered, address).await);
    }
    if output.schema.is_some() && !output.is_checked_whole() {
        return Ok(streamed(output, answered));
    }
    let UpstreamResponse { response, sender } = answered;
    let (parts, body) = response.into_parts();
    let kind = output.schema.is_some().then(|| content_type(output, parts.headers.get(CONTENT_TYPE).cloned()));
    let kind = kind.as_ref().and_then(|kind| kind.to_str().ok());
    let failed =
        |failure, traceback| ActionFailure { failure, status: Some(status.as_u16()), traceback, may_help: false };
    // One byte more than may be, so that what is too long is seen to be.
    let limit = if output.schema.is_some() { MAX_RESULT + 1 } else { TRACEBACK };
    let (bytes, is_whole) = begin(body, limit).await.map_err(|error| {
        failed(Failure::Upstream(UpstreamError::Interrupted { upstream: who, reason: reason(&error) }), Vec::new())
    })?;
    let answer = check(workers, action, kind, &bytes)
        .await
        .map_err(|failure| failed(failure, bytes[..bytes.len().min(TRACEBACK)].to_vec()))?;
    let mut headers = HeaderMap::new();
    let kind = answer.media_type.and_then(|kind| HeaderValue::from_str(&kind).ok());
    headers.extend(kind.map(|kind| (CONTENT_TYPE, kind)));
    Ok(ActionResult::Whole { headers, body: answer.body, sender: Some(Box::new(sender)).filter(|_| is_whole) })
}

/// Holds a result against what it should be; a large one on a thread that has the time.
async fn check(
    workers: &Workers,
    action: &Arc<Action>,
    kind: Option<&str>,
    body: &Bytes,
) -> Result<actions::CheckedResult, Failure> {
    let checked = if body.len() <= AT_ONCE {
        action.output.check_response(kind, body)
    } else {
        let (tell, told) = oneshot::channel();
        let (action, kind, body) = (Arc::clone(action), kind.map(str::to_owned), body.clone());
        let job = move || drop(tell.send(action.output.check_response(kind.as_deref(), &body)));
        workers.submit(job).map_err(Failure::NoThread)?;
        told.await.map_err(|_| Failure::Supervise(io::Error::other("the thread that checks the result failed")))?
    };
    checked.map_err(|flaw| Failure::InvalidResult(flaw.to_string()))
}

/// Of the server's own fields only those stay that say what the body is.
fn streamed(output: &Output, mut answered: UpstreamResponse) -> ActionResult {
    let headers = answered.response.headers_mut();
    let mut kept = HeaderMap::new();
    for name in [CONTENT_LENGTH, CONTENT_ENCODING] {
        kept.extend(headers.remove(&name).map(|value| (name, value)));
    }
    let kind = headers.remove(CONTENT_TYPE);
    kept.insert(CONTENT_TYPE, content_type(output, kind));
    *headers = kept;
    *answered.response.status_mut() = StatusCode::OK;
    ActionResult::Streamed(Box::new(answered))
}

/// As what it is sent: as the file says, else as the server does.
fn content_type(output: &Output, sent: Option<HeaderValue>) -> HeaderValue {
    match (output.content_type, sent) {
        // With its parameters.
        (Some(declared), Some(sent)) if essence(&sent) == declared.as_str() => sent,
        (Some(declared), _) => HeaderValue::from_static(declared.as_str()),
        (None, Some(sent)) => sent,
        (None, None) => HeaderValue::from_static(match output.schema.as_ref().map(|schema| schema.kind) {
            Some(Type::String | Type::Enum | Type::Uuid | Type::Path) => "text/plain; charset=utf-8",
            Some(Type::Any) => "application/octet-stream",
            Some(Type::Int | Type::Float | Type::Boolean | Type::List | Type::Map | Type::Object) | None => {
                "application/json"
            }
        }),
    }
}

fn essence(kind: &HeaderValue) -> String {
    let kind = kind.to_str().unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Of an answer that is no result.
async fn refused(answered: UpstreamResponse, address: &Address) -> ActionFailure {
    let UpstreamResponse { response, sender } = answered;
    let status = response.status();
    let traceback = begin(response.into_body(), TRACEBACK).await.map(|(begun, _)| begun.to_vec()).unwrap_or_default();
    // The rest of the response is discarded with the connection.
    drop(sender);
    let refusal = Verdict::of(status);
    let failure = match refusal {
        Verdict::Final => Failure::ActionFailed,
        Verdict::Passing => Failure::ActionUnavailable { attempts: 1 },
        Verdict::Stray => {
            Failure::Upstream(UpstreamError::Status { address: address.to_string(), status: status.as_u16() })
        }
    };
    ActionFailure { failure, status: Some(status.as_u16()), traceback, may_help: refusal == Verdict::Passing }
}

/// The first bytes of a body, and whether that is all of it.
async fn begin(mut body: Incoming, limit: usize) -> Result<(Bytes, bool), hyper::Error> {
    let mut begun = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        let room = limit - begun.len();
        begun.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() > room {
            return Ok((begun.freeze(), false));
        }
    }
    Ok((begun.freeze(), true))
}
