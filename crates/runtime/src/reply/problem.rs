//! Failures as `application/problem+json` (RFC 9457): every answer that bandog made up itself, and not the function.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde_json::{Map, Value};

use super::{Body, CallFacts, Head, Reply, Seconds, X_BANDOG_ERROR, X_CALL_ID};
use crate::{
    input::{self, InputErrorKind},
    invocation::{Cause, Failure, Outcome, Report},
    logs::TAIL_LIMIT,
    process::{Exit, signal_name},
};

pub use super::code::ErrorCode as Slug;

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
        let (headers, members) = (HeaderMap::new(), Map::new());
        Self { slug, detail: detail.into(), retry_after: slug.retry_after(), headers, members }
    }

    /// The instance is shutting down and takes no new calls.
    #[must_use]
    pub fn draining() -> Self {
        Self::new(Slug::Draining, "this instance is shutting down; repeat the request and another one will take it")
            .closing()
    }

    /// The method is none of `allowed`, a list with commas between its members.
    #[must_use]
    pub fn method_not_allowed(detail: impl Into<String>, allowed: &str) -> Self {
        let problem = Self::new(Slug::MethodNotAllowed, detail);
        HeaderValue::from_str(allowed).into_iter().fold(problem, |problem, value| problem.header(header::ALLOW, value))
    }

    /// A body that is refused before all of it has been read, so that the connection ends with the response.
    #[must_use]
    pub fn bad_body(error: input::InputError) -> Self {
        let detail = error.to_string();
        Self::new(slug(&Outcome::Refused(error)).unwrap_or(Slug::BadInput), detail).closing()
    }

    /// Ends the connection with the response.
    #[must_use]
    pub fn closing(self) -> Self {
        if self.headers.contains_key(header::CONNECTION) {
            return self;
        }
        self.header(header::CONNECTION, HeaderValue::from_static("close"))
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
            InputErrorKind::Incomplete => Slug::BodyIncomplete,
            InputErrorKind::TimedOut => Slug::BodyTimeout,
            InputErrorKind::ReadFailed => Slug::InputUnreadable,
            InputErrorKind::Bad => Slug::BadInput,
            InputErrorKind::Arguments => Slug::InvalidArguments,
            InputErrorKind::TooLarge => Slug::BodyTooLarge,
            InputErrorKind::UnsupportedEncoding => Slug::UnsupportedEncoding,
            InputErrorKind::Storage => Slug::StorageNotSupported,
            InputErrorKind::Store => Slug::InputNotStored,
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
    if matches!(slug, Slug::ShuttingDown | Slug::BodyTimeout | Slug::BodyTooLarge) {
        // The connection has no future, or the rest of the body is not read.
        problem = problem.closing();
    }
    if let Outcome::Refused(input::InputError::Arguments(flaws)) = outcome {
        problem = problem.member("errors", flaws.to_json());
    }
    match outcome.report() {
        Some(report) => about_run(problem, report),
        None => problem,
    }
}

/// The problem in words, for who sits at a terminal; with the end of the captured logs if they were not shown.
#[must_use]
pub fn explain(outcome: &Outcome, call: &CallFacts<'_>, with_logs: bool) -> String {
    if let Outcome::Refused(input::InputError::Arguments(flaws)) = outcome {
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
