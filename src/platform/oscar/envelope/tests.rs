//! The exact shapes of events, with one field changed at a time, and the inputs that they become.

use std::{fs, os::fd::AsFd as _};

use ::base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::*;

/// The input that comes of a body: the content of its file, the object that it names, the store that it is from, the
/// variables, the notes.
#[derive(Debug, PartialEq)]
struct Left {
    content: Option<Vec<u8>>,
    object_key: Option<String>,
    provider: Option<String>,
    variables: Vec<(OsString, OsString)>,
    notes: Vec<&'static str>,
}

fn unwrapped(body: &[u8], skips_input: bool) -> Result<Left, InputError> {
    unwrapped_as(body, skips_input, false)
}

fn unwrapped_as(body: &[u8], skips_input: bool, is_loose: bool) -> Result<Left, InputError> {
    let directory = tempfile::tempdir().expect("a directory");
    let fd = fs::File::open(directory.path()).expect("it opens");
    let dir = InputDir { fd: fd.as_fd(), path: directory.path() };
    let envelope = Envelope::parse(&ContentHeaders::default()).expect("no labels");
    let result = receive(&envelope, &mut Pieces(body.chunks(7)), dir, 0).and_then(|input| {
        EnvelopeFilter { skips_input, has_store: true, is_loose, replaceable: Vec::new() }.filter(input, dir, 0)
    });
    let files = fs::read_dir(directory.path()).expect("it is read").count();
    match result {
        Err(error) => {
            assert_eq!(files, 0, "an error leaves nothing behind: {error}");
            Err(error)
        }
        Ok(input) => {
            assert_eq!(files, usize::from(input.path.is_some()), "{input:?}");
            Ok(Left {
                content: input.path.map(|path| fs::read(path).expect("it is read")),
                object_key: input.event.map(|event| event.object_key),
                provider: input.provider,
                variables: input.variables,
                notes: input.notes,
            })
        }
    }
}

fn content(body: &Value) -> String {
    let left = unwrapped(body.to_string().as_bytes(), false).expect("an input");
    String::from_utf8(left.content.expect("a file")).expect("text")
}

fn gateway() -> Value {
    json!({
        "httpMethod": "POST",
        "headers": {"content-type": "application/json"},
        "body": "{\"a\":  1.0}",
        "isBase64Encoded": false,
        "queryStringParameters": null,
    })
}

fn delegated(event: &str) -> Value {
    json!({"storage_provider": "minio.other", "event": event})
}

fn minio() -> Value {
    json!({"EventName": "s3:ObjectCreated:Put", "Key": "in/dir/a b.png", "Records": [{
        "eventSource": "minio:s3", "eventTime": "2026-11-20T14:49:56.867Z",
        "s3": {"bucket": {"name": "in"}, "object": {"key": "dir/a+b.png"}},
    }]})
}

fn onedata() -> Value {
    json!({"Key": "/space/in/a.png", "Records": [{
        "eventSource": "OneTrigger", "objectKey": "a.png", "eventTime": "2019-02-07T09:51:04.347823",
    }]})
}

#[test]
fn an_api_gateways_request_is_its_body() {
    assert_eq!(content(&gateway()), "{\"a\":  1.0}");
    let with = |name: &str, value: Value| {
        let mut event = gateway();
        event[name] = value;
        event
    };
    assert_eq!(content(&with("body", json!(null))), "");
    assert_eq!(content(&with("headers", json!(null))), "{\"a\":  1.0}");
    assert_eq!(content(&with("path", json!("/x"))), "{\"a\":  1.0}", "real ones have more");
    let mut untyped = with("headers", json!({"Accept": "*/*"}));
    untyped["body"] = "aGVsbG8=".into();
    assert_eq!(content(&untyped), "hello", "by the table, without a type");
    untyped["headers"] = json!({"CONTENT-TYPE": "text/csv"});
    assert_eq!(content(&untyped), "aGVsbG8=", "by the table, with one");
    for kind in ["application/json", "image/png", "text/plain", "application/x-www-form-urlencoded"] {
        let mut encoded = with("isBase64Encoded", json!(true));
        encoded["headers"] = json!({"Content-Type": kind});
        encoded["body"] = "aGVsbG8=".into();
        assert_eq!(content(&encoded), "hello", "{kind}: decoded once, and no more");
    }
    let mut form = with("isBase64Encoded", json!(true));
    form["headers"] = json!({"Content-Type": "multipart/form-data; boundary=b"});
    let text = "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\nhello\r\n--b--\r\n";
    form["body"] = BASE64_STANDARD.encode(text).into();
    assert_eq!(content(&form), "hello");
}

