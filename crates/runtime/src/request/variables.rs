//! A request's head → the environment variables of the function.

use std::{borrow::Cow, ffi::CString, fmt::Write as _};

use http::{
    header::{
        AUTHORIZATION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHORIZATION, TRANSFER_ENCODING,
    },
    request::Parts,
};

use crate::headers::{X_BANDOG_ERROR, X_BANDOG_TOKEN};

/// Bytes of a header's value that fit into a variable; a longer one is left out, so that a client cannot make exec
/// fail (one variable may have 128 KiB, all together a few MiB: execve(2)).
const VALUE_LIMIT: usize = 8 * 1024;

/// Headers that never become variables: credentials, and `Proxy`, whose variable programs take for a setting
/// (httpoxy, CVE-2016-5385).
static HIDDEN: [HeaderName; 5] =
    [AUTHORIZATION, HeaderName::from_static("proxy"), PROXY_AUTHORIZATION, X_BANDOG_TOKEN, X_BANDOG_ERROR];

/// Headers whose variable would have the name of one that bandog sets itself.
const OWN: [&str; 7] = ["method", "path", "query", "host", "content-length", "contentlength", "transfer-encoding"];

/// Which variables a request becomes, and how their values are written. The default is bandog's own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HeaderVariables {
    /// The variables that are set.
    pub set: VariableSet,
    /// How values are written.
    pub values: VariableValues,
    /// How `Http_Query`, `Http_Host` and `Http_Transfer_Encoding` are set without a value.
    pub when_empty: WhenEmpty,
    /// Whether `Authorization` becomes a variable.
    pub authorization: Authorization,
}

/// The variables that are set for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum VariableSet {
    /// All of them.
    #[default]
    All,
    /// Only the trace context, `TRACEPARENT` and `TRACESTATE`.
    TraceContext,
}

/// How the values of variables are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum VariableValues {
    /// As they were sent; the values of a repeated header field are joined.
    #[default]
    AsSent,
    /// Parsed: the path is percent-decoded, the length is a number (0 without a body, -1 if unknown), and the first
    /// value of a repeated header field counts.
    Parsed,
}

/// How a variable without a value is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenEmpty {
    /// It is set to the empty string, so that no other header can pose as it.
    #[default]
    Set,
    /// It is not set.
    Unset,
}

/// Whether the function sees `Authorization`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Authorization {
    /// It does not: the credentials are bandog's.
    #[default]
    Hidden,
    /// It does.
    Shown,
}

/// The variables about a request, each `NAME=value`: first bandog's own, which are set even without a value, so that no
/// header can pose as one; then one for each header.
#[must_use]
pub fn of(request: &Parts, policy: HeaderVariables) -> Vec<CString> {
    let headers = &request.headers;
    let mut variables = Vec::with_capacity(10 + headers.len());
    let mut set = |name: &str, value: &[u8]| {
        let mut pair = Vec::with_capacity(name.len() + 1 + value.len());
        pair.extend_from_slice(name.as_bytes());
        pair.push(b'=');
        pair.extend_from_slice(value);
        // Neither a header nor a URI can hold a NUL.
        variables.extend(CString::new(pair));
    };
    let header = |name: HeaderName| headers.get(name).map_or(&b""[..], |value| value.as_bytes());
    let host = match header(HOST) {
        b"" => request.uri.authority().map_or(&b""[..], |authority| authority.as_str().as_bytes()),
        host => host,
    };
    for (name, variable) in [("traceparent", "TRACEPARENT"), ("tracestate", "TRACESTATE")] {
        if let Some(value) = headers.get(name).filter(|value| value.len() <= VALUE_LIMIT) {
            set(variable, value.as_bytes());
        }
    }
    if policy.set == VariableSet::TraceContext {
        return variables;
    }
    set("Http_Method", request.method.as_str().as_bytes());
    let path = request.uri.path();
    let (path, length) = match policy.values {
        VariableValues::AsSent => (Cow::Borrowed(path.as_bytes()), header(CONTENT_LENGTH)),
        VariableValues::Parsed => {
            let length = match header(CONTENT_LENGTH) {
                b"" if headers.contains_key(TRANSFER_ENCODING) => &b"-1"[..],
                b"" => b"0",
                length => length,
            };
            (decoded(path), length)
        }
    };
    set("Http_Path", &path);
    set("Http_Content_Length", length);
    set("Http_ContentLength", length);
    for (name, value) in [
        ("Http_Query", request.uri.query().unwrap_or_default().as_bytes()),
        ("Http_Host", host),
        ("Http_Transfer_Encoding", header(TRANSFER_ENCODING)),
    ] {
        if !(value.is_empty() && policy.when_empty == WhenEmpty::Unset) {
            set(name, value);
        }
    }
    for name in headers.keys() {
        let Some(variable) = variable_name(name, policy) else { continue };
        let value = match policy.values {
            VariableValues::AsSent => joined(headers, name),
            VariableValues::Parsed => first(headers, name),
        };
        if let Some(value) = value {
            set(&variable, &value);
        }
    }
    variables
}

/// A percent-decoded path. `%00` stays: no variable can hold a NUL.
fn decoded(path: &str) -> Cow<'_, [u8]> {
    if !path.contains('%') {
        return Cow::Borrowed(path.as_bytes());
    }
    let parts: Vec<Vec<u8>> =
        path.split("%00").map(|part| percent_encoding::percent_decode_str(part).collect()).collect();
    Cow::Owned(parts.join(&b"%00"[..]))
}

/// Whether a header field is hidden from the function. `name` is in lower case.
#[must_use]
pub fn is_hidden(name: &str, policy: HeaderVariables) -> bool {
    let is_shown = name == AUTHORIZATION.as_str() && policy.authorization == Authorization::Shown;
    HIDDEN.iter().any(|hidden| hidden.as_str() == name) && !is_shown
}

/// `Http_X_Forwarded_For` for `x-forwarded-for`; `None` if the header does not become a variable. Nor does a name with
/// any character other than letters, digits and hyphens (`x_token`): it could pose as another header.
fn variable_name(name: &HeaderName, policy: HeaderVariables) -> Option<String> {
    let name = name.as_str();
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !plain || is_hidden(name, policy) || OWN.contains(&name) {
        return None;
    }
    let mut variable = String::with_capacity("Http_".len() + name.len());
    variable.push_str("Http");
    for word in name.split('-') {
        let (first, rest) = word.split_at(word.len().min(1));
        let _ = write!(variable, "_{}{rest}", first.to_ascii_uppercase());
    }
    Some(variable)
}

/// The first value of a header; `None` if too long.
fn first(headers: &HeaderMap, name: &HeaderName) -> Option<Vec<u8>> {
    let value = headers.get(name)?;
    (value.len() <= VALUE_LIMIT).then(|| value.as_bytes().to_vec())
}

/// All values of a header, joined as RFC 9110 §5.2 says; `None` if too long.
fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<Vec<u8>> {
    let separator: &[u8] = if name == http::header::COOKIE { b"; " } else { b", " };
    let values: Vec<&[u8]> = headers.get_all(name).into_iter().map(HeaderValue::as_bytes).collect();
    let value = values.join(separator);
    (value.len() <= VALUE_LIMIT).then_some(value)
}

#[cfg(test)]
mod tests;
