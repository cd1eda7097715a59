//! The call id, the content headers and the details of a request.

use http::{
    HeaderMap,
    header::{
        AUTHORIZATION, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_TYPE, COOKIE, HOST, HeaderName, HeaderValue,
        PROXY_AUTHORIZATION,
    },
    request::Parts,
    uri::{Authority, PathAndQuery},
};

use crate::{
    headers::{CONTENT_TRANSFER_ENCODING, X_BANDOG_TOKEN, X_CALL_ID, X_REQUEST_ID},
    ids,
    input::ContentHeaders,
};

/// Bytes of a call id taken from a request. A longer one, or one that is not printable ASCII, is replaced: it goes into
/// log lines, headers and the environment.
const CALL_ID_LIMIT: usize = 128;

/// Returns the request's own id, or a new one.
#[must_use]
pub fn call_id(headers: &HeaderMap) -> String {
    let given = headers.get(X_CALL_ID).or_else(|| headers.get(X_REQUEST_ID));
    let usable = given
        .and_then(|value| value.to_str().ok())
        .filter(|id| (1..=CALL_ID_LIMIT).contains(&id.len()))
        .filter(|id| id.bytes().all(|byte| byte.is_ascii_graphic() && !b"[]\"\\".contains(&byte)));
    usable.map_or_else(|| ids::random().to_string(), str::to_owned)
}

/// Returns the header fields that describe the body.
#[must_use]
pub fn content_headers(headers: &HeaderMap) -> ContentHeaders {
    ContentHeaders {
        content_type: joined(headers, &CONTENT_TYPE),
        content_encoding: joined(headers, &CONTENT_ENCODING),
        content_transfer_encoding: joined(headers, &CONTENT_TRANSFER_ENCODING),
        content_disposition: joined(headers, &CONTENT_DISPOSITION),
    }
}

/// Returns the URL of the request as a word of a shell, if the client has said where it is and it can be one.
#[must_use]
pub fn url(parts: &Parts) -> Option<String> {
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = parts.uri.authority().map(Authority::as_str).or(host)?;
    let url = format!("http://{host}{}", parts.uri.path_and_query().map_or("/", PathAndQuery::as_str));
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/%".contains(&byte);
    if url.bytes().all(is_plain) {
        return Some(url);
    }
    url.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\'').then(|| format!("'{url}'"))
}

/// Returns the head for the log at DEBUG, without secrets.
#[must_use]
pub fn details(parts: &Parts) -> Vec<String> {
    let secrets = [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE, X_BANDOG_TOKEN];
    let mut lines = vec![format!("request: {} {} {:?}", parts.method, parts.uri, parts.version)];
    lines.extend(parts.headers.iter().map(|(name, value)| {
        let value = if secrets.contains(name) { "***".into() } else { String::from_utf8_lossy(value.as_bytes()) };
        format!("header: {name}: {value}")
    }));
    lines
}

/// Returns all values of a header as one.
fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<Vec<u8>> {
    let values: Vec<&[u8]> = headers.get_all(name).into_iter().map(HeaderValue::as_bytes).collect();
    (!values.is_empty()).then(|| values.join(&b", "[..]))
}
