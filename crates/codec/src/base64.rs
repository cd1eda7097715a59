//! base64, decoded piece by piece.
//!
//! Lenient where senders differ without ambiguity: the standard and the URL-safe alphabet (RFC 4648 §4 and §5, even
//! mixed), padding or none, blanks and line breaks anywhere (§3.3 lets a decoder ignore them). Strict about everything
//! else: a byte that is not base64 is named, never skipped.
//!
//! The last character may have bits that belong to no byte. §3.5 leaves it to the decoder whether they must be zero:
//! here anything goes if padding says that this is base64, but without padding they must be zero, as every encoder
//! leaves them. That is what tells `Hello World` from base64.
//!
//! Two paths. The scalar one is the definition. The fast one takes runs without surprises, and leaves the block
//! untouched to the scalar one as soon as it meets one.

use memchr::memchr2_iter;

use crate::spot::Spot;

/// Bytes looked at in one go: large enough for SIMD, small enough to stay in the first-level cache with its output.
const BLOCK: usize = 8 * 1024;

/// Below this the set-up of the fast path costs more than it saves.
const FAST_MIN: usize = 64;

/// How many bytes at the end of a block are tried one by one before the fast path: two `=` and two line breaks.
const TRAILER: usize = 8;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Space and what C calls white space: `curl`, `fold`, `base64` and mail programs break lines with them.
const BLANKS: &[u8; 6] = b" \t\n\x0b\x0c\r";

/// Classes of bytes that are not one of the 64 characters.
const BLANK: u8 = 0x40;
const PAD: u8 = 0x41;
const OTHER: u8 = 0x42;

/// The value of every byte that is a character of base64, the class of every other.
const CLASS: [u8; 256] = {
    let mut table = [OTHER; 256];
    let mut value = 0u8;
    while value < 64 {
        table[ALPHABET[value as usize] as usize] = value;
        value += 1;
    }
    table[b'-' as usize] = 62;
    table[b'_' as usize] = 63;
    table[b'=' as usize] = PAD;
    let mut blank = 0;
    while blank < BLANKS.len() {
        table[BLANKS[blank] as usize] = BLANK;
        blank += 1;
    }
    table
};

/// Whether `byte` is ignored between characters of base64.
#[must_use]
pub fn is_blank(byte: u8) -> bool {
    CLASS[usize::from(byte)] == BLANK
}

/// Why a body is not base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A byte of neither alphabet.
    #[error("{0}, expected a character of base64")]
    Byte(Spot),
    /// `=` where no group can end.
    #[error("{0}, expected padding only after two or three characters of a group of four")]
    EarlyPadding(Spot),
    /// One `=` where it takes two.
    #[error("{0}, expected the second '=' of the padding")]
    HalfPadding(Spot),
    /// Something other than blanks after the padding.
    #[error("{0}, expected nothing after the padding")]
    AfterPadding(Spot),
    /// One character alone in the last group: six bits are no byte.
    #[error("{0}, expected more: the last group has a single character")]
    Leftover(Spot),
    /// The last character of an unpadded body has bits that belong to no byte.
    #[error("{0}, expected padding or more: the last character has bits to spare")]
    SpareBits(Spot),
}

/// How far the padding has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Padding {
    None,
    /// One `=` of two.
    Half,
    Whole,
}

/// A push decoder: state between pieces is one group of four characters.
#[derive(Debug)]
pub struct Decoder {
    /// Where the next byte stands in the body, for errors.
    offset: u64,
    /// The values of the characters of an unfinished group, six bits each.
    group: u32,
    /// How many they are, 0 to 3.
    count: u8,
    padding: Padding,
    /// Which alphabet the last block was in, so that the right one is tried first.
    url_safe: bool,
    /// Whether the last block had line breaks, so that they are looked for in the next one before anything else.
    has_lines: bool,
    /// A block without its line breaks; kept for its capacity.
    squeezed: Vec<u8>,
}

