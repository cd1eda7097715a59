//! WebSocket (RFC 6455): a connection that has changed over is passed through in both directions.

use std::time::Duration;

use rustix::process::Signal;

use super::proxy;
use crate::harness::{Server, Wire, eventually};

/// An open WebSocket.
fn open(server: &Server) -> Wire {
    let mut wire = server.connect();
    let request = server
        .get("/socket")
        .header("Connection", "keep-alive, Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", 13)
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    wire.write(&request.head());
    assert_eq!(wire.line().as_deref(), Some("HTTP/1.1 101 Switching Protocols"));
    let fields: Vec<String> = std::iter::from_fn(|| wire.line().filter(|line| !line.is_empty())).collect();
    let has = |wanted: &str| fields.iter().any(|field| field.eq_ignore_ascii_case(wanted));
    assert!(has("upgrade: websocket") && has("connection: upgrade"), "{fields:?}");
    // The value that the RFC computes for this key.
    assert!(fields.iter().any(|field| field.ends_with(": s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")), "{fields:?}");
    wire
}

/// A frame as a client sends it.
fn frame(opcode: u8, data: &[u8]) -> Vec<u8> {
    let mask = [7, 11, 13, 17];
    let mut frame = vec![0x80 | opcode];
    match u16::try_from(data.len()).expect("a small frame") {
        short @ 0..126 => frame.push(0x80 | u8::try_from(short).expect("short")),
        long => {
            frame.push(0x80 | 0x7E);
            frame.extend(long.to_be_bytes());
        }
    }
    frame.extend(mask);
    frame.extend(data.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// The next frame of the function's: its opcode and what is in it.
fn next(wire: &mut Wire) -> (u8, Vec<u8>) {
    let head = wire.bytes(2);
    let length = match head[1] {
        126 => usize::from(u16::from_be_bytes(wire.bytes(2).try_into().expect("two bytes"))),
        short => usize::from(short),
    };
    (head[0] & 0x0F, wire.bytes(length))
}

#[test]
fn frames_go_both_ways_until_one_side_closes() {
    let server = proxy().args(["--exec-timeout", "500ms"]).start();
    let mut wire = open(&server);
    for round in 0..20 {
        let data = vec![b'a' + round; 1 << round.min(14)];
        wire.write(&frame(1, &data));
        assert_eq!(next(&mut wire), (1, data));
    }
    // Bytes that look like a request, or like none, are neither here; and the time limit does not count.
    std::thread::sleep(Duration::from_secs(1));
    wire.write(&frame(1, b"GET / HTTP/1.0\n\n\r\n\r\n"));
    assert_eq!(next(&mut wire), (1, b"GET / HTTP/1.0\n\n\r\n\r\n".to_vec()));
    wire.write(&frame(8, b"\x03\xe8"));
    assert_eq!(next(&mut wire), (8, b"\x03\xe8".to_vec()));
    assert_eq!(wire.line(), None, "the connection ends");
    server.sign("closed");
    drop(wire);
    eventually("it is counted", || {
        (server.get("/_/status").send().expect(200).json()["totals"]["done"] == 1).then_some(())
    });
}

#[test]
fn a_client_that_vanishes_frees_its_place() {
    let server = proxy().args(["--max-inflight", "1"]).start();
    let wire = open(&server);
    server.sign("opened");
    server.get("/").send().problem(429);
    wire.leave();
    eventually("a free place", || (server.get("/").send().status == 200).then_some(()));
    server.sign("closed");
}

#[test]
fn a_function_that_dies_ends_the_connection() {
    let server = proxy().start();
    let mut wire = open(&server);
    wire.write(&frame(1, b"x"));
    assert_eq!(next(&mut wire), (1, b"x".to_vec()));
    super::kill(super::starts(&server)[0]);
    assert_eq!(wire.line(), None);
}

#[test]
fn the_drain_waits_for_an_open_socket_and_no_longer_than_it_may() {
    let mut server = proxy().args(["--drain-timeout", "1s"]).start();
    let mut wire = open(&server);
    server.signal(Signal::TERM);
    server.log_line("the drain", |line| line.contains("draining"));
    wire.write(&frame(1, b"still there"));
    assert_eq!(next(&mut wire), (1, b"still there".to_vec()));
    assert_eq!(wire.line(), None, "until it is over");
    let (status, took) = server.end();
    assert_eq!(status.code(), Some(0), "{server}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    server.check_nothing_is_left();
}
