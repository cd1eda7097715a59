//! The address of a bucket or an object: the server, and the path of the request, in which a key is kept byte for byte.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::Addressing;
use crate::{
    http::{Endpoint, Scheme},
    object::ObjectPath,
};

/// The characters that signature version 4 encodes: all but the unreserved characters of RFC 3986 §2.3.
pub(super) const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The same in a key, whose slashes stay.
const RESERVED_IN_KEY: &AsciiSet = &RESERVED.remove(b'/');

/// The address of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// The server.
    pub(super) endpoint: Endpoint,
    /// The path, encoded.
    pub(super) path: String,
}

/// The address of an object; of its bucket, if the key is empty; and of the service, if the bucket is empty too.
/// Without an endpoint the server is that of AWS for `region`.
pub(super) fn target(endpoint: Option<&Endpoint>, addressing: Addressing, region: &str, at: &ObjectPath) -> Target {
    let mut endpoint = endpoint.cloned().unwrap_or_else(|| aws("s3", region));
    let bucket = utf8_percent_encode(&at.bucket, RESERVED);
    let key = utf8_percent_encode(&at.key, RESERVED_IN_KEY);
    let prefix = &endpoint.prefix;
    if at.bucket.is_empty() {
        let path = format!("{prefix}/");
        return Target { endpoint, path };
    }
    if addressing == Addressing::Path || !is_host(&at.bucket, &endpoint) {
        let slash = if at.key.is_empty() { "" } else { "/" };
        let path = format!("{prefix}/{bucket}{slash}{key}");
        return Target { endpoint, path };
    }
    let path = format!("{prefix}/{key}");
    endpoint.host = format!("{}.{}", at.bucket, endpoint.host);
    Target { endpoint, path }
}

/// The server of an AWS service.
pub(super) fn aws(service: &str, region: &str) -> Endpoint {
    let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    let scheme = Scheme::Https;
    Endpoint { scheme, host: format!("{service}.{region}.{domain}"), port: scheme.port(), prefix: String::new() }
}

/// Whether a bucket can be a part of the name of a host. Over TLS a dot would lead to a name that the certificate of
/// `*.HOST` does not cover; an address has no parts.
fn is_host(bucket: &str, endpoint: &Endpoint) -> bool {
    let is_sign = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(is_sign)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    bucket.split('.').all(is_label)
        && !(endpoint.scheme == Scheme::Https && bucket.contains('.'))
        && endpoint.host.parse::<std::net::IpAddr>().is_err()
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;

    use super::*;

    fn endpoint(text: &str) -> Endpoint {
        Endpoint::parse(text).expect(text)
    }

    #[test]
    fn a_bucket_is_in_the_path_or_in_the_name_of_the_host() {
        let object = ObjectPath::new("bucket", "a/b");
        for (server, addressing, shown, path) in [
            ("http://127.0.0.1:9000", Addressing::Path, "http://127.0.0.1:9000", "/bucket/a/b"),
            ("http://h:9000/s3/", Addressing::Path, "http://h:9000/s3", "/s3/bucket/a/b"),
            ("http://h:9000/s3", Addressing::Virtual, "http://bucket.h:9000/s3", "/s3/a/b"),
            ("https://h", Addressing::Virtual, "https://bucket.h", "/a/b"),
            ("http://127.0.0.1:9000", Addressing::Virtual, "http://127.0.0.1:9000", "/bucket/a/b"),
        ] {
            let found = target(Some(&endpoint(server)), addressing, "x", &object);
            assert_eq!((found.endpoint.to_string().as_str(), found.path.as_str()), (shown, path));
        }
    }

    #[test]
    fn a_bucket_that_is_no_part_of_a_host_stays_in_the_path() {
        for bucket in ["Upper", "under_score", "-x", "x-", "a.b", "a..b", "\u{fc}"] {
            let found = target(Some(&endpoint("https://h")), Addressing::Virtual, "x", &ObjectPath::new(bucket, "k"));
            assert_eq!(found.endpoint.host, "h", "{bucket}");
        }
        let dotted = target(Some(&endpoint("http://h")), Addressing::Virtual, "x", &ObjectPath::new("a.b", "k"));
        assert_eq!((dotted.endpoint.host.as_str(), dotted.path.as_str()), ("a.b.h", "/k"));
    }

    #[test]
    fn without_an_endpoint_the_server_is_that_of_the_region() {
        let object = ObjectPath::new("bucket", "k");
        for (region, host) in [
            ("us-east-1", "bucket.s3.us-east-1.amazonaws.com"),
            ("cn-north-1", "bucket.s3.cn-north-1.amazonaws.com.cn"),
        ] {
            let found = target(None, Addressing::Virtual, region, &object);
            assert_eq!(found.endpoint.to_string(), format!("https://{host}"));
        }
    }

    #[test]
    fn a_bucket_and_the_service_have_addresses_too() {
        let server = endpoint("http://h/p");
        let path = |bucket: &str, addressing| target(Some(&server), addressing, "x", &ObjectPath::new(bucket, "")).path;
        assert_eq!(path("bucket", Addressing::Path), "/p/bucket");
        assert_eq!(path("bucket", Addressing::Virtual), "/p/");
        assert_eq!(path("", Addressing::Path), "/p/");
    }

    #[test]
    fn only_reserved_characters_are_encoded() {
        let key = "/a//b/../c~d e+f%20\u{fc}u\u{308}\n?#&=";
        let found = target(Some(&endpoint("http://h")), Addressing::Path, "x", &ObjectPath::new("b", key));
        assert_eq!(found.path, "/b//a//b/../c~d%20e%2Bf%2520%C3%BCu%CC%88%0A%3F%23%26%3D");
    }

    proptest! {
        #[test]
        fn any_key_decodes_back_from_the_target_of_the_request(key in "\\PC{1,60}|[/.%+ \n\0~]{1,30}|(?s:.{1,40})") {
            for (server, addressing, before) in [
                ("http://h/p", Addressing::Path, "/p/bucket/"),
                ("http://h/p", Addressing::Virtual, "/p/"),
                ("http://h", Addressing::Virtual, "/"),
            ] {
                let object = ObjectPath::new("bucket", key.as_str());
                let found = target(Some(&endpoint(server)), addressing, "x", &object);
                // As hyper sends it.
                let sent = http::Uri::try_from(found.path.as_str()).expect("a target");
                prop_assert_eq!(sent.query(), None);
                let sent = sent.path().strip_prefix(before).expect("the prefix");
                prop_assert_eq!(percent_decode_str(sent).decode_utf8().expect("UTF-8"), key.as_str());
            }
        }
    }
}