#[test]
fn what_lacks_one_field_or_has_one_of_another_type_is_the_users_own() {
    for (field, values) in [
        ("httpMethod", &[json!("post"), json!("FETCH"), json!(1), json!(null)][..]),
        ("headers", &[json!("x"), json!([])]),
        ("body", &[json!({}), json!(1)]),
        ("isBase64Encoded", &[json!("false"), json!(null), json!(0)]),
        ("queryStringParameters", &[json!("a=b"), json!([])]),
    ] {
        let mut without = gateway();
        without.as_object_mut().expect("an object").remove(field);
        assert_eq!(content(&without), without.to_string());
        for value in values {
            let mut other = gateway();
            other[field] = value.clone();
            assert_eq!(content(&other), other.to_string(), "{field}");
        }
    }
    for other in [
        json!({"event": {"a": 1}}),
        json!({"storage_provider": "minio.x", "event": {"a": 1}}),
        json!({"storage_provider": "minio.x", "event": "[1]"}),
        json!({"storage_provider": "minio.x", "event": "{"}),
        json!({"storage_provider": 1, "event": "{}"}),
        json!({"storage_provider": "minio.x", "event": "{}", "more": 1}),
        json!({"Records": []}),
        json!({"Records": "abc"}),
        json!([gateway()]),
        json!({"event": {"name": "x", "mask": "x"}, "subscription": "y"}),
        json!({"event": {"name": "x", "mask": []}, "subscription": "y", "more": 1}),
        json!({"Key": "space/a", "Records": [{"eventSource": "OneTrigger", "objectKey": "a", "eventTime": "x"}]}),
        json!({"Key": "/space/a", "Records": [{"eventSource": "OneTrigger", "eventTime": "x"}]}),
    ] {
        assert_eq!(content(&other), other.to_string());
    }
}

#[test]
fn the_query_becomes_variables_of_names_that_a_shell_can_read() {
    let mut event = gateway();
    event["queryStringParameters"] = json!({
        "lang": "eng", "a_1": "x y", "bad-name": "x", "": "x", "é": "x", "empty": "", "number": 1, "nul": "a\u{0}b",
    });
    let left = unwrapped(event.to_string().as_bytes(), false).expect("an input");
    let wanted = [("CONT_VAR_lang", "eng"), ("CONT_VAR_a_1", "x y")].map(|(name, value)| (name.into(), value.into()));
    assert_eq!(left.variables, wanted);
    assert_eq!(left.notes, ["API Gateway event found."]);

    let twice = gateway()
        .to_string()
        .replace("\"queryStringParameters\":null", "\"queryStringParameters\":{\"a\":\"1\",\"b\":\"2\",\"a\":\"3\"}");
    let left = unwrapped(twice.as_bytes(), false).expect("an input");
    let wanted = [("CONT_VAR_b", "2"), ("CONT_VAR_a", "3")].map(|(name, value)| (name.into(), value.into()));
    assert_eq!(left.variables, wanted, "the last one counts");

    event["queryStringParameters"] = json!({"a": "x".repeat(QUERY_LIMIT - 1)});
    assert!(unwrapped(event.to_string().as_bytes(), false).is_ok());
    event["queryStringParameters"] = json!({"a": "x".repeat(QUERY_LIMIT)});
    assert!(matches!(unwrapped(event.to_string().as_bytes(), false), Err(InputError::Filter(_))));
    let many: serde_json::Map<String, Value> = (0..=QUERY_NAMES).map(|n| (format!("n{n}"), "x".into())).collect();
    event["queryStringParameters"] = many.into();
    assert!(matches!(unwrapped(event.to_string().as_bytes(), false), Err(InputError::Filter(_))));
}

