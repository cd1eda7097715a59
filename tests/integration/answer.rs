//! The output of a function is the answer, in the form the caller asks for; a short answer never looks whole.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{
    Answer, Server, Wire,
    archive::{names, unzip},
    decode, encode, function, noise, program, serve, serve_command,
};

/// A function that writes one PNG-named file, in a name that needs encoding.
const ONE: &str = r#"printf 'not really a PNG' >"$TMP_OUTPUT_DIR/a b%é.png"; echo logged"#;
/// A function that writes two files.
const TWO: &str = r#"printf 1 >"$TMP_OUTPUT_DIR/one.txt"; printf 22 >"$TMP_OUTPUT_DIR/two.bin"; echo logged"#;
/// A function that writes none.
const NONE: &str = "echo logged";

fn ask(server: &Server, accept: &str) -> Answer {
    server.get("/").accept(accept).send().expect(200)
}

/// Checks the parts that every answer of a finished run has.
#[track_caller]
fn has_the_usual_fields(answer: &Answer) {
    assert!(answer.wants("x-duration-seconds").parse::<f64>().is_ok_and(|seconds| seconds >= 0.0), "{answer}");
    assert!(!answer.wants("x-call-id").is_empty(), "{answer}");
    assert_eq!(answer.wants("x-exit-code"), "0", "{answer}");
    assert!(!answer.wants("content-type").is_empty(), "{answer}");
    assert_eq!(answer.header("x-bandog-error"), None, "{answer}");
}

#[test]
fn one_file_is_one_line_of_base64() {
    let server = serve_command(ONE).start();
    let answer = server.get("/").send().expect(200);
    has_the_usual_fields(&answer);
    assert_eq!(answer.wants("x-output-kind"), "file");
    assert_eq!(answer.wants("content-type"), "text/plain; charset=utf-8");
    assert_eq!(answer.wants("content-length"), answer.body.len().to_string());
    assert_eq!(answer.wants("x-output-name"), "a%20b%25%C3%A9.png");
    assert_eq!(answer.text(), encode("not really a PNG"));
}

#[test]
fn several_files_are_a_zip_of_known_length() {
    let server = serve_command(TWO).start();
    let answer = server.get("/").send().expect(200);
    has_the_usual_fields(&answer);
    assert_eq!(answer.wants("x-output-kind"), "zip");
    assert_eq!(answer.wants("content-type"), "text/plain; charset=utf-8");
    assert_eq!(answer.wants("content-length"), answer.body.len().to_string());
    let entries = unzip(&decode(&answer.body));
    assert_eq!(names(&entries), ["one.txt", "two.bin"]);
    assert_eq!((&entries[0].content[..], &entries[1].content[..]), (&b"1"[..], &b"22"[..]));
}

#[test]
fn no_file_means_the_logs() {
    let server = serve_command(NONE).quiet().start();
    let answer = server.get("/").send().expect(200);
    has_the_usual_fields(&answer);
    assert_eq!(answer.wants("x-output-kind"), "logs");
    assert_eq!(answer.wants("content-type"), "text/plain; charset=utf-8");
    assert_eq!(answer.wants("content-length"), "7");
    assert_eq!(answer.text(), "logged\n");
}

#[test]
fn ugly_outputs_are_archived_and_what_leaves_the_directory_is_not() {
    let server = serve(function("ugly.sh")).args(["--log-level", "WARNING"]).start();
    let answer = server.get("/").accept("application/zip").send().expect(200);
    let entries = unzip(&answer.body);
    let mut found: Vec<Vec<u8>> = entries.iter().map(|entry| entry.name.clone()).collect();
    found.sort();
    let latin = found.iter().position(|name| name.starts_with(b"caf")).expect("the name that is no UTF-8");
    found.remove(latin);
    let wanted = ["deep/er/.hidden", "empty", "future", "old", "run", "stays"];
    assert_eq!(found, wanted.map(|name| name.as_bytes().to_vec()), "{:?}", names(&entries));
    for entry in &entries {
        let wanted: &[u8] = match entry.name().as_str() {
            "old" => b"old",
            "future" => b"future",
            "empty" => b"",
            "run" => b"#!/bin/sh\n",
            "stays" | "deep/er/.hidden" => b"hidden",
            _ => b"latin",
        };
        assert_eq!(entry.content, wanted, "{}", entry.name());
    }
    let run = entries.iter().find(|entry| entry.name() == "run").expect("run");
    assert_eq!(run.mode.map(|mode| mode & 0o777), Some(0o750), "modes are kept");
    for skipped in ["leaves", "climbs", "broken", "fifo"] {
        let line = server.log_line(skipped, |line| line.contains("WARN") && line.contains(skipped));
        assert!(line.contains(answer.wants("x-call-id")), "{line}");
    }

    // Two readers that had no part in writing it.
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("ugly.zip");
    fs::write(&path, &answer.body).expect("writable");
    program("unzip").arg("-t").arg(&path).run().expect(0);
    let listing =
        "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1])\nassert z.testzip() is None\nprint(len(z.namelist()))";
    let ran = program("python3").args(["-c", listing]).arg(&path).run().expect(0);
    assert_eq!(ran.text(), "7\n");
}

