//! The service's process: started, waited for, started again, and stopped.

use rustix::process::Signal;

use super::{free_port, service};
use crate::harness::{Server, eventually, signal};

/// A service with one action, and these lines of the file.
fn file(more: &str) -> String {
    format!(
        "oms: 1\nlifecycle: {{startup: {{command: [python3, SERVER]}}}}\n{more}\nactions:\n  \
         port: {{http: {{port: PORT1, method: get, path: /port}}, output: {{type: object}}}}\n  \
         slow: {{http: {{port: PORT1, method: get, path: /slow}}, output: {{type: string}}}}\n"
    )
}

/// The processes that the service has been, by their ids.
fn starts(server: &Server) -> Vec<u32> {
    server.sign("starts").lines().map(|pid| pid.parse().expect("a process id")).collect()
}

#[test]
fn a_redirection_is_healthy_and_a_page_that_is_not_there_is_none() {
    for (code, is_ready) in [(200, true), (302, true), (404, false), (503, false)] {
        let text = file(&format!("health: {{http: {{port: PORT1, path: /status/{code}}}}}"));
        // A loaded machine may take seconds to start the server; a service that is never ready need not be waited for.
        let server = service(&text).args(["--queue-timeout", if is_ready { "30s" } else { "1s" }]).start();
        if is_ready {
            server.get("/port").send().expect(200);
            server.get("/_/ready").send().expect(200);
        } else {
            server.sign("starts");
            server.get("/port").send().problem(503);
            server.get("/_/ready").send().problem(503);
        }
    }
}

#[test]
fn calls_wait_for_a_service_that_starts() {
    let server = service(&file("")).env("WAIT_TO_LISTEN", "1").start();
    let (get, port) = (server.get("/port"), server.get("/_/ready"));
    server.sign("starts");
    port.send().problem(503);
    let waiting = std::thread::spawn(move || get.send());
    eventually("a call that waits", || {
        let page = server.get("/_/metrics").send();
        page.text().lines().any(|line| line == "http_requests_in_flight 1").then_some(())
    });
    server.give("listen");
    waiting.join().expect("an answer").expect(200);
}

#[test]
fn what_waits_too_long_for_it_is_told_so() {
    let server = service(&file("")).env("WAIT_TO_LISTEN", "1").args(["--queue-timeout", "300ms"]).start();
    let problem = server.get("/port").send().problem(503);
    assert_eq!(problem["type"], "urn:bandog:error:not-ready");
    assert_eq!(problem["detail"], "the service is not ready; repeat the request after a while");
    server.give("listen");
}

#[test]
fn a_service_that_is_killed_is_started_again() {
    let server = service(&file("")).start();
    let first = server.get("/port").send().expect(200).json()["pid"].clone();
    let port = server.log_line("it is ready", |line| line.contains("the service at 127.0.0.1:"));
    assert!(port.contains("is ready"), "{port}");
    signal(starts(&server)[0], Signal::KILL);
    server.log_line("its end", |line| line.contains("the service ended by itself"));
    eventually("the next process", || (starts(&server).len() == 2).then_some(()));
    let second = server.get("/port").send().expect(200).json()["pid"].clone();
    assert_ne!(first, second);
}

#[test]
fn a_service_that_somebody_else_starts_is_waited_for() {
    let port = free_port();
    let text = format!(
        "oms: 1\nactions:\n  port: {{http: {{port: {port}, method: get, path: /port}}, output: {{type: object}}}}\n"
    );
    let server = service(&text).start();
    server.get("/_/ready").send().problem(503);
    let get = server.get("/port");
    let waiting = std::thread::spawn(move || get.send());
    let other = crate::harness::server::Builder::new().args(["--mode", "http", "--upstream"]);
    let other = other.args([format!("http://127.0.0.1:{port}")]);
    let fixture = crate::harness::fixture("upstream/server.py");
    let _other = other.command([std::ffi::OsStr::new("python3"), fixture.as_os_str()]).start();
    waiting.join().expect("an answer").expect(200);
}

