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

/// Names with all that has a meaning in a header field, in a path or on a screen, and bytes that are no text.
fn odd_names() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(vec![
        &b"\""[..],
        b"\\",
        b"%",
        b"%41",
        b";",
        b"=",
        b"'",
        b"*",
        b"/",
        b"..",
        b" ",
        b"\t",
        b"\r\n",
        b"\x01",
        b"\x7f",
        b",",
        b"?",
        b"#",
        b"+",
        b"&",
        b"~",
        b"-",
        b"_",
        b".png",
        b"C:",
        b"a",
        b"\xff",
        b"\xc3",
        "\u{e9}".as_bytes(),
        "\u{202e}".as_bytes(),
        "\u{1f600}".as_bytes(),
    ]);
    let pieces = prop_oneof![pieces.prop_map(<[u8]>::to_vec), prop::collection::vec(1_u8.., 1..3)];
    prop::collection::vec(pieces, 0..8).prop_map(|pieces| pieces.concat())
}

/// Undoes percent-encoding (RFC 3986 §2.1). Every character that stands for itself must be one of `plain`.
fn percent_decoded(text: &str, plain: &str) -> Vec<u8> {
    let (mut bytes, mut chars) = (Vec::new(), text.chars());
    while let Some(char) = chars.next() {
        if char == '%' {
            let digits: String = chars.by_ref().take(2).collect();
            assert!(digits.len() == 2 && digits.chars().all(|digit| matches!(digit, '0'..='9' | 'A'..='F')), "{text}");
            bytes.push(u8::from_str_radix(&digits, 16).expect("hexadecimal"));
        } else {
            assert!(char.is_ascii_alphanumeric() || plain.contains(char), "{char:?} in {text}");
            bytes.push(u8::try_from(char).expect("ASCII"));
        }
    }
    bytes
}

/// A quoted string from its first quote on: its content, and what follows (RFC 9110 §5.6.4: of `qdtext` and pairs with a
/// backslash).
fn unquoted(text: &str) -> (String, &str) {
    let mut content = String::new();
    let mut chars = text.strip_prefix('"').expect("a quote").char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return (content, &text[at + 2..]),
            '\\' => content.extend(chars.next().map(|(_, escaped)| escaped)),
            '\t' | ' ' | '!' | '#'..='[' | ']'..='~' => content.push(char),
            other => panic!("{other:?} in {text}"),
        }
    }
    panic!("no end of {text}");
}

proptest! {
    /// RFC 6266 §4.1 and appendix D, RFC 8187 §3.2: the full name in `filename*`, and in `filename` a text for old clients
    /// that each of them reads alike.
    #[test]
    fn any_name_of_a_file_arrives_in_content_disposition(name in odd_names()) {
        let value = disposition(&name);
        let (kind, rest) = value.split_once("; filename=").expect("a name");
        prop_assert_eq!(kind, "attachment");
        let (plain, rest) = unquoted(rest);
        // No client decodes or unescapes any of it.
        prop_assert!(plain.chars().all(|char| (' '..='~').contains(&char) && !"\"\\%".contains(char)), "{}", plain);
        let extended = rest.strip_prefix("; filename*=UTF-8''").expect("the full name");
        // attr-char: ALPHA, DIGIT and these.
        let full = percent_decoded(extended, "!#$&+-.^_`|~");
        // A name that is no UTF-8 cannot be said in it.
        prop_assert_eq!(String::from_utf8(full).expect("UTF-8"), String::from_utf8_lossy(&name));
        // bandog's own client, and functions that get the field, read the same.
        prop_assert_eq!(
            bandog_codec::parameters::file_name(value.as_bytes()),
            Some(String::from_utf8_lossy(&name).into_owned())
        );
        prop_assert_eq!(plain.chars().count(), String::from_utf8_lossy(&name).chars().count());
    }

    /// RFC 3986 §2.3: the unreserved characters stand for themselves, and `/` between the parts of the path.
    #[test]
    fn any_path_of_an_output_arrives_in_x_output_name(path in odd_names()) {
        prop_assert_eq!(percent_decoded(&encoded_path(&path), "-._~/"), path);
    }

    /// Seconds with six decimals, the nearest microsecond. Of two that are equally near either may be sent.
    #[test]
    fn any_duration_is_sent_to_the_microsecond(
        seconds in prop_oneof![0..100_u64, any::<u32>().prop_map(u64::from)], nanoseconds in 0..1_000_000_000_u32,
    ) {
        let sent = Seconds(Duration::new(seconds, nanoseconds)).to_string();
        let (whole, decimals) = sent.split_once('.').expect("decimals");
        prop_assert!(decimals.len() == 6 && whole == whole.parse::<u64>().expect("a number").to_string(), "{}", sent);
        let number = |digits: &str| digits.parse::<i128>().expect("a number");
        let sent = number(whole) * 1_000_000_000 + number(decimals) * 1000;
        let meant = i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds);
        prop_assert!((sent - meant).abs() <= 500, "{} for {}", sent, meant);
    }

    /// Server Timing (W3C §2): `dur` is milliseconds, and what is sent is a list of tokens with parameters.
    #[test]
    fn any_times_of_a_run_are_in_server_timing(run in 0..10_000_000_000_u64, cpu in 0..10_000_000_000_u64) {
        let usage = crate::process::Usage { cpu_time: Duration::from_micros(cpu), peak_memory: 0 };
        let mut report = Report::of_exchange(Duration::from_micros(run));
        report.usage = Some(usage);
        let mut head = Head::new(StatusCode::OK, None);
        timing_field(&mut head, &report);
        let sent = head.headers["server-timing"].to_str().expect("text").to_owned();
        let entries: Vec<_> = sent.split(", ").map(|entry| entry.split_once(";dur=").expect("a duration")).collect();
        prop_assert_eq!(entries.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["run", "cpu"]);
        for ((_, sent), microseconds) in entries.into_iter().zip([run, cpu]) {
            let (whole, tenth) = sent.split_once('.').expect("a decimal");
            let sent = whole.parse::<i64>().expect("a number") * 1000 + tenth.parse::<i64>().expect("a digit") * 100;
            let difference = sent - i64::try_from(microseconds).expect("small");
            prop_assert!(tenth.len() == 1 && difference.abs() <= 50, "{}", sent);
        }
    }

    /// CGI (RFC 3875 §6.2.3): 302 for a `Location` without a status; else 200.
    #[test]
    fn the_status_is_the_one_that_was_set(set in prop::option::of(200_u16..600), location in any::<bool>()) {
        let status_line = set.map_or(String::new(), |status| format!("Status: {status} Any Words\n"));
        let text = format!("{}{status_line}", if location { "Location: /a\n" } else { "" });
        let wanted = set.unwrap_or(if location { 302 } else { 200 });
        prop_assert_eq!(with_fields(text.as_bytes()).0.as_u16(), wanted);
    }
}
