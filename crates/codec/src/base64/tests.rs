//! Tests of the base64 decoder, also against the `base64` crate.

use proptest::{collection::vec, prelude::*, sample::select};

use super::*;
use crate::chunkings::check_base64;

fn decoded(body: &[u8]) -> Result<Vec<u8>, Base64Error> {
    let mut decoder = Decoder::new(0);
    let mut out = Vec::new();
    decoder.push(body, &mut out)?;
    decoder.finish(&mut out)?;
    Ok(out)
}

#[test]
fn padding_alphabet_and_blanks_make_no_difference() {
    for (sent, wanted) in [
        ("", ""),
        (" \t\r\n\x0b\x0c", ""),
        ("SGVsbG8=", "Hello"),
        ("SGVsbG8", "Hello"),
        ("SGVsbG8= \r\n", "Hello"),
        ("S G\nV\ts\rb\x0bG\x0c8 =", "Hello"),
        ("QQ==", "A"),
        ("QQ= =", "A"),
        ("QQ", "A"),
        ("1234", "\u{5db}~"),
    ] {
        let got = decoded(sent.as_bytes());
        if sent == "1234" {
            assert_eq!(got, Ok(vec![0xd7, 0x6d, 0xf8]), "digits are base64 like any other");
        } else {
            assert_eq!(got.as_deref(), Ok(wanted.as_bytes()), "{sent:?}");
        }
    }
    assert_eq!(decoded(b"-_-_"), decoded(b"+/+/"));
}

#[test]
fn anything_else_is_named_with_its_offset() {
    let long = [b"QUJD".repeat(5000), b"!".to_vec(), b"QUJD".repeat(5000)].concat();
    for (sent, wanted) in [
        (&b"!!!!"[..], Base64Error::Byte(Position::byte(0, b'!'))),
        (b"QUJD\nQU*D", Base64Error::Byte(Position::byte(7, b'*'))),
        (b"QUJD\0", Base64Error::Byte(Position::byte(4, 0))),
        (b"QUJD\xff", Base64Error::Byte(Position::byte(4, 0xff))),
        (&long, Base64Error::Byte(Position::byte(20_000, b'!'))),
        (b"=", Base64Error::EarlyPadding(Position::byte(0, b'='))),
        (b"QUJD=", Base64Error::EarlyPadding(Position::byte(4, b'='))),
        (b"Q===", Base64Error::EarlyPadding(Position::byte(1, b'='))),
        (b"QQ=", Base64Error::HalfPadding(Position::end(3))),
        (b"QQ=Q", Base64Error::HalfPadding(Position::byte(3, b'Q'))),
        (b"QQ===", Base64Error::AfterPadding(Position::byte(4, b'='))),
        (b"QUI=\nQUI=", Base64Error::AfterPadding(Position::byte(5, b'Q'))),
        (b"QUJDQ", Base64Error::Leftover(Position::end(5))),
        (b"Q \n", Base64Error::Leftover(Position::end(3))),
        (b"QR", Base64Error::SpareBits(Position::end(2))),
        (b"QUJ\n", Base64Error::SpareBits(Position::end(4))),
        (b"Hello World", Base64Error::SpareBits(Position::end(11))),
        (b"QR==", Base64Error::SpareBits(Position::end(4))),
        (b"QUJ=", Base64Error::SpareBits(Position::end(4))),
        (b"key=", Base64Error::SpareBits(Position::end(4))),
        (b"-/+_", Base64Error::Mixed(Position::byte(1, b'/'))),
        (b"AA+A\nA_AA", Base64Error::Mixed(Position::byte(6, b'_'))),
    ] {
        assert_eq!(decoded(sent), Err(wanted), "{}", sent[..sent.len().min(20)].escape_ascii());
    }
}

#[test]
fn an_error_says_what_was_expected_where() {
    let message = decoded(b"QUJD QUJD?").expect_err("no base64").to_string();
    assert_eq!(message, "byte 0x3f '?' at offset 9, expected a character of base64");
    assert_eq!(
        decoded(b"A").expect_err("no base64").to_string(),
        "the body ends at offset 1, expected more: the last group has a single character"
    );
}

