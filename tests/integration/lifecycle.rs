//! From binding the port to the last workspace removed: no request is dropped that was taken, and nothing is left.

use std::{fs, net::TcpListener, time::Duration};

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{Request, Server, Wire, bandog, encode, eventually, function, listing, serve, serve_command};

/// Well above the 100 ms of the promise, for a machine that is busy with other tests; well below any timeout.
const PROMPT: Duration = Duration::from_secs(2);

#[test]
fn idle_it_ends_at_once() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = serve(function("echo.sh")).start();
        server.post(encode("x")).send().expect(200);
        // A kept connection is no reason to stay.
        let mut kept = server.connect();
        server.post(encode("x")).send_on(&mut kept).expect(200);
        server.signal(signal);
        let (status, took) = server.end();
        assert_eq!(status.code(), Some(0), "{server}");
        assert!(took < PROMPT, "it took {took:?}");
        server.check_nothing_is_left();
    }
}

/// Starts a function that holds on, under this id.
fn held(server: &Server, id: &str) -> Wire {
    let mut wire = server.connect();
    wire.write(&server.get("/").header("X-Call-Id", id).head());
    server.sign(&format!("started.{id}"));
    wire
}

#[test]
fn the_shutdown_delay_keeps_the_port_open_but_is_not_ready() {
    let server = serve(function("hold.sh")).quiet().args(["--shutdown-delay", "5m"]).start();
    let mut wire = held(&server, "a");
    let mut kept = server.connect();
    server.get("/_/ready").send_on(&mut kept).expect(200);
    server.signal(Signal::TERM);
    // The delay keeps the port open for load balancers that have not yet heard of it.
    eventually("ready says no", || (server.get("/_/ready").send().status == 503).then_some(()));
    assert_eq!(server.get("/_/health").send().status, 503);
    let probe = bandog(["health", "--ready", "--url", &server.url("")]).run();
    probe.expect(1);
    // A client that does not ask whether bandog is ready is still served.
    server.give("go");
    server.get("/").header("X-Call-Id", "late").send().expect(200);
    assert_eq!(wire.answer().expect(200).text(), "done\n");
    // A second signal: now, though the delay is not over.
    server.signal(Signal::TERM);
    let mut server = server;
    server.end();
    server.check_nothing_is_left();
}

#[test]
fn requests_on_a_kept_connection_are_told_to_go_elsewhere() {
    let mut server = serve(function("hold.sh")).start();
    let mut wire = held(&server, "a");
    let mut kept = server.connect();
    server.get("/_/health").send_on(&mut kept).expect(200);
    server.signal(Signal::TERM);
    server.log_line("the drain", |line| line.to_lowercase().contains("drain"));
    kept.write(&server.get("/").header("X-Call-Id", "late").head());
    // An idle connection may be closed instead, which says the same.
    if let Some(line) = kept.line() {
        assert!(line.contains(" 503 "), "{line}");
        let mut fields = Vec::new();
        while let Some(line) = kept.line().filter(|line| !line.is_empty()) {
            fields.push(line.to_lowercase());
        }
        assert!(fields.iter().any(|field| field.starts_with("retry-after:")), "{fields:?}");
        assert!(fields.iter().any(|field| field == "connection: close"), "{fields:?}");
    }
    assert!(!server.has_sign("started.late"));
    server.give("go");
    wire.answer().expect(200);
    server.end();
    server.check_nothing_is_left();
}

#[test]
fn the_drain_has_an_end() {
    let mut server = serve(function("hold.sh")).args(["--drain-timeout", "1s"]).start();
    let mut wire = held(&server, "a");
    server.signal(Signal::TERM);
    server.sign("term.a");
    if let Some(line) = wire.line() {
        assert!(line.contains(" 503 ") || line.contains(" 500 "), "no success: {line}");
    }
    let (status, _) = server.end();
    assert_eq!(status.code(), Some(0), "{server}");
    server.check_nothing_is_left();
}

