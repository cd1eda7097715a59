use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// The notification that a store sends for this object, with its key in this spelling.
fn notification(source: &str, bucket: &str, spelled: &str, path: Option<&str>) -> String {
    let mut notification = json!({
        "EventName": "s3:ObjectCreated:Put",
        "Records": [{
            "eventSource": source,
            "eventTime": "2026-11-20T14:49:56.867Z",
            "s3": {"bucket": {"name": bucket}, "object": {"key": spelled, "size": 1}},
        }],
    });
    if let Some(path) = path {
        notification["Key"] = path.into();
    }
    notification.to_string()
}

fn key_of(json: &str) -> Option<String> {
    recognised(json.as_bytes()).map(|event| event.object_key)
}

/// As Go's `url.QueryEscape` and Java's `URLEncoder` do.
fn form_encoded(key: &str) -> String {
    form_urlencoded::byte_serialize(key.as_bytes()).collect()
}

/// Keys with everything that an encoding could mistake.
fn keys() -> impl Strategy<Value = String> {
    "([a-zA-Z0-9 +%/&=?#;.,:_~*'()!$@\"\\\\\\[\\]{}<>é日\u{1f600}\u{202e}\n-]|%2[0-9F]|%ZZ|%|\\+){1,40}"
}

#[test]
fn each_store_has_its_own_way_to_write_a_key() {
    for (source, spelled, wanted) in [
        ("ceph:s3", "in/my pic+1.jpg", "in/my pic+1.jpg"),
        ("ceph:s3", "a%20b", "a%20b"),
        ("aws:s3", "in/my+pic%2B1.jpg", "in/my pic+1.jpg"),
        ("minio:s3", "in%2Fmy+pic%2B1.jpg", "in/my pic+1.jpg"),
        ("rustfs:s3", "in%2Fmy+pic%2B1.jpg", "in/my pic+1.jpg"),
        ("sgws:s3", "in/my+pic%2B1.jpg", "in/my pic+1.jpg"),
        ("aws:s3", "100%ZZ+1%", "100%ZZ 1%"),
    ] {
        assert_eq!(key_of(&notification(source, "b", spelled, None)).as_deref(), Some(wanted), "{source} {spelled}");
    }
    for source in ["", "s3", "AWS:S3", "aws:s3 ", "aws:sns", "gcs:s3"] {
        assert_eq!(key_of(&notification(source, "b", "k", None)), None, "{source:?}");
    }
}

#[test]
fn a_notification_that_names_two_objects_is_none() {
    for source in ["minio:s3", "rustfs:s3"] {
        let of = |path: Value| {
            let mut json: Value = serde_json::from_str(&notification(source, "b", "a%2Fx+y", None)).expect("JSON");
            json["Key"] = path;
            key_of(&json.to_string())
        };
        assert_eq!(of("b/a/x y".into()).as_deref(), Some("a/x y"), "{source}");
        for other in ["b/a/x+y", "b/a%2Fx+y", "c/a/x y", "a/x y", "ba/x y", "b/", ""] {
            assert_eq!(of(other.into()), None, "{source} {other}");
        }
    }
    for source in ["aws:s3", "ceph:s3", "sgws:s3"] {
        let json = notification(source, "b", "k", Some("elsewhere"));
        assert_eq!(key_of(&json).as_deref(), Some("k"), "to {source} this member means nothing");
    }
}

proptest! {
    #[test]
    fn any_key_of_a_store_that_encodes_arrives_as_the_object_is_named(
        source in prop::sample::select(vec!["aws:s3", "sgws:s3"]), key in keys(),
    ) {
        prop_assert_eq!(key_of(&notification(source, "b", &form_encoded(&key), None)), Some(key));
    }

    #[test]
    fn any_key_of_a_store_that_tells_the_path_as_well_arrives_as_the_object_is_named(
        source in prop::sample::select(vec!["minio:s3", "rustfs:s3"]), key in keys(), tells in any::<bool>(),
    ) {
        let path = format!("images/{key}");
        let json = notification(source, "images", &form_encoded(&key), Some(path.as_str()).filter(|_| tells));
        prop_assert_eq!(key_of(&json), Some(key));
    }

    #[test]
    fn any_key_of_ceph_arrives_as_sent(key in keys()) {
        prop_assert_eq!(key_of(&notification("ceph:s3", "b", &key, None)), Some(key));
    }
}
