//! Load, clients that leave, and clients that are slow: none of them holds what others need.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use crate::harness::{PATIENCE, Request, Server, Wire, encode, eventually, function, serve, serve_command};

/// The promise is a second. A machine that is busy with other tests gets some more; every timeout that could free the
/// place instead is far longer.
const PROMPT: Duration = Duration::from_secs(5);

/// One place, one in the queue, and no timeout that would free them while a test looks.
const ONE: [&str; 6] = ["--max-inflight", "1", "--max-queue", "1", "--queue-timeout", "10m"];

/// How a client goes.
#[derive(Debug, Clone, Copy)]
enum Leave {
    /// In order, as a process that ends (FIN).
    Close,
    /// With a reset, as one that has not read everything (RST).
    Reset,
}

const WAYS: [Leave; 2] = [Leave::Close, Leave::Reset];

fn leave(socket: TcpStream, how: Leave) {
    if matches!(how, Leave::Reset) {
        rustix::net::sockopt::set_socket_linger(&socket, Some(Duration::ZERO)).expect("settable");
    }
    drop(socket);
}

/// A connection on which this has been sent.
#[track_caller]
fn sent(server: &Server, bytes: impl AsRef<[u8]>) -> TcpStream {
    let mut socket = TcpStream::connect(server.address).expect("it listens");
    socket.set_read_timeout(Some(PATIENCE)).expect("settable");
    socket.write_all(bytes.as_ref()).expect("sent");
    socket
}

/// A request whole, as bytes.
fn bytes_of(request: &Request, body: &[u8]) -> Vec<u8> {
    [request.head(), body.to_vec()].concat()
}

fn status(server: &Server) -> serde_json::Value {
    server.get("/_/status").send().json()
}

/// Waits until nothing runs, nothing waits and nothing is left; fails if that takes longer than it may.
#[track_caller]
fn is_free_at_once(server: &Server, what: &str) {
    let begun = Instant::now();
    eventually(&format!("nothing in flight after {what}: {server}"), || {
        let status = status(server);
        (status["in_flight"] == 0 && status["queued"] == 0 && status["workspaces"] == 0).then_some(())
    });
    server.is_clean();
    assert!(begun.elapsed() < PROMPT, "{what}: it took {:?}", begun.elapsed());
}

#[test]
fn a_client_that_leaves_while_its_function_runs_stops_it() {
    let server = serve(function("hold.sh")).quiet().args(ONE).start();
    for how in WAYS {
        for (id, body) in [("none", String::new()), ("small", encode("x")), ("large", encode(vec![0; 300_000]))] {
            let id = format!("{id}-{how:?}");
            let request = server.post(&body).header("X-Call-Id", &id);
            let socket = sent(&server, bytes_of(&request, body.as_bytes()));
            server.sign(&format!("started.{id}"));
            leave(socket, how);
            is_free_at_once(&server, &id);
            server.sign(&format!("term.{id}"));
        }
    }
}

#[test]
fn a_client_that_leaves_is_noticed_behind_a_request_that_it_sent_too_early() {
    let server = serve(function("hold.sh")).quiet().args(ONE).start();
    for how in WAYS {
        let id = format!("{how:?}");
        let first = server.get("/").header("X-Call-Id", &id).head();
        let second = server.get("/").header("X-Call-Id", "never").head();
        let socket = sent(&server, [first, second].concat());
        server.sign(&format!("started.{id}"));
        leave(socket, how);
        is_free_at_once(&server, &id);
    }
    assert!(!server.has_sign("started.never"));
}

#[test]
fn a_client_that_leaves_in_the_body_gives_its_place_back() {
    let server = serve(function("hold.sh")).quiet().args(ONE).start();
    for how in WAYS {
        let request = server.post(vec![b'A'; 1_000_000]);
        let socket = sent(&server, bytes_of(&request, &vec![b'A'; 200_000]));
        eventually("the body is being stored", || (status(&server)["in_flight"] == 1).then_some(()));
        leave(socket, how);
        is_free_at_once(&server, &format!("{how:?}"));
    }
    assert!(!server.has_sign("order"), "nothing was started");
}

