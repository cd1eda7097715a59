//! The promises of `streaming` while the function runs.

use std::{io::Read as _, net::TcpStream, process::Stdio, thread, time::Duration};

use rustix::process::Signal;

use super::serve;
use crate::harness::{
    Answer, PATIENCE, Server, Wire,
    command::{BINARY, fresh},
    eventually, noise, shown,
};

/// Writes, then waits for the sign go, then ends so.
fn waits(end: &str) -> String {
    format!("printf first; : >\"$SCRATCH/began\"; until [ -e \"$SCRATCH/go\" ]; do sleep 0.02; done; {end}")
}

/// Header fields of a request.
type Fields = &'static [(&'static str, &'static str)];

/// Those that ask for trailers.
const TRAILERS: Fields = &[("TE", "trailers"), ("Connection", "TE")];

/// Those that want to be told of a failure by them.
const ALL_TRAILERS: Fields = &[("TE", "trailers"), ("Connection", "TE"), ("X-Bandog-Trailers", "1")];

/// A connection on which the head and the first bytes of an answer have come while its function still waits.
#[track_caller]
fn begun(server: &Server, fields: Fields) -> (Wire, Answer) {
    begun_of_many(server, fields, b"")
}

/// The same, with more sent behind the request at once.
#[track_caller]
fn begun_of_many(server: &Server, fields: Fields, behind: &[u8]) -> (Wire, Answer) {
    let mut wire = server.connect();
    let request = fields.iter().fold(server.post(""), |request, (name, value)| request.header(name, value));
    wire.write(&[&request.head(), behind].concat());
    let head = wire.answer_head();
    assert_eq!(head.status, 200, "{head}");
    assert_eq!(wire.line().as_deref(), Some("5"), "one chunk: {head}");
    assert_eq!(wire.line().as_deref(), Some("first"), "{head}");
    assert!(!server.has_sign("go") && !server.living().is_empty(), "the function still runs");
    (wire, head)
}

/// All lines that follow, until the connection ends.
fn rest(wire: &mut Wire) -> Vec<String> {
    std::iter::from_fn(|| wire.line()).collect()
}

#[test]
fn the_first_byte_arrives_while_the_function_runs_and_the_end_is_a_proper_one() {
    let server = serve("streaming", &waits("printf second")).start();
    let (mut wire, head) = begun(&server, &[]);
    assert_eq!((head.header("content-length"), head.header("trailer")), (None, None), "{head}");
    assert_eq!(head.wants("content-type"), "application/octet-stream");
    server.give("go");
    for line in ["6", "second", "0", ""] {
        assert_eq!(wire.line().as_deref(), Some(line));
    }
    let again = server.post("").send_on(&mut wire).expect(200);
    assert_eq!(again.text(), "firstsecond", "the connection goes on");
}

#[test]
fn a_failure_after_the_first_byte_breaks_the_connection() {
    for end in ["exit 3", "kill -9 $$", "exec sleep 60"] {
        let server = serve("streaming", &waits(end)).args(["--exec-timeout", "2s"]).start();
        let (mut wire, _) = begun(&server, &[]);
        server.give("go");
        assert_eq!(rest(&mut wire), [""; 0], "{end}: no end of the body");
        server.is_clean();
        server.log_line("the access line of a broken answer", |line| line.contains("broken off"));
    }
}

#[test]
fn the_last_bytes_before_a_failure_arrive_and_then_the_connection_breaks() {
    let end = "printf 'fatal: disk' >&2; : >\"$SCRATCH/written\"; exit 3";
    let server = serve("streaming", &waits(end)).args(["--combine-output"]).start();
    let (mut wire, _) = begun(&server, &[]);
    // So that it sees the bytes and the end at once.
    server.signal(Signal::STOP);
    server.give("go");
    server.sign("written");
    thread::sleep(Duration::from_millis(100));
    server.signal(Signal::CONT);
    assert_eq!(rest(&mut wire), ["B", "fatal: disk"], "no end of the body");
    server.is_clean();
}

#[test]
fn a_slow_reader_does_not_count_as_time_of_the_function() {
    // The output that it leaves in the pipe waits for the reader.
    let server = serve("streaming", "timeout 0.5 yes; exit 0").start();
    let mut wire = server.connect();
    wire.write(&server.post("").head());
    let head = wire.answer_head();
    thread::sleep(Duration::from_millis(2500));
    assert!(wire.body_of(&head, |_| ()), "whole");
    let line = server.log_line("the end of the process", |line| line.contains("function finished: "));
    let (_, after) = line.split_once(" after ").expect("its duration");
    let seconds: f64 = after.split(' ').next().and_then(|number| number.parse().ok()).expect("a number");
    assert!((0.5..2.0).contains(&seconds), "{line}");
}

