//! Failures as `application/problem+json` (RFC 9457): every answer that bandog made up itself, and not the function.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Map, Value};

use super::{Body, CallFacts, Head, Reply, Seconds, X_BANDOG_ERROR, X_CALL_ID};
use crate::{
    intake::{self, ErrorKind},
    invocation::{Cause, Failure, Outcome, Report},
    logs::TAIL_LIMIT,
    process::{Exit, signal_name},
};

/// How long a client should wait before it tries another instance, or this one again.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// What went wrong, in one word: the end of the problem's `type`, and the value of `X-Bandog-Error`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Slug {
    /// The request is malformed, or could be read in two ways.
    BadRequest,
    /// The request's target is longer than any can be.
    TargetTooLong,
    /// An `Expect` other than `100-continue`.
    ExpectationFailed,
    /// Not HTTP/1.0, 1.1 or 2.
    VersionNotSupported,
    /// The body is not what its `Content-Type` says, or neither JSON nor base64.
    BadInput,
    /// What an action was given is not what it takes.
    InvalidArguments,
    /// The client took longer than `--read-timeout` to send the body. Not 408: clients repeat those.
    BodyTimeout,
    /// The body broke off before its end; seen by clients that are still there.
    BodyIncomplete,
    /// The body is larger than `--max-body`.
    BodyTooLarge,
    /// A `Content-Encoding` other than gzip.
    UnsupportedEncoding,
    /// The input could not be read from where it comes from.
    InputUnreadable,
    /// The input file could not be written.
    InputNotStored,
    /// The event is about an object in a store, which bandog does not fetch.
    StorageNotSupported,
    /// No token, or a wrong one.
    Unauthorized,
    /// A token that does not permit to call this function.
    Forbidden,
    /// There is no service, or no page, of that name.
    NotFound,
    /// Not a method that invokes the function.
    MethodNotAllowed,
    /// The header fields are too large.
    HeadersTooLarge,
    /// No place was free in time.
    TooManyRequests,
    /// bandog is about to stop and takes no new calls.
    Draining,
    /// The function exited with a code other than 0.
    FunctionFailed,
    /// The function was killed by a signal.
    FunctionKilled,
    /// The kernel killed the function for want of memory.
    OutOfMemory,
    /// The function used up its CPU time.
    CpuTimeExceeded,
    /// The function was killed as it wrote a file beyond `--max-output`.
    FileTooLarge,
    /// The function left more than `--max-output`.
    OutputTooLarge,
    /// The action failed, and would again.
    ActionFailed,
    /// The action failed, and might not again.
    ActionUnavailable,
    /// What the action gave is not what it said it would.
    ResultInvalid,
    /// The action is described, but not done.
    InterfaceNotSupported,
    /// The function could not be started.
    FunctionNotStarted,
    /// The function ran longer than `--exec-timeout`.
    FunctionTimeout,
    /// The workspace could not be made.
    WorkspaceUnavailable,
    /// What the function left can't be read whole, or its response headers make no sense.
    OutputUnreadable,
    /// Nobody waits for the answer any more; never seen.
    ClientGone,
    /// bandog stopped before the function ended.
    ShuttingDown,
    /// A function that speaks HTTP itself did not answer.
    UpstreamFailed,
    /// A function that speaks HTTP itself is not ready.
    NotReady,
    /// The part of the file that was asked for is not there.
    RangeNotSatisfiable,
    /// bandog itself failed.
    Internal,
}

impl Slug {
    /// All of them.
    pub const ALL: [Self; 40] = [
        Self::BadRequest,
        Self::TargetTooLong,
        Self::ExpectationFailed,
        Self::VersionNotSupported,
        Self::BadInput,
        Self::InvalidArguments,
        Self::BodyTimeout,
        Self::BodyIncomplete,
        Self::BodyTooLarge,
        Self::UnsupportedEncoding,
        Self::InputUnreadable,
        Self::InputNotStored,
        Self::StorageNotSupported,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::HeadersTooLarge,
        Self::TooManyRequests,
        Self::Draining,
        Self::FunctionFailed,
        Self::FunctionKilled,
        Self::OutOfMemory,
        Self::CpuTimeExceeded,
        Self::FileTooLarge,
        Self::OutputTooLarge,
        Self::ActionFailed,
        Self::ActionUnavailable,
        Self::ResultInvalid,
        Self::InterfaceNotSupported,
        Self::FunctionNotStarted,
        Self::FunctionTimeout,
        Self::WorkspaceUnavailable,
        Self::OutputUnreadable,
        Self::ClientGone,
        Self::ShuttingDown,
        Self::UpstreamFailed,
        Self::NotReady,
        Self::RangeNotSatisfiable,
        Self::Internal,
    ];

