use std::{fs, os::unix::fs::symlink, path::Path};

use proptest::prelude::*;
use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::*;
use crate::output::testing::{open, write};

fn parsed(text: &str) -> (Result<ResponseHeaders, String>, Vec<String>) {
    let mut warnings = Vec::new();
    let response_headers = parse(text.as_bytes(), &mut |warning| warnings.push(warning));
    (response_headers.map_err(|error| error.to_string()), warnings)
}

fn read(dir: &Path) -> Result<ResponseHeaders, OutputError> {
    read_response_headers(open(dir).as_fd(), "headers", None, &mut |warning| panic!("{warning}"))
}

#[test]
fn status_and_fields_are_read_in_order_whatever_ends_the_lines() {
    let (response_headers, warnings) =
        parsed("Status: 201 Created\r\n\r\nContent-Type:image/png\nSet-Cookie: a=1\n\n  \nSET-COOKIE: b=2; x: y ");
    let response_headers = response_headers.expect("valid");
    assert_eq!(response_headers.status, Some(201));
    let fields: Vec<_> =
        response_headers.fields.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
    let wanted: [(&str, &[u8]); 3] =
        [("content-type", b"image/png"), ("set-cookie", b"a=1"), ("set-cookie", b"b=2; x: y")];
    assert_eq!(fields, wanted);
    assert_eq!(response_headers.field("Content-TYPE"), Some(&b"image/png"[..]));
    assert!(warnings.is_empty());
}

#[test]
fn a_line_that_says_nothing_is_an_error_that_names_it() {
    for (text, wanted) in [
        ("A: 1\n\nContent-Type image/png", "line 3 of the response headers"),
        ("Status: 99", "expected a status from 200 to 599"),
        ("Status: 100", "expected a status from 200 to 599"),
        ("Status: 600", "expected a status from 200 to 599"),
        ("Status: +201", "expected a status from 200 to 599"),
        ("Status:", "expected a status from 200 to 599"),
        ("Bad Name: x", "expected a header name"),
        (": x", "expected a header name"),
        (" Folded: x", "expected a header name"),
        ("A: b\rB: c", "without control characters"),
        ("A: \u{1}", "without control characters"),
    ] {
        let (response_headers, _) = parsed(text);
        let error = response_headers.expect_err(text);
        assert!(error.contains(wanted), "{text:?}: {error}");
    }
}

#[test]
fn fields_that_are_not_the_functions_to_set_are_ignored_with_a_warning() {
    for name in [
        "Connection",
        "Content-Length",
        "Transfer-Encoding",
        "Keep-Alive",
        "Upgrade",
        "TE",
        "Trailer",
        "Date",
        "X-Call-Id",
        "X-Exit-Code",
        "X-Duration-Seconds",
        "X-Output-Kind",
        "X-Bandog-Error",
    ] {
        let (response_headers, warnings) = parsed(&format!("{name}: 5\nX-Own: 1"));
        assert_eq!(response_headers.expect("valid").fields.len(), 1, "{name}");
        assert!(warnings.len() == 1 && warnings[0].contains(&name.to_lowercase()), "{warnings:?}");
    }
}

#[test]
fn a_function_cannot_set_any_field_that_only_bandog_sets() {
    assert!(headers::RESERVED.len() >= 6);
    for name in headers::RESERVED {
        let (parsed, warnings) = parsed(&format!("{name}: 5"));
        assert!(parsed.expect("valid").fields.is_empty() && warnings.len() == 1, "{name}");
    }
}

#[test]
fn only_a_plain_file_of_a_sane_size_is_read() {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("headers");
    assert_eq!(read(dir.path()).expect("absent"), ResponseHeaders::default());
    write(dir.path(), "headers", "");
    assert_eq!(read(dir.path()).expect("empty"), ResponseHeaders::default());
    write(dir.path(), "headers", format!("A: {}", "x".repeat(SIZE_LIMIT - 3)));
    assert_eq!(read(dir.path()).expect("as large as may be").fields.len(), 1);
    write(dir.path(), "headers", format!("A: {}", "x".repeat(SIZE_LIMIT - 2)));
    assert!(matches!(read(dir.path()), Err(OutputError::HeadersTooLarge)));
    fs::remove_file(&path).expect("removed");
    write(dir.path(), "target", "A: 1");
    symlink("target", &path).expect("link");
    assert!(matches!(read(dir.path()), Err(OutputError::HeadersFile(_))));
    fs::remove_file(&path).expect("removed");
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR, 0).expect("FIFO");
    assert!(matches!(read(dir.path()), Err(OutputError::HeadersFile(_))), "and it does not hang");
    fs::remove_file(&path).expect("removed");
    fs::create_dir(&path).expect("directory");
    assert!(matches!(read(dir.path()), Err(OutputError::HeadersFile(_))));
}

