use std::{fs, io, path::Path, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::Value;

use super::*;
use crate::{
    actions::{ArgumentError, ArgumentErrorKind, ArgumentErrors},
    input,
    invocation::{Cause, Failure, Outcome, Report},
    logs::{Level, Logs},
    output::{
        Disconnected, Output, ResponseHeaders,
        testing::{MemorySink, OnFirstChunk, noise, output_of, write},
    },
    process::{Exit, SpawnError, Usage},
};

pub(super) const CALL: CallFacts<'static> = CallFacts { call_id: "call-1", service: Some("ocr") };

pub(super) fn logs(text: impl AsRef<[u8]>) -> Logs {
    let dir = tempfile::tempdir().expect("tempdir");
    let mut logs = Logs::new(
        Level::Critical,
        0,
        Some(std::sync::Arc::new(std::fs::File::open(dir.path()).expect("a directory").into())),
    );
    logs.output(text.as_ref());
    logs.seal();
    logs
}

pub(super) fn run(exit: Option<Exit>, text: impl AsRef<[u8]>) -> Report {
    let usage = exit.map(|_| Usage { cpu_time: Duration::from_micros(4_321), peak_memory: 1 << 20 });
    let duration = Duration::from_micros(1_234_567);
    Report { exit, duration, usage, logs: logs(text), failed_output: None, attempts: None, stored: None }
}

pub(super) fn done_with(output: Output, text: impl AsRef<[u8]>) -> Outcome {
    Outcome::Done { report: run(Some(Exit::Code(0)), text), output, response_headers: ResponseHeaders::default() }
}

pub(super) fn files(files: &[(&str, &[u8])]) -> (tempfile::TempDir, Output) {
    let dir = tempfile::tempdir().expect("tempdir");
    for (name, content) in files {
        write(dir.path(), name, content);
    }
    let output = output_of(dir.path());
    (dir, output)
}

fn directed(output: Output, text: &str) -> Outcome {
    let response_headers = crate::output::response_headers::parse(text.as_bytes(), &mut |_| ()).expect("valid");
    Outcome::Done { report: run(Some(Exit::Code(0)), "logs"), output, response_headers }
}

fn accept(value: &str) -> Accept {
    Accept::parse(Some(value.as_bytes()))
}

/// The response: status, header fields, body. Checks that the announced length was sent.
fn answered(outcome: &Outcome, accept: &Accept) -> (Head, Vec<u8>) {
    let reply = answer(outcome, &CALL, accept);
    let head = reply.head().clone();
    let mut sink = MemorySink::default();
    reply.write_to(&mut sink).expect("written");
    let body = sink.bytes();
    if let Some(length) = head.length {
        assert_eq!(body.len() as u64, length, "as announced");
    }
    (head, body)
}

fn field(head: &Head, name: &str) -> String {
    let values: Vec<_> =
        head.headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    values.join(" | ")
}

#[test]
fn one_file_is_sent_in_base64_with_all_header_fields() {
    let (_dir, output) = files(&[("sub/a b.png", b"a\0b")]);
    let (head, body) = answered(&done_with(output, "logs"), &accept("*/*"));
    assert_eq!((head.status.as_u16(), body.as_slice()), (200, &b"YQBi"[..]));
    for (name, value) in [
        ("content-type", "text/plain; charset=utf-8"),
        ("content-transfer-encoding", "base64"),
        ("x-output-kind", "file"),
        ("x-output-name", "sub/a%20b.png"),
        ("x-duration-seconds", "1.234567"),
        ("x-call-id", "call-1"),
        ("x-exit-code", "0"),
        ("vary", "Accept"),
        ("content-disposition", ""),
        ("x-bandog-error", ""),
    ] {
        assert_eq!(field(&head, name), value, "{name}");
    }
}

#[test]
fn without_a_file_the_logs_are_sent_unchanged() {
    let (head, body) = answered(&done_with(Output::None, b"a\xFFb\n\r\n"), &accept("application/octet-stream"));
    assert_eq!((head.status.as_u16(), body.as_slice()), (200, &b"a\xFFb\n\r\n"[..]));
    assert_eq!(field(&head, "content-type"), "text/plain; charset=utf-8");
    assert_eq!(field(&head, "x-output-kind"), "logs");
    assert_eq!(field(&head, "content-transfer-encoding"), "");
    let (head, body) = answered(&done_with(Output::None, ""), &Accept::default());
    assert_eq!((head.length, body.len()), (Some(0), 0));
}

#[test]
fn several_files_are_sent_as_a_zip() {
    let (_dir, output) = files(&[("a", b"1"), ("b", b"2")]);
    let outcome = done_with(output, "");
    let (head, encoded) = answered(&outcome, &Accept::default());
    assert_eq!(
        (field(&head, "x-output-kind").as_str(), field(&head, "content-type").as_str()),
        ("zip", "text/plain; charset=utf-8")
    );
    let (head, raw) = answered(&outcome, &accept("application/zip"));
    assert_eq!(field(&head, "content-type"), "application/zip");
    assert_eq!(field(&head, "content-disposition"), "attachment; filename=\"ocr.zip\"; filename*=UTF-8''ocr.zip");
    assert_eq!((field(&head, "content-transfer-encoding").as_str(), field(&head, "x-output-name").as_str()), ("", ""));
    assert_eq!(BASE64_STANDARD.decode(encoded).expect("base64"), raw);
    assert!(raw.starts_with(b"PK\x03\x04"));
}

#[test]
fn a_raw_file_has_its_own_type_and_a_name_that_no_client_misreads() {
    let (_dir, output) = files(&[("sub/50% \"caf\u{e9}\"\n.png", b"png")]);
    let (head, body) = answered(&done_with(output, ""), &accept("image/*"));
    assert_eq!(body, b"png");
    assert_eq!(field(&head, "content-type"), "image/png");
    assert_eq!(
        field(&head, "content-disposition"),
        "attachment; filename=\"50_ _caf___.png\"; filename*=UTF-8''50%25%20%22caf%C3%A9%22%0A.png"
    );
}

#[test]
fn every_form_announces_the_length_it_sends() {
    for size in [0, 1, 2, 3, 4, 1022, 1023, 1024, 98_303, 98_304, 98_305, 131_071, 131_072, 131_073, 500_000] {
        let content = noise(size);
        let (_dir, one) = files(&[("f.png", &content)]);
        let one = done_with(one, &content);
        let (_dir, several) = files(&[("a", &content), ("b/c", b""), ("z", &content)]);
        let several = done_with(several, &content);
        let none = done_with(Output::None, &content);
        for accepted in ["*/*", "image/png", "application/octet-stream", "application/zip", "application/json"] {
            let (_, body) = answered(&one, &accept(accepted));
            match accepted {
                "*/*" | "application/zip" => assert!(body == BASE64_STANDARD.encode(&content).as_bytes(), "{size}"),
                "application/json" => {}
                _ => assert!(body == content, "{size}"),
            }
            answered(&several, &accept(accepted));
            let (_, body) = answered(&none, &accept(accepted));
            assert!(accepted == "application/json" || body == content);
        }
    }
}

#[test]
fn a_small_response_is_one_piece() {
    let (_dir, output) = files(&[("f", &noise(50_000))]);
    let outcome = done_with(output, "some logs");
    for accepted in ["*/*", "application/octet-stream", "application/json"] {
        let mut sink = MemorySink::default();
        answer(&outcome, &CALL, &accept(accepted)).write_to(&mut sink).expect("written");
        assert_eq!(sink.pieces.len(), 1, "{accepted}");
    }
}

#[test]
fn a_file_that_shrinks_or_grows_while_it_is_sent_breaks_the_response() {
    for accepted in ["*/*", "application/octet-stream", "application/json"] {
        for new_len in [0, 999_999, 1_000_001] {
            let (dir, output) = files(&[("f", &noise(1_000_000))]);
            let path = dir.path().join("f");
            let mut sink = OnFirstChunk(Some(|| {
                fs::File::options().write(true).open(&path).and_then(|file| file.set_len(new_len)).expect("resized");
            }));
            let outcome = done_with(output, "");
            let result = answer(&outcome, &CALL, &accept(accepted)).write_to(&mut sink);
            assert!(matches!(result, Err(TransferError::Changed { .. })), "{accepted} {new_len}: {result:?}");
        }
    }
}

#[test]
fn with_the_functions_own_type_the_response_is_raw_for_every_client() {
    for accepted in ["*/*", "application/json", "text/plain", "application/octet-stream"] {
        let (_dir, output) = files(&[("f.png", b"{}")]);
        let outcome = directed(output, "Content-Type: application/json\nStatus: 201\nContent-Encoding: identity");
        let (head, body) = answered(&outcome, &accept(accepted));
        assert_eq!((head.status.as_u16(), body.as_slice()), (201, &b"{}"[..]), "{accepted}");
        assert_eq!(field(&head, "content-type"), "application/json");
        assert_eq!(field(&head, "content-encoding"), "identity");
        assert_eq!(
            (field(&head, "content-transfer-encoding"), field(&head, "content-disposition")),
            Default::default()
        );
    }
    let (head, body) = answered(&directed(Output::None, "content-type: text/html"), &Accept::default());
    assert_eq!((field(&head, "content-type").as_str(), body.as_slice()), ("text/html", &b"logs"[..]));
}

#[test]
fn other_fields_of_the_function_are_passed_on_and_repeated_ones_kept() {
    let (_dir, output) = files(&[("f", b"x")]);
    let text = "Set-Cookie: a=1\nSet-Cookie: b=2\nVary: Cookie\nX-Own: 1\nContent-Encoding: gzip";
    let (head, body) = answered(&directed(output, text), &Accept::default());
    assert_eq!(body, b"eA==");
    assert_eq!(field(&head, "set-cookie"), "a=1 | b=2");
    assert_eq!((field(&head, "vary").as_str(), field(&head, "x-own").as_str()), ("Accept, Cookie", "1"));
    assert_eq!(field(&head, "content-encoding"), "", "our base64 is not compressed");
}

#[test]
fn a_status_without_content_has_none() {
    for status in [204, 205, 304] {
        for accepted in ["*/*", "application/json"] {
            let (_dir, output) = files(&[("f", b"x")]);
            let (head, body) = answered(&directed(output, &format!("Status: {status}")), &accept(accepted));
            assert_eq!((head.status.as_u16(), head.length, body.len()), (status, Some(0), 0));
        }
    }
}

/// Every failure, with the status, the error code and the exit code that it must have.
fn failures() -> Vec<(Outcome, u16, &'static str, u8)> {
    let failed = |exit, failure| Outcome::Failed { report: run(exit, "the logs"), failure };
    let code = |code| Some(Exit::Code(code));
    let spawn = SpawnError::Missing { program: "/nowhere".into() };
    let unreadable =
        crate::output::OutputError::Read { path: "f".into(), source: io::ErrorKind::PermissionDenied.into() };
    let refused = |error| Outcome::Refused(input::InputError::from(error));
    let limit = Duration::from_mins(5);
    vec![
        (failed(code(3), Failure::Exit(3)), 500, "function-failed", 3),
        (failed(code(255), Failure::Exit(255)), 500, "function-failed", 255),
        (failed(Some(Exit::Signal(9)), Failure::Signal { signal: 9 }), 500, "function-killed", 137),
        (failed(Some(Exit::Signal(9)), Failure::OutOfMemory { limit: None }), 500, "out-of-memory", 137),
        (failed(code(137), Failure::OutOfMemory { limit: None }), 500, "out-of-memory", 137),
        (failed(Some(Exit::Signal(24)), Failure::CpuTime { limit }), 500, "cpu-time-exceeded", 152),
        (failed(code(153), Failure::FileTooLarge { limit: 1 }), 500, "file-too-large", 153),
        (failed(code(0), Failure::OutputTooLarge { files: 2, bytes: 9, limit: 1 }), 500, "output-too-large", 70),
        (failed(None, Failure::Confine(io::ErrorKind::Other.into())), 500, "function-not-started", 70),
        (failed(None, Failure::Spawn(spawn)), 500, "function-not-started", 70),
        (failed(None, Failure::Workspace(io::ErrorKind::StorageFull.into())), 500, "workspace-unavailable", 70),
        (failed(code(0), Failure::Output(unreadable)), 500, "output-unreadable", 70),
        (failed(None, Failure::Supervise(io::ErrorKind::Other.into())), 500, "internal", 70),
        (failed(None, Failure::NoThread(io::ErrorKind::WouldBlock.into())), 503, "overloaded", 70),
        (Outcome::TimedOut { report: run(Some(Exit::Signal(15)), "x"), limit }, 504, "function-timeout", 124),
        (Outcome::Cancelled { report: None, cause: Cause::ClientGone }, 499, "client-gone", 141),
        (Outcome::Cancelled { report: None, cause: Cause::Shutdown }, 503, "shutting-down", 143),
        (refused(input::BodyError::Incomplete), 400, "body-incomplete", 65),
        (refused(input::BodyError::TimedOut), 400, "body-timeout", 65),
        (refused(input::BodyError::Io(io::ErrorKind::Other.into())), 500, "input-unreadable", 70),
        (Outcome::Refused(wrong_arguments()), 400, "invalid-arguments", 65),
        (Outcome::Refused(input::InputError::LongArguments { limit: 1 }), 413, "body-too-large", 65),
    ]
}

fn wrong_arguments() -> input::InputError {
    let mut flaws = ArgumentErrors::one(ArgumentError::new(
        "size.width",
        ArgumentErrorKind::Invalid,
        Some(&"x".into()),
        "a whole number",
    ));
    flaws.push(|| ArgumentError::new("name", ArgumentErrorKind::Missing, None, "a text"));
    input::InputError::Arguments(flaws)
}

#[test]
fn arguments_that_are_wrong_are_listed_each_with_what_was_expected() {
    let (_, body) = answered(&Outcome::Refused(wrong_arguments()), &Accept::default());
    let document: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(
        document["detail"],
        "the arguments are wrong: `size.width` is \"x\", expected a whole number; `name` is missing, expected a text"
    );
    let listed = serde_json::json!([
        {"argument": "size.width", "problem": "invalid", "value": "x", "detail": "expected a whole number"},
        {"argument": "name", "problem": "missing", "detail": "expected a text"},
    ]);
    assert_eq!(document["errors"], listed);
}

#[test]
fn every_failure_is_a_problem_with_its_status_error_code_and_exit_code() {
    for (outcome, status, error, code) in failures() {
        for accepted in ["*/*", "application/json", "application/octet-stream"] {
            let (head, body) = answered(&outcome, &accept(accepted));
            assert_eq!((head.status.as_u16(), exit_code(&outcome)), (status, code), "{error}");
            assert_eq!(field(&head, "x-bandog-error"), error);
            assert_eq!(field(&head, "content-type"), "application/problem+json");
            assert_eq!((field(&head, "x-call-id").as_str(), field(&head, "vary").as_str()), ("call-1", ""));
            let document: Value = serde_json::from_slice(&body).expect("JSON");
            assert_eq!(document["type"], format!("urn:bandog:error:{error}"));
            assert_eq!(document["status"], status);
            assert_eq!(document["call_id"], "call-1");
            for member in ["title", "detail"] {
                assert!(document[member].as_str().is_some_and(|text| !text.is_empty()), "{member} of {error}");
            }
        }
    }
    assert_eq!(exit_code(&done_with(Output::None, "")), 0);
}

#[test]
fn a_failed_run_says_how_it_ended_and_quotes_the_end_of_its_logs() {
    let text = format!("{}\u{FFFD}the end", "x".repeat(100_000));
    let outcome = Outcome::Failed { report: run(Some(Exit::Code(3)), &text), failure: Failure::Exit(3) };
    let (head, body) = answered(&outcome, &Accept::default());
    let document: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!((&document["exit_code"], document.get("signal")), (&Value::from(3), None));
    assert_eq!(document["duration_seconds"], 1.234_567);
    let quoted = document["logs"].as_str().expect("text");
    assert!(quoted.len() == crate::logs::TAIL_LIMIT && text.ends_with(quoted));
    assert_eq!((field(&head, "x-exit-code").as_str(), field(&head, "x-duration-seconds").as_str()), ("3", "1.234567"));

    let outcome = Outcome::Failed { report: run(Some(Exit::Signal(9)), ""), failure: Failure::Signal { signal: 9 } };
    let (head, body) = answered(&outcome, &Accept::default());
    let document: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!((&document["signal"], &document["signal_name"]), (&Value::from(9), &Value::from("SIGKILL")));
    assert_eq!((document.get("exit_code"), field(&head, "x-exit-code").as_str()), (None, ""));
}

#[test]
fn a_shutdown_tells_the_client_to_come_back_on_another_connection() {
    let outcome = Outcome::Cancelled { report: Some(run(None, "")), cause: Cause::Shutdown };
    let (head, _) = answered(&outcome, &Accept::default());
    assert_eq!((field(&head, "retry-after").as_str(), field(&head, "connection").as_str()), ("5", "close"));
}

#[test]
fn a_call_id_that_no_header_may_hold_is_left_out_of_the_header_only() {
    let call = CallFacts { call_id: "a\nb", service: None };
    let outcome = done_with(Output::None, "");
    assert!(!answer(&outcome, &call, &Accept::default()).head().headers.contains_key(X_CALL_ID));
    let mut sink = MemorySink::default();
    answer(&outcome, &call, &accept("application/json")).write_to(&mut sink).expect("written");
    let document: Value = serde_json::from_slice(&sink.bytes()).expect("JSON");
    assert_eq!(document["call_id"], "a\nb");
}

#[test]
fn a_reader_that_goes_away_is_told_apart_from_a_broken_file() {
    let (_dir, output) = files(&[("f", &noise(1_000_000))]);
    let outcome = done_with(output, "");
    let mut sink = MemorySink { gone: true, ..MemorySink::default() };
    let result = answer(&outcome, &CALL, &Accept::default()).write_to(&mut sink);
    assert!(matches!(result, Err(TransferError::Disconnected(Disconnected))));
    assert_eq!(sink.pieces.len(), 1);
}

#[test]
fn one_file_is_sent_after_its_workspace_is_gone() {
    let (dir, output) = files(&[("f", b"content")]);
    dir.close().expect("removed");
    assert!(!Path::new("f").exists());
    let (_, body) = answered(&done_with(output, ""), &accept("application/octet-stream"));
    assert_eq!(body, b"content");
}
