//! A process for each request, body in and output out: what classic-watchdog did, and of-watchdog in `serializing` and
//! `streaming`.

use std::{thread, time::Duration};

use crate::harness::{Answer, Builder, Server, eventually, noise};

/// A watchdog for a process.
fn watchdog(fprocess: &str, variables: &[(&str, &str)]) -> Server {
    let builder = Builder::new().fwatchdog().env("BANDOG_LOG_LEVEL", "CRITICAL").env("fprocess", fprocess);
    variables.iter().fold(builder, |builder, (name, value)| builder.env(name, value)).start()
}

/// For a line of shell; single quotes cannot be in it.
fn shell(line: &str, variables: &[(&str, &str)]) -> Server {
    watchdog(&format!("/bin/sh -c '{line}'"), variables)
}

fn post(server: &Server, body: &[u8]) -> Answer {
    server.post(body).send()
}

#[test]
fn what_goes_in_comes_out_byte_for_byte() {
    let server = watchdog("cat", &[]);
    for body in [b"".to_vec(), b"hello".to_vec(), noise(300_000)] {
        let answer = post(&server, &body).expect(200);
        assert!(answer.body == body, "{} bytes came back for {}", answer.body.len(), body.len());
        assert!(answer.wants("x-duration-seconds").parse::<f64>().is_ok(), "{answer}");
    }
    let chunked = server.post(b"in chunks").chunked(&[2]).send().expect(200);
    assert_eq!(chunked.text(), "in chunks");
}

