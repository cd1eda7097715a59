use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::output::testing::{output_of, write};

fn output(names: &[&str]) -> Output {
    let dir = tempfile::tempdir().expect("tempdir");
    for name in names {
        write(dir.path(), Path::new(name), "x");
    }
    output_of(dir.path())
}

fn choice(accept: &str, names: &[&str]) -> String {
    match Accept::parse(Some(accept.as_bytes())).choose(&output(names)) {
        ResponseForm::Default => "default".to_owned(),
        ResponseForm::Json => "json".to_owned(),
        ResponseForm::Raw(kind) => kind,
        ResponseForm::Bare(kind) => format!("bare {kind}"),
    }
}

#[test]
fn for_one_file() {
    for (accept, wanted) in [
        // The defaults of programs.
        ("", "default"),
        ("*/*", "default"),
        ("text/*", "default"),
        ("text/plain", "default"),
        ("text/*, */*", "default"),
        ("application/json, text/plain", "default"),
        ("application/json, text/plain, */*", "default"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8", "default"),
        // Its own type.
        ("image/png", "image/png"),
        ("IMAGE/PNG", "image/png"),
        ("image/*", "image/png"),
        ("image/avif,image/webp,image/apng,image/*,*/*;q=0.8", "image/png"),
        ("image/png, */*", "image/png"),
        ("image/png;q=0.5, */*", "default"),
        ("image/png;q=0.5, */*;q=0.5", "image/png"),
        ("image/png;q=0.5, text/plain;q=0.6", "default"),
        ("image/png;q=0.5, text/*;q=0.6", "default"),
        ("image/png;q=0", "default"),
        ("image/png; q=0.000", "default"),
        ("image/jpeg", "default"),
        // Bytes.
        ("application/octet-stream", "application/octet-stream"),
        ("application/octet-stream, image/png", "image/png"),
        ("application/octet-stream, image/png;q=0.9", "application/octet-stream"),
        ("application/octet-stream, image/*", "application/octet-stream"),
        ("application/octet-stream;q=0.9, image/*", "image/png"),
        ("application/zip", "default"),
        ("application/*", "default"),
        // The document.
        ("application/json", "json"),
        ("application/json, */*", "json"),
        ("application/json;charset=utf-8", "json"),
        ("application/json, application/json", "json"),
        ("application/json;q=0.5, */*;q=0.1", "json"),
        ("application/json;q=0.5, */*", "default"),
        ("application/json, text/plain;q=0", "json"),
        ("application/json, image/png", "image/png"),
        ("application/json, image/*", "json"),
        // Malformed items are ignored.
        ("image/png;q=x", "default"),
        ("image/png;q=2", "default"),
        ("image/png;q=1.001", "default"),
        ("image/png;q=0.1234", "default"),
        ("*/png", "default"),
        ("image", "default"),
        ("image/", "default"),
        (",,;, /, im age/png, image/png", "image/png"),
        ("text/plain;note=\"a, image/png\"", "default"),
        ("image/png;note=\"a, b;q=0\\\";q=0\"", "image/png"),
        ("\"image/png", "default"),
        ("image/png ; q = 1", "image/png"),
    ] {
        assert_eq!(choice(accept, &["sub/a.png"]), wanted, "{accept}");
    }
}

#[test]
fn for_one_file_of_a_type_that_means_something_else() {
    for (accept, name, wanted) in [
        ("text/plain", "a.txt", "default"),
        ("text/plain, */*", "a.txt", "default"),
        ("text/csv", "a.csv", "text/csv"),
        ("text/*", "a.csv", "default"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "a.html", "text/html"),
        ("application/json", "a.json", "json"),
        ("application/json, text/plain", "a.json", "default"),
        ("application/json, text/plain, */*", "a.json", "default"),
        ("application/zip", "a.zip", "application/zip"),
        ("application/*", "unknown", "application/octet-stream"),
        ("application/octet-stream", "unknown", "application/octet-stream"),
    ] {
        assert_eq!(choice(accept, &[name]), wanted, "{accept} {name}");
    }
}

#[test]
fn for_several_files() {
    for (accept, wanted) in [
        ("*/*", "default"),
        ("application/zip", "application/zip"),
        ("application/*", "application/zip"),
        ("application/octet-stream", "application/octet-stream"),
        ("application/octet-stream, application/zip", "application/zip"),
        ("application/zip;q=0.5, */*;q=0.8", "default"),
        ("image/png", "default"),
        ("application/json", "json"),
    ] {
        assert_eq!(choice(accept, &["a.png", "b.png"]), wanted, "{accept}");
    }
}

#[test]
fn for_no_file() {
    for (accept, wanted) in [
        ("*/*", "default"),
        ("application/octet-stream", "default"),
        ("application/zip", "default"),
        ("application/json", "json"),
    ] {
        assert_eq!(choice(accept, &[]), wanted, "{accept}");
    }
}

#[test]
fn the_event_stream_is_chosen_when_nothing_weighs_more() {
    for (accept, wanted) in [
        ("text/event-stream", true),
        ("text/event-stream, */*", true),
        ("application/json, text/event-stream", true),
        ("text/event-stream;q=0.9, application/json", false),
        ("text/event-stream;q=0.5, */*", false),
        ("text/event-stream;q=0", false),
        ("text/*", false),
        ("*/*", false),
        ("", false),
    ] {
        assert_eq!(Accept::parse(Some(accept.as_bytes())).events(), wanted, "{accept}");
    }
    assert!(!Accept::parse(None).events());
}

#[test]
fn several_fields_are_one_list() {
    let mut headers = http::HeaderMap::new();
    headers.append(http::header::ACCEPT, http::HeaderValue::from_static("application/json"));
    headers.append(http::header::ACCEPT, http::HeaderValue::from_static("text/plain"));
    assert_eq!(Accept::from_headers(&headers).ranges, Accept::parse(Some(b"application/json, text/plain")).ranges);
}

proptest! {
    #[test]
    fn nothing_a_client_sends_makes_it_panic(value in prop::collection::vec(any::<u8>(), 0..100)) {
        let accept = Accept::parse(Some(&value));
        let _ = (accept.events(), accept.choose(&Output::None));
    }
}
