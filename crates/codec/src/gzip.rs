//! An incremental decompressor for `Content-Encoding: gzip` (RFC 1952).
//!
//! Consecutive members form one body (§2.2). Nothing but a member may follow a member, and every check of the format is
//! made: a body that was truncated or damaged in transit must not reach the function as if it were complete.
//!
//! `flate2::write::MultiGzDecoder` is as fast but not as exact, so it is not used: its errors carry no offset, a
//! truncated body is reported as a wrong checksum, an empty body is refused, and a header field over 64 KiB too.

use flate2::{Crc, Decompress, FlushDecompress, Status};

use crate::position::Position;

/// Bytes of output per call of the decompressor.
const CHUNK: usize = 32 * 1024;

/// Flags of the member header (RFC 1952 §2.3.1).
const HEADER_CRC: u8 = 1 << 1;
const EXTRA: u8 = 1 << 2;
const NAME: u8 = 1 << 3;
const COMMENT: u8 = 1 << 4;
const RESERVED: u8 = 0b1110_0000;

/// The reason why a body is not gzip. Offsets count the compressed bytes, as sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GunzipError {
    /// A byte that no gzip header has at this position.
    #[error("not gzip: {position}, expected {expected}")]
    Header {
        /// Where.
        position: Position,
        /// The expected byte, in words.
        expected: &'static str,
    },
    /// The compressed data is invalid.
    #[error("not gzip: the member that begins at offset {start} is damaged: {reason}")]
    Damaged {
        /// Offset at which the member begins.
        start: u64,
        /// The defect.
        reason: &'static str,
    },
    /// The body ends within a member.
    #[error("not gzip: {0}, expected the rest of a member")]
    Cut(Position),
}

#[derive(Debug, Clone, Copy)]
enum GunzipState {
    /// The ten bytes of every header; the number of bytes read.
    Fixed(u8),
    /// The low byte of the length of the extra field.
    ExtraLow,
    /// The high byte of that length; holds the low byte.
    ExtraHigh(u8),
    /// The number of bytes left in the extra field.
    Extra(u16),
    Name,
    Comment,
    HeaderCrcLow,
    HeaderCrcHigh,
    Data,
    /// The eight bytes after the data; the number of bytes read.
    Trailer(u8),
}

/// A push decompressor.
#[derive(Debug)]
pub struct Gunzip {
    offset: u64,
    /// Offset at which the current member begins.
    start: u64,
    state: GunzipState,
    flags: u8,
    /// The checksum of the header while reading it, then of the data.
    crc: Crc,
    inflate: Decompress,
    chunk: Vec<u8>,
}

impl Default for Gunzip {
    fn default() -> Self {
        Self::new()
    }
}

impl Gunzip {
    /// A decompressor before the first byte.
    #[must_use]
    pub fn new() -> Self {
        Self {
            offset: 0,
            start: 0,
            state: GunzipState::Fixed(0),
            flags: 0,
            crc: Crc::new(),
            inflate: Decompress::new(false),
            chunk: vec![0; CHUNK],
        }
    }

    /// Decompresses one piece and passes the result to `sink`, at most 32 KiB at a time.
    pub fn push<E: From<GunzipError>>(
        &mut self,
        piece: &[u8],
        mut sink: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut rest = piece;
        while let Some((&byte, after)) = rest.split_first() {
            if matches!(self.state, GunzipState::Data) {
                let read = self.inflate(rest, &mut sink)?;
                rest = &rest[read..];
                self.offset += read as u64;
            } else {
                self.state = self.step(byte)?;
                rest = after;
                self.offset += 1;
            }
        }
        Ok(())
    }

    /// Ends the body. A body without a byte is empty, not damaged.
    pub fn finish(self) -> Result<(), GunzipError> {
        match self.state {
            GunzipState::Fixed(0) => Ok(()),
            _ => Err(GunzipError::Cut(Position::end(self.offset))),
        }
    }