#[test]
fn a_client_that_leaves_the_queue_gives_its_turn_back_also_with_a_large_body_unread() {
    let server = serve(function("hold.sh")).quiet().args(ONE).start();
    let held = sent(&server, server.get("/").header("X-Call-Id", "held").head());
    server.sign("started.held");
    for how in WAYS {
        for size in [0, 10, 100_000] {
            let body = vec![b'A'; size];
            let socket = sent(&server, bytes_of(&server.post(&body).header("X-Call-Id", "late"), &body));
            eventually("one in the queue", || (status(&server)["queued"] == 1).then_some(()));
            let begun = Instant::now();
            leave(socket, how);
            eventually("the queue is empty", || (status(&server)["queued"] == 0).then_some(()));
            assert!(begun.elapsed() < PROMPT, "{how:?} with {size} bytes: it took {:?}", begun.elapsed());
        }
    }
    server.give("go");
    let mut answer = String::new();
    (&held).take(12).read_to_string(&mut answer).expect("an answer");
    assert_eq!(answer, "HTTP/1.1 200");
    assert!(!server.has_sign("started.late"));
}

#[test]
fn a_client_that_leaves_in_the_answer_frees_everything() {
    let server = serve(function("sparse.sh")).quiet().args(ONE).args(["--send-timeout", "0"]).start();
    for how in WAYS {
        let body = encode("200000000");
        let mut socket = sent(&server, bytes_of(&server.post(&body), body.as_bytes()));
        let mut piece = [0; 1000];
        socket.read_exact(&mut piece).expect("the beginning of the answer");
        assert!(piece.starts_with(b"HTTP/1.1 200"));
        assert_eq!(status(&server)["in_flight"], 1, "the rest does not fit into any buffer");
        leave(socket, how);
        is_free_at_once(&server, &format!("{how:?}"));
    }
}

#[test]
fn a_client_that_leaves_a_live_answer_stops_the_function() {
    let server = serve(function("hold.sh")).quiet().args(ONE).start();
    for how in WAYS {
        let id = format!("live-{how:?}");
        let request = server.get("/").header("X-Call-Id", &id).accept("text/event-stream");
        let socket = sent(&server, request.head());
        server.sign(&format!("started.{id}"));
        leave(socket, how);
        is_free_at_once(&server, &id);
    }
}

/// HTTP/2 by hand: the preface, settings, and one request without a body (RFC 9113, RFC 7541).
struct Http2(TcpStream);

impl Http2 {
    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
        [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
    }

    /// Asks for `GET /` with these fields on stream 1, with this much room for the answer.
    fn ask(server: &Server, method: u8, fields: &[(&str, &str)], window: u32) -> Self {
        // SETTINGS_INITIAL_WINDOW_SIZE.
        let settings = [&[0, 4][..], &window.to_be_bytes()].concat();
        // From the static table: the method, :path /, :scheme http; :authority and the fields as literals.
        let mut block = vec![method, 0x84, 0x86, 0x41, 1, b'x'];
        for (name, value) in fields {
            block.push(0);
            for text in [name, value] {
                block.push(u8::try_from(text.len()).expect("short"));
                block.extend_from_slice(text.as_bytes());
            }
        }
        let end = if method == GET { END_HEADERS | END_STREAM } else { END_HEADERS };
        let frames = [Self::frame(SETTINGS, 0, 0, &settings), Self::frame(HEADERS, end, 1, &block)].concat();
        Self(sent(server, [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frames].concat()))
    }

    /// Takes back the request.
    fn reset(&mut self) {
        // CANCEL.
        self.0.write_all(&Self::frame(RST_STREAM, 0, 1, &8_u32.to_be_bytes())).expect("sent");
    }

    /// Waits for the head of the answer.
    fn head(&mut self) {
        loop {
            let mut header = [0; 9];
            self.0.read_exact(&mut header).expect("a frame");
            let length = u32::from_be_bytes([0, header[0], header[1], header[2]]);
            let mut payload = vec![0; usize::try_from(length).expect("small")];
            self.0.read_exact(&mut payload).expect("a whole frame");
            if header[3] == HEADERS {
                // :status 200 of the static table.
                assert_eq!(payload.first(), Some(&0x88));
                return;
            }
        }
    }
}

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const GET: u8 = 0x82;
const POST: u8 = 0x83;

