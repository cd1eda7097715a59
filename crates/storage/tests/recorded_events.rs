//! The recorded events of `fixtures/events` are those that the servers send today, and name the objects that were stored.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use bandog_storage::{
    dedupe::EventKey,
    event::{EventSource, Notice, NoticeKind, parse},
    testing::server::Server,
};
use serde_json::Value;

/// The keys of the objects that `record.py` stores, copies and completes.
const KEYS: [&str; 9] = [
    "copy.txt",
    "encoded%20blank.txt",
    "fol der/\u{fc}~(1).txt",
    "multi part.bin",
    "per%cent.txt",
    "plain.txt",
    "plus+sign.txt",
    "the-last",
    "with blank.txt",
];

/// The bodies that a server sent.
fn recorded(file: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/events").join(file);
    let recording: Value = serde_json::from_slice(&fs::read(path).expect("a recording")).expect("JSON");
    let posts = recording["posts"].as_array().expect("posts");
    posts.iter().map(|post| post["body"].as_str().expect("a body").to_owned()).collect()
}

/// What the bodies of a recording tell, all of one source.
fn notices(file: &str, source: EventSource) -> Vec<Notice> {
    let read = |body: String| parse(body.as_bytes(), &[]).unwrap_or_else(|| panic!("no event: {body}"));
    let all: Vec<Notice> = recorded(file).into_iter().flat_map(read).collect();
    assert!(all.iter().all(|notice| notice.source == source), "{all:?}");
    all
}

/// The objects are those that were stored. A folder, a removal and a test start nothing; an event that comes twice is one.
fn names_the_stored_objects(file: &str, source: EventSource, ignored: usize) {
    let all = notices(file, source);
    let created: Vec<&Notice> = all.iter().filter(|notice| notice.kind == NoticeKind::Created).collect();
    assert!(created.iter().all(|notice| notice.object.bucket == "bandog-in"), "{created:?}");
    let keys: BTreeSet<&str> = created.iter().map(|notice| notice.object.key.as_str()).collect();
    assert_eq!(keys, BTreeSet::from(KEYS));
    let runs: BTreeSet<String> = created.iter().map(|notice| format!("{:?}", EventKey::of(notice))).collect();
    assert_eq!(runs.len(), KEYS.len(), "one run for each object: {runs:#?}");
    assert_eq!(all.len() - created.len(), ignored, "{all:?}");
}

#[test]
fn events_of_ceph_name_the_stored_objects() {
    names_the_stored_objects("ceph.json", EventSource::Ceph, 2);
    names_the_stored_objects("ceph-persistent.json", EventSource::Ceph, 2);
}

#[test]
fn events_of_moto_name_the_stored_objects_and_two_of_a_multipart_upload_are_one() {
    names_the_stored_objects("moto.json", EventSource::Aws, 3);
    let created =
        notices("moto.json", EventSource::Aws).into_iter().filter(|notice| notice.kind == NoticeKind::Created);
    assert_eq!(created.filter(|notice| notice.object.key == "multi part.bin").count(), 2);
}

#[test]
fn events_of_files_from_seaweedfs_are_no_events_of_objects() {
    for body in recorded("seaweedfs-s3.json") {
        assert_eq!(parse(body.as_bytes(), &[]), None, "{body}");
    }
}

/// Records the events of a server again, and compares them with the file.
fn sends_what_was_recorded(server: &str, arguments: &[&str]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/events/record.py");
    let mut check = Command::new("python3");
    check.arg(script).arg(server).arg("--check").args(arguments);
    let ran = check.output().expect("python3");
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(
        ran.status.success() && said.contains("posts as recorded"),
        "{said}{}",
        String::from_utf8_lossy(&ran.stderr)
    );
}

#[test]
fn moto_sends_the_recorded_events() {
    if Server::for_test("moto", &[]).is_some() {
        sends_what_was_recorded("moto", &[]);
    }
}

#[test]
fn ceph_sends_the_recorded_events_while_the_uploader_waits() {
    if Server::start_extra("ceph", &[]).is_some() {
        sends_what_was_recorded("ceph", &[]);
    }
}

#[test]
fn ceph_sends_the_recorded_events_from_a_queue() {
    if Server::start_extra("ceph", &[]).is_some() {
        sends_what_was_recorded("ceph", &["--persistent"]);
    }
}

#[test]
fn seaweedfs_sends_the_recorded_events() {
    if Server::start_extra("seaweedfs-s3", &[]).is_some() {
        sends_what_was_recorded("seaweedfs-s3", &[]);
    }
}