    /// The word, the status and the title, which is the same for every occurrence (RFC 9457 §3.1.4).
    fn row(self) -> (&'static str, u16, &'static str) {
        match self {
            Self::BadRequest => ("bad-request", 400, "This is not a proper request"),
            Self::TargetTooLong => ("target-too-long", 414, "The target is too long"),
            Self::ExpectationFailed => ("expectation-failed", 417, "What is expected can't be done"),
            Self::VersionNotSupported => ("version-not-supported", 505, "This version of HTTP is not spoken"),
            Self::BadInput => ("bad-input", 400, "The body can't be decoded"),
            Self::InvalidArguments => ("invalid-arguments", 400, "These are not the arguments that the action takes"),
            Self::BodyTimeout => ("body-timeout", 400, "The body did not arrive in time"),
            Self::BodyIncomplete => ("body-incomplete", 400, "The body ended too early"),
            Self::BodyTooLarge => ("body-too-large", 413, "The body is too large"),
            Self::UnsupportedEncoding => ("unsupported-encoding", 415, "The content encoding is not supported"),
            Self::InputUnreadable => ("input-unreadable", 500, "The input could not be read"),
            Self::StorageNotSupported => ("storage-not-supported", 501, "Storage events are not supported yet"),
            Self::InputNotStored => ("input-not-stored", 500, "The input could not be stored"),
            Self::Unauthorized => ("unauthorized", 401, "A valid token is needed"),
            Self::Forbidden => ("forbidden", 403, "The token does not permit it"),
            Self::NotFound => ("not-found", 404, "There is nothing here"),
            Self::MethodNotAllowed => ("method-not-allowed", 405, "The method is not allowed"),
            Self::HeadersTooLarge => ("headers-too-large", 431, "The header fields are too large"),
            Self::TooManyRequests => ("too-many-requests", 429, "No place was free in time"),
            Self::Draining => ("draining", 503, "This instance takes no new calls"),
            Self::FunctionFailed => ("function-failed", 500, "The function failed"),
            Self::FunctionKilled => ("function-killed", 500, "The function was killed"),
            Self::OutOfMemory => ("out-of-memory", 500, "The function ran out of memory"),
            Self::CpuTimeExceeded => ("cpu-time-exceeded", 500, "The function used up its CPU time"),
            Self::FileTooLarge => ("file-too-large", 500, "The function wrote too large a file"),
            Self::OutputTooLarge => ("output-too-large", 500, "The output is too large"),
            Self::ActionFailed => ("action-failed", 422, "The action failed"),
            Self::ActionUnavailable => ("action-unavailable", 503, "The action can't be done at the moment"),
            Self::ResultInvalid => ("result-invalid", 500, "The result is not what the action said it would be"),
            Self::InterfaceNotSupported => ("interface-not-supported", 501, "The action's interface is not spoken yet"),
            Self::FunctionNotStarted => ("function-not-started", 500, "The function could not be started"),
            Self::FunctionTimeout => ("function-timeout", 504, "The function took too long"),
            Self::WorkspaceUnavailable => ("workspace-unavailable", 500, "There is no place to work in"),
            Self::OutputUnreadable => ("output-unreadable", 500, "The output can't be sent"),
            // nginx's own number for this; only the access log shows it.
            Self::ClientGone => ("client-gone", 499, "The client went away"),
            Self::ShuttingDown => ("shutting-down", 503, "This instance stopped before the function ended"),
            Self::UpstreamFailed => ("upstream-failed", 502, "The function did not answer"),
            Self::NotReady => ("not-ready", 503, "The function is not ready"),
            Self::RangeNotSatisfiable => ("range-not-satisfiable", 416, "The file has no such part"),
            Self::Internal => ("internal", 500, "bandog failed"),
        }
    }

    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.row().0
    }

    /// The status it is answered with.
    #[must_use]
    pub fn status(self) -> StatusCode {
        StatusCode::from_u16(self.row().1).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// What it says to people.
    #[must_use]
    pub fn title(self) -> &'static str {
        self.row().2
    }
}

