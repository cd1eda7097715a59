//! Start, end, and the clocks between them.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::harness::{Server, Wire, bandog, encode, eventually, function, serve, serve_command};

/// Without the deadline in `supervise::advance` no answer came at all.
#[test]
fn f10_no_header_lifts_the_timeout() {
    let server = serve_command("sleep 987").args(["--exec-timeout", "1s", "--kill-grace", "1s"]).start();
    for (name, value) in [
        ("X-Timeout", "0s"),
        ("X-Timeout", "1h"),
        ("X-Exec-Timeout", "0"),
        ("Prefer", "wait=3600"),
        ("Exec-Timeout", "0"),
        ("Bandog-Exec-Timeout", "0"),
    ] {
        server.get("/?exec_timeout=0").header(name, value).send().problem(504);
    }
    let events = server.get("/").accept("text/event-stream").header("X-Timeout", "0s").send();
    assert!(events.whole && events.text().contains("\"status\":504"), "{events}");
}

/// With the `HangUp` forgotten instead of handed to the body, in `handler::invoke`, the sign of SIGTERM never came.
#[test]
fn f11_who_leaves_an_event_stream_gives_its_place_back() {
    let server = serve(function("hold.sh")).args(["--max-inflight", "1"]).start();
    for id in ["a", "b", "c"] {
        let mut wire = server.connect();
        wire.write(&server.get("/").accept("text/event-stream").header("X-Call-Id", id).head());
        // Only with the head sent is it the body whose end tells that the client is gone.
        wire.answer_head().wants("x-call-id");
        server.sign(&format!("started.{id}"));
        wire.leave();
        server.sign(&format!("term.{id}"));
        server.is_clean();
        eventually("the place is free", || (server.get("/_/ready").send().status == 200).then_some(()));
    }
}

/// With `ExitCode::SUCCESS` in place of `INTERNAL` in `cli::serve` each of them was a success.
#[test]
fn f15_a_busy_port_and_an_unwritable_file_are_one_clear_line_and_no_success() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let free = ["--listen", "127.0.0.1:0"];
    for (flags, named) in [
        (vec!["--listen", &address], address.as_str()),
        (vec!["--metrics", &address, free[0], free[1]], &address),
        (vec!["--address-file", "/no/such/dir/address", free[0], free[1]], "/no/such/dir/address"),
        (vec!["--workspace", "/no/such/workspace", free[0], free[1]], "/no/such/workspace"),
    ] {
        let mut command = bandog(["serve"]).args(&flags);
        if !flags.contains(&"--workspace") {
            command = command.with_workspace();
        }
        let ran = command.args(["--", "/bin/true"]).run();
        assert_ne!(ran.code(), 0, "{ran}");
        let complaints: Vec<&str> = ran.complaint().lines().filter(|line| line.contains(named)).collect();
        assert_eq!(complaints.len(), 1, "one line names {named}: {ran}");
        assert!(ran.complaint().lines().count() <= 2, "{ran}");
    }
}

/// Without the limit on the farewell of idle connections in `listener::follow`, the head that never ends held it for
/// as long as the drain timeout.
#[test]
fn f16_idle_it_ends_at_once_whatever_the_watchdogs_variables_say() {
    for (name, value) in [("healthcheck_interval", "0"), ("suppress_lock", "true"), ("healthcheck_interval", "30s")] {
        let flags = ["--drain-timeout", "5m"];
        let mut server = serve(function("echo.sh")).env(name, value).args(flags).start();
        server.get("/_/health").send().expect(200);
        let mut kept = server.connect();
        server.post(encode("x")).send_on(&mut kept).expect(200);
        let mut half = server.connect();
        half.write(b"POST / HTTP/1.1\r\nHost");
        server.signal(Signal::TERM);
        // Bounded by the harness's patience, a tenth of the drain timeout.
        let (status, _) = server.end();
        assert_eq!(status.code(), Some(0), "{server}");
        server.check_nothing_is_left();
    }
}

