//! Requests that no proper client would send: every shape has one outcome, nothing behind a refused request is ever
//! run, and bandog goes on.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpStream},
};

use crate::harness::{Answer, PATIENCE, Server, encode, eventually, function, serve, serve_command};

/// A request that must never be run: it stands behind one that is refused.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";

/// A listener whose function notes the path of each call, and answers with its input.
fn noting() -> Server {
    serve_command("echo \"$Http_Path\" >>\"$SCRATCH/ran\"; cat \"$INPUT_FILE_PATH\"").quiet().start()
}

/// The targets of the requests that have run so far.
fn ran(server: &Server) -> Vec<String> {
    let ran = std::fs::read_to_string(server.scratch().join("ran")).unwrap_or_default();
    ran.lines().map(str::to_owned).collect()
}

/// Fails unless `bytes` are refused with this status and word, the connection is closed, and what stands behind them
/// is not run.
#[track_caller]
fn is_refused(server: &Server, bytes: impl AsRef<[u8]>, status: u16, slug: &str) -> Answer {
    let mut wire = server.connect();
    wire.write(bytes.as_ref());
    wire.write(SMUGGLED.as_bytes());
    let shown = String::from_utf8_lossy(&bytes.as_ref()[..bytes.as_ref().len().min(200)]).into_owned();
    let answer = wire.answer();
    assert_eq!((answer.status, answer.wants("x-bandog-error")), (status, slug), "{shown:?}: {answer}");
    answer.problem(status);
    assert_eq!(answer.wants("connection"), "close", "{shown:?}: {answer}");
    assert_eq!(wire.line(), None, "{shown:?}: the connection is closed");
    assert!(!ran(server).contains(&"/smuggled".to_owned()), "{shown:?}");
    answer
}

/// Fails unless the server still does its work, and has done nothing but that.
#[track_caller]
fn goes_on(server: &Server) {
    assert_eq!(server.post(encode("on")).send().expect(200).text(), "on");
    assert_eq!(ran(server), ["/"]);
    server.is_clean();
}

#[test]
fn a_length_that_could_be_read_in_two_ways_is_refused() {
    let server = noting();
    let post = |fields: &str| format!("POST / HTTP/1.1\r\nHost: x\r\n{fields}\r\n\r\n0\r\n\r\n");
    for fields in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5, 5",
        "Content-Length: +5",
        "Content-Length: -1",
        "Content-Length: 0x5",
        "Content-Length: 5 5",
        "Content-Length:",
        "Content-Length: 18446744073709551616",
        "Content-Length: 18446744073709551615",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding:",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    ] {
        is_refused(&server, post(fields), 400, "bad-request");
    }
    for fields in ["Transfer-Encoding: gzip, chunked", "Transfer-Encoding: chunked, chunked"] {
        is_refused(&server, post(fields), 415, "unsupported-encoding");
    }
    is_refused(&server, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "bad-request");
    goes_on(&server);
}

#[test]
fn a_head_that_could_be_read_in_two_ways_is_refused() {
    let server = noting();
    for head in [
        "GET / HTTP/1.1\nHost: x\n\n",
        "GET / HTTP/1.1\r\nHost: x\nX: y\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nX: y\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nX : a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n X: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nX\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /\r\nHost: x\r\n\r\n",
        "G(T / HTTP/1.1\r\nHost: x\r\n\r\n",
        "hello\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\u{fc}\x03\x03",
    ] {
        is_refused(&server, head, 400, "bad-request");
    }
    for version in ["HTTP/2.0", "HTTP/1.2", "HTTP/0.9", "HTTP/3", "b HTTP/1.1"] {
        is_refused(&server, format!("GET / {version}\r\nHost: x\r\n\r\n"), 505, "version-not-supported");
    }
    goes_on(&server);
}

#[test]
fn who_speaks_tls_to_the_plain_port_is_told_so() {
    let server = noting();
    let answer = is_refused(&server, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "bad-request");
    assert!(answer.json()["detail"].as_str().is_some_and(|detail| detail.contains("TLS")), "{answer}");
    goes_on(&server);
}

#[test]
fn giant_heads_are_refused_with_a_problem_whatever_their_size() {
    let server = noting();
    let with = |fields: &str| format!("POST / HTTP/1.1\r\nHost: x\r\n{fields}Content-Length: 0\r\n\r\n");
    let one = |bytes: usize| format!("X-Large: {}\r\n", "x".repeat(bytes));
    // In no doubt, and so no reason to end the connection.
    let mut wire = server.connect();
    for _ in 0..2 {
        wire.write(with(&one(70_000)).as_bytes());
        wire.answer().problem(431);
    }
    is_refused(&server, with(&one(200_000)), 431, "headers-too-large");
    is_refused(&server, with(&one(3_000_000)), 431, "headers-too-large");
    is_refused(&server, with(&"X: y\r\n".repeat(300)), 431, "headers-too-large");
    is_refused(&server, format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(66_000)), 414, "target-too-long");
    goes_on(&server);
}

