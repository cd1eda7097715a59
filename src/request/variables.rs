//! A request's head → the variables that the function finds.

use std::{borrow::Cow, ffi::CString, fmt::Write as _};

use hyper::{
    header::{CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING},
    http::request::Parts,
};

use crate::config::{Config, Habit};

/// Bytes of a header's value that fit into a variable; a longer one is left out, so that a client cannot make exec
/// fail (one variable may have 128 KiB, all together a few MiB: execve(2)).
const VALUE_LIMIT: usize = 8 * 1024;

/// Headers that never become variables: credentials, and `Proxy`, whose variable programs take for a setting
/// (httpoxy, CVE-2016-5385).
const HIDDEN: [&str; 5] = ["authorization", "proxy", "proxy-authorization", "x-bandog-token", "x-bandog-error"];

/// Headers whose variable would have the name of one that bandog sets itself.
const OWN: [&str; 7] = ["method", "path", "query", "host", "content-length", "contentlength", "transfer-encoding"];

/// How a request becomes variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cgi {
    /// bandog's way.
    Own,
    /// The watchdogs'.
    Watchdog {
        /// `cgi_headers`: there are any.
        is_on: bool,
        /// Variables that would be empty are not set.
        unset_empty: bool,
        /// `Authorization` becomes one as well.
        authorization: bool,
    },
}

impl Cgi {
    /// The way of the face.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        match &config.watchdog {
            None => Self::Own,
            Some(watchdog) => Self::Watchdog {
                is_on: watchdog.cgi_headers,
                unset_empty: config.compat.has(Habit::UnsetEmpty),
                authorization: config.compat.has(Habit::Authorization),
            },
        }
    }
}

/// The variables about a request, each `NAME=value`: always all of bandog's own, empty if there is nothing to say, so
/// that no header can pose as one; then one for each header.
#[must_use]
pub fn of(request: &Parts, cgi: Cgi) -> Vec<CString> {
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
    if matches!(cgi, Cgi::Watchdog { is_on: false, .. }) {
        return variables;
    }
    set("Http_Method", request.method.as_str().as_bytes());
    let path = request.uri.path();
    let (path, length) = match cgi {
        Cgi::Own => (Cow::Borrowed(path.as_bytes()), header(CONTENT_LENGTH)),
        // Decoded, but for what no variable can hold; the length as a number, which is negative if nobody knows it.
        Cgi::Watchdog { .. } => {
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
        if !(value.is_empty() && matches!(cgi, Cgi::Watchdog { unset_empty: true, .. })) {
            set(name, value);
        }
    }
    for name in headers.keys() {
        let Some(variable) = variable_name(name, cgi) else { continue };
        // The watchdogs gave the first value of several.
        let value = if cgi == Cgi::Own { joined(headers, name) } else { first(headers, name) };
        if let Some(value) = value {
            set(&variable, &value);
        }
    }
    variables
}

/// A path without its percent signs; what stands for a NUL stays as it is.
fn decoded(path: &str) -> Cow<'_, [u8]> {
    if !path.contains('%') {
        return Cow::Borrowed(path.as_bytes());
    }
    let parts: Vec<Vec<u8>> =
        path.split("%00").map(|part| percent_encoding::percent_decode_str(part).collect()).collect();
    Cow::Owned(parts.join(&b"%00"[..]))
}

/// Whether the function is not told of a header field of this name, in small letters.
#[must_use]
pub fn is_hidden(name: &str, cgi: Cgi) -> bool {
    let is_wanted = name == "authorization" && matches!(cgi, Cgi::Watchdog { authorization: true, .. });
    HIDDEN.contains(&name) && !is_wanted
}