#[test]
fn over_http_1_0_a_failure_after_the_first_byte_is_a_reset() {
    let server = serve("streaming", &waits("exit 3")).start();
    let mut socket = TcpStream::connect(server.address).expect("it listens");
    socket.set_read_timeout(Some(PATIENCE)).expect("settable");
    std::io::Write::write_all(&mut socket, b"POST / HTTP/1.0\r\nTE: trailers\r\nContent-Length: 0\r\n\r\n")
        .expect("sent");
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\nfirst") {
        let mut piece = [0; 1000];
        let read = socket.read(&mut piece).expect("readable");
        assert!(read > 0, "{}", shown(&bytes));
        bytes.extend_from_slice(&piece[..read]);
    }
    server.give("go");
    let ended =
        socket.read(&mut [0; 100]).expect_err("the end of the connection is the end of the body, and must not come");
    assert_eq!(ended.kind(), std::io::ErrorKind::ConnectionReset);
}

#[test]
fn who_asks_for_trailers_is_told_the_end_by_them() {
    let server = serve("streaming", &waits("printf second")).start();
    let (mut wire, head) = begun(&server, TRAILERS);
    assert_eq!(head.wants("trailer"), "x-duration-seconds, x-exit-code");
    server.give("go");
    for line in ["6", "second", "0"] {
        assert_eq!(wire.line().as_deref(), Some(line));
    }
    let mut trailers = Vec::new();
    while let Some(line) = wire.line().filter(|line| !line.is_empty()) {
        trailers.push(line);
    }
    trailers.sort();
    assert!(trailers[0].starts_with("x-duration-seconds: "), "{trailers:?}");
    assert_eq!((trailers[1].as_str(), trailers.len()), ("x-exit-code: 0", 2), "{trailers:?}");
    let answer = server.post("").send_on(&mut wire).expect(200);
    assert_eq!(answer.text(), "firstsecond", "the connection goes on");
}

#[test]
fn who_wants_to_be_told_of_a_failure_by_trailers_is_and_the_connection_ends() {
    for (end, slug) in
        [("exit 3", "function-failed"), ("kill -9 $$", "function-killed"), ("exec sleep 60", "function-timeout")]
    {
        let server = serve("streaming", &waits(end)).args(["--exec-timeout", "2s"]).start();
        let (mut wire, head) = begun(&server, ALL_TRAILERS);
        assert_eq!(head.wants("trailer"), "x-duration-seconds, x-exit-code, x-bandog-error");
        server.give("go");
        let lines = rest(&mut wire);
        assert_eq!(lines[0], "0", "{lines:?}");
        assert!(lines.contains(&format!("x-bandog-error: {slug}")), "{lines:?}");
        assert_eq!(lines.contains(&"x-exit-code: 3".to_owned()), end == "exit 3", "{lines:?}");
        assert_eq!(lines.last().map(String::as_str), Some(""), "{lines:?}");
        server.is_clean();
    }
}

#[test]
fn a_failure_breaks_the_answer_of_whoever_did_not_want_to_be_told_by_trailers() {
    for fields in [
        TRAILERS,
        // A browser's, or a proxy's that passes it on.
        &[("TE", "trailers")],
        &[("TE", "trailers"), ("X-Bandog-Trailers", "1")],
        &[("X-Bandog-Trailers", "1")],
        &[("TE", "trailers"), ("Connection", "TE"), ("X-Bandog-Trailers", "0")],
        &[("TE", "gzip"), ("Connection", "TE"), ("X-Bandog-Trailers", "1")],
    ] {
        let server = serve("streaming", &waits("exit 3")).start();
        let (mut wire, head) = begun(&server, fields);
        server.give("go");
        assert_eq!(rest(&mut wire), [""; 0], "{fields:?}: no end of the body");
        let is_asked = TRAILERS.iter().all(|field| fields.contains(field));
        let names = is_asked.then_some("x-duration-seconds, x-exit-code");
        assert_eq!(head.header("trailer"), names, "{fields:?}");
        server.is_clean();
    }
}