#[test]
fn over_http2_a_client_that_leaves_or_takes_its_request_back_stops_the_function() {
    let server = serve(function("hold.sh")).quiet().args(ONE).start();
    for how in WAYS {
        let id = format!("left-{how:?}");
        let client = Http2::ask(&server, GET, &[("x-call-id", &id)], 65_535);
        server.sign(&format!("started.{id}"));
        leave(client.0, how);
        is_free_at_once(&server, &id);
    }
    let mut client = Http2::ask(&server, GET, &[("x-call-id", "reset")], 65_535);
    server.sign("started.reset");
    client.reset();
    is_free_at_once(&server, "a reset");
    // While it waits for a place, with a body that does not come.
    let _held = sent(&server, server.get("/").header("X-Call-Id", "held").head());
    server.sign("started.held");
    let mut client = Http2::ask(&server, GET, &[], 65_535);
    eventually("one in the queue", || (status(&server)["queued"] == 1).then_some(()));
    client.reset();
    eventually("the queue is empty", || (status(&server)["queued"] == 0).then_some(()));
    let client = Http2::ask(&server, POST, &[], 65_535);
    leave(client.0, Leave::Close);
    server.give("go");
}

#[test]
fn a_reader_that_takes_nothing_is_cut_off_over_either_version() {
    let server = serve_command("truncate -s 100000000 \"$TMP_OUTPUT_DIR/large\"")
        .quiet()
        .args(ONE)
        .args(["--send-timeout", "1s"])
        .start();
    let mut http1 = sent(&server, server.get("/").head());
    let mut piece = [0; 12];
    http1.read_exact(&mut piece).expect("the beginning of the answer");
    assert_eq!(&piece, b"HTTP/1.1 200");
    is_free_at_once(&server, "a deaf client of HTTP/1.1");
    let mut http2 = Http2::ask(&server, GET, &[], 0);
    http2.head();
    is_free_at_once(&server, "a deaf client of HTTP/2");
    // A slow one is not deaf: it takes a little in time, and gets everything.
    let mut slow = server.connect();
    slow.write(&server.get("/").head());
    let head = slow.answer_head();
    let mut taken = 0;
    let whole = slow.body_of(&head, |piece| {
        // Megabytes at a time, since the kernel tells the sender of nothing less; for twice as long as a deaf one has.
        let before = taken / 4_000_000;
        taken += piece.len();
        if taken / 4_000_000 > before && taken < 40_000_000 {
            std::thread::sleep(Duration::from_millis(250));
        }
    });
    assert!(whole, "{head}");
}

#[test]
fn a_slow_sender_holds_no_place() {
    let flags = ["--max-inflight", "1", "--read-timeout", "10m"];
    let server = serve_command("cat \"$INPUT_FILE_PATH\"").quiet().args(flags).start();
    let mut slow: Vec<Wire> = (0..20)
        .map(|number| {
            let mut wire = server.connect();
            wire.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n");
            wire.write(if number < 19 { b"\r\nZm9" } else { b"Expect: 100-continue\r\n\r\n" });
            wire
        })
        .collect();
    eventually("all have come", || {
        let metrics = server.get("/_/metrics").send();
        metrics.text().contains("http_requests_in_flight 20").then_some(())
    });
    for number in 0..5 {
        let quick = format!("quick {number}");
        // A client that is to be asked for the body has the place for a moment, until it is clear that it is slow.
        eventually("a place", || {
            let answer = server.post(encode(&quick)).send();
            (answer.status == 200).then(|| assert_eq!(answer.text(), quick))
        });
    }
    slow[0].write(b"vYmE=");
    assert_eq!(slow[0].answer().expect(200).text(), "fooba");
    drop(slow);
    is_free_at_once(&server, "slow senders");
}

#[test]
fn who_can_only_be_turned_away_is_not_asked_for_the_body() {
    let server = serve(function("hold.sh")).quiet().args(["--max-inflight", "1"]).start();
    let held = sent(&server, server.get("/").header("X-Call-Id", "held").head());
    server.sign("started.held");
    for expect in ["", "Expect: 100-continue\r\n"] {
        let mut wire = server.connect();
        wire.write(format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n{expect}\r\n").as_bytes());
        let line = wire.line().expect("an answer");
        assert!(line.contains(" 429 "), "{line}");
    }
    server.give("go");
    drop(held);
}

#[test]
fn an_idle_connection_is_asked_whether_it_is_still_there() {
    let server = serve(function("hold.sh")).quiet().start();
    let socket = sent(&server, server.get("/").header("X-Call-Id", "a").head());
    server.sign("started.a");
    // proc(5): local and remote address as hexadecimal, and after the queues the timer: 2 is the keepalive's.
    let port = |address: std::net::SocketAddr| format!("0100007F:{:04X}", address.port());
    let (local, remote) = (port(server.address), port(socket.local_addr().expect("bound")));
    eventually("the keepalive timer of the function's connection", || {
        let table = std::fs::read_to_string("/proc/net/tcp").expect("readable");
        let mut rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let row = rows.find(|row| row.get(1) == Some(&local.as_str()) && row.get(2) == Some(&remote.as_str()))?;
        row.get(5)?.starts_with("02:").then_some(())
    });
    server.give("go");
}

/// Descriptors that a thousand connections and more need, in this process and in the listener's.
const MANY: u64 = 4096;

/// Lets this process have that many, as far as it may.
fn with_many_descriptors() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < MANY) {
        limit.current = Some(limit.maximum.map_or(MANY, |maximum| maximum.min(MANY)));
        setrlimit(Resource::Nofile, limit).expect("up to the hard limit");
    }
}

