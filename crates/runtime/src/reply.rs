//! [`Outcome`] → status, header fields and a streamed body; and the exit code of `bandog run`.
//!
//! `serve` and `run` both answer through here, so that the body is the same byte for byte. What an answer looks like
//! is decided before its first byte: [`answer`] gives the [`Head`], and [`Reply::write_to`] streams what it promised
//! or fails, so that a short answer never looks whole.
//!
//! | function exited with 0 and left | sent | if `Accept` or the function's own `Content-Type` says so |
//! |---|---|---|
//! | one file | its base64 | the file as it is |
//! | several files | the base64 of a zip | the zip as it is |
//! | none | the captured logs | – |
//! | standard output (modes `stdio` and `streaming`) | that as it is, or with `--encode` as one file | as one file |
//! | any of these, but the last as it is | | the JSON [`json::Document`], or the [`events::Events`] of the run |
//!
//! Everything else is a [`problem::Problem`], which an [`AnswerStyle`] may word differently.

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};

use crate::{
    input,
    invocation::{Cause, Failure, Outcome, Report},
    logs::Logs,
    output::{
        BodySink, Disconnected, FileTree, Output, OutputFile, OutputKind, ResponseHeaders,
        base64::{Base64Encoder, encoded_len},
        buffer::{ChunkBuf, ChunkWriter},
        portable,
    },
    process::Exit,
};

pub mod accept;
mod code;
mod deliver;
pub mod events;
pub mod head;
pub mod json;
pub mod live;
pub mod problem;
mod style;
pub mod text;
mod trailers;

pub use self::{
    accept::Accept,
    code::ErrorCode,
    deliver::{Delivered, Port, deliver},
    events::Events,
    head::{
        CONTENT_TRANSFER_ENCODING, Head, X_BANDOG_ERROR, X_CALL_ID, X_DURATION_SECONDS, X_EXIT_CODE, X_OUTPUT_KIND,
        X_OUTPUT_NAME, disposition,
    },
    live::Live,
    problem::{Problem, Slug},
    style::{AnswerStyle, FailureOutput, ProblemJson},
    trailers::{Trailers, X_BANDOG_TRAILERS},
};
pub use crate::output::TransferError;

pub use self::head::Seconds;
use self::head::{TEXT, encoded_path, own_fields, report_fields, status};

/// What is known of a call beside its outcome.
#[derive(Debug, Clone, Copy)]
pub struct CallFacts<'a> {
    /// Its id.
    pub call_id: &'a str,
    /// The name of the service, which names the zip.
    pub service: Option<&'a str>,
}

/// An answer: its head, and the body still to be sent.
#[derive(Debug)]
pub struct Reply<'a> {
    head: Head,
    body: Body<'a>,
}

