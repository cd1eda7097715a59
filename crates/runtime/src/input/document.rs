//! Inputs that are documents: the text that a policy writes, with the body of the request within it, in base64. The
//! document is made while the body arrives.

use std::fmt;

use base64_simd::STANDARD;
use bytes::Bytes;
use http::HeaderMap;

use super::{BodyError, BodySource};

/// Describes the document that a function reads in place of the body of a request.
pub trait InputDocument: fmt::Debug + Sync {
    /// Returns the text around the body of a request with these header fields. Those that `hides` names are secret, and
    /// must be left out.
    fn frame(&self, headers: &HeaderMap, hides: &dyn Fn(&str) -> bool) -> DocumentFrame;
}

/// The text around a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentFrame {
    /// The text before the body.
    pub before: Vec<u8>,
    /// The text after the body.
    pub after: &'static str,
}

/// A body within a document.
pub struct DocumentBody<'a> {
    body: &'a mut dyn BodySource,
    /// The text before the body, until it has been read.
    before: Option<Vec<u8>>,
    after: &'static str,
    /// Fewer bytes than make a group of base64 (RFC 4648 §4).
    rest: Vec<u8>,
    has_ended: bool,
}

impl fmt::Debug for DocumentBody<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DocumentBody").field("has_ended", &self.has_ended).finish_non_exhaustive()
    }
}

impl<'a> DocumentBody<'a> {
    /// Puts `body` into `frame`.
    pub fn new(frame: DocumentFrame, body: &'a mut dyn BodySource) -> Self {
        let DocumentFrame { before, after } = frame;
        Self { body, before: Some(before), after, rest: Vec::new(), has_ended: false }
    }
}

impl BodySource for DocumentBody<'_> {
    fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        if let Some(before) = self.before.take() {
            return Ok(Some(before.into()));
        }
        while !self.has_ended {
            let Some(piece) = self.body.next()? else {
                self.has_ended = true;
                let mut end = STANDARD.encode_to_string(&self.rest).into_bytes();
                end.extend_from_slice(self.after.as_bytes());
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

    fn document(pieces: &[&'static [u8]]) -> String {
        let mut pieces = Pieces(pieces.to_vec());
        let frame = DocumentFrame { before: b"<body>".to_vec(), after: "</body>" };
        let mut source = DocumentBody::new(frame, &mut pieces);
        let mut all = Vec::new();
        while let Some(piece) = source.next().expect("no error") {
            assert!(!piece.is_empty(), "a piece is never empty");
            all.extend_from_slice(&piece);
        }
        String::from_utf8(all).expect("text")
    }

    #[test]
    fn a_body_in_any_pieces_is_the_same_base64() {
        let body: &'static [u8] = b"0123456789abcdefghij";
        let wanted = format!("<body>{}</body>", BASE64_STANDARD.encode(body));
        for size in 1..=body.len() {
            let pieces: Vec<&'static [u8]> = body.chunks(size).collect();
            assert_eq!(document(&pieces), wanted, "{size}");
        }
        assert_eq!(document(&[]), "<body></body>");
    }
}