#[test]
fn the_drain_ends_for_the_deaf_too() {
    let flags = ["--drain-timeout", "1s", "--kill-grace", "1s"];
    let mut server = serve(function("ignore-term.sh")).args(flags).start();
    let mut wire = server.connect();
    wire.write(&server.get("/").head());
    server.sign("started");
    server.signal(Signal::TERM);
    let (status, _) = server.end();
    assert_eq!(status.code(), Some(0), "{server}");
    server.check_nothing_is_left();
}

#[test]
fn a_request_without_a_permit_is_answered_when_the_drain_begins_and_nothing_is_started() {
    let flags = ["--drain-timeout", "10m", "--max-inflight", "1", "--max-queue", "2"];
    let mut server = serve(function("hold.sh")).args(flags).start();
    let mut running = held(&server, "a");
    let mut waiting = ["b", "c"].map(|id| {
        let mut wire = server.connect();
        wire.write(&server.get("/").header("X-Call-Id", id).head());
        wire
    });
    eventually("two in the queue", || (server.get("/_/status").send().json()["queued"] == 2).then_some(()));
    server.signal(Signal::TERM);
    for wire in &mut waiting {
        let answer = wire.answer();
        assert_eq!((answer.wants("connection"), answer.wants("retry-after").is_empty()), ("close", false));
        answer.problem(503);
    }
    // The call that has the permit is finished.
    assert!(server.ended().is_none());
    server.give("go");
    running.answer().expect(200);
    server.end();
    assert!(!server.has_sign("started.b") && !server.has_sign("started.c"), "{server}");
    server.check_nothing_is_left();
}

/// None of these has a permit, so that none of them holds up the end; no timeout of theirs is near.
#[test]
fn a_request_that_has_not_arrived_does_not_hold_up_the_end() {
    const HEAD: &str = "POST / HTTP/1.1\r\nHost: x\r\n";
    for (case, begun, answers) in [
        ("half a head", HEAD.to_owned(), false),
        ("half a body", format!("{HEAD}Content-Length: 10\r\n\r\nab"), true),
        ("half a body in chunks", format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\nab"), true),
        ("a client that waits to be asked", format!("{HEAD}Content-Length: 10\r\nExpect: 100-continue\r\n\r\n"), true),
        ("a body that nothing reads", format!("{HEAD}Content-Length: 100000\r\nAuthorization: x\r\n\r\nab"), true),
    ] {
        let flags = ["--drain-timeout", "10m", "--read-timeout", "10m", "--max-inflight", "1"];
        let mut server = serve(function("echo.sh")).args(flags).start();
        let mut wire = server.connect();
        wire.write(begun.as_bytes());
        eventually("it is being read", || {
            let metrics = server.get("/_/metrics").send();
            (!answers || metrics.text().contains("http_requests_in_flight 1")).then_some(())
        });
        // A permit that was lent until the body begins has to be given back first.
        std::thread::sleep(Duration::from_millis(1100));
        server.signal(Signal::TERM);
        let (status, took) = server.end();
        assert_eq!(status.code(), Some(0), "{case}: {server}");
        assert!(took < PROMPT, "{case}: it took {took:?}");
        if answers {
            let answer = wire.answer();
            assert_eq!(answer.wants("connection"), "close", "{case}");
            answer.problem(503);
        }
        server.check_nothing_is_left();
    }
}

#[test]
fn a_second_signal_ends_it_now() {
    let flags = ["--drain-timeout", "10m", "--kill-grace", "10m"];
    let mut server = serve(function("ignore-term.sh")).args(flags).start();
    let mut wire = server.connect();
    wire.write(&server.get("/").head());
    server.sign("started");
    server.signal(Signal::TERM);
    server.log_line("the drain", |line| line.to_lowercase().contains("drain"));
    assert!(server.ended().is_none());
    server.signal(Signal::TERM);
    // Bounded by the harness's patience, a tenth of either timeout.
    server.end();
    server.check_nothing_is_left();
}

#[test]
fn a_workspace_that_cannot_be_used_is_told_at_start() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("file");
    fs::write(&file, "").expect("writable");
    for path in [dir.path().join("missing"), file] {
        let ran =
            bandog(["serve", "--listen", "127.0.0.1:0", "--workspace"]).arg(&path).args(["--", "/bin/true"]).run();
        assert_ne!(ran.code(), 0, "{ran}");
        assert!(ran.complaint().contains(path.to_str().expect("UTF-8")), "{ran}");
    }
}

