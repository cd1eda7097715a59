//! In the sandbox a function reads and runs everything, and writes nowhere but in its workspace.

use std::{fs, path::Path};

use crate::harness::{bandog, encode, eventually, function, listing, serve, serve_command};

/// Something to change, and what it should still be afterwards.
fn victims(scratch: &Path) {
    fs::write(scratch.join("victim"), "unharmed").expect("written");
    fs::create_dir(scratch.join("dir")).expect("made");
}

#[test]
fn nothing_outside_the_workspace_can_be_changed_in_any_way() {
    let server = serve(function("trespass.py")).quiet().args(["--sandbox"]).start();
    victims(&server.scratch());
    let answer = server.post("").send().expect(200);
    assert_eq!(answer.text(), "tried: 23\n", "{answer}");
    assert_eq!(fs::read_to_string(server.scratch().join("victim")).expect("there"), "unharmed");
    assert_eq!(listing(&server.scratch()), ["dir", "victim"]);
}

#[test]
fn without_the_sandbox_most_of_it_works() {
    let server = serve(function("trespass.py")).quiet().start();
    victims(&server.scratch());
    let answer = server.post("").send().expect(200);
    let worked = answer.text().lines().filter(|line| line.starts_with("worked: ")).count();
    assert!(worked >= 12, "the function that tries does not try enough: {answer}");
}