#[test]
fn a_refused_head_is_in_the_log_and_in_the_metrics() {
    let server = serve_command("echo never").start();
    is_refused(&server, "GET / HTTP/1.1\r\n\r\n", 400, "bad-request");
    server.log_line("the refusal", |line| line.contains("status=400") && line.contains("request"));
    let metrics = server.get("/_/metrics").send().expect(200);
    assert!(metrics.text().contains("http_requests_total{code=\"400\",method=\"other\"} 1"), "{metrics}");
}

#[test]
fn chunks_are_taken_with_extensions_and_trailers_and_only_if_they_are_whole() {
    let server = noting();
    let head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut wire = server.connect();
    for chunks in [
        "4;name=value;other=\"quoted\"\r\nbody\r\n0\r\n\r\n",
        "0004\r\nbody\r\n000\r\nX-Trailer: 1\r\nContent-Length: 9\r\n\r\n",
        "2\r\nbo\r\n1\r\nd\r\n1\r\ny\r\n0\r\n\r\n",
        "4 \r\nbody\r\n0\r\n\r\n",
    ] {
        wire.write(format!("{head}{chunks}").as_bytes());
        assert_eq!(wire.answer().expect(200).text(), "body", "{chunks:?}");
    }
    let long = format!("4;{}\r\nbody\r\n0\r\n\r\n", "x".repeat(20_000));
    let many = format!("4\r\nbody\r\n0\r\n{}\r\n", "X: y\r\n".repeat(5000));
    for chunks in [
        "g\r\nbody\r\n0\r\n\r\n",
        "-4\r\nbody\r\n0\r\n\r\n",
        "\r\n",
        "4\nbody\r\n0\r\n\r\n",
        "4\r\nbodyX\r\n0\r\n\r\n",
        "3\r\nbody\r\n0\r\n\r\n",
        "11111111111111111\r\nbody",
        "4;a\nb\r\nbody\r\n0\r\n\r\n",
        "4\r\nbody\r\n0\r\n\n",
        long.as_str(),
        many.as_str(),
    ] {
        is_refused(&server, format!("{head}{chunks}"), 400, "body-incomplete");
    }
    assert_eq!(ran(&server), ["/"; 4]);
    server.is_clean();
}

#[test]
fn a_body_without_its_last_chunk_never_starts_the_function() {
    let server = noting();
    let mut socket = TcpStream::connect(server.address).expect("it listens");
    let head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nQUJD\r\n";
    socket.write_all(head.as_bytes()).expect("sent");
    socket.shutdown(Shutdown::Write).expect("half-closed");
    socket.set_read_timeout(Some(PATIENCE)).expect("set");
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    goes_on(&server);
}

#[test]
fn pipelined_requests_are_answered_whole_and_in_order() {
    let server = noting();
    let mut wire = server.connect();
    let body = |number: usize| encode(format!("answer {number} ").repeat(number * 100));
    let mut requests = Vec::new();
    for number in 0..20 {
        let request = server.post(body(number));
        requests.extend(request.head());
        requests.extend(body(number).into_bytes());
    }
    requests.extend(b"BAD\r\n\r\n");
    requests.extend(SMUGGLED.as_bytes());
    wire.write(&requests);
    for number in 0..20 {
        assert_eq!(wire.answer().expect(200).text(), format!("answer {number} ").repeat(number * 100));
    }
    // Bytes that are no request get their answer in turn, too.
    wire.answer().problem(400);
    assert_eq!(wire.line(), None);
    assert_eq!(ran(&server).len(), 20);
}

#[test]
fn who_waits_to_be_asked_for_the_body_is_asked_once_or_refused() {
    let server = noting();
    let head = |fields: &str| format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n{fields}\r\n");
    let mut wire = server.connect();
    wire.write(head("Expect: 100-Continue\r\n").as_bytes());
    assert_eq!(wire.line().as_deref(), Some("HTTP/1.1 100 Continue"));
    assert_eq!(wire.line().as_deref(), Some(""));
    wire.write(b"b24=");
    assert_eq!(wire.answer().expect(200).text(), "on");
    // Refused for the head: the first line is the answer, and there is no other.
    for (fields, status) in
        [("Expect: 100-continue\r\nContent-Encoding: br\r\n", "415"), ("Expect: a-miracle\r\n", "417")]
    {
        let mut wire = server.connect();
        wire.write(head(fields).as_bytes());
        let line = wire.line().expect("an answer");
        assert!(line.contains(&format!(" {status} ")), "{line}");
        while wire.line().is_some_and(|line| !line.is_empty()) {}
    }
    assert_eq!(ran(&server), ["/"]);
}