/// With the functions told to end at once (`server.close` before the wait in `listener::serve`) no client was answered.
#[test]
fn f17_a_signal_drops_nothing_that_was_taken() {
    let flags = ["--max-inflight", "2", "--max-queue", "1"];
    let mut server = serve(function("hold.sh")).quiet().args(flags).start();
    let begin = |id: &str, body: &str, sent: usize| {
        let mut wire = server.connect();
        wire.write(&server.post(body).header("X-Call-Id", id).head());
        wire.write(&body.as_bytes()[..sent]);
        wire
    };
    let running = begin("running", "SGVsbG8=", 8);
    server.sign("started.running");
    // Enough of it to have a place; the rest is to come.
    let large = "SGVs".repeat(10_000);
    let mut sending = begin("sending", &large, 30_000);
    eventually("two workspaces", || {
        (server.open().iter().filter(|path| !path.contains('/')).count() == 2).then_some(())
    });
    let mut waiting = begin("waiting", "SGVsbG8=", 8);
    eventually("one in the queue", || (server.get("/_/status").send().json()["queued"] == 1).then_some(()));
    server.signal(Signal::TERM);
    // A connection that comes before the signal is heard is still taken, so that only a probe may be sent on it.
    eventually("new requests are refused", || match Wire::try_connect(server.address) {
        Err(_) => Some(()),
        Ok(mut wire) => {
            wire.write(&server.get("/_/ready").head());
            wire.line().is_none_or(|line| line.contains(" 503")).then_some(())
        }
    });
    assert!(server.ended().is_none(), "it waits for the functions");
    // Without a permit it was not taken, and is told to go elsewhere.
    waiting.answer().problem(503);
    sending.write(&large.as_bytes()[30_000..]);
    server.sign("started.sending");
    server.give("go");
    for mut wire in [running, sending] {
        assert_eq!(wire.answer().expect(200).text(), "done\n");
    }
    let (status, _) = server.end();
    assert_eq!(status.code(), Some(0), "{server}");
    server.check_nothing_is_left();
}

/// With the deadline of the body put on the answer too, in `handler::invoke`, it was an error after one second.
#[test]
fn f18_a_function_that_takes_longer_than_the_network_may_is_still_answered() {
    let timeouts = ["read_timeout", "write_timeout", "exec_timeout"];
    let flags = ["--read-timeout", "1s", "--max-inflight", "1"];
    let builder = serve_command("sleep 2.5; echo done").quiet().args(flags);
    let server: Server = timeouts.iter().fold(builder, |builder, name| builder.env(name, "1s")).start();
    for _ in 0..2 {
        assert_eq!(server.post(encode("x")).send().expect(200).text(), "done\n");
    }
}

/// Without the mistake that `config::resolve` makes of it, what was said did not tell what to do.
#[test]
fn f24_no_function_is_a_start_up_error() {
    for command in ["serve", "run"] {
        let ran = bandog([command]).with_workspace().run().expect(78);
        assert!(ran.complaint().contains("bandog ./script.sh"), "it says what to do: {ran}");
        assert_eq!(ran.text(), "", "no empty line for an answer");
        for missing in
            [&["--script", "/no/such/script.sh"][..], &["--", "/no/such/program"], &["--", "no-such-program"]]
        {
            let ran = bandog([command]).with_workspace().args(missing).run().expect(78);
            assert!(ran.complaint().contains("no"), "{ran}");
        }
    }
}

/// Whether the server has hung up; waits half a second for it.
fn is_closed(wire: &mut TcpStream) -> bool {
    match wire.read(&mut [0; 4096]) {
        Ok(0) => true,
        Ok(_) => false,
        Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted),
    }
}

/// Without `header_read_timeout` the head that drips was read for ever; without the limit on `speaks_http2` so was
/// silence; without the one in `arrival` so was the body.
#[test]
fn f28_who_sends_nothing_or_drop_by_drop_is_given_up() {
    // The limit of a head is 30 seconds; the machine may be busy.
    const BOUND: Duration = Duration::from_secs(90);
    let server = serve(function("sign.sh")).args(["--read-timeout", "1s"]).start();
    let body = "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 100000\r\n\r\n";
    let head = "POST / HTTP/1.1\r\nX-Long: ";
    std::thread::scope(|scope| {
        for (what, begin, drop) in [("silence", "", ""), ("the head", head, "x"), ("the body", body, "x")] {
            let server = &server;
            scope.spawn(move || {
                let mut wire = TcpStream::connect(server.address).expect("connected");
                wire.set_read_timeout(Some(Duration::from_millis(500))).expect("a socket");
                wire.write_all(begin.as_bytes()).expect("sent");
                let begun = Instant::now();
                while !is_closed(&mut wire) && wire.write_all(drop.as_bytes()).is_ok() {
                    assert!(begun.elapsed() < BOUND, "{what} is still waited for: {server}");
                }
            });
        }
    });
    server.is_clean();
    assert!(!server.has_sign("started"));
}
