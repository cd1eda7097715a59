//! A seccomp filter that answers EPERM, as container engines have them for calls that they do not know: bandog does
//! without the call, or names it.

use crate::harness::{Builder, command::BINARY, did_not_run, program, serve_command};

/// The number of a system call (x86-64, others).
fn number(call: &str) -> u32 {
    let (x86, other) = match call {
        "eventfd2" => (290, 19),
        "signalfd4" => (289, 74),
        "prctl" => (157, 167),
        "pidfd_open" => (434, 434),
        "pidfd_send_signal" => (424, 424),
        "close_range" => (436, 436),
        "openat2" => (437, 437),
        "getrandom" => (318, 278),
        "landlock_create_ruleset" => (444, 444),
        "renameat2" => (316, 276),
        other => panic!("{other}"),
    };
    if cfg!(target_arch = "x86_64") { x86 } else { other }
}

/// Installs a filter for these calls, and becomes the program that it is given.
fn launcher(calls: &[&str]) -> Option<Vec<String>> {
    let python = "/usr/bin/python3";
    if !std::path::Path::new(python).exists() {
        did_not_run("seccomp filters", "python3 is not installed");
        return None;
    }
    let numbers: Vec<u32> = calls.iter().map(|call| number(call)).collect();
    let code = format!(
        r#"import ctypes, os, struct, sys
numbers = {numbers:?}
# Load the number; for each of them jump to the last instruction, which says EPERM; else allow.
rows = [(0x20, 0, 0, 0)]
rows += [(0x15, len(numbers) - at, 0, number) for at, number in enumerate(numbers)]
rows += [(0x06, 0, 0, 0x7fff0000), (0x06, 0, 0, 0x00050001)]
program = b"".join(struct.pack("HBBI", *row) for row in rows)
held = ctypes.create_string_buffer(program)
filter = struct.pack("HxxxxxxP", len(rows), ctypes.addressof(held))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, filter, 0, 0) == 0, os.strerror(ctypes.get_errno())
os.execv(sys.argv[1], sys.argv[1:])"#
    );
    Some(vec![python.to_owned(), "-c".to_owned(), code])
}

#[test]
fn it_does_without_what_it_can_do_without() {
    let some = ["pidfd_open", "pidfd_send_signal", "close_range", "openat2", "getrandom", "landlock_create_ruleset"];
    let Some(launcher) = launcher(&some) else { return };
    let script = "setsid sleep 1000 & mkdir -p $TMP_OUTPUT_DIR/a/b/c; echo x >$TMP_OUTPUT_DIR/a/b/c/d";
    let server: Builder = serve_command(script).under(&launcher);
    let server = server.start();
    for _ in 0..2 {
        server.post("").send().expect(200);
    }
    server.is_clean();
}

/// The new name is taken by other calls, which do not replace anything either.
#[test]
fn a_result_is_written_beside_what_has_its_name() {
    let Some(launcher) = launcher(&["renameat2"]) else { return };
    let script = "echo new >$TMP_OUTPUT_DIR/a; echo new >$TMP_OUTPUT_DIR/b";
    let run = ["run", "-i", "in", "-o", "out", "--workspace", "workspace", "--", "/bin/sh", "-c", script];
    let command = program("env").args(&launcher).arg(BINARY).args(run).file("in", "").file("kept", "old");
    let out = command.home().join("out");
    std::fs::create_dir(&out).expect("made");
    std::os::unix::fs::symlink("../kept", out.join("a")).expect("a link");
    std::fs::write(out.join("a-1"), "old").expect("written");
    let ran = command.run().expect(0);
    let content = |name: &str| std::fs::read_to_string(ran.home().join("out").join(name)).expect("readable");
    assert_eq!(["a", "a-1", "a-2", "b"].map(content), ["old", "old", "new\n", "new\n"], "{ran}");
}

#[test]
fn what_it_cannot_do_without_is_named() {
    for call in ["eventfd2", "signalfd4", "prctl"] {
        let Some(launcher) = launcher(&[call]) else { return };
        let run = ["serve", "--listen", "127.0.0.1:0", "--", "/bin/true"];
        let ran = program("env").args(&launcher).arg(BINARY).args(run).run().expect(70);
        assert!(ran.complaint().contains(call), "{ran}");
        assert!(ran.complaint().contains("seccomp"), "{ran}");
    }
    let Some(launcher) = launcher(&["landlock_create_ruleset"]) else { return };
    let check = ["check", "--workspace", "/tmp", "--sandbox", "--", "/bin/true"];
    let ran = program("env").args(&launcher).arg(BINARY).args(check).run().expect(78);
    assert!(ran.text().contains("Landlock") && ran.text().contains("seccomp"), "{ran}");
}
