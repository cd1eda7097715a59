//! The digests of a part of a file, and what an ETag says about them.

use std::{fs::File, io, os::unix::fs::FileExt as _};

use http::HeaderMap;
use md5::{Digest as _, Md5};
use ring::digest::{Context, SHA256};

use super::sign::hex;
use crate::{
    control::Control,
    error::{Error, ErrorKind},
};

/// Bytes that are read at once.
const PIECE: usize = 64 * 1024;

/// The digests of a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Digests {
    pub(super) md5: [u8; 16],
    /// In hexadecimal, if it was asked for.
    pub(super) sha256: Option<String>,
}

impl Digests {
    /// Those of a part of a file.
    pub(super) fn of_file(
        file: &File,
        offset: u64,
        length: u64,
        with_sha256: bool,
        control: &Control<'_>,
    ) -> Result<Self, Error> {
        let mut md5 = Md5::new();
        let mut sha256 = with_sha256.then(|| Context::new(&SHA256));
        let mut piece = vec![0; usize::try_from(length).unwrap_or(PIECE).min(PIECE)];
        let (mut at, end) = (offset, offset + length);
        while at < end {
            control.check()?;
            let room = usize::try_from(end - at).unwrap_or(PIECE).min(PIECE);
            let count = match file.read_at(&mut piece[..room], at) {
                Ok(0) => return Err(became_shorter()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Error::file("read the output", &error)),
            };
            md5.update(&piece[..count]);
            if let Some(sha256) = &mut sha256 {
                sha256.update(&piece[..count]);
            }
            at += count as u64;
        }
        Ok(Self { md5: md5.finalize().into(), sha256: sha256.map(|sha256| hex(sha256.finish().as_ref())) })
    }

    /// Those of bytes in memory.
    pub(super) fn of_bytes(bytes: &[u8], with_sha256: bool) -> Self {
        let sha256 = with_sha256.then(|| hex(ring::digest::digest(&SHA256, bytes).as_ref()));
        Self { md5: md5_of(bytes), sha256 }
    }

    /// `Content-MD5`.
    pub(super) fn content_md5(&self) -> String {
        base64_simd::STANDARD.encode_to_string(self.md5)
    }
}

pub(super) fn became_shorter() -> Error {
    Error::new(ErrorKind::Rejected, "the file became shorter while it was sent")
}

pub(super) fn md5_of(bytes: &[u8]) -> [u8; 16] {
    Md5::digest(bytes).into()
}

/// The ETag of a response, with its quotes.
pub(super) fn etag(headers: &HeaderMap) -> Option<&str> {
    headers.get(http::header::ETAG)?.to_str().ok().map(str::trim).filter(|etag| !etag.is_empty())
}

/// Fails if the ETag of a response says that the store has other bytes than those with this digest. It says nothing if it
/// is no MD5, or that of an encrypted object.
pub(super) fn check_etag(headers: &HeaderMap, md5: [u8; 16]) -> Result<(), Error> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_encrypted = text("x-amz-server-side-encryption").starts_with("aws:kms")
        || headers.contains_key("x-amz-server-side-encryption-customer-algorithm");
    let Some(etag) = etag(headers).map(|etag| etag.trim_matches('"')) else { return Ok(()) };
    let is_md5 = etag.len() == 32 && etag.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_encrypted || !is_md5 || etag.eq_ignore_ascii_case(&hex(&md5)) {
        return Ok(());
    }
    let detail = format!("the store has other bytes: its ETag is {etag}, where the MD5 sent is {}", hex(&md5));
    Err(Error::passing(ErrorKind::Unverified, detail))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_part_of_a_file_is_digested() {
        let mut file = tempfile::tempfile().expect("a file");
        let content: Vec<u8> = (0..200_000).map(|at| u8::try_from(at % 251).unwrap_or_default()).collect();
        file.write_all(&content).expect("written");
        let digests = |offset, length| Digests::of_file(&file, offset, length, true, &Control::default());
        for (offset, length) in [(0, 0), (0, 200_000), (3, 65_536), (70_000, 130_000)] {
            let (from, to) =
                (usize::try_from(offset).expect("small"), usize::try_from(offset + length).expect("small"));
            assert_eq!(digests(offset, length).expect("read"), Digests::of_bytes(&content[from..to], true));
        }
        assert_eq!(digests(1, 200_000).expect_err("too short").kind, ErrorKind::Rejected);
        assert_eq!(Digests::of_bytes(b"", false).content_md5(), "1B2M2Y8AsgTpgAmY7PhCfg==");
    }

    #[test]
    fn an_etag_is_compared_only_where_it_says_something() {
        let right = "\"9a0364b9e99bb480dd25e1f0284c8555\"";
        let wrong = "\"9A0364B9E99BB480DD25E1F0284C8556\"";
        let kms = ("x-amz-server-side-encryption", "aws:kms");
        let customer = ("x-amz-server-side-encryption-customer-algorithm", "AES256");
        let aes = ("x-amz-server-side-encryption", "AES256");
        for (etag, other, is_right) in [
            (right, None, true),
            (wrong, None, false),
            (wrong, Some(aes), false),
            (wrong, Some(kms), true),
            (wrong, Some(customer), true),
            ("\"9a0364b9e99bb480dd25e1f0284c8556-2\"", None, true),
            ("", None, true),
            ("\"x\"", None, true),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("etag", etag.parse().expect("a value"));
            if let Some((name, value)) = other {
                headers.insert(name, value.parse().expect("a value"));
            }
            let checked = check_etag(&headers, md5_of(b"content"));
            assert_eq!(
                checked.as_ref().map_err(|error| error.kind),
                if is_right { Ok(&()) } else { Err(ErrorKind::Unverified) },
                "{etag} {other:?}"
            );
        }
        assert!(check_etag(&HeaderMap::new(), md5_of(b"content")).is_ok());
    }
}
