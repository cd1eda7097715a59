//! Decodes a response in base64.
//!
//! The decoder of request bodies accepts every spelling. Here only one is accepted: the standard alphabet in whole
//! groups of four, with line ends anywhere, as some servers insert them. A response without a label may be text, which
//! must not pass for base64; and one without its padding may have been cut off.

use bandog_codec::base64::Decoder;

/// The bytes are not base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotBase64;

/// Decodes pieces of a response.
#[derive(Debug)]
pub(super) struct GroupDecoder {
    decoder: Decoder,
    /// The characters so far, with padding and without line ends.
    characters: u64,
}

impl GroupDecoder {
    pub(super) fn new() -> Self {
        Self { decoder: Decoder::new(0), characters: 0 }
    }

    /// Appends the decoded bytes of `piece`.
    pub(super) fn push(&mut self, piece: &[u8], decoded: &mut Vec<u8>) -> Result<(), NotBase64> {
        for byte in piece {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' | b'=' => self.characters += 1,
                b'\r' | b'\n' => {}
                _ => return Err(NotBase64),
            }
        }
        self.decoder.push(piece, decoded).map_err(|_| NotBase64)
    }

    /// Appends the last bytes.
    pub(super) fn finish(self, decoded: &mut Vec<u8>) -> Result<(), NotBase64> {
        if !self.characters.is_multiple_of(4) {
            return Err(NotBase64);
        }
        self.decoder.finish(decoded).map_err(|_| NotBase64)
    }
}

#[cfg(test)]
mod tests {
    use ::base64::{
        Engine as _,
        alphabet::STANDARD,
        engine::{GeneralPurpose, GeneralPurposeConfig},
        prelude::BASE64_STANDARD,
    };
    use proptest::prelude::*;

    use super::*;

    fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, NotBase64> {
        let (mut decoder, mut bytes) = (GroupDecoder::new(), Vec::new());
        for piece in pieces {
            decoder.push(piece, &mut bytes)?;
        }
        decoder.finish(&mut bytes)?;
        Ok(bytes)
    }

    #[test]
    fn text_and_other_spellings_are_refused() {
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
            let config = GeneralPurposeConfig::new();
            let reference = GeneralPurpose::new(&STANDARD, config).decode(&text).map_err(|_| NotBase64);
            prop_assert_eq!(decode(text.as_bytes().chunks(size)), reference);
        }
    }
}
