//! An incremental base64 decoder, and the encoding of whole slices. It does not decide whether a body is base64 at all; the caller does.
//!
//! Lenient where encoders and transports differ: the standard or the URL-safe alphabet (RFC 4648 §4 and §5), with or
//! without padding, blanks and line breaks anywhere (§3.3 lets a decoder ignore them). Strict about everything else: an
//! invalid byte is reported, never skipped, and a shape that no encoder writes is no base64.
//!
//! Two rules tell other text from base64. No encoder mixes the alphabets. And the last character may contain bits that
//! belong to no byte: §3.5 leaves it to the decoder whether they must be zero. Here they must, as every encoder writes
//! them, with padding or without: `Hello World` is no base64, and neither is the form `key=`.
//!
//! There are two paths. The scalar path defines the format. The fast path decodes runs of plain characters; if a block
//! contains anything else, it leaves the whole block to the scalar path.

mod encode;

use memchr::{memchr2, memchr2_iter};

pub use self::encode::{append, encoded_len};

use crate::position::Position;

/// Bytes per block: large enough for SIMD, small enough to stay in the L1 cache together with the output.
const BLOCK: usize = 8 * 1024;

/// Below this length the set-up of the fast path costs more than it saves.
const FAST_MIN: usize = 64;

/// Bytes at the end of a block that are checked one by one before the fast path, such as two `=` and two CRLFs.
const TRAILER: usize = 8;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Space and the white space of C. `curl`, `fold`, `base64` and mail programs break lines with these bytes.
const BLANKS: &[u8; 6] = b" \t\n\x0b\x0c\r";

/// Classes of the bytes that are not one of the 64 characters.
const BLANK: u8 = 0x40;
const PAD: u8 = 0x41;
const OTHER: u8 = 0x42;

/// For each byte: its value if it is a base64 character, its class otherwise.
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

/// Whether `byte` is ignored between base64 characters.
#[must_use]
pub fn is_blank(byte: u8) -> bool {
    CLASS[usize::from(byte)] == BLANK
}

/// The reason why a body is not base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Base64Error {
    /// A byte of neither alphabet.
    #[error("{0}, expected a character of base64")]
    Byte(Position),
    /// `=` at a point where no group can end.
    #[error("{0}, expected padding only after two or three characters of a group of four")]
    EarlyPadding(Position),
    /// One `=` where two are needed.
    #[error("{0}, expected the second '=' of the padding")]
    HalfPadding(Position),
    /// A byte other than a blank after the padding.
    #[error("{0}, expected nothing after the padding")]
    AfterPadding(Position),
    /// A single character in the last group: six bits do not make a byte.
    #[error("{0}, expected more: the last group has a single character")]
    Leftover(Position),
    /// The last character has non-zero bits that belong to no byte.
    #[error("{0}, expected another last character: it has spare bits, which encoders leave zero")]
    SpareBits(Position),
    /// A character of the other alphabet than one before it.
    #[error("{0}, expected one alphabet: either '+' and '/', or '-' and '_'")]
    Mixed(Position),
}

impl Base64Error {
    /// The position of the first byte that is wrong, or the end of the body.
    #[must_use]
    pub fn position(&self) -> Position {
        match self {
            Self::Byte(position)
            | Self::EarlyPadding(position)
            | Self::HalfPadding(position)
            | Self::AfterPadding(position)
            | Self::Leftover(position)
            | Self::SpareBits(position)
            | Self::Mixed(position) => *position,
        }
    }
}

/// The two alphabets, which differ in two characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alphabet {
    /// RFC 4648 §4: `+` and `/`.
    Standard,
    /// RFC 4648 §5: `-` and `_`.
    UrlSafe,
}

impl Alphabet {
    /// The alphabet that alone has this character.
    fn of(byte: u8) -> Option<Self> {
        match byte {
            b'+' | b'/' => Some(Self::Standard),
            b'-' | b'_' => Some(Self::UrlSafe),
            _ => None,
        }
    }

    /// Whether one of the characters belongs to this alphabet alone.
    fn is_shown_by(self, characters: &[u8]) -> bool {
        match self {
            Self::Standard => memchr2(b'+', b'/', characters).is_some(),
            Self::UrlSafe => memchr2(b'-', b'_', characters).is_some(),
        }
    }
}

/// The part of the padding that has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Padding {
    None,
    /// One `=` of two.
    Half,
    Whole,
}

/// A push decoder. Between two pieces it keeps one unfinished group of four characters.
#[derive(Debug)]
pub struct Decoder {
    /// Offset of the next byte in the body, for errors.
    offset: u64,
    /// The values of the characters of the unfinished group, six bits each.
    group: u32,
    /// The number of characters in `group`, 0 to 3.
    count: u8,
    padding: Padding,
    /// The alphabet of the body; `None` while no character has shown it.
    alphabet: Option<Alphabet>,
    /// Whether the last block had line breaks; if so, the next block is searched for them first.
    has_lines: bool,
    /// The last block without its line breaks; kept to reuse the allocation.
    squeezed: Vec<u8>,
}