#[test]
fn a_delegated_event_is_the_inner_one_byte_for_byte() {
    let inner = "{ \"a\": 1.50, \"b\":\t\"\\u00e9\" }";
    assert_eq!(content(&delegated(inner)), inner);
    let mut around = gateway();
    around["body"] = delegated(inner).to_string().into();
    assert_eq!(content(&around), inner, "in an API gateway's request");
    around["body"] = BASE64_STANDARD.encode(delegated(inner).to_string()).into();
    around["isBase64Encoded"] = true.into();
    assert_eq!(content(&around), inner, "also encoded");

    let again = delegated(inner).to_string();
    assert_eq!(content(&delegated(&again)), again, "once");
    let other = gateway().to_string();
    assert_eq!(content(&delegated(&other)), other, "not the other way round");
    around["isBase64Encoded"] = false.into();
    around["body"] = other.clone().into();
    assert_eq!(content(&around), other, "nor one request in another");
}

#[test]
fn an_event_that_names_storage_stays_as_it_is_for_the_store() {
    let dcache = json!({"event": {"name": "a.png", "mask": ["IN_CREATE"]}, "subscription": "https://x"});
    for event in [minio(), onedata(), dcache] {
        let mut around = gateway();
        around["body"] = delegated(&event.to_string()).to_string().into();
        let mut encoded = gateway();
        encoded["body"] = BASE64_STANDARD.encode(event.to_string()).into();
        encoded["isBase64Encoded"] = true.into();
        let mut long = event.clone();
        if let Some(Value::Array(records)) = long.get_mut("Records") {
            records.push("x".repeat(300_000).into());
        }
        let as_object = json!({"storage_provider": "minio.other", "event": event});
        for body in [&event, &delegated(&event.to_string()), &as_object, &around, &encoded, &long] {
            let left = unwrapped(body.to_string().as_bytes(), false).expect("an input");
            let whole = if *body == long { &long } else { &event };
            assert_eq!(left.content, Some(whole.to_string().into_bytes()));
            assert_eq!(left.notes.last(), Some(&"Storage event found."));
            let is_delegated = [&around, &as_object, &delegated(&event.to_string())].contains(&body);
            let told = is_delegated.then_some("minio.other");
            assert_eq!(left.provider.as_deref(), told);
        }
    }
}

#[test]
fn a_function_that_fetches_itself_is_told_what_and_given_no_file() {
    for (event, key) in [(minio(), "dir/a b.png"), (onedata(), "/space/in/a.png")] {
        for body in [event.clone(), delegated(&event.to_string())] {
            let left = unwrapped(body.to_string().as_bytes(), true).expect("it runs");
            assert_eq!((left.content, left.object_key.as_deref()), (None, Some(key)));
            assert_eq!(left.notes.last(), Some(&"Skipping download of input file."));
        }
    }
    let left = unwrapped(b"aGVsbG8=", true).expect("it runs");
    assert_eq!((left.content, left.object_key), (None, None));
    let mut long = minio();
    long["Records"].as_array_mut().expect("a list").push("x".repeat(300_000).into());
    assert!(unwrapped(long.to_string().as_bytes(), true).is_err(), "no variable can hold it");
}

#[test]
fn a_body_over_the_limit_is_an_ordinary_one() {
    let mut event = gateway();
    let room = usize::try_from(LIMIT).expect("a size") - event.to_string().len();
    event["path"] = "x".repeat(room - ",\"path\":\"\"".len()).into();
    assert_eq!(event.to_string().len() as u64, LIMIT);
    assert_eq!(content(&event), "{\"a\":  1.0}");
    event["path"] = format!("{}x", event["path"].as_str().expect("text")).into();
    assert_eq!(content(&event), event.to_string());
}

