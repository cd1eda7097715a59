//! Bodies as clients send them, and what they hold for an action.

use std::os::fd::AsFd as _;

use super::*;
use crate::{
    actions::{Argument, Interface, Output, Schema},
    input::{ContentHeaders, InputErrorKind, chunkings::ChunkedBody},
};

fn action(kinds: &[(&str, Type)]) -> Action {
    let argument = |(name, kind): &(&str, Type)| Argument {
        name: (*name).to_owned(),
        location: Location::Body,
        schema: Schema { kind: *kind, ..Schema::default() },
        required: false,
        default: None,
        deprecated: false,
        help: None,
    };
    Action {
        name: "act".to_owned(),
        help: None,
        deprecated: false,
        interface: Interface::Command(Vec::new()),
        arguments: kinds.iter().map(argument).collect(),
        variadic: false,
        output: Output::default(),
    }
}

/// Describes a body: `JSON`, `name=value&…` with `@content` for files, or `file content`.
fn read(action: &Action, content_type: &str, body: &[u8]) -> Result<String, (InputErrorKind, String)> {
    let told = |error: InputError| (error.kind(), error.to_string());
    let content_type = (!content_type.is_empty()).then(|| content_type.as_bytes().to_vec());
    let envelope = Envelope::for_action(&ContentHeaders { content_type, ..ContentHeaders::default() }).map_err(told)?;
    let directory = tempfile::tempdir().expect("a directory");
    let fd = File::open(directory.path()).expect("a directory");
    let dir = InputDir { fd: fd.as_fd(), path: directory.path() };
    let input = receive(&envelope, &mut ChunkedBody::new(body, &[]), dir, 0).map_err(told)?;
    let content = |path: &Path| fs::read(path).expect("it is there").escape_ascii().to_string();
    Ok(match arguments(&envelope, &input, dir, action, Placement::Any).map_err(told)? {
        Body::None => "nothing".to_owned(),
        Body::Object(members) => serde_json::Value::Object(members).to_string(),
        Body::Fields(fields) => {
            let text = |field: &FormField| match &field.content {
                actions::FieldContent::Text(Some(text)) => format!("{}={text}", field.name),
                actions::FieldContent::Text(None) => format!("{} is no text", field.name),
                actions::FieldContent::File(path) => format!("{}=@{}", field.name, content(path)),
            };
            fields.iter().map(text).collect::<Vec<_>>().join("&")
        }
        Body::File(path) => {
            assert_eq!(fs::read_dir(directory.path()).expect("a directory").count(), 1, "it alone is left");
            format!("file {}", content(&path))
        }
    })
}

const FORM: &str = "application/x-www-form-urlencoded";

#[test]
fn json_and_base64_of_it_are_arguments_under_every_label_that_bandog_takes_base64_under() {
    let action = action(&[("word", Type::String), ("image", Type::Path)]);
    for content_type in ["", "text/plain", FORM, "application/base64", "application/json"] {
        for body in
            ["{\"word\":\"hello\"}", " {\"word\": \"hello\"}\n", "eyJ3b3JkIjoiaGVsbG8ifQ==", "eyJ3b3JkIjoi\naGVsbG8ifQ"]
        {
            let wanted = Ok("{\"word\":\"hello\"}".to_owned());
            assert_eq!(read(&action, content_type, body.as_bytes()), wanted, "{body:?} as {content_type:?}");
        }
        assert_eq!(read(&action, content_type, b""), Ok("nothing".to_owned()), "{content_type}");
    }
    assert_eq!(read(&action, "application/x+json", b"{\"word\":1}"), Ok("{\"word\":1}".to_owned()));
}

#[test]
fn a_form_is_a_form_also_where_it_looks_like_base64() {
    let both = action(&[("word", Type::String), ("image", Type::Path)]);
    let plain = action(&[("word", Type::String)]);
    for action in [&both, &plain] {
        for (body, wanted) in
            [("word=hello+you%21", "word=hello you!"), ("word=", "word="), ("word", "word="), ("a=1&a=2", "a=1&a=2")]
        {
            assert_eq!(read(action, FORM, body.as_bytes()).as_deref(), Ok(wanted), "{body}");
        }
    }
    // No argument of that name, and one that is a file: curl's `-d` with base64.
    assert_eq!(read(&both, FORM, b"SGVsbG8=").as_deref(), Ok("file Hello"));
    assert_eq!(read(&plain, FORM, b"SGVsbG8=").as_deref(), Ok("SGVsbG8="));
    assert_eq!(
        read(&plain, &format!("{FORM}; charset=utf-8"), b"{\"a\":}").expect_err("bad").0,
        InputErrorKind::Arguments
    );
}

