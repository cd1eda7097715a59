//! The head of a request, as the function gets it.

use std::net::IpAddr;

use hyper::{
    HeaderMap, Request, Uri, Version,
    header::{
        ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, HeaderName, HeaderValue,
        PROXY_AUTHORIZATION, RANGE, TE, TRANSFER_ENCODING, UPGRADE,
    },
    http::request::Parts,
};

use crate::{
    invocation::{UpstreamError, UpstreamKind},
    reply::X_CALL_ID,
    request::X_BANDOG_TOKEN,
};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");
/// Programs with the manners of CGI take it for a setting (httpoxy, CVE-2016-5385).
const PROXY: HeaderName = HeaderName::from_static("proxy");
pub(crate) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub(crate) const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
pub(crate) const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The facts about a request that are not in its head.
pub(crate) struct Facts<'a> {
    pub(crate) call_id: &'a str,
    /// The kind of server that it is for.
    pub(crate) who: UpstreamKind,
    /// The prefix of every target.
    pub(crate) prefix: &'a str,
    /// The function's host, for a request without one.
    pub(crate) authority: &'a str,
    pub(crate) peer: Option<IpAddr>,
    /// `Authorization` is for bandog, which asks callers for a token.
    pub(crate) consumes_authorization: bool,
    /// Whether the response is encoded on its way.
    pub(crate) encodes: bool,
}

/// The protocols that the client would like to change over to (RFC 9110 §7.8), if HTTP/1.1 lets it. HTTP itself is none
/// that can be had that way (RFC 9113 §3.1): requests in it would pass every check by.
pub(crate) fn protocol(parts: &Parts) -> Option<HeaderValue> {
    let asks = parts.headers.get_all(CONNECTION).iter().any(|value| names(value).any(|name| name == UPGRADE));
    if !asks || parts.version != Version::HTTP_11 {
        return None;
    }
    let offered: Vec<&str> = members(parts.headers.get_all(UPGRADE)).filter(|protocol| !is_http(protocol)).collect();
    HeaderValue::from_str(&offered.join(", ")).ok().filter(|_| !offered.is_empty())
}

/// Whether the server may choose this protocol: one of those that it was offered.
pub(super) fn is_offered(offered: &HeaderValue, chosen: &HeaderValue) -> bool {
    let mut chosen = members([chosen]).peekable();
    chosen.peek().is_some()
        && chosen.all(|chosen| members([offered]).any(|offered| offered.eq_ignore_ascii_case(chosen)))
}

/// The members of a list of protocols.
fn members<'a>(values: impl IntoIterator<Item = &'a HeaderValue>) -> impl Iterator<Item = &'a str> {
    let texts = values.into_iter().filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).map(str::trim).filter(|member| !member.is_empty())
}

/// Whether a protocol is a version of HTTP, with or without TLS: `h2c`, `h3`, `HTTP/2.0`, `TLS/1.2`.
fn is_http(protocol: &str) -> bool {
    let name = protocol.split('/').next().unwrap_or_default().trim().to_ascii_lowercase();
    matches!(name.as_str(), "http" | "tls" | "h2c" | "h2" | "h3") || name.starts_with("h2") || name.starts_with("h3-")
}

/// The head to send: target and fields as they came, but for those that are of the connection only.
pub(crate) fn forward(
    parts: &Parts,
    protocol: Option<&HeaderValue>,
    facts: &Facts<'_>,
) -> Result<Parts, UpstreamError> {
    let (mut head, ()) = Request::new(()).into_parts();
    head.method = parts.method.clone();
    head.uri = target(&parts.uri, facts)?;
    head.headers = parts.headers.clone();
    let headers = &mut head.headers;
    remove_own_of_connection(headers);
    for name in [CONTENT_LENGTH, EXPECT, PROXY_AUTHORIZATION, PROXY, X_BANDOG_TOKEN, HTTP2_SETTINGS] {
        headers.remove(name);
    }
    if facts.consumes_authorization {
        headers.remove(AUTHORIZATION);
    }
    if facts.encodes {
        // A response that is encoded here must arrive complete and without an encoding of its own.
        headers.remove(ACCEPT_ENCODING);
        headers.remove(RANGE);
    }
    // HTTP/2 may have taken them apart (RFC 9113 §8.2.3).
    let crumbs: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if crumbs.len() > 1
        && let Ok(cookie) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..]))
    {
        headers.insert(COOKIE, cookie);
    }
    if !headers.contains_key(HOST) {
        let authority = parts.uri.authority().map_or(facts.authority, |authority| authority.as_str());
        set(headers, HOST, authority);
    }
    if let Some(peer) = facts.peer {
        let before = headers.get_all(X_FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok());
        let line: Vec<String> = before.map(str::to_owned).chain([peer.to_string()]).collect();
        set(headers, X_FORWARDED_FOR, &line.join(", "));
    }
    if !headers.contains_key(X_FORWARDED_PROTO) {
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static("http"));
    }
    if let Some(host) = headers.get(HOST).cloned().filter(|_| !headers.contains_key(X_FORWARDED_HOST)) {
        headers.insert(X_FORWARDED_HOST, host);
    }
    set(headers, X_CALL_ID, facts.call_id);
    if let Some(protocol) = protocol {
        headers.insert(UPGRADE, protocol.clone());
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    }
    Ok(head)
}