#[derive(Debug)]
enum Body<'a> {
    Empty,
    Bytes(Bytes),
    File(&'a OutputFile, Form),
    Zip(&'a FileTree, Form),
    Logs(&'a Logs),
    Json(json::Document<'a>),
    Events(&'a Outcome, CallFacts<'a>),
    /// One after the other.
    Joined(Vec<Body<'a>>),
}

/// How a file or zip leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Raw,
    Base64,
}

/// The answer to an invocation.
#[must_use]
pub fn answer<'a>(outcome: &'a Outcome, call: &CallFacts<'a>, accept: &Accept) -> Reply<'a> {
    match outcome {
        Outcome::Done { report, output, response_headers } => {
            let mut reply = done(outcome, report, output, response_headers, call, accept);
            reply.head.set(X_CALL_ID, call.call_id);
            report_fields(&mut reply.head, report);
            reply.head.set(X_OUTPUT_KIND, output.kind().name());
            if let (Output::File(file), OutputKind::File) = (output, output.kind()) {
                reply.head.set(X_OUTPUT_NAME, encoded_path(path_bytes(file)));
            }
            if let Some(style) = accept.style() {
                style.success(&mut reply, report, response_headers);
            }
            // The head of the live stream is sent before the function can ask for anything.
            if !matches!(reply.body, Body::Events(..)) && own_fields(&mut reply.head, response_headers) {
                reply.head.length = Some(0);
                reply.body = Body::Empty;
            }
            reply
        }
        Outcome::Failed { .. } | Outcome::TimedOut { .. } | Outcome::Cancelled { .. } | Outcome::Refused(_) => {
            let mut reply = match accept.style() {
                Some(style) => style.failure(outcome, call),
                None => problem::of(outcome, call).into_reply(),
            };
            if let Some(report) = outcome.report() {
                report_fields(&mut reply.head, report);
            }
            reply
        }
        // Its head and body have gone their own way.
        Outcome::Passed => Reply { head: Head::new(StatusCode::OK, Some(0)), body: Body::Empty },
    }
}

/// The answer to an exchange that did not succeed and had no process of its own.
#[must_use]
pub fn refusal(outcome: &Outcome, call: &CallFacts<'_>) -> Problem {
    let problem = problem::of(outcome, call);
    let seconds = outcome.report().map(|report| Seconds(report.duration).to_string());
    let seconds = seconds.and_then(|seconds| HeaderValue::from_str(&seconds).ok());
    seconds.into_iter().fold(problem, |problem, seconds| problem.header(X_DURATION_SECONDS, seconds))
}

fn done<'a>(
    outcome: &'a Outcome,
    report: &'a Report,
    output: &'a Output,
    response_headers: &ResponseHeaders,
    call: &CallFacts<'a>,
    accept: &Accept,
) -> Reply<'a> {
    let status = status(response_headers);
    let is_bare = matches!(output, Output::File(file) if file.is_bare());
    if accept.events() && !is_bare {
        return Reply { head: events::head(call), body: Body::Events(outcome, *call) };
    }
    // What the function says its answer is, it is: sent as such, whoever asks.
    let own_type = response_headers.field("content-type");
    let (form, kind) = match accept.choose(output) {
        _ if own_type.is_some() => (Form::Raw, None),
        accept::Choice::Json => {
            let document = json::Document::new(report, output, call.call_id);
            let mut head = Head::new(status, document.len());
            head.set(header::CONTENT_TYPE, "application/json");
            head.set(header::VARY, "Accept");
            return Reply { head, body: Body::Json(document) };
        }
        accept::Choice::Raw(kind) | accept::Choice::Bare(kind) => (Form::Raw, Some(kind)),
        accept::Choice::Default => (Form::Base64, None),
    };
    let encoded = |len| if form == Form::Base64 { encoded_len(len) } else { len };
    let (length, body) = match output {
        Output::None => (report.logs.len(), Body::Logs(&report.logs)),
        Output::File(file) => (encoded(file.size()), Body::File(file, form)),
        Output::Tree(tree) => (encoded(tree.zip_len()), Body::Zip(tree, form)),
        // Its body has gone already.
        Output::Streamed(_) => (0, Body::Empty),
    };
    let mut head = Head::new(status, Some(length));
    if !is_bare {
        head.set(header::VARY, "Accept");
    }
    match (&kind, output) {
        // An action that gives nothing.
        (Some(kind), Output::File(_)) if kind.is_empty() => {}
        (Some(kind), Output::File(_) | Output::Tree(_)) => {
            head.set(header::CONTENT_TYPE, kind);
            if !is_bare {
                head.set(header::CONTENT_DISPOSITION, disposition(&attachment_name(output, call)));
            }
        }
        (None, Output::File(_) | Output::Tree(_)) if form == Form::Base64 => {
            head.headers.insert(header::CONTENT_TYPE, TEXT);
            head.set(CONTENT_TRANSFER_ENCODING, "base64");
        }
        _ => {
            head.headers.insert(header::CONTENT_TYPE, TEXT);
        }
    }
    Reply { head, body }
}

fn path_bytes(file: &OutputFile) -> &[u8] {
    std::os::unix::ffi::OsStrExt::as_bytes(file.path().as_os_str())
}

fn attachment_name(output: &Output, call: &CallFacts<'_>) -> Vec<u8> {
    match output {
        Output::File(file) => {
            let path = path_bytes(file);
            portable(path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)).into_owned()
        }
        Output::Tree(_) | Output::None | Output::Streamed(_) => {
            format!("{}.zip", call.service.unwrap_or("output")).into_bytes()
        }
    }
}

impl Reply<'_> {
    /// What is sent before the body.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Streams the body. On an error the caller breaks the connection: the bytes already sent are not the answer.
    pub fn write_to(self, sink: &mut dyn BodySink) -> Result<(), TransferError> {
        let announced = self.head.length;
        let Some(sent) = self.body.write_to(announced, sink)? else { return Ok(()) };
        match announced {
            Some(announced) if announced != sent => Err(TransferError::Length { announced, sent }),
            _ => Ok(()),
        }
    }
}

impl Body<'_> {
    /// Streams it; `expected` is how many bytes it will have, if that is known. Returns how many there were, if they
    /// were counted.
    fn write_to(self, expected: Option<u64>, sink: &mut dyn BodySink) -> Result<Option<u64>, TransferError> {
        Ok(Some(match self {
            Body::Empty => 0,
            Body::Bytes(bytes) => send(bytes, sink)?,
            Body::File(file, form) => pour(sink, expected, form, &mut |into| file.write_to(into))?,
            Body::Zip(tree, form) => pour(sink, expected, form, &mut |into| tree.write_zip(into))?,
            Body::Logs(logs) => pour(sink, expected, Form::Raw, &mut |into| pour_logs(logs, into))?,
            Body::Json(document) => {
                let mut outlet = ChunkWriter::new(sink, document.expected_len());
                document.write(&mut outlet)?;
                outlet.finish()?
            }
            Body::Events(outcome, call) => {
                Events::new(sink).finish(outcome, &call)?;
                return Ok(None);
            }
            Body::Joined(parts) => {
                let mut sum = 0;
                for part in parts {
                    sum += part.write_to(None, sink)?.unwrap_or(0);
                }
                sum
            }
        }))
    }
}

