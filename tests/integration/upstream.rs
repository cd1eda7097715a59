//! `--mode http`: one process that speaks HTTP itself, or a server at a URL, is passed every request as it is, and its
//! answer comes back as it is: whole, or broken off.

use std::{
    ffi::OsStr,
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{
    Answer, PATIENCE, Request, Server, Wire, decode, encode, eventually, fixture, noise, proc_status, server::Builder,
};

mod kept;
mod lifecycle;
mod sockets;

/// The most memory that a listener may hold, whatever passes through it; see the suite `memory`.
const PEAK_KIB: u64 = 24 * 1024;

/// A listener before the function in `fixtures/upstream`.
pub(super) fn proxy() -> Builder {
    Builder::new().args(["--mode", "http"]).command([OsStr::new("python3"), fixture("upstream/server.py").as_os_str()])
}

/// The request as the function saw it.
fn seen(answer: Answer) -> Value {
    answer.expect(200).json()
}

/// The values of a field that the function saw.
fn field(seen: &Value, name: &str) -> Vec<String> {
    let fields = seen["headers"].as_array().expect("fields").iter();
    fields.filter(|field| field[0] == name).map(|field| field[1].as_str().expect("text").to_owned()).collect()
}

#[test]
fn a_request_goes_through_as_it_is() {
    let server = proxy().start();
    let target = "/run/other/a//b%2Fc?x=1&y=%20&x=2";
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"] {
        let request = server
            .request(method, target)
            .header("Host", "example.org")
            .header("X-Many", "1")
            .header("X-Many", "2")
            .header("Cookie", "a=b")
            .header("Authorization", "Basic x")
            .media("text/x-own")
            .body("the body \u{e9}");
        let seen = seen(request.send());
        assert_eq!((&seen["method"], &seen["target"]), (&method.into(), &target.into()));
        assert_eq!(seen["body"], "the body \u{c3}\u{a9}", "as bytes");
        for (name, wanted) in [
            ("host", vec!["example.org"]),
            ("x-many", vec!["1", "2"]),
            ("cookie", vec!["a=b"]),
            ("authorization", vec!["Basic x"]),
            ("content-type", vec!["text/x-own"]),
            ("content-length", vec!["11"]),
            ("x-forwarded-for", vec!["127.0.0.1"]),
            ("x-forwarded-proto", vec!["http"]),
            ("x-forwarded-host", vec!["example.org"]),
            // A request that may not be repeated has a connection of its own.
            ("connection", if matches!(method, "POST" | "PATCH" | "BREW") { vec!["close"] } else { vec![] }),
        ] {
            assert_eq!(field(&seen, name), wanted, "{name}");
        }
    }
}

#[test]
fn an_answer_comes_back_as_it_is_with_the_calls_id() {
    let server = proxy().start();
    let answer = server.get("/").header("X-Call-Id", "call-7").send().expect(200);
    assert_eq!(answer.wants("x-call-id"), "call-7");
    assert_eq!(field(&answer.json(), "x-call-id"), ["call-7"]);
    assert!(answer.wants("x-duration-seconds").parse::<f64>().expect("a number") >= 0.0);
    let many: Vec<_> = answer.headers.iter().filter(|(name, _)| name == "x-many").map(|(_, value)| value).collect();
    assert_eq!(many, ["1", "2"]);
    for code in [201, 404, 418, 500, 503] {
        let answer = server.get(&format!("/status?code={code}")).send().expect(code);
        assert_eq!((answer.text(), answer.header("x-bandog-error")), ("short and stout", None), "{code}");
    }
    for code in [204, 304] {
        assert!(server.get(&format!("/status?code={code}")).send().expect(code).body.is_empty());
    }
    let mut wire = server.connect();
    let head = server.request("HEAD", "/large?bytes=123456").send_on(&mut wire).expect(200);
    assert_eq!(head.wants("content-length"), "123456");
    assert_eq!(server.get("/status?code=200").send_on(&mut wire).expect(200).text(), "short and stout");
    // Fields of the function's own connection, and what only bandog says, stay behind.
    let lie = server.get("/lie").send().expect(200);
    assert_eq!(["x-bandog-error", "x-hop", "connection"].map(|name| lie.header(name)), [None; 3]);
}

