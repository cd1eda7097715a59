//! Responses in the words of OpenFaaS' watchdogs: plain text in place of problem documents, and their rules for
//! `Content-Type`. One total `match` decides the response to every outcome.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};

use super::{WatchdogKind, media_type::guessed};
use crate::{
    invocation::{Cause, Failure, Outcome, Report},
    output::{OutputKind, ResponseHeaders},
    platform::{Compat, LegacyBehaviour},
    process::Exit,
    reply::{AnswerStyle, CallFacts, ErrorCode, FailureOutput, Head, Problem, Reply, X_BANDOG_ERROR, X_OUTPUT_KIND},
};

/// Set by the watchdogs' middleware on its own responses.
const X_OPENFAAS_INTERNAL: HeaderName = HeaderName::from_static("x-openfaas-internal");

/// The type of an error page.
const PAGE_TYPE: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

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

/// Bytes that a media type is guessed from, as in Go.
const SAMPLE: usize = 512;

/// The wording of the program that bandog replaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wording {
    /// The program.
    pub replaces: WatchdogKind,
    /// Where responses come from.
    pub source: ResponseSource,
    /// The type of every response: `content_type`.
    pub content_type: Option<HeaderValue>,
    /// Whether bandog's own log lines are sent before the result: `combine_output=true`.
    pub sends_own_lines: bool,
    /// The limit that a 429 response quotes.
    pub max_inflight: usize,
    /// The old behaviour that is switched on.
    pub compat: Compat,
}

/// Where responses come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseSource {
    /// The function's output files, or else its logs.
    OutputFiles,
    /// The function's standard output, after it has ended.
    Stdout,
    /// The function's standard output, while it runs.
    LiveStdout,
    /// A function that serves HTTP.
    Upstream,
    /// The files of a directory.
    StaticFiles,
}

impl AnswerStyle for Wording {
    fn reads_accept(&self) -> bool {
        !self.has(LegacyBehaviour::Accept)
    }

    fn shows_times(&self) -> bool {
        false
    }

    fn page(&self, problem: Problem) -> (Head, Bytes) {
        // of-watchdog sends no text when the function of mode `http` does not respond.
        let is_of_upstream = self.source == ResponseSource::Upstream
            && matches!(problem.code, ErrorCode::UpstreamFailed | ErrorCode::NotReady | ErrorCode::FunctionTimeout);
        let text = match problem.code {
            ErrorCode::MethodNotAllowed => String::new(),
            _ if is_of_upstream => String::new(),
            ErrorCode::NotFound => "404 page not found\n".to_owned(),
            ErrorCode::TooManyRequests => {
                format!("Concurrent request limit exceeded. Max concurrent requests: {}\n", self.max_inflight)
            }
            ErrorCode::HeadersTooLarge => "431 Request Header Fields Too Large".to_owned(),
            ErrorCode::BadRequest => format!("400 Bad Request: {}", problem.detail),
            _ => format!("{}\n", problem.detail),
        };
        let is_limit = problem.code == ErrorCode::TooManyRequests;
        let is_denied = matches!(problem.code, ErrorCode::Unauthorized | ErrorCode::Forbidden);
        let was_500 = matches!(problem.code, ErrorCode::UpstreamFailed | ErrorCode::NotReady)
            && self.has(LegacyBehaviour::Status500);
        let (mut head, _) = problem.into_parts();
        head.headers.insert(header::CONTENT_TYPE, PAGE_TYPE);
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

    /// Sets the type, unless caller or function have chosen one, and adds the text before and after the result.
    fn success(
        &self,
        reply: &mut Reply<'_>,
        report: &Report,
        response_headers: &ResponseHeaders,
        request_type: Option<&HeaderValue>,
    ) {
        let Some(sample) = reply.sample(SAMPLE) else { return };
        if response_headers.field("content-type").is_none() {
            let media_type = self.media_type(&sample, request_type);
            reply.head_mut().headers.insert(header::CONTENT_TYPE, media_type);
        }
        let own_lines = report.logs.own_lines().filter(|_| self.sends_own_lines && !reply.is_logs());
        reply.surround(own_lines.map(Bytes::copy_from_slice).unwrap_or_default(), self.ending());
    }

    fn failure<'a>(&self, outcome: &'a Outcome, call: &CallFacts<'_>, request_type: Option<&HeaderValue>) -> Reply<'a> {
        let problem = Problem::of_outcome(outcome, call);
        let detail = problem.detail.clone();
        match outcome {
            Outcome::Failed { report, failure } => {
                let output = self.failure_output(report);
                match failure {
                    Failure::Exit(_)
                    | Failure::Signal { .. }
                    | Failure::OutOfMemory { .. }
                    | Failure::CpuTime { .. }
                    | Failure::ActionFailed
                    | Failure::ActionUnavailable { .. }
                    | Failure::FileTooLarge { .. } => {
                        // Where standard output is buffered, the watchdogs reported failures by their status.
                        if self.has(LegacyBehaviour::Status200) && self.source != ResponseSource::Stdout {
                            return self.as_success(problem, output, request_type);
                        }
                        self.text(problem, &report.exit.map_or(detail, exit_text), output, request_type)
                    }
                    Failure::Spawn(_)
                    | Failure::OutputTooLarge { .. }
                    | Failure::InvalidResult(_)
                    | Failure::Confine(_)
                    | Failure::Workspace(_)
                    | Failure::Output(_)
                    | Failure::Supervise(_)
                    | Failure::NoThread(_)
                    | Failure::Upstream(_) => self.text(problem, &detail, output, request_type),
                }
            }
            Outcome::TimedOut { .. } => {
                let line = if self.is_terse() { "signal: killed" } else { "Killed process." };
                let mut reply = self.text(problem, line, None, request_type);
                if self.has(LegacyBehaviour::Status408) {
                    reply.head_mut().status = match self.replaces {
                        WatchdogKind::Of if self.is_terse() => StatusCode::INTERNAL_SERVER_ERROR,
                        WatchdogKind::Of | WatchdogKind::Classic => StatusCode::REQUEST_TIMEOUT,
                    };
                }
                reply
            }
            Outcome::Refused(_)
                if self.has(LegacyBehaviour::Status500)
                    && self.source == ResponseSource::OutputFiles
                    && problem.code.status().is_client_error() =>
            {
                let mut reply = self.text(problem, &format!("exit status 1\n{detail}"), None, request_type);
                reply.head_mut().status = StatusCode::INTERNAL_SERVER_ERROR;
                reply
            }
            Outcome::Refused(_)
            | Outcome::Cancelled { cause: Cause::ClientGone | Cause::Shutdown, .. }
            | Outcome::Done { .. }
            | Outcome::Settled(_)
            | Outcome::Passed => self.text(problem, &detail, None, request_type),
        }
    }
}

impl Wording {
    fn has(&self, behaviour: LegacyBehaviour) -> bool {
        self.compat.has(behaviour)
    }

