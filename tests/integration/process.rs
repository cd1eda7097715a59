//! One request is one process: what it finds around it, how its end is told, and that it does not outlive its answer.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use serde_json::Value;

use crate::harness::{
    Answer, Builder, Server, Wire, decode, encode, environment, eventually, fixture, function, proc_status, serve,
    serve_command,
};

#[test]
fn a_function_finds_its_request_in_its_environment() {
    let server = serve(function("environment.sh")).env("INHERITED", "kept").start();
    let seen = environment(
        server
            .request("PUT", "/run/name/more%20path?a=1&b=%20")
            .header("X-Call-Id", "call-7")
            .header("X-Request-Id", "request-7")
            .header("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
            .header("Tracestate", "vendor=value")
            .header("x-two-words", "one, two")
            .media("application/octet-stream")
            .body("12345"),
    );
    for (name, value) in [
        ("INHERITED", "kept"),
        ("Http_Method", "PUT"),
        ("Http_Query", "a=1&b=%20"),
        ("Http_Host", server.address.to_string().as_str()),
        ("Http_Content_Length", "5"),
        ("Http_ContentLength", "5"),
        ("Http_Transfer_Encoding", ""),
        ("Http_Content_Type", "application/octet-stream"),
        ("Http_X_Two_Words", "one, two"),
        ("CALL_ID", "call-7"),
        ("TRACEPARENT", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ("TRACESTATE", "vendor=value"),
    ] {
        assert_eq!(seen.get(name).map(String::as_str), Some(value), "{name} in {seen:#?}");
    }
    assert!(seen["Http_Path"].starts_with("/run/name/more"), "{seen:#?}");
    for name in ["INPUT_FILE_PATH", "TMP_INPUT_DIR", "TMP_OUTPUT_DIR", "RESPONSE_HEADERS_PATH"] {
        let path = seen.get(name).unwrap_or_else(|| panic!("no {name} in {seen:#?}"));
        assert!(path.starts_with(server.workspace().to_str().expect("UTF-8")), "{name} is in the workspace: {path}");
    }
    assert!(seen["INPUT_FILE_PATH"].starts_with(&format!("{}/", seen["TMP_INPUT_DIR"])));
    assert_ne!(seen["TMP_INPUT_DIR"], seen["TMP_OUTPUT_DIR"]);
}

#[test]
fn what_a_request_does_not_say_is_empty_and_not_inherited() {
    let inherited = ["Http_Query", "Http_Method", "Http_X_Left", "CALL_ID", "TRACEPARENT", "INPUT_FILE_PATH"];
    let mut builder = serve(function("environment.sh"));
    for name in inherited {
        builder = builder.env(name, "inherited");
    }
    let server = builder.start();
    let seen = environment(server.get("/"));
    for name in ["Http_Query", "Http_Transfer_Encoding"] {
        assert_eq!(seen.get(name).map(String::as_str), Some(""), "{name} in {seen:#?}");
    }
    for name in ["TRACEPARENT", "TRACESTATE", "Http_Content_Length", "Http_ContentLength"] {
        assert!(seen.get(name).is_none_or(|value| value.is_empty() || value == "0"), "{name} in {seen:#?}");
    }
    assert_eq!(seen["Http_Method"], "GET");
    assert_ne!(seen["INPUT_FILE_PATH"], "inherited");
    let id = &seen["CALL_ID"];
    assert!(uuid::Uuid::parse_str(id).is_ok(), "a new uuid: {id}");
    let chunked = environment(server.post("SGVsbG8=").chunked(&[3]));
    assert_eq!(chunked["Http_Transfer_Encoding"], "chunked");
}

#[test]
fn a_call_has_one_id_everywhere() {
    let server = serve_command("printf %s \"$CALL_ID\"").quiet().start();
    let cases = [
        (vec![("X-Call-Id", "call-1"), ("X-Request-Id", "request-1")], Some("call-1")),
        (vec![("X-Request-Id", "request-2")], Some("request-2")),
        (vec![], None),
    ];
    for hostile in ["a b", "x] request method=POST [y", "\"quoted\"", "$(id)", "../up", &"x".repeat(5000)] {
        let answer = server.get("/").header("X-Call-Id", hostile).send().expect(200);
        assert_eq!(answer.wants("x-call-id"), answer.text(), "kept or replaced, but one: {answer}");
        assert!(!answer.text().contains([' ', '"', ']']), "it cannot pass for more of a log line: {answer}");
    }
    let mut given = BTreeSet::new();
    for (fields, wanted) in cases {
        let request = fields.into_iter().fold(server.get("/"), |request, (name, value)| request.header(name, value));
        let answer = request.send().expect(200);
        assert_eq!(answer.wants("x-call-id"), answer.text());
        if let Some(wanted) = wanted {
            assert_eq!(answer.text(), wanted);
        }
        assert!(given.insert(answer.text().to_owned()));
    }
    let refused = server.post("not base64!").header("X-Call-Id", "call-3").send();
    assert_eq!(refused.problem(400).get("call_id").and_then(Value::as_str).unwrap_or("call-3"), "call-3");
    assert_eq!(refused.wants("x-call-id"), "call-3");
}

fn directives(server: &Server, lines: &str) -> Answer {
    server.post(encode(lines)).send()
}

#[test]
fn a_function_that_succeeds_sets_status_and_fields() {
    let server = serve(function("answer.sh")).quiet().start();
    let answer = directives(&server, "Status: 201\nContent-Type: text/x-custom\nLocation: /there\nX-Colour: blue\n");
    assert_eq!(answer.status, 201, "{answer}");
    assert_eq!(answer.wants("content-type"), "text/x-custom");
    assert_eq!((answer.wants("location"), answer.wants("x-colour")), ("/there", "blue"));
    assert_eq!(answer.expect(201).text(), "the logs\n");
    let answer = directives(&server, "status: 404 Not Found\r\nX-Crlf: yes\r\n\r\n");
    assert_eq!((answer.status, answer.header("x-crlf")), (404, Some("yes")), "{answer}");
    assert_eq!(answer.header("x-bandog-error"), None, "it is the function's answer, not bandog's: {answer}");
    let answer = directives(&server, "Status: 204\n").expect(204);
    assert!(answer.body.is_empty(), "{answer}");
}

#[test]
fn fields_of_the_function_cannot_break_the_framing() {
    let server = serve(function("answer.sh")).quiet().start();
    for lines in [
        "Content-Length: 3\n",
        "Content-Length: 300\n",
        "Transfer-Encoding: chunked\n",
        "Connection: upgrade\nUpgrade: h2c\n",
        "not a field\n",
        "Bad Name: x\nX-Good: y\n",
        "Status: nonsense\n",
        "Status: 99\n",
        "Status: 100\n",
        "Status: 1000\n",
        "X-Control: a\x01b\n",
        "\n\n\n",
        ": empty\n",
    ] {
        let mut wire = server.connect();
        for _ in 0..2 {
            // The second one shows that the connection is still in step.
            let answer = server.post(encode(lines)).send_on(&mut wire);
            assert!(answer.whole && [200, 500].contains(&answer.status), "{lines:?}: {answer}");
            if answer.status == 200 {
                assert_eq!(answer.text(), "the logs\n", "{lines:?}");
            }
            if answer.header("connection").is_some_and(|word| word.eq_ignore_ascii_case("close")) {
                break;
            }
        }
    }
}

#[test]
fn fields_of_a_function_that_fails_are_not_used() {
    let server = serve(function("answer.sh")).env("EXIT_CODE", "1").start();
    let answer = directives(&server, "Status: 201\nX-Colour: blue\n");
    assert_eq!(answer.problem(500)["exit_code"], 1);
    assert_eq!(answer.header("x-colour"), None, "{answer}");
}

#[test]
fn exit_codes_are_told() {
    let server = serve(function("exit.sh")).quiet().start();
    for code in [1, 2, 77, 126, 137, 255] {
        let answer = server.post(encode(code.to_string())).send();
        let problem = answer.problem(500);
        assert_eq!(problem["exit_code"], code, "{answer}");
        assert!(problem.get("signal").is_none_or(Value::is_null), "{answer}");
        assert_eq!(problem["logs"], "to stdout\nto stderr\n", "{answer}");
        assert_eq!(problem["call_id"], answer.wants("x-call-id"), "{answer}");
    }
    let answer = server.post(encode("0")).send().expect(200);
    assert_eq!((answer.text(), answer.wants("x-exit-code")), ("to stdout\nto stderr\n", "0"));
}

#[test]
fn signals_are_told_apart_from_exit_codes() {
    let server = serve(function("signal.sh")).quiet().start();
    for (name, number) in [("KILL", 9), ("SEGV", 11), ("TERM", 15), ("ABRT", 6), ("USR1", 10)] {
        let answer = server.post(encode(name)).send();
        let problem = answer.problem(500);
        assert_eq!(problem["signal"], number, "{answer}");
        assert!(problem.get("exit_code").is_none_or(Value::is_null), "{answer}");
        assert_eq!(problem["logs"], "before the signal\n", "{answer}");
    }
}

#[test]
fn a_timeout_asks_first_and_is_no_success_whatever_the_exit_code() {
    let server = serve(function("trap-term.sh")).args(["--exec-timeout", "1s"]).start();
    let answer = server.post("").header("X-Timeout", "0s").send();
    answer.problem(504);
    assert!(server.has_sign("tidied"), "SIGTERM gave it the time to tidy up: {server}");
    server.is_clean();
}

#[test]
fn a_timeout_kills_what_does_not_listen() {
    let server = serve(function("ignore-term.sh")).args(["--exec-timeout", "1s", "--kill-grace", "1s"]).quiet().start();
    let problem = server.post("").send().problem(504);
    assert_eq!(problem["logs"], "deaf\n", "{problem}");
    server.is_clean();
}

#[test]
fn a_timeout_finds_what_left_the_process_group() {
    let server = serve(function("escapee.sh")).args(["--exec-timeout", "2s", "--kill-grace", "1s"]).start();
    server.post("").send().problem(504);
    assert!(server.has_sign("escaped"), "it had left: {server}");
    server.is_clean();
}

#[test]
fn what_left_the_group_is_found_however_late_its_parents_die() {
    // Each daemon's parent is in the group, or a daemon itself, and still dying when the function has ended.
    let command = "(setsid sh -c '(setsid sleep 1000 & wait) & wait' & wait) & (setsid sleep 1000 & wait) & sleep 0.01";
    let server = serve_command(command).quiet().start();
    for _ in 0..30 {
        server.get("/").send().expect(200);
    }
    server.is_clean();
}

#[test]
fn a_function_that_reads_its_own_output_back_does_not_escape_its_timeout() {
    // Two processes race with bandog for every byte; where it loses, there is nothing to read after poll(2) saw some.
    let thief = "import os, signal
r = os.open('/dev/stdout', os.O_RDONLY | os.O_NONBLOCK)
child = os.fork()
while child == 0:
    try:
        os.read(r, 1)
    except BlockingIOError:
        pass
for _ in range(200000):
    os.write(1, b'x')
os.kill(child, signal.SIGKILL)
signal.pause()";
    let server = serve_command("exec python3 -c \"$THIEF\"")
        .env("THIEF", thief)
        .args(["--exec-timeout", "2s", "--kill-grace", "0"])
        .quiet()
        .start();
    server.get("/").send().problem(504);
    server.is_clean();
}

#[test]
fn standard_input_is_the_input_file_if_asked_for() {
    let server = serve_command("cat; stat -L -c %F /proc/self/fd/0").args(["--stdin", "input"]).quiet().start();
    assert_eq!(server.post(encode("from stdin\n")).send().expect(200).text(), "from stdin\nregular file\n");
}

#[test]
fn standard_input_is_empty_otherwise() {
    let server = serve_command("cat; readlink /proc/self/fd/0").quiet().start();
    assert_eq!(server.post(encode("not this")).send().expect(200).text(), "/dev/null\n");
}

#[test]
fn no_descriptor_and_no_signal_state_is_handed_down() {
    // A function does not inherit descriptors or ignored signals from the program that started bandog either.
    let before = "exec 7</dev/null 9>/dev/null; trap '' PIPE HUP USR1";
    let server = serve(function("descriptors.sh")).quiet().after_command(before).start();
    // Another connection is open and another invocation runs meanwhile.
    let _other = server.connect();
    let answer = server.get("/").send().expect(200);
    let mut open = BTreeMap::new();
    let mut signals = Vec::new();
    for line in answer.text().lines() {
        if let Some((before, target)) = line.split_once(" -> ") {
            open.insert(before.rsplit(' ').next().expect("a number").to_owned(), target.to_owned());
        } else if line.starts_with("Sig") {
            signals.push(line.split_whitespace().collect::<Vec<_>>());
        }
    }
    assert_eq!(open.keys().map(String::as_str).collect::<Vec<_>>(), ["0", "1", "2", "3"], "{answer}");
    assert_eq!(open["0"], "/dev/null", "{answer}");
    assert!(open["1"].starts_with("pipe:") && open["1"] == open["2"], "one pipe: {answer}");
    assert!(open["3"].ends_with("/fd"), "the listing itself: {answer}");
    for state in signals {
        let signals = u64::from_str_radix(state[1], 16).expect("a set of signals");
        assert_eq!(signals, 0, "{answer}");
    }
}

/// A listener with hundreds of connections, moved to where no started process gets them. Its function tells which
/// descriptors it has.
fn crowded(server: Builder) -> (Server, Vec<Wire>) {
    let server = server.quiet().start();
    let wires: Vec<_> = (0..400).map(|_| server.connect()).collect();
    // Connections that are in no function's way stay: they prove that others were moved.
    eventually("connections put aside", || open(&server).any(|number| number >= 1024).then_some(()));
    (server, wires)
}

/// The numbers of the descriptors that bandog has.
fn open(server: &Server) -> impl Iterator<Item = i32> {
    let entries = fs::read_dir(format!("/proc/{}/fd", server.pid())).expect("listed");
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().parse().expect("a number"))
}

const TELL_DESCRIPTORS: &str = "ls /proc/self/fd";

fn tells_its_own_descriptors(server: &Server, wire: &mut Wire) {
    let answer = server.post("").send_on(wire).expect(200);
    assert_eq!(answer.text(), "0\n1\n2\n3\n", "the fourth is ls's own");
}

#[test]
fn hundreds_of_connections_are_left_behind_and_go_on() {
    let (server, mut wires) = crowded(serve_command(TELL_DESCRIPTORS));
    for number in [0, 255, 399] {
        tells_its_own_descriptors(&server, &mut wires[number]);
    }
    drop(wires);
    eventually("connections closed", || (open(&server).count() < 100).then_some(()));
}

/// close_range(2) and clone3(2); the numbers are the same on all architectures.
#[test]
fn a_kernel_that_lacks_the_newer_calls_starts_functions_the_older_way() {
    for call in ["436", "435"] {
        let without = [fixture("kernels/without.py").into_os_string(), call.into()];
        let (server, mut wires) = crowded(serve_command(TELL_DESCRIPTORS).under(&without));
        for _ in 0..2 {
            tells_its_own_descriptors(&server, &mut wires[399]);
        }
    }
}

#[test]
fn an_ignored_sigpipe_is_not_handed_down() {
    let server = serve_command("yes | head -n 1; echo after").quiet().start();
    assert_eq!(server.get("/").send().expect(200).text(), "y\nafter\n");
}

#[test]
fn standard_error_can_be_reopened() {
    let command = "echo 1; echo 2 >/dev/stderr; echo 3 >/dev/stdout; echo 4 >&2; echo 5 >>/dev/stderr; echo 6";
    let server = serve_command(command).quiet().start();
    assert_eq!(server.get("/").send().expect(200).text(), "1\n2\n3\n4\n5\n6\n");
}

#[test]
fn every_request_is_a_process_in_a_group_and_a_workspace_of_its_own() {
    let server = serve(function("hold.sh")).quiet().start();
    std::thread::scope(|scope| {
        let answers: Vec<_> = (0..4)
            .map(|id| {
                let request = server.get("/").header("X-Call-Id", id);
                scope.spawn(|| request.send())
            })
            .collect();
        let pids: BTreeSet<i32> =
            (0..4).map(|id| server.sign(&format!("started.{id}")).trim().parse().expect("a process id")).collect();
        assert_eq!(pids.len(), 4, "{pids:?}");
        for pid in &pids {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
            // After the name in parentheses: state, parent, process group.
            let group = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(2)).expect("a group");
            assert_eq!(group, pid.to_string(), "{stat}");
        }
        let workspaces = server.open().into_iter().filter(|path| !path.contains('/')).count();
        assert_eq!(workspaces, 4, "{server}");
        server.give("go");
        for answer in answers {
            assert_eq!(answer.join().expect("an answer").expect(200).text(), "done\n");
        }
    });
    server.is_clean();
}

