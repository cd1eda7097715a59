//! Events of dCache, Onedata and Rucio.

use serde_json::{Value, json};

use super::*;

#[test]
fn dcache_names_a_file_in_the_folder_of_the_first_webdav_input() {
    let of = |name: &str, mask: Value| json!({"event": {"name": name, "mask": mask, "cookie": "c"}, "subscription": "https://d.example/1"});
    let inputs = [webdav("minio", "b/f"), webdav("webdav.dcache", "/pnfs/in/"), webdav("webdav.other", "x")];
    let read =
        |event: &Value, inputs: &[Place]| parse(event.to_string().as_bytes(), inputs).map(|mut all| all.remove(0));
    let notice = read(&of("a b+%.jpg", json!(["IN_CREATE"])), &inputs).expect("an event");
    assert_eq!(notice.object, ObjectPath::new("pnfs", "in/a b+%.jpg"));
    assert_eq!(notice.object_key(), "pnfs/in/a b+%.jpg");
    let notice = read(&of("x", json!(["IN_CREATE"])), &[]).expect("an event");
    assert_eq!((notice.object, notice.kind), (ObjectPath::new("", "x"), NoticeKind::Created));

    for (mask, words) in [
        (json!(["IN_CREATE"]), ""),
        (json!(["IN_CLOSE_WRITE"]), ""),
        (json!(["IN_MOVED_TO"]), ""),
        (json!(["IN_ATTRIB", "IN_CLOSE_WRITE"]), ""),
        (json!(["IN_CREATE", "IN_ISDIR"]), "folder"),
        (json!(["IN_DELETE"]), "mask"),
        (json!(["IN_MOVED_FROM"]), "mask"),
        (json!(["in_create"]), "mask"),
        (json!([1, null]), "mask"),
        (json!([]), "mask"),
    ] {
        let notice = read(&of("x", mask.clone()), &inputs).expect("an event");
        assert_eq!(notice.kind == NoticeKind::Created, words.is_empty(), "{mask}");
        assert!(reason(&notice).contains(words), "{notice:?}");
    }
    for name in ["", ".", "..", "a/b", "../x", "/"] {
        assert_eq!(read(&of(name, json!(["IN_CREATE"])), &inputs), None, "{name:?} is no name of a file");
    }
}

#[test]
fn onedata_names_the_space_first() {
    let of = |path: &str| {
        json!({"Key": path, "Records": [{"objectKey": "f.txt", "objectId": "00", "eventTime": "2019-02-07T09:51:04",
            "eventSource": "OneTrigger"}]})
    };
    let notice = only(&of("/space/files/a%20+.txt"));
    assert_eq!(notice.object, ObjectPath::new("space", "files/a%20+.txt"));
    assert_eq!(notice.object_key(), "/space/files/a%20+.txt");
    assert_eq!((notice.source, notice.kind), (EventSource::Onedata, NoticeKind::Created));
    assert!(reason(&only(&of("/space/files/"))).contains("folder"));
    assert!(reason(&only(&of("/space"))).contains("names no object"));
    assert_eq!(parsed(&of("space/f.txt")), None);
    let mut event = of("/space/f.txt");
    event["Records"][0].as_object_mut().expect("an object").remove("objectKey");
    assert_eq!(parsed(&event), None);
}

#[test]
fn rucio_names_a_scope_and_a_file_or_dataset() {
    let of = |event_type: &str| {
        json!({"event_type": event_type, "payload": {"scope": "user.jdoe", "name": "run 1/x%20", "bytes": 5},
            "created_at": "2026-11-20 14:49:56.867"})
    };
    for (event_type, words) in [
        ("transfer-done", ""),
        ("close", ""),
        ("CLOSE", ""),
        ("create_dts", ""),
        ("rule_ok", ""),
        ("datasetlock_ok", ""),
        ("transfer-failed", "no file has arrived"),
        ("transfer-submitted", "no file has arrived"),
        ("deletion-not-found", "no file has arrived"),
        ("deletion-done", "removed"),
        ("erase", "removed"),
        ("lost", "lost"),
        ("create_cnt", "container"),
        ("open", "not complete"),
    ] {
        let notice = only(&of(event_type));
        assert_eq!(notice.object, ObjectPath::new("user.jdoe", "run 1/x%20"));
        assert_eq!(notice.time.as_deref(), Some("2026-11-20 14:49:56.867"));
        assert_eq!(notice.kind == NoticeKind::Created, words.is_empty(), "{event_type}");
        assert!(reason(&notice).contains(words), "{notice:?}");
    }
    assert_eq!((only(&of("transfer-done")).size, only(&of("close")).size), (Some(5), None));
    assert_eq!(parsed(&of("signup")), None, "users' JSON");
    assert_eq!(parsed(&json!({"event_type": "close", "payload": {"scope": "x"}})), None);
    assert_eq!(parsed(&json!({"event_type": "close", "payload": {"scope": "", "name": "x"}})), None);
}
