//! Clients that take nothing of a response and keep its connection in good health: each response ends in time, and gives
//! back all that it holds, whichever mode made it.
//!
//! Over HTTP/2 the window of a stream does it (RFC 9113 §5.2): the connection still answers every PING.

use std::{
    ffi::OsStr,
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use h2::RecvStream;
use rustix::process::Signal;
use tokio::{runtime::Runtime, time::timeout};

use crate::{
    harness::{PATIENCE, Server, eventually, proc_status, serve_command, server::Builder},
    upstream::proxy,
};

/// Far longer than any test.
const NEVER: &str = "10m";

/// The memory that bandog may hold for one connection, beyond its memory without any.
const CONNECTION_KIB: u64 = 24 * 1024;

/// Streams on one connection, each of which lets one byte through; their heads have arrived.
struct Stalled {
    runtime: Runtime,
    streams: Vec<RecvStream>,
}

impl Stalled {
    fn ask(address: SocketAddr, target: &str, count: usize) -> Self {
        Self::with_window(address, target, count, 1)
    }

    /// The same, whose streams let so many bytes through before the client says more.
    fn with_window(address: SocketAddr, target: &str, count: usize, window: u32) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let streams = runtime.block_on(async {
            let socket = tokio::net::TcpStream::connect(address).await.expect("it listens");
            let (mut client, connection) = h2::client::Builder::new()
                .initial_window_size(window)
                .handshake::<_, &[u8]>(socket)
                .await
                .expect("HTTP/2");
            tokio::spawn(connection);
            let mut streams = Vec::new();
            for _ in 0..count {
                client = client.ready().await.expect("ready");
                let request = http::Request::get(format!("http://stalled{target}")).body(()).expect("a request");
                let (response, _) = client.send_request(request, true).expect("sent");
                let response = timeout(PATIENCE, response).await.expect("in time").expect("a response");
                assert_eq!(response.status(), 200);
                streams.push(response.into_body());
            }
            streams
        });
        Self { runtime, streams }
    }

    /// Keeps the connection in good health until every stream has been reset.
    fn all_are_reset(&mut self) {
        let streams = &mut self.streams;
        self.runtime.block_on(async {
            for stream in streams {
                let reset = async {
                    while let Some(piece) = stream.data().await {
                        if piece.is_err() {
                            return;
                        }
                    }
                    panic!("a stream ended as if it were whole");
                };
                timeout(PATIENCE, reset).await.expect("reset in time");
            }
        });
    }
}

fn is_free(server: &Server, case: &str) {
    eventually(&format!("{case}: nothing in flight: {server}"), || {
        let status = server.get("/_/status").send().json();
        (status["in_flight"] == 0 && status["queued"] == 0).then_some(())
    });
}

/// A directory with a file that no buffer holds.
fn large() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    fs::File::create(dir.path().join("large")).expect("made").set_len(64 << 20).expect("sparse");
    dir
}

fn files(dir: &std::path::Path) -> Builder {
    Builder::new().args([OsStr::new("--mode"), OsStr::new("static"), dir.as_os_str()])
}

const FOUR: [&str; 2] = ["--max-inflight", "4"];

#[test]
fn a_stream_that_takes_nothing_is_reset_in_each_mode() {
    let dir = large();
    let zeros = "head -c 50000000 /dev/zero";
    for (mode, builder, target) in [
        ("files", serve_command(&format!("{zeros} >\"$TMP_OUTPUT_DIR/large\"")), "/"),
        ("stdio", serve_command(zeros).args(["--mode", "stdio"]), "/"),
        ("streaming", serve_command(zeros).args(["--mode", "streaming"]), "/"),
        ("http", proxy(), "/large?bytes=50000000"),
        ("http, without an end", proxy(), "/trickle"),
        ("static", files(dir.path()), "/large"),
    ] {
        let server = builder.quiet().args(FOUR).args(["--send-timeout", "1s", "--exec-timeout", NEVER]).start();
        Stalled::ask(server.address, target, 4).all_are_reset();
        is_free(&server, mode);
    }
}

