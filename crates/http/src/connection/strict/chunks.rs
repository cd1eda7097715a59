//! Where a chunked body ends (RFC 9112 §7.1).

/// Bytes of chunk extensions, and of trailers, of one body. They are ignored, and hyper has the same limits.
const ASIDE_LIMIT: usize = 16 * 1024;

/// Hexadecimal digits of a size: as many as 64 bits have.
const DIGITS: u8 = 16;

/// The body violates the chunked coding, so its end is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the chunks of the body are malformed")]
pub(crate) struct Malformed;

/// Follows a chunked body.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    state: ChunkState,
    /// Bytes of extensions and trailers so far.
    aside: usize,
}

#[derive(Debug, Clone, Copy)]
enum ChunkState {
    /// Within the size of a chunk, with this many digits so far.
    Size { size: u64, digits: u8 },
    /// Between the size and the end of its line.
    Extension { size: u64 },
    /// After the carriage return of that line.
    SizeEnd { size: u64 },
    /// Within the data.
    Data { left: u64 },
    /// After the data.
    DataEnd,
    /// After the carriage return behind the data.
    DataEndLine,
    /// At the beginning of a line of the trailers.
    Trailer,
    /// Within such a line.
    TrailerLine,
    /// After the carriage return of such a line; whether the line was empty, so that the body ends.
    TrailerEnd { is_last: bool },
}

impl Default for ChunkState {
    fn default() -> Self {
        Self::Size { size: 0, digits: 0 }
    }
}

impl Chunks {
    /// How many of `bytes` belong to the body, and whether it ends with them.
    pub(super) fn follow(&mut self, bytes: &[u8]) -> Result<(usize, bool), Malformed> {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            if let ChunkState::Data { left } = self.state {
                let count = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len() - at);
                let left = left - count as u64;
                self.state = if left == 0 { ChunkState::DataEnd } else { ChunkState::Data { left } };
                at += count;
                continue;
            }
            at += 1;
            match self.step(byte)? {
                Some(state) => self.state = state,
                None => return Ok((at, true)),
            }
        }
        Ok((at, false))
    }

    /// The state after `byte`, outside of the data; `None` after the last byte.
    fn step(&mut self, byte: u8) -> Result<Option<ChunkState>, Malformed> {
        Ok(Some(match (self.state, byte) {
            (ChunkState::Size { size, digits }, _) if byte.is_ascii_hexdigit() => {
                if digits == DIGITS {
                    return Err(Malformed);
                }
                ChunkState::Size { size: size << 4 | u64::from(value(byte)), digits: digits + 1 }
            }
            // A line feed alone would end the line for some, and be a part of it for others.
            (ChunkState::Size { digits: 0, .. }, _)
            | (ChunkState::Extension { .. } | ChunkState::TrailerLine | ChunkState::Trailer, b'\n' | 0) => {
                return Err(Malformed);
            }
            (ChunkState::Size { size, .. } | ChunkState::Extension { size }, b'\r') => ChunkState::SizeEnd { size },
            (ChunkState::Size { size, .. }, b';' | b' ' | b'\t') => ChunkState::Extension { size },
            (ChunkState::Extension { size }, _) => {
                self.aside()?;
                ChunkState::Extension { size }
            }
            (ChunkState::SizeEnd { size: 0 } | ChunkState::TrailerEnd { is_last: false }, b'\n') => ChunkState::Trailer,
            (ChunkState::SizeEnd { size }, b'\n') => ChunkState::Data { left: size },
            (ChunkState::DataEnd, b'\r') => ChunkState::DataEndLine,
            (ChunkState::DataEndLine, b'\n') => ChunkState::default(),
            (ChunkState::Trailer, b'\r') => ChunkState::TrailerEnd { is_last: true },
            (ChunkState::TrailerLine, b'\r') => ChunkState::TrailerEnd { is_last: false },
            (ChunkState::Trailer | ChunkState::TrailerLine, _) => {
                self.aside()?;
                ChunkState::TrailerLine
            }
            (ChunkState::TrailerEnd { is_last: true }, b'\n') => return Ok(None),
            (
                ChunkState::Size { .. }
                | ChunkState::SizeEnd { .. }
                | ChunkState::Data { .. }
                | ChunkState::DataEnd
                | ChunkState::DataEndLine
                | ChunkState::TrailerEnd { .. },
                _,
            ) => return Err(Malformed),
        }))
    }

    fn aside(&mut self) -> Result<(), Malformed> {
        self.aside += 1;
        if self.aside > ASIDE_LIMIT { Err(Malformed) } else { Ok(()) }
    }
}

/// The value of a hexadecimal digit.
fn value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}
