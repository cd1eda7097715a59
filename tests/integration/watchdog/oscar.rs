//! OSCAR's pods: `fprocess` names the supervisor, whose work is done in this process.

use std::time::Duration;

use super::oscar;
use crate::harness::{Answer, encode, environment, eventually};

const ONE_FILE: &str = "cp \"$INPUT_FILE_PATH\" \"$TMP_OUTPUT_DIR/out\"\n";

#[test]
fn one_process_does_the_work_of_both_and_its_result_is_in_the_log_of_the_container() {
    let server = oscar(ONE_FILE).start();
    let answer = server.post(encode("some bytes")).send().expect(200);
    assert_eq!(answer.text(), encode("some bytes"));
    assert_eq!(answer.wants("content-type"), "text/plain; charset=utf-8");
    assert!(answer.wants("x-duration-seconds").parse::<f64>().is_ok(), "{answer}");
    // write_debug
    eventually("the result on standard output", || (server.stdout() == encode("some bytes").as_bytes()).then_some(()));
}

#[test]
fn any_path_is_the_functions_whatever_the_service_is_called() {
    let server = oscar(ONE_FILE).start();
    for target in ["/", "/run/other", "/metrics", "/a/../b"] {
        server.request("POST", target).body(encode("x")).send().expect(200);
    }
}

#[test]
fn the_answer_has_the_type_of_the_request_unless_one_is_set() {
    let server = oscar(ONE_FILE).start();
    let typed = |media: &str| server.post(encode("x")).media(media).send().expect(200);
    assert_eq!(typed("application/json").wants("content-type"), "application/json");
    let server = oscar(ONE_FILE).env("content_type", "text/csv").start();
    let answer = server.post(encode("x")).media("application/json").send().expect(200);
    assert_eq!((answer.wants("content-type"), answer.text()), ("text/csv", &*encode("x")));
    // A client that asks for another form is told its type.
    let raw = server.post(encode("x")).accept("application/octet-stream").send().expect(200);
    assert_eq!((raw.wants("content-type"), raw.text()), ("application/octet-stream", "x"));
}

#[test]
fn accept_and_the_type_of_the_body_say_nothing_if_the_old_way_is_wanted() {
    let server = oscar(ONE_FILE).args(["--compat", "accept,untyped,newline"]).start();
    let request = server.post(encode("x")).accept("application/octet-stream").media("application/octet-stream");
    assert_eq!(request.send().expect(200).text(), format!("{}\n", encode("x")));
}

/// Status, body, and the word of the error.
fn failure(answer: &Answer) -> (u16, String, String) {
    assert!(answer.whole, "{answer}");
    let word = answer.header("x-bandog-error").unwrap_or_default().to_owned();
    (answer.status, answer.text().to_owned(), word)
}

#[test]
fn a_script_that_fails_is_500_with_its_exit_status_and_output_and_was_200() {
    let script = "echo before; echo more >&2; exit 3\n";
    let answer = oscar(script).start().post("{}").send();
    assert_eq!(answer.wants("content-type"), "text/plain; charset=utf-8");
    assert_eq!(failure(&answer), (500, "exit status 3\nbefore\nmore\n".to_owned(), "function-failed".to_owned()));
    let answer = oscar("kill -9 $$\n").start().post("{}").send();
    assert_eq!(failure(&answer), (500, "signal: killed\n".to_owned(), "function-killed".to_owned()));
    let answer = oscar(script).args(["--compat", "status-200"]).start().post("{}").send();
    assert_eq!(failure(&answer), (200, "before\nmore\n".to_owned(), String::new()));
}

#[test]
fn a_run_that_takes_too_long_is_504_in_the_old_words_and_was_408() {
    for limit in ["exec_timeout", "write_timeout"] {
        let builder = oscar("echo before; sleep 60\n").env(limit, "100ms").args(["--kill-grace", "0"]);
        let answer = builder.start().post("{}").send();
        assert_eq!(answer.wants("content-type"), "text/plain; charset=utf-8");
        assert_eq!(failure(&answer), (504, "Killed process.\n".to_owned(), "function-timeout".to_owned()), "{limit}");
    }
    let builder = oscar("sleep 60\n").env("exec_timeout", "100ms").args(["--compat", "status-408"]);
    assert_eq!(failure(&builder.start().post("{}").send()).0, 408);
}

#[test]
fn a_body_that_is_neither_json_nor_base64_is_400_in_plain_words_and_was_500() {
    let answer = oscar(ONE_FILE).start().post("hello, world").send();
    assert_eq!(answer.wants("content-type"), "text/plain; charset=utf-8");
    let (status, text, _) = failure(&answer);
    assert!(status == 400 && text.starts_with("the body is neither JSON") && text.ends_with('\n'), "{text}");
    let answer = oscar(ONE_FILE).args(["--compat", "status-500"]).start().post("hello, world").send();
    let (status, text, _) = failure(&answer);
    assert!(status == 500 && text.starts_with("exit status 1\nthe body is neither"), "{text}");
}