#[test]
fn leftovers_of_a_killed_predecessor_are_removed_and_its_directory_is_reused() {
    let first = serve(function("hold.sh")).start();
    let wire = held(&first, "a");
    let orphans = first.descendants();
    assert!(!orphans.is_empty());
    let home = first.kill();
    drop(wire);
    for pid in orphans {
        let _ = kill_process(Pid::from_raw(pid).expect("not 0"), Signal::KILL);
    }
    let workspace = home.path().join("workspace");
    let left = listing(&workspace);
    assert!(!left.is_empty(), "a kill leaves the workspace behind");
    fs::write(workspace.join("somebody-elses"), "file").expect("writable");
    let second = serve(function("echo.sh")).quiet().after(home).start();
    eventually("what the predecessor left is gone", || {
        (!listing(&workspace).iter().any(|path| left.contains(path))).then_some(())
    });
    assert!(workspace.join("somebody-elses").exists(), "what is not its own stays");
    assert_eq!(second.post(encode("x")).send().expect(200).text(), "x");
    fs::remove_file(workspace.join("somebody-elses")).expect("removable");
}

#[test]
fn the_workspaces_of_a_living_neighbour_are_not_removed() {
    let first = serve(function("hold.sh")).quiet().start();
    let mut wire = held(&first, "a");
    let before = listing(&first.workspace());
    let second = serve_command("echo second").quiet().beside(&first).start();
    assert_eq!(second.get("/").send().expect(200).text(), "second\n");
    drop_unless_empty(second);
    assert_eq!(listing(&first.workspace()), before);
    first.give("go");
    assert_eq!(wire.answer().expect(200).text(), "done\n");
}

/// Ends a listener whose workspace is shared, so that it is not empty at the end.
fn drop_unless_empty(mut server: Server) {
    server.signal(Signal::TERM);
    let (status, _) = server.end();
    assert_eq!(status.code(), Some(0), "{server}");
}

#[test]
fn the_address_is_written_when_requests_are_taken() {
    // The harness connects as soon as the file is there; twenty listeners of which each must answer at once.
    for _ in 0..20 {
        let server = serve(function("echo.sh")).quiet().start();
        assert_ne!(server.address.port(), 0);
        server.get("/_/ready").send().expect(200);
    }
}

#[test]
fn the_port_of_the_platform_is_used() {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port");
    let ran =
        bandog(["check", "--", "/bin/true"]).with_workspace().env("PORT", free.port().to_string()).run().expect(0);
    assert!(ran.text().contains(&format!("0.0.0.0:{}", free.port())), "{ran}");
}

/// Where it listens after so many starts.
fn listens(server: &Server, starts: usize) -> std::net::SocketAddr {
    eventually(&format!("start {starts}: {server}"), || {
        let log = server.log();
        let line = log.lines().filter(|line| line.contains("listening on http://")).nth(starts - 1)?;
        let address = line.split("http://").nth(1)?.split_whitespace().next()?;
        address.trim_end_matches(|char: char| !char.is_ascii_digit()).parse().ok()
    })
}

#[test]
fn with_watch_a_change_starts_it_again_and_a_mistake_does_not() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = dir.path().join("config.yaml");
    fs::write(&config, "name: first\n").expect("written");
    let mut server = serve(function("hold.sh")).args(["--watch"]).arg_path("--config", &config).start();
    let name = |address| Request::new(address, "GET", "/_/status").send().json()["service"].clone();
    assert_eq!(name(listens(&server, 1)), "first");
    fs::write(&config, "name: [\n").expect("written");
    server.log_line("the mistake", |line| line.contains("is not used") && line.contains("--config"));
    assert_eq!(name(server.address), "first", "it goes on");
    // bandog finishes running calls before it starts again.
    let mut running = held(&server, "a");
    fs::write(&config, "name: second\n").expect("written");
    server.log_line("the change", |line| line.contains("has changed; bandog starts again"));
    server.give("go");
    running.answer().expect(200);
    assert_eq!(name(listens(&server, 2)), "second");
    assert!(server.ended().is_none(), "it is the same process");
}
