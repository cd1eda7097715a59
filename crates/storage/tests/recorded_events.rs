//! The recorded events of `fixtures/events` are those that the servers send today.

use std::{path::Path, process::Command};

use bandog_storage::testing::server::Server;

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
