use proptest::prelude::*;

use super::*;
use crate::output::parse_response_headers;

/// The head that a response in base64 has before the function's fields are added.
fn with_fields(text: &[u8]) -> (StatusCode, HeaderMap) {
    let own = parse_response_headers(text, &mut |warning| panic!("{warning}")).expect("response headers");
    let mut head = Head::new(status(&own), Some(1));
    head.set(header::VARY, "Accept");
    head.set(header::CONTENT_TYPE, "text/plain");
    own_fields(&mut head, &own);
    (head.status, head.headers)
}

fn values(headers: &HeaderMap, name: &str) -> Vec<Vec<u8>> {
    headers.get_all(name).iter().map(|value| value.as_bytes().to_vec()).collect()
}

#[test]
fn vary_is_added_to_and_names_each_field_once() {
    for (text, wanted) in [
        ("", "Accept"),
        ("Vary: Origin", "Accept, Origin"),
        ("Vary: Origin, Cookie\nVary: origin", "Accept, Origin, Cookie"),
        ("vary: accept", "Accept"),
        ("Vary: *", "Accept, *"),
        ("Vary:", "Accept"),
    ] {
        assert_eq!(values(&with_fields(text.as_bytes()).1, "vary"), [wanted.as_bytes()], "{text}");
    }
}

#[test]
fn of_a_field_with_one_value_the_last_line_counts() {
    let (_, headers) =
        with_fields(b"Content-Type: a/b\nSet-Cookie: a=1\nContent-Type: c/d\nSet-Cookie: b=2\nETag: 1\nEtag: 2");
    assert_eq!(values(&headers, "content-type"), [b"c/d"]);
    assert_eq!(values(&headers, "set-cookie"), [b"a=1", b"b=2"]);
    assert_eq!(values(&headers, "etag"), [b"2"]);
}

#[test]
fn a_location_without_a_status_is_a_redirection_as_in_cgi() {
    for (text, wanted) in [
        ("Location: /there", 302),
        ("Location: https://example.org/", 302),
        ("Status: 201\nLocation: /there", 201),
        ("Location: /there\nStatus: 307", 307),
        ("X-Location: /there", 200),
    ] {
        assert_eq!(with_fields(text.as_bytes()).0.as_u16(), wanted, "{text}");
    }
}

proptest! {
    #[test]
    fn any_fields_arrive_in_order_and_those_with_one_value_once(
        fields in prop::collection::vec(
            (
                prop::sample::select(vec![
                    "content-type", "Content-Type", "ETAG", "location", "Set-Cookie", "link", "x-own", "X-OWN", "Cache-Control",
                    "retry-after", "!#$%&'*+.^_`|~", "0",
                ]),
                "[\\x21-\\x7e\u{e9}\u{202e}\u{1f600}]([ \t\\x21-\\x7e\u{e9}\u{202e}\u{1f600}]{0,12}[\\x21-\\x7e])?",
            ),
            0..8,
        ),
    ) {
        let lines: Vec<_> = fields.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
        // A field that describes the body is the function's to set with its type only.
        let (_, headers) = with_fields(lines.concat().as_bytes());
        for (name, _) in &fields {
            let sent = fields.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
            let sent: Vec<_> = sent.map(|(_, value)| value.clone().into_bytes()).collect();
            let is_single = SINGLE_FIELDS.iter().any(|single| single.as_str().eq_ignore_ascii_case(name));
            let wanted = if is_single { &sent[sent.len() - 1..] } else { &sent[..] };
            prop_assert_eq!(values(&headers, name), wanted, "{}", name);
        }
        prop_assert_eq!(values(&headers, "vary"), [b"Accept"]);
    }
}

#[test]
fn what_is_said_of_the_functions_own_bytes_does_not_stand_on_their_base64() {
    for name in OF_BYTES.iter().filter(|name| **name != "content-type") {
        let (_, headers) = with_fields(format!("{name}: x\nX-Own: 1\n").as_bytes());
        assert_eq!((values(&headers, name).len(), values(&headers, "x-own").len()), (0, 1), "{name}");
        let (_, headers) = with_fields(format!("{name}: x\nContent-Type: a/b\n").as_bytes());
        assert_eq!(values(&headers, name), [b"x"], "{name}");
    }
}
