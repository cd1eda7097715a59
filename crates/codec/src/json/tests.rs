//! Tests of the JSON checker, also against serde_json.

use proptest::{collection::vec, prelude::*, sample::select};

use super::*;
use crate::chunkings::check_json;

fn checked(body: &[u8]) -> Result<(), JsonError> {
    let mut checker = Checker::new(0);
    checker.push(body)?;
    checker.finish()
}

fn position(body: &[u8]) -> Position {
    checked(body).expect_err("no JSON").position
}

#[test]
fn every_kind_of_value_may_stand_at_the_top() {
    for body in [
        "{}",
        "[]",
        "\"\"",
        "0",
        "-0",
        "-0.0",
        "1e400",
        "12.50E-7",
        "1E+1",
        "true",
        "false",
        "null",
        " [ ] \r\n\t",
        "{\"a\":[1,{\"b\":null},\"\\u00e9\\n\\\"\\\\\\/\"],\"\":{}}",
        "\"\u{7f}é文\u{10ffff}\"",
        "\"\\ud800\"",
        "12345678901234567890123456789012345678901234567890",
    ] {
        assert_eq!(checked(body.as_bytes()), Ok(()), "{body}");
        check_json(body.as_bytes());
    }
}

#[test]
fn an_error_is_at_the_first_byte_that_can_be_no_json() {
    for (body, offset) in [
        (&b"{\"a\":NaN}"[..], 5),
        (b"[Infinity]", 1),
        (b"[1,]", 3),
        (b"{\"a\":1,}", 7),
        (b"{\"a\" 1}", 5),
        (b"{a:1}", 1),
        (b"{1:1}", 1),
        (b"[1 2]", 3),
        (b"[1}", 2),
        (b"{\"a\":1]", 6),
        (b"{} {}", 3),
        (b"1 2", 2),
        (b"01", 1),
        (b"-", 1),
        (b"+1", 0),
        (b".5", 0),
        (b"1.", 2),
        (b"1.e5", 2),
        (b"1e", 2),
        (b"1e+", 3),
        (b"--1", 1),
        (b"truE", 3),
        (b"nul", 3),
        (b"truetrue", 4),
        (b"\"a\tb\"", 2),
        (b"\"a\0\"", 2),
        (b"\"\\x\"", 2),
        (b"\"\\u12g4\"", 5),
        (b"\"abc", 4),
        (b"\"abc\\\"", 6),
        (b"'a'", 0),
        (b"[", 1),
        (b"", 0),
        (b"  ", 2),
        (b"\x0b1", 0),
        (b"/* */ 1", 0),
        (b"\xef\xbb\xbf1", 0),
        (b"\"\xff\"", 1),
        (b"\"ab\xc3\"", 3),
        (b"\"ab\xc3", 3),
        (b"\"\xed\xa0\x80\"", 1),
        (b"\"\xc0\x80\"", 1),
        (b"\"\xf4\x90\x80\x80\"", 1),
        (b"[1]\xff", 3),
        (b"1\xe2\x82", 1),
    ] {
        assert_eq!(position(body).offset, offset, "{}", body.escape_ascii());
        assert_eq!(position(body).byte, body.get(usize::try_from(offset).expect("small")).copied());
        check_json(body);
    }
}

#[test]
fn an_error_says_what_was_expected_where() {
    for (body, message) in [
        (&b"{\"a\":1,}"[..], "byte 0x7d '}' at offset 7, expected a name in quotes"),
        (b"[1 2]", "byte 0x32 '2' at offset 3, expected ',' or ']'"),
        (b"\"a\nb\"", "byte 0x0a at offset 2, expected no control character in a string"),
        (b"\"\xff\"", "byte 0xff at offset 1, expected UTF-8"),
        (b"{\"a\":", "the body ends at offset 5, expected a JSON value"),
    ] {
        assert_eq!(checked(body).expect_err("no JSON").to_string(), message);
    }
}