#[test]
fn a_token_for_bandog_stays_with_bandog() {
    let server = proxy().env("BANDOG_TOKEN", "s3cr3t").start();
    server.get("/").send().problem(401);
    let bearer = server.get("/").header("Authorization", "Bearer s3cr3t").send();
    let other = server.get("/").header("X-Bandog-Token", "s3cr3t").send();
    for answer in [bearer, other] {
        assert!(!answer.expect(200).text().contains("s3cr3t"));
    }
}

#[test]
fn bodies_of_any_size_go_both_ways_in_flat_memory() {
    const BYTES: usize = 64 << 20;
    let server = proxy().start();
    let body = noise(BYTES);
    let said = server.post(&body).media("application/octet-stream").to("/measure").send().expect(200);
    let chunked = server.post(&body).chunked(&[1, 70_000]).to("/measure").send().expect(200);
    assert!(said.text().starts_with(&format!("{BYTES} ")), "{said}");
    assert_eq!(said.text(), chunked.text(), "the same bytes, of known and of unknown length");
    assert_eq!(server.get(&format!("/large?bytes={BYTES}")).send().expect(200).body.len(), BYTES);
    let peak = proc_status(server.pid(), "VmHWM").expect("it runs");
    assert!(peak < PEAK_KIB, "{peak} KiB");
}

#[test]
fn a_body_comes_back_while_the_rest_of_it_is_still_to_be_sent() {
    let server = proxy().start();
    let mut wire = server.connect();
    wire.write(&server.request("POST", "/copy").chunked(&[1]).head());
    // More than a request has to bring before it is taken at all.
    let first = noise(32 * 1024);
    wire.chunk(&first);
    let head = wire.answer_head();
    assert_eq!(head.status, 200);
    let mut back = Vec::new();
    while back.len() < first.len() {
        back.extend(chunk(&mut wire));
    }
    assert!(back == first);
    wire.chunk(b"the rest");
    wire.write(b"0\r\n\r\n");
    assert_eq!(chunk(&mut wire), b"the rest");
    assert_eq!(chunk(&mut wire), b"");
}

/// One chunk of an answer.
fn chunk(wire: &mut Wire) -> Vec<u8> {
    let size = wire.line().expect("a size");
    let size = usize::from_str_radix(&size, 16).unwrap_or_else(|_| panic!("not a size: {size:?}"));
    let data = wire.bytes(size);
    assert_eq!(wire.line().as_deref(), Some(""));
    data
}

#[test]
fn an_event_arrives_while_the_next_is_pending() {
    let server = proxy().start();
    let mut wire = server.connect();
    wire.write(&server.get("/events").accept("text/event-stream").head());
    assert_eq!(wire.answer_head().wants("content-type"), "text/event-stream");
    assert_eq!(chunk(&mut wire), b"data: first\n\n");
    server.give("go");
    assert_eq!(chunk(&mut wire), b"data: second\n\n");
    assert_eq!(chunk(&mut wire), b"");
}

#[test]
fn an_answer_that_is_cut_never_looks_whole() {
    let server = proxy().start();
    for (number, target) in ["/die", "/die?chunked=1"].into_iter().enumerate() {
        let answer = server.get(target).send();
        assert_eq!((answer.status, answer.whole), (200, false), "{target}: {answer}");
        assert_eq!(answer.body, b"only a part", "{target}");
        eventually("its end is known", || (server.log().matches("ended by itself").count() > number).then_some(()));
    }
    let log = server.log_line("the cause", |line| line.contains("broke off in the middle"));
    assert!(log.contains("WARNING"), "{log}");
    assert_eq!(server.get("/_/status").send().expect(200).json()["totals"]["failed"], 2);
}

#[test]
fn the_time_limit_holds_for_the_whole_answer_and_a_client_cannot_lift_it() {
    let server = proxy().args(["--exec-timeout", "300ms"]).start();
    for (name, value) in [("X-Timeout", "0s"), ("X-Timeout", "1h"), ("Accept", "text/event-stream"), ("A", "b")] {
        let begun = Instant::now();
        let problem = server.get("/slow").header(name, value).send().problem(504);
        assert_eq!(problem["type"], "urn:bandog:error:function-timeout");
        assert!(begun.elapsed() < PATIENCE / 2, "{name}: {value}");
    }
    let answer = server.get("/trickle").header("Accept", "text/event-stream").send();
    assert_eq!((answer.status, answer.whole), (200, false), "{answer}");
    assert_eq!(server.get("/_/status").send().expect(200).json()["totals"]["timed_out"], 5);
    // An answer that the function calls a stream of events is one.
    let mut wire = server.connect();
    wire.write(&server.get("/events").head());
    assert_eq!(wire.answer_head().status, 200);
    assert_eq!(chunk(&mut wire), b"data: first\n\n");
    thread::sleep(Duration::from_millis(600));
    server.give("go");
    assert_eq!(chunk(&mut wire), b"data: second\n\n");
}

