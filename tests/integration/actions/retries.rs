//! Exit code 2 says that another try may help: how many there are, and what ends them.

use std::fs;

use rustix::process::Signal;

use super::serve;
use crate::harness::{Builder, PATIENCE, eventually};

/// Counts its attempts in `$SCRATCH/attempts`, a line each, and works the time that the file `enough` names.
const ACTIONS: &str = r#"
oms: 1
actions:
  flaky:
    format:
      command: [sh, -c, 'echo x >> "$SCRATCH/attempts"; n=$(wc -l < "$SCRATCH/attempts"); echo "attempt $n" >&2; echo "X-Attempt-$n:1" >> "$RESPONSE_HEADERS_PATH"; printf "%s" "$n"; test "$n" -ge "{enough}" || exit 2']
    arguments: {enough: {type: int}}
    output: {type: int}
  hopeless: {format: {command: [sh, -c, 'echo x >> "$SCRATCH/attempts"; exit 1']}, output: {type: none}}
  patient:
    format: {command: [sh, -c, 'wc -c; echo x >> "$SCRATCH/attempts"; test $(wc -l < "$SCRATCH/attempts") -ge 2 || exit 2', sh]}
    arguments: {text: {type: string}}
    output: {type: int}
"#;

fn with(retries: &str) -> Builder {
    serve(ACTIONS).args(["--retries", retries])
}

/// How many processes were started.
fn started(server: &crate::harness::Server) -> usize {
    server.log().matches("function started").count()
}

/// After so many tries the next one is most of a second away.
const SOME: usize = 5;

fn attempts(server: &crate::harness::Server) -> usize {
    fs::read_to_string(server.scratch().join("attempts")).map_or(0, |text| text.lines().count())
}

#[test]
fn an_action_that_asks_for_it_is_tried_again_and_only_the_last_try_counts() {
    let server = with("3").start();
    let answer = server.request("POST", "/run/flaky?enough=3").send().expect(200);
    assert_eq!((answer.text(), attempts(&server)), ("3", 3));
    assert_eq!((answer.header("x-attempt-1"), answer.header("x-attempt-3")), (None, Some("1")), "{answer}");
    server.is_clean();
}

#[test]
fn without_retries_there_is_one_try_and_with_them_no_more_than_so_many() {
    let server = with("0").start();
    let answer = server.request("POST", "/run/flaky?enough=9").send();
    let problem = answer.problem(503);
    assert_eq!((&problem["attempts"], attempts(&server)), (&1.into(), 1), "{problem}");
    assert_eq!(answer.wants("x-bandog-error"), "action-unavailable");
    let server = with("2").start();
    let answer = server.request("POST", "/run/flaky?enough=9").send();
    let problem = answer.problem(503);
    assert_eq!((&problem["attempts"], attempts(&server)), (&3.into(), 3), "{problem}");
    assert_eq!(problem["traceback"], "attempt 3\n", "of the last one: {problem}");
    assert!(answer.wants("retry-after").parse::<u32>().is_ok(), "{answer}");
    server.is_clean();
}

#[test]
fn what_failed_for_good_is_not_tried_again() {
    let server = with("5").start();
    server.request("POST", "/run/hopeless").send().problem(422);
    assert_eq!(attempts(&server), 1);
}

#[test]
fn each_try_reads_long_arguments_from_their_beginning() {
    let server = with("1").start();
    let body = serde_json::json!({"text": "x".repeat(200_000)}).to_string();
    let answer = server.request("POST", "/run/patient").media("application/json").body(&body).send().expect(200);
    // The output of the first try is not a part of it.
    assert_eq!(answer.text(), "200011");
}

#[test]
fn who_hangs_up_ends_the_tries() {
    let server = with("1000").start();
    let mut wire = server.connect();
    wire.write(b"POST /run/flaky?enough=1000 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    eventually("some tries", || (attempts(&server) >= SOME).then_some(()));
    wire.leave();
    server.is_clean();
    assert_eq!(started(&server), SOME, "no other one is started for nobody");
}

#[test]
fn the_end_of_the_drain_ends_the_tries() {
    let mut server = with("1000").args(["--drain-timeout", "0", "--exec-timeout", "0"]).start();
    let mut wire = server.connect();
    wire.write(b"POST /run/flaky?enough=1000 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    eventually("some tries", || (attempts(&server) >= SOME).then_some(()));
    server.signal(Signal::TERM);
    let answer = wire.answer();
    answer.problem(503);
    assert_eq!(answer.wants("x-bandog-error"), "shutting-down");
    let (status, took) = server.end();
    assert!(status.success() && took < PATIENCE / 3, "{status} after {took:?}");
    assert_eq!(started(&server), SOME, "no other one is started");
}

#[test]
fn the_time_limit_is_for_all_tries_together() {
    let server = with("1000").args(["--exec-timeout", "1s"]).start();
    let problem = server.request("POST", "/run/flaky?enough=1000").send().problem(503);
    let count = problem["attempts"].as_u64().expect("a number");
    assert!((2..20).contains(&count), "{problem}");
    assert!(problem["duration_seconds"].as_f64().expect("a number") < 10.0, "{problem}");
    server.is_clean();
}