/// Path and query as they came, behind the prefix.
fn target(uri: &Uri, facts: &Facts<'_>) -> Result<Uri, UpstreamError> {
    let own = match uri.path_and_query().map_or("/", |target| target.as_str()) {
        "*" if !facts.prefix.is_empty() => "",
        "" => "/",
        own => own,
    };
    let target = format!("{}{own}", facts.prefix);
    target.parse().map_err(|_| UpstreamError::NoResponse {
        upstream: facts.who,
        address: facts.authority.to_owned(),
        reason: format!("{} bytes are too many for a target", target.len()),
    })
}

/// Removes the fields that are of one connection only (RFC 9110 §7.6.1), and those that `Connection` names.
pub(crate) fn remove_own_of_connection(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers.get_all(CONNECTION).iter().flat_map(names).collect();
    for name in named.into_iter().chain([CONNECTION, KEEP_ALIVE, PROXY_CONNECTION, TE, TRANSFER_ENCODING, UPGRADE]) {
        headers.remove(name);
    }
}

/// The names in a list of them.
fn names(value: &HeaderValue) -> impl Iterator<Item = HeaderName> {
    value.as_bytes().split(|byte| *byte == b',').filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forwarded(request: hyper::http::request::Builder, consumes_authorization: bool) -> Parts {
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        let facts = Facts {
            call_id: "id",
            who: UpstreamKind::Function,
            prefix: "/base",
            authority: "function:1",
            peer: "192.0.2.7".parse().ok(),
            consumes_authorization,
            encodes: false,
        };
        forward(&parts, protocol(&parts).as_ref(), &facts).expect("a head")
    }

    #[test]
    fn fields_of_the_connection_stay_behind_and_all_others_go_through() {
        let head = forwarded(
            Request::post("/a//b%2F?x=1&y=%20")
                .header("Host", "example.org")
                .header("Connection", "close, X-Private")
                .header("X-Private", "1")
                .header("Keep-Alive", "timeout=5")
                .header("TE", "trailers")
                .header("Transfer-Encoding", "chunked")
                .header("Expect", "100-continue")
                .header("Upgrade", "websocket")
                .header("X-Bandog-Token", "secret")
                .header("Authorization", "Basic x")
                .header("X-Many", "1")
                .header("X-Many", "2")
                .header("X-Forwarded-For", "198.51.100.1"),
            false,
        );
        assert_eq!(head.uri.to_string(), "/base/a//b%2F?x=1&y=%20");
        let mut names: Vec<_> = head.headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        let wanted = [
            "authorization",
            "host",
            "x-call-id",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-proto",
            "x-many",
        ];
        assert_eq!(names, wanted);
        assert_eq!(head.headers.get_all("x-many").iter().count(), 2);
        assert_eq!(head.headers["x-forwarded-for"], "198.51.100.1, 192.0.2.7");
        assert_eq!(head.headers["host"], "example.org");
    }

    #[test]
    fn a_request_of_http_2_becomes_one_of_http_1() {
        let request = Request::get("http://example.org/x").version(Version::HTTP_2);
        let head = forwarded(request.header("Cookie", "a=1").header("Cookie", "b=2"), false);
        assert_eq!((head.uri.to_string().as_str(), head.version), ("/base/x", Version::HTTP_11));
        assert_eq!(head.headers["host"], "example.org");
        assert_eq!(head.headers["cookie"], "a=1; b=2");
    }

    #[test]
    fn a_token_for_bandog_does_not_reach_the_function() {
        let head = forwarded(Request::get("/").header("Authorization", "Bearer secret"), true);
        assert!(!head.headers.contains_key("authorization"));
        assert_eq!(head.headers["host"], "function:1");
    }

    #[test]
    fn only_http_1_1_changes_over_and_never_to_http_2() {
        let upgrade =
            |name: &str| Request::get("/").header("Connection", "keep-alive, Upgrade").header("Upgrade", name);
        let head = forwarded(upgrade("websocket"), false);
        assert_eq!(
            (head.headers["upgrade"].as_bytes(), head.headers["connection"].as_bytes()),
            (&b"websocket"[..], &b"upgrade"[..])
        );
        for request in [
            upgrade("h2c"),
            upgrade("H2C, h2"),
            upgrade("HTTP/2.0"),
            upgrade("TLS/1.2, HTTP/1.1"),
            upgrade(" , "),
            upgrade("websocket").version(Version::HTTP_10),
        ] {
            assert!(!forwarded(request, false).headers.contains_key("upgrade"));
        }
        for offered in ["websocket, h2c", "h2c,websocket", "h2c , websocket ,", "HTTP/2.0, websocket"] {
            assert_eq!(forwarded(upgrade(offered), false).headers["upgrade"], "websocket", "{offered}");
        }
        let several = upgrade("h2c").header("Upgrade", "websocket").header("Upgrade", "IRC/6.9, h2");
        assert_eq!(forwarded(several, false).headers["upgrade"], "websocket, IRC/6.9");
    }

    #[test]
    fn the_server_chooses_among_what_it_was_offered() {
        let is = |offered: &'static str, chosen: &'static str| {
            is_offered(&HeaderValue::from_static(offered), &HeaderValue::from_static(chosen))
        };
        assert!(is("websocket", "WebSocket") && is("a, websocket", "websocket") && is("a, b", "b, a"));
        assert!(!is("websocket", "h2c") && !is("websocket", "websocket, h2c") && !is("websocket", " , "));
    }
}