#[test]
fn a_client_can_lower_the_time_limit() {
    let server = proxy().start();
    let begun = Instant::now();
    server.get("/slow").header("X-Timeout", "200ms").send().problem(504);
    assert!(begun.elapsed() < PATIENCE / 2);
}

#[test]
fn a_client_that_leaves_its_events_frees_its_place() {
    let server = proxy().args(["--max-inflight", "1"]).start();
    let mut wire = server.connect();
    wire.write(&server.get("/ticks").head());
    assert_eq!(wire.answer_head().status, 200);
    assert_eq!(server.get("/").send().problem(429)["type"], "urn:bandog:error:too-many-requests");
    wire.leave();
    eventually("a free place", || (server.get("/").send().status == 200).then_some(()));
    server.sign("left");
    assert_eq!(server.get("/_/status").send().expect(200).json()["totals"]["cancelled"], 1);
}

#[test]
fn a_client_that_leaves_before_the_answer_frees_its_place() {
    let server = proxy().args(["--max-inflight", "1"]).start();
    let mut wire = server.connect();
    wire.write(&server.get("/slow").head());
    server.sign("slow");
    wire.leave();
    eventually("a free place", || (server.get("/").send().status == 200).then_some(()));
    server.give("go");
}

#[test]
fn a_request_is_queued_for_a_place_and_refused_beyond_the_queue() {
    let server = proxy().args(["--max-inflight", "1", "--max-queue", "1"]).start();
    let mut first = server.connect();
    first.write(&server.get("/slow").head());
    server.sign("slow");
    let mut second = server.connect();
    second.write(&server.get("/?second").head());
    eventually("one in the queue", || (server.get("/_/status").send().expect(200).json()["queued"] == 1).then_some(()));
    server.get("/?third").send().problem(429);
    server.give("go");
    assert_eq!(first.answer().expect(200).text(), "done");
    assert_eq!(second.answer().expect(200).json()["target"], "/?second");
}

#[test]
fn a_body_over_the_limit_is_refused_however_it_is_sent() {
    let server = proxy().args(["--max-body", "100KiB"]).start();
    let body = noise(200 * 1024);
    server.post(&body).to("/measure").send().problem(413);
    server.post(&body).chunked(&[4096]).to("/measure").send().problem(413);
    assert!(server.post(&body[..100 * 1024]).chunked(&[4096]).to("/measure").send().expect(200).whole);
}

#[test]
fn decoded_bodies_have_their_own_length_and_type() {
    let server = proxy().args(["--decode"]).start();
    let sent = |request: Request| seen(request.send());
    for (request, body, kind) in [
        (server.post(encode("hello \u{1}")), "hello \u{1}", "application/octet-stream"),
        (server.post(encode("hello")).media("application/json"), "hello", "application/octet-stream"),
        (server.post("{\"a\": 1}"), "{\"a\": 1}", "application/json"),
        (server.post("raw").media("image/png"), "raw", "image/png"),
        (server.post("text, plain").media("text/plain"), "text, plain", "text/plain"),
    ] {
        let seen = sent(request);
        assert_eq!((&seen["body"], field(&seen, "content-type")), (&body.into(), vec![kind.to_owned()]));
        assert_eq!(field(&seen, "content-length"), [body.len().to_string()]);
    }
    server.post("not base64!").send().problem(400);
    server.post("x").header("Content-Encoding", "br").send().problem(415);
    assert_eq!(server.get("/_/status").send().expect(200).json()["workspaces"], 1, "that of the process");
    let large = noise(8 << 20);
    let said = server.post(encode(&large)).to("/measure").send().expect(200);
    let plain = server.post(&large).media("application/octet-stream").to("/measure").send().expect(200);
    assert_eq!(said.text(), plain.text());
}

