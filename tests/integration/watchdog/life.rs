//! The lock file, health, and the end.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    time::Duration,
};

use rustix::process::Signal;

use super::oscar;
use crate::harness::bandog;

#[test]
fn the_lock_is_there_while_it_serves_and_gone_before_the_port_is() {
    let mut server = oscar("true").env("healthcheck_interval", "30").start();
    let mode = fs::metadata(server.lock()).expect("the lock is there").mode();
    assert_eq!((mode & 0o777 & !0o660, server.get("/_/health").send().expect(200).text()), (0, "OK"));
    server.signal(Signal::TERM);
    crate::harness::eventually("no lock", || (!server.lock().exists()).then_some(()));
    // Asked for by healthcheck_interval: still taken, but not healthy.
    let health = server.get("/_/health").send().expect(503);
    assert!(health.body.is_empty(), "{health}");
    server.post("{}").send().expect(200);
    server.signal(Signal::TERM);
    let (status, took) = server.end();
    assert!(status.success() && took < Duration::from_secs(10), "{status} after {took:?}");
}

#[test]
fn an_interval_that_nobody_asked_for_delays_no_end() {
    let mut server = oscar("true").env("write_timeout", "300").start();
    server.signal(Signal::TERM);
    let (status, took) = server.end();
    assert!(status.success() && took < Duration::from_secs(5), "{status} after {took:?}");
}

#[test]
fn who_removes_the_lock_makes_it_unhealthy_and_nothing_else() {
    let server = oscar("true").start();
    fs::remove_file(server.lock()).expect("removed");
    server.get("/_/health").send().expect(503);
    server.get("/_/ready").send().expect(503);
    server.post("{}").send().expect(200);
    fs::write(server.lock(), "").expect("written");
    assert_eq!(server.get("/_/health").send().expect(200).text(), "OK");
}

#[test]
fn another_name_of_a_file_in_the_place_of_the_lock_does_not_empty_it() {
    let server = oscar("true");
    let victim = server.lock().with_file_name("victim");
    fs::write(&victim, "precious").expect("written");
    fs::hard_link(&victim, server.lock()).expect("linked");
    let _server = server.start();
    assert_eq!(fs::read_to_string(&victim).expect("read"), "precious");
}

#[test]
fn a_start_that_fails_leaves_no_lock() {
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--metrics", "on", "--address-file", "/nonexistent/address"];
    let command = bandog(arguments).named("fwatchdog");
    let lock = command.home().join(".lock");
    let place = command.home().to_owned();
    let ran = command.env("TMPDIR", place).env("fprocess", "supervisor").env("SCRIPT", "OgA=").run().expect(70);
    assert!(ran.complaint().contains("/nonexistent/address"), "{ran}");
    assert!(!lock.exists(), "a probe would call it healthy");
}

#[test]
fn without_a_lock_it_is_healthy_all_the_same() {
    let server = oscar("true").env("suppress_lock", "true").start();
    assert!(!server.lock().exists());
    server.get("/_/health").send().expect(200);
    for method in ["POST", "PUT", "DELETE"] {
        server.request(method, "/_/health").send().expect(405);
    }
}

#[test]
fn a_lock_that_cannot_be_written_or_is_a_link_keeps_it_from_starting() {
    for make in [
        |lock: &std::path::Path| fs::create_dir(lock).expect("made"),
        |lock: &std::path::Path| {
            fs::write(lock.with_file_name("precious"), "precious").expect("written");
            std::os::unix::fs::symlink("precious", lock).expect("linked");
        },
    ] {
        let command = bandog(["serve", "--listen", "127.0.0.1:0", "--metrics", "on"]).named("fwatchdog");
        let place = command.home().to_owned();
        fs::set_permissions(&place, fs::Permissions::from_mode(0o700)).expect("permissions");
        make(&place.join(".lock"));
        let ran = command.env("TMPDIR", &place).env("fprocess", "supervisor").env("SCRIPT", "OgA=").run();
        let ran = ran.expect(70);
        assert!(ran.complaint().contains("cannot write the lock file"), "{ran}");
        let precious = place.join("precious");
        assert!(!precious.exists() || fs::read(&precious).expect("readable") == b"precious");
    }
}

#[test]
fn metrics_have_a_port_and_the_labels_of_the_watchdogs() {
    let server = oscar("true").args(["--metrics", "127.0.0.1:0"]).args(["--log-level", "INFO"]).start();
    server.post("{}").send().expect(200);
    let line = server.log_line("the metrics' address", |line| line.contains("metrics at http://"));
    let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next()).expect("an address");
    let address = address.parse().expect("an address");
    let page = crate::harness::Request::new(address, "GET", "/metrics").send().expect(200);
    for wanted in [
        "http_requests_total{code=\"200\",method=\"post\"} 1",
        "http_request_duration_seconds_count{code=\"200\",method=\"post\"} 1",
        "http_requests_in_flight 0",
    ] {
        assert!(page.text().lines().any(|line| line == wanted), "{wanted}: {page}");
    }
    let other = crate::harness::Request::new(address, "GET", "/").send().expect(404);
    assert_eq!(other.text(), "404 page not found\n");
}