    /// The type of a response whose body begins with these bytes.
    fn media_type(&self, sample: &[u8], request_type: Option<&HeaderValue>) -> HeaderValue {
        // Only classic-watchdog returns the type of the request.
        let request_type = request_type.filter(|_| self.replaces == WatchdogKind::Classic);
        let chosen = self.content_type.as_ref().or(request_type);
        chosen.cloned().unwrap_or_else(|| HeaderValue::from_static(guessed(sample)))
    }

    /// Whether a failure is one line without a line break, and nothing else: of-watchdog's own modes.
    fn is_terse(&self) -> bool {
        self.replaces == WatchdogKind::Of && self.source != ResponseSource::OutputFiles
    }

    /// The output of a failed function that its caller gets to see.
    fn failure_output<'a>(&self, report: &'a Report) -> Option<FailureOutput<'a>> {
        match self.source {
            ResponseSource::OutputFiles => Some(FailureOutput::Logs(&report.logs)),
            ResponseSource::Stdout
            | ResponseSource::LiveStdout
            | ResponseSource::Upstream
            | ResponseSource::StaticFiles => report.failed_output.as_ref().map(FailureOutput::Stdout),
        }
    }

    /// Status and headers of the problem, and as body a line of text and the output of the function.
    fn text<'a>(
        &self,
        problem: Problem,
        line: &str,
        output: Option<FailureOutput<'a>>,
        request_type: Option<&HeaderValue>,
    ) -> Reply<'a> {
        let (mut head, _) = problem.into_parts();
        if self.is_terse() {
            head.headers.insert(header::CONTENT_TYPE, self.media_type(line.as_bytes(), request_type));
            return Reply::of_text(head, Bytes::copy_from_slice(line.as_bytes()), None, Bytes::new());
        }
        let line = format!("{line}\n");
        let mut sample = line.clone().into_bytes();
        sample.extend(output.iter().flat_map(|output| output.start(SAMPLE)));
        sample.truncate(SAMPLE);
        head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(guessed(&sample)));
        Reply::of_text(head, line.into(), output, Bytes::new())
    }

    /// A failure as OSCAR's supervisor passed it on, and as of-watchdog did while it streamed: status 200, and the
    /// output of the function.
    fn as_success<'a>(
        &self,
        problem: Problem,
        output: Option<FailureOutput<'a>>,
        request_type: Option<&HeaderValue>,
    ) -> Reply<'a> {
        let (mut head, _) = problem.into_parts();
        head.status = StatusCode::OK;
        head.headers.remove(X_BANDOG_ERROR);
        let sample = output.map(|output| output.start(SAMPLE)).unwrap_or_default();
        head.headers.insert(header::CONTENT_TYPE, self.media_type(&sample, request_type));
        head.headers.insert(X_OUTPUT_KIND, HeaderValue::from_static(OutputKind::Logs.name()));
        Reply::of_text(head, Bytes::new(), output, self.ending())
    }

    /// The bytes after a result.
    fn ending(&self) -> Bytes {
        let is_wanted = self.has(LegacyBehaviour::Newline) && self.source == ResponseSource::OutputFiles;
        Bytes::from_static(if is_wanted { b"\n" } else { b"" })
    }
}

/// The words in which Go reports the end of a process (`os.ProcessState`).
fn exit_text(exit: Exit) -> String {
    let signal = match exit {
        Exit::Code(code) => return format!("exit status {code}"),
        Exit::Signal(signal) => signal,
    };
    let name = usize::try_from(signal - 1).ok().and_then(|index| SIGNALS.get(index));
    name.map_or_else(|| format!("signal: signal {signal}"), |name| format!("signal: {name}"))
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
