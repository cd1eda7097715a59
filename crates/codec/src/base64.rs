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

use crate::position::Position;

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
pub enum Base64Error {
    /// A byte of neither alphabet.
    #[error("{0}, expected a character of base64")]
    Byte(Position),
    /// `=` where no group can end.
    #[error("{0}, expected padding only after two or three characters of a group of four")]
    EarlyPadding(Position),
    /// One `=` where it takes two.
    #[error("{0}, expected the second '=' of the padding")]
    HalfPadding(Position),
    /// Something other than blanks after the padding.
    #[error("{0}, expected nothing after the padding")]
    AfterPadding(Position),
    /// One character alone in the last group: six bits are no byte.
    #[error("{0}, expected more: the last group has a single character")]
    Leftover(Position),
    /// The last character of an unpadded body has bits that belong to no byte.
    #[error("{0}, expected padding or more: the last character has bits to spare")]
    SpareBits(Position),
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
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), Base64Error> {
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
    pub fn finish(self, out: &mut Vec<u8>) -> Result<(), Base64Error> {
        let end = Position::end(self.offset);
        match (self.padding, self.count) {
            (Padding::Half, _) => Err(Base64Error::HalfPadding(end)),
            (Padding::None, 1) => Err(Base64Error::Leftover(end)),
            (Padding::None, 2..) if self.unpadded() & 0xff_ffff >> (8 * (self.count - 1)) != 0 => {
                Err(Base64Error::SpareBits(end))
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
    fn scalar(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Base64Error> {
        for (index, &byte) in bytes.iter().enumerate() {
            let position = || Position::byte(self.offset + index as u64, byte);
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