impl Decoder {
    /// A decoder whose first byte is at `offset` in the body.
    #[must_use]
    pub fn new(offset: u64) -> Self {
        Self {
            offset,
            group: 0,
            count: 0,
            padding: Padding::None,
            alphabet: None,
            has_lines: false,
            squeezed: Vec::new(),
        }
    }

    /// Decodes one piece and appends the result to `out`. After an error the content of `out` is meaningless.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), Base64Error> {
        out.reserve(piece.len() / 4 * 3 + 3);
        let mut rest = piece;
        while !rest.is_empty() {
            // Complete the unfinished group first, so that the rest needs no copy.
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

    /// Ends the body: appends the bytes of an unpadded last group to `out`.
    pub fn finish(self, out: &mut Vec<u8>) -> Result<(), Base64Error> {
        let end = Position::end(self.offset);
        match (self.padding, self.count) {
            (Padding::Half, _) => Err(Base64Error::HalfPadding(end)),
            (Padding::None, 1) => Err(Base64Error::Leftover(end)),
            (Padding::None | Padding::Whole, 2..) if self.unpadded() & 0xff_ffff >> (8 * (self.count - 1)) != 0 => {
                Err(Base64Error::SpareBits(end))
            }
            (Padding::None | Padding::Whole, _) => {
                out.extend_from_slice(&self.unpadded().to_be_bytes()[1..][..usize::from(self.count.saturating_sub(1))]);
                Ok(())
            }
        }
    }

    /// The unfinished group, filled up with zero bits.
    fn unpadded(&self) -> u32 {
        self.group << (6 * (4 - u32::from(self.count)))
    }

    /// Decodes `block` if it holds nothing but characters and line breaks; returns the number of bytes it consumed.
    fn fast(&mut self, block: &[u8], out: &mut Vec<u8>) -> usize {
        if block.len() < FAST_MIN {
            return 0;
        }
        debug_assert!(self.count == 0, "a block begins with a group, and after padding there is none");
        // Exclude the padding, or the whole last block would take the slow path.
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
            // The last characters form an unfinished group. If one of them is invalid, the scalar path reports which.
            let ends_well = tail.iter().all(|byte| CLASS[usize::from(*byte)] < 64);
            let before = out.len();
            if ends_well && self.simd(groups, out) && tail.iter().all(|byte| self.take(*byte)) {
                for &byte in tail {
                    self.group = self.group << 6 | u32::from(CLASS[usize::from(byte)]);
                    self.count += 1;
                }
                clean.len()
            } else {
                out.truncate(before);
                0
            }
        };
        self.squeezed = squeezed;
        self.offset += done as u64;
        done
    }

    /// Decodes whole groups of the alphabet of the body, or leaves `out` unchanged.
    fn simd(&mut self, groups: &[u8], out: &mut Vec<u8>) -> bool {
        let possible = match self.alphabet {
            Some(alphabet) => [Some(alphabet), None],
            None => [Some(Alphabet::Standard), Some(Alphabet::UrlSafe)],
        };
        for alphabet in possible.into_iter().flatten() {
            let codec = match alphabet {
                Alphabet::Standard => base64_simd::STANDARD_NO_PAD,
                Alphabet::UrlSafe => base64_simd::URL_SAFE_NO_PAD,
            };
            let before = out.len();
            if codec.decode_append(groups, out).is_ok() {
                if self.alphabet.is_none() && alphabet.is_shown_by(groups) {
                    self.alphabet = Some(alphabet);
                }
                return true;
            }
            out.truncate(before);
        }
        false
    }

    /// Notes the alphabet that a character shows; false if the body has shown the other one.
    fn take(&mut self, byte: u8) -> bool {
        let shown = Alphabet::of(byte);
        self.alphabet = self.alphabet.or(shown);
        shown.is_none() || shown == self.alphabet
    }

    /// Decodes byte by byte. This function defines the format.
    fn scalar(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Base64Error> {
        for (index, &byte) in bytes.iter().enumerate() {
            let offset = self.offset;
            let position = || Position::byte(offset + index as u64, byte);
            match (CLASS[usize::from(byte)], self.padding) {
                (BLANK, _) => {}
                (62..64, Padding::None) if !self.take(byte) => return Err(Base64Error::Mixed(position())),
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
                        _ => return Err(Base64Error::EarlyPadding(position())),
                    }
                }
                (PAD, Padding::Half) => self.padding = Padding::Whole,
                (0..=PAD, Padding::Half) => return Err(Base64Error::HalfPadding(position())),
                (0..=PAD, Padding::Whole) => return Err(Base64Error::AfterPadding(position())),
                (OTHER.., _) => return Err(Base64Error::Byte(position())),
            }
        }
        self.offset += bytes.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