#[test]
fn a_function_starts_where_bandog_was_started() {
    let server = serve_command("pwd").quiet().start();
    let home = server.workspace().parent().expect("a home").to_owned();
    assert_eq!(server.get("/").send().expect(200).text(), format!("{}\n", home.display()));
}

#[test]
fn a_client_that_leaves_a_deaf_function_ends_it_too() {
    let server = serve(function("ignore-term.sh")).args(["--kill-grace", "1s"]).start();
    let mut wire = server.connect();
    wire.write(&server.get("/").head());
    server.sign("started");
    wire.leave();
    server.is_clean();
}

#[test]
fn nothing_of_many_requests_is_left() {
    let server = serve(function("copy.sh")).start();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for number in 0..25 {
                    let answer = server.post(encode(number.to_string())).send().expect(200);
                    assert_eq!(decode(answer.body), number.to_string().as_bytes());
                }
            });
        }
    });
    server.is_clean();
    eventually("no thread, descriptor or zombie is left of a hundred requests", || {
        let descriptors = fs::read_dir(format!("/proc/{}/fd", server.pid())).expect("readable").count();
        let threads = proc_status(server.pid(), "Threads").expect("it runs");
        (descriptors < 30 && threads < 30 && server.descendants().is_empty()).then_some(())
    });
}