#[test]
fn the_shutdown_command_is_run_when_all_is_answered_and_waited_for() {
    // It asks the service at its end, which is still there then.
    let command = "echo >$SCRATCH/stopping; while [ ! -e $SCRATCH/stop ]; do sleep 0.02; done; python3 -c \"from \
        urllib.request import urlopen; urlopen('http://127.0.0.1:$PORT/port')\" && echo the end";
    let shutdown = format!("lifecycle: {{shutdown: {{timeout: 60, command: [sh, -c, {command:?}]}}, ");
    let text = file("").replace("lifecycle: {", &shutdown);
    let mut server = service(&text).args(["--kill-grace", "60s"]).start();
    let get = server.get("/slow");
    let waiting = std::thread::spawn(move || get.send());
    server.sign("slow");
    server.signal(Signal::TERM);
    server.log_line("the drain", |line| line.contains("draining"));
    assert!(!server.has_sign("stopping"), "there is a call under way");
    server.give("go");
    waiting.join().expect("an answer").expect(200);
    server.sign("stopping");
    assert!(!server.has_sign("term"), "the process is told after the command");
    server.give("stop");
    let (status, _) = server.end();
    assert_eq!(status.code(), Some(0), "{server}");
    assert!(server.has_sign("term"));
    assert!(server.log().contains("the end"), "{server}");
    server.check_nothing_is_left();
}

#[test]
fn a_shutdown_command_that_takes_too_long_is_ended_and_so_is_the_process() {
    let text = file("").replace("lifecycle: {", "lifecycle: {shutdown: {timeout: 1, command: [sleep, '1000']}, ");
    let mut server = service(&text).env("STUBBORN", "1").args(["--kill-grace", "300ms"]).start();
    server.get("/port").send().expect(200);
    server.signal(Signal::TERM);
    let (status, _) = server.end();
    assert_eq!(status.code(), Some(0), "{server}");
    assert!(server.has_sign("term"));
    server.check_nothing_is_left();
}

#[test]
fn a_second_signal_skips_to_the_end() {
    let text = file("").replace(
        "lifecycle: {",
        "lifecycle: {shutdown: {timeout: 1000, command: [sh, -c, \
        'touch $SCRATCH/stopping; exec sleep 1000']}, ",
    );
    let mut server = service(&text).env("STUBBORN", "1").args(["--kill-grace", "1000s"]).start();
    server.get("/port").send().expect(200);
    server.signal(Signal::TERM);
    server.sign("stopping");
    server.signal(Signal::TERM);
    let (status, _) = server.end();
    assert_eq!(status.code(), Some(0), "{server}");
    server.check_nothing_is_left();
}

#[test]
fn nothing_is_left_behind_in_the_middle_of_a_call() {
    let mut server = service(&file("")).args(["--drain-timeout", "200ms"]).start();
    let get = server.get("/slow");
    let waiting = std::thread::spawn(move || get.send());
    server.sign("slow");
    server.signal(Signal::TERM);
    assert_eq!(waiting.join().expect("an answer").problem(503)["type"], "urn:bandog:error:shutting-down");
    let (status, _) = server.end();
    assert_eq!(status.code(), Some(0), "{server}");
    server.check_nothing_is_left();
}

#[test]
fn the_metrics_of_the_service_are_behind_those_of_bandog() {
    let server = service(&file("metrics: {ssl: false, port: PORT1, uri: /numbers}")).start();
    server.get("/port").send().expect(200);
    let page = server.get("/_/metrics").send().expect(200);
    let count = |line: &str| page.text().lines().filter(|have| have.starts_with(line)).count();
    assert_eq!((count("own_total 7"), count("# TYPE own_total counter")), (1, 1), "{page}");
    assert_eq!((count("# TYPE http_requests_total "), count("http_requests_total 9")), (1, 0), "{page}");
    server.log_line("what is left out", |line| line.contains("http_requests_total are left out"));
    // And without them there are still the own ones.
    let silent = service(&file("metrics: {ssl: false, port: PORT1, uri: /slow}")).start();
    silent.get("/port").send().expect(200);
    assert!(silent.get("/_/metrics").send().expect(200).text().contains("http_requests_total"));
    silent.log_line("why", |line| line.contains("no metrics of the service"));
    silent.give("go");
}
