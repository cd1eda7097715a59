//! Promises that hold for any key and any JSON.

use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// As Go's `url.QueryEscape` does, which MinIO, `RustFS` and moto send.
fn form_encoded(key: &str) -> String {
    form_urlencoded::byte_serialize(key.as_bytes()).collect()
}

/// The same with slashes as they are, which AWS and StorageGRID send.
fn form_encoded_but_slashes(key: &str) -> String {
    form_encoded(key).replace("%2F", "/")
}

/// Every byte but letters and digits percent-encoded.
fn all_encoded(key: &str) -> String {
    key.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() {
            text.push(byte.into());
        } else {
            write!(text, "%{byte:02x}").expect("to a text");
        }
        text
    })
}

/// Keys with everything that an encoding could mistake.
fn keys() -> impl Strategy<Value = String> {
    prop_oneof![
        "([a-zA-Z0-9 +%/&=?#;.,:_~*'()!$@\"\\\\\\[\\]{}<>é日\u{1f600}\u{202e}\n-]|%2[0-9F]|%ZZ|%|\\+|//|\\.\\./){1,40}",
        "[^\0]{1,20}",
    ]
}

/// JSON of any shape, made of the members and values of events.
fn near_events() -> impl Strategy<Value = Value> {
    let text = prop::sample::select(vec![
        "aws:s3",
        "ceph:s3",
        "minio:s3",
        "OneTrigger",
        "Notification",
        "SubscriptionConfirmation",
        "s3:TestEvent",
        "Amazon S3",
        "IN_CREATE",
        "close",
        "/space/x",
        "b",
        "k%2F",
        "",
        "\0",
        "{\"Records\":[]}",
    ]);
    let leaf = prop_oneof![
        text.prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
    ];
    let member = prop::sample::select(vec![
        "Records",
        "Key",
        "EventName",
        "eventSource",
        "eventName",
        "eventTime",
        "objectKey",
        "s3",
        "bucket",
        "object",
        "name",
        "key",
        "size",
        "eTag",
        "event",
        "mask",
        "subscription",
        "event_type",
        "payload",
        "scope",
        "Type",
        "MessageId",
        "TopicArn",
        "Message",
        "SubscribeURL",
        "Service",
        "Event",
    ]);
    leaf.prop_recursive(6, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((member.clone(), inner), 0..8).prop_map(|members| {
                Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
            }),
        ]
    })
}

proptest! {
    #[test]
    fn any_key_arrives_as_the_object_is_named(key in keys(), which in 0..4_usize, tells in any::<bool>()) {
        for (name, source) in DIALECTS {
            let spelled = match (source, which) {
                (EventSource::Ceph, _) => key.clone(),
                (_, 0) => form_encoded(&key),
                (_, 1) => form_encoded_but_slashes(&key),
                (_, 2) => form_encoded(&key).replace('+', "%20"),
                _ => all_encoded(&key),
            };
            let mut event = event(name, "images", &spelled);
            if tells {
                event["Key"] = format!("images/{key}").into();
            }
            prop_assert_eq!(key_of(&event), Some(key.clone()), "{} {}", name, spelled);
            let sns = json!({"Type": "Notification", "MessageId": "1", "TopicArn": "t", "Message": event.to_string()});
            prop_assert_eq!(key_of(&sns), Some(key.clone()), "{} in an envelope", name);
        }
        let rucio = json!({"event_type": "close", "payload": {"scope": "s", "name": key}});
        prop_assert_eq!(key_of(&rucio), Some(key.clone()));
        let onedata = json!({"Key": format!("/s/{key}"), "Records": [
            {"objectKey": "x", "eventTime": "now", "eventSource": "OneTrigger"}]});
        prop_assert_eq!(key_of(&onedata), Some(key.clone()));
        if !key.contains('/') && key != "." && key != ".." {
            let dcache = json!({"event": {"name": key, "mask": ["IN_CREATE"]}, "subscription": "s"});
            prop_assert_eq!(key_of(&dcache), Some(key));
        }
    }

    #[test]
    fn json_near_to_an_event_holds_the_promises(json in near_events()) {
        crate::testing::events::check_event(json.to_string().as_bytes());
    }

    #[test]
    fn an_event_with_one_value_replaced_holds_the_promises(value in near_events(), at in prop::sample::select(vec![
        "/Records", "/Records/0", "/Records/0/s3", "/Records/0/s3/bucket", "/Records/0/s3/object",
        "/Records/0/s3/object/key", "/Records/0/s3/object/size", "/Records/0/eventTime", "/Records/0/eventName",
    ])) {
        let mut event = event("minio:s3", "in", "folder%2Fx");
        *event.pointer_mut(at).expect("a place") = value;
        crate::testing::events::check_event(event.to_string().as_bytes());
    }

    #[test]
    fn any_bytes_hold_the_promises(bytes in any::<Vec<u8>>()) {
        crate::testing::events::check_event(&bytes);
    }
}