/// A failure to answer with.
#[derive(Debug, Clone)]
pub struct Problem {
    /// What went wrong.
    pub slug: Slug,
    /// What went wrong this time, and what to do about it.
    pub detail: String,
    /// Sent as `Retry-After`, in whole seconds, at least 1.
    pub retry_after: Option<Duration>,
    /// Further header fields, such as `Allow`.
    pub headers: HeaderMap,
    /// Further members of the document.
    members: Map<String, Value>,
}

impl Problem {
    /// A problem with nothing more to say than this.
    #[must_use]
    pub fn new(slug: Slug, detail: impl Into<String>) -> Self {
        Self { slug, detail: detail.into(), retry_after: None, headers: HeaderMap::new(), members: Map::new() }
    }

    /// Says when to try again.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// Adds a header field.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }

    /// Adds a member to the document.
    #[must_use]
    pub fn member(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// Names the call, in the document and in `X-Call-Id`.
    #[must_use]
    pub fn call_id(mut self, id: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(id) {
            self.headers.insert(X_CALL_ID, value);
        }
        self.member("call_id", id)
    }

    /// The document, in one line.
    #[must_use]
    pub fn to_json(&self) -> Bytes {
        let mut document = Map::new();
        document.insert("type".to_owned(), format!("urn:bandog:error:{}", self.slug.as_str()).into());
        document.insert("title".to_owned(), self.slug.title().into());
        document.insert("status".to_owned(), self.slug.status().as_u16().into());
        document.insert("detail".to_owned(), self.detail.as_str().into());
        for (name, value) in &self.members {
            document.insert(name.clone(), value.clone());
        }
        Value::Object(document).to_string().into()
    }

    /// Head and body.
    #[must_use]
    pub fn into_parts(self) -> (Head, Bytes) {
        let body = self.to_json();
        let mut head = Head { status: self.slug.status(), headers: self.headers, length: Some(body.len() as u64) };
        head.set(header::CONTENT_TYPE, "application/problem+json");
        head.set(X_BANDOG_ERROR, self.slug.as_str());
        if let Some(after) = self.retry_after {
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            head.set(header::RETRY_AFTER, seconds.max(1).to_string());
        }
        (head, body)
    }

    /// The problem as an answer.
    #[must_use]
    pub fn into_reply(self) -> Reply<'static> {
        let (head, body) = self.into_parts();
        Reply { head, body: Body::Bytes(body) }
    }
}

/// What an outcome is called when it is not an answer; `None` if it is one.
#[must_use]
pub fn slug(outcome: &Outcome) -> Option<Slug> {
    Some(match outcome {
        Outcome::Done { .. } | Outcome::Passed => return None,
        Outcome::Failed { failure, .. } => match failure {
            Failure::Exit(_) => Slug::FunctionFailed,
            Failure::Signal { .. } => Slug::FunctionKilled,
            Failure::OutOfMemory { .. } => Slug::OutOfMemory,
            Failure::CpuTime { .. } => Slug::CpuTimeExceeded,
            Failure::FileTooLarge { .. } => Slug::FileTooLarge,
            Failure::OutputTooLarge { .. } => Slug::OutputTooLarge,
            Failure::Refused => Slug::ActionFailed,
            Failure::Unavailable { .. } => Slug::ActionUnavailable,
            Failure::Result(_) => Slug::ResultInvalid,
            Failure::Spawn(_) | Failure::Confine(_) => Slug::FunctionNotStarted,
            Failure::Workspace(_) => Slug::WorkspaceUnavailable,
            Failure::Output(_) => Slug::OutputUnreadable,
            Failure::Supervise(_) => Slug::Internal,
            Failure::Unanswered(_) => Slug::UpstreamFailed,
        },
        Outcome::TimedOut { .. } => Slug::FunctionTimeout,
        Outcome::Cancelled { cause: Cause::ClientGone, .. } => Slug::ClientGone,
        Outcome::Cancelled { cause: Cause::Shutdown, .. } => Slug::ShuttingDown,
        Outcome::Refused(error) => match error.kind() {
            ErrorKind::Gone => Slug::BodyIncomplete,
            ErrorKind::TimedOut => Slug::BodyTimeout,
            ErrorKind::ReadFailed => Slug::InputUnreadable,
            ErrorKind::Bad => Slug::BadInput,
            ErrorKind::Arguments => Slug::InvalidArguments,
            ErrorKind::TooLarge => Slug::BodyTooLarge,
            ErrorKind::UnsupportedEncoding => Slug::UnsupportedEncoding,
            ErrorKind::Storage => Slug::StorageNotSupported,
            ErrorKind::Store => Slug::InputNotStored,
        },
    })
}

