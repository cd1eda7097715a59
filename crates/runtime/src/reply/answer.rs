//! Chooses the response to an outcome.

use http::{HeaderValue, StatusCode, header};

use super::{
    accept::{Accept, ResponseForm},
    body::{Body, BodyEncoding, Reply},
    error_code::ErrorCode,
    events,
    head::{
        CallFacts, Head, Seconds, TEXT, disposition, encoded_path, own_fields, report_fields, status, timing_field,
    },
    json::JsonDocument,
    problem::Problem,
    settled,
};
use crate::{
    headers::{CONTENT_TRANSFER_ENCODING, X_BANDOG_ERROR, X_CALL_ID, X_DURATION_SECONDS, X_OUTPUT_KIND, X_OUTPUT_NAME},
    invocation::{Outcome, Report, SettledEvent},
    output::{Output, OutputFile, OutputKind, ResponseHeaders, base64::encoded_len, portable},
};

/// Returns the response to an invocation.
#[must_use]
pub fn answer<'a>(outcome: &'a Outcome, call: &CallFacts<'a>, accept: &Accept) -> Reply<'a> {
    match outcome {
        Outcome::Done { report, output, response_headers } => {
            let mut reply = done(outcome, report, output, response_headers, call, accept);
            reply.head.set(X_CALL_ID, call.call_id);
            report_fields(&mut reply.head, report);
            if accept.shows_times() {
                timing_field(&mut reply.head, report);
            }
            if let Some(code) = ErrorCode::of_outcome(outcome) {
                // The output stays in the response: it is nowhere else.
                reply.head.status = code.status();
                reply.head.set(X_BANDOG_ERROR, code.as_str());
            }
            reply.head.set(X_OUTPUT_KIND, output.kind().name());
            if let (Output::File(file), OutputKind::File) = (output, output.kind()) {
                reply.head.set(X_OUTPUT_NAME, encoded_path(path_bytes(file)));
            }
            if let Some(style) = accept.style() {
                style.success(&mut reply, report, response_headers);
            }
            // The head of an event stream is sent before the function can set any field.
            if !matches!(reply.body, Body::Events(..)) && own_fields(&mut reply.head, response_headers) {
                reply.head.length = Some(0);
                reply.body = Body::Empty;
            }
            reply
        }
        Outcome::Failed { .. } | Outcome::TimedOut { .. } | Outcome::Cancelled { .. } | Outcome::Refused(_) => {
            let mut reply = match accept.style() {
                Some(style) => style.failure(outcome, call),
                None => Problem::of_outcome(outcome, call).into_reply(),
            };
            if let Some(report) = outcome.report() {
                report_fields(&mut reply.head, report);
                if accept.shows_times() {
                    timing_field(&mut reply.head, report);
                }
            }
            reply
        }
        Outcome::Settled(event) => of_event(event, call),
        // The response of the upstream has been sent already.
        Outcome::Passed => Reply { head: Head::new(StatusCode::OK, Some(0)), body: Body::Empty },
    }
}

/// Returns the response to an event that no single run answers. Where a record failed it has the status, the error code and
/// the `Retry-After` of the first such, so that the sender sends the event again; the records that succeeded are duplicates
/// then.
fn of_event(event: &SettledEvent, call: &CallFacts<'_>) -> Reply<'static> {
    let body = settled::document(event, call).to_string();
    let mut head = match event.failure() {
        Some(outcome) => Problem::of_outcome(outcome, call).into_parts().0,
        None => Head::new(StatusCode::OK, None),
    };
    head.length = Some(body.len() as u64);
    head.set(header::CONTENT_TYPE, "application/json");
    head.set(X_CALL_ID, call.call_id);
    Reply { head, body: Body::Bytes(body.into()) }
}

/// Returns the response to an exchange that failed and had no process of its own.
#[must_use]
pub fn refusal(outcome: &Outcome, call: &CallFacts<'_>) -> Problem {
    let problem = Problem::of_outcome(outcome, call);
    let seconds = outcome.report().map(|report| Seconds(report.duration).to_string());
    let seconds = seconds.and_then(|seconds| HeaderValue::from_str(&seconds).ok());
    seconds.into_iter().fold(problem, |problem, seconds| problem.header(X_DURATION_SECONDS, seconds))
}

/// Returns the response to a successful run, without the fields that all successes have.
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
    // The function's own type describes its output exactly, so that the output is sent as it is to every client.
    let own_type = response_headers.field("content-type");
    let (encoding, kind) = match accept.choose(output) {
        _ if own_type.is_some() => (BodyEncoding::Raw, None),
        ResponseForm::Json => {
            let document = JsonDocument::new(report, output, call.call_id);
            let mut head = Head::new(status, document.len());
            head.set(header::CONTENT_TYPE, "application/json");
            head.set(header::VARY, "Accept");
            return Reply { head, body: Body::Json(document) };
        }
        ResponseForm::Raw(kind) | ResponseForm::Bare(kind) => (BodyEncoding::Raw, Some(kind)),
        ResponseForm::Default => (BodyEncoding::Base64, None),
    };
    let encoded = |len| if encoding == BodyEncoding::Base64 { encoded_len(len) } else { len };
    let (length, body) = match output {
        Output::None => (report.logs.len(), Body::Logs(&report.logs)),
        Output::File(file) => (encoded(file.size()), Body::File(file, encoding)),
        Output::Tree(tree) => (encoded(tree.zip_len()), Body::Zip(tree, encoding)),
        // The body has been sent already.
        Output::Streamed(_) => (0, Body::Empty),
    };
    let mut head = Head::new(status, Some(length));
    if !is_bare {
        head.set(header::VARY, "Accept");
    }
    match (&kind, output) {
        // An action without a result.
        (Some(kind), Output::File(_)) if kind.is_empty() => {}
        (Some(kind), Output::File(_) | Output::Tree(_)) => {
            head.set(header::CONTENT_TYPE, kind);
            if !is_bare {
                head.set(header::CONTENT_DISPOSITION, disposition(&attachment_name(output, call)));
            }
        }
        (None, Output::File(_) | Output::Tree(_)) if encoding == BodyEncoding::Base64 => {
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

/// The name under which a client saves the output.
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