#[test]
fn old_and_odd_requests_that_are_in_no_doubt_are_served() {
    let server = noting();
    let mut wire = server.connect();
    wire.write(b"POST /old HTTP/1.0\r\nContent-Length: 4\r\n\r\nb24=");
    assert_eq!(wire.answer().expect(200).text(), "on");
    assert_eq!(wire.line(), None, "HTTP/1.0 ends the connection");
    let mut wire = server.connect();
    for _ in 0..2 {
        wire.write(b"POST /kept HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\nb24=");
        assert_eq!(wire.answer().expect(200).text(), "on");
    }
    let mut wire = server.connect();
    // Empty lines between requests, a target with its authority, another case.
    wire.write(b"\r\n\r\nPOST http://elsewhere:81/absolute?q HTTP/1.1\r\nhOST: x\r\ncontent-LENGTH:4\r\n\r\nb24=");
    assert_eq!(wire.answer().expect(200).text(), "on");
    wire.write(b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n");
    wire.answer().problem(405);
    wire.write(b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n");
    wire.answer().problem(405);
    assert_eq!(ran(&server), ["/old", "/kept", "/kept", "/absolute"]);
}

#[test]
fn an_early_answer_reaches_a_client_that_is_still_sending() {
    let server = serve_command("cat").quiet().args(["--max-body", "1MiB"]).start();
    let body = vec![b'!'; 6_000_000];
    for (head, status) in [
        // Refused for the head, and for the first byte of the body.
        ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6000000\r\n\r\n", 413),
        ("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5b8d80\r\n", 400),
    ] {
        let mut wire = server.connect();
        wire.write(head.as_bytes());
        for piece in body.chunks(100_000) {
            wire.write(piece);
        }
        let answer = wire.answer();
        answer.problem(status);
        assert_eq!(answer.wants("connection"), "close", "{answer}");
        // Bytes sent after the answer are still read for a while: a reset could overtake the answer.
        let mut wire = server.connect();
        wire.write(head.as_bytes());
        wire.write(&body[..10_000]);
        wire.answer().problem(status);
        for piece in body[..100_000].chunks(5000) {
            wire.write(piece);
        }
        assert!(!wire.is_refused(), "the connection was reset");
    }
    server.is_clean();
}

#[test]
fn the_token_is_checked_before_a_byte_of_the_body_is_asked_for() {
    let server = serve_command("cat").quiet().args(["--token", "s3cret"]).start();
    for expect in ["", "Expect: 100-continue\r\n"] {
        let mut wire = server.connect();
        wire.write(format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n{expect}\r\n").as_bytes());
        // The body never comes.
        let line = wire.line().expect("an answer");
        assert!(line.contains(" 401 "), "{line}");
    }
    for (name, value) in [("Authorization", "Bearer s3cret"), ("X-Bandog-Token", "s3cret")] {
        server.post(encode("x")).header(name, value).send().expect(200);
        server.post(encode("x")).header(name, format!("{value}x")).send().problem(401);
    }
}

/// Everything up to the end of the connection, and how it ended.
fn drained(socket: &mut TcpStream) -> (Result<usize, std::io::ErrorKind>, Vec<u8>) {
    let mut answer = Vec::new();
    socket.set_read_timeout(Some(PATIENCE)).expect("set");
    (socket.read_to_end(&mut answer).map_err(|error| error.kind()), answer)
}

#[test]
fn an_answer_without_a_length_to_an_old_client_ends_with_a_reset_if_it_is_cut() {
    // Its end is the end of the connection: only a reset tells a part from the whole.
    let server = serve(function("sparse.sh")).quiet().args(["--send-timeout", "1s"]).start();
    let ask = |bytes: &str| {
        let mut socket = TcpStream::connect(server.address).expect("it listens");
        let body = encode(bytes);
        let length = body.len();
        let head = format!("POST / HTTP/1.0\r\nAccept: text/event-stream\r\nContent-Length: {length}\r\n\r\n");
        socket.write_all(format!("{head}{body}").as_bytes()).expect("sent");
        socket
    };
    let (end, answer) = drained(&mut ask("1000"));
    assert!(end.is_ok() && answer.ends_with(b"\n\n"), "a whole one ends in order: {end:?}");
    assert!(!answer.windows(16).any(|part| part.eq_ignore_ascii_case(b"\r\ncontent-length")), "it has no length");
    // More than the buffers on the way hold, to a client that does not read.
    let mut socket = ask("100000000");
    eventually("the work is done", || (server.get("/_/status").send().json()["totals"]["done"] == 2).then_some(()));
    server.is_clean();
    let (end, answer) = drained(&mut socket);
    assert_eq!(end, Err(std::io::ErrorKind::ConnectionReset), "after {} bytes", answer.len());
}