#[test]
fn containers_nest_to_the_limit_and_not_beyond() {
    let nested = |open: &str, close: &str, depth: usize| format!("{}{}", open.repeat(depth), close.repeat(depth));
    for (open, close) in [("[", "]"), ("[{\"a\":", "}]")] {
        let limit = DEPTH_LIMIT as usize / open.matches(['[', '{']).count();
        let inner = |depth| nested(open, close, depth).replace(":}", ":1}");
        assert_eq!(checked(inner(limit).as_bytes()), Ok(()));
        assert!(checked(inner(limit + 1).as_bytes()).is_err());
        check_json(inner(limit).as_bytes());
    }
    assert_eq!(position("[".repeat(200).as_bytes()).offset, u64::from(DEPTH_LIMIT));
    assert_eq!(checked("[[]],".repeat(0).as_bytes()).expect_err("empty").position, Position::end(0));
    let wide = format!("[{}[]]", "[],".repeat(1000));
    assert_eq!(checked(wide.as_bytes()), Ok(()), "what is closed does not count");
}

#[test]
fn a_special_byte_in_a_string_is_seen_at_every_alignment() {
    for special in [b'"', b'\\', 0x1f, 0x00, b'\n', 0x20, 0x7f, b'!', b'#', b'[', b']'] {
        for before in 0..20 {
            for after in 0..20 {
                let body = [b"[\"", &b"a".repeat(before)[..], &[special], &b"\x01a".repeat(after), b"\"]"].concat();
                let reference = serde_json::from_slice::<serde::de::IgnoredAny>(&body).is_ok();
                assert_eq!(checked(&body).is_ok(), reference, "{}", body.escape_ascii());
            }
        }
    }
}

/// JSON text of any shape, with blanks and escapes.
fn valid() -> impl Strategy<Value = String> {
    let string =
        "([ !#-\\[\\]-~é文😀]|\\\\[\"\\\\/bfnrt]|\\\\u[0-9a-fA-F]{4}){0,12}".prop_map(|inner| format!("\"{inner}\""));
    let leaf = prop_oneof![
        string.clone(),
        "-?(0|[1-9][0-9]{0,5})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,3})?",
        select(&["true", "false", "null"][..]).prop_map(str::to_owned),
    ];
    leaf.prop_recursive(6, 40, 5, move |inner| {
        let blank = "[ \t\r\n]{0,2}";
        prop_oneof![
            (vec(inner.clone(), 0..5), blank)
                .prop_map(|(items, blank)| { format!("[{blank}{}{blank}]", items.join(&format!("{blank},"))) }),
            (vec((string.clone(), inner), 0..5), blank).prop_map(|(members, blank)| {
                let members: Vec<String> =
                    members.into_iter().map(|(name, value)| format!("{name}{blank}:{blank}{value}")).collect();
                format!("{{{blank}{}{blank}}}", members.join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn valid_bodies_are_taken_at_every_cut(body in valid()) {
        prop_assert_eq!(checked(body.as_bytes()), Ok(()));
        check_json(body.as_bytes());
    }

    #[test]
    fn damaged_bodies_are_judged_as_the_reference_does_at_every_cut(
        body in valid(), at in any::<prop::sample::Index>(), byte in any::<u8>(), change in 0..3,
    ) {
        let mut body = body.into_bytes();
        let at = at.index(body.len());
        match change {
            0 => body[at] = byte,
            1 => body.insert(at, byte),
            _ => body.truncate(at),
        }
        check_json(&body);
    }

    #[test]
    fn any_tokens_are_judged_as_the_reference_does(
        tokens in vec(select(&["{", "}", "[", "]", ",", ":", "\"a\"", "\"", "1", "-", "0", ".", "e", "true", "nul", " ",
            "\\", "\\u12", "é"][..]), 0..12),
    ) {
        check_json(tokens.concat().as_bytes());
    }

    #[test]
    fn any_bytes_are_judged_as_the_reference_does(body in vec(any::<u8>(), 0..60)) {
        check_json(&body);
        check_json(&[b"\"", &body[..], b"\""].concat());
    }
}
