//! A store that is slow, busy or gone in the middle: the result is right, or the failure has its name, and nothing is left.

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{
    COPY, S3, configured, job,
    proxy::{Fault, Gate, Proxy},
};
use crate::harness::{Answer, Ran, Server, encode, eventually, noise, serve_command};

/// Bytes of the objects.
const SIZE: usize = 3 * 1024 * 1024;

/// Bytes after which a transfer is cut: less than a store must send for a transfer to count as going on.
const PART: u64 = 500_000;

/// Writes an output of [`SIZE`] bytes.
const LARGE: &str = r#"cp "$INPUT_FILE_PATH" "$TMP_OUTPUT_DIR/large""#;

/// Makes the fault of a case.
type Make = fn() -> Fault;

/// A store with one object, `large`, and its content.
fn store() -> Option<(S3, Vec<u8>)> {
    let s3 = S3::start()?;
    let content = noise(SIZE);
    fs::write(s3.input("large"), &content).expect("written");
    Some((s3, content))
}

/// The configuration with the proxy in place of the store.
fn behind(proxy: &Proxy, s3: &S3) -> Value {
    let mut configuration = s3.configuration();
    configuration["storage_providers"]["minio"]["default"]["endpoint"] = proxy.endpoint().into();
    configuration
}

/// A proxy that does something to the requests of a method for an object, by their number.
fn disturbed(s3: &S3, method: &'static str, fault: impl Fn(usize) -> Fault + Send + Sync + 'static) -> Proxy {
    Proxy::start(
        s3.store.endpoint(),
        move |line, number| {
            if line.starts_with(method) { fault(number) } else { Fault::Pass }
        },
    )
}

/// The number of requests of a method that a proxy has seen.
fn count(proxy: &Proxy, method: &str) -> usize {
    proxy.seen().iter().filter(|line| line.starts_with(method)).count()
}

/// Sends an event to a server with this script, behind the proxy.
fn served(s3: &S3, proxy: &Proxy, script: &str, flags: &[&str]) -> Answer {
    let server = configured(serve_command(script).args(flags), &behind(proxy, s3)).start();
    let answer = server.post(s3.event("large", "1").to_string()).media("application/json").send();
    is_clean(&server);
    answer
}

/// The same by `bandog run`.
fn ran(s3: &S3, proxy: &Proxy, script: &str) -> Ran {
    job(&behind(proxy, s3), script).stdin(s3.event("large", "1").to_string()).run()
}

/// Waits until nothing of any invocation is left. The record of open uploads stays until the end of the server.
#[track_caller]
pub(super) fn is_clean(server: &Server) {
    eventually(&format!("no file of an invocation, and no process: {server}"), || {
        let is_clean = server.open().iter().all(|path| path.starts_with("bandog-uploads-"));
        (is_clean && server.descendants().is_empty()).then_some(())
    });
}

/// Fails if a part of an output has its final name.
#[track_caller]
fn assert_whole_or_none(path: &Path, content: &[u8], case: &str) {
    if let Ok(found) = fs::read(path) {
        assert!(found == content, "{case}: {} of {} bytes in {}", found.len(), content.len(), path.display());
    }
}

#[test]
fn a_fetch_that_is_disturbed_for_a_while_brings_the_whole_object() {
    let Some((s3, content)) = store() else { return };
    let cases: [(&str, usize, Make); 7] = [
        ("reset", 2, || Fault::Reset),
        ("no head", 2, || Fault::CutResponse(0)),
        ("half a head", 2, || Fault::CutResponse(40)),
        ("cut", 4, || Fault::CutResponse(PART)),
        ("reset in the body", 4, || Fault::ResetResponse(PART)),
        ("busy", 3, || Fault::busy("")),
        ("busy for a second", 1, || Fault::busy("Retry-After: 1\r\n")),
    ];
    for (case, times, fault) in cases {
        let proxy = || disturbed(&s3, "GET", move |number| if number < times { fault() } else { Fault::Pass });
        let by_run = proxy();
        let begun = Instant::now();
        ran(&s3, &by_run, COPY).expect(0);
        assert!(fs::read(s3.output("made/of-large")).expect("stored") == content, "{case}");
        assert_eq!(count(&by_run, "GET"), times + 1, "{case}");
        assert!(!case.contains("second") || begun.elapsed() >= Duration::from_secs(1), "{case}: {:?}", begun.elapsed());
        fs::remove_file(s3.output("made/of-large")).expect("removed");
        let answer = served(&s3, &proxy(), COPY, &[]).expect(200);
        assert!(fs::read(s3.output("made/of-large")).expect("stored") == content, "{case}: {answer}");
        fs::remove_file(s3.output("made/of-large")).expect("removed");
    }
}

#[test]
fn a_fetch_goes_on_where_it_was_cut() {
    let Some((s3, content)) = store() else { return };
    // No response has room for all of it. After a reset the kernel may discard what had arrived, so that each is cut.
    let proxy = disturbed(&s3, "GET", move |_| Fault::CutResponse(2 * SIZE as u64 / 5));
    ran(&s3, &proxy, COPY).expect(0);
    assert!(fs::read(s3.output("made/of-large")).expect("stored") == content);
    assert_eq!(count(&proxy, "GET"), 3);
}