/// `Http_X_Forwarded_For` for `x-forwarded-for`; `None` if the header does not become a variable. A name with any
/// other sign than letters, digits and hyphens (`x_token`) does not either: it could pose as another header.
fn variable_name(name: &HeaderName, cgi: Cgi) -> Option<String> {
    let name = name.as_str();
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !plain || is_hidden(name, cgi) || OWN.contains(&name) {
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
    let separator: &[u8] = if name == hyper::header::COOKIE { b"; " } else { b", " };
    let values: Vec<&[u8]> = headers.get_all(name).into_iter().map(HeaderValue::as_bytes).collect();
    let value = values.join(separator);
    (value.len() <= VALUE_LIMIT).then_some(value)
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    fn variables(request: hyper::http::request::Builder) -> Vec<String> {
        let (parts, ()) = request.body(()).expect("request").into_parts();
        of(&parts, Cgi::Own).into_iter().map(|pair| pair.into_string().expect("text")).collect()
    }

    #[test]
    fn bandogs_own_are_always_set_and_empty_if_absent() {
        let variables = variables(Request::get("/run/x?a=b%20c"));
        assert_eq!(
            variables,
            [
                "Http_Method=GET",
                "Http_Path=/run/x",
                "Http_Content_Length=",
                "Http_ContentLength=",
                "Http_Query=a=b%20c",
                "Http_Host=",
                "Http_Transfer_Encoding=",
            ]
        );
    }

    const WATCHDOG: Cgi = Cgi::Watchdog { is_on: true, unset_empty: false, authorization: false };

    fn of_watchdog(request: hyper::http::request::Builder, cgi: Cgi) -> Vec<String> {
        let (parts, ()) = request.body(()).expect("request").into_parts();
        of(&parts, cgi).into_iter().map(|pair| pair.into_string().expect("text")).collect()
    }

    #[test]
    fn in_the_place_of_a_watchdog_the_path_is_decoded_the_length_a_number_and_one_value_counts() {
        let request = Request::post("/a%20b%00c?x=%20").header("X-Many", "1").header("X-Many", "2");
        assert_eq!(
            of_watchdog(request, WATCHDOG),
            [
                "Http_Method=POST",
                "Http_Path=/a b%00c",
                "Http_Content_Length=0",
                "Http_ContentLength=0",
                "Http_Query=x=%20",
                "Http_Host=",
                "Http_Transfer_Encoding=",
                "Http_X_Many=1",
            ]
        );
        let chunked = of_watchdog(Request::post("/").header("Transfer-Encoding", "chunked"), WATCHDOG);
        assert!(chunked.contains(&"Http_ContentLength=-1".to_owned()), "{chunked:?}");
    }

    #[test]
    fn in_the_place_of_a_watchdog_variables_can_be_switched_off_and_old_ways_on() {
        let request = || Request::post("/").header("Authorization", "Bearer x").header("Proxy", "evil");
        assert!(!of_watchdog(request(), WATCHDOG).concat().contains("Bearer"));
        let off = Cgi::Watchdog { is_on: false, unset_empty: false, authorization: true };
        assert_eq!(of_watchdog(request(), off), [""; 0]);
        let old = of_watchdog(request(), Cgi::Watchdog { is_on: true, unset_empty: true, authorization: true });
        assert!(old.contains(&"Http_Authorization=Bearer x".to_owned()), "{old:?}");
        for absent in ["Http_Query", "Http_Host", "Http_Transfer_Encoding", "Http_Proxy"] {
            assert!(!old.iter().any(|pair| pair.starts_with(absent)), "{absent}: {old:?}");
        }
    }

    #[test]
    fn no_header_can_pose_as_another_variable() {
        let request = Request::post("/?real=1")
            .header("Query", "fake=1")
            .header("Method", "FAKE")
            .header("Path", "/fake")
            .header("ContentLength", "7")
            .header("Transfer_Encoding", "fake")
            .header("X_Real", "fake")
            .header("X-Real", "true");
        let variables = variables(request);
        assert_eq!(variables.iter().filter(|pair| pair.contains("fake") || pair.contains("FAKE")).count(), 0);
        assert!(variables.contains(&"Http_Query=real=1".to_owned()));
        assert!(variables.contains(&"Http_X_Real=true".to_owned()));
        let mut names: Vec<_> = variables.iter().map(|pair| pair.split('=').next()).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count, "no name twice");
    }

    #[test]
    fn credentials_and_proxy_never_become_variables() {
        let request = Request::post("/")
            .header("Authorization", "Bearer s3cret")
            .header("Proxy-Authorization", "s3cret")
            .header("X-Bandog-Token", "s3cret")
            .header("Proxy", "s3cret");
        assert!(!variables(request).iter().any(|pair| pair.contains("s3cret")));
    }

    #[test]
    fn repeated_headers_are_joined_and_giants_left_out() {
        let request = Request::post("/")
            .header("X-Many", "a")
            .header("X-Many", "b")
            .header("X-Long", "x".repeat(VALUE_LIMIT + 1))
            .header("traceparent", "00-abc-def-01");
        let variables = variables(request);
        assert!(variables.contains(&"Http_X_Many=a, b".to_owned()));
        assert!(variables.contains(&"TRACEPARENT=00-abc-def-01".to_owned()));
        assert!(!variables.iter().any(|pair| pair.starts_with("Http_X_Long")));
    }
}