#[test]
fn every_byte_value_has_its_class() {
    for byte in 0..=u8::MAX {
        check_base64(&[b'Q', byte, b'Q', b'Q']);
        check_base64(&[&b"QUJD".repeat(40)[..], &[byte], &b"QUJD".repeat(40)].concat());
    }
}

#[test]
fn lines_of_any_length_are_as_good_as_one() {
    let body = b"abcdefghijklmnopqrstuvwxyz+/ABCDEFGHIJKLMNOPQRSTUVWXYZ+/0123456789".repeat(40);
    for length in [1, 2, 3, 4, 5, 63, 64, 65, 75, 76, 77, 1000] {
        for line_break in ["\n", "\r\n", " ", "\n\n\t"] {
            let lines = body.chunks(length).collect::<Vec<_>>().join(line_break.as_bytes());
            assert_eq!(decoded(&lines), decoded(&body), "{length} characters and {line_break:?}");
        }
    }
}

/// Encoded bytes with blanks inserted, in either alphabet, with or without padding.
fn valid() -> impl Strategy<Value = Vec<u8>> {
    (vec(any::<u8>(), 0..300), vec((any::<prop::sample::Index>(), select(&BLANKS[..])), 0..20), 0..3_u8).prop_map(
        |(bytes, blanks, form)| {
            let codec = if form == 0 { base64_simd::URL_SAFE_NO_PAD } else { base64_simd::STANDARD };
            let mut text = codec.encode_to_string(bytes).into_bytes();
            for (index, blank) in blanks {
                text.insert(index.index(text.len() + 1), blank);
            }
            text
        },
    )
}

proptest! {
    #[test]
    fn valid_bodies_decode_as_the_reference_does_at_every_cut(body in valid()) {
        prop_assert!(decoded(&body).is_ok());
        check_base64(&body);
    }

    #[test]
    fn damaged_bodies_fail_as_the_reference_does_at_every_cut(
        mut body in valid(), at in any::<prop::sample::Index>(), byte in any::<u8>(), insert in any::<bool>(),
    ) {
        let at = at.index(body.len() + 1);
        if insert || at == body.len() { body.insert(at, byte) } else { body[at] = byte }
        check_base64(&body);
    }

    #[test]
    fn any_bytes_are_taken_as_the_reference_takes_them(body in vec(any::<u8>(), 0..100)) {
        check_base64(&body);
    }

    #[test]
    fn any_base64_characters_are_taken_as_the_reference_takes_them(
        body in vec(select(&b"AQz059+/-_== \n"[..]), 0..100),
    ) {
        check_base64(&body);
    }
}

#[test]
fn an_alphabet_that_changes_late_is_found_on_every_path() {
    let plain = b"QUJD".repeat(5000);
    for (first, last) in [(b'+', b'-'), (b'_', b'/')] {
        for lines in [usize::MAX, 76, 78] {
            for (at, later) in [(1, 19_990), (9_000, 9_001), (8_191, 8_192), (75, 76), (16_382, 19_999)] {
                let mut body = plain.clone();
                (body[at], body[later]) = (first, last);
                let body = body.chunks(lines.min(body.len())).collect::<Vec<_>>().join(&b'\n');
                let at = body.iter().position(|byte| *byte == last).expect("there") as u64;
                assert_eq!(decoded(&body), Err(Base64Error::Mixed(Position::byte(at, last))));
                check_base64(&body);
            }
        }
    }
}

#[test]
fn long_bodies_decode_as_the_reference_does() {
    let bytes: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
    let line = base64_simd::STANDARD.encode_to_string(&bytes).into_bytes();
    check_base64(&line);
    // Blocks with line breaks alternate with blocks without.
    check_base64(&line.chunks(3 * BLOCK / 2).collect::<Vec<_>>().join(&b'\n'));
    check_base64(&line.chunks(76).collect::<Vec<_>>().join(&b'\n'));
    check_base64(&base64_simd::URL_SAFE_NO_PAD.encode_to_string(&bytes).into_bytes());
}