#[test]
fn one_too_many_is_429_in_the_words_of_the_middleware() {
    let server = oscar("echo >\"$SCRATCH/started\"; while [ ! -e \"$SCRATCH/go\" ]; do sleep 0.01; done\n").start();
    let mut wire = server.connect();
    wire.write(&server.post("{}").head());
    wire.write(b"{}");
    server.sign("started");
    let answer = server.post("{}").send().expect(429);
    assert_eq!(answer.text(), "Concurrent request limit exceeded. Max concurrent requests: 1\n");
    assert_eq!(answer.wants("x-openfaas-internal"), "faas-middleware");
    assert_eq!(answer.wants("content-type"), "text/plain");
    assert_eq!(answer.wants("retry-after"), "1");
    assert!(server.get("/_/health").send().expect(200).whole, "probes need no place");
    server.give("go");
    wire.answer().expect(200);
}

#[test]
fn other_methods_are_405_without_a_word() {
    let server = oscar("true").start();
    for method in ["OPTIONS", "TRACE", "BREW"] {
        let answer = server.request(method, "/").send().expect(405);
        assert!(answer.body.is_empty() && !answer.wants("allow").is_empty(), "{answer}");
    }
}

#[test]
fn the_request_becomes_variables_in_the_watchdogs_way() {
    let script = "env -0 >\"$TMP_OUTPUT_DIR/env\"\n";
    let server = oscar(script).start();
    let request = || {
        let request = server.request("GET", "/a%20b?q=%20").header("X-Many", "1").header("X-Many", "2");
        request.header("Authorization", "Bearer x").header("Proxy", "evil")
    };
    let seen = environment(request());
    for (name, value) in [
        ("Http_Method", "GET"),
        ("Http_Path", "/a b"),
        ("Http_Query", "q=%20"),
        ("Http_Content_Length", "0"),
        ("Http_ContentLength", "0"),
        ("Http_Transfer_Encoding", ""),
        ("Http_X_Many", "1"),
    ] {
        assert_eq!(seen.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert!(!seen.contains_key("Http_Authorization") && !seen.contains_key("Http_Proxy"), "{seen:?}");
    let chunked = environment(server.post("{}").chunked(&[1]));
    assert_eq!(chunked["Http_ContentLength"], "-1");
    assert_eq!(chunked["Http_Transfer_Encoding"], "chunked");

    let off = oscar(script).env("cgi_headers", "false").start();
    let seen = environment(off.get("/").header("X-Many", "1"));
    assert!(!seen.keys().any(|name| name.starts_with("Http_")), "{seen:?}");

    let old = oscar(script).args(["--compat", "authorization,unset-empty"]).start();
    let seen = environment(old.get("/").header("Authorization", "Bearer x").header("Proxy", "evil"));
    assert_eq!(seen["Http_Authorization"], "Bearer x");
    assert!(!seen.contains_key("Http_Query") && !seen.contains_key("Http_Transfer_Encoding"), "{seen:?}");
    assert!(!seen.contains_key("Http_Proxy"), "{seen:?}");
}

#[test]
fn logs_are_in_the_answer_only_if_combine_output_is_set_to_true() {
    let script = "echo printed\ncp \"$INPUT_FILE_PATH\" \"$TMP_OUTPUT_DIR/out\"\n";
    let body = |builder: crate::harness::Builder| {
        let server = builder.args(["--log-level", "INFO"]).start();
        server.post(encode("x")).send().expect(200).text().to_owned()
    };
    assert_eq!(body(oscar(script)), encode("x"));
    assert_eq!(body(oscar(script).env("combine_output", "false")), encode("x"));
    let mixed = body(oscar(script).env("combine_output", "true"));
    let (lines, result) = mixed.rsplit_once('\n').expect("lines before the result");
    assert_eq!(result, encode("x"));
    assert!(lines.contains(" - supervisor - INFO - function started: ") && !lines.contains("printed"), "{mixed}");
    // Without a file what is printed is the result, alone with false.
    assert_eq!(body(oscar("echo printed").env("combine_output", "false")), "printed\n");
    assert!(body(oscar("echo printed").env("combine_output", "true")).contains(" - INFO - "));
}

#[test]
fn a_function_whose_caller_has_gone_is_ended_and_ran_on() {
    let script = "echo >\"$SCRATCH/started\"\ntrap 'echo >\"$SCRATCH/ended\"; exit' TERM\n\
                  n=0; while [ $n -lt 100 ]; do sleep 0.02; n=$((n + 1)); done; echo >\"$SCRATCH/done\"\n";
    let leave = |server: &crate::harness::Server| {
        let mut wire = server.connect();
        wire.write(&server.post("{}").head());
        wire.write(b"{}");
        server.sign("started");
        wire.leave();
    };
    let server = oscar(script).start();
    leave(&server);
    server.sign("ended");
    let mut server = oscar(script).args(["--compat", "detach"]).start();
    leave(&server);
    // The end waits for it, too.
    server.signal(rustix::process::Signal::TERM);
    let (status, took) = server.end();
    assert!(status.success() && took < Duration::from_secs(25), "{status} after {took:?}");
    assert!(server.has_sign("done") && !server.has_sign("ended"), "{server}");
    server.check_nothing_is_left();
}
