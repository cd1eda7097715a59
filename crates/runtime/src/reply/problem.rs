//! Failures as `application/problem+json` (RFC 9457): the responses that bandog makes itself.

use std::time::Duration;

use bandog_codec::quantity;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde_json::{Map, Value};

use super::{
    error_code::ErrorCode,
    head::{CallFacts, Head, Seconds},
};
use crate::{
    headers::{X_BANDOG_ERROR, X_CALL_ID},
    input,
    invocation::{Cause, Outcome, Report},
    logs::TAIL_LIMIT,
    process::{Exit, signal_name},
    storage::{StorageError, StorageErrorKind, Stored},
};

/// An error response.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The reason in general.
    pub code: ErrorCode,
    /// The reason of this occurrence, and a way to correct it.
    pub detail: String,
    /// `Retry-After`, sent in whole seconds, at least 1.
    pub retry_after: Option<Duration>,
    /// Further header fields, such as `Allow`.
    pub headers: HeaderMap,
    /// Further members of the document.
    members: Map<String, Value>,
}

impl Problem {
    /// A problem without further header fields and members, except for the `Retry-After` of its code.
    #[must_use]
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        let retry_after = code.retry_after();
        Self { code, detail: detail.into(), retry_after, headers: HeaderMap::new(), members: Map::new() }
    }

    /// The instance is shutting down and accepts no new calls.
    #[must_use]
    pub fn draining() -> Self {
        let detail = "this instance is shutting down; repeat the request and another one will take it";
        Self::new(ErrorCode::Draining, detail).closing()
    }

    /// The method is none of `allowed`, a list with commas between its members.
    #[must_use]
    pub fn method_not_allowed(detail: impl Into<String>, allowed: &str) -> Self {
        let problem = Self::new(ErrorCode::MethodNotAllowed, detail);
        HeaderValue::from_str(allowed).into_iter().fold(problem, |problem, value| problem.header(header::ALLOW, value))
    }

    /// The body is refused before all of it has been read, so that the connection ends with the response.
    #[must_use]
    pub fn bad_body(error: input::InputError) -> Self {
        let detail = error.to_string();
        let code = ErrorCode::of_outcome(&Outcome::Refused(error)).unwrap_or(ErrorCode::BadInput);
        Self::new(code, detail).closing()
    }

    /// Ends the connection with the response.
    #[must_use]
    pub fn closing(self) -> Self {
        if self.headers.contains_key(header::CONNECTION) {
            return self;
        }
        self.header(header::CONNECTION, HeaderValue::from_static("close"))
    }

    /// Sets `Retry-After` to another duration than that of the code.
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

    /// Returns the document, in one line.
    #[must_use]
    pub fn to_json(&self) -> Bytes {
        let mut document = Map::new();
        document.insert("type".to_owned(), format!("urn:bandog:error:{}", self.code.as_str()).into());
        document.insert("title".to_owned(), self.code.title().into());
        document.insert("status".to_owned(), self.code.status().as_u16().into());
        document.insert("detail".to_owned(), self.detail.as_str().into());
        for (name, value) in &self.members {
            document.insert(name.clone(), value.clone());
        }
        Value::Object(document).to_string().into()
    }

    /// Returns the head and the body of the response.
    #[must_use]
    pub fn into_parts(self) -> (Head, Bytes) {
        let body = self.to_json();
        let mut head = Head { status: self.code.status(), headers: self.headers, length: Some(body.len() as u64) };
        head.set(header::CONTENT_TYPE, "application/problem+json");
        head.set(X_BANDOG_ERROR, self.code.as_str());
        if let Some(after) = self.retry_after {
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            head.set(header::RETRY_AFTER, seconds.max(1).to_string());
        }
        (head, body)
    }

    /// Returns the problem for an outcome other than [`Outcome::Done`].
    #[must_use]
    pub fn of_outcome(outcome: &Outcome, call: &CallFacts<'_>) -> Self {
        let code = ErrorCode::of_outcome(outcome).unwrap_or(ErrorCode::Internal);
        let mut problem = Self::new(code, detail(outcome)).call_id(call.call_id);
        if let Outcome::Refused(input::InputError::Arguments(flaws)) = outcome {
            problem = problem.member("errors", flaws.to_json());
        }
        if let Outcome::Refused(input::InputError::Storage(StorageError {
            kind: StorageErrorKind::Busy(pause), ..
        })) = outcome
        {
            problem = problem.retry_after(*pause);
        }
        // bandog is shutting down, or does not read the rest of the body.
        if matches!(code, ErrorCode::ShuttingDown | ErrorCode::BodyTimeout | ErrorCode::BodyTooLarge) {
            problem = problem.closing();
        }
        match outcome.report() {
            Some(report) => problem.with_report(report),
            None => problem,
        }
    }

    /// Adds the facts about a run.
    fn with_report(mut self, report: &Report) -> Self {
        self = match report.exit {
            Some(Exit::Code(code)) => self.member("exit_code", code),
            Some(Exit::Signal(signal)) => self.member("signal", signal).member("signal_name", signal_name(signal)),
            None => self,
        };
        // A number with the decimals of `X-Duration-Seconds`.
        let seconds = Seconds(report.duration).to_string().parse::<f64>().unwrap_or_default();
        self = self.member("duration_seconds", seconds);
        if let Some(stored) = report.stored() {
            for (name, list) in [("stored", &stored.stored), ("failed", &stored.failed), ("skipped", &stored.skipped)] {
                self = self.member(name, list.as_slice());
            }
        }
        if let Some(attempts) = &report.attempts {
            let traceback = String::from_utf8_lossy(&attempts.traceback).into_owned();
            if let Some(status) = attempts.status {
                self = self.member("upstream_status", status);
            }
            return self.member("attempts", attempts.count).member("traceback", traceback);
        }
        match report.logs.tail(TAIL_LIMIT) {
            Ok(logs) => self.member("logs", logs),
            Err(error) => self.member("logs", format!("[bandog: the captured logs cannot be read: {error}]")),
        }
    }
}

