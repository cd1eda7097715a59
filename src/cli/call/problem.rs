//! Describes a response whose status is not 2xx.

use std::{fmt::Write as _, io::Read as _};

use http::{Uri, header};
use serde_json::Value;
use ureq::Body;

/// Bytes of a message that are read. Those of bandog have at most 64 KiB of logs.
const MAX: u64 = 1024 * 1024;

/// The message of the server, for a person.
pub(super) fn describe(uri: &Uri, response: http::Response<Body>) -> String {
    let (parts, body) = response.into_parts();
    let mut text = format!("{uri} answered {}", parts.status);
    if let Some(place) = parts.headers.get(header::LOCATION).filter(|_| parts.status.is_redirection()) {
        let _ = write!(text, ": it is at {}; call that", String::from_utf8_lossy(place.as_bytes()));
    }
    let mut bytes = Vec::new();
    // A message that is cut short is better than none.
    let _ = body.into_with_config().limit(u64::MAX).reader().take(MAX).read_to_end(&mut bytes);
    let kind = parts.headers.get(header::CONTENT_TYPE).map(|kind| kind.as_bytes().to_ascii_lowercase());
    let is_problem = kind.is_some_and(|kind| kind.starts_with(b"application/problem+json"));
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(problem)) if is_problem => add_problem(&mut text, &problem),
        _ if bytes.trim_ascii().is_empty() => {}
        _ => {
            let _ = write!(text, ":\n{}", String::from_utf8_lossy(&bytes).trim_end());
        }
    }
    printable(&text)
}

fn add_problem(text: &mut String, problem: &serde_json::Map<String, Value>) {
    let field = |name: &str| problem.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    if let Some(detail) = field("detail").or(field("title")) {
        let _ = write!(text, ": {detail}");
    }
    if let Some(call_id) = field("call_id") {
        let _ = write!(text, "\ncall id: {call_id}");
    }
    if let Some(logs) = field("logs") {
        let _ = write!(text, "\nlogs of the function:\n{}", logs.trim_end());
    }
}

/// The text without the characters that control a terminal.
pub(super) fn printable(text: &str) -> String {
    text.chars()
        .map(|letter| if letter.is_control() && !"\n\t".contains(letter) { '\u{fffd}' } else { letter })
        .collect()
}