/// The meaning of a line by the rules: nothing, a status, a field, or a mistake. Blanks around name and value do not
/// count, but none may begin a line, which was a continuation once (RFC 9112 §5.2).
#[derive(Debug, PartialEq)]
enum Read {
    Nothing,
    Status(u16),
    Field(String, Vec<u8>),
    Mistake,
}

fn by_the_rules(line: &[u8]) -> Read {
    const BLANKS: &[u8] = b" \t\r\x0c";
    let trim = |mut bytes: Vec<u8>| {
        while bytes.last().is_some_and(|byte| BLANKS.contains(byte)) {
            bytes.pop();
        }
        bytes
    };
    let line = trim(line.to_vec());
    if line.is_empty() {
        return Read::Nothing;
    }
    let mut parts = line.splitn(2, |byte| *byte == b':');
    let (Some(name), Some(value)) = (parts.next(), parts.next()) else { return Read::Mistake };
    let name = trim(name.to_vec());
    let value: Vec<u8> = value.iter().copied().skip_while(|byte| BLANKS.contains(byte)).collect();
    if name.eq_ignore_ascii_case(b"status") {
        // RFC 3875 §6.3.3: three digits, a space, a reason.
        return match &value[..] {
            [a @ b'2'..=b'5', b @ b'0'..=b'9', c @ b'0'..=b'9', rest @ ..]
                if rest.first().is_none_or(|byte| BLANKS.contains(byte)) =>
            {
                let digit = |byte: &u8| u16::from(byte - b'0');
                Read::Status(digit(a) * 100 + digit(b) * 10 + digit(c))
            }
            _ => Read::Mistake,
        };
    }
    // RFC 9110 §5.1 and §5.6.2: a token. §5.5: visible characters, blanks, and bytes above ASCII.
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let is_value = |byte: &u8| matches!(byte, b'\t' | b' '..=b'~' | 0x80..);
    if name.is_empty() || !name.iter().all(is_token) || !value.iter().all(is_value) {
        return Read::Mistake;
    }
    Read::Field(String::from_utf8(name).expect("a token").to_ascii_lowercase(), value)
}

fn odd_lines() -> impl Strategy<Value = Vec<u8>> {
    let names: Vec<&[u8]> =
        vec![b"Status", b"STATUS", b"X-Own", b"Set-Cookie", b"a b", b"", b"!#$%&'*+-.^_`|~", b" x", b"\xe9", b"(x)"];
    let name = prop_oneof![
        4 => Just(b"Status".to_vec()),
        4 => prop::sample::select(names).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..4),
    ];
    let separator = prop::sample::select(vec![&b":"[..], b": ", b" :", b":\t ", b"", b"=", b"::"]);
    let value = prop_oneof![
        (0_u16..700).prop_map(|status| status.to_string().into_bytes()),
        prop::sample::select(vec![
            &b"200 OK"[..],
            b"+20",
            b"0x1",
            b"404Not",
            b"2000",
            b"0404",
            b"20",
            b"\t404\tx",
            "\u{662}00".as_bytes()
        ])
        .prop_map(<[u8]>::to_vec),
        prop::collection::vec(any::<u8>(), 0..6),
        "[ -~\u{e9}\u{202e}]{0,12}".prop_map(String::into_bytes),
    ];
    let line = (name, separator, value).prop_map(|(name, separator, value)| [&name, separator, &value].concat());
    // A line end would make two lines of it.
    line.prop_map(|line| line.into_iter().filter(|byte| *byte != b'\n').collect())
}

proptest! {
    #[test]
    fn any_line_is_read_as_the_rules_say(
        lines in prop::collection::vec(odd_lines(), 0..4), end in prop::sample::select(vec!["\n", "\r\n"]),
    ) {
        let text: Vec<u8> = lines.iter().flat_map(|line| [line, end.as_bytes()].concat()).collect();
        let expected: Vec<Read> = lines.iter().map(|line| by_the_rules(line)).collect();
        let parsed = parse(&text, &mut |_| ());
        if let Some(mistake) = expected.iter().position(|read| *read == Read::Mistake) {
            let error = parsed.expect_err("a mistake").to_string();
            prop_assert!(error.contains(&format!("line {} ", mistake + 1)), "{}", error);
            return Ok(());
        }
        let parsed = parsed.expect("no mistake");
        let (mut status, mut fields) = (None, Vec::new());
        for read in expected {
            match read {
                Read::Status(last) => status = Some(last),
                // None of these names is reserved.
                Read::Field(name, value) => fields.push((name, value)),
                Read::Nothing | Read::Mistake => {}
            }
        }
        prop_assert_eq!((parsed.status, parsed.fields), (status, fields));
    }

    #[test]
    fn whatever_is_written_there_never_panics_and_only_valid_fields_come_out(text in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(response_headers) = parse(&text, &mut |_| ()) {
            for (name, value) in response_headers.fields {
                prop_assert!(HeaderName::from_bytes(name.as_bytes()).is_ok() && HeaderValue::from_bytes(&value).is_ok());
            }
        }
    }
}
