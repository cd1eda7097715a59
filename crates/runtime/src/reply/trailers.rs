//! The trailers (RFC 9110 §6.5) of a response that is sent while the function runs.
//!
//! Trailers end a body properly, and most programs do not read them, although browsers ask for them and proxies pass
//! the request for them on. So a failure is reported in trailers only to a client that says that it reads them.

use http::{
    HeaderMap, HeaderName, Version,
    header::{CONNECTION, TE},
};

use crate::headers::X_BANDOG_TRAILERS;

/// The trailers that a client is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Trailers {
    /// None.
    #[default]
    None,
    /// The facts about a successful run. A failure breaks the response off.
    Success,
    /// Also the error code of a failed run, whose body then ends properly.
    Failure,
}

impl Trailers {
    /// The trailers that a request asks for. `TE` applies to the next hop alone, and its sender must list it in
    /// `Connection`. HTTP/2 has no `Connection`, and HTTP/1.0 no trailers (RFC 9110 §10.1.4, RFC 9113 §8.2.2).
    #[must_use]
    pub fn asked(version: Version, headers: &HeaderMap) -> Self {
        let is_asked = lists(headers, &TE, "trailers")
            && match version {
                Version::HTTP_2 => true,
                Version::HTTP_11 => lists(headers, &CONNECTION, "te"),
                _ => false,
            };
        match (is_asked, headers.get(X_BANDOG_TRAILERS)) {
            (false, _) => Self::None,
            (true, Some(value)) if value == "1" => Self::Failure,
            (true, _) => Self::Success,
        }
    }
}

/// Whether a list has this member. A field that is not all ASCII has no members: hyper reads it so, and sends no
/// trailers.
fn lists(headers: &HeaderMap, name: &HeaderName, member: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|found| found.trim().eq_ignore_ascii_case(member))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn asked(version: Version, fields: &[(&'static str, &[u8])]) -> Trailers {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(HeaderName::from_static(name), HeaderValue::from_bytes(value).expect("a header value"));
        }
        Trailers::asked(version, &headers)
    }

    #[test]
    fn a_failure_is_reported_only_to_a_client_that_has_asked_for_it_in_full() {
        let own: (&str, &[u8]) = ("x-bandog-trailers", b"1");
        let te: (&str, &[u8]) = ("te", b"gzip;q=0.5, Trailers");
        let connection: (&str, &[u8]) = ("connection", b"keep-alive, TE");
        assert_eq!(asked(Version::HTTP_11, &[te, connection, own]), Trailers::Failure);
        assert_eq!(asked(Version::HTTP_2, &[te, own]), Trailers::Failure);
        for (version, fields) in [
            (Version::HTTP_11, &[te, connection][..]),
            (Version::HTTP_2, &[te]),
            (Version::HTTP_2, &[te, ("x-bandog-trailers", b"true")]),
            (Version::HTTP_2, &[te, ("x-bandog-trailers", b"0"), own]),
        ] {
            assert_eq!(asked(version, fields), Trailers::Success, "{version:?} {fields:?}");
        }
        for (version, fields) in [
            (Version::HTTP_10, &[te, connection, own][..]),
            (Version::HTTP_11, &[te, own]),
            (Version::HTTP_11, &[connection, own]),
            (Version::HTTP_2, &[own]),
            (Version::HTTP_2, &[("te", b"trailers;q=1"), own]),
            // hyper does not read this field, and would send no trailers.
            (Version::HTTP_2, &[("te", b"\xe9, trailers"), own]),
        ] {
            assert_eq!(asked(version, fields), Trailers::None, "{version:?} {fields:?}");
        }
    }
}
