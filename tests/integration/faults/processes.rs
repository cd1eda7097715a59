//! Processes: what outlives its request, what is not reaped, what is lost of their words.

use crate::harness::{Answer, Server, can_be_init, encode, eventually, function, noise, serve, serve_command};

/// Leaves two children that hold stdout open: one in its group without the environment by which it could be found, one
/// that left the group and takes no SIGTERM. With the input `stay` it never ends by itself.
const PARENT: &str = r#"
    env -i sleep 987 &
    setsid sh -c 'trap "" TERM; : >"$SCRATCH/.left" && mv "$SCRATCH/.left" "$SCRATCH/left.$CALL_ID"; sleep 987' &
    until [ -e "$SCRATCH/left.$CALL_ID" ]; do sleep 0.01; done
    echo "the parent is done"
    [ "$(cat "$INPUT_FILE_PATH")" != stay ] || wait
"#;

/// Without the kill of the group in `supervise` the child without an environment was left, and `is_clean` waited for
/// it in vain; without `leftovers::end_adopted` the one that had left the group was.
#[test]
fn f01_a_grandchild_that_holds_stdout_does_not_hold_the_answer() {
    let server = serve_command(PARENT).quiet().args(["--exec-timeout", "3s", "--kill-grace", "1s"]).start();
    for _ in 0..5 {
        assert_eq!(server.get("/").send().expect(200).text(), "the parent is done\n");
        server.is_clean();
    }
    let problem = server.post(encode("stay")).send().problem(504);
    assert_eq!(problem["logs"], "the parent is done\n", "the timeout ended more than the direct child");
    server.is_clean();
}

/// Leaves two orphans that cannot be found by their environment and that end by themselves.
const ORPHANS: &str = "for i in 1 2; do (env -i setsid sleep 0.05 &); done; echo $PPID";

fn leaves_no_zombie(server: &Server) -> String {
    let mut parents = String::new();
    for _ in 0..10 {
        server.get("/").send().expect(200).text().trim().clone_into(&mut parents);
    }
    server.is_clean();
    parents
}

/// Without `reaper::reap_orphans` twenty zombies stayed, and `is_clean` waited in vain.
#[test]
fn f02_orphans_are_reaped() {
    let server = serve_command(ORPHANS).quiet().start();
    assert_eq!(leaves_no_zombie(&server), server.pid().to_string());
}

/// As above, where no other process reaps them.
#[test]
fn f02_orphans_are_reaped_by_process_1() {
    if !can_be_init("f02: orphans of process 1") {
        return;
    }
    let server = serve_command(ORPHANS).quiet().init().start();
    assert_eq!(leaves_no_zombie(&server), "1", "it is process 1 where it runs");
}

/// Without `HangUp`, which orders the stop when the request is dropped, the sign of SIGTERM never came.
#[test]
fn f03_a_client_that_leaves_ends_the_function_and_frees_its_place() {
    let server = serve(function("hold.sh")).quiet().args(["--max-inflight", "1"]).start();
    for (id, accept) in [("plain", "*/*"), ("json", "application/json"), ("raw", "application/octet-stream")] {
        let mut wire = server.connect();
        wire.write(&server.get("/").header("X-Call-Id", id).accept(accept).head());
        server.sign(&format!("started.{id}"));
        wire.leave();
        server.sign(&format!("term.{id}"));
        server.is_clean();
        eventually("the place is free", || (server.get("/_/ready").send().status == 200).then_some(()));
    }
    server.give("go");
    assert_eq!(server.get("/").header("X-Call-Id", "next").send().expect(200).text(), "done\n");
}

/// With a reader that gave up after 64 KiB without a line end, as Go's `bufio.Scanner` does, `cat` stood still until
/// the client lost its patience.
#[test]
fn f12_a_line_of_ten_megabytes_stops_neither_the_function_nor_the_log() {
    for format in ["text", "json"] {
        let flags = ["--forward-logs", "--log-format", format];
        let server = serve_command("cat").args(["--stdin", "input"]).args(flags).quiet().start();
        let mut line = vec![b'x'; 10_000_000];
        line.extend_from_slice(b"\nafter\n");
        let answer = server.post(&line).media("application/octet-stream").send().expect(200);
        assert!(answer.body == line, "{format}: {} bytes came back", answer.body.len());
        // The log is whole, or says what it lacks; and it goes on.
        server.post("again\n").media("application/octet-stream").send().expect(200);
        server.log_line("again", |line| line.contains("again"));
        let log = server.log();
        let forwarded: usize = log.lines().map(|line| line.matches('x').count()).filter(|count| *count > 100).sum();
        let lacks = log.contains("lines of this log left out");
        assert!(forwarded == 10_000_000 || lacks, "{format}: {forwarded} of the line and no word of the rest");
    }
}

/// With the look at the exit before the read of the pipe, and without `drain` after it, the first of the thousand
/// answers was already without its lines.
#[test]
fn f13_no_line_of_a_function_that_exits_at_once_is_lost() {
    let server = serve_command("echo out; echo \"err $CALL_ID\" >&2").quiet().start();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let server = &server;
            scope.spawn(move || {
                let mut wire = server.connect();
                for run in 0..250 {
                    let id = format!("{thread}-{run}");
                    let answer = server.get("/").header("X-Call-Id", &id).send_on(&mut wire).expect(200);
                    assert_eq!(answer.text(), format!("out\nerr {id}\n"));
                }
            });
        }
    });
}

/// With a status that is looked at and not taken (`WNOWAIT` in `Child::reap`) every call left a zombie. A broken pipe
/// cannot be: standard input is a file. With the input written into a pipe instead, there would be one.
#[test]
fn f14_a_function_that_ignores_its_input_is_no_failure_and_no_zombie() {
    let large = noise(10_000_000);
    for (flags, body, calls) in [(&[][..], &large[..1000], 50), (&["--stdin", "input"], &large, 50)] {
        let server = serve_command("exec true").quiet().args(flags).start();
        let request = server.post(body).media("application/octet-stream");
        let mut wire = server.connect();
        for _ in 0..calls {
            let answer: Answer = request.send_on(&mut wire).expect(200);
            assert_eq!(answer.text(), "", "no word of a broken pipe");
        }
        server.is_clean();
    }
}

/// With workspaces that were forgotten (`mem::forget`) where a run timed out, `is_clean` waited in vain.
#[test]
fn f22_a_timeout_leaves_neither_directories_nor_the_script() {
    let script = "echo \"$0\"; mkdir -p \"$TMP_OUTPUT_DIR/a/b\"; : >\"$TMP_INPUT_DIR/c\"; exec sleep 987";
    let mut server = crate::harness::server::Builder::new()
        .env("SCRIPT", encode(script))
        .args(["--exec-timeout", "1s", "--kill-grace", "1s"])
        .quiet()
        .start();
    for _ in 0..2 {
        let problem = server.post(encode("x")).send().problem(504);
        let path = problem["logs"].as_str().expect("logs").trim().to_owned();
        // The script itself serves every request, and is all that is left between them.
        let script = std::path::Path::new(&path).strip_prefix(server.workspace()).expect("in the workspace").to_owned();
        let own = script.components().next().expect("a directory of its own").as_os_str().to_owned();
        let own = |path: &String| std::path::Path::new(path).starts_with(&own);
        eventually("nothing but the script", || server.open().iter().all(own).then_some(()));
    }
    server.signal(rustix::process::Signal::TERM);
    server.end();
    server.check_nothing_is_left();
}
