use std::{fs, path::Path};

use serde_json::{Value, json};

use super::*;
use crate::{
    object::ObjectPath,
    place::{Filter, Place},
};

mod envelopes;
mod others;
mod properties;
mod recorded;
mod records;

/// The event that a store sends for this object, with its key in this spelling.
fn event(source: &str, bucket: &str, spelled: &str) -> Value {
    json!({"Records": [{
        "eventSource": source,
        "eventTime": "2026-11-20T14:49:56.867Z",
        "eventName": "ObjectCreated:Put",
        "s3": {
            "bucket": {"name": bucket},
            "object": {"key": spelled, "size": 7, "eTag": "\"e1\"", "versionId": "", "sequencer": "17A"},
        },
    }]})
}

fn parsed(event: &Value) -> Option<Vec<Notice>> {
    parse(event.to_string().as_bytes(), &[])
}

fn only(event: &Value) -> Notice {
    let notices = parsed(event).unwrap_or_else(|| panic!("no event: {event}"));
    let [notice] = notices.try_into().expect("one notice");
    notice
}

fn key_of(event: &Value) -> Option<String> {
    parsed(event).map(|mut notices| notices.remove(0).object.key)
}

fn reason(notice: &Notice) -> &str {
    match &notice.kind {
        NoticeKind::Created => "",
        NoticeKind::Ignored(reason) => reason,
    }
}

fn webdav(provider: &str, path: &str) -> Place {
    let provider = provider.parse().expect("a provider");
    Place { provider, path: ObjectPath::parse(path), filter: Filter::default() }
}

/// The sources whose records have S3's shape.
const DIALECTS: [(&str, EventSource); 5] = [
    ("aws:s3", EventSource::Aws),
    ("minio:s3", EventSource::Minio),
    ("rustfs:s3", EventSource::RustFs),
    ("ceph:s3", EventSource::Ceph),
    ("sgws:s3", EventSource::StorageGrid),
];

#[test]
fn users_json_is_no_event() {
    for json in [
        "",
        "null",
        "[]",
        "\"Records\"",
        r#"{"Records":[]}"#,
        r#"{"Records":"abc"}"#,
        r#"{"Records":[{"a":1}]}"#,
        r#"{"Records":[{"eventSource":"aws:s3"}]}"#,
        r#"{"Records":[{"eventSource":"aws:s3","s3":{"bucket":{"name":"b"},"object":{}}}]}"#,
        r#"{"Records":[{"eventSource":"aws:s3","s3":{"bucket":{"name":""},"object":{"key":"k"}}}]}"#,
        r#"{"Records":[{"eventSource":"aws:s3","s3":{"bucket":{"name":"b"},"object":{"key":7}}}]}"#,
        r#"{"event":{"name":"x","mask":["IN_CREATE"]}}"#,
        r#"{"event":{"name":"x","mask":"IN_CREATE"},"subscription":"s"}"#,
        r#"{"event":{"name":"x","mask":["IN_CREATE"]},"subscription":"s","mine":1}"#,
        r#"{"event_type":"close","payload":"x"}"#,
        r#"{"httpMethod":"POST","body":"x"}"#,
    ] {
        assert_eq!(parse(json.as_bytes(), &[]), None, "{json}");
    }
    let event = event("aws:s3", "b", "k").to_string();
    assert_eq!(parse(format!("{event} x").as_bytes(), &[]), None, "text behind it");
    assert_eq!(parse(&[event.as_bytes(), b"\xff"].concat(), &[]), None);
    assert!(parse(format!("\n {event}\n").as_bytes(), &[]).is_some());
}

/// The measured cases of the program that bandog replaces, and our own: only two of their bodies are events.
#[test]
fn of_the_golden_cases_those_about_storage_are_events() {
    let mut found = Vec::new();
    for name in ["cases.jsonl", "own.jsonl"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/golden").join(name);
        let cases = fs::read_to_string(&path).expect("the cases");
        for case in cases.lines().filter(|line| !line.is_empty()) {
            let case: Value = serde_json::from_str(case).expect("JSON");
            let body = case["stdin_b64"].as_str().map_or_else(Vec::new, |text| {
                base64_simd::STANDARD.decode_to_vec(text).unwrap_or_else(|error| panic!("{case}: {error}"))
            });
            if let Some(notices) = parse(&body, &[]) {
                let text = String::from_utf8(body).expect("a text");
                assert_eq!(notices[0].event, Some(text), "{case}");
                found.push(format!("{} {}", case["name"], notices[0].object));
            }
        }
    }
    assert_eq!(found, ["\"event-storage-variables\" in/in/a b/cñ.png", "\"event-storage-verbatim\" in/x.png"]);
}

#[test]
fn an_event_over_the_limits_is_an_ordinary_body_or_has_no_place_in_the_environment() {
    let mut event = event("aws:s3", "b", "k");
    event["pad"] = "x".repeat(ENVIRONMENT_LIMIT).into();
    let notice = only(&event);
    assert_eq!((notice.kind, notice.event), (NoticeKind::Created, None));
    event["pad"] = "x".repeat(MAX_BYTES).into();
    assert_eq!(parsed(&event), None);
    let many = |count: usize| {
        parse(
            format!(
                "{{\"Records\":[{}]}}",
                vec![self::event("aws:s3", "b", "k")["Records"][0].to_string(); count].join(",")
            )
            .as_bytes(),
            &[],
        )
    };
    assert_eq!(many(1000).map(|notices| notices.len()), Some(1000));
    assert_eq!(many(1001), None);
}