#[test]
fn what_a_function_needs_works_in_the_sandbox() {
    let script = r#"
        set -e
        echo x >/dev/null; echo x >/dev/stdout; echo y >/dev/stderr; head -c 1 /dev/zero >/dev/null
        cat "$SCRATCH/readable"; ls "$SCRATCH" >/dev/null
        file=$(mktemp); echo "temporary" >"$file"; case "$file" in "$TMPDIR"/*) cat "$file";; esac
        mkdir "$TMP_OUTPUT_DIR/a" "$TMP_OUTPUT_DIR/b"; echo out >"$TMP_OUTPUT_DIR/a/x"
        mv "$TMP_OUTPUT_DIR/a/x" "$TMP_OUTPUT_DIR/b/x"; : >"$TMP_OUTPUT_DIR/b/x"; rm -r "$TMP_OUTPUT_DIR/a" "$TMP_OUTPUT_DIR/b"
        rm "$INPUT_FILE_PATH"; printf 'X-Own: yes\n' >"$RESPONSE_HEADERS_PATH"
        sleep 100 & kill $!
        grep NoNewPrivs /proc/self/status
    "#;
    let server = serve_command(script).quiet().env("TMPDIR", "/nowhere").args(["--sandbox"]).start();
    fs::write(server.scratch().join("readable"), "read\n").expect("written");
    let answer = server.post(encode("x")).send().expect(200);
    assert_eq!(answer.text(), "x\ny\nread\ntemporary\nNoNewPrivs:\t1\n");
    assert_eq!(answer.wants("x-own"), "yes");
    server.is_clean();
    let ran = bandog(["run", "--text-input", "in", "--sandbox"])
        .with_workspace()
        .args(["--", "/bin/sh", "-c", "cp \"$INPUT_FILE_PATH\" \"$TMP_OUTPUT_DIR\"; echo x >outside"])
        .run();
    let ran = ran.expect(2);
    assert!(!ran.home().join("outside").exists(), "{ran}");
}

#[test]
fn paths_that_are_allowed_can_be_written_and_nothing_beside_them() {
    let script = r#"
        echo new >"$SCRATCH/one/file" && echo one
        echo new >"$SCRATCH/two/file" && echo two
        echo new >"$SCRATCH/alone" && echo alone
        echo new >"$SCRATCH/beside" && echo beside
        mv "$SCRATCH/one/file" "$SCRATCH/two/moved" && echo moved
    "#;
    let home = tempfile::tempdir().expect("tempdir");
    let path = |name: &str| home.path().join(name).display().to_string();
    for dir in ["one", "two"] {
        fs::create_dir(home.path().join(dir)).expect("made");
    }
    for file in ["alone", "beside"] {
        fs::write(home.path().join(file), "old\n").expect("written");
    }
    let flags =
        ["--sandbox", "--allow-write", &path("one"), "--allow-write", &format!("{}:{}", path("two"), path("alone"))];
    let server = serve_command(&format!("SCRATCH={}; {{ {script} }} 2>/dev/null; true", home.path().display()));
    let server = server.quiet().args(flags).start();
    assert_eq!(server.post("").send().expect(200).text(), "one\ntwo\nalone\nmoved\n");
    assert_eq!(fs::read_to_string(home.path().join("beside")).expect("there"), "old\n");

    let variable = bandog(["run", "--sandbox", "--text-input", "x", "--log-level", "critical"])
        .env("BANDOG_ALLOW_WRITE", path("one"))
        .with_workspace()
        .args(["--", "/bin/sh", "-c", &format!("echo x >{0}/v && rm {0}/v && echo fine", path("one"))])
        .run();
    assert_eq!(variable.expect(0).text(), "fine\n");
}

#[test]
fn a_setuid_program_gains_nothing_in_the_sandbox() {
    if !rustix::process::geteuid().is_root() {
        crate::harness::did_not_run("a setuid program", "only root can make one");
        return;
    }
    // `id` as a program that makes its caller root.
    let dir = tempfile::Builder::new().tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("tempdir");
    let program = dir.path().join("id");
    let mode = |path: &Path, mode| fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode));
    fs::copy("/usr/bin/id", &program).expect("copied");
    mode(&program, 0o4755).expect("chmod");
    mode(dir.path(), 0o755).expect("chmod");
    // `-u` is the effective user.
    let shown = |flags: &[&str]| {
        let server = serve_command("exec 3<\"$ID\"; /proc/self/fd/3 -u").quiet().env("ID", &program);
        let server = server.args(["--user", "54321"]).args(flags).start();
        for dir in [server.workspace().parent().expect("a parent"), &server.workspace()] {
            mode(dir, 0o711).expect("chmod");
        }
        server.post("").send()
    };
    let reachable = dir.path().ancestors().all(|dir| {
        fs::metadata(dir)
            .is_ok_and(|metadata| std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 1 == 1)
    });
    if !reachable {
        crate::harness::did_not_run("a setuid program", "the directory of the tests is closed to other users");
        return;
    }
    assert_eq!(shown(&["--sandbox"]).expect(200).text(), "54321\n");
    assert_eq!(shown(&[]).expect(200).text(), "0\n", "the program of the test gains nothing by itself");
}

#[test]
fn in_the_sandbox_a_function_gets_at_nothing_of_bandogs_process() {
    if !rustix::process::geteuid().is_root() {
        crate::harness::did_not_run("a sandbox without root", "only root can start bandog as somebody else");
        return;
    }
    // Not as root, who may look into everything (CAP_PERFMON). The function is of bandog's own user.
    let script = "cat /proc/$PPID/environ 2>/dev/null | tr '\\0' '\\n' | grep -c SECRET; kill -0 $PPID 2>/dev/null && echo may; true";
    for (flags, seen) in [(&["--sandbox"][..], "0\n"), (&[], "1\nmay\n")] {
        let server =
            serve_command(script).quiet().env("BANDOG_TOKEN", "SECRET").args(flags).after_command(
                "chown -R 54321 .; exec setpriv --reuid=54321 --regid=54321 --clear-groups \"$0\" \"$@\"",
            );
        let answer = server.start().post("").header("Authorization", "Bearer SECRET").send().expect(200);
        assert_eq!(answer.text(), seen);
    }
}

#[test]
fn a_function_in_the_sandbox_is_ended_like_any_other() {
    let server = serve_command("trap '' TERM; setsid sleep 1000 & : >\"$TMPDIR/on\"; sleep 1000")
        .args(["--sandbox", "--exec-timeout", "1s", "--kill-grace", "100ms"])
        .start();
    let answer = server.post("").send();
    assert_eq!(answer.problem(504)["status"], 504);
    eventually("nothing left", || server.descendants().is_empty().then_some(()));
    server.is_clean();
}

#[test]
fn what_cannot_be_meant_is_a_mistake_at_start() {
    let complaint = |flags: &[&str]| {
        let ran = bandog(["serve"]).args(flags).args(["--", "true"]).run().expect(78);
        ran.complaint().to_owned()
    };
    let alone = complaint(&["--allow-write", "/tmp"]);
    assert!(alone.contains("--allow-write: \"/tmp\": has an effect only with --sandbox"), "{alone}");
    let missing = complaint(&["--sandbox", "--allow-write", "/tmp:/no/such"]);
    assert!(missing.contains("/no/such: No such file or directory") && missing.contains("that exist"), "{missing}");
}
