//! The signature of a PUT (AWS signature version 4), for a client that does nothing but send.

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac_sha256::{HMAC, Hash};
use md5::{Digest as _, Md5};

/// The keys of a store, and the time of its signatures.
pub(super) struct Signer<'a> {
    pub(super) host: &'a str,
    pub(super) region: &'a str,
    pub(super) access_key: &'a str,
    pub(super) secret_key: &'a str,
    /// As `x-amz-date` has it: `20261129T120000Z`.
    pub(super) date: &'a str,
}

impl Signer<'_> {
    /// A whole request that puts `body` at `path`, which has no sign that must be encoded. It has the digests that bandog
    /// sends, so that the store has the same work.
    pub(super) fn put(&self, path: &str, body: &[u8]) -> Vec<u8> {
        let Self { host, region, access_key, date, .. } = self;
        let (md5, payload) = (STANDARD.encode(Md5::digest(body)), hex(&Hash::hash(body)));
        let names = "content-md5;host;x-amz-content-sha256;x-amz-date";
        let canonical = format!(
            "PUT\n{path}\n\ncontent-md5:{md5}\nhost:{host}\nx-amz-content-sha256:{payload}\nx-amz-date:{date}\n\n\
             {names}\n{payload}"
        );
        let scope = format!("{}/{region}/s3/aws4_request", &date[..8]);
        let signature = self.signature(&scope, &canonical);
        let head = format!(
            "PUT {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\nContent-MD5: {md5}\r\n\
             x-amz-content-sha256: {payload}\r\nx-amz-date: {date}\r\nAuthorization: AWS4-HMAC-SHA256 \
             Credential={access_key}/{scope},SignedHeaders={names},Signature={signature}\r\n\r\n",
            body.len()
        );
        [head.as_bytes(), body].concat()
    }

    fn signature(&self, scope: &str, canonical: &str) -> String {
        let key = scope.split('/').fold(format!("AWS4{}", self.secret_key).into_bytes(), |key, part| {
            HMAC::mac(part.as_bytes(), &key).to_vec()
        });
        let text = format!("AWS4-HMAC-SHA256\n{}\n{scope}\n{}", self.date, hex(&Hash::hash(canonical.as_bytes())));
        hex(&HMAC::mac(text.as_bytes(), &key))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "GET Object" of the examples in the API reference of Amazon S3.
    #[test]
    fn the_published_example_is_signed_as_published() {
        let signer = Signer {
            host: "examplebucket.s3.amazonaws.com",
            region: "us-east-1",
            access_key: "AKIAIOSFODNN7EXAMPLE",
            secret_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            date: "20130524T000000Z",
        };
        let empty = hex(&Hash::hash(b""));
        let canonical = format!(
            "GET\n/test.txt\n\nhost:{}\nrange:bytes=0-9\nx-amz-content-sha256:{empty}\nx-amz-date:{}\n\n\
             host;range;x-amz-content-sha256;x-amz-date\n{empty}",
            signer.host, signer.date
        );
        let signature = signer.signature("20130524/us-east-1/s3/aws4_request", &canonical);
        assert_eq!(signature, "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
    }
}
