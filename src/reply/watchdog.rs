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
    config::{Compat, Config, Habit, Mode, Original},
    invocation::{Cause, Failure, Outcome, Report},
    logs::Logs,
    output::{Kind, OutputFile},
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
    mode: Mode,
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
            mixes_logs: watchdog.combine_output == Some(true) && config.mode == Mode::Files,
            mode: config.mode,
            max_inflight: config.max_inflight,
        }))
    }

    /// For a run in the place of the supervisor whose old ways are wanted; else `None`.
    #[must_use]
    pub fn of_supervisor(config: &Config) -> Option<Arc<Self>> {
        let wants = |habit| config.supervisor.is_some() && config.compat.has(habit);
        (wants(Habit::Newline) || wants(Habit::Status200)).then(|| {
            Arc::new(Self {
                original: Original::Of,
                compat: config.compat,
                content_type: None,
                mixes_logs: false,
                mode: config.mode,
                max_inflight: config.max_inflight,
            })
        })
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
        // What the function of mode `http` does not answer has never had a text.
        let is_of_upstream = self.mode == Mode::Http
            && matches!(problem.slug, Slug::UpstreamFailed | Slug::NotReady | Slug::FunctionTimeout);
        let text = match problem.slug {
            Slug::MethodNotAllowed => String::new(),
            _ if is_of_upstream => String::new(),
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
        let was_500 =
            matches!(problem.slug, Slug::UpstreamFailed | Slug::NotReady) && self.compat.has(Habit::Status500);
        let (mut head, _) = problem.into_parts();
        head.headers.insert(header::CONTENT_TYPE, TEXT);
        if was_500 {
            head.status = StatusCode::INTERNAL_SERVER_ERROR;
        }
        if is_of_upstream {
            head.headers.insert(X_OPENFAAS_INTERNAL, HeaderValue::from_static("of-watchdog"));
        }
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
            Body::File(file, Form::Raw) if file.is_bare() => file.beginning(SNIFFED),
            _ => return,
        };
        if !has_own_type {
            let media_type = self.media_type(&beginning);
            reply.head.headers.insert(header::CONTENT_TYPE, media_type);
        }
        let before = report.logs.own_lines().filter(|_| self.style.mixes_logs && !matches!(reply.body, Body::Logs(_)));
        let before = before.map(Bytes::copy_from_slice).unwrap_or_default();
        let after = self.after();
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
        let detail = problem.detail.clone();
        let mode = self.style.mode;
        match outcome {
            Outcome::Failed { report, failure } => match failure {
                Failure::Exit(_)
                | Failure::Signal { .. }
                | Failure::OutOfMemory { .. }
                | Failure::CpuTime { .. }
                | Failure::Refused
                | Failure::Unavailable { .. }
                | Failure::FileTooLarge { .. } => {
                    // Where standard output is kept, the watchdogs themselves told failures by their status.
                    let looks_well = compat.has(Habit::Status200) && mode != Mode::Stdio;
                    let told = Told::of(report, mode);
                    if looks_well {
                        return self.looking_well(problem, told);
                    }
                    self.worded(problem, None, &report.exit.map_or(detail, exit_text), told)
                }
                Failure::Spawn(_)
                | Failure::OutputTooLarge { .. }
                | Failure::Result(_)
                | Failure::Confine(_)
                | Failure::Workspace(_)
                | Failure::Output(_)
                | Failure::Supervise(_)
                | Failure::Unanswered(_) => self.worded(problem, None, &detail, Told::of(report, mode)),
            },
            Outcome::TimedOut { .. } => {
                let as_before = match self.style.original {
                    Original::Of if mode != Mode::Files => StatusCode::INTERNAL_SERVER_ERROR,
                    Original::Of | Original::Classic => StatusCode::REQUEST_TIMEOUT,
                };
                let status = compat.has(Habit::Status408).then_some(as_before);
                self.worded(
                    problem,
                    status,
                    if self.speaks_tersely() { "signal: killed" } else { "Killed process." },
                    None,
                )
            }
            Outcome::Refused(_)
                if compat.has(Habit::Status500) && mode == Mode::Files && problem.slug.status().is_client_error() =>
            {
                let status = Some(StatusCode::INTERNAL_SERVER_ERROR);
                self.worded(problem, status, &format!("exit status 1\n{detail}"), None)
            }
            Outcome::Refused(_)
            | Outcome::Cancelled { cause: Cause::ClientGone | Cause::Shutdown, .. }
            | Outcome::Done { .. }
            | Outcome::Passed => self.worded(problem, None, &detail, None),
        }
    }

    /// Whether a failure is told as of-watchdog does: in its type, without a line break, and with nothing behind it.
    fn speaks_tersely(&self) -> bool {
        self.style.original == Original::Of && self.style.mode != Mode::Files
    }

    /// Headers of the problem, and a line of text with what the function wrote behind it.
    fn worded<'a>(
        &self,
        problem: Problem,
        status: Option<StatusCode>,
        line: &str,
        told: Option<Told<'a>>,
    ) -> Reply<'a> {
        let (mut head, _) = problem.into_parts();
        head.status = status.unwrap_or(head.status);
        if self.speaks_tersely() {
            head.headers.insert(header::CONTENT_TYPE, self.media_type(line.as_bytes()));
            head.length = Some(line.len() as u64);
            return Reply { head, body: Body::Bytes(Bytes::copy_from_slice(line.as_bytes())) };
        }
        let line = format!("{line}\n");
        let mut start = line.clone().into_bytes();
        start.extend(told.iter().flat_map(Told::beginning));
        start.truncate(SNIFFED);
        head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(sniffed(&start)));
        head.length = Some(line.len() as u64 + told.as_ref().map_or(0, Told::len));
        let body = [Body::Bytes(line.into())].into_iter().chain(told.map(Told::into_body)).collect();
        Reply { head, body: Body::Joined(body) }
    }

    /// A failure as the supervisor passed it on, and of-watchdog while it streamed: with 200, and what there was.
    fn looking_well<'a>(&self, problem: Problem, told: Option<Told<'a>>) -> Reply<'a> {
        let (mut head, _) = problem.into_parts();
        head.status = StatusCode::OK;
        head.headers.remove(X_BANDOG_ERROR);
        head.headers.insert(header::CONTENT_TYPE, self.media_type(&told.as_ref().map_or(Vec::new(), Told::beginning)));
        head.set(X_OUTPUT_KIND, Kind::Logs.name());
        let after = Bytes::from_static(self.after());
        head.length = Some(told.as_ref().map_or(0, Told::len) + after.len() as u64);
        let body = told.map(Told::into_body).into_iter().chain([Body::Bytes(after)]).collect();
        Reply { head, body: Body::Joined(body) }
    }

    /// What follows a result.
    fn after(&self) -> &'static [u8] {
        let is_wanted = self.style.compat.has(Habit::Newline) && self.style.mode == Mode::Files;
        if is_wanted { b"\n" } else { b"" }
    }
}

/// What the caller of a function that failed gets to see of it.
enum Told<'a> {
    /// The captured logs.
    Logs(&'a Logs),
    /// What it wrote to standard output.
    Stdout(&'a OutputFile),
}

impl<'a> Told<'a> {
    fn of(report: &'a Report, mode: Mode) -> Option<Self> {
        match mode {
            Mode::Files => Some(Self::Logs(&report.logs)),
            Mode::Stdio | Mode::Streaming | Mode::Http | Mode::Static => {
                report.failed_output.as_ref().map(Self::Stdout)
            }
        }
    }

    fn len(&self) -> u64 {
        match self {
            Self::Logs(logs) => logs.len(),
            Self::Stdout(file) => file.size(),
        }
    }

    fn beginning(&self) -> Vec<u8> {
        match self {
            Self::Logs(logs) => beginning(logs),
            Self::Stdout(file) => file.beginning(SNIFFED),
        }
    }

    fn into_body(self) -> Body<'a> {
        match self {
            Self::Logs(logs) => Body::Logs(logs),
            Self::Stdout(file) => Body::File(file, Form::Raw),
        }
    }
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