/// A response of one frame: hyper hands over all of it at once, with its end.
#[test]
fn a_stream_that_takes_nothing_of_a_short_response_is_reset_too() {
    let flags = ["--send-timeout", "1s"];
    let server = serve_command("echo short").quiet().args(flags).start();
    for target in ["/", "/_/status", "/_/metrics"] {
        Stalled::ask(server.address, target, 4).all_are_reset();
    }
    // Of unknown length, and the end of one that is longer.
    let streaming = serve_command("echo short").args(["--mode", "streaming"]).quiet().args(flags).start();
    Stalled::ask(streaming.address, "/", 4).all_are_reset();
    let server = proxy().quiet().args(flags).start();
    Stalled::with_window(server.address, "/large?bytes=20000", 4, 19_999).all_are_reset();
}

#[test]
fn the_time_limit_of_a_call_holds_though_the_client_takes_nothing() {
    let flags = ["--send-timeout", "0", "--exec-timeout", "1s"];
    let server = proxy().quiet().args(FOUR).args(flags).start();
    Stalled::ask(server.address, "/large?bytes=50000000", 4).all_are_reset();
    // Over HTTP/1 the socket is full.
    let mut socket = TcpStream::connect(server.address).expect("it listens");
    socket.write_all(b"GET /large?bytes=50000000 HTTP/1.1\r\nHost: x\r\n\r\n").expect("sent");
    is_free(&server, "a full socket");
    let timeouts = |line: &str| line.starts_with("bandog_function_outcomes_total{") && line.contains("timeout");
    let metrics = server.get("/_/metrics").send();
    let counted: Vec<&str> = metrics.text().lines().filter(|line| timeouts(line) && line.ends_with(" 5")).collect();
    assert_eq!(counted.len(), 1, "all five are counted as timeouts: {}", metrics.text());
    let mut rest = Vec::new();
    socket.set_read_timeout(Some(PATIENCE)).expect("settable");
    let _ = socket.read_to_end(&mut rest);
    assert!(rest.len() < 50_000_000, "the response is not whole");
}

#[test]
fn the_streams_of_one_connection_hold_little_and_give_it_back() {
    let dir = large();
    let server = files(dir.path()).quiet().args(["--send-timeout", "3s"]).start();
    let threads = || proc_status(server.pid(), "Threads").expect("running");
    let memory = || proc_status(server.pid(), "VmRSS").expect("running");
    // With its threads and buffers as they are after some use.
    server.get("/large").header("Range", "bytes=0-9").send();
    let before = memory();
    let mut client = Stalled::ask(server.address, "/large", 100);
    let held = memory().saturating_sub(before);
    assert!(held < CONNECTION_KIB, "100 streams hold {held} KiB");
    client.all_are_reset();
    is_free(&server, "100 streams");
    // Threads without work are kept for ten seconds.
    eventually("the threads have ended", || (threads() < 20).then_some(()));
}

#[test]
fn a_slow_reader_over_http2_gets_everything() {
    let dir = tempfile::tempdir().expect("a directory");
    let wanted = crate::harness::noise(200_000);
    fs::write(dir.path().join("file"), &wanted).expect("written");
    let server = files(dir.path()).quiet().args(["--send-timeout", "1s"]).start();
    let mut client = Stalled::with_window(server.address, "/file", 1, 20_000);
    let stream = &mut client.streams[0];
    let taken = client.runtime.block_on(async {
        let mut taken = Vec::new();
        // For longer than two send timeouts in all.
        while let Some(piece) = timeout(PATIENCE, stream.data()).await.expect("in time") {
            let piece = piece.expect("not reset");
            taken.extend_from_slice(&piece);
            tokio::time::sleep(Duration::from_millis(100)).await;
            stream.flow_control().release_capacity(piece.len()).expect("room");
        }
        taken
    });
    assert!(taken == wanted, "{} bytes of {}", taken.len(), wanted.len());
}