#[test]
fn the_input_within_an_event_is_opened_by_decode() {
    let event = |body: &str, kind: &str, encoded: bool| {
        json!({
            "httpMethod": "POST", "headers": {"Content-Type": kind}, "body": body, "isBase64Encoded": encoded,
            "queryStringParameters": null,
        })
        .to_string()
    };
    let server = proxy().fwatchdog().env("fprocess", "/oscar/bin/supervisor").args(["--decode"]).start();
    for (event, body, kind) in [
        (event(&encode("picture"), "image/png", true), "picture", "image/png"),
        (event("{\"a\": 1}", "application/json", false), "{\"a\": 1}", "application/json"),
    ] {
        let seen = seen(server.post(&event).media("application/json").send());
        assert_eq!((&seen["body"], field(&seen, "content-type")), (&body.into(), vec![kind.to_owned()]));
        assert_eq!(field(&seen, "content-length"), [body.len().to_string()]);
    }
    let object = json!({"eventSource": "minio:s3", "eventTime": "2026-11-20T14:49:56.867Z",
        "s3": {"bucket": {"name": "in"}, "object": {"key": "a.png"}}});
    let stored = json!({"EventName": "s3:ObjectCreated:Put", "Key": "in/a.png", "Records": [object]}).to_string();
    server.post(&stored).media("application/json").send().expect(500);

    // A function that fetches its input is sent the event, since it gets no file.
    let dir = tempfile::tempdir().expect("tempdir");
    let config = dir.path().join("function_config.yaml");
    fs::write(&config, "file_stage_in: true\n").expect("written");
    let server = proxy().fwatchdog().env("fprocess", "/oscar/bin/supervisor").args(["--decode"]);
    let server = server.env("BANDOG_CONFIG", &config).start();
    for (body, wanted) in [(&stored, &*stored), (&event("x", "text/plain", false), "")] {
        let seen = seen(server.post(body).media("application/json").send());
        assert_eq!((&seen["body"], field(&seen, "content-length")), (&wanted.into(), vec![wanted.len().to_string()]));
    }

    // Under bandog's own name a body is only a body.
    let server = proxy().args(["--decode"]).start();
    let event = event("x", "text/plain", false);
    assert_eq!(seen(server.post(&event).media("application/json").send())["body"], event);
}

#[test]
fn encoded_answers_are_base64_and_failures_are_not() {
    let server = proxy().args(["--encode"]).start();
    for length in [0, 1, 2, 3, 4, 100] {
        let bytes = noise(length);
        let target = format!("/bytes?base64={}", encode(&bytes).replace('+', "%2B"));
        let answer = server.get(&target).send().expect(200);
        assert_eq!(decode(&answer.body), bytes);
        if length > 0 {
            assert_eq!(answer.wants("content-type"), "text/plain; charset=utf-8");
            assert_eq!(answer.wants("content-transfer-encoding"), "base64");
            assert_eq!(answer.wants("x-output-kind"), "file");
        }
        assert_eq!(answer.wants("content-length"), answer.body.len().to_string());
    }
    let copied = noise(300_001);
    let answer = server.post(&copied).to("/copy").send().expect(200);
    assert!(decode(&answer.body) == copied, "of unknown length too");
    let failed = server.get("/status?code=418").send().expect(418);
    assert_eq!((failed.text(), failed.header("content-transfer-encoding")), ("short and stout", None));
}

#[test]
fn connections_to_the_function_are_used_again_and_a_stale_one_costs_nobody_an_answer() {
    let server = proxy().start();
    let mut wire = server.connect();
    let mut peers = Vec::new();
    for _ in 0..5 {
        peers.push(server.get("/peer").send_on(&mut wire).expect(200).text().to_owned());
        // As long as the function needs to be done with the connection.
        thread::sleep(Duration::from_millis(20));
    }
    peers.dedup();
    assert_eq!(peers.len(), 1, "one connection: {peers:?}");
    // It hangs up without a word on a connection that it has kept, and on one that is new.
    server.get("/hang-up").send().problem(502);
    server.sign("hung-up");
    assert_eq!(server.get("/peer").send().expect(200).text().len(), peers[0].len());
    // Not to be repeated: it may have had its effect.
    fs::remove_file(server.scratch().join("hung-up")).expect("there");
    server.get("/peer").send().expect(200);
    server.post("x").to("/hang-up").send().problem(502);
    assert_eq!(server.sign("hung-up"), "x", "it was asked once");
}

