//! Connections to the function that it closes as it likes.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use super::proxy;
use crate::harness::{PATIENCE, eventually, server::Builder};

/// Reads one request with a body of one byte; false at the end of the connection.
fn read_request(stream: &mut TcpStream) -> bool {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        if !stream.read(&mut byte).is_ok_and(|count| count == 1) {
            return false;
        }
        head.push(byte[0]);
    }
    let has_body = !head.starts_with(b"GET");
    !has_body || stream.read(&mut byte).is_ok_and(|count| count == 1)
}

/// A server that promises to keep each connection, and closes it a moment after its first response: at once, or after up
/// to two milliseconds. Ends with the test.
fn fickle() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("bound");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let Ok(mut stream) = stream else { return };
            thread::spawn(move || {
                stream.set_read_timeout(Some(PATIENCE)).expect("settable");
                stream.set_nodelay(true).expect("settable");
                if read_request(&mut stream) {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone");
                    thread::sleep(Duration::from_micros(u64::try_from(number % 5).unwrap_or(0) * 500));
                }
            });
        }
    });
    address
}

#[test]
fn a_connection_that_is_just_being_closed_costs_no_request_that_may_not_be_repeated() {
    let url = format!("http://{}", fickle());
    let server = Builder::new().quiet().args(["--mode", "http", "--upstream", &url]).start();
    let mut wire = server.connect();
    for number in 0..1000 {
        // Between them requests whose connections are kept.
        if number % 3 == 0 {
            server.get("/").send_on(&mut wire).expect(200);
        }
        let answer = server.request("POST", "/").body("x").send_on(&mut wire);
        assert_eq!((answer.status, answer.text()), (200, "done"), "request {number}");
    }
}

/// Idle connections of `GET` are used again as before; a request that may not be repeated says that it wants none.
#[test]
fn a_request_that_may_not_be_repeated_asks_for_its_connection_to_be_closed() {
    let server = super::proxy().quiet().start();
    for (method, wanted) in [("POST", vec!["close"]), ("PATCH", vec!["close"]), ("PUT", vec![]), ("GET", vec![])] {
        let seen = super::seen(server.request(method, "/").body("x").send());
        assert_eq!(super::field(&seen, "connection"), wanted, "{method}");
    }
}

#[test]
fn a_kept_connection_is_closed_in_time_though_no_other_request_comes() {
    let server = proxy().quiet().start();
    let descriptors = || fs::read_dir(format!("/proc/{}/fd", server.pid())).expect("it runs").count();
    eventually("the function", || (server.get("/_/ready").send().status == 200).then_some(()));
    // By then it is started, and the connection that found it ready is closed.
    thread::sleep(Duration::from_secs(3));
    let before = descriptors();
    for _ in 0..2 {
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| server.get("/").send().expect(200));
            }
        });
        eventually(&format!("{before} descriptors: {server}"), || (descriptors() <= before).then_some(()));
    }
}
