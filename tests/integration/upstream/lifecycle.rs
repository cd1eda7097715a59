//! The process: started, started again, waited for, and ended after the last answer.

use std::{fs, thread, time::Duration};

use rustix::process::Signal;

use super::{kill, listens, proxy, starts};
use crate::harness::{Server, bandog, eventually, proc_status, server::Builder};

/// Waits until the log says so often that the function was started.
fn started(server: &Server, times: usize) {
    eventually(&format!("{times} starts: {server}"), || {
        (server.log().matches("function started").count() >= times).then_some(())
    });
}

#[test]
fn the_function_finds_its_port_and_nothing_of_bandogs() {
    let server = proxy().env("BANDOG_TOKEN", "s3cr3t").env("PORT", "1").start();
    let answer = server.get("/port").header("Authorization", "Bearer s3cr3t").send().expect(200).json();
    assert!(listens(answer["port"].as_str().expect("a port")), "{answer}");
    let names: Vec<_> = answer["environment"].as_array().expect("names").iter().filter_map(|n| n.as_str()).collect();
    assert!(names.contains(&"SCRATCH") && !names.contains(&"BANDOG_TOKEN"), "{names:?}");
    assert!(!names.iter().any(|name| name.starts_with("Http_") || *name == "CALL_ID"), "{names:?}");
}

#[test]
fn with_a_url_the_function_is_told_its_port() {
    let port = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("bound").local_addr().expect("bound").port();
    let server = proxy().args(["--upstream", &format!("http://127.0.0.1:{port}")]).start();
    assert_eq!(server.get("/port").send().expect(200).json()["port"], port.to_string());
}

#[test]
fn requests_wait_for_a_function_that_starts() {
    let server = proxy().env("WAIT_TO_LISTEN", "1").start();
    let mut wires: Vec<_> = (0..5).map(|_| server.connect()).collect();
    for wire in &mut wires {
        wire.write(&server.get("/").head());
    }
    server.sign("starts");
    assert_eq!(server.get("/_/ready").send().problem(503)["type"], "urn:bandog:error:not-ready");
    server.get("/_/health").send().expect(200);
    server.get("/").header("K-Network-Probe", "probe").send().problem(503);
    bandog(["health", "--ready", "--url", &server.url("")]).run().expect(1);
    server.give("listen");
    for mut wire in wires {
        wire.answer().expect(200);
    }
    server.get("/_/ready").send().expect(200);
    server.get("/").header("K-Network-Probe", "probe").send().expect(200);
}

#[test]
fn they_do_not_wait_longer_than_the_queue_timeout() {
    let server = proxy().env("WAIT_TO_LISTEN", "1").args(["--queue-timeout", "300ms"]).start();
    let answer = server.get("/").send();
    assert_eq!(answer.problem(503)["type"], "urn:bandog:error:not-ready");
    assert!(answer.wants("retry-after").parse::<u32>().is_ok());
    server.give("listen");
    eventually("a ready function", || (server.get("/").send().status == 200).then_some(()));
}

#[test]
fn a_function_that_cannot_be_started_is_a_502_that_says_why() {
    let server = Builder::new().args(["--mode", "http"]).command(["/bin/true"]).start();
    // It starts, and is gone before it listens.
    started(&server, 3);
    drop(server);
    let dir = tempfile::tempdir().expect("tempdir");
    let program = dir.path().join("program");
    fs::copy("/bin/true", &program).expect("copied");
    let server = Builder::new().args(["--mode", "http"]).command([&program]).start();
    started(&server, 1);
    fs::write(&program, "#!/nowhere/interpreter\n")
        .or_else(|_| {
            fs::remove_file(&program)?;
            fs::write(&program, "")
        })
        .expect("replaced");
    let problem = eventually("a 502", || {
        let answer = server.get("/").send();
        (answer.status == 502).then(|| answer.problem(502))
    });
    assert!(problem["detail"].as_str().expect("text").contains("could not be started"), "{problem}");
}

#[test]
fn after_a_crash_it_is_started_again_and_requests_wait_for_it() {
    let server = proxy().start();
    let first = server.get("/port").send().expect(200).json()["pid"].clone();
    server.get("/crash").send().problem(502);
    // Until its end is known, who asks may still come to the old one.
    let log = server.log_line("its end", |line| line.contains("ended by itself: exit code 3"));
    assert!(log.contains("ERROR"), "{log}");
    let second = server.get("/port").send().expect(200).json()["pid"].clone();
    assert_ne!(first, second);
    // Killed from outside, while it has no request.
    kill(*starts(&server).last().expect("started"));
    server.log_line("its end", |line| line.contains("SIGKILL"));
    server.get("/").send().expect(200);
    let page = server.get("/_/metrics").send().expect(200).text().to_owned();
    for line in ["bandog_function_exits_total{exit=\"3\"} 1", "bandog_function_exits_total{exit=\"SIGKILL\"} 1"] {
        assert!(page.contains(line), "{page}");
    }
}

#[test]
fn who_crashes_again_and_again_is_started_ever_less_often() {
    let server = Builder::new().args(["--mode", "http"]).command(["/bin/false"]).start();
    started(&server, 4);
    let pauses: Vec<f64> = server
        .log()
        .lines()
        .filter_map(|line| line.rsplit_once("started again in ")?.1.parse_pause())
        .take(3)
        .collect();
    let [first, second, third] = pauses[..] else { panic!("{pauses:?}") };
    assert!(
        (0.05..=0.1).contains(&first) && (0.1..=0.2).contains(&second) && (0.2..=0.4).contains(&third),
        "{pauses:?}"
    );
}

