//! Paths whose traffic goes straight through to the service's process.

use super::service;
use crate::harness::{Server, noise};

fn server(flags: &[&str]) -> Server {
    let file = "oms: 1\nlifecycle: {startup: {command: [python3, SERVER]}}\n\
        actions:\n  port: {http: {port: PORT1, method: get, path: /port}, output: {type: object}}\n\
        forwards:\n  all: {http: {path: /echo, port: PORT1}}\n  measure: {http: {path: /measure, port: PORT1}}\n  \
        large: {http: {path: /large, port: PORT1}}\n  \
        socket: {http: {path: /socket, port: PORT1}}\n";
    service(file).args(flags).start()
}

#[test]
fn every_method_goes_through_with_its_path_as_it_is() {
    // Neither is for them.
    let server = server(&["--mode", "http", "--encode", "--decode"]);
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"] {
        for target in ["/echo", "/echo?x=1&y=%20", "/echo/a//b%2Fc"] {
            let request = server.request(method, target).header("Cookie", "a=b").media("text/plain").body("aGVsbG8=");
            let seen = request.send().expect(200).json();
            assert_eq!((&seen["method"], &seen["target"]), (&method.into(), &target.into()));
            assert_eq!(seen["body"], "aGVsbG8=");
            let headers = seen["headers"].as_array().expect("fields");
            assert!(headers.iter().any(|field| field[0] == "cookie" && field[1] == "a=b"), "{seen}");
        }
    }
    let problem = server.get("/echoes").send().problem(404);
    assert_eq!(problem["type"], "urn:bandog:error:not-found");
}

#[test]
fn what_is_large_streams_through() {
    let server = server(&[]);
    let content = noise(20 * 1024 * 1024);
    let measured = server.request("POST", "/measure").body(&content).send().expect(200);
    assert!(measured.text().starts_with(&format!("{} ", content.len())), "{measured}");
    let target = format!("/large?bytes={}", content.len());
    assert_eq!(server.get(&target).send().expect(200).body.len(), content.len());
}

#[test]
fn a_websocket_goes_through() {
    let server = server(&[]);
    let mut wire = server.connect();
    let request = server.get("/socket").header("Connection", "Upgrade").header("Upgrade", "websocket");
    let request = request.header("Sec-WebSocket-Version", 13);
    wire.write(&request.header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==").head());
    assert_eq!(wire.line().as_deref(), Some("HTTP/1.1 101 Switching Protocols"));
    while wire.line().is_some_and(|line| !line.is_empty()) {}
    // A frame of one byte, masked with zeros, and what comes back of it.
    wire.write(&[0x81, 0x81, 0, 0, 0, 0, b'x']);
    assert_eq!(wire.bytes(3), [0x81, 1, b'x']);
    wire.write(&[0x88, 0x80, 0, 0, 0, 0]);
    server.sign("closed");
}

#[test]
fn a_token_guards_them_too() {
    let server = server(&["--token", "s3cr3t"]);
    server.get("/echo").send().problem(401);
    let seen = server.get("/echo").header("Authorization", "Bearer s3cr3t").send().expect(200);
    assert!(!seen.text().contains("s3cr3t"), "{seen}");
}

#[test]
fn no_path_leads_out_of_them() {
    let server = server(&[]);
    for target in ["/echo/../port", "/echo/%2e%2E/port", "/echo/x%2F..%2F../port", "/echo/..\\port"] {
        let mut wire = server.connect();
        wire.write(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
        assert_eq!(wire.answer().problem(404)["type"], "urn:bandog:error:not-found", "{target}");
    }
    let whole = "oms: 1\nlifecycle: {startup: {command: [python3, SERVER]}}\n\
        actions:\n  port: {http: {port: PORT1, method: get, path: /port}, output: {type: object}}\n\
        forwards:\n  all: {http: {path: /, port: PORT1}}\n";
    let server = service(whole).start();
    server.get("/echo").send().expect(200);
    for target in ["x:80", "/echo"] {
        let mut wire = server.connect();
        wire.write(format!("CONNECT {target} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
        wire.answer().problem(404);
    }
}