#[test]
fn a_bad_body_in_an_envelope_is_a_bad_body() {
    for (body, is_base64, kind) in [
        ("no!", false, ""),
        ("{", false, ""),
        ("no!", true, "image/png"),
        ("x", false, "multipart/form-data; boundary=b"),
        ("{}", false, "no type"),
    ] {
        let mut event = gateway();
        event["body"] = body.into();
        event["isBase64Encoded"] = is_base64.into();
        event["headers"] = json!({"content-type": kind});
        let error = unwrapped(event.to_string().as_bytes(), false).expect_err("refused");
        assert_eq!(error.kind(), crate::input::InputErrorKind::Bad, "{error}");
    }
}

#[test]
fn one_key_is_enough_if_the_old_way_is_wanted() {
    let loosely = |event: Value| {
        let left = unwrapped_as(event.to_string().as_bytes(), false, true).expect("an input");
        (String::from_utf8(left.content.expect("a file")).expect("text"), left.variables)
    };
    assert_eq!(loosely(json!({"event": {"a": 1}})).0, r#"{"a":1}"#);
    assert_eq!(loosely(json!({"storage_provider": "minio.x", "event": {"a": 1}, "more": 1})).0, r#"{"a":1}"#);
    assert_eq!(loosely(json!({"event": "aGVsbG8="})).0, "hello");
    let (content, variables) =
        loosely(json!({"httpMethod": 1, "body": "aGVsbG8=", "queryStringParameters": {"a": "b"}}));
    assert_eq!((&*content, variables), ("hello", vec![("CONT_VAR_a".into(), "b".into())]));
    assert_eq!(loosely(json!({"httpMethod": "GET"})).0, "");
    assert_eq!(loosely(json!({"a": 1})).0, r#"{"a":1}"#);
    let numbers = r#"{"event": {"a": [1.10, 1E5, 340282366920938463463374607431768211455]}}"#;
    let left = unwrapped_as(numbers.as_bytes(), false, true).expect("an input").content.expect("a file");
    assert_eq!(left, br#"{"a":[1.10,1E5,340282366920938463463374607431768211455]}"#, "as they were written");
    let storage = json!({"event": minio()}).to_string();
    let left = unwrapped_as(storage.as_bytes(), false, true).expect("an input");
    assert_eq!(left.content, Some(minio().to_string().into_bytes()));
}

#[test]
fn variables_that_are_inherited_give_way_to_those_of_an_event() {
    let replaceable = [("CONT_VAR_a", "old"), ("CONT_VAR_b", "old"), ("EVENT", "old")];
    let replaceable = replaceable.map(|(name, value)| (OsString::from(name), OsString::from(value))).to_vec();
    let variables = |skips_input: bool, body: &Value| {
        let directory = tempfile::tempdir().expect("a directory");
        let fd = fs::File::open(directory.path()).expect("it opens");
        let dir = InputDir { fd: fd.as_fd(), path: directory.path() };
        let envelope = Envelope::parse(&ContentHeaders::default()).expect("no labels");
        let text = body.to_string();
        let input = receive(&envelope, &mut Pieces(text.as_bytes().chunks(7)), dir, 0).expect("received");
        let filter = EnvelopeFilter { skips_input, has_store: true, is_loose: false, replaceable: replaceable.clone() };
        filter.filter(input, dir, 0).expect("an input").variables
    };
    let mut event = gateway();
    event["queryStringParameters"] = json!({"a": "new"});
    let wanted = [("CONT_VAR_a", "new"), ("CONT_VAR_b", "old"), ("EVENT", "old")];
    assert_eq!(variables(false, &event), wanted.map(|(name, value)| (name.into(), value.into())));
    let wanted = [("CONT_VAR_a", "old"), ("CONT_VAR_b", "old")];
    assert_eq!(variables(true, &minio()), wanted.map(|(name, value)| (name.into(), value.into())));
}