fn send(bytes: Bytes, sink: &mut dyn BodySink) -> Result<u64, Disconnected> {
    let len = bytes.len() as u64;
    if len > 0 {
        sink.send(bytes)?;
    }
    Ok(len)
}

fn pour(
    sink: &mut dyn BodySink,
    announced: Option<u64>,
    form: Form,
    source: &mut dyn FnMut(&mut dyn ChunkBuf) -> Result<(), TransferError>,
) -> Result<u64, TransferError> {
    let expected = announced.unwrap_or(u64::MAX);
    let mut outlet = ChunkWriter::new(sink, expected);
    match form {
        Form::Raw => source(&mut outlet)?,
        Form::Base64 => {
            let mut encoder = Base64Encoder::new(&mut outlet, expected / 4 * 3);
            source(&mut encoder)?;
            encoder.finish()?;
        }
    }
    Ok(outlet.finish()?)
}

fn pour_logs(logs: &Logs, into: &mut dyn ChunkBuf) -> Result<(), TransferError> {
    let mut offset = 0;
    while offset < logs.len() {
        let buffer = into.room()?;
        let before = buffer.len();
        let room = (buffer.capacity() - before).min(usize::try_from(logs.len() - offset).unwrap_or(usize::MAX));
        buffer.resize(before + room, 0);
        let read = logs.read_at(offset, &mut buffer[before..]).map_err(TransferError::Logs)?;
        buffer.truncate(before + read);
        if read == 0 {
            return Err(TransferError::Logs(std::io::ErrorKind::UnexpectedEof.into()));
        }
        offset += read as u64;
    }
    Ok(())
}

/// Exit code of `bandog run` when nobody reads the result any more: as if killed by SIGPIPE, 128 + 13.
pub const READER_GONE: u8 = 141;

/// The exit code of `bandog run`.
///
/// | outcome | code |
/// |---|---|
/// | the function exited | its own code |
/// | an action done by a request failed for good | 1 |
/// | or may be tried again | 2 |
/// | killed by signal n | 128 + n |
/// | bad input (also one that never came whole) | 65, `EX_DATAERR` of sysexits.h |
/// | could not start, could not be answered, gave what it should not, workspace full, input unreadable | 70, `EX_SOFTWARE` |
/// | ran longer than `--exec-timeout` | 124, as timeout(1) |
/// | nobody reads the result any more | 141, as if killed by SIGPIPE |
/// | bandog itself was told to stop | 143, as if killed by SIGTERM |
#[must_use]
pub fn exit_code(outcome: &Outcome) -> u8 {
    match outcome {
        Outcome::Done { .. } | Outcome::Passed => 0,
        Outcome::Failed { failure, report } => match failure {
            // wait(2) gives eight bits.
            Failure::Exit(_)
            | Failure::Signal { .. }
            | Failure::OutOfMemory { .. }
            | Failure::CpuTime { .. }
            | Failure::FileTooLarge { .. } => match report.exit {
                Some(Exit::Code(code)) => u8::try_from(code & 0xFF).unwrap_or(u8::MAX),
                Some(Exit::Signal(signal)) => u8::try_from(128 + (signal & 0x7F)).unwrap_or(u8::MAX),
                None => 70,
            },
            // What a command would have said itself.
            Failure::Refused => 1,
            Failure::Unavailable { .. } => 2,
            Failure::OutputTooLarge { .. }
            | Failure::Result(_)
            | Failure::Confine(_)
            | Failure::Spawn(_)
            | Failure::Workspace(_)
            | Failure::Output(_)
            | Failure::Supervise(_)
            | Failure::Unanswered(_) => 70,
        },
        Outcome::TimedOut { .. } => 124,
        Outcome::Cancelled { cause: Cause::ClientGone, .. } => READER_GONE,
        Outcome::Cancelled { cause: Cause::Shutdown, .. } => 143,
        Outcome::Refused(error) => match error.kind() {
            input::InputErrorKind::Bad
            | input::InputErrorKind::Arguments
            | input::InputErrorKind::TooLarge
            | input::InputErrorKind::UnsupportedEncoding
            | input::InputErrorKind::Storage
            | input::InputErrorKind::Incomplete
            | input::InputErrorKind::TimedOut => 65,
            input::InputErrorKind::ReadFailed | input::InputErrorKind::Store => 70,
        },
    }
}

#[cfg(test)]
mod tests;
