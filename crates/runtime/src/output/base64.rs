//! Bytes → base64 (RFC 4648 §4: standard alphabet, padded), one line, while they pass.

use super::{
    Disconnected,
    buffer::{CHUNK, ChunkBuf, ChunkWriter},
};

/// Bytes encoded in one go: they make exactly one full piece.
const RAW_CHUNK: usize = CHUNK / 4 * 3;

/// The length of the base64 form of `bytes` bytes; saturates far beyond what any file system holds.
#[must_use]
pub const fn encoded_len(bytes: u64) -> u64 {
    bytes.div_ceil(3).saturating_mul(4)
}

/// Adds the base64 form of `bytes` to `buffer`.
pub fn append(bytes: &[u8], buffer: &mut Vec<u8>) {
    base64_simd::STANDARD.encode_append(bytes, buffer);
}

/// Encodes what is gathered in it and passes that on to an [`ChunkWriter`].
pub struct Base64Encoder<'o, 's> {
    outlet: &'o mut ChunkWriter<'s>,
    raw: Vec<u8>,
}

impl<'o, 's> Base64Encoder<'o, 's> {
    /// An encoder that expects `expected` bytes (an estimate will do).
    pub fn new(outlet: &'o mut ChunkWriter<'s>, expected: u64) -> Self {
        // One byte more than is expected, so that a reader sees the end of a file in the same read.
        let capacity =
            usize::try_from(expected).map_or(RAW_CHUNK, |expected| expected.saturating_add(1).min(RAW_CHUNK)).max(4);
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
            // GrowingBuf groups only: what is left over waits for what follows it, or for the padding.
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
