use std::convert::Infallible;

use proptest::prelude::*;

use super::*;

fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut decoder = TextDecoder::default();
    let mut whole = String::new();
    let mut add = |part: &str| {
        whole.push_str(part);
        Ok::<(), Infallible>(())
    };
    for piece in pieces {
        let Ok(()) = decoder.push(piece, &mut add);
    }
    let Ok(()) = decoder.finish(&mut add);
    whole
}

#[test]
fn a_character_cut_at_every_place_is_put_together_again() {
    let text = "a\u{e9}\u{20ac}\u{1F600}z".as_bytes();
    for cut in 0..=text.len() {
        let (first, second) = text.split_at(cut);
        assert_eq!(decode([first, second]).as_bytes(), text, "{cut}");
    }
    assert_eq!(decode(text.chunks(1)).as_bytes(), text);
}

proptest! {
    #[test]
    fn in_pieces_it_is_what_the_whole_is(
        // Bytes that begin and continue characters more often than chance would.
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), 0x80..0xC0_u8, 0xC0..=0xFF_u8, Just(b'a')], 0..60),
        step in 1..8_usize,
    ) {
        prop_assert_eq!(decode(bytes.chunks(step)), String::from_utf8_lossy(&bytes));
    }
}
