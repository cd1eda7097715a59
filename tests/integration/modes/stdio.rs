//! The promises that hold in `stdio` and in `streaming` alike, and those of `stdio` alone.

use std::fs;

use super::{MODES, serve};
use crate::harness::{bandog, decode, encode, eventually, listing, noise, proc_status, shown};

/// Bytes that no process need hold at once.
const LARGE: usize = 64 << 20;

/// The most memory that a listener may hold, in KiB, whatever passes through it.
const PEAK_KIB: u64 = 24 * 1024;

#[test]
fn a_body_of_any_bytes_is_standard_input_and_standard_output_is_the_answer() {
    for mode in MODES {
        let server = serve(mode, "cat").start();
        let bytes = noise(300_000);
        for (body, media) in [
            (&bytes[..], "application/octet-stream"),
            (b"{not json", "application/json"),
            (b"aGVsbG8=", "text/plain"),
            (b"\0\r\n\xff", "no type at all"),
            (b"--x\r\n", "multipart/form-data; boundary=x"),
            (b"", "image/png"),
        ] {
            for request in [server.post(body).media(media), server.post(body).media(media).chunked(&[1000])] {
                let answer = request.send().expect(200);
                assert!(answer.body == body, "{mode} {media}: {answer}");
                assert_eq!(answer.wants("content-type"), "application/octet-stream", "{mode} {media}");
                assert_eq!(answer.header("content-transfer-encoding"), None, "{mode} {media}");
            }
        }
        let gzip = server.post(b"\x1f\x8b not really").header("Content-Encoding", "gzip").send().expect(200);
        assert_eq!(gzip.body, b"\x1f\x8b not really", "{mode}");
        server.is_clean();
    }
}

#[test]
fn nobody_can_choose_another_form_of_a_bare_answer() {
    for mode in MODES {
        let server = serve(mode, "cat").start();
        for accept in ["application/json", "text/event-stream", "application/zip", "text/plain"] {
            let answer = server.post("x").accept(accept).send().expect(200);
            assert_eq!((answer.text(), answer.header("vary")), ("x", None), "{mode} {accept}");
            assert_eq!(answer.header("content-disposition"), None, "{mode} {accept}");
            assert_eq!(answer.wants("x-output-kind"), "stdout", "{mode} {accept}");
        }
    }
}

#[test]
fn an_answer_of_stdio_has_the_head_of_a_file_and_its_length() {
    let server = serve("stdio", "cat; echo log >&2").args(["--answer-type", "text/plain; charset=utf-8"]).start();
    let answer = server.post("hello").header("X-Call-Id", "me").send().expect(200);
    for (name, value) in [
        ("content-length", "5"),
        ("content-type", "text/plain; charset=utf-8"),
        ("x-call-id", "me"),
        ("x-exit-code", "0"),
        ("x-output-kind", "stdout"),
    ] {
        assert_eq!(answer.wants(name), value, "{answer}");
    }
    let seconds: f64 = answer.wants("x-duration-seconds").parse().expect("a number");
    assert!((0.0..30.0).contains(&seconds), "{answer}");
    assert_eq!(answer.header("x-output-name"), None, "it is no file of the function's: {answer}");
}

#[test]
fn large_bodies_pass_through_and_cost_no_memory() {
    let body = noise(LARGE);
    for mode in MODES {
        let server = serve(mode, "cat").start();
        let answer = server.post(&body).send().expect(200);
        assert!(answer.body == body, "{mode}: {} bytes came back", answer.body.len());
        let peak = proc_status(server.pid(), "VmHWM").expect("it runs");
        assert!(peak < PEAK_KIB, "{mode}: {peak} KiB for {LARGE} bytes");
        server.is_clean();
    }
}

#[test]
fn a_function_that_ignores_a_large_standard_input_answers_all_the_same() {
    let body = noise(8 << 20);
    for mode in MODES {
        let server = serve(mode, "echo ready").start();
        for _ in 0..10 {
            assert_eq!(server.post(&body).send().expect(200).text(), "ready\n", "{mode}");
        }
        server.is_clean();
    }
}

#[test]
fn standard_error_is_for_the_logs_and_part_of_the_answer_only_if_combined() {
    const TALK: &str = "echo out 1; echo err 1 >&2; echo out 2; echo err 2 >&2";
    for mode in MODES {
        let apart = serve(mode, TALK).args(["--forward-logs"]).start();
        assert_eq!(apart.post("").send().expect(200).text(), "out 1\nout 2\n", "{mode}");
        apart.log_line("standard error", |line| line.contains("err 1"));
        assert!(!apart.log().contains("out 1"), "{mode}: {apart}");
        let combined = serve(mode, TALK).args(["--combine-output"]).start();
        assert_eq!(combined.post("").send().expect(200).text(), "out 1\nerr 1\nout 2\nerr 2\n", "{mode}");
    }
}

