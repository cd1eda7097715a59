use base64::{Engine as _, prelude::BASE64_STANDARD};
use proptest::prelude::*;

use super::*;
use crate::output::buffer::CHUNK;
use crate::output::testing::{MemorySink, noise};

/// Bytes that fill one piece of an ordinary sink.
const RAW: usize = CHUNK / 4 * 3;

fn encode(bytes: &[u8], expected: u64, step: usize) -> MemorySink {
    let mut sink = MemorySink::default();
    let mut writer = ChunkWriter::new(&mut sink, encoded_len(expected));
    let mut encoder = Base64Encoder::new(&mut writer, expected);
    for part in bytes.chunks(step) {
        encoder.write(part).expect("sent");
    }
    encoder.finish().expect("sent");
    assert_eq!(writer.finish(), Ok(encoded_len(bytes.len() as u64)));
    sink
}

#[test]
fn around_every_border_it_is_what_the_plain_encoder_gives() {
    for len in [0, 1, 2, 3, 4, 1023, RAW - 1, RAW, RAW + 1, RAW + 2, 3 * RAW + 1] {
        let bytes = noise(len);
        let sink = encode(&bytes, len as u64, usize::MAX);
        assert!(sink.text() == BASE64_STANDARD.encode(&bytes), "{len} bytes");
    }
}

#[test]
fn what_fits_in_one_buffer_is_one_piece() {
    for len in [1, 3, 1000, RAW - 1] {
        assert_eq!(encode(&noise(len), len as u64, usize::MAX).pieces.len(), 1, "{len} bytes");
    }
    let large = encode(&noise(10 * RAW), 10 * RAW as u64, usize::MAX);
    assert_eq!(large.pieces.len(), 10);
    assert!(large.pieces.iter().all(|piece| piece.len() == CHUNK));
}

proptest! {
    #[test]
    fn however_it_arrives_and_whatever_was_expected_it_is_the_same(
        len in 0..5000_usize, step in 1..700_usize, expected in 0..6000_u64,
    ) {
        let bytes = noise(len);
        prop_assert_eq!(encode(&bytes, expected, step).text(), BASE64_STANDARD.encode(&bytes));
    }
}
