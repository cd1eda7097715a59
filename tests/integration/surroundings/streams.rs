//! Standard streams that are closed, or full, or have lost their reader: a message is dropped, a result never.

use crate::harness::{Command, Ran, command::BINARY, encode, program, serve_command};

/// A shell that runs this line where `./bandog` and `./supervisor` are.
fn shell(line: &str) -> Command {
    let command = program("dash").args(["-c", line]);
    for name in ["bandog", "supervisor"] {
        std::os::unix::fs::symlink(BINARY, command.home().join(name)).expect("a link to the binary");
    }
    let workspace = command.home().join("workspace");
    command.env("BANDOG_WORKSPACE", workspace).env("BANDOG_LOG_LEVEL", "CRITICAL")
}

#[track_caller]
fn ends(line: &str, code: i32) -> Ran {
    shell(line).run().expect(code)
}

const FAILS: &str = "./bandog run -i x -- /bin/sh -c 'exit 7'";

const SAYS: &str = "./bandog run -i x -- /bin/sh -c 'echo hello'";

/// With `eprintln!` in place of `exit::say` each was 101.
#[test]
fn a_message_that_cannot_be_written_is_dropped_and_the_code_stays() {
    ends(&format!("{FAILS} 2>/dev/full"), 7);
    ends(&format!("{FAILS} 2>&-"), 7);
    let ran = ends(&format!("{{ {FAILS}; echo $? >code; }} 2>&1 | true"), 0);
    assert_eq!(std::fs::read_to_string(ran.home().join("code")).expect("a code"), "7\n", "{ran}");
    // A warning is due before the start.
    let line = "BANDOG_NONSENSE=1 ./bandog run -i x -- /bin/sh -c \"echo hello; : >$PWD/ran\" 2>/dev/full";
    let ran = ends(line, 0);
    assert!(ran.text() == "hello\n" && ran.home().join("ran").exists(), "{ran}");
    let script = encode("echo hello; exit 3");
    let ran = ends(&format!("echo e30= | SCRIPT={script} BANDOG_NONSENSE=1 ./supervisor 2>/dev/full"), 3);
    assert!(ran.text().contains("\"exit_code\":3"), "{ran}");
    ends("./bandog call 127.0.0.1:1 -i x 2>/dev/full", 1);
    ends("./bandog call 127.0.0.1:1 -i x 2>&-", 1);
    ends("./bandog health --url http://127.0.0.1:1 2>/dev/full", 1);
    ends("./bandog --no-such-flag 2>/dev/full", 78);
    ends("./bandog serve 2>/dev/full", 78);
    ends("ln -s bandog fwatchdog; ./fwatchdog -version 2>/dev/full", 0);
}

#[test]
fn a_result_that_cannot_be_written_is_74_and_never_0() {
    let script = encode("echo hello");
    for lost in [">/dev/full", ">&-", ">&- 2>&-", ">/dev/full 2>&1"] {
        ends(&format!("{SAYS} {lost}"), 74);
        ends(&format!("./bandog run --mode streaming -i x -- /bin/sh -c 'echo hello' {lost}"), 74);
        ends(&format!("echo e30= | SCRIPT={script} ./supervisor {lost}"), 74);
        ends(&format!("{FAILS} {lost}"), 7);
        for command in ["check -- true", "completions bash", "--help", "--version", "install here"] {
            ends(&format!("./bandog {command} {lost}"), 74);
        }
    }
    let ran = ends(&format!("{SAYS} >&-"), 74);
    assert!(ran.complaint().contains("cannot write to the standard output"), "{ran}");
    // There is nothing to lose.
    ends("./bandog run -i x -- true >&-", 0);
    let server = serve_command("echo hello").start();
    let call = format!("./bandog call {} -i x", server.address);
    for lost in [">/dev/full", ">&-"] {
        let ran = ends(&format!("{call} {lost}"), 74);
        assert!(ran.complaint().contains("cannot write to the standard output"), "{ran}");
    }
    ends(&format!("./bandog health --url {} >&-", server.url("/_/health")), 0);
}

#[test]
fn a_closed_standard_input_is_an_empty_one() {
    let ran = ends("./bandog run -- /bin/sh -c 'wc -c <\"$INPUT_FILE_PATH\"' <&-", 0);
    assert_eq!(ran.text().trim(), "0");
}

#[test]
fn a_listener_without_streams_serves() {
    let server = serve_command("echo hello").quiet().after_command("exec <&- >&- 2>&-").start();
    assert_eq!(server.post("").send().expect(200).text(), "hello\n");
}