#[test]
fn a_file_that_cannot_be_read_is_a_failure_and_no_shorter_zip() {
    let command = r#"for f in a b c; do printf $f >"$TMP_OUTPUT_DIR/$f"; done; chmod 000 "$TMP_OUTPUT_DIR/b""#;
    let mut builder = serve_command(command);
    // Root reads everything, unless it gives that up.
    if rustix::process::geteuid().is_root() {
        let give_up = r#"exec setpriv --bounding-set=-dac_override,-dac_read_search -- "$0" "$@""#;
        builder = builder.after_command(give_up);
    }
    let server = builder.start();
    for accept in ["*/*", "application/zip", "application/json"] {
        let answer = server.get("/").accept(accept).send();
        let problem = answer.problem(500);
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains('b')), "{accept}: {answer}");
    }
    server.is_clean();
}

#[test]
fn the_type_of_the_file_asks_for_its_bytes() {
    let server = serve_command(ONE).start();
    for accept in ["image/png", "application/octet-stream", "image/png;q=0.5", "application/octet-stream, */*;q=0.8"] {
        let answer = ask(&server, accept);
        has_the_usual_fields(&answer);
        assert_eq!(answer.text(), "not really a PNG", "{accept}");
        let media = answer.wants("content-type");
        assert!(["image/png", "application/octet-stream"].contains(&media), "{accept}: {media}");
        assert_eq!(answer.wants("content-length"), "16", "{accept}");
        let disposition = answer.wants("content-disposition");
        assert!(disposition.starts_with("attachment") && disposition.contains("filename"), "{disposition}");
        assert!(disposition.contains("filename*=UTF-8''a%20b%25%C3%A9.png"), "{disposition}");
    }
}

#[test]
fn several_files_can_be_had_as_a_plain_zip() {
    let server = serve_command(TWO).start();
    for accept in ["application/zip", "application/octet-stream", "text/plain;q=0.1, application/zip"] {
        let answer = ask(&server, accept);
        assert_eq!(answer.wants("content-length"), answer.body.len().to_string(), "{accept}");
        assert_eq!(names(&unzip(&answer.body)), ["one.txt", "two.bin"], "{accept}");
        assert!(answer.wants("content-disposition").contains("zip"), "{accept}: {answer}");
    }
    assert_eq!(ask(&server, "application/zip").wants("content-type"), "application/zip");
}

#[test]
fn whoever_does_not_ask_for_more_gets_base64() {
    let one = serve_command(ONE).start();
    for accept in [
        "*/*",
        "text/*",
        "text/plain",
        // DigitalHub's console, axios, a browser.
        "application/json, text/plain",
        "application/json, text/plain, */*",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "*/*, application/octet-stream;q=0.5",
        "text/*;q=0.9, image/png;q=0.8",
        "image/png;q=0",
        "image/jpeg",
        "nonsense",
        "",
    ] {
        let answer = ask(&one, accept);
        assert_eq!(answer.text(), encode("not really a PNG"), "{accept:?}");
        assert_eq!(answer.wants("content-type"), "text/plain; charset=utf-8", "{accept:?}");
    }
}

/// A file as the JSON answer gives it.
fn file(value: &Value) -> (String, u64, Vec<u8>) {
    let name = value["name"].as_str().expect("a name").to_owned();
    assert!(value["type"].as_str().is_some_and(|media| media.contains('/')), "{value}");
    (name, value["size"].as_u64().expect("a size"), decode(value["data"].as_str().expect("data")))
}