#[test]
fn a_fetch_that_is_disturbed_for_good_has_a_name_and_starts_nothing() {
    let Some((s3, _)) = store() else { return };
    let cases: [(&str, Make, &str); 5] = [
        ("reset", || Fault::Reset, "provider-unreachable"),
        ("half a head", || Fault::CutResponse(40), "provider-unreachable"),
        ("cut", || Fault::CutResponse(PART), "provider-unreachable"),
        ("reset in the body", || Fault::ResetResponse(PART), "provider-unreachable"),
        ("busy", || Fault::busy(""), "provider-unreachable"),
    ];
    for (case, fault, code) in cases {
        let proxy = disturbed(&s3, "GET", move |_| fault());
        let ended = ran(&s3, &proxy, "touch started").expect(69);
        assert!(ended.text().contains(&format!("urn:bandog:error:{code}")), "{case}: {ended}");
        assert!(
            ended.complaint().contains("large of minio.default") && !ended.home().join("started").exists(),
            "{ended}"
        );
        let answer = served(&s3, &proxy, r#"touch "$SCRATCH/started""#, &[]).expect(503);
        assert_eq!(answer.wants("x-bandog-error"), code, "{case}: {answer}");
        assert_eq!(count(&proxy, "GET"), 10, "{case}");
        assert_eq!(count(&proxy, "PUT"), 0, "{case}");
    }
}

#[test]
fn a_store_that_waits_for_too_long_is_not_waited_for() {
    let Some((s3, _)) = store() else { return };
    let gate = Gate::default();
    let held = gate.clone();
    let proxy = disturbed(&s3, "GET", move |_| Fault::HoldResponse(PART, held.clone()));
    let answer = served(&s3, &proxy, COPY, &["--exec-timeout", "1s"]).expect(503);
    assert_eq!(answer.wants("x-bandog-error"), "provider-unreachable", "{answer}");
    gate.until_left();
    // The time of the outputs is another one.
    let gate = Gate::default();
    let held = gate.clone();
    let proxy = disturbed(&s3, "PUT", move |_| Fault::HoldRequest(PART, held.clone()));
    let answer = served(&s3, &proxy, LARGE, &["--exec-timeout", "1s"]).expect(502);
    assert_eq!((answer.wants("x-bandog-error"), answer.decoded().len()), ("output-not-stored", SIZE));
    gate.until_left();
    assert!(!s3.output("made/large").exists());
}

#[test]
fn an_output_that_is_disturbed_for_a_while_is_stored_whole() {
    let Some((s3, content)) = store() else { return };
    let cases: [(&str, usize, Make); 7] = [
        ("reset", 2, || Fault::Reset),
        ("no body", 2, || Fault::CutRequest(0)),
        ("half a body", 3, || Fault::CutRequest(PART)),
        ("lost response", 2, || Fault::Lose),
        ("half a response", 2, || Fault::CutResponse(30)),
        ("busy", 3, || Fault::busy("")),
        ("busy for a second", 1, || Fault::busy("Retry-After: 1\r\n")),
    ];
    for (case, times, fault) in cases {
        let proxy = || disturbed(&s3, "PUT", move |number| if number < times { fault() } else { Fault::Pass });
        let by_run = proxy();
        let begun = Instant::now();
        ran(&s3, &by_run, LARGE).expect(0);
        assert!(fs::read(s3.output("made/large")).expect("stored") == content, "{case}");
        assert_eq!(count(&by_run, "PUT"), times + 1, "{case}");
        assert!(!case.contains("second") || begun.elapsed() >= Duration::from_secs(1), "{case}: {:?}", begun.elapsed());
        fs::remove_file(s3.output("made/large")).expect("removed");
        let answer = served(&s3, &proxy(), LARGE, &[]).expect(200);
        assert_eq!(answer.wants("x-bandog-stored"), "1", "{case}");
        assert!(fs::read(s3.output("made/large")).expect("stored") == content, "{case}");
        fs::remove_file(s3.output("made/large")).expect("removed");
    }
}

#[test]
fn an_output_that_is_disturbed_for_good_has_a_name_and_is_not_lost() {
    let Some((s3, content)) = store() else { return };
    let cases: [(&str, Make); 4] = [
        ("reset", || Fault::Reset),
        ("half a body", || Fault::CutRequest(PART)),
        ("lost response", || Fault::Lose),
        ("busy", || Fault::busy("")),
    ];
    for (case, fault) in cases {
        let proxy = disturbed(&s3, "PUT", move |_| fault());
        let ended = ran(&s3, &proxy, LARGE).expect(74);
        assert!(ended.stdout == encode(&content).as_bytes(), "{case}: {ended}");
        let reason = format!("{}/made/large of minio.default: provider-unreachable", s3.store.text("bucket_out"));
        assert!(ended.complaint().contains(&reason), "{case}: {ended}");
        assert_whole_or_none(&s3.output("made/large"), &content, case);
        let answer = served(&s3, &proxy, LARGE, &[]).expect(502);
        assert_eq!(answer.wants("x-bandog-error"), "output-not-stored", "{case}");
        assert!(answer.decoded() == content, "{case}");
        assert_eq!(count(&proxy, "PUT"), 10, "{case}");
        assert_whole_or_none(&s3.output("made/large"), &content, case);
        let _ = fs::remove_file(s3.output("made/large"));
    }
}

#[test]
fn a_client_that_hangs_up_during_the_fetch_ends_it() {
    let Some((s3, _)) = store() else { return };
    let gate = Gate::default();
    let held = gate.clone();
    let proxy = disturbed(&s3, "GET", move |_| Fault::HoldResponse(PART, held.clone()));
    let server = configured(serve_command(r#"touch "$SCRATCH/started""#), &behind(&proxy, &s3)).start();
    let mut wire = server.connect();
    let request = server.post(s3.event("large", "1").to_string()).media("application/json");
    wire.write(&request.head());
    wire.write(s3.event("large", "1").to_string().as_bytes());
    gate.until_reached();
    wire.leave();
    gate.until_left();
    is_clean(&server);
    assert!(!server.has_sign("started"), "{server}");
    assert_eq!(count(&proxy, "GET"), 1, "it is not tried again: {server}");
}

#[test]
fn a_drain_waits_for_the_outputs_that_are_being_stored() {
    let Some((s3, content)) = store() else { return };
    let gate = Gate::default();
    let held = gate.clone();
    let proxy = disturbed(&s3, "PUT", move |_| Fault::HoldRequest(PART, held.clone()));
    let mut server = configured(serve_command(LARGE), &behind(&proxy, &s3)).start();
    let request = server.post(s3.event("large", "1").to_string()).media("application/json");
    let answering = thread::spawn(move || request.send());
    gate.until_reached();
    server.signal(Signal::TERM);
    server.log_line("the drain", |line| line.contains("draining"));
    gate.open();
    let answer = answering.join().expect("an answer").expect(200);
    assert_eq!(answer.wants("x-bandog-stored"), "1");
    assert!(fs::read(s3.output("made/large")).expect("stored") == content);
    assert_eq!(server.end().0.code(), Some(0), "{server}");
    server.check_nothing_is_left();
}

#[test]
fn the_end_of_the_drain_ends_the_outputs_and_leaves_nothing_half() {
    let Some((s3, content)) = store() else { return };
    for (method, timeout) in [("PUT", "1s"), ("PUT", "0"), ("GET", "0")] {
        let gate = Gate::default();
        let held = gate.clone();
        let proxy = disturbed(&s3, method, move |_| match method {
            "PUT" => Fault::HoldRequest(PART, held.clone()),
            _ => Fault::HoldResponse(PART, held.clone()),
        });
        let flags = ["--drain-timeout", timeout];
        let mut server = configured(serve_command(LARGE).args(flags), &behind(&proxy, &s3)).start();
        let request = server.post(s3.event("large", "1").to_string()).media("application/json");
        let answering = thread::spawn(move || request.send());
        gate.until_reached();
        server.signal(Signal::TERM);
        let answer = answering.join().expect("an answer").expect(if method == "PUT" { 502 } else { 503 });
        let text =
            if method == "PUT" { "minio.default: stopped: bandog is shutting down" } else { "input not fetched" };
        server.log_line(text, |line| line.contains(text));
        let code = if method == "PUT" { "output-not-stored" } else { "shutting-down" };
        assert_eq!(answer.wants("x-bandog-error"), code, "{answer}");
        assert_eq!(server.end().0.code(), Some(0), "{server}");
        gate.until_left();
        server.check_nothing_is_left();
        assert_whole_or_none(&s3.output("made/large"), &content, timeout);
        assert!(!s3.output("made/large").exists(), "{method} {timeout}");
    }
}

#[test]
fn events_of_several_records_go_on_after_one_that_is_disturbed() {
    let Some((s3, content)) = store() else { return };
    fs::write(s3.input("gone"), "x").expect("written");
    let proxy = Proxy::start(s3.store.endpoint(), |line, _| match line {
        line if line.contains("/gone") => Fault::Reset,
        _ => Fault::Pass,
    });
    let server = configured(serve_command(COPY), &behind(&proxy, &s3)).start();
    let event = json!({"Records": [s3.record("gone", "1"), s3.record("large", "2")]});
    let answer = server.post(event.to_string()).media("application/json").send().expect(503);
    let statuses: Vec<Value> =
        answer.json().as_array().expect("a list").iter().map(|record| record["status"].clone()).collect();
    assert_eq!(statuses, [json!(503), json!(200)], "{answer}");
    assert!(fs::read(s3.output("made/of-large")).expect("stored") == content);
}
