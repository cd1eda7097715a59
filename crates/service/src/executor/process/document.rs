//! Input wrapping: the function reads one JSON document that holds the header fields and, in base64, the body of the
//! request. It is made while the body arrives.

use std::collections::BTreeMap;

use base64_simd::STANDARD;
use bytes::Bytes;
use hyper::{HeaderMap, header::HOST};

use crate::input::{BodyError, BodySource};

/// The part after the body.
const END: &[u8] = b"\"}}";

/// A body within such a document.
pub(crate) struct DocumentBody<'a> {
    body: &'a mut dyn BodySource,
    /// The part before the body.
    begin: Option<Vec<u8>>,
    /// Fewer bytes than make a group of base64 (RFC 4648 §4).
    rest: Vec<u8>,
    has_ended: bool,
}

/// The document up to the body: the fields by their names in Go's spelling, each with all of its values. Those that `hides`
/// names are left out.
pub(crate) fn begin(headers: &HeaderMap, hides: impl Fn(&str) -> bool) -> Vec<u8> {
    let mut fields: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in headers {
        if *name != HOST && !hides(name.as_str()) {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            fields.entry(canonical(name.as_str())).or_default().push(value);
        }
    }
    let mut text = serde_json::to_string(&fields).unwrap_or_default();
    // As Go writes them, for documents that stand in HTML.
    for (sign, escaped) in [("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")] {
        text = text.replace(sign, escaped);
    }
    format!("{{\"header\":{text},\"body\":{{\"raw\":\"").into_bytes()
}

/// `X-Forwarded-For` for `x-forwarded-for`.
fn canonical(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_ascii_uppercase() + rest
    });
    words.collect::<Vec<_>>().join("-")
}

impl<'a> DocumentBody<'a> {
    pub(crate) fn new(begin: Vec<u8>, body: &'a mut dyn BodySource) -> Self {
        Self { body, begin: Some(begin), rest: Vec::new(), has_ended: false }
    }
}

impl BodySource for DocumentBody<'_> {
    fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        if let Some(begin) = self.begin.take() {
            return Ok(Some(begin.into()));
        }
        while !self.has_ended {
            let Some(piece) = self.body.next()? else {
                self.has_ended = true;
                let mut end = STANDARD.encode_to_string(&self.rest).into_bytes();
                end.extend_from_slice(END);
                return Ok(Some(end.into()));
            };
            self.rest.extend_from_slice(&piece);
            let whole = self.rest.len() / 3 * 3;
            if whole > 0 {
                let encoded = STANDARD.encode_to_string(&self.rest[..whole]);
                self.rest.drain(..whole);
                return Ok(Some(encoded.into()));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, prelude::BASE64_STANDARD};

    use super::*;

    /// A body in pieces.
    struct Pieces(Vec<&'static [u8]>);

    impl BodySource for Pieces {
        fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
            Ok((!self.0.is_empty()).then(|| Bytes::from_static(self.0.remove(0))))
        }
    }

    fn document(headers: &HeaderMap, pieces: &[&'static [u8]]) -> String {
        let mut pieces = Pieces(pieces.to_vec());
        let mut source = DocumentBody::new(begin(headers, |name| name == "authorization"), &mut pieces);
        let mut all = Vec::new();
        while let Some(piece) = source.next().expect("no error") {
            assert!(!piece.is_empty(), "a piece is never empty");
            all.extend_from_slice(&piece);
        }
        String::from_utf8(all).expect("text")
    }

    #[test]
    fn names_and_values_are_spelled_as_go_spells_them() {
        let mut headers = HeaderMap::new();
        for (name, value) in
            [("user-agent", "curl/8"), ("accept", "*/*"), ("accept", "<a&b>"), ("host", "x"), ("authorization", "s")]
        {
            headers.append(name, value.parse().expect("a value"));
        }
        assert_eq!(
            document(&headers, &[b"hel", b"l", b"o"]),
            r#"{"header":{"Accept":["*/*","\u003ca\u0026b\u003e"],"User-Agent":["curl/8"]},"body":{"raw":"aGVsbG8="}}"#
        );
        assert_eq!(document(&HeaderMap::new(), &[]), r#"{"header":{},"body":{"raw":""}}"#);
    }

    #[test]
    fn a_body_in_any_pieces_is_the_same_base64() {
        let body: &'static [u8] = b"0123456789abcdefghij";
        for size in 1..=body.len() {
            let pieces: Vec<&'static [u8]> = body.chunks(size).collect();
            assert!(document(&HeaderMap::new(), &pieces).contains(&BASE64_STANDARD.encode(body)), "{size}");
        }
    }
}