#[test]
fn what_is_neither_is_the_file() {
    let action = action(&[("image", Type::Path)]);
    for (content_type, body, wanted) in [
        ("image/png", &b"\x89PNG"[..], "file \\x89PNG"),
        ("application/octet-stream", b"{\"a\":1}", "file {\\\"a\\\":1}"),
        ("application/octet-stream", b"", "file "),
        ("", b"SGVsbG8=", "file Hello"),
        ("text/plain", b"two words!", "file two words!"),
        ("text/plain", b"[1]", "file [1]"),
        ("application/json", b"SGVsbG8=", "file Hello"),
        ("", b"ezE=", "file {1"),
    ] {
        assert_eq!(read(&action, content_type, body).as_deref(), Ok(wanted), "{content_type}");
    }
    for body in [&b"[1]"[..], b"\"text\"", b"5", b"null"] {
        assert_eq!(read(&action, "application/json", body).expect_err("no object").0, InputErrorKind::Arguments);
    }
}

#[test]
fn the_parts_of_a_form_are_arguments() {
    let action = action(&[("image", Type::Path), ("options", Type::Object), ("word", Type::String)]);
    let body = b"--b\r\nContent-Disposition: form-data; name=\"word\"\r\n\r\nhello\r\n\
        --b\r\nContent-Disposition: form-data; name=\"image\"; filename=\"word\"\r\n\r\n\x89PNG\r\n\
        --b\r\nContent-Disposition: form-data; name=\"options\"; filename=\"o.json\"\r\n\r\n{\"a\":1}\r\n\
        --b\r\nContent-Disposition: form-data; name=\"none\"; filename=\"\"\r\n\r\n\r\n--b--";
    let content_type = "multipart/form-data; boundary=b";
    assert_eq!(read(&action, content_type, body).as_deref(), Ok("word=hello&image=@\\x89PNG&options={\"a\":1}"));
    let latin = b"--b\r\nContent-Disposition: form-data; name=\"word\"\r\n\r\n\xff\r\n--b--";
    assert_eq!(read(&action, content_type, latin).as_deref(), Ok("word is no text"));
    assert_eq!(read(&action, FORM, b"word=%ff&a=b").as_deref(), Ok("word is no text&a=b"));
}

#[test]
fn a_key_twice_and_too_much_of_anything_is_refused() {
    let action = action(&[("word", Type::String)]);
    let (kind, told) = read(&action, "application/json", b"{\n \"a\": 1,\n \"a\": 2}").expect_err("twice");
    assert_eq!(kind, InputErrorKind::Arguments);
    assert!(told.contains("the key `a` occurs twice at line 3 column 4"), "{told}");
    let many = format!("{{\"a\":[{}1]}}", "1,".repeat(MAX_VALUES));
    let (kind, told) = read(&action, "application/json", many.as_bytes()).expect_err("many");
    assert_eq!((kind, told.contains("too many values")), (InputErrorKind::Arguments, true), "{told}");
    let most = format!("{{\"a\":[{}1]}}", "1,".repeat(MAX_VALUES - 3));
    assert!(read(&action, "application/json", most.as_bytes()).is_ok());
    let deep = format!("{}{}", "[".repeat(127), "]".repeat(127));
    assert!(read(&action, "application/json", format!("{{\"a\":{deep}}}").as_bytes()).is_err());
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(usize::try_from(LIMIT).expect("it fits")));
    for content_type in ["application/json", FORM] {
        assert_eq!(read(&action, content_type, long.as_bytes()).expect_err("long").0, InputErrorKind::TooLarge);
    }
    let fields = "a=1&".repeat(MAX_VALUES + 1);
    assert_eq!(read(&action, FORM, fields.as_bytes()).expect_err("many").0, InputErrorKind::Arguments);
}

#[test]
fn a_large_file_in_base64_is_decoded_on_disk() {
    use ::base64::{Engine as _, engine::general_purpose::STANDARD};
    let content = vec![b'x'; 7 * 1024 * 1024];
    let body = STANDARD.encode(&content);
    assert!(body.len() as u64 > LIMIT);
    let taken = read(&action(&[("image", Type::Path)]), FORM, body.as_bytes()).expect("a file");
    assert_eq!(taken.len(), "file ".len() + content.len());
    let action = action(&[("word", Type::String)]);
    assert_eq!(read(&action, FORM, body.as_bytes()).expect_err("long").0, InputErrorKind::TooLarge);
}