#[test]
fn json_holds_files_and_logs_and_how_it_went() {
    for (command, wanted) in [
        (ONE, vec![("a b%é.png", &b"not really a PNG"[..])]),
        (TWO, vec![("one.txt", b"1"), ("two.bin", b"22")]),
        (NONE, vec![]),
    ] {
        let server = serve_command(command).quiet().start();
        let answer = server.get("/").accept("application/json").header("X-Call-Id", "c-1").send().expect(200);
        has_the_usual_fields(&answer);
        assert_eq!(answer.wants("content-type"), "application/json");
        let body = answer.json();
        let files: Vec<_> = body["files"].as_array().expect("files").iter().map(file).collect();
        let wanted: Vec<_> = wanted
            .into_iter()
            .map(|(name, content)| (name.to_owned(), content.len() as u64, content.to_vec()))
            .collect();
        assert_eq!(files, wanted, "{answer}");
        assert_eq!(
            (&body["logs"], &body["exit_code"], &body["call_id"]),
            (&json!("logged\n"), &json!(0), &json!("c-1"))
        );
        assert!(body["duration_seconds"].as_f64().is_some_and(|seconds| seconds >= 0.0), "{answer}");
    }
    let server = serve_command(ONE).start();
    assert_eq!(ask(&server, "application/json").json()["files"][0]["type"], "image/png");
}