trait Pause {
    /// Seconds, of what `Duration` writes for debugging.
    fn parse_pause(&self) -> Option<f64>;
}

impl Pause for str {
    fn parse_pause(&self) -> Option<f64> {
        let number = self.trim_end_matches(|letter: char| letter.is_alphabetic() || letter == '\u{b5}');
        let unit = match &self[number.len()..] {
            "s" => 1.0,
            "ms" => 1e-3,
            _ => return None,
        };
        number.parse::<f64>().ok().map(|number| number * unit)
    }
}

#[test]
fn it_is_ready_when_its_ready_path_says_so() {
    let server = proxy().args(["--ready-path", "/healthz", "--queue-timeout", "200ms"]).start();
    server.sign("starts");
    assert_eq!(server.get("/").send().problem(503)["type"], "urn:bandog:error:not-ready");
    server.get("/_/ready").send().problem(503);
    server.give("healthy");
    eventually("readiness", || (server.get("/_/ready").send().status == 200).then_some(()));
    server.get("/").send().expect(200);
    fs::remove_file(server.scratch().join("healthy")).expect("there");
    eventually("readiness is lost", || (server.get("/_/ready").send().status == 503).then_some(()));
    // Requests that come all the same are served: only the function can know what it can do.
    server.get("/").send().expect(200);
    server.get("/_/health").send().expect(200);
}

#[test]
fn sigterm_reaches_the_function_after_the_last_answer() {
    let mut server = proxy().start();
    let mut wire = server.connect();
    wire.write(&server.get("/slow").head());
    server.sign("slow");
    server.signal(Signal::TERM);
    server.log_line("the drain", |line| line.contains("draining"));
    thread::sleep(Duration::from_millis(300));
    assert!(!server.has_sign("term"), "it was told while it worked");
    server.give("go");
    assert_eq!(wire.answer().expect(200).text(), "done");
    let (status, _) = server.end();
    assert_eq!(status.code(), Some(0), "{server}");
    assert!(server.has_sign("term"), "it was told to end");
    server.check_nothing_is_left();
}

#[test]
fn what_is_not_finished_when_the_drain_ends_is_a_503() {
    let mut server = proxy().args(["--drain-timeout", "300ms"]).start();
    let mut wire = server.connect();
    wire.write(&server.get("/slow").head());
    server.sign("slow");
    server.signal(Signal::TERM);
    assert_eq!(wire.answer().problem(503)["type"], "urn:bandog:error:shutting-down");
    assert_eq!(server.end().0.code(), Some(0), "{server}");
    server.check_nothing_is_left();
}

#[test]
fn a_function_that_does_not_listen_to_sigterm_is_killed_after_its_grace() {
    let script = "trap '' TERM; : >\"$SCRATCH/deaf\"; while :; do sleep 1; done";
    let flags = ["--mode", "http", "--kill-grace", "300ms"];
    let mut server = Builder::new().args(flags).command(["/bin/sh", "-c", script]).start();
    server.sign("deaf");
    server.signal(Signal::TERM);
    let (status, took) = server.end();
    assert_eq!(status.code(), Some(0), "{server}");
    assert!(took >= Duration::from_millis(250) && took < Duration::from_secs(5), "{took:?}");
    server.check_nothing_is_left();
}

#[test]
fn a_function_that_ends_during_the_drain_is_not_started_again() {
    let mut server = proxy().start();
    let mut wire = server.connect();
    wire.write(&server.get("/slow").head());
    server.sign("slow");
    server.signal(Signal::TERM);
    server.log_line("the drain", |line| line.contains("draining"));
    kill(starts(&server)[0]);
    wire.answer().problem(502);
    assert_eq!(server.end().0.code(), Some(0), "{server}");
    assert_eq!(starts(&server).len(), 1);
    server.check_nothing_is_left();
}

#[test]
fn lines_of_any_length_go_to_the_log_and_block_nobody() {
    let server = proxy().start();
    server.get("/say?bytes=300000").send().expect(200);
    let long = server.log_line("the long line", |line| line.ends_with("xxxx"));
    assert!(long.contains(" - function - "), "{}", &long[..100]);
    server.log_line("the line after it", |line| line.ends_with("after"));
    // Half of a pipe's worth of lines, many times.
    for _ in 0..20 {
        server.get("/say?bytes=100000").send().expect(200);
    }
    assert!(proc_status(server.pid(), "VmHWM").expect("it runs") < super::PEAK_KIB);
}

#[test]
fn run_has_nothing_to_say_to_a_function_that_speaks_http() {
    let ran = bandog(["run", "--mode", "http", "--", "/bin/true"]).run().expect(78);
    assert!(ran.complaint().contains("serve"), "{}", ran.complaint());
}

#[test]
fn a_port_that_another_process_holds_is_not_taken_for_the_function() {
    let stranger = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("bound");
    let address = stranger.local_addr().expect("an address");
    let url = format!("http://{address}");
    let server = super::proxy().args(["--upstream", &url, "--queue-timeout", "10m"]).start();
    let line = server.log_line("the reason", |line| line.contains("another process listens at"));
    assert!(line.contains(&address.to_string()) && line.contains("use another port"), "{line}");
    assert_eq!(server.get("/_/ready").send().status, 503);
    server.get("/").send().problem(502);
    assert!(!server.log().contains("is ready") && server.living().is_empty(), "{server}");
    // When it has gone, the function is started.
    drop(stranger);
    eventually("the function", || (server.get("/_/ready").send().status == 200).then_some(()));
    super::seen(server.get("/").send());
}
