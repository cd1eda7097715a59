//! Answers as OpenFaaS' watchdogs word them, under the name `fwatchdog`: plain text in the place of problems, and their
//! rule for the `Content-Type`. What an outcome is answered with is decided in one total `match` here too.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};

use super::{
    Body, CallFacts, Form, Head, Problem, Reply, Slug, X_BANDOG_ERROR, X_OUTPUT_KIND, head::TEXT, problem,
    sniff::sniffed,
};
use crate::{
    config::{Compat, Config, Habit, Original},
    invocation::{Cause, Failure, Outcome, Report},
    logs::Logs,
    output::Kind,
    process::Exit,
};

/// What the middleware of the watchdogs sets on its own answers.
const X_OPENFAAS_INTERNAL: HeaderName = HeaderName::from_static("x-openfaas-internal");

/// Go's names of the signals from 1 on, on Linux; it has none for the others.
const SIGNALS: [&str; 15] = [
    "hangup",
    "interrupt",
    "quit",
    "illegal instruction",
    "trace/breakpoint trap",
    "aborted",
    "bus error",
    "floating point exception",
    "killed",
    "user defined signal 1",
    "segmentation fault",
    "user defined signal 2",
    "broken pipe",
    "alarm clock",
    "terminated",
];

/// Bytes that a type is guessed from, as by Go.
const SNIFFED: usize = 512;

/// The words of the program that bandog stands in for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Style {
    original: Original,
    compat: Compat,
    /// `content_type`.
    content_type: Option<HeaderValue>,
    /// `combine_output=true`: bandog's lines about the run go before the result.
    mixes_logs: bool,
    max_inflight: usize,
}

/// The style, and what it makes of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manner {
    style: Arc<Style>,
    /// The request's `Content-Type`, which the answer has as well unless something else is said.
    request_type: Option<HeaderValue>,
}

impl Style {
    /// `None` if bandog stands in for nobody.
    #[must_use]
    pub fn of(config: &Config) -> Option<Arc<Self>> {
        let watchdog = config.watchdog.as_ref()?;
        let content_type = watchdog.content_type.as_deref().and_then(|value| HeaderValue::from_str(value).ok());
        Some(Arc::new(Self {
            original: watchdog.original,
            compat: config.compat,
            content_type,
            mixes_logs: watchdog.combine_output == Some(true),
            max_inflight: config.max_inflight,
        }))
    }

    /// For a request with these header fields.
    #[must_use]
    pub fn manner(self: &Arc<Self>, headers: &http::HeaderMap) -> Manner {
        // classic-watchdog alone gives back the type it was given.
        let request_type = headers.get(header::CONTENT_TYPE).filter(|_| self.original == Original::Classic);
        Manner { style: Arc::clone(self), request_type: request_type.cloned() }
    }

    /// Whether `Accept` is looked at.
    #[must_use]
    pub fn reads_accept(&self) -> bool {
        !self.compat.has(Habit::Accept)
    }

    /// A failure that no function had a part in.
    #[must_use]
    pub fn page(&self, problem: Problem) -> (Head, Bytes) {
        let text = match problem.slug {
            Slug::MethodNotAllowed => String::new(),
            Slug::NotFound => "404 page not found\n".to_owned(),
            Slug::TooManyRequests => {
                format!("Concurrent request limit exceeded. Max concurrent requests: {}\n", self.max_inflight)
            }
            Slug::HeadersTooLarge => "431 Request Header Fields Too Large".to_owned(),
            Slug::BadRequest => format!("400 Bad Request: {}", problem.detail),
            _ => format!("{}\n", problem.detail),
        };
        let is_limit = problem.slug == Slug::TooManyRequests;
        let is_denied = matches!(problem.slug, Slug::Unauthorized | Slug::Forbidden);
        let (mut head, _) = problem.into_parts();
        head.headers.insert(header::CONTENT_TYPE, TEXT);
        if is_limit {
            head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        }
        if is_denied {
            head.headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        }
        if is_limit || is_denied {
            head.headers.insert(X_OPENFAAS_INTERNAL, HeaderValue::from_static("faas-middleware"));
        }
        head.length = Some(text.len() as u64);
        (head, text.into())
    }
}

impl Manner {
    /// The type of an answer whose body begins so.
    fn media_type(&self, beginning: &[u8]) -> HeaderValue {
        let said = self.style.content_type.as_ref().or(self.request_type.as_ref());
        said.cloned().unwrap_or_else(|| HeaderValue::from_static(sniffed(beginning)))
    }

