//! Bytes on their way out, gathered into pieces of a size worth handing to another thread.

use std::collections::VecDeque;

use bytes::Bytes;

use bandog_codec::base64;

use super::{BodySink, Disconnected};

/// Bytes in a full piece: large enough that the hand-over to the network thread costs nothing, small enough that a
/// few of them in flight keep memory flat. Three quarters of it is a whole number of base64 groups.
pub const CHUNK: usize = 128 * 1024;

/// Pieces that are remembered to be used again: more than are under way between two threads at once.
const REMEMBERED: usize = 12;

/// Something with a buffer that moves on when it is full.
///
/// Readers read straight into the buffer, so that file contents are not copied on their way.
pub trait ChunkBuf {
    /// The buffer, with room for at least one byte.
    fn room(&mut self) -> Result<&mut Vec<u8>, Disconnected>;

    /// Adds bytes that are in memory already.
    fn write(&mut self, mut bytes: &[u8]) -> Result<(), Disconnected> {
        while !bytes.is_empty() {
            let buffer = self.room()?;
            let count = bytes.len().min(buffer.capacity() - buffer.len());
            buffer.extend_from_slice(&bytes[..count]);
            bytes = &bytes[count..];
        }
        Ok(())
    }
}

/// The last step: pieces leave here for the [`BodySink`].
pub struct ChunkWriter<'s> {
    sink: &'s mut dyn BodySink,
    buffer: Vec<u8>,
    /// Full chunks that were sent, the oldest first. Their memory is reused once no other thread holds them: memory that
    /// another thread freed would have to be mapped and cleared again, page by page.
    under_way: VecDeque<Bytes>,
    /// Bytes handed to the sink.
    sent: u64,
    /// Bytes of a full piece.
    chunk: usize,
    /// Bytes expected in all, so that a small answer gets a small buffer.
    expected: u64,
}

impl<'s> ChunkWriter<'s> {
    /// An outlet that expects to pass on `expected` bytes (an estimate will do).
    pub fn new(sink: &'s mut dyn BodySink, expected: u64) -> Self {
        Self { chunk: sink.chunk(), sink, buffer: Vec::new(), under_way: VecDeque::new(), sent: 0, expected }
    }

    /// Bytes of a full piece.
    pub(super) fn chunk(&self) -> usize {
        self.chunk
    }

    /// Adds the base64 form of `bytes`; its length must be a multiple of 3 unless it is the end of what is encoded.
    pub fn encode(&mut self, mut bytes: &[u8]) -> Result<(), Disconnected> {
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

    /// Sends what has gathered, and goes on with another buffer.
    fn flush(&mut self) -> Result<(), Disconnected> {
        // One byte more than is expected, so that a reader sees the end of a file in the same read.
        let remaining = self.expected.saturating_sub(self.sent + self.buffer.len() as u64).max(1023);
        let capacity =
            usize::try_from(remaining).map_or(self.chunk, |remaining| remaining.saturating_add(1).min(self.chunk));
        let next = self.used(capacity).unwrap_or_else(|| Vec::with_capacity(capacity));
        let full = Bytes::from(std::mem::replace(&mut self.buffer, next));
        if full.len() == self.chunk {
            if self.under_way.len() == REMEMBERED {
                self.under_way.pop_front();
            }
            self.under_way.push_back(full.clone());
        }
        self.send(full)
    }

    /// A buffer of exactly this capacity that has come back, empty again.
    fn used(&mut self, capacity: usize) -> Option<Vec<u8>> {
        if capacity != self.chunk || !self.under_way.front()?.is_unique() {
            return None;
        }
        // No other thread holds it, so this does not copy.
        let mut buffer = Vec::from(self.under_way.pop_front()?);
        buffer.clear();
        Some(buffer)
    }

    fn send(&mut self, piece: Bytes) -> Result<(), Disconnected> {
        if piece.is_empty() {
            return Ok(());
        }
        self.sent += piece.len() as u64;
        self.sink.send(piece)
    }

    /// Sends the rest; returns how many bytes were sent in all.
    pub fn finish(mut self) -> Result<u64, Disconnected> {
        let rest = std::mem::take(&mut self.buffer);
        self.send(Bytes::from(rest))?;
        Ok(self.sent)
    }
}

impl ChunkBuf for ChunkWriter<'_> {
    fn room(&mut self) -> Result<&mut Vec<u8>, Disconnected> {
        if self.buffer.len() == self.buffer.capacity() {
            self.flush()?;
        }
        Ok(&mut self.buffer)
    }
}

/// A buffer that keeps everything, for what must be seen whole before it is passed on.
#[derive(Default)]
pub struct GrowingBuf(pub Vec<u8>);

impl ChunkBuf for GrowingBuf {
    fn room(&mut self) -> Result<&mut Vec<u8>, Disconnected> {
        if self.0.len() == self.0.capacity() {
            self.0.reserve(1);
        }
        Ok(&mut self.0)
    }
}

/// A buffer that forgets, for what only needs to be looked at as it passes.
pub struct ScratchBuf<'b>(pub &'b mut Vec<u8>);

impl ChunkBuf for ScratchBuf<'_> {
    fn room(&mut self) -> Result<&mut Vec<u8>, Disconnected> {
        self.0.clear();
        Ok(self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Keeps the newest pieces, as a channel does, and all that was sent.
    #[derive(Default)]
    struct Slow {
        kept: VecDeque<Bytes>,
        places: HashSet<*const u8>,
        all: Vec<u8>,
    }

    impl BodySink for Slow {
        fn send(&mut self, piece: Bytes) -> Result<(), Disconnected> {
            self.places.insert(piece.as_ptr());
            self.kept.push_back(piece);
            if self.kept.len() > 5 {
                let oldest = self.kept.pop_front().expect("there are several");
                self.all.extend_from_slice(&oldest);
            }
            Ok(())
        }
    }

    #[test]
    fn a_buffer_is_used_again_when_its_reader_is_done_with_it_and_not_before() {
        let wanted: Vec<u8> = (0..=250).cycle().take(50 * CHUNK + 5).collect();
        let mut sink = Slow::default();
        let mut outlet = ChunkWriter::new(&mut sink, wanted.len() as u64);
        outlet.write(&wanted).expect("sent");
        assert_eq!(outlet.finish().expect("sent"), wanted.len() as u64);
        let rest: Vec<u8> = sink.kept.iter().flatten().copied().collect();
        sink.all.extend_from_slice(&rest);
        assert!(sink.all == wanted, "nothing was overwritten");
        assert!(sink.places.len() < 10, "{} buffers for 50 pieces", sink.places.len());
    }
}