#[test]
fn json_survives_logs_and_names_that_are_no_text() {
    let server =
        serve_command(r#"printf 'a\377\0"\\\n\033[1m'; : >"$TMP_OUTPUT_DIR/$(printf 'q"\351')""#).quiet().start();
    let answer = ask(&server, "application/json");
    let body = answer.json();
    assert_eq!(body["logs"], "a\u{fffd}\0\"\\\n\u{1b}[1m", "{answer}");
    assert!(body["files"][0]["name"].as_str().is_some_and(|name| name.starts_with("q\"")), "{answer}");
}

#[test]
fn json_of_a_failure_is_a_problem() {
    let server = serve(function("exit.sh")).start();
    let answer = server.post(encode("3")).accept("application/json").send();
    assert_eq!(answer.problem(500)["exit_code"], 3);
}

/// Next event of a stream: its name and its data.
fn event(wire: &mut Wire, rest: &mut String) -> Option<(String, String)> {
    loop {
        if let Some((event, after)) = rest.split_once("\n\n") {
            let (mut name, mut data) = (String::new(), Vec::new());
            for line in event.lines() {
                match line.split_once(':').map(|(field, value)| (field, value.strip_prefix(' ').unwrap_or(value))) {
                    Some(("event", value)) => value.clone_into(&mut name),
                    Some(("data", value)) => data.push(value),
                    _ => {}
                }
            }
            let event = (name, data.join("\n"));
            *rest = after.to_owned();
            // A comment keeps the connection alive.
            if event.0.is_empty() && event.1.is_empty() {
                continue;
            }
            return Some(event);
        }
        // One chunk.
        let size = usize::from_str_radix(wire.line()?.trim(), 16).expect("a chunk size");
        if size == 0 {
            return None;
        }
        let mut chunk = String::new();
        while chunk.len() < size {
            chunk.push_str(&wire.line()?);
            chunk.push('\n');
        }
        // The line end that belongs to the framing, if the chunk ended with one of its own.
        if chunk.len() == size {
            wire.line()?;
        } else {
            chunk.truncate(size);
        }
        rest.push_str(&chunk);
    }
}

#[test]
fn an_event_stream_tells_the_logs_while_the_function_runs() {
    let server = serve(function("ticks.sh")).quiet().start();
    let mut wire = server.connect();
    wire.write(&server.get("/").accept("text/event-stream").header("X-Call-Id", "c-9").head());
    let head = wire.answer_head();
    assert_eq!((head.status, head.wants("content-type").split(';').next()), (200, Some("text/event-stream")), "{head}");
    let mut rest = String::new();
    assert_eq!(event(&mut wire, &mut rest), Some(("log".to_owned(), "first".to_owned())));
    // It is still running: only now it may go on.
    server.give("go");
    assert_eq!(event(&mut wire, &mut rest), Some(("log".to_owned(), "second".to_owned())));
    let (name, data) = event(&mut wire, &mut rest).expect("a result");
    let result: Value = serde_json::from_str(&data).expect("JSON");
    assert_eq!(name, "result");
    assert_eq!((&result["exit_code"], &result["call_id"]), (&json!(0), &json!("c-9")), "{result}");
    assert_eq!(file(&result["files"][0]), ("result.txt".to_owned(), 6, b"result".to_vec()));
    assert_eq!(event(&mut wire, &mut rest), None, "the result is the last");
}

#[test]
fn an_event_stream_tells_how_a_failure_ended() {
    let server = serve(function("exit.sh")).quiet().start();
    let mut wire = server.connect();
    let body = encode("3");
    wire.write(&server.post(&body).accept("text/event-stream").head());
    wire.write(body.as_bytes());
    let head = wire.answer_head();
    let mut rest = String::new();
    if head.status != 200 {
        assert_eq!(head.status, 500, "{head}");
        return;
    }
    let mut events = Vec::new();
    while let Some(event) = event(&mut wire, &mut rest) {
        events.push(event);
    }
    let (name, data) = events.last().expect("events");
    let result: Value = serde_json::from_str(data).expect("JSON");
    let how = (&result["status"], &result["exit_code"]);
    assert_eq!((name.as_str(), how), ("result", (&json!(500), &json!(3))), "{events:?}");
}

#[test]
fn a_failure_quotes_the_end_of_its_logs() {
    let server = serve_command("seq 1 100000; exit 5").quiet().start();
    let answer = server.get("/").send();
    let problem = answer.problem(500);
    let logs = problem["logs"].as_str().expect("logs");
    assert!(logs.len() <= 64 * 1024 && logs.len() > 60 * 1024, "{} bytes", logs.len());
    assert!(logs.ends_with("\n99999\n100000\n"), "the last lines");
    assert_eq!(problem["call_id"], answer.wants("x-call-id"));
}

#[test]
fn a_kept_connection_stays_in_step() {
    let server = serve(function("copy.sh")).start();
    let mut wire = server.connect();
    for round in 0..10 {
        let bytes = noise(300_000 + round);
        let request = server.post(encode(&bytes));
        let request = if round % 2 == 0 { request } else { request.chunked(&[8191]) };
        let answer = request.send_on(&mut wire).expect(200);
        assert!(decode(answer.body) == bytes, "round {round}");
    }
}

#[test]
fn two_requests_sent_at_once_are_answered_in_order() {
    let server = serve(function("echo.sh")).quiet().start();
    let mut wire = server.connect();
    for text in ["one", "two"] {
        let body = encode(text);
        wire.write(&server.post(&body).head());
        wire.write(body.as_bytes());
    }
    assert_eq!(wire.answer().expect(200).text(), "one");
    assert_eq!(wire.answer().expect(200).text(), "two");
}

#[test]
fn a_client_that_leaves_in_mid_answer_leaves_nothing_behind() {
    let server = serve(function("sparse.sh")).start();
    let mut wire = server.connect();
    let body = encode("268435456");
    wire.write(&server.post(&body).head());
    wire.write(body.as_bytes());
    wire.answer_head();
    wire.leave();
    server.is_clean();
}

#[test]
fn every_problem_says_what_it_is() {
    let server = serve(function("exit.sh")).args(["--service", "named", "--token", "t", "--max-body", "10"]).start();
    let request = |method: &str, path: &str| server.request(method, path).header("Authorization", "Bearer t");
    let slug = |answer: &Answer, status| {
        answer.problem(status);
        answer.wants("x-bandog-error").to_owned()
    };
    let slugs = [
        slug(&request("POST", "/").body("!").send(), 400),
        slug(&server.get("/").send(), 401),
        slug(&request("POST", "/run/other").send(), 404),
        slug(&request("BREW", "/").send(), 405),
        slug(&request("POST", "/").body("A".repeat(12)).send(), 413),
        slug(&request("POST", "/").header("Content-Encoding", "br").body("A").send(), 415),
        slug(&request("POST", "/").body(encode("3")).send(), 500),
    ];
    let different: std::collections::BTreeSet<&String> = slugs.iter().collect();
    assert_eq!(different.len(), slugs.len(), "{slugs:?}");
    for slug in &slugs {
        assert!(slug.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'), "{slug}");
    }
}
