//! The events that real servers have sent.

use std::collections::HashMap;

use serde_json::Value;

use super::*;
use crate::dedupe::EventKey;

/// The notices of the recorded posts of a server, with the number of posts that are no events.
fn recorded(name: &str) -> (Vec<Notice>, usize) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/events").join(name);
    let file: Value = serde_json::from_str(&fs::read_to_string(&path).expect("the events")).expect("JSON");
    let (mut notices, mut others) = (Vec::new(), 0);
    for post in file["posts"].as_array().expect("posts") {
        let body = post["body"].as_str().expect("a body");
        match parse(body.as_bytes(), &[]) {
            Some(found) => notices.extend(found),
            None => others += 1,
        }
        crate::testing::events::check_event(body.as_bytes());
    }
    (notices, others)
}

fn shown(notice: &Notice) -> String {
    format!("{} {}", notice.object.key, notice.size.expect("a size"))
}

/// The objects that were stored, in order of their names.
const STORED: [&str; 9] = [
    "copy.txt 20",
    "encoded%20blank.txt 30",
    "fol der/ü~(1).txt 29",
    "multi part.bin 5242881",
    "per%cent.txt 23",
    "plain.txt 20",
    "plus+sign.txt 24",
    "the-last 0",
    "with blank.txt 25",
];

#[test]
fn each_stored_object_is_one_run_and_nothing_else_is() {
    for (name, source, ignored) in [
        ("ceph.json", EventSource::Ceph, &["folder", "removed"][..]),
        ("ceph-persistent.json", EventSource::Ceph, &["folder", "removed"]),
        ("moto.json", EventSource::Aws, &["folder", "removed", "test event"]),
    ] {
        let (notices, others) = recorded(name);
        assert_eq!(others, 0, "{name}");
        let mut runs = HashMap::new();
        let mut reasons = Vec::new();
        for notice in &notices {
            assert_eq!((notice.source, notice.object.bucket.as_str()), (source, "bandog-in"), "{notice:?}");
            match &notice.kind {
                NoticeKind::Created => drop(runs.insert(EventKey::of(notice).expect("a key"), shown(notice))),
                NoticeKind::Ignored(reason) => reasons.push(reason.as_str()),
            }
        }
        let mut runs: Vec<_> = runs.into_values().collect();
        runs.sort();
        assert_eq!(runs, STORED, "{name}");
        reasons.sort_by_key(|reason| ignored.iter().position(|word| reason.contains(word)));
        assert_eq!(reasons.len(), ignored.len(), "{name}: {reasons:?}");
        assert!(ignored.iter().zip(&reasons).all(|(word, reason)| reason.contains(word)), "{name}: {reasons:?}");
    }
}

#[test]
fn the_changes_of_a_file_system_are_no_events_about_objects() {
    let (notices, others) = recorded("seaweedfs-s3.json");
    assert_eq!(notices, []);
    assert!(others >= 20, "{others}");
}
