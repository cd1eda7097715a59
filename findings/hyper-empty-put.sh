#!/bin/bash
# hyper's client announces no length of a PUT or POST whose body is empty, and some servers refuse such a request.
#
# Packages:  hyper 1.12.0 with http-body-util 0.1.5, hyper-util 0.1.21 and tokio 1.54.1; beside it ureq 3.5.1
# Behaviour: a PUT with `Full::new(Bytes::new())`, whose size hint is exactly 0, has neither Content-Length nor
#            Transfer-Encoding; with one byte it has Content-Length: 1. rclone 1.75.2 (`serve s3`) answers it with 411.
# Guess:     RFC 9110 §8.6: "a user agent normally sends Content-Length in a POST request even when the value is 0", and hyper
#            sends it for every other exact size hint.
# bandog:    crates/storage/src/http/client.rs sets Content-Length on each PUT and POST: an output may be empty.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cargo init --quiet --name seen --vcs none "$work/seen"
cat >>"$work/seen/Cargo.toml" <<'END'
bytes = "=1.12.1"
http-body-util = "=0.1.5"
hyper = { version = "=1.12.0", features = ["client", "http1"] }
hyper-util = { version = "=0.1.21", features = ["tokio"] }
tokio = { version = "=1.54.1", features = ["net", "rt"] }
ureq = { version = "=3.5.1", default-features = false }
END
cat >"$work/seen/src/main.rs" <<'END'
use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener},
    thread,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, client::conn::http1};
use hyper_util::rt::TokioIo;

/// Prints the fields of the heads that say where a body ends.
fn serve(listener: TcpListener) {
    for stream in listener.incoming() {
        let mut stream = BufReader::new(stream.unwrap());
        let mut told = Vec::new();
        for line in stream.by_ref_lines() {
            let line = line.to_ascii_lowercase();
            if line.starts_with("content-length") || line.starts_with("transfer-encoding") {
                told.push(line);
            }
        }
        println!("  {told:?}");
        stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
    }
}

trait Lines {
    fn by_ref_lines(&mut self) -> Vec<String>;
}

impl<R: BufRead> Lines for R {
    fn by_ref_lines(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            self.read_line(&mut line).unwrap();
            if line.trim().is_empty() {
                return lines;
            }
            lines.push(line.trim().to_owned());
        }
    }
}

async fn send(address: SocketAddr, method: &str, body: &'static [u8]) {
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::builder().method(method).uri("/").header("host", "x");
    let sent = sender.send_request(request.body(Full::new(Bytes::from_static(body))).unwrap()).await;
    assert_eq!(sent.unwrap().status(), 200);
}

fn main() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(|| serve(listener));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    for method in ["PUT", "POST"] {
        for body in [&b""[..], b"x"] {
            println!("hyper {method} of {} bytes", body.len());
            runtime.block_on(send(address, method, body));
        }
    }
    println!("ureq PUT of 0 bytes");
    ureq::put(format!("http://{address}/")).send(&b""[..]).unwrap();
}
END
cargo run --quiet --manifest-path "$work/seen/Cargo.toml" --target-dir "$work/target" >"$work/output"

diff -u - "$work/output" <<'END' || { echo "hyper-empty-put: changed" >&2; exit 1; }
hyper PUT of 0 bytes
  []
hyper PUT of 1 bytes
  ["content-length: 1"]
hyper POST of 0 bytes
  []
hyper POST of 1 bytes
  ["content-length: 1"]
ureq PUT of 0 bytes
  ["content-length: 0"]
END
echo "hyper-empty-put: as described"