#[test]
fn the_end_of_the_drain_is_the_end_of_a_stalled_stream() {
    for (mode, builder, target) in [
        ("http", proxy(), "/large?bytes=50000000"),
        ("streaming", serve_command("exec head -c 50000000 /dev/zero").args(["--mode", "streaming"]), "/"),
    ] {
        let flags = ["--drain-timeout", "1s", "--kill-grace", "1s", "--send-timeout", "0", "--exec-timeout", "0"];
        let mut server = builder.args(flags).start();
        let mut client = Stalled::ask(server.address, target, 4);
        server.signal(Signal::TERM);
        client.all_are_reset();
        let (status, _) = server.end();
        assert_eq!(status.code(), Some(0), "{mode}: {server}");
        server.check_nothing_is_left();
    }
}

/// hyper ends an HTTP/2 connection in order only when its PING has been answered.
#[test]
fn a_client_that_answers_no_ping_does_not_hold_up_the_end() {
    let mut server = serve_command("until [ -e \"$SCRATCH/go\" ]; do sleep 0.02; done").start();
    let mut socket = TcpStream::connect(server.address).expect("it listens");
    socket.set_read_timeout(Some(PATIENCE)).expect("settable");
    // The preface, SETTINGS without any, and GET / on stream 1 by the static table of RFC 7541.
    let begin = [
        &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..],
        &[0, 0, 0, 4, 0, 0, 0, 0, 0],
        &[0, 0, 6, 1, 5, 0, 0, 0, 1, 0x82, 0x84, 0x86, 0x41, 1, b'x'],
    ];
    socket.write_all(&begin.concat()).expect("sent");
    eventually("it runs", || (server.get("/_/status").send().json()["in_flight"] == 1).then_some(()));
    server.signal(Signal::TERM);
    server.log_line("the drain", |line| line.contains("draining"));
    server.give("go");
    let (status, took) = server.end();
    assert_eq!(status.code(), Some(0), "{server}");
    assert!(took < Duration::from_secs(4), "it took {took:?}");
}

#[test]
fn an_idle_connection_is_kept_for_the_idle_timeout_and_no_longer() {
    let server = serve_command("true").quiet().args(["--idle-timeout", "1s"]).start();
    let begun = std::time::Instant::now();
    let mut wire = server.connect();
    server.get("/").send_on(&mut wire).expect(200);
    // The end of the connection, and no answer.
    assert_eq!(wire.line(), None);
    assert!(begun.elapsed() > Duration::from_millis(900), "it took {:?}", begun.elapsed());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let socket = tokio::net::TcpStream::connect(server.address).await.expect("it listens");
        let (_client, connection) = h2::client::handshake(socket).await.expect("HTTP/2");
        let ended = timeout(PATIENCE, connection).await.expect("an end in time");
        assert!(ended.is_ok_and(|()| true), "in order");
    });
    let long = serve_command("true").quiet().start();
    let mut wire = long.connect();
    long.get("/").send_on(&mut wire).expect(200);
    assert_eq!(long.get("/_/status").send().json()["limits"]["idle_timeout_seconds"], 75.0);
}

/// The same rule for both versions: no more than 256.
#[test]
fn a_head_of_too_many_fields_is_refused_over_http2_too() {
    let server = serve_command("true").quiet().start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for (count, wanted) in [(256, 200), (257, 431), (300, 431)] {
        let status = runtime.block_on(async {
            let socket = tokio::net::TcpStream::connect(server.address).await.expect("it listens");
            let (client, connection) = h2::client::handshake(socket).await.expect("HTTP/2");
            tokio::spawn(connection);
            let mut request = http::Request::get("http://stalled/");
            // `Host` is one: it comes of :authority.
            for number in 1..count {
                request = request.header(format!("x-{number}"), "1");
            }
            let mut client = client.ready().await.expect("ready");
            let (response, _) = client.send_request(request.body(()).expect("a request"), true).expect("sent");
            timeout(PATIENCE, response).await.expect("in time").expect("a response").status().as_u16()
        });
        assert_eq!(status, wanted, "{count} fields");
    }
}
