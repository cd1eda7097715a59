//! AWS signature version 4, in the `Authorization` header.
//!
//! Written out over ring, because the time of a signature must follow the clock of the store, and because the path must be
//! signed as it is sent: the crates that sign either take the time from the clock of this machine, or write some keys
//! otherwise.

use std::fmt::{self, Write as _};

use jiff::Timestamp;
use percent_encoding::utf8_percent_encode;
use ring::{digest, hmac};

use super::address::RESERVED;

/// `x-amz-content-sha256` of a payload that TLS protects.
pub(super) const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// SHA-256 of nothing.
pub(super) const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// A request as it is signed.
#[derive(Debug)]
pub(super) struct Signed<'a> {
    /// The method.
    pub(super) method: &'a str,
    /// The path, encoded as it is sent.
    pub(super) path: &'a str,
    /// The query, encoded and sorted as it is sent.
    pub(super) query: &'a str,
    /// The header fields: names in small letters, sorted, with their values.
    pub(super) headers: &'a [(&'a str, &'a str)],
    /// SHA-256 of the payload in hexadecimal, or [`UNSIGNED`].
    pub(super) payload: &'a str,
}

/// The time of a signature, as `x-amz-date` has it.
pub(super) fn date(time: Timestamp) -> String {
    time.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// The key of all signatures of a day in a region.
pub(super) struct SigningKey {
    secret: String,
    /// `DAY/REGION/s3/aws4_request`.
    scope: String,
    key: hmac::Key,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("scope", &self.scope).finish_non_exhaustive()
    }
}

impl SigningKey {
    /// The key at `date`, which is that of `x-amz-date`.
    pub(super) fn new(secret: &str, region: &str, date: &str) -> Self {
        let scope = scope(region, date);
        let mut key = hmac::Key::new(hmac::HMAC_SHA256, format!("AWS4{secret}").as_bytes());
        for part in scope.split('/') {
            key = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, part.as_bytes()).as_ref());
        }
        Self { secret: secret.to_owned(), scope, key }
    }

    /// Whether it is that of this secret, region and day.
    pub(super) fn is_of(&self, secret: &str, region: &str, date: &str) -> bool {
        self.secret == secret && self.scope == scope(region, date)
    }

    /// The value of `Authorization`. `date` is that of `x-amz-date`.
    pub(super) fn authorization(&self, request: &Signed<'_>, access_key: &str, date: &str) -> String {
        let scope = &self.scope;
        let names: Vec<&str> = request.headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let canonical = digest::digest(&digest::SHA256, request.canonical(&names).as_bytes());
        let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex(canonical.as_ref()));
        let signature = hex(hmac::sign(&self.key, text.as_bytes()).as_ref());
        format!("AWS4-HMAC-SHA256 Credential={access_key}/{scope},SignedHeaders={names},Signature={signature}")
    }
}

fn scope(region: &str, date: &str) -> String {
    format!("{}/{region}/s3/aws4_request", date.get(..8).unwrap_or_default())
}

impl Signed<'_> {
    fn canonical(&self, names: &str) -> String {
        let Self { method, path, query, headers, payload } = self;
        let mut text = format!("{method}\n{path}\n{query}\n");
        for (name, value) in *headers {
            let _ = writeln!(text, "{name}:{}", value.trim());
        }
        let _ = write!(text, "\n{names}\n{payload}");
        text
    }
}

/// A query, encoded and sorted. A name without a value has the sign `=` too.
pub(super) fn query(pairs: &[(&str, &str)]) -> String {
    let encoded = |text| utf8_percent_encode(text, RESERVED);
    let mut pairs: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    pairs.sort();
    pairs.join("&")
}

/// Bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or_default();
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 0xf));
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The secret key of the examples.
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

    /// The four examples of "Signature Calculations for the Authorization Header" in the API reference of Amazon S3.
    #[test]
    fn the_published_examples_are_signed_as_published() {
        let host = ("host", "examplebucket.s3.amazonaws.com");
        let time = ("x-amz-date", "20130524T000000Z");
        let none = ("x-amz-content-sha256", EMPTY);
        let put = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
        for (method, path, query, headers, payload, signature) in [
            (
                "GET",
                "/test.txt",
                "",
                vec![host, ("range", "bytes=0-9"), none, time],
                EMPTY,
                "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
            ),
            (
                "PUT",
                "/test%24file.text",
                "",
                vec![
                    ("date", "Fri, 24 May 2013 00:00:00 GMT"),
                    host,
                    ("x-amz-content-sha256", put),
                    time,
                    ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
                ],
                put,
                "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
            ),
            (
                "GET",
                "/",
                "lifecycle=",
                vec![host, none, time],
                EMPTY,
                "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
            ),
            (
                "GET",
                "/",
                "max-keys=2&prefix=J",
                vec![host, none, time],
                EMPTY,
                "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
            ),
        ] {
            let request = Signed { method, path, query, headers: &headers, payload };
            let date = "20130524T000000Z";
            let value =
                SigningKey::new(SECRET, "us-east-1", date).authorization(&request, "AKIAIOSFODNN7EXAMPLE", date);
            let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
            let expected = format!(
                "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
                 SignedHeaders={},Signature={signature}",
                names.join(";"),
            );
            assert_eq!(value, expected);
        }
    }

    #[test]
    fn a_key_is_that_of_one_secret_region_and_day() {
        let key = SigningKey::new(SECRET, "us-east-1", "20130524T000000Z");
        assert!(key.is_of(SECRET, "us-east-1", "20130524T235959Z"));
        assert!(!key.is_of(SECRET, "us-east-1", "20130525T000000Z"));
        assert!(!key.is_of(SECRET, "eu-west-1", "20130524T000000Z"));
        assert!(!key.is_of("another", "us-east-1", "20130524T000000Z"));
        assert!(!format!("{key:?}").contains(SECRET));
    }

    #[test]
    fn bytes_are_told_in_hexadecimal() {
        assert_eq!(hex(&[0x00, 0x0f, 0xa5, 0xff]), "000fa5ff");
    }

    #[test]
    fn a_query_is_sorted_and_encoded() {
        assert_eq!(query(&[]), "");
        assert_eq!(query(&[("uploads", "")]), "uploads=");
        assert_eq!(query(&[("uploadId", "a/b+c=~"), ("partNumber", "2")]), "partNumber=2&uploadId=a%2Fb%2Bc%3D~");
    }

    #[test]
    fn the_date_has_no_signs_between() {
        assert_eq!(date("2013-05-24T01:02:03.9Z".parse().expect("a time")), "20130524T010203Z");
    }
}
