//! Bytes → base64 (RFC 4648 §4: standard alphabet, padded, one line).

/// The length of the base64 form of `bytes` bytes; saturates far beyond the size of any file.
#[must_use]
pub const fn encoded_len(bytes: u64) -> u64 {
    bytes.div_ceil(3).saturating_mul(4)
}

/// Appends the base64 form of `bytes` to `buffer`.
pub fn append(bytes: &[u8], buffer: &mut Vec<u8>) {
    base64_simd::STANDARD.encode_append(bytes, buffer);
}