#[test]
fn without_a_command_requests_go_to_the_url_with_its_path_in_front() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("bound");
    let url = format!("http://{}/base/", listener.local_addr().expect("an address"));
    let server = Builder::new().args(["--mode", "http", "--upstream", &url]).start();
    let function = thread::spawn(move || {
        loop {
            let (mut stream, _) = listener.accept().expect("a connection");
            stream.set_read_timeout(Some(PATIENCE)).expect("settable");
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
                head.push(byte[0]);
            }
            // A look whether it listens comes without a request.
            if !head.is_empty() {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").expect("taken");
                return String::from_utf8(head).expect("text");
            }
        }
    });
    assert_eq!(server.get("/a?b").send().expect(200).text(), "ok");
    let head = function.join().expect("a request");
    assert!(head.starts_with("GET /base/a?b HTTP/1.1\r\n"), "{head}");
    // Its listener is gone.
    let problem = server.get("/").send().problem(502);
    assert_eq!(problem["type"], "urn:bandog:error:upstream-failed");
    assert_eq!(server.living(), [0; 0]);
}

#[test]
fn a_length_beside_chunks_is_not_the_answers() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("bound");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let server = Builder::new().args(["--mode", "http", "--upstream", &url]).start();
    let function = thread::spawn(move || {
        loop {
            let (mut stream, _) = listener.accept().expect("a connection");
            stream.set_read_timeout(Some(PATIENCE)).expect("settable");
            // A look whether it listens comes without a request.
            if stream.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {
                let head = b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\nTransfer-Encoding: chunked\r\n\r\n";
                stream.write_all(&[&head[..], b"2\r\nok\r\n0\r\n\r\n"].concat()).expect("taken");
                return;
            }
        }
    });
    assert_eq!(server.get("/").send().expect(200).text(), "ok");
    function.join().expect("a request");
}

/// Whether a server listens there.
pub(super) fn listens(port: &str) -> bool {
    TcpStream::connect(("127.0.0.1", port.parse().expect("a port"))).is_ok()
}

/// The process ids of all that were started.
pub(super) fn starts(server: &Server) -> Vec<i32> {
    server.sign("starts").lines().map(|line| line.parse().expect("a process id")).collect()
}

pub(super) fn kill(pid: i32) {
    crate::harness::signal(pid.try_into().expect("a process id"), Signal::KILL);
}

#[test]
fn the_label_of_a_coding_goes_with_the_bytes_that_it_is_about() {
    let zipped: [u8; 4] = [0x1f, 0x8b, 8, 0];
    let server = proxy().args(["--encode"]).start();
    let base64 = encode(zipped).replace('+', "%2B").replace('=', "%3D");
    let answer = server.get(&format!("/bytes?base64={base64}&coding=gzip")).send().expect(200);
    assert_eq!(answer.header("content-encoding"), None);
    assert_eq!(answer.wants("x-output-encoding"), "gzip");
    assert_eq!(decode(&answer.body), zipped);
    let plain = proxy().start();
    let answer = plain.get(&format!("/bytes?base64={base64}&coding=gzip")).send().expect(200);
    assert_eq!((answer.wants("content-encoding"), answer.header("x-output-encoding")), ("gzip", None));
    assert_eq!(answer.body, zipped);
}

#[test]
fn the_host_of_the_target_is_the_one_that_the_function_is_told() {
    let server = proxy().start();
    let mut wire = server.connect();
    wire.write(b"GET http://a.example:81/x?y HTTP/1.1\r\nHost: b.example\r\n\r\n");
    let seen = seen(wire.answer());
    assert_eq!(seen["target"], "/x?y");
    for name in ["host", "x-forwarded-host"] {
        assert_eq!(field(&seen, name), ["a.example:81"], "{name}");
    }
}

#[test]
fn requests_are_passed_on_without_a_workspace_unless_bodies_are_decoded() {
    let function = proxy().start();
    let url = format!("http://{}", function.address);
    let flags = ["--mode", "http", "--upstream", &url, "--workspace", "/proc/nothing-can-be-made-here"];
    let server = Builder::new().without_workspace().args(flags).start();
    assert_eq!(seen(server.post("x").to("/echo").send())["body"], "x");
    let refused = crate::harness::bandog(["check", "--decode"]).args(flags).run().expect(78);
    assert!(refused.text().contains("--workspace"), "{refused}");
}
