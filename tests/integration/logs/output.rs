//! The output of a function in the container log: the end of it if the function fails, all of it if that is asked for.

use std::fmt::Write as _;

use rustix::process::Signal;
use serde_json::Value;

use crate::harness::{
    Builder, PATIENCE, Server,
    command::{BINARY, fresh},
    eventually, serve_command,
};

/// The fields of the lines that a function wrote, without what differs from run to run.
fn function_lines(server: &Server) -> Vec<(String, String, Option<String>)> {
    let lines = server.log();
    let lines =
        lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|_| panic!("JSON: {line}")));
    let text = |line: &Value, name: &str| line[name].as_str().map(str::to_owned);
    lines
        .filter(|line| line["logger"] == "function")
        .map(|line| {
            assert!(!text(&line, "call_id").expect("the call").is_empty(), "{line}");
            (text(&line, "level").expect("a level"), text(&line, "message").expect("text"), text(&line, "stream"))
        })
        .collect()
}

/// Calls a function that is to fail, and returns what the log has of its output.
fn failed(builder: Builder, status: u16) -> Vec<(String, String, Option<String>)> {
    let mut server = builder.args(["--log-format", "json"]).start();
    server.get("/").send().problem(status);
    server.signal(Signal::TERM);
    server.end();
    function_lines(&server)
}

fn at(level: &str, stream: Option<&str>, lines: &[&str]) -> Vec<(String, String, Option<String>)> {
    lines.iter().map(|line| (level.to_owned(), (*line).to_owned(), stream.map(str::to_owned))).collect()
}

#[test]
fn the_last_twenty_lines_of_a_function_that_fails_are_in_the_container_log() {
    let command = "seq 1 30; echo why >&2; printf unfinished; exit 3";
    let mut wanted: Vec<String> = (13..=30).map(|number: u32| number.to_string()).collect();
    wanted.extend(["why".to_owned(), "unfinished".to_owned()]);
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    assert_eq!(failed(serve_command(command), 500), at("ERROR", None, &wanted));

    let killed = serve_command("echo before; kill -9 $$");
    assert_eq!(failed(killed, 500), at("ERROR", None, &["before"]));
    let late = serve_command("echo slow; exec sleep 60").args(["--exec-timeout", "500ms"]);
    assert_eq!(failed(late, 504), at("ERROR", None, &["slow"]));
    assert_eq!(failed(serve_command("exit 3"), 500), []);
}

#[test]
fn its_caller_gets_each_line_once() {
    let server = serve_command("echo only once; exit 3").start();
    let problem = server.get("/").send().problem(500);
    assert_eq!(problem["logs"].as_str().expect("text").matches("only once").count(), 1, "{problem}");
    server.log_line("the end of the output", |line| line.contains(" - function - ERROR - [") && line.contains("once"));
}

#[test]
fn lines_that_were_forwarded_are_not_repeated() {
    for flags in [&["--forward-logs"][..], &["--log-level", "DEBUG"], &["--forward-logs", "--log-level", "CRITICAL"]] {
        let lines = failed(serve_command("echo forwarded; exit 3").args(flags), 500);
        assert_eq!(lines, at("INFO", None, &["forwarded"]), "{flags:?}");
    }
}

#[test]
fn nothing_is_there_of_a_success_or_below_the_level() {
    let quiet = serve_command("echo unasked; exit 3").args(["--log-level", "CRITICAL"]).start();
    quiet.get("/").send().problem(500);
    let server = serve_command("echo unasked").start();
    server.get("/").send().expect(200);
    server.log_line("the access line", |line| line.contains("status=200"));
    assert!(!quiet.log().contains("unasked") && !server.log().contains("unasked"), "{quiet} {server}");
}

#[test]
fn where_the_streams_are_two_a_line_names_its_own() {
    let mode = |command: &str| serve_command(command).args(["--mode", "stdio"]);
    let both = "echo result; echo why >&2; exit 3";
    assert_eq!(failed(mode(both), 500), at("ERROR", Some("stderr"), &["why"]));
    assert_eq!(failed(mode(both).args(["--forward-logs"]), 500), at("INFO", Some("stderr"), &["why"]));
    // The response that is not sent says why, if nothing else does.
    assert_eq!(failed(mode("echo said; exit 3"), 500), at("ERROR", Some("stdout"), &["said"]));
    let combined = mode(both).args(["--combine-output"]);
    assert_eq!(failed(combined, 500), at("ERROR", None, &["result", "why"]));
}

#[test]
fn a_line_of_the_output_cannot_pass_for_another() {
    let command = r"printf '2026-11-20 14:49:56,867 - supervisor - INFO - forged\r\033[2Kx\342\200\256y\377\n'; exit 3";
    for format in ["text", "json"] {
        let server = serve_command(command).args(["--log-format", format]).start();
        server.get("/").send().problem(500);
        let line = server.log_line("the quoted line", |line| line.contains("forged"));
        assert!(line.contains("function") && !line.contains(['\r', '\u{1b}', '\u{202e}']), "{format}: {line:?}");
    }
}

#[test]
fn long_output_costs_the_log_no_more_than_its_end() {
    let command = "head -c 5000000 /dev/zero | tr '\\0' x; echo; echo last; exit 3";
    let lines = failed(serve_command(command), 500);
    let mut shown = String::new();
    for (_, line, _) in &lines {
        let _ = write!(shown, "{line}");
    }
    assert!(lines.len() == 2 && lines[1].1 == "last" && lines[0].1.starts_with('…'), "{} bytes", shown.len());
    assert!((10_000..20_000).contains(&shown.len()), "{} bytes", shown.len());
}

/// With `writeln!` in `say` the datagrams were "bandog: " and the rest, and lines of the log came between them.
#[test]
fn a_message_of_a_command_is_written_at_once() {
    let (to, from) = std::os::unix::net::UnixDatagram::pair().expect("two sockets");
    from.set_read_timeout(Some(PATIENCE)).expect("a limit");
    let home = tempfile::tempdir().expect("a directory");
    // Each write is a datagram.
    let status = fresh(BINARY)
        .args(["run", "--workspace", ".", "--text-input", "x", "--", "/bin/sh", "-c", "exit 9"])
        .current_dir(home.path())
        .env_clear()
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::os::fd::OwnedFd::from(to))
        .status()
        .expect("it runs");
    assert_eq!(status.code(), Some(9));
    let mut datagram = [0; 4096];
    let message = eventually("the message", || {
        let count = from.recv(&mut datagram).expect("a datagram");
        let text = String::from_utf8_lossy(&datagram[..count]).into_owned();
        text.contains("bandog: ").then_some(text)
    });
    assert!(message.starts_with("bandog: ") && message.ends_with('\n') && message.len() > 10, "{message:?}");
}