#[test]
fn the_type_is_the_one_that_is_set_or_the_requests_or_a_guess() {
    let server = watchdog("cat", &[]);
    let typed = server.post("{}").media("application/json").send().expect(200);
    assert_eq!(typed.wants("content-type"), "application/json");
    for (body, media) in [
        (&b"plain"[..], "text/plain; charset=utf-8"),
        (b"<html><body>", "text/html; charset=utf-8"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\0\x01", "application/octet-stream"),
    ] {
        assert_eq!(post(&server, body).expect(200).wants("content-type"), media);
    }
    let server = watchdog("cat", &[("content_type", "text/csv")]);
    let typed = server.post("{}").media("application/json").accept("text/html").send().expect(200);
    assert_eq!(typed.wants("content-type"), "text/csv");
    for mode in ["serializing", "streaming"] {
        let server = watchdog("cat", &[("mode", mode)]);
        let typed = server.post("{}").media("application/json").send().expect(200);
        assert_eq!((typed.wants("content-type"), typed.text()), ("application/octet-stream", "{}"), "{mode}");
    }
}

#[test]
fn a_failure_is_its_exit_status_and_what_it_wrote() {
    let line = "echo out; echo err >&2; exit 3";
    let answer = post(&shell(line, &[]), b"").expect(500);
    assert_eq!(answer.text(), "exit status 3\nout\nerr\n");
    assert_eq!(answer.wants("content-type"), "text/plain; charset=utf-8");
    let server = shell(line, &[("combine_output", "false")]);
    assert_eq!(post(&server, b"").expect(500).text(), "exit status 3\nout\n");
    // Output that is not in the answer is in the log, as the watchdog wrote it.
    let logged = server.log_line("the line of standard error", |line| line.ends_with(" stderr: err"));
    assert_eq!(logged.len(), "2006/01/02 15:04:05 stderr: err".len(), "{logged}");
    assert_eq!(post(&shell("kill -9 $$", &[]), b"").expect(500).text(), "signal: killed\n");
    // All of it, also what does not fit into a pipe.
    let long = post(&shell("head -c 300000 /dev/zero; exit 1", &[]), b"").expect(500);
    assert_eq!(long.body.len(), 300_000 + "exit status 1\n".len());
}

#[test]
fn of_watchdogs_failures_are_a_status_and_a_word() {
    let server = shell("echo err >&2; exit 3", &[("mode", "serializing"), ("prefix_logs", "false")]);
    let answer = post(&server, b"").expect(500);
    assert_eq!((answer.text(), answer.wants("content-type")), ("exit status 3", "application/octet-stream"));
    assert!(answer.wants("x-duration-seconds").parse::<f64>().is_ok(), "{answer}");
    server.log_line("the line of standard error", |line| line == "err");
    // Before its first byte a stream can tell as well; after it the answer is broken off.
    let before = post(&shell("exit 3", &[("mode", "streaming")]), b"").expect(500);
    assert_eq!(before.text(), "exit status 3");
    let line = "echo part; : >\"$SCRATCH/told\"; while [ ! -e \"$SCRATCH/go\" ]; do sleep 0.01; done; exit 3";
    let server = shell(line, &[("mode", "streaming")]);
    let mut wire = server.connect();
    wire.write(&server.get("/").head());
    let mut answer = wire.answer_head();
    server.give("go");
    answer.whole = wire.body_of(&answer, |piece| assert_eq!(piece, b"part\n"));
    assert!(answer.status == 200 && !answer.whole, "{answer}");
}

#[test]
fn a_timeout_is_504_in_the_words_of_each_and_was_408_or_500() {
    for (variables, compat, status, text) in [
        (&[][..], "newline", 504, "Killed process.\n"),
        (&[], "status-408", 408, "Killed process.\n"),
        (&[("mode", "serializing")], "newline", 504, "signal: killed"),
        (&[("mode", "serializing")], "status-408", 500, "signal: killed"),
    ] {
        let common = [("exec_timeout", "100ms"), ("BANDOG_KILL_GRACE", "0"), ("BANDOG_COMPAT", compat)];
        let variables: Vec<_> = variables.iter().copied().chain(common).collect();
        let answer = post(&shell("echo x; sleep 60", &variables), b"").expect(status);
        assert_eq!(answer.text(), text, "{variables:?}");
    }
}

#[test]
fn of_watchdog_takes_every_method_and_classic_five() {
    let classic = watchdog("cat", &[]);
    let of = watchdog("cat", &[("mode", "serializing")]);
    for method in ["OPTIONS", "PROPFIND"] {
        assert!(classic.request(method, "/").send().expect(405).body.is_empty());
        assert_eq!(of.request(method, "/").body("x").send().expect(200).text(), "x", "{method}");
    }
    let head = of.request("HEAD", "/").send().expect(200);
    assert!(head.body.is_empty() && head.wants("x-exit-code") == "0", "{head}");
}

#[test]
fn the_request_can_come_as_one_json_document() {
    let server = watchdog("cat", &[("marshal_request", "true")]);
    let answer = server.post("hello").header("X-Many", "1").header("x-many", "2").header("Authorization", "s").send();
    let document = answer.expect(200).json();
    assert_eq!(document["body"]["raw"], "aGVsbG8=");
    assert_eq!(document["header"]["X-Many"], serde_json::json!(["1", "2"]));
    assert!(document["header"]["Host"].is_null() && document["header"]["Authorization"].is_null(), "{document}");
    let body = noise(100_000);
    let document = server.post(&body).send().expect(200).json();
    assert_eq!(document["body"]["raw"], crate::harness::encode(&body));
}

#[test]
fn quotes_hold_words_together_and_did_not() {
    let spaced = |compat: Option<&str>| {
        let variables: Vec<_> = compat.iter().map(|compat| ("BANDOG_COMPAT", *compat)).collect();
        post(&watchdog("printf [%s] 'a b'  c", &variables), b"").expect(200).text().to_owned()
    };
    assert_eq!(spaced(None), "[a b][c]");
    assert_eq!(spaced(Some("split-spaces")), "['a][b'][][c]");
}

#[test]
fn results_are_written_to_the_containers_standard_output_if_that_is_asked_for() {
    let server = watchdog("cat", &[("write_debug", "true")]);
    post(&server, b"seen\n").expect(200);
    crate::harness::eventually("the result", || (server.stdout() == b"seen\n").then_some(()));
    let server = watchdog("cat", &[]);
    post(&server, b"not seen\n").expect(200);
    assert!(server.stdout().is_empty());
}

#[test]
fn long_lines_are_whole_unless_a_length_is_set() {
    let line = "printf %0100000d 7 >&2; echo >&2";
    let server = shell(line, &[("mode", "serializing"), ("prefix_logs", "false")]);
    post(&server, b"").expect(200);
    server.log_line("the whole line", |line| line.len() == 100_000 && line.ends_with("007"));
    let server = shell(line, &[("mode", "serializing"), ("prefix_logs", "false"), ("log_buffer_size", "1000")]);
    post(&server, b"").expect(200);
    let cut = server.log_line("the cut line", |line| line.starts_with("000"));
    assert!(cut.starts_with(&"0".repeat(1000)) && cut.contains("99000 bytes cut") && cut.len() < 1100, "{cut}");
}

#[test]
fn with_detach_a_stream_whose_reader_has_gone_is_written_to_its_end() {
    let blocked = "head -c 50000000 /dev/zero; : >\"$SCRATCH/done\"";
    let talks = "echo a; until [ -e \"$SCRATCH/go\" ]; do sleep 0.02; done; echo b; echo c; : >\"$SCRATCH/done\"";
    for line in [blocked, talks] {
        let trapped = format!("trap \": >\\\"$SCRATCH/ended\\\"; exit 1\" TERM; {line}");
        let no_limit = [("exec_timeout", "0"), ("write_timeout", "0"), ("BANDOG_SEND_TIMEOUT", "0")];
        let detached = [("mode", "streaming"), ("BANDOG_COMPAT", "detach")];
        let server = shell(&trapped, &[&no_limit[..], &detached].concat());
        let mut wire = server.connect();
        wire.write(&server.post("").head());
        assert_eq!(wire.answer_head().status, 200, "{line}");
        // By then it waits for its reader, if it writes so much.
        thread::sleep(Duration::from_millis(500));
        assert!(!server.has_sign("done"), "{line}");
        wire.leave();
        thread::sleep(Duration::from_millis(100));
        server.give("go");
        server.sign("done");
        assert!(!server.has_sign("ended"), "{line}");
        eventually("its place to be free", || server.living().is_empty().then_some(()));
        server.is_clean();
    }
}
