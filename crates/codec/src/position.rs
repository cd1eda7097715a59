//! The position at which a body is invalid. Positions in a YAML text have lines and columns: see
//! [`crate::yaml::LineColumn`].

use std::fmt;

/// A position in a body, and the byte there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The number of bytes before it, after the content encoding is undone.
    pub offset: u64,
    /// The byte there; `None` at the end of the body.
    pub byte: Option<u8>,
}

impl Position {
    /// `byte`, after `offset` others.
    #[must_use]
    pub fn byte(offset: u64, byte: u8) -> Self {
        Self { offset, byte: Some(byte) }
    }

    /// The end of a body of `offset` bytes.
    #[must_use]
    pub fn end(offset: u64) -> Self {
        Self { offset, byte: None }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.byte {
            Some(byte) if byte.is_ascii_graphic() => {
                write!(f, "byte 0x{byte:02x} '{}' at offset {}", char::from(byte), self.offset)
            }
            Some(byte) => write!(f, "byte 0x{byte:02x} at offset {}", self.offset),
            None => write!(f, "the body ends at offset {}", self.offset),
        }
    }
}