impl Decoder {
    /// A decoder whose first byte stands at `offset` in the body.
    #[must_use]
    pub fn new(offset: u64) -> Self {
        Self {
            offset,
            group: 0,
            count: 0,
            padding: Padding::None,
            url_safe: false,
            has_lines: false,
            squeezed: Vec::new(),
        }
    }

    /// Decodes one piece onto the end of `out`. After an error the content of `out` means nothing.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        out.reserve(piece.len() / 4 * 3 + 3);
        let mut rest = piece;
        while !rest.is_empty() {
            // To the border of a group first, so that what follows needs no copy.
            while let (1.., Some((first, after))) = (self.count, rest.split_at_checked(1)) {
                self.scalar(first, out)?;
                rest = after;
            }
            let (block, after) = rest.split_at(rest.len().min(BLOCK));
            let done = self.fast(block, out);
            self.scalar(&block[done..], out)?;
            rest = after;
        }
        Ok(())
    }

    /// Ends the body: writes the bytes of an unpadded last group onto the end of `out`.
    pub fn finish(self, out: &mut Vec<u8>) -> Result<(), Error> {
        let end = Spot::end(self.offset);
        match (self.padding, self.count) {
            (Padding::Half, _) => Err(Error::HalfPadding(end)),
            (Padding::None, 1) => Err(Error::Leftover(end)),
            (Padding::None, 2..) if self.unpadded() & 0xff_ffff >> (8 * (self.count - 1)) != 0 => {
                Err(Error::SpareBits(end))
            }
            (Padding::None | Padding::Whole, _) => {
                out.extend_from_slice(&self.unpadded().to_be_bytes()[1..][..usize::from(self.count.saturating_sub(1))]);
                Ok(())
            }
        }
    }

    /// The unfinished group as if filled up with zero bits.
    fn unpadded(&self) -> u32 {
        self.group << (6 * (4 - u32::from(self.count)))
    }

    /// Decodes as much of the beginning of `block` as is free of surprises; returns how many bytes that was.
    fn fast(&mut self, block: &[u8], out: &mut Vec<u8>) -> usize {
        if block.len() < FAST_MIN {
            return 0;
        }
        debug_assert!(self.count == 0, "a block begins with a group, and after padding there is none");
        // The padding at the end must not send the whole last block the slow way.
        let trailer = block.iter().rev().take(TRAILER).take_while(|byte| CLASS[usize::from(**byte)] > 63).count();
        let clean = &block[..block.len() - trailer];
        let groups = &clean[..clean.len() / 4 * 4];
        if !self.has_lines && self.simd(groups, out) {
            self.offset += groups.len() as u64;
            return groups.len();
        }
        let mut squeezed = std::mem::take(&mut self.squeezed);
        squeezed.clear();
        let mut from = 0;
        for at in memchr2_iter(b'\n', b'\r', clean) {
            squeezed.extend_from_slice(&clean[from..at]);
            from = at + 1;
        }
        let had_lines = std::mem::replace(&mut self.has_lines, from > 0);
        let done = if from == 0 {
            if had_lines && self.simd(groups, out) { groups.len() } else { 0 }
        } else {
            squeezed.extend_from_slice(&clean[from..]);
            let (groups, tail) = squeezed.split_at(squeezed.len() / 4 * 4);
            // The last characters are an unfinished group; if one of them is not base64, the slow way finds out which.
            let ends_well = tail.iter().all(|byte| CLASS[usize::from(*byte)] < 64);
            if ends_well && self.simd(groups, out) {
                for &byte in tail {
                    self.group = self.group << 6 | u32::from(CLASS[usize::from(byte)]);
                    self.count += 1;
                }
                clean.len()
            } else {
                0
            }
        };
        self.squeezed = squeezed;
        self.offset += done as u64;
        done
    }

    /// Decodes whole groups of one alphabet, or leaves `out` as it was.
    fn simd(&mut self, groups: &[u8], out: &mut Vec<u8>) -> bool {
        for url_safe in [self.url_safe, !self.url_safe] {
            let codec = if url_safe { base64_simd::URL_SAFE_NO_PAD } else { base64_simd::STANDARD_NO_PAD };
            let before = out.len();
            if codec.decode_append(groups, out).is_ok() {
                self.url_safe = url_safe;
                return true;
            }
            out.truncate(before);
        }
        false
    }

    /// Byte by byte: what base64 is.
    fn scalar(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        for (position, &byte) in bytes.iter().enumerate() {
            let spot = || Spot::byte(self.offset + position as u64, byte);
            match (CLASS[usize::from(byte)], self.padding) {
                (BLANK, _) => {}
                (value @ 0..64, Padding::None) => {
                    self.group = self.group << 6 | u32::from(value);
                    self.count += 1;
                    if self.count == 4 {
                        out.extend_from_slice(&self.group.to_be_bytes()[1..]);
                        (self.group, self.count) = (0, 0);
                    }
                }
                (PAD, Padding::None) => {
                    self.padding = match self.count {
                        2 => Padding::Half,
                        3 => Padding::Whole,
                        _ => return Err(Error::EarlyPadding(spot())),
                    }
                }
                (PAD, Padding::Half) => self.padding = Padding::Whole,
                (0..=PAD, Padding::Half) => return Err(Error::HalfPadding(spot())),
                (0..=PAD, Padding::Whole) => return Err(Error::AfterPadding(spot())),
                (OTHER.., _) => return Err(Error::Byte(spot())),
            }
        }
        self.offset += bytes.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::*;
    use crate::chunkings::check_base64;

    fn decoded(body: &[u8]) -> Result<Vec<u8>, Error> {
        let mut decoder = Decoder::new(0);
        let mut out = Vec::new();
        decoder.push(body, &mut out)?;
        decoder.finish(&mut out)?;
        Ok(out)
    }

    #[test]
    fn padding_alphabet_and_blanks_make_no_difference() {
        for (sent, wanted) in [
            ("", ""),
            (" \t\r\n\x0b\x0c", ""),
            ("SGVsbG8=", "Hello"),
            ("SGVsbG8", "Hello"),
            ("SGVsbG8= \r\n", "Hello"),
            ("S G\nV\ts\rb\x0bG\x0c8 =", "Hello"),
            ("QQ==", "A"),
            ("QQ= =", "A"),
            ("QQ", "A"),
            ("QR==", "A"),
            ("QUJ=", "AB"),
            ("1234", "\u{5db}~"),
        ] {
            let got = decoded(sent.as_bytes());
            if sent == "1234" {
                assert_eq!(got, Ok(vec![0xd7, 0x6d, 0xf8]), "digits are base64 like any other");
            } else {
                assert_eq!(got.as_deref(), Ok(wanted.as_bytes()), "{sent:?}");
            }
        }
        assert_eq!(decoded(b"-_-_"), decoded(b"+/+/"));
        assert_eq!(decoded(b"-/+_"), decoded(b"+/+/"), "even mixed");
    }

    #[test]
    fn anything_else_is_named_with_its_offset() {
        let long = [b"QUJD".repeat(5000), b"!".to_vec(), b"QUJD".repeat(5000)].concat();
        for (sent, wanted) in [
            (&b"!!!!"[..], Error::Byte(Spot::byte(0, b'!'))),
            (b"QUJD\nQU*D", Error::Byte(Spot::byte(7, b'*'))),
            (b"QUJD\0", Error::Byte(Spot::byte(4, 0))),
            (b"QUJD\xff", Error::Byte(Spot::byte(4, 0xff))),
            (&long, Error::Byte(Spot::byte(20_000, b'!'))),
            (b"=", Error::EarlyPadding(Spot::byte(0, b'='))),
            (b"QUJD=", Error::EarlyPadding(Spot::byte(4, b'='))),
            (b"Q===", Error::EarlyPadding(Spot::byte(1, b'='))),
            (b"QQ=", Error::HalfPadding(Spot::end(3))),
            (b"QQ=Q", Error::HalfPadding(Spot::byte(3, b'Q'))),
            (b"QQ===", Error::AfterPadding(Spot::byte(4, b'='))),
            (b"QUI=\nQUI=", Error::AfterPadding(Spot::byte(5, b'Q'))),
            (b"QUJDQ", Error::Leftover(Spot::end(5))),
            (b"Q \n", Error::Leftover(Spot::end(3))),
            (b"QR", Error::SpareBits(Spot::end(2))),
            (b"QUJ\n", Error::SpareBits(Spot::end(4))),
            (b"Hello World", Error::SpareBits(Spot::end(11))),
        ] {
            assert_eq!(decoded(sent), Err(wanted), "{}", sent[..sent.len().min(20)].escape_ascii());
        }
    }

    #[test]
    fn an_error_says_what_was_expected_where() {
        let message = decoded(b"QUJD QUJD?").expect_err("no base64").to_string();
        assert_eq!(message, "byte 0x3f '?' at offset 9, expected a character of base64");
        assert_eq!(
            decoded(b"A").expect_err("no base64").to_string(),
            "the body ends at offset 1, expected more: the last group has a single character"
        );
    }

    #[test]
    fn every_byte_value_has_its_class() {
        for byte in 0..=u8::MAX {
            check_base64(&[b'Q', byte, b'Q', b'Q']);
            check_base64(&[&b"QUJD".repeat(40)[..], &[byte], &b"QUJD".repeat(40)].concat());
        }
    }

    #[test]
    fn lines_of_any_length_are_as_good_as_one() {
        let body = b"abcdefghijklmnopqrstuvwxyz+/ABCDEFGHIJKLMNOPQRSTUVWXYZ-_0123456789".repeat(40);
        for length in [1, 2, 3, 4, 5, 63, 64, 65, 75, 76, 77, 1000] {
            for line_break in ["\n", "\r\n", " ", "\n\n\t"] {
                let lines = body.chunks(length).collect::<Vec<_>>().join(line_break.as_bytes());
                assert_eq!(decoded(&lines), decoded(&body), "{length} characters and {line_break:?}");
            }
        }
    }

    /// Encoded bytes, with blanks, the other alphabet and missing padding strewn in.
    fn valid() -> impl Strategy<Value = Vec<u8>> {
        (vec(any::<u8>(), 0..300), vec((any::<prop::sample::Index>(), select(&BLANKS[..])), 0..20), 0..3_u8).prop_map(
            |(bytes, blanks, form)| {
                let codec = if form == 0 { base64_simd::URL_SAFE_NO_PAD } else { base64_simd::STANDARD };
                let mut text = codec.encode_to_string(bytes).into_bytes();
                for (index, blank) in blanks {
                    text.insert(index.index(text.len() + 1), blank);
                }
                text
            },
        )
    }

    proptest! {
        #[test]
        fn valid_bodies_decode_as_the_reference_does_at_every_cut(body in valid()) {
            prop_assert!(decoded(&body).is_ok());
            check_base64(&body);
        }

        #[test]
        fn damaged_bodies_fail_as_the_reference_does_at_every_cut(
            mut body in valid(), at in any::<prop::sample::Index>(), byte in any::<u8>(), insert in any::<bool>(),
        ) {
            let at = at.index(body.len() + 1);
            if insert || at == body.len() { body.insert(at, byte) } else { body[at] = byte }
            check_base64(&body);
        }

        #[test]
        fn any_bytes_are_taken_as_the_reference_takes_them(body in vec(any::<u8>(), 0..100)) {
            check_base64(&body);
        }

        #[test]
        fn any_base64_characters_are_taken_as_the_reference_takes_them(
            body in vec(select(&b"AQz059+/-_== \n"[..]), 0..100),
        ) {
            check_base64(&body);
        }
    }

    #[test]
    fn long_bodies_decode_as_the_reference_does() {
        let bytes: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        let line = base64_simd::STANDARD.encode_to_string(&bytes).into_bytes();
        check_base64(&line);
        // Blocks with line breaks and blocks without, in turns.
        check_base64(&line.chunks(3 * BLOCK / 2).collect::<Vec<_>>().join(&b'\n'));
        check_base64(&line.chunks(76).collect::<Vec<_>>().join(&b'\n'));
        check_base64(&base64_simd::URL_SAFE_NO_PAD.encode_to_string(&bytes).into_bytes());
    }
}