/// The problem for an outcome other than [`Outcome::Done`].
#[must_use]
pub fn of(outcome: &Outcome, call: &CallFacts<'_>) -> Problem {
    let detail = match outcome {
        Outcome::Done { .. } | Outcome::Passed => "the function is done".to_owned(),
        Outcome::Failed { failure, .. } => failure.to_string(),
        Outcome::TimedOut { limit, .. } => {
            format!("the function ran longer than {limit:?} and was terminated; --exec-timeout sets the limit")
        }
        Outcome::Cancelled { cause: Cause::ClientGone, .. } => "the client went away".to_owned(),
        Outcome::Cancelled { cause: Cause::Shutdown, .. } => {
            "bandog was told to stop and the function did not end in time; send the request again".to_owned()
        }
        Outcome::Refused(error) => error.to_string(),
    };
    let slug = slug(outcome).unwrap_or(Slug::Internal);
    let mut problem = Problem::new(slug, detail).call_id(call.call_id);
    if slug == Slug::ShuttingDown {
        problem = problem.retry_after(RETRY_AFTER).header(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if let Outcome::Refused(intake::Error::Arguments(flaws)) = outcome {
        problem = problem.member("errors", flaws.to_json());
    }
    if slug == Slug::ActionUnavailable {
        problem = problem.retry_after(RETRY_AFTER);
    }
    if matches!(slug, Slug::BodyTimeout | Slug::BodyTooLarge) {
        // The rest of the body is not read.
        problem = problem.header(header::CONNECTION, HeaderValue::from_static("close"));
    }
    match outcome.report() {
        Some(report) => about_run(problem, report),
        None => problem,
    }
}

/// The problem in words, for who sits at a terminal; with the end of the captured logs if they were not shown.
#[must_use]
pub fn explain(outcome: &Outcome, call: &CallFacts<'_>, with_logs: bool) -> String {
    if let Outcome::Refused(intake::Error::Arguments(flaws)) = outcome {
        let listed = flaws.listed().iter().map(|flaw| format!("\n  {flaw}"));
        let more = flaws.count() - flaws.listed().len();
        let more = if more > 0 { format!("\n  and {more} more") } else { String::new() };
        return listed.fold("the arguments are wrong:".to_owned(), |text, flaw| text + &flaw) + &more;
    }
    let problem = of(outcome, call);
    let traceback =
        if problem.members.contains_key("upstream_status") { "its server answered" } else { "it wrote to stderr" };
    let told = [("logs", "its logs end with"), ("traceback", traceback)].into_iter().find_map(|(name, word)| {
        let text = problem.members.get(name).and_then(Value::as_str)?;
        Some((word, text.trim_end())).filter(|(_, text)| with_logs && !text.is_empty())
    });
    match told {
        Some((word, text)) => format!("{}; {word}:\n{text}", problem.detail),
        None => problem.detail,
    }
}

fn about_run(mut problem: Problem, report: &Report) -> Problem {
    problem = match report.exit {
        Some(Exit::Code(code)) => problem.member("exit_code", code),
        Some(Exit::Signal(signal)) => problem.member("signal", signal).member("signal_name", signal_name(signal)),
        None => problem,
    };
    // A number with the decimals of `X-Duration-Seconds`.
    let seconds = Seconds(report.duration).to_string().parse::<f64>().unwrap_or_default();
    problem = problem.member("duration_seconds", seconds);
    if let Some(attempts) = &report.attempts {
        let traceback = String::from_utf8_lossy(&attempts.traceback).into_owned();
        if let Some(status) = attempts.status {
            problem = problem.member("upstream_status", status);
        }
        return problem.member("attempts", attempts.count).member("traceback", traceback);
    }
    match report.logs.tail(TAIL_LIMIT) {
        Ok(logs) => problem.member("logs", logs),
        Err(error) => problem.member("logs", format!("[bandog: the captured logs can't be read: {error}]")),
    }
}

#[cfg(test)]
mod tests;