#[test]
fn a_thousand_open_connections_do_not_slow_a_refusal() {
    with_many_descriptors();
    let server = serve(function("hold.sh"))
        .quiet()
        .args(["--max-inflight", "1"])
        .after_command("ulimit -S -n 4096 || ulimit -S -n $(ulimit -H -n)")
        .start();
    let held = sent(&server, server.get("/").header("X-Call-Id", "held").head());
    server.sign("started.held");
    let open: Vec<TcpStream> = (0..1000).map(|_| TcpStream::connect(server.address).expect("taken")).collect();
    let mut wire = server.connect();
    let mut took: Vec<Duration> = (0..200)
        .map(|_| {
            let begun = Instant::now();
            server.post(encode("x")).send_on(&mut wire).problem(429);
            begun.elapsed()
        })
        .collect();
    took.sort();
    // The promise is 5 ms; on an idle machine it is far below one.
    assert!(took[100] < Duration::from_millis(50), "half of the refusals took longer than {:?}", took[100]);
    drop(open);
    server.give("go");
    drop(held);
}

/// How many calls a second are answered with 200 while `meanwhile` goes on: four clients for two places and two turns.
fn throughput(server: &Server, meanwhile: impl FnOnce()) -> f64 {
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
    let (stop, done) = (AtomicBool::new(false), AtomicU32::new(0));
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut wire = server.connect();
                while !stop.load(Ordering::Relaxed) {
                    let answer = server.post(encode("work")).send_on(&mut wire);
                    if answer.status == 200 {
                        assert_eq!(answer.text(), "work");
                        done.fetch_add(1, Ordering::Relaxed);
                    } else {
                        // One of the others was quicker.
                        answer.problem(429);
                        std::thread::sleep(Duration::from_millis(5));
                    }
                }
            });
        }
        meanwhile();
        stop.store(true, Ordering::Relaxed);
    });
    f64::from(done.into_inner()) / begun.elapsed().as_secs_f64()
}

#[test]
fn two_thousand_refusals_leave_the_accepted_work_its_speed() {
    let server = serve(function("echo.sh")).quiet().args(["--max-inflight", "2", "--max-queue", "2"]).start();
    let alone = throughput(&server, || std::thread::sleep(Duration::from_secs(2)));
    let mut refused = 0;
    let beside = throughput(&server, || {
        for _ in 0..2000 {
            let answer = server.post(encode("work")).send();
            if answer.status != 200 {
                answer.problem(429);
                refused += 1;
            }
        }
    });
    // The promise is nine tenths; the clients of this test take their part of the same processors.
    assert!(beside > alone / 4.0, "{beside:.0} a second beside {refused} refusals, {alone:.0} without");
    assert!(refused > 500, "only {refused} were refused");
}

#[test]
fn the_end_keeps_to_its_bounds_for_the_deaf_on_either_side() {
    let flags = ["--drain-timeout", "1s", "--kill-grace", "1s", "--send-timeout", "0"];
    let mut server = serve_command(
        "if [ \"$CALL_ID\" = deaf ]; then trap '' TERM; : >\"$SCRATCH/deaf\"; while :; do sleep 1; done; fi; \
         truncate -s 100000000 \"$TMP_OUTPUT_DIR/large\"",
    )
    .quiet()
    .args(flags)
    .start();
    let _function = sent(&server, server.get("/").header("X-Call-Id", "deaf").head());
    server.sign("deaf");
    let mut reader = sent(&server, server.get("/").head());
    reader.read_exact(&mut [0; 12]).expect("the beginning of the answer");
    server.signal(rustix::process::Signal::TERM);
    let (status, took) = server.end();
    assert_eq!(status.code(), Some(0), "{server}");
    // A second each, a second for all to clean up, and two for a machine that is busy.
    assert!(took < Duration::from_secs(5), "it took {took:?}");
    server.check_nothing_is_left();
}
