//! What is sent before the body: status and header fields.

use std::{fmt, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use crate::{invocation::Report, output::ResponseHeaders, process::Exit};

/// Why a run failed, in one word; on every answer that bandog made up itself.
pub const X_BANDOG_ERROR: HeaderName = HeaderName::from_static("x-bandog-error");
/// The id of the call, as in every log line about it.
pub const X_CALL_ID: HeaderName = HeaderName::from_static("x-call-id");
/// Seconds from the first byte of the body to the end of the process.
pub const X_DURATION_SECONDS: HeaderName = HeaderName::from_static("x-duration-seconds");
/// The function's exit code.
pub const X_EXIT_CODE: HeaderName = HeaderName::from_static("x-exit-code");
/// [`crate::output::OutputKind::name`].
pub const X_OUTPUT_KIND: HeaderName = HeaderName::from_static("x-output-kind");
/// The path of the one file below the output directory, percent-encoded.
pub const X_OUTPUT_NAME: HeaderName = HeaderName::from_static("x-output-name");
/// `base64` when the body is, so that a client need not guess (RFC 2045 §6).
pub const CONTENT_TRANSFER_ENCODING: HeaderName = HeaderName::from_static("content-transfer-encoding");

/// The type of base64 and of logs.
pub(super) const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// What stays as it is in a path (RFC 3986 §2.3, and the slash).
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// What stays as it is in `filename*` (`attr-char` of RFC 8187 §3.2.1).
const ATTRIBUTE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// What is sent before the body.
#[derive(Debug, Clone)]
pub struct Head {
    /// The status.
    pub status: StatusCode,
    /// The header fields, without `Content-Length`: that is [`Head::length`].
    pub headers: HeaderMap,
    /// Bytes of the body, where that is known before they are sent.
    pub length: Option<u64>,
}

impl Head {
    pub(super) fn new(status: StatusCode, length: Option<u64>) -> Self {
        Self { status, headers: HeaderMap::new(), length }
    }

    /// Sets a field; a value that no header field may have (a call id with a line break in it) is left out.
    pub(super) fn set(&mut self, name: HeaderName, value: impl AsRef<[u8]>) {
        if let Ok(value) = HeaderValue::from_bytes(value.as_ref()) {
            self.headers.insert(name, value);
        }
    }
}

/// Adds what is known of a run, whether it was a success or not.
pub(super) fn report_fields(head: &mut Head, report: &Report) {
    head.set(X_DURATION_SECONDS, Seconds(report.duration).to_string());
    if let Some(Exit::Code(code)) = report.exit {
        head.set(X_EXIT_CODE, code.to_string());
    }
}

/// The status that the function asked for, or else a success.
pub(super) fn status(response_headers: &ResponseHeaders) -> StatusCode {
    response_headers.status.and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or(StatusCode::OK)
}

/// Adds the fields that the function asked for, which take the place of those of the same name. Returns whether the
/// answer has no content by its status.
pub(super) fn own_fields(head: &mut Head, response_headers: &ResponseHeaders) -> bool {
    let describes_body = response_headers.field("content-type").is_some();
    let mut names = Vec::new();
    for (name, value) in &response_headers.fields {
        let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value)) else {
            continue;
        };
        // They say how the function encoded its own answer; of our base64 or JSON they would be untrue.
        let of_body = matches!(name.as_str(), "content-type" | "content-encoding" | "content-transfer-encoding");
        if of_body && !describes_body {
            continue;
        }
        if names.contains(&name) {
            head.headers.append(name, value);
        } else {
            head.headers.insert(name.clone(), value);
            names.push(name);
        }
    }
    // RFC 9110 §15.3.5, §15.3.6, §15.4.5: these have no content.
    matches!(head.status.as_u16(), 204 | 205 | 304)
}

/// A duration in seconds as C's `%f` writes it: six decimals.
pub struct Seconds(pub Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6}", self.0.as_secs_f64())
    }
}

/// A path as `X-Output-Name` says it.
pub(super) fn encoded_path(path: &[u8]) -> String {
    percent_encode(path, PATH).to_string()
}

/// `Content-Disposition` (RFC 6266): the name in ASCII for old clients, and in full (RFC 8187).
#[must_use]
pub fn disposition(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    // Neither what ends or escapes the quotes, nor a percent sign, which some clients decode (RFC 6266 appendix D).
    let plain: String = name
        .chars()
        .map(|c| if (c.is_ascii_graphic() || c == ' ') && !matches!(c, '"' | '\\' | '%') { c } else { '_' })
        .collect();
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{}", percent_encode(name.as_bytes(), ATTRIBUTE))
}
