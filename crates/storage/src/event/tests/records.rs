//! Records of S3's shape.

use serde_json::{Value, json};

use super::*;

#[test]
fn a_record_is_read_whole() {
    for (name, source) in DIALECTS {
        let event = event(name, "b", "in/x.png");
        let notice = only(&event);
        assert_eq!(notice.source, source);
        assert_eq!(notice.object, ObjectPath::new("b", "in/x.png"));
        assert_eq!((notice.size, notice.version.as_deref()), (Some(7), None));
        assert_eq!((notice.etag.as_deref(), notice.sequencer.as_deref()), (Some("e1"), Some("17A")));
        assert_eq!(notice.time.as_deref(), Some("2026-11-20T14:49:56.867Z"));
        assert_eq!(notice.kind, NoticeKind::Created);
        assert_eq!(notice.event, Some(event.to_string()), "the event is as it was sent");
        assert_eq!((notice.object_key().as_str(), notice.other_key()), ("in/x.png", None));
    }
}

#[test]
fn each_store_has_its_own_way_to_write_a_key() {
    for (source, spelled, wanted) in [
        ("ceph:s3", "in/my pic+1.jpg", "in/my pic+1.jpg"),
        ("ceph:s3", "a%20b", "a%20b"),
        ("aws:s3", "in/my+pic%2B1.jpg", "in/my pic+1.jpg"),
        ("aws:s3", "in%2Fmy+pic%2B1.jpg", "in/my pic+1.jpg"),
        ("minio:s3", "in%2Fmy+pic%2B1.jpg", "in/my pic+1.jpg"),
        ("rustfs:s3", "in%2Fmy+pic%2B1.jpg", "in/my pic+1.jpg"),
        ("sgws:s3", "in/my+pic%2B1.jpg", "in/my pic+1.jpg"),
        ("aws:s3", "100%ZZ+1%", "100%ZZ 1%"),
        ("aws:s3", "a+%ff", "a+%ff"),
    ] {
        let notice = only(&event(source, "b", spelled));
        assert_eq!((notice.object.key.as_str(), notice.sent_key.as_str()), (wanted, spelled), "{source}");
        let other = (wanted != spelled).then(|| ObjectPath::new("b", spelled));
        assert_eq!(notice.other_key(), other, "{source} {spelled}");
    }
    for source in ["", "s3", "AWS:S3", "aws:s3 ", "aws:sns", "gcs:s3"] {
        assert_eq!(key_of(&event(source, "b", "k")), None, "{source:?}");
    }
}

#[test]
fn an_event_that_names_two_objects_is_none() {
    for source in ["minio:s3", "rustfs:s3"] {
        let of = |path: &str| {
            let mut event = event(source, "b", "a%2Fx+y");
            event["Key"] = path.into();
            key_of(&event)
        };
        assert_eq!(of("b/a/x y").as_deref(), Some("a/x y"), "{source}");
        for other in ["b/a/x+y", "b/a%2Fx+y", "c/a/x y", "a/x y", "ba/x y", "b/", ""] {
            assert_eq!(of(other), None, "{source} {other}");
        }
    }
    for source in ["aws:s3", "ceph:s3", "sgws:s3"] {
        let mut event = event(source, "b", "k");
        event["Key"] = "elsewhere".into();
        assert_eq!(key_of(&event).as_deref(), Some("k"), "to {source} this member means nothing");
    }
}

#[test]
fn only_new_objects_are_created() {
    for (name, words) in [
        ("ObjectCreated:Put", ""),
        ("ObjectCreated:Post", ""),
        ("ObjectCreated:Copy", ""),
        ("ObjectCreated:CompleteMultipartUpload", ""),
        ("ObjectSynced:Create", ""),
        ("ObjectCreated:PutTagging", "tags"),
        ("ObjectCreated:DeleteTagging", "tags"),
        ("ObjectTagging:Put", "tags"),
        ("ObjectCreated:PutRetention", "retention"),
        ("ObjectCreated:PutLegalHold", "legal hold"),
        ("ObjectAcl:Put", "access control"),
        ("ObjectRemoved:Delete", "removed"),
        ("ObjectRemoved:DeleteMarkerCreated", "removed"),
        ("LifecycleExpiration:Delete", "removed"),
        ("ObjectLifecycle:Expiration:Current", "removed"),
        ("ObjectLifecycle:Transition:Current", "no new object"),
        ("ObjectAccessed:Get", "no new object"),
        ("ObjectRestore:Completed", "no new object"),
        ("Replication:OperationFailedReplication", "no new object"),
        ("TestEvent", "test event"),
        ("", "no new object"),
    ] {
        for before in ["", "s3:"] {
            let mut event = event("minio:s3", "b", "k");
            let name = format!("{before}{name}");
            event["Records"][0]["eventName"] = name.as_str().into();
            let notice = only(&event);
            assert_eq!(notice.kind == NoticeKind::Created, words.is_empty(), "{name}: {notice:?}");
            assert!(reason(&notice).contains(words), "{name}: {notice:?}");
            assert!(words.is_empty() || reason(&notice).contains(&format!("({name})")), "{notice:?}");
        }
    }
}