#[test]
fn what_is_sent_behind_the_request_of_a_failed_answer_is_not_run() {
    let second = r#"[ ! -e "$SCRATCH/go" ] || : >"$SCRATCH/again"; "#;
    let server = serve("streaming", &format!("{second}{}", waits("exit 3"))).start();
    let behind = server.post("").head();
    let (mut wire, _) = begun_of_many(&server, ALL_TRAILERS, &behind);
    server.give("go");
    let lines = rest(&mut wire);
    assert!(lines.contains(&"x-bandog-error: function-failed".to_owned()), "{lines:?}");
    assert!(!lines.iter().any(|line| line.starts_with("HTTP/")), "no other answer follows: {lines:?}");
    assert!(!server.has_sign("again"), "the second one was run");
    server.is_clean();
}

#[test]
fn a_client_that_leaves_in_the_middle_stops_the_function() {
    let command = "trap ': >\"$SCRATCH/term\"; exit 1' TERM; printf first; while :; do sleep 0.02; done";
    let server = serve("streaming", command).start();
    let (wire, _) = begun(&server, &[]);
    wire.leave();
    server.sign("term");
    server.is_clean();
}

#[test]
fn a_slow_reader_slows_the_function_and_loses_nothing() {
    const LENGTH: usize = 32 << 20;
    let body = noise(LENGTH);
    let server = serve("streaming", "cat; : >\"$SCRATCH/written\"").start();
    let mut wire = server.connect();
    wire.write(&server.post(&body).head());
    wire.write(&body);
    let head = wire.answer_head();
    thread::sleep(Duration::from_millis(300));
    assert!(!server.has_sign("written"), "nobody reads, so that it cannot have written all of it");
    let mut came = Vec::new();
    let whole = wire.body_of(&head, |piece| {
        came.extend_from_slice(piece);
        if came.len() % 50 == 0 {
            thread::sleep(Duration::from_millis(1));
        }
    });
    assert!(whole && came == body, "{} of {LENGTH} bytes", came.len());
    server.is_clean();
}

#[test]
fn a_reader_that_takes_nothing_is_given_up_and_its_function_ended() {
    let server = serve("streaming", "exec yes").args(["--send-timeout", "1s", "--exec-timeout", "0"]).start();
    let mut wire = server.connect();
    wire.write(&server.post("").head());
    assert_eq!(wire.answer_head().status, 200);
    eventually("the function to be ended", || server.living().is_empty().then_some(()));
    server.is_clean();
}

#[test]
fn the_time_limit_holds_also_while_nobody_reads() {
    let server = serve("streaming", "exec yes").args(["--send-timeout", "0", "--exec-timeout", "1s"]).start();
    let mut wire = server.connect();
    wire.write(&server.post("").head());
    let head = wire.answer_head();
    server.log_line("the end of the run", |line| line.contains("ran longer than 1s"));
    eventually("the function to be ended", || server.living().is_empty().then_some(()));
    assert!(!wire.body_of(&head, |_| ()), "the answer is not whole");
    server.is_clean();
}

#[test]
fn bandog_run_passes_the_answer_on_while_the_function_runs() {
    let home = tempfile::tempdir().expect("a directory");
    let mut child = fresh(BINARY)
        .args(["run", "--mode", "streaming", "--workspace"])
        .arg(home.path())
        .args(["--", "/bin/sh", "-c", &waits("echo why >&2; exit 3")])
        .env("SCRATCH", home.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    let mut stdout = child.stdout.take().expect("piped");
    let mut first = [0; 5];
    stdout.read_exact(&mut first).expect("the first bytes");
    assert_eq!(&first, b"first");
    assert!(child.try_wait().expect("waitable").is_none(), "it still runs");
    std::fs::write(home.path().join("go"), b"").expect("writable");
    let mut rest = Vec::new();
    stdout.read_to_end(&mut rest).expect("readable");
    let ended = child.wait_with_output().expect("waitable");
    assert_eq!((rest.as_slice(), ended.status.code()), (&b""[..], Some(3)), "no problem document behind the answer");
    assert!(shown(&ended.stderr).contains("why"), "{}", shown(&ended.stderr));
}

#[test]
fn bandog_run_ends_the_function_when_its_reader_leaves() {
    let command = "BANDOG run --mode streaming --exec-timeout 0 --workspace workspace -- yes | head -c 10";
    let command = command.replace("BANDOG", crate::harness::command::BINARY);
    let ran = crate::harness::program("sh").args(["-c", &command]).run().expect(0);
    assert_eq!((ran.text(), ran.complaint()), ("y\ny\ny\ny\ny\n", ""), "{ran}");
}