    /// Inflates `input` until it is used up or the data ends; returns the number of bytes consumed.
    fn inflate<E: From<GunzipError>>(
        &mut self,
        input: &[u8],
        sink: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<usize, E> {
        let mut read = 0;
        loop {
            let (before_in, before_out) = (self.inflate.total_in(), self.inflate.total_out());
            let status = self.inflate.decompress(&input[read..], &mut self.chunk, FlushDecompress::None);
            let status = status.map_err(|_| self.damaged("the compressed data is invalid"))?;
            let consumed = difference(self.inflate.total_in(), before_in);
            let produced = difference(self.inflate.total_out(), before_out);
            read += consumed;
            self.crc.update(&self.chunk[..produced]);
            if produced > 0 {
                sink(&self.chunk[..produced])?;
            }
            match status {
                Status::StreamEnd => {
                    self.state = GunzipState::Trailer(0);
                    return Ok(read);
                }
                // If the output buffer is not full, this input gives no more output.
                Status::Ok | Status::BufError if read == input.len() && produced < self.chunk.len() => return Ok(read),
                Status::Ok | Status::BufError if consumed == 0 && produced == 0 => {
                    return Err(self.damaged("the compressed data makes no progress").into());
                }
                Status::Ok | Status::BufError => {}
            }
        }
    }

    fn damaged(&self, reason: &'static str) -> GunzipError {
        GunzipError::Damaged { start: self.start, reason }
    }

    /// Consumes one byte of a header or trailer.
    fn step(&mut self, byte: u8) -> Result<GunzipState, GunzipError> {
        let wrong = |expected| GunzipError::Header { position: Position::byte(self.offset, byte), expected };
        if !matches!(self.state, GunzipState::HeaderCrcLow | GunzipState::HeaderCrcHigh | GunzipState::Trailer(_)) {
            if matches!(self.state, GunzipState::Fixed(0)) {
                self.start = self.offset;
                self.crc.reset();
            }
            self.crc.update(&[byte]);
        }
        Ok(match self.state {
            GunzipState::Fixed(0) if byte != 0x1f && self.offset == 0 => return Err(wrong("the magic number 1f 8b")),
            GunzipState::Fixed(0) if byte != 0x1f => return Err(wrong("another gzip member or the end")),
            GunzipState::Fixed(1) if byte != 0x8b => return Err(wrong("the magic number 1f 8b")),
            GunzipState::Fixed(2) if byte != 8 => return Err(wrong("the compression method 8")),
            GunzipState::Fixed(3) if byte & RESERVED != 0 => return Err(wrong("no reserved flag")),
            GunzipState::Fixed(at) => {
                if at == 3 {
                    self.flags = byte;
                }
                if at == 9 { self.after_fixed() } else { GunzipState::Fixed(at + 1) }
            }
            GunzipState::ExtraLow => GunzipState::ExtraHigh(byte),
            GunzipState::ExtraHigh(low) => match u16::from_le_bytes([low, byte]) {
                0 => self.after_extra(),
                length => GunzipState::Extra(length),
            },
            GunzipState::Extra(1) => self.after_extra(),
            GunzipState::Extra(left) => GunzipState::Extra(left - 1),
            GunzipState::Name if byte == 0 => self.after_name(),
            GunzipState::Name => GunzipState::Name,
            GunzipState::Comment if byte == 0 => self.after_comment(),
            GunzipState::Comment => GunzipState::Comment,
            GunzipState::HeaderCrcLow if byte != self.crc.sum().to_le_bytes()[0] => {
                return Err(self.damaged("the checksum of its header does not match"));
            }
            GunzipState::HeaderCrcLow => GunzipState::HeaderCrcHigh,
            GunzipState::HeaderCrcHigh if byte != self.crc.sum().to_le_bytes()[1] => {
                return Err(self.damaged("the checksum of its header does not match"));
            }
            GunzipState::HeaderCrcHigh => self.data(),
            GunzipState::Data => GunzipState::Data,
            GunzipState::Trailer(at) => {
                // The checksum, then the length modulo 2³²; `amount` counts the same way.
                let trailer = u64::from(self.crc.amount()) << 32 | u64::from(self.crc.sum());
                let wanted = trailer.to_le_bytes()[usize::from(at)];
                match at {
                    0..4 if byte != wanted => return Err(self.damaged("the checksum does not match")),
                    4.. if byte != wanted => return Err(self.damaged("the length does not match")),
                    7 => GunzipState::Fixed(0),
                    _ => GunzipState::Trailer(at + 1),
                }
            }
        })
    }

    fn after_fixed(&mut self) -> GunzipState {
        if self.flags & EXTRA != 0 { GunzipState::ExtraLow } else { self.after_extra() }
    }

    fn after_extra(&mut self) -> GunzipState {
        if self.flags & NAME != 0 { GunzipState::Name } else { self.after_name() }
    }

    fn after_name(&mut self) -> GunzipState {
        if self.flags & COMMENT != 0 { GunzipState::Comment } else { self.after_comment() }
    }

    fn after_comment(&mut self) -> GunzipState {
        if self.flags & HEADER_CRC != 0 { GunzipState::HeaderCrcLow } else { self.data() }
    }

    fn data(&mut self) -> GunzipState {
        self.inflate.reset(false);
        self.crc.reset();
        GunzipState::Data
    }
}

/// The growth of a total in one call, which never exceeds the length of a slice.
fn difference(after: u64, before: u64) -> usize {
    usize::try_from(after - before).unwrap_or(usize::MAX)
}
