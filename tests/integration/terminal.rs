//! `bandog run` at a terminal speaks to a person; anywhere else not a byte is different.

use std::fs;

use crate::harness::{Command, Ran, bandog, command::BINARY, decode, program, serve_command};

/// Runs a command whose standard output is a terminal, or the stream that `AT_A_TERMINAL` names, and prints what that
/// shows. If it shows `first`, the file `go` is made. The other stream stays apart.
const AT_A_TERMINAL: &str = r#"
import os, pty, subprocess, sys
master, slave = pty.openpty()
streams = {os.environ.get("AT_A_TERMINAL", "stdout"): slave}
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, **streams)
os.close(slave)
shown = b""
while True:
    try:
        piece = os.read(master, 65536)
    except OSError:
        break
    if not piece:
        break
    shown += piece
    if b"first" in shown:
        open("go", "w").close()
sys.stdout.buffer.write(shown.replace(b"\r\n", b"\n"))
sys.exit(child.wait())
"#;

fn at_a_terminal(arguments: &[&str]) -> Command {
    program("python3").args(["-c", AT_A_TERMINAL, BINARY]).args(arguments)
}

fn run(flags: &[&str], shell: &str) -> Ran {
    at_a_terminal(&["run", "-i", ""]).with_workspace().args(flags).args(["--", "/bin/sh", "-c", shell]).run()
}

#[test]
fn the_log_appears_while_the_function_runs_and_a_summary_follows() {
    let wait = "echo first; while [ ! -e \"$HOME/go\" ]; do sleep 0.01; done; printf 'second \\377\\000'";
    let command = at_a_terminal(&["run", "-i", "", "--exec-timeout", "20s"]).with_workspace();
    let home = command.home().to_owned();
    let ran = command.env("HOME", &home).args(["--", "/bin/sh", "-c", wait]).run().expect(0);
    assert_eq!(ran.text(), "first\nsecond \u{fffd}\u{fffd}\n", "{ran}");
    let summary = ran.complaint().lines().last().expect("a line").to_owned();
    for part in ["exit code 0", " s, CPU 0.", "peak memory ", " MiB", "0 files", "bytes of logs"] {
        assert!(summary.contains(part), "{part}: {ran}");
    }
    assert_eq!(ran.complaint().lines().count(), 1, "{ran}");
}

#[test]
fn text_is_shown_and_other_bytes_are_not() {
    let ran = run(&[], "echo logged; printf 'a text' >\"$TMP_OUTPUT_DIR/a.txt\"").expect(0);
    assert_eq!(ran.text(), "logged\na text\n", "{ran}");
    assert!(ran.complaint().contains("1 file, 6 bytes"), "{ran}");
    let ran = run(&[], "printf '\\211PNG\\r\\n\\032\\n\\000' >\"$TMP_OUTPUT_DIR/a.png\"").expect(0);
    assert_eq!(ran.text(), "", "{ran}");
    assert!(ran.complaint().contains("bandog: 9 bytes of image/png; write them with -o FILE\n"), "{ran}");
    let ran = run(&[], "for n in 1 2 3; do printf $n >\"$TMP_OUTPUT_DIR/$n.jpg\"; done").expect(0);
    assert_eq!(ran.text(), "", "{ran}");
    assert!(
        ran.complaint().contains("3 files, 3 bytes; write them with -o")
            && ran.complaint().contains("  2.jpg (1 byte)"),
        "{ran}"
    );
}

#[test]
fn a_failure_is_told_in_sentences() {
    let ran = run(&[], "for n in $(seq 100); do echo line $n; done; echo why it failed >&2; exit 3").expect(3);
    assert!(ran.text().starts_with("line 1\n") && ran.text().ends_with("why it failed\n"), "{ran}");
    assert!(!ran.text().contains('{') && !ran.text().contains("supervisor"), "{ran}");
    let lines: Vec<&str> = ran.complaint().lines().collect();
    assert_eq!(lines[0], "bandog: The function failed: the function exited with code 3", "{ran}");
    assert_eq!(lines[1..4], ["bandog: exit code 3", "bandog: its log ends with:", "bandog:   line 92"], "{ran}");
    assert_eq!(lines[12], "bandog:   why it failed", "{ran}");
    assert!(lines[13].starts_with("bandog: next: ") && lines[14].starts_with("bandog: exit code 3, "), "{ran}");
    let ran = run(&["--exec-timeout", "200ms", "--kill-grace", "1s"], "exec sleep 1000").expect(124);
    assert!(ran.complaint().contains("next: raise --exec-timeout"), "{ran}");
}

