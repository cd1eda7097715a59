//! The head of a response: status and header fields.

use std::{fmt, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use crate::{
    headers::{SERVER_TIMING, X_BANDOG_STORED, X_DURATION_SECONDS, X_EXIT_CODE},
    invocation::Report,
    output::ResponseHeaders,
    process::Exit,
};

/// The facts about a call that its outcome does not contain.
#[derive(Debug, Clone, Copy)]
pub struct CallFacts<'a> {
    /// The id of the call.
    pub call_id: &'a str,
    /// The name of the service, which becomes the name of the zip.
    pub service: Option<&'a str>,
}

/// The media type of base64 and of logs.
pub(crate) const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// The characters to encode in a path: all but the unreserved ones (RFC 3986 §2.3) and the slash.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// The characters to encode in `filename*`: all but `attr-char` of RFC 8187 §3.2.1.
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

/// The head of a response.
#[derive(Debug, Clone)]
pub struct Head {
    /// The status.
    pub status: StatusCode,
    /// The header fields, without `Content-Length`: that is [`Head::length`].
    pub headers: HeaderMap,
    /// Bytes of the body, if the number is known before the body is sent.
    pub length: Option<u64>,
}

impl Head {
    pub(crate) fn new(status: StatusCode, length: Option<u64>) -> Self {
        Self { status, headers: HeaderMap::new(), length }
    }

    /// Sets a field. A value that is not valid in a header field, such as a call id with a line break, is left out.
    pub(crate) fn set(&mut self, name: HeaderName, value: impl AsRef<[u8]>) {
        if let Ok(value) = HeaderValue::from_bytes(value.as_ref()) {
            self.headers.insert(name, value);
        }
    }
}

/// Adds the fields about a run, for a success or a failure.
pub(crate) fn report_fields(head: &mut Head, report: &Report) {
    head.set(X_DURATION_SECONDS, Seconds(report.duration).to_string());
    if let Some(Exit::Code(code)) = report.exit {
        head.set(X_EXIT_CODE, code.to_string());
    }
    if let Some(stored) = report.stored() {
        head.set(X_BANDOG_STORED, stored.counts.stored.to_string());
    }
}

/// Adds the duration of a run and the CPU time that its processes have used, in milliseconds.
pub(super) fn timing_field(head: &mut Head, report: &Report) {
    if let Some(usage) = report.usage {
        let milliseconds = |duration: Duration| duration.as_secs_f64() * 1e3;
        let (run, cpu) = (milliseconds(report.duration), milliseconds(usage.cpu_time));
        head.set(SERVER_TIMING, format!("run;dur={run:.1}, cpu;dur={cpu:.1}"));
    }
}

/// Returns the status that the function has set. Without one it is 302 if the function has set `Location`, as a CGI script
/// does (RFC 3875 §6.2.3), or else 200.
pub(crate) fn status(response_headers: &ResponseHeaders) -> StatusCode {
    let own = response_headers.status.and_then(|status| StatusCode::from_u16(status).ok());
    own.unwrap_or_else(|| match response_headers.field("location") {
        Some(_) => StatusCode::FOUND,
        None => StatusCode::OK,
    })
}

/// The fields of a response that have one value (RFC 9110, RFC 6266, RFC 6797, Fetch). Of several lines the last
/// counts, as in a program that sets a field again.
const SINGLE_FIELDS: [HeaderName; 15] = [
    header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    header::ACCESS_CONTROL_MAX_AGE,
    header::AGE,
    header::CONTENT_DISPOSITION,
    header::CONTENT_LOCATION,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    header::ETAG,
    header::EXPIRES,
    header::LAST_MODIFIED,
    header::LOCATION,
    header::RETRY_AFTER,
    header::SERVER,
    header::STRICT_TRANSPORT_SECURITY,
];

/// The fields that describe the bytes of a body as the function wrote them (RFC 9110 §8 and §14, RFC 9530, RFC 3230).
const OF_BYTES: [&str; 9] = [
    "accept-ranges",
    "content-digest",
    "content-encoding",
    "content-md5",
    "content-range",
    "content-transfer-encoding",
    "content-type",
    "digest",
    "repr-digest",
];

/// Adds the fields that the function has set, which replace those of the same name, but for `Vary` and
/// `Server-Timing`: what bandog chooses by is a reason for caches as well as what the function chooses by, and each has
/// times of its own. Returns whether the status permits no body.
pub(crate) fn own_fields(head: &mut Head, response_headers: &ResponseHeaders) -> bool {
    let describes_body = response_headers.field("content-type").is_some();
    let mut names = Vec::new();
    for (name, value) in &response_headers.fields {
        let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value)) else {
            continue;
        };
        // They would be wrong for our base64 or JSON.
        if OF_BYTES.contains(&name.as_str()) && !describes_body {
            continue;
        }
        let is_list = name == header::VARY || name == SERVER_TIMING;
        if is_list || names.contains(&name) && !SINGLE_FIELDS.contains(&name) {
            head.headers.append(name, value);
        } else {
            head.headers.insert(name.clone(), value);
            names.push(name);
        }
    }
    join_vary(&mut head.headers);
    // RFC 9110 §15.3.5, §15.3.6, §15.4.5: responses with these statuses have no content.
    matches!(head.status.as_u16(), 204 | 205 | 304)
}

/// Makes one field of several lines of `Vary`, with each name once, as old caches look at the first line alone. A value
/// that is not text stays as it is.
fn join_vary(headers: &mut HeaderMap) {
    let lines: Option<Vec<&str>> = headers.get_all(header::VARY).iter().map(|line| line.to_str().ok()).collect();
    let Some(lines) = lines.filter(|lines| lines.len() > 1) else { return };
    let mut names: Vec<&str> = Vec::new();
    for name in lines.iter().flat_map(|line| line.split(',')).map(str::trim).filter(|name| !name.is_empty()) {
        if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            names.push(name);
        }
    }
    if let Ok(value) = HeaderValue::from_str(&names.join(", ")) {
        headers.insert(header::VARY, value);
    }
}

/// A duration in seconds as C's `%f` writes it, with six decimals. A float has too few digits for 68 years.
pub struct Seconds(pub Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let microseconds = (self.0.as_nanos() + 500) / 1000;
        write!(f, "{}.{:06}", microseconds / 1_000_000, microseconds % 1_000_000)
    }
}

/// Encodes a path for `X-Output-Name`.
pub(super) fn encoded_path(path: &[u8]) -> String {
    percent_encode(path, PATH).to_string()
}

/// Returns `Content-Disposition` (RFC 6266): the name in ASCII for old clients, and the full name (RFC 8187).
#[must_use]
pub fn disposition(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    // Replaces quotes and backslashes, which would end or escape the string, and percent signs, which some clients
    // decode (RFC 6266 appendix D).
    let plain: String = name
        .chars()
        .map(|c| if (c.is_ascii_graphic() || c == ' ') && !matches!(c, '"' | '\\' | '%') { c } else { '_' })
        .collect();
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{}", percent_encode(name.as_bytes(), ATTRIBUTE))
}

#[cfg(test)]
mod tests;
