//! The checks that need a request's head alone, and nothing of what it is to.

use hyper::{
    Method,
    header::{HOST, HeaderValue},
    http::request::Parts,
};

use super::{Server, connection::strict::MAX_FIELDS};
use crate::{
    reply::{ErrorCode, Problem},
    service::Phase,
};

/// Bytes of all header fields together; more is answered with 431. The strict reader has a limit of its own, higher.
pub(super) const HEADERS_LIMIT: u32 = 64 * 1024;

/// Checks a head, whatever it is to.
#[expect(clippy::result_large_err, reason = "the response to the request, and made once for it")]
pub(super) fn check(server: &Server, parts: &Parts) -> Result<(), Problem> {
    server.service.context().check_open(Phase::Draining)?;
    let size: usize = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    // Over HTTP/1 the strict reader has counted them; over HTTP/2 there are no more than fit into the header list.
    let count = parts.headers.len();
    if count > MAX_FIELDS {
        let detail = format!("there are {count} header fields, at most {MAX_FIELDS} are taken");
        return Err(Problem::new(ErrorCode::HeadersTooLarge, detail));
    }
    if size > HEADERS_LIMIT as usize {
        let detail = format!("the header fields have {size} bytes, at most {HEADERS_LIMIT} are taken");
        return Err(Problem::new(ErrorCode::HeadersTooLarge, detail));
    }
    Ok(())
}

/// Puts the host that the request is for into `Host`, whatever stood there: a target that names a host decides (RFC 9112
/// §3.2.2), and so does `:authority` (RFC 9113 §8.3.1). All that follows reads `Host` alone.
pub(super) fn settle_host(parts: &mut Parts) {
    if parts.method == Method::CONNECT {
        return;
    }
    let Some(authority) = parts.uri.authority() else { return };
    // User information is not of the host (RFC 9110 §4.2.4).
    let host = authority.as_str().rsplit('@').next().unwrap_or_default();
    if let Ok(host) = HeaderValue::from_str(host) {
        parts.headers.insert(HOST, host);
    }
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    #[test]
    fn the_target_decides_which_host_is_meant() {
        for (target, sent, wanted) in [
            ("http://a/x", Some("b"), Some("a")),
            ("http://a:8080/x", Some("b"), Some("a:8080")),
            ("http://user:secret@a/x", None, Some("a")),
            ("http://[::1]:80/x", Some("b"), Some("[::1]:80")),
            ("/x", Some("b"), Some("b")),
            ("*", Some("b"), Some("b")),
            ("/x", None, None),
        ] {
            let request = sent.iter().fold(Request::get(target), |request, host| request.header(HOST, *host));
            let (mut parts, ()) = request.body(()).expect("a request").into_parts();
            settle_host(&mut parts);
            let hosts: Vec<_> = parts.headers.get_all(HOST).iter().map(|host| host.to_str().expect("text")).collect();
            assert_eq!(hosts, wanted.into_iter().collect::<Vec<_>>(), "{target} {sent:?}");
        }
    }
}
