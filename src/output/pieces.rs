//! Bytes on their way out, gathered into pieces of a size worth handing to another thread.

use bytes::Bytes;

use super::{Gone, Sink, base64};

/// Bytes in a full piece: large enough that the hand-over to the network thread costs nothing, small enough that a
/// few of them in flight keep memory flat. Three quarters of it is a whole number of base64 groups.
pub const PIECE: usize = 128 * 1024;

/// Something with a buffer that moves on when it is full.
///
/// Readers read straight into the buffer, so that file contents are not copied on their way.
pub(crate) trait Gather {
    /// The buffer, with room for at least one byte.
    fn room(&mut self) -> Result<&mut Vec<u8>, Gone>;

    /// Adds bytes that are in memory already.
    fn write(&mut self, mut bytes: &[u8]) -> Result<(), Gone> {
        while !bytes.is_empty() {
            let buffer = self.room()?;
            let count = bytes.len().min(buffer.capacity() - buffer.len());
            buffer.extend_from_slice(&bytes[..count]);
            bytes = &bytes[count..];
        }
        Ok(())
    }
}

/// The last step: pieces leave here for the [`Sink`].
pub(crate) struct Outlet<'s> {
    sink: &'s mut dyn Sink,
    buffer: Vec<u8>,
    /// Bytes handed to the sink.
    sent: u64,
    /// Bytes expected in all, so that a small answer gets a small buffer.
    expected: u64,
}

impl<'s> Outlet<'s> {
    /// An outlet that expects to pass on `expected` bytes (an estimate will do).
    pub(crate) fn new(sink: &'s mut dyn Sink, expected: u64) -> Self {
        Self { sink, buffer: Vec::new(), sent: 0, expected }
    }

    /// Adds the base64 form of `bytes`; its length must be a multiple of 3 unless it is the end of what is encoded.
    pub(crate) fn encode(&mut self, mut bytes: &[u8]) -> Result<(), Gone> {
        while !bytes.is_empty() {
            let groups = (self.buffer.capacity() - self.buffer.len()) / 4;
            if groups == 0 {
                self.flush()?;
                continue;
            }
            let count = bytes.len().min(groups * 3);
            base64::append(&bytes[..count], &mut self.buffer);
            bytes = &bytes[count..];
        }
        Ok(())
    }

    /// Sends what has gathered, and makes a new buffer.
    fn flush(&mut self) -> Result<(), Gone> {
        // One byte more than is expected, so that a reader sees the end of a file in the same read.
        let remaining = self.expected.saturating_sub(self.sent + self.buffer.len() as u64).max(1023);
        let capacity = usize::try_from(remaining).map_or(PIECE, |remaining| remaining.saturating_add(1).min(PIECE));
        let full = std::mem::replace(&mut self.buffer, Vec::with_capacity(capacity));
        self.send(full)
    }

    fn send(&mut self, full: Vec<u8>) -> Result<(), Gone> {
        if full.is_empty() {
            return Ok(());
        }
        self.sent += full.len() as u64;
        self.sink.send(Bytes::from(full))
    }

    /// Sends the rest; returns how many bytes were sent in all.
    pub(crate) fn finish(mut self) -> Result<u64, Gone> {
        let rest = std::mem::take(&mut self.buffer);
        self.send(rest)?;
        Ok(self.sent)
    }
}

impl Gather for Outlet<'_> {
    fn room(&mut self) -> Result<&mut Vec<u8>, Gone> {
        if self.buffer.len() == self.buffer.capacity() {
            self.flush()?;
        }
        Ok(&mut self.buffer)
    }
}

/// A buffer that keeps everything, for what must be seen whole before it is passed on.
#[derive(Default)]
pub(crate) struct Whole(pub(crate) Vec<u8>);

impl Gather for Whole {
    fn room(&mut self) -> Result<&mut Vec<u8>, Gone> {
        if self.0.len() == self.0.capacity() {
            self.0.reserve(1);
        }
        Ok(&mut self.0)
    }
}

/// A buffer that forgets, for what only needs to be looked at as it passes.
pub(crate) struct Passing<'b>(pub(crate) &'b mut Vec<u8>);

impl Gather for Passing<'_> {
    fn room(&mut self) -> Result<&mut Vec<u8>, Gone> {
        self.0.clear();
        Ok(self.0)
    }
}