    /// Gives the answer of a function that succeeded its type, unless caller or function have chosen one, and what
    /// goes before and after it.
    pub(super) fn dress(&self, reply: &mut Reply<'_>, report: &Report, has_own_type: bool) {
        let beginning = match &reply.body {
            Body::Logs(logs) => beginning(logs),
            Body::File(_, Form::Base64) | Body::Zip(_, Form::Base64) => Vec::new(),
            _ => return,
        };
        if !has_own_type {
            let media_type = self.media_type(&beginning);
            reply.head.headers.insert(header::CONTENT_TYPE, media_type);
        }
        let before = report.logs.own_lines().filter(|_| self.style.mixes_logs && !matches!(reply.body, Body::Logs(_)));
        let before = before.map(Bytes::copy_from_slice).unwrap_or_default();
        let after = if self.style.compat.has(Habit::Newline) { &b"\n"[..] } else { &[] };
        if before.is_empty() && after.is_empty() {
            return;
        }
        if !before.is_empty() {
            // It is no base64 any more.
            reply.head.headers.remove(super::CONTENT_TRANSFER_ENCODING);
        }
        reply.head.length = reply.head.length.map(|length| length + (before.len() + after.len()) as u64);
        let body = std::mem::replace(&mut reply.body, Body::Empty);
        reply.body = Body::Joined(vec![Body::Bytes(before), body, Body::Bytes(Bytes::from_static(after))]);
    }

    /// The answer to an invocation that did not succeed.
    pub(super) fn failure<'a>(&self, outcome: &'a Outcome, call: &CallFacts<'_>) -> Reply<'a> {
        let compat = self.style.compat;
        let problem = problem::of(outcome, call);
        let detail = format!("{}\n", problem.detail);
        match outcome {
            Outcome::Failed { report, failure } => match failure {
                Failure::Exit(_)
                | Failure::Signal { .. }
                | Failure::OutOfMemory { .. }
                | Failure::CpuTime { .. }
                | Failure::FileTooLarge { .. } => {
                    if compat.has(Habit::Status200) {
                        return self.looks_well(problem, report);
                    }
                    let line = report.exit.map_or(detail, |exit| format!("{}\n", exit_text(exit)));
                    worded(problem, None, line, Some(&report.logs))
                }
                Failure::Spawn(_)
                | Failure::OutputTooLarge { .. }
                | Failure::Confine(_)
                | Failure::Workspace(_)
                | Failure::Output(_)
                | Failure::Supervise(_)
                | Failure::Unanswered(_) => worded(problem, None, detail, Some(&report.logs)),
            },
            Outcome::TimedOut { .. } => {
                let status = compat.has(Habit::Status408).then_some(StatusCode::REQUEST_TIMEOUT);
                let mut reply = worded(problem, status, "Killed process.\n".to_owned(), None);
                reply.head.headers.insert(header::CONTENT_TYPE, TEXT);
                reply
            }
            Outcome::Refused(_) if compat.has(Habit::Status500) && problem.slug.status().is_client_error() => {
                let status = Some(StatusCode::INTERNAL_SERVER_ERROR);
                worded(problem, status, format!("exit status 1\n{detail}"), None)
            }
            Outcome::Refused(_)
            | Outcome::Cancelled { cause: Cause::ClientGone | Cause::Shutdown, .. }
            | Outcome::Done { .. }
            | Outcome::Passed => worded(problem, None, detail, None),
        }
    }

    /// A failure as the supervisor passed it on: with 200, and what the function wrote.
    fn looks_well<'a>(&self, problem: Problem, report: &'a Report) -> Reply<'a> {
        let (mut head, _) = problem.into_parts();
        head.status = StatusCode::OK;
        head.headers.remove(X_BANDOG_ERROR);
        head.set(X_OUTPUT_KIND, Kind::Logs.name());
        head.length = Some(report.logs.len());
        let mut reply = Reply { head, body: Body::Logs(&report.logs) };
        self.dress(&mut reply, report, false);
        reply
    }
}

/// Headers of the problem, and a line of text with what the function wrote behind it.
fn worded(problem: Problem, status: Option<StatusCode>, line: String, output: Option<&Logs>) -> Reply<'_> {
    let (mut head, _) = problem.into_parts();
    head.status = status.unwrap_or(head.status);
    let mut start = line.clone().into_bytes();
    start.extend(output.map(beginning).unwrap_or_default());
    start.truncate(SNIFFED);
    head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(sniffed(&start)));
    head.length = Some(line.len() as u64 + output.map_or(0, Logs::len));
    let body = [Body::Bytes(line.into())].into_iter().chain(output.map(Body::Logs)).collect();
    Reply { head, body: Body::Joined(body) }
}

/// How Go names the end of a process (`os.ProcessState`).
fn exit_text(exit: Exit) -> String {
    let signal = match exit {
        Exit::Code(code) => return format!("exit status {code}"),
        Exit::Signal(signal) => signal,
    };
    let name = usize::try_from(signal - 1).ok().and_then(|index| SIGNALS.get(index));
    name.map_or_else(|| format!("signal: signal {signal}"), |name| format!("signal: {name}"))
}

/// The first bytes of logs; none if they cannot be read, which the body will tell.
fn beginning(logs: &Logs) -> Vec<u8> {
    let mut bytes = vec![0; SNIFFED];
    let read = logs.read_at(0, &mut bytes).unwrap_or(0);
    bytes.truncate(read);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_named_as_go_names_them() {
        assert_eq!(exit_text(Exit::Code(3)), "exit status 3");
        assert_eq!(exit_text(Exit::Signal(9)), "signal: killed");
        assert_eq!(exit_text(Exit::Signal(11)), "signal: segmentation fault");
        assert_eq!(exit_text(Exit::Signal(15)), "signal: terminated");
        assert_eq!(exit_text(Exit::Signal(24)), "signal: signal 24");
    }
}