#[test]
fn a_failure_is_a_problem_with_standard_error_as_its_logs() {
    for mode in MODES {
        for (end, status, slug) in [
            ("exit 3", 500, "function-failed"),
            ("kill -9 $$", 500, "function-killed"),
            ("sleep 60", 504, "function-timeout"),
        ] {
            let server = serve(mode, &format!("cat >/dev/null; echo why >&2; {end}"))
                .args(["--exec-timeout", "1s"])
                .quiet()
                .start();
            let answer = server.post("x").send();
            let problem = answer.problem(status);
            assert_eq!(answer.wants("x-bandog-error"), slug, "{mode}: {answer}");
            assert_eq!(problem["logs"], "why\n", "{mode}: {answer}");
            server.is_clean();
        }
    }
}

#[test]
fn what_a_failed_function_has_written_with_combined_output_is_the_problems_logs() {
    for (end, status, logs) in
        [("exit 4", 500, "out\nwhy\n"), ("kill -9 $$", 500, "out\nwhy\n"), ("exec sleep 60", 504, "out\nwhy\n")]
    {
        let command = format!("echo out; echo why >&2; {end}");
        let server = serve("stdio", &command).args(["--combine-output", "--exec-timeout", "1s"]).quiet().start();
        assert_eq!(server.post("").send().problem(status)["logs"], logs, "{end}");
    }
    let command = "head -c 100000 /dev/zero | tr '\\0' x; printf 'no space left' >&2; exit 4";
    let server = serve("stdio", command).args(["--combine-output", "--forward-logs"]).quiet().start();
    let problem = server.post("").send().problem(500);
    let logs = problem["logs"].as_str().expect("text");
    assert!(logs.len() == 64 * 1024 && logs.ends_with("xno space left"), "{} bytes", logs.len());
    server.log_line("the last of it", |line| line.contains("no space left"));
}

#[test]
fn in_stdio_what_a_failing_function_has_written_is_not_sent() {
    let server = serve("stdio", "echo half; exit 3").start();
    let answer = server.post("x").send();
    assert_eq!(answer.problem(500)["exit_code"], 3);
    assert!(!answer.text().contains("half"), "{answer}");
}

#[test]
fn a_function_that_starts_others_which_keep_standard_output_open_holds_nothing_up() {
    for mode in MODES {
        let server = serve(mode, "sleep \"$HARNESS_MARK\" & echo done").start();
        assert_eq!(server.post("").send().expect(200).text(), "done\n", "{mode}");
        server.is_clean();
    }
}

#[test]
fn more_standard_output_than_max_output_ends_the_run() {
    let flags = ["--max-output", "1MB", "--exec-timeout", "0"];
    let server = serve("stdio", "exec yes").args(flags).start();
    let answer = server.post("").send();
    assert!(answer.problem(500)["detail"].as_str().is_some_and(|text| text.contains("1000000")), "{answer}");
    assert_eq!(answer.wants("x-bandog-error"), "output-too-large", "{answer}");
    server.is_clean();
    let server = serve("streaming", "exec yes").args(flags).start();
    let answer = server.post("").send();
    assert!(!answer.whole && answer.body.len() <= 1_000_000, "{} bytes, whole: {}", answer.body.len(), answer.whole);
    server.is_clean();
}

#[test]
fn the_function_finds_the_variables_of_mode_files_too() {
    for mode in MODES {
        let command =
            r#"cat "$INPUT_FILE_PATH"; cd "$TMP_OUTPUT_DIR" && ls -A "$TMP_INPUT_DIR" && echo "$CALL_ID $Http_Method""#;
        let server = serve(mode, command).start();
        let request = server.post("x\n").media("image/png").header("X-Call-Id", "me");
        let answer = request.send().expect(200);
        let lines: Vec<&str> = answer.text().lines().collect();
        assert!(lines[0] == "x" && lines[1].contains(".png") && lines[2] == "me POST", "{mode}: {answer}");
    }
}

