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

proptest! {
    #[test]
    fn whatever_is_written_there_never_panics_and_only_valid_fields_come_out(text in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(response_headers) = parse(&text, &mut |_| ()) {
            for (name, value) in response_headers.fields {
                prop_assert!(HeaderName::from_bytes(name.as_bytes()).is_ok() && HeaderValue::from_bytes(&value).is_ok());
            }
        }
    }
}