/// The reason of an outcome other than [`Outcome::Done`].
fn detail(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done { report, .. } => report.stored().map_or_else(|| "the function is done".to_owned(), not_stored),
        Outcome::Passed => "the function is done".to_owned(),
        Outcome::Settled(event) => event.failure().map_or_else(|| "the event is settled".to_owned(), detail),
        Outcome::Failed { failure, .. } => failure.to_string(),
        Outcome::TimedOut { limit, .. } => {
            let limit = quantity::duration_text(*limit);
            format!("the function ran longer than {limit} and was terminated; --exec-timeout sets the limit")
        }
        Outcome::Cancelled { cause: Cause::ClientGone, .. } => "the client went away".to_owned(),
        Outcome::Cancelled { cause: Cause::Shutdown, .. } => {
            "bandog was told to stop and the function did not end in time; send the request again".to_owned()
        }
        Outcome::Refused(error) => error.to_string(),
    }
}

/// The transfers that failed, in words.
fn not_stored(stored: &Stored) -> String {
    let counts = stored.counts;
    let kept = match &stored.kept {
        Some(path) => format!("; the files are kept in {}", path.display()),
        None => "; the response contains the output".to_owned(),
    };
    let first = stored.failed.first().map(String::as_str).unwrap_or_default();
    format!(
        "{} of {} outputs could not be stored, the first of them {first}{kept}",
        counts.failed,
        counts.failed + counts.stored
    )
}

/// Returns the problem as text for a terminal. `with_logs` adds the end of the captured logs, if they were not shown.
#[must_use]
pub fn explain(outcome: &Outcome, call: &CallFacts<'_>, with_logs: bool) -> String {
    if let Outcome::Refused(input::InputError::Arguments(flaws)) = outcome {
        let listed = flaws.listed().iter().map(|flaw| format!("\n  {flaw}"));
        let more = flaws.count() - flaws.listed().len();
        let more = if more > 0 { format!("\n  and {more} more") } else { String::new() };
        return listed.fold("the arguments are wrong:".to_owned(), |text, flaw| text + &flaw) + &more;
    }
    let problem = Problem::of_outcome(outcome, call);
    let traceback =
        if problem.members.contains_key("upstream_status") { "its server responded" } else { "it wrote to stderr" };
    let quoted = [("logs", "its logs end with"), ("traceback", traceback)].into_iter().find_map(|(name, word)| {
        let text = problem.members.get(name).and_then(Value::as_str)?;
        Some((word, text.trim_end())).filter(|(_, text)| with_logs && !text.is_empty())
    });
    match quoted {
        Some((word, text)) => format!("{}; {word}:\n{text}", problem.detail),
        None => problem.detail,
    }
}

#[cfg(test)]
mod tests;