#[test]
fn with_output_the_log_is_shown_and_the_file_named() {
    let ran = run(&["-o", "out/"], "echo logged; printf x >\"$TMP_OUTPUT_DIR/a.png\"").expect(0);
    assert_eq!(ran.text(), "logged\n", "{ran}");
    assert!(ran.complaint().contains("written to out/a.png (1 byte)\n"), "{ran}");
    assert_eq!(fs::read(ran.home().join("out/a.png")).expect("there"), b"x");
    assert!(ran.complaint().lines().last().is_some_and(|line| line.contains("1 file, 1 byte")), "{ran}");
}

#[test]
fn a_stream_is_shown_while_it_is_written() {
    let wait = "echo first; echo aside >&2; while [ ! -e \"$HOME/go\" ]; do sleep 0.01; done; echo last";
    let flags = ["run", "-i", "", "--mode", "streaming", "--exec-timeout", "20s"];
    let command = at_a_terminal(&flags).with_workspace();
    let home = command.home().to_owned();
    let ran = command.env("HOME", &home).args(["--", "/bin/sh", "-c", wait]).run().expect(0);
    assert!(ran.text().starts_with("first\n") || ran.text().starts_with("aside\n"), "{ran}");
    assert!(ran.text().contains("aside\n") && ran.text().ends_with("last\n"), "{ran}");
    let flags = ["--mode", "streaming"];
    let ran = run(&flags, "sleep 0.2; printf '\\377\\330\\000'; sleep 0.2").expect(0);
    assert_eq!(ran.text(), "", "{ran}");
    assert!(ran.complaint().contains("3 bytes") && ran.complaint().contains("-o FILE"), "{ran}");
}

#[test]
fn a_form_that_is_asked_for_is_given() {
    let ran = run(&["--header", "Accept: application/json"], "echo logged").expect(0);
    assert!(ran.text().starts_with('{') && ran.text().contains("\"files\":[]"), "{ran}");
}

#[test]
fn a_person_is_told_where_the_result_is() {
    let flags = ["run", "-i", "", "-o", "a.txt"];
    let command = at_a_terminal(&flags).with_workspace().env("AT_A_TERMINAL", "stderr");
    let ran = command.args(["--", "/bin/sh", "-c", "printf x >\"$TMP_OUTPUT_DIR/b.txt\""]).run().expect(0);
    assert_eq!(ran.text(), "bandog: written to a.txt (1 byte)\n", "{ran}");
    let server = serve_command("printf x >\"$TMP_OUTPUT_DIR/b.txt\"").start();
    let command = at_a_terminal(&["call", &server.url("/"), "-o", "a.txt"]).env("AT_A_TERMINAL", "stderr");
    let ran = command.run().expect(0);
    assert_eq!(ran.text(), "bandog: written to a.txt (1 byte)\n", "{ran}");
}

#[test]
fn without_a_terminal_nothing_is_different() {
    let plain = |shell: &str| bandog(["run", "-i", ""]).with_workspace().args(["--", "/bin/sh", "-c", shell]).run();
    let ran = plain("printf '\\0' >\"$TMP_OUTPUT_DIR/a.png\"").expect(0);
    assert_eq!((decode(ran.text()), ran.complaint()), (vec![0], ""), "{ran}");
    let ran = plain("exit 3").expect(3);
    assert!(ran.text().starts_with("{\"type\":\"urn:bandog:error:function-failed\""), "{ran}");
    assert_eq!(ran.complaint(), "bandog: the function exited with code 3\n", "{ran}");
}
