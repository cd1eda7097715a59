//! How many run at once, who waits, for how long, in which order; and that a place is always given back.

use std::thread::{Scope, ScopedJoinHandle};

use crate::harness::{Answer, Server, encode, eventually, function, serve};

/// Sends a request that holds its place until the sign `go.ID`.
fn hold<'scope>(
    scope: &'scope Scope<'scope, '_>,
    server: &Server,
    id: &'scope str,
) -> ScopedJoinHandle<'scope, Answer> {
    let request = server.get("/").header("X-Call-Id", id);
    scope.spawn(|| request.send())
}

/// Waits until this many requests wait for a place.
#[track_caller]
fn queued(server: &Server, wanted: u64) {
    eventually(&format!("{wanted} in the queue"), || {
        let status = server.get("/_/status").send().json();
        (status["queued"] == wanted).then_some(())
    });
}

/// Fails unless this is what a caller is told when there is no place.
#[track_caller]
fn is_turned_away(answer: &Answer) {
    answer.problem(429);
    let seconds: u64 = answer.wants("retry-after").parse().expect("seconds");
    assert!(seconds >= 1, "{answer}");
}

#[test]
fn without_a_queue_who_finds_no_place_is_turned_away() {
    let server = serve(function("hold.sh")).quiet().args(["--max-inflight", "2"]).start();
    std::thread::scope(|scope| {
        let held = ["a", "b"].map(|id| hold(scope, &server, id));
        server.sign("started.a");
        server.sign("started.b");
        is_turned_away(&server.get("/").header("X-Call-Id", "c").send());
        server.give("go");
        for answer in held {
            assert_eq!(answer.join().expect("an answer").expect(200).text(), "done\n");
        }
    });
    assert!(!server.has_sign("started.c"));
    server.get("/").header("X-Call-Id", "d").send().expect(200);
}

#[test]
fn without_a_limit_all_run_at_once() {
    let server = serve(function("hold.sh")).quiet().start();
    std::thread::scope(|scope| {
        let ids = ["a", "b", "c", "d", "e", "f", "g", "h"];
        let held = ids.map(|id| hold(scope, &server, id));
        for id in ids {
            server.sign(&format!("started.{id}"));
        }
        server.give("go");
        for answer in held {
            answer.join().expect("an answer").expect(200);
        }
    });
}

#[test]
fn the_queue_is_served_in_order() {
    let server = serve(function("hold.sh")).quiet().args(["--max-inflight", "1", "--max-queue", "3"]).start();
    std::thread::scope(|scope| {
        let mut held = vec![hold(scope, &server, "a")];
        server.sign("started.a");
        for (id, waiting) in [("b", 1), ("c", 2), ("d", 3)] {
            held.push(hold(scope, &server, id));
            queued(&server, waiting);
        }
        is_turned_away(&server.get("/").header("X-Call-Id", "e").send());
        for id in ["a", "b", "c", "d"] {
            server.sign(&format!("started.{id}"));
            server.give(&format!("go.{id}"));
        }
        for answer in held {
            assert_eq!(answer.join().expect("an answer").expect(200).text(), "done\n");
        }
    });
    assert_eq!(server.sign("order"), "a\nb\nc\nd\n");
}

#[test]
fn waiting_has_an_end() {
    let flags = ["--max-inflight", "1", "--max-queue", "1", "--queue-timeout", "1s"];
    let server = serve(function("hold.sh")).quiet().args(flags).start();
    std::thread::scope(|scope| {
        let held = hold(scope, &server, "a");
        server.sign("started.a");
        is_turned_away(&server.get("/").header("X-Call-Id", "b").send());
        assert!(!server.has_sign("started.b"));
        server.give("go");
        held.join().expect("an answer").expect(200);
    });
}

#[test]
fn waiting_for_a_place_does_not_count_as_time_to_send_the_body() {
    let flags = ["--max-inflight", "1", "--max-queue", "1", "--read-timeout", "1s"];
    let server = serve(function("hold.sh")).quiet().args(flags).start();
    std::thread::scope(|scope| {
        let held = hold(scope, &server, "a");
        server.sign("started.a");
        // More than the buffers on the way hold, so that it can be sent only once it is read.
        let large = server.post(encode(vec![0; 12_000_000])).header("X-Call-Id", "b");
        let large = scope.spawn(|| large.send());
        queued(&server, 1);
        std::thread::sleep(std::time::Duration::from_millis(1200));
        server.give("go");
        held.join().expect("an answer").expect(200);
        large.join().expect("an answer").expect(200);
    });
}

#[test]
fn who_leaves_the_queue_is_not_served() {
    let flags = ["--max-inflight", "1", "--max-queue", "1"];
    let server = serve(function("hold.sh")).quiet().args(flags).start();
    std::thread::scope(|scope| {
        let held = hold(scope, &server, "a");
        server.sign("started.a");
        let mut impatient = server.connect();
        impatient.write(&server.get("/").header("X-Call-Id", "b").head());
        queued(&server, 1);
        impatient.leave();
        queued(&server, 0);
        let patient = hold(scope, &server, "c");
        queued(&server, 1);
        server.give("go");
        held.join().expect("an answer").expect(200);
        patient.join().expect("an answer").expect(200);
    });
    assert!(!server.has_sign("started.b"));
}

#[test]
fn a_place_is_given_back_however_a_run_ends() {
    let flags = ["--max-inflight", "1", "--exec-timeout", "2s", "--kill-grace", "1s"];
    let server = serve(function("exit.sh")).quiet().args(flags).start();
    let free = || eventually("the place is free", || (server.get("/_/ready").send().status == 200).then_some(()));
    for (body, status) in [("!", 400), ("MQ==", 500), ("MA==", 200)] {
        assert_eq!(server.post(body).send().status, status);
        free();
    }
    let mut wire = server.connect();
    wire.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nAAAA");
    wire.leave();
    free();
    assert_eq!(server.post(encode("0")).send().status, 200);

    let slow = serve(function("trap-term.sh")).quiet().args(flags).start();
    for _ in 0..2 {
        slow.get("/").send().problem(504);
        eventually("the place is free", || (slow.get("/_/ready").send().status == 200).then_some(()));
    }
}
