//! Base64 in pieces: strict, but for line ends anywhere, which some servers put in.
//!
//! Not [`bandog_codec::base64`], which takes every spelling of a body that must be base64. An answer without a label
//! may as well be text, and the fewer texts pass for base64 the better.

/// The bytes are not base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotBase64;

/// Decodes what is pushed.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    /// Up to three characters that wait for their fourth.
    waiting: Vec<u8>,
    /// Padding has been seen: nothing may follow.
    padded: bool,
}

impl Decoder {
    /// Adds what `piece` decodes to.
    pub(super) fn push(&mut self, piece: &[u8], decoded: &mut Vec<u8>) -> Result<(), NotBase64> {
        self.waiting.extend(piece.iter().filter(|byte| !matches!(byte, b'\r' | b'\n')));
        if self.padded && !self.waiting.is_empty() {
            return Err(NotBase64);
        }
        let whole = self.waiting.len() / 4 * 4;
        let quads = &self.waiting[..whole];
        self.padded = quads.ends_with(b"=");
        base64_simd::STANDARD.decode_append(quads, decoded).map_err(|_| NotBase64)?;
        self.waiting.drain(..whole);
        Ok(())
    }

    /// Whether that was all of it.
    pub(super) fn finish(&self) -> Result<(), NotBase64> {
        if self.waiting.is_empty() { Ok(()) } else { Err(NotBase64) }
    }
}

#[cfg(test)]
mod tests {
    use ::base64::{Engine as _, prelude::BASE64_STANDARD};
    use proptest::prelude::*;

    use super::*;

    fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, NotBase64> {
        let (mut decoder, mut bytes) = (Decoder::default(), Vec::new());
        for piece in pieces {
            decoder.push(piece, &mut bytes)?;
        }
        decoder.finish()?;
        Ok(bytes)
    }

    #[test]
    fn what_is_not_base64_is_refused() {
        for text in ["a", "ab", "abc", "ab=", "ab==c", "ab==YWJj", "a===", "====", "ab c", "ab-_", "{}", "YWJj\0"] {
            assert_eq!(decode([text.as_bytes()]), Err(NotBase64), "{text:?}");
            assert_eq!(decode(text.as_bytes().chunks(1)), Err(NotBase64), "{text:?} byte by byte");
        }
        assert_eq!(decode(["YWJj\r\n".as_bytes(), b"\nZA==\n"]), Ok(b"abcd".to_vec()));
    }

    proptest! {
        #[test]
        fn pieces_decode_as_the_whole(bytes: Vec<u8>, size in 1..40_usize, line in 1..80_usize) {
            let text = BASE64_STANDARD.encode(&bytes);
            let lines = text.as_bytes().chunks(line).collect::<Vec<_>>().join(&b"\r\n"[..]);
            prop_assert_eq!(decode(lines.chunks(size)), Ok(bytes));
        }

        #[test]
        fn pieces_are_refused_as_the_whole(text in "[A-Ca-c=]{0,12}", size in 1..5_usize) {
            let reference = BASE64_STANDARD.decode(&text).map_err(|_| NotBase64);
            prop_assert_eq!(decode(text.as_bytes().chunks(size)), reference);
        }
    }
}