#[test]
fn the_name_beside_the_records_counts_where_the_record_has_none() {
    let mut event = event("minio:s3", "b", "k");
    event["Records"][0].as_object_mut().expect("an object").remove("eventName");
    assert_eq!(only(&event).kind, NoticeKind::Created, "no name at all");
    event["EventName"] = "s3:ObjectRemoved:Delete".into();
    assert!(reason(&only(&event)).contains("removed"));
}

#[test]
fn folders_are_no_objects() {
    for (key, size, content_type, is_folder) in [
        ("a%2F", json!(0), None, true),
        ("a%2F", json!(1), None, false),
        ("a%2F", Value::Null, None, false),
        ("a", json!(0), None, false),
        ("a", json!(0), Some("application/x-directory"), true),
        ("a", Value::Null, Some("application/x-directory"), true),
        ("a", json!(5), Some("application/x-directory"), false),
        ("a", json!(0), Some("text/plain"), false),
    ] {
        let mut event = event("minio:s3", "b", key);
        let object = &mut event["Records"][0]["s3"]["object"];
        object["size"] = size;
        object["contentType"] = content_type.into();
        let notice = only(&event);
        assert_eq!(reason(&notice).contains("folder"), is_folder, "{notice:?}");
    }
}

#[test]
fn an_object_without_a_usable_key_is_ignored() {
    for (key, words) in [("", "names no object"), ("a%00b", "NUL")] {
        assert!(reason(&only(&event("aws:s3", "b", key))).contains(words), "{key:?}");
    }
}

#[test]
fn each_record_is_a_notice_with_an_event_of_its_own() {
    let mut event = event("aws:s3", "b", "one");
    for other in ["two", "three"] {
        let record = self::event("aws:s3", "c", other)["Records"][0].take();
        event["Records"].as_array_mut().expect("a list").push(record);
    }
    event["Records"].as_array_mut().expect("a list").push(json!({"eventSource": "aws:s3"}));
    event["Key"] = "about the first alone".into();
    let notices = parsed(&event).expect("an event");
    let objects: Vec<_> = notices.iter().map(|notice| notice.object.to_string()).collect();
    assert_eq!(objects, ["b/one", "c/two", "c/three", "/"]);
    assert!(reason(&notices[3]).contains("none about an object"), "{:?}", notices[3]);
    for (notice, record) in notices.iter().zip(event["Records"].as_array().expect("a list")) {
        assert_eq!(notice.event, Some(json!({"Records": [record]}).to_string()));
    }
}

#[test]
fn one_upload_in_parts_with_two_records_is_one_run() {
    let mut event = event("aws:s3", "b", "k");
    let mut second = event["Records"][0].clone();
    second["eventName"] = "ObjectCreated:CompleteMultipartUpload".into();
    event["Records"].as_array_mut().expect("a list").push(second);
    let notices = parsed(&event).expect("an event");
    assert_eq!(notices[0].kind, NoticeKind::Created);
    assert!(reason(&notices[1]).contains("the same upload"), "{:?}", notices[1]);
    for (member, value) in [("eTag", "e2"), ("key", "k2")] {
        let mut event = event.clone();
        event["Records"][1]["s3"]["object"][member] = value.into();
        assert!(parsed(&event).expect("an event").iter().all(|notice| notice.kind == NoticeKind::Created), "{member}");
    }
    event["Records"][1]["eventTime"] = "2026-11-20T14:49:57Z".into();
    assert!(parsed(&event).expect("an event").iter().all(|notice| notice.kind == NoticeKind::Created));
}