#[test]
fn files_in_the_output_directory_are_left_out_with_a_warning() {
    for mode in MODES {
        let server = serve(mode, r#"echo answer; echo x >"$TMP_OUTPUT_DIR/x""#).start();
        assert_eq!(server.post("").send().expect(200).text(), "answer\n", "{mode}");
        server.log_line("the warning", |line| line.contains("WARNING") && line.contains("TMP_OUTPUT_DIR"));
        server.is_clean();
    }
}

/// Each of two lines was sent, `Vary: Accept` was lost, and a location without a status was answered with 200.
#[test]
fn the_headers_of_a_function_are_added_to_those_that_caches_and_clients_need() {
    let command = r#"printf 'Vary: Origin\nContent-Type: a/b\nContent-Type: text/x-last\nLocation: /there\n' >"$RESPONSE_HEADERS_PATH"; echo lit"#;
    for mode in ["files", "stdio", "streaming"] {
        let server = serve(mode, command);
        let server = if mode == "files" { server } else { server.args(["--encode"]) }.start();
        let answer = server.post("").send().expect(302);
        assert_eq!(answer.wants("content-type"), "text/x-last", "{mode}: {answer}");
        assert_eq!((answer.wants("location"), answer.wants("vary")), ("/there", "Accept, Origin"), "{mode}: {answer}");
    }
}

#[test]
fn a_function_says_its_own_status_type_and_headers() {
    let command = r#"printf 'Status: 201\nContent-Type: text/x-own\nX-Lamp: on\n' >"$RESPONSE_HEADERS_PATH"; echo lit"#;
    for mode in MODES {
        let server = serve(mode, command).start();
        let answer = server.post("").send().expect(201);
        assert_eq!((answer.wants("content-type"), answer.wants("x-lamp")), ("text/x-own", "on"), "{mode}");
        assert_eq!(answer.text(), "lit\n", "{mode}");
        let silent = serve(mode, r#"echo 'Status: 204' >"$RESPONSE_HEADERS_PATH"; echo unseen; sleep 0.2"#).start();
        let mut wire = silent.connect();
        for _ in 0..2 {
            let answer = silent.post("").send_on(&mut wire).expect(204);
            assert!(answer.body.is_empty(), "{mode}: {answer}");
        }
        let wrong = serve(mode, r#"echo nonsense >"$RESPONSE_HEADERS_PATH"; echo unseen; sleep 0.2"#).start();
        let answer = wrong.post("").send();
        answer.problem(500);
        assert_eq!(answer.wants("x-bandog-error"), "output-unreadable", "{mode}: {answer}");
    }
}

#[test]
fn no_output_is_an_empty_success() {
    for mode in MODES {
        let server = serve(mode, "cat >/dev/null").start();
        let answer = server.post("x").send().expect(200);
        assert!(answer.body.is_empty() && answer.wants("content-length") == "0", "{mode}: {answer}");
    }
}

#[test]
fn decode_makes_of_the_body_what_mode_files_makes_of_it() {
    for mode in MODES {
        let server = serve(mode, "cat").args(["--decode"]).start();
        for (request, wanted) in [
            (server.post(encode("hello")), "hello"),
            (server.post("{\"a\": 1}").media("application/json"), "{\"a\": 1}"),
            (server.post("as it is").media("image/png"), "as it is"),
        ] {
            assert_eq!(request.send().expect(200).text(), wanted, "{mode}");
        }
        server.post("no!").send().problem(400);
        server.post("x").header("Content-Encoding", "br").send().problem(415);
    }
}

#[test]
fn what_the_function_gives_a_type_of_its_own_is_no_attachment() {
    let command = r#"echo 'Content-Type: text/html' >"$RESPONSE_HEADERS_PATH"; printf hello; sleep 0.3"#;
    for mode in MODES {
        let server = serve(mode, command).args(["--encode"]).start();
        for accept in ["*/*", "application/octet-stream"] {
            let answer = server.post("").header("Accept", accept).send().expect(200);
            assert_eq!((answer.wants("content-type"), answer.text()), ("text/html", "hello"), "{mode}: {answer}");
            assert_eq!(answer.header("content-disposition"), None, "{mode}, {accept}: {answer}");
        }
    }
}

#[test]
fn encode_makes_of_standard_output_what_mode_files_makes_of_one_file() {
    let bytes = noise(200_003);
    for mode in MODES {
        let server = serve(mode, "cat").args(["--encode", "--answer-type", "image/png"]).start();
        let answer = server.post(&bytes).send().expect(200);
        assert!(decode(&answer.body) == bytes, "{mode}");
        for (name, value) in [
            ("content-type", "text/plain; charset=utf-8"),
            ("content-transfer-encoding", "base64"),
            ("x-output-kind", "file"),
            ("vary", "Accept"),
        ] {
            assert_eq!(answer.wants(name), value, "{mode}");
        }
        for (accept, wanted) in [("application/octet-stream", "application/octet-stream"), ("image/*", "image/png")] {
            let answer = server.post(&bytes).accept(accept).send().expect(200);
            assert!(answer.body == bytes && answer.wants("content-type") == wanted, "{mode} {accept}");
            assert!(answer.wants("content-disposition").contains("stdout"), "{mode} {accept}");
        }
    }
    let server = serve("stdio", "cat; echo log >&2").args(["--encode"]).quiet().start();
    let document = server.post("hello").accept("application/json").send().expect(200).json();
    assert_eq!((&document["files"][0]["data"], &document["logs"]), (&encode("hello").into(), &"log\n".into()));
    let events = server.post("hello").accept("text/event-stream").send().expect(200);
    assert!(events.text().starts_with("event: log\ndata: log\n\nevent: result\n"), "{events}");
    assert!(events.text().contains(&encode("hello")), "{events}");
}

#[test]
fn one_place_after_the_other_is_free_again() {
    for mode in MODES {
        let server = serve(mode, "cat; exit $(cat \"$INPUT_FILE_PATH\")").args(["--max-inflight", "1"]).start();
        let mut wire = server.connect();
        for code in ["0", "0", "0"] {
            assert_eq!(server.post(code).send_on(&mut wire).expect(200).text(), code, "{mode}");
        }
        eventually("the workspaces are gone", || listing(&server.workspace()).is_empty().then_some(()));
    }
}

#[test]
fn bandog_run_takes_its_standard_input_and_gives_its_standard_output() {
    let bytes = noise(3_000_000);
    for mode in MODES {
        let run = |command: &str| {
            let arguments = ["run", "--mode", mode];
            bandog(arguments).with_workspace().args(["--", "/bin/sh", "-c", command])
        };
        let ran = run("cat; echo log >&2").stdin(&bytes).run().expect(0);
        assert!(ran.stdout == bytes, "{mode}: {} bytes", ran.stdout.len());
        assert!(ran.stderr.is_empty(), "{mode}: {}", shown(&ran.stderr));
        let failed = run("cat >/dev/null; echo why >&2; exit 7").stdin("x").run().expect(7);
        assert!(failed.text().contains("\"exit_code\":7"), "{mode}: {failed}");
        run("kill -9 $$").stdin("x").run().expect(137);
        let encoded = bandog(["run", "--mode", mode, "--encode", "--text-input", "hello"]).with_workspace();
        assert_eq!(encoded.args(["--", "/bin/cat"]).run().expect(0).text(), encode("hello"), "{mode}");
        let written = bandog(["run", "--mode", mode, "--text-input", "hello", "--output", "out"]).with_workspace();
        let ran = written.args(["--", "/bin/cat"]).run().expect(0);
        assert_eq!(fs::read(ran.home().join("out")).expect("written"), b"hello", "{mode}");
    }
}

#[test]
fn bandog_call_takes_a_bare_answer_as_it_is() {
    for mode in MODES {
        let server = serve(mode, "cat").args(["--decode"]).start();
        let call = |text: &str| bandog(["call", &server.url("/"), "--text-input", text]).run().expect(0);
        // The answer looks like base64, and is none.
        assert_eq!((call("aGVsbG8=").text(), call("aGVsbG8=").complaint()), ("aGVsbG8=", ""), "{mode}");
        let encoded = serve(mode, "cat").args(["--decode", "--encode"]).start();
        assert_eq!(bandog(["call", &encoded.url("/"), "-i", "hello"]).run().expect(0).text(), "hello", "{mode}");
    }
}

#[test]
fn settings_that_make_no_sense_together_are_mistakes() {
    let check = |arguments: &[&str]| bandog(["check"]).args(arguments).args(["--", "/bin/cat"]).run();
    let ran = check(&["--mode", "stdio", "--stdin", "null"]).expect(78);
    assert!(ran.text().contains("--stdin: \"null\""), "{ran}");
    let ran = check(&["--mode", "stdio", "--answer-type", "nonsense"]).expect(78);
    assert!(ran.text().contains("--answer-type: \"nonsense\": expected a media type"), "{ran}");
    check(&["--mode", "stdio", "--stdin", "input", "--answer-type", "text/html"]).expect(0);
    check(&["--decode", "--encode"]).expect(0);
}
