//! A buffer that encodes its bytes in base64 on their way to a [`ChunkWriter`].

pub use bandog_codec::base64::{append, encoded_len};

use super::{
    Disconnected,
    buffer::{ChunkBuf, ChunkWriter},
};

/// Encodes the bytes written to it, and passes them on to a [`ChunkWriter`].
pub struct Base64Encoder<'o, 's> {
    outlet: &'o mut ChunkWriter<'s>,
    raw: Vec<u8>,
}

impl<'o, 's> Base64Encoder<'o, 's> {
    /// An encoder for about `expected` bytes.
    pub fn new(outlet: &'o mut ChunkWriter<'s>, expected: u64) -> Self {
        // They fill exactly one piece.
        let most = outlet.chunk() / 4 * 3;
        // One byte more than expected, so that a reader sees the end of a file in the same read.
        let capacity = usize::try_from(expected).map_or(most, |expected| expected.saturating_add(1).min(most)).max(4);
        Self { outlet, raw: Vec::with_capacity(capacity) }
    }

    /// Encodes the rest, with the padding.
    pub fn finish(self) -> Result<(), Disconnected> {
        self.outlet.encode(&self.raw)
    }
}

impl ChunkBuf for Base64Encoder<'_, '_> {
    fn room(&mut self) -> Result<&mut Vec<u8>, Disconnected> {
        if self.raw.len() == self.raw.capacity() {
            // Whole groups of three bytes only: the rest waits for more bytes, or for the padding.
            let whole = self.raw.len() / 3 * 3;
            self.outlet.encode(&self.raw[..whole])?;
            self.raw.copy_within(whole.., 0);
            self.raw.truncate(self.raw.len() - whole);
        }
        Ok(&mut self.raw)
    }
}

#[cfg(test)]
mod tests;
