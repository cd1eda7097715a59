//! The limits of a function, and how a caller learns which limit ended it: the same with `serve` and `run`.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
};

use serde_json::Value;

use crate::harness::{Ran, Server, bandog, decode, encode, program, serve, serve_command};

/// `run` of a shell command with these flags.
fn run(flags: &[&str], command: &str) -> Ran {
    bandog(["run", "--text-input", "x"]).args(flags).with_workspace().args(["--", "/bin/sh", "-c", command]).run()
}

/// The function fails, both ways, with this word, exit code and part of the detail; gives the problem.
#[track_caller]
fn fails(flags: &[&str], command: &str, word: &str, code: i32, detail: &str) -> Value {
    let problem = fails_served(flags, command, word, detail);
    let ran = run(flags, command).expect(code);
    let told = [&ran.stdout[..], &ran.stderr[..]].concat();
    assert!(String::from_utf8_lossy(&told).contains(detail), "wanted {detail:?} in {ran}");
    problem
}

/// The same over HTTP alone.
#[track_caller]
fn fails_served(flags: &[&str], command: &str, word: &str, detail: &str) -> Value {
    let server = serve_command(command).args(flags).start();
    let answer = server.post("").send();
    let problem = answer.problem(500);
    assert_eq!(answer.wants("x-bandog-error"), word, "{answer}");
    assert!(problem["detail"].as_str().is_some_and(|text| text.contains(detail)), "wanted {detail:?} in {answer}");
    server.log_line(detail, |line| line.contains("ERROR") && line.contains(detail));
    let metrics = server.get("/_/metrics").send().expect(200);
    let line = format!("bandog_function_outcomes_total{{outcome=\"{word}\"}} 1");
    assert!(metrics.text().lines().any(|have| have == line), "wanted {line} in {metrics}");
    server.is_clean();
    problem
}

/// The function succeeds, both ways, and prints this.
#[track_caller]
fn prints(flags: &[&str], command: &str, printed: &str) {
    let server = serve_command(command).quiet().args(flags).start();
    assert_eq!(server.post("").send().expect(200).text(), printed);
    let flags = [flags, &["--log-level", "critical"]].concat();
    assert_eq!(run(&flags, command).expect(0).text(), printed);
}

/// The mistake that `serve`, `run` and `check` report for these flags.
#[track_caller]
fn refused(flags: &[&str], why: &str) {
    for subcommand in ["serve", "run"] {
        let ran = bandog([subcommand]).args(flags).args(["--listen", "127.0.0.1:0", "--", "true"]).run().expect(78);
        assert!(ran.complaint().contains(why), "wanted {why:?} in {ran}");
    }
    let ran = bandog(["check"]).args(flags).args(["--", "true"]).run().expect(78);
    assert!(ran.text().contains(why), "wanted {why:?} in {ran}");
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

// ---- limits ----

#[test]
fn without_limits_a_function_has_those_that_bandog_was_started_with() {
    let others = "ulimit -d; ulimit -t; ulimit -f; nice";
    let show = format!("ulimit -Sn; ulimit -Hn; {others}");
    let server = serve_command(&show).quiet().after_command("ulimit -Sn 321; ulimit -Hn 4321").start();
    let answer = server.post("").send().expect(200);
    // Those of the tests.
    let inherited = program("sh").args(["-c", others]).run().expect(0).text().to_owned();
    assert_eq!(answer.text(), format!("321\n4321\n{inherited}"));
    // bandog itself may open more.
    let own = fs::read_to_string(format!("/proc/{}/limits", server.pid())).expect("readable");
    let line = own.lines().find(|line| line.starts_with("Max open files")).expect("listed").to_owned();
    assert_eq!(line.split_whitespace().nth(3), Some("4321"), "{line}");
}

#[test]
fn memory_beyond_the_limit_is_refused_to_each_process() {
    let take = |size: &str| format!("python3 -c 'x = bytearray({size} << 20); print(len(x) >> 20)'");
    prints(&["--max-memory", "128MiB"], &take("32"), "32\n");
    prints(&[], &take("256"), "256\n");
    let flags = ["--max-memory", "128MiB"];
    let problem = fails(&flags, &take("256"), "function-failed", 1, "the function exited with code 1");
    let logs = problem["logs"].as_str().expect("logs");
    assert!(logs.contains("MemoryError"), "{logs}");
    assert!(logs.contains("make its system calls fail: --max-memory 134217728"), "{logs}");
}

#[test]
fn computing_beyond_the_limit_is_ended_and_named() {
    let detail = "used up its CPU time of 1s";
    let problem = fails(&["--max-cpu-time", "1s"], "while :; do :; done", "cpu-time-exceeded", 152, detail);
    assert_eq!(problem["signal_name"], "SIGXCPU");
    // A process that ignores the signal is killed a second later.
    let deaf = "trap '' XCPU; while :; do :; done";
    let problem = fails_served(&["--max-cpu-time", "500ms"], deaf, "cpu-time-exceeded", "CPU time of 500ms");
    assert_eq!(problem["signal_name"], "SIGKILL");
    // A child of the shell, whose end the shell tells by its exit code.
    let child = "sh -c 'while :; do :; done'; exit $?";
    let problem = fails_served(&["--max-cpu-time", "1"], child, "cpu-time-exceeded", detail);
    assert_eq!(problem["exit_code"], 152);
}

#[test]
fn waiting_is_not_computing_and_a_code_of_its_own_is_not_the_limit() {
    prints(&["--max-cpu-time", "1"], "sleep 1.5; echo done", "done\n");
    fails(&["--max-cpu-time", "1"], "exit 152", "function-failed", 152, "exited with code 152");
    fails(&["--max-cpu-time", "1"], "kill -KILL $$", "function-killed", 137, "killed by signal 9");
    fails(&["--max-output", "1"], "exit 153", "file-too-large", 153, "a file of more than 1 bytes");
    fails(&[], "exit 153", "function-failed", 153, "exited with code 153");
}

#[test]
fn open_files_beyond_the_limit_are_refused() {
    let flags = ["--max-open-files", "16"];
    prints(&flags, "ulimit -Sn; ulimit -Hn", "16\n16\n");
    let open = "python3 -c 'import os\nfor _ in range(100): os.open(\"/dev/null\", os.O_RDONLY)'";
    prints(&[], open, "");
    let problem = fails(&flags, open, "function-failed", 1, "exited with code 1");
    let logs = problem["logs"].as_str().expect("logs");
    assert!(logs.contains("Too many open files") && logs.contains("--max-open-files 16"), "{logs}");
}

#[test]
fn output_of_just_the_limit_is_answered_and_more_is_not() {
    let write = |file: &str, count: u32| format!("head -c {count} /dev/zero >\"$TMP_OUTPUT_DIR/{file}\"");
    let flags = ["--max-output", "1000"];
    let server = serve_command(&write("a", 1000)).args(flags).start();
    assert_eq!(decode(server.post("").send().expect(200).body), [0; 1000]);

    let one = write("a", 1001);
    fails(&flags, &one, "output-too-large", 70, "1001 bytes in 1 files, where 1000 are allowed");
    let two = format!("{}; {}", write("a", 600), write("b", 401));
    fails(&flags, &two, "output-too-large", 70, "1001 bytes in 2 files, where 1000 are allowed");
    let large = format!("exec {}", write("a", 5000));
    let problem = fails(&flags, &large, "file-too-large", 153, "as it wrote a file of more than 1000 bytes");
    assert_eq!(problem["signal_name"], "SIGXFSZ");
    // A function that does not look at errors leaves a file cut short: never an answer.
    let careless = format!("trap '' XFSZ; {}; true", write("a", 5000));
    fails(&flags, &careless, "output-too-large", 70, "1001 bytes in 1 files");
}

#[test]
fn a_function_has_the_priority_it_is_given() {
    // Without rights it may only go up from the one that the tests have, which nice(1) may have started.
    let own = rustix::process::getpriority_process(None).expect("the own priority");
    for nice in [own.to_string(), "19".to_owned()] {
        prints(&["--nice", &nice], "nice", &format!("{nice}\n"));
    }
    refused(&["--nice", "20"], "--nice: \"20\": expected a whole number from -20 (first) to 19 (last)");
    if is_root() {
        for nice in ["7", "0", "-5"] {
            prints(&[&format!("--nice={nice}")], "nice", &format!("{nice}\n"));
        }
    }
}

#[test]
fn limits_are_shown_by_check_and_status() {
    let flags = ["--max-memory", "64MiB", "--max-cpu-time", "90s", "--max-open-files", "64", "--max-output", "1GiB"];
    // Without rights it may only go up from the one that the tests have.
    let nice = rustix::process::getpriority_process(None).expect("the own priority").max(3);
    let shown = &*nice.to_string();
    let checked = bandog(["check"]).args(flags).args(["--nice", shown, "--sandbox", "--", "true"]).run().expect(0);
    for (flag, value) in [("--max-memory", "64MiB"), ("--nice", shown), ("--sandbox", "true"), ("--user", "-")] {
        let row = checked.text().lines().find(|line| line.starts_with(flag)).unwrap_or_else(|| panic!("{checked}"));
        assert_eq!(row.split_whitespace().nth(1), Some(value), "{checked}");
    }
    let server = serve_command("true").args(flags).args(["--nice", shown]).start();
    let limits = server.get("/_/status").send().expect(200).json()["limits"].clone();
    assert_eq!(limits["max_memory"], 64 << 20, "{limits}");
    assert_eq!(limits["max_cpu_time_seconds"], 90.0, "{limits}");
    assert_eq!((&limits["max_open_files"], &limits["nice"]), (&64.into(), &nice.into()), "{limits}");
    refused(&["--max-memory", "64KiB"], "expected 0, or a size of at least 1MiB");
    refused(&["--max-open-files", "3"], "expected 0, or a whole number of at least 8");
}

// ---- another user ----

/// Says why a test of `--user` cannot run here; they need what root has.
fn needs_root(what: &str) -> bool {
    if !is_root() {
        crate::harness::did_not_run(what, "only root may run functions as another user");
    }
    is_root()
}

/// A user and a group that own nothing here.
const USER: &str = "54321:54322";

/// A user whose processes are counted, and that no other test uses.
const ALONE: &str = "54777";

/// A listener whose directories another user can walk through.
fn as_user(user: &str, script: &str, flags: &[&str]) -> Server {
    let server = serve_command(script).quiet().args(["--user", user]).args(flags).start();
    let home = server.workspace();
    let home = home.parent().expect("a parent");
    for dir in [home, &server.workspace(), &server.scratch()] {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o711)).expect("chmod");
    }
    server
}

#[test]
fn a_function_runs_as_another_user_in_directories_of_its_own() {
    if !needs_root("--user") {
        return;
    }
    let script = r#"
        grep -E '^(Uid|Gid|Groups|CapEff|CapPrm|CapAmb)' /proc/self/status
        cat "$INPUT_FILE_PATH"; echo
        stat -c '%u:%g %a %n' "$TMP_INPUT_DIR" "$TMP_OUTPUT_DIR" "$INPUT_FILE_PATH" | sed 's/ [^ ]*workspace[^ ]*//'
        echo "$HOME ${USER-none} ${LOGNAME-none}"
        printf 'X-Own: yes\n' >"$RESPONSE_HEADERS_PATH"
        mkdir "$TMP_OUTPUT_DIR/d"; echo a >"$TMP_OUTPUT_DIR/d/a"; rm -r "$TMP_OUTPUT_DIR/d"
    "#;
    let server = as_user(USER, script, &[]);
    for _ in 0..2 {
        let answer = server.post(encode("the input")).send().expect(200);
        assert_eq!(answer.wants("x-own"), "yes");
        let lines: Vec<&str> = answer.text().lines().collect();
        let wanted = [
            "Uid:\t54321\t54321\t54321\t54321",
            "Gid:\t54322\t54322\t54322\t54322",
            "Groups:\t ",
            "CapPrm:\t0000000000000000",
            "CapEff:\t0000000000000000",
            "CapAmb:\t0000000000000000",
            "the input",
            "54321:54322 700",
            "54321:54322 700",
            "54321:54322 600",
            "/ none none",
        ];
        assert_eq!(lines, wanted);
        server.is_clean();
    }
}

#[test]
fn what_another_users_function_leaves_is_answered_and_removed() {
    if !needs_root("--user") {
        return;
    }
    let script = r#"umask 077; mkdir "$TMP_OUTPUT_DIR/d"; echo one >"$TMP_OUTPUT_DIR/d/one"; mkdir "$TMP_INPUT_DIR/x"
        chmod 0 "$TMP_OUTPUT_DIR/d/one" "$TMP_OUTPUT_DIR/d" "$TMP_INPUT_DIR/x" "$TMP_INPUT_DIR""#;
    let server = as_user(USER, script, &[]);
    assert_eq!(decode(server.post("").send().expect(200).body), b"one\n");
    server.is_clean();
    // A file of a form is the function's own too.
    let server = as_user(USER, r#"echo more >>"$INPUT_FILE_PATH"; cat "$INPUT_FILE_PATH""#, &[]);
    let form = "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"n.txt\"\r\n\r\nform \r\n--b--\r\n";
    let answer = server.post(form).media("multipart/form-data; boundary=b").send().expect(200);
    assert_eq!(answer.text(), "form more\n");
}

#[test]
fn another_users_function_gets_at_nothing_of_bandogs() {
    if !needs_root("--user") {
        return;
    }
    let script = r#"
        cat /proc/$PPID/environ 2>&1 | tr '\0' '\n' | grep -c SECRET
        kill -0 $PPID 2>/dev/null || echo "may not signal it"
        cat "$SCRATCH/secret" 2>/dev/null || echo "may not read it"
        ln "$SCRATCH/secret" "$TMP_OUTPUT_DIR/secret" 2>/dev/null; rm -f "$TMP_OUTPUT_DIR/secret"
    "#;
    let server = serve_command(script).quiet().env("BANDOG_TOKEN", "SECRET").args(["--user", "54321"]).start();
    for dir in [server.workspace().parent().expect("a parent"), &server.workspace(), &server.scratch()] {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o711)).expect("chmod");
    }
    fs::write(server.scratch().join("secret"), "SECRET").expect("written");
    fs::set_permissions(server.scratch().join("secret"), fs::Permissions::from_mode(0o600)).expect("chmod");
    let answer = server.post("").header("Authorization", "Bearer SECRET").send().expect(200);
    assert_eq!(answer.text(), "0\nmay not signal it\nmay not read it\n");
}

#[test]
fn a_file_that_the_user_may_not_read_does_not_leave_through_bandog() {
    if !needs_root("--user") {
        return;
    }
    // The test makes the hard link, which the system may or may not let the function make.
    let script = r#"echo "$TMP_OUTPUT_DIR" >"$SCRATCH/where"; mv "$SCRATCH/where" "$SCRATCH/out"
        until [ -e "$SCRATCH/go" ]; do sleep 0.02; done"#;
    let server = as_user(USER, script, &[]);
    fs::set_permissions(server.scratch(), fs::Permissions::from_mode(0o777)).expect("chmod");
    let secret = server.scratch().join("secret");
    fs::write(&secret, "SECRET").expect("written");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).expect("chmod");
    std::thread::scope(|scope| {
        let request = server.post("");
        let answer = scope.spawn(|| request.send());
        let out = server.sign("out");
        fs::hard_link(&secret, Path::new(out.trim()).join("stolen")).expect("linked");
        server.give("go");
        let answer = answer.join().expect("an answer");
        answer.problem(500);
        assert_eq!(answer.wants("x-bandog-error"), "output-unreadable", "{answer}");
        assert!(!answer.text().contains("SECRET") && !answer.text().contains(&encode("SECRET")), "{answer}");
    });
}

#[test]
fn a_script_from_the_environment_can_be_run_and_not_be_changed_by_another_user() {
    if !needs_root("--user") {
        return;
    }
    let script = "#!/bin/sh\nid -u; echo x >>\"$0\" || echo unchanged\n";
    let server =
        crate::harness::server::Builder::new().quiet().env("SCRIPT", encode(script)).args(["--user", "54321"]).start();
    let home = server.workspace();
    for dir in [home.parent().expect("a parent"), &home] {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o711)).expect("chmod");
    }
    let answer = server.post("").send().expect(200);
    assert!(answer.text().starts_with("54321\n") && answer.text().ends_with("unchanged\n"), "{answer}");
    let entry = fs::read_dir(&home).expect("listed").next().expect("the script's").expect("listed");
    assert_eq!(entry.metadata().expect("there").mode() & 0o007, 0, "nobody else gets at it");
}

#[test]
fn leftovers_of_another_users_function_are_removed_at_start() {
    if !needs_root("--user") {
        return;
    }
    let server = as_user(USER, "echo x >\"$TMP_OUTPUT_DIR/x\"", &[]);
    let dead = server.workspace().join("bandog-0123456789ab-1");
    fs::create_dir_all(dead.join("in")).expect("made");
    std::os::unix::fs::chown(&dead, Some(54321), Some(54321)).expect("chown");
    let strange = server.workspace().join("bandog-0123456789ab-2");
    fs::create_dir_all(strange.join("in")).expect("made");
    std::os::unix::fs::chown(&strange, Some(54399), Some(54399)).expect("chown");
    let home = server.kill();
    let server = serve_command("true").args(["--user", "54321"]).after(home).start();
    assert!(!dead.exists() && strange.exists(), "{server}");
    fs::remove_dir_all(strange).expect("removed");
}

/// Without `Confinement::hand_over` the pipes belonged to root: 500, "Permission denied", in every mode.
#[test]
fn another_user_may_open_its_streams_again() {
    if !needs_root("--user") {
        return;
    }
    let script = "echo one >/dev/stdout; echo two >/proc/self/fd/2; echo three | tee /dev/stderr";
    for (mode, wanted) in
        [("files", "one\ntwo\nthree\nthree\n"), ("stdio", "one\nthree\n"), ("streaming", "one\nthree\n")]
    {
        let server = as_user(USER, script, &["--mode", mode]);
        assert_eq!(server.post("").send().expect(200).text(), wanted, "{mode}");
    }
}

#[test]
fn a_user_that_cannot_be_had_is_a_mistake_at_start() {
    refused(&["--user", "no-such-user"], "expected a user id such as 1000");
    if needs_root("--user") {
        let own = bandog(["check", "--user", "0:0", "--", "true"]).run();
        own.expect(0);
        let lacking = crate::harness::program("setpriv")
            .args(["--reuid=54321", "--clear-groups"])
            .arg(crate::harness::command::BINARY)
            .args(["check", "--workspace", "/tmp", "--user", "1000", "--", "true"])
            .run();
        assert!(lacking.text().contains("it lacks CAP_SETUID, CAP_SETGID"), "{lacking}");
    }
}

#[test]
fn processes_beyond_the_limit_cannot_be_started() {
    refused_for_root();
    if !needs_root("--max-processes") {
        return;
    }
    // Six beside the shell, of which only three may be.
    let script = "for n in 1 2 3 4 5 6; do sleep 100 & done 2>&1; jobs -p | wc -l";
    let server = as_user(ALONE, script, &["--max-processes", "4"]);
    let answer = server.post("").send();
    let logs = if answer.status == 200 { answer.text().to_owned() } else { answer.problem(500)["logs"].to_string() };
    assert!(logs.contains("fork"), "{answer}");
    server.is_clean();
    // The next one has as many again.
    let server = as_user(ALONE, "sleep 0.1 & sleep 0.1 & sleep 0.1 & wait; echo three", &["--max-processes", "4"]);
    for _ in 0..2 {
        assert_eq!(server.post("").send().expect(200).text(), "three\n");
    }
}

/// A limit that the kernel does not enforce is refused.
fn refused_for_root() {
    if is_root() {
        refused(&["--max-processes", "10"], "the kernel exempts root from it; add --user");
    }
}

// ---- what could not be started ----

/// A script that has become something else by the time it is called.
#[track_caller]
fn not_started(become_bad: impl Fn(&Path), detail: &str) {
    let dir = tempfile::tempdir().expect("tempdir");
    let script = dir.path().join("script");
    fs::write(&script, "#!/bin/sh\n").expect("written");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("chmod");
    let server = serve(&script).start();
    server.post("").send().expect(200);
    become_bad(&script);
    let answer = server.post("").send();
    let problem = answer.problem(500);
    assert_eq!(answer.wants("x-bandog-error"), "function-not-started", "{answer}");
    let told = problem["detail"].as_str().expect("a detail");
    assert!(told.starts_with("could not start the function: ") && told.contains(detail), "wanted {detail:?}: {answer}");
    server.log_line(detail, |line| line.contains(detail));
    server.is_clean();
}

#[test]
fn each_reason_why_a_function_cannot_be_started_is_named() {
    let write = |content: &'static [u8]| move |path: &Path| fs::write(path, content).expect("written");
    not_started(write(b"#!/no/such -e\n"), "its interpreter \"/no/such\" does not exist");
    not_started(write(b"#!/bin/sh\r\necho\r\n"), "its interpreter \"/bin/sh\\r\" does not exist");
    not_started(|path| fs::remove_file(path).expect("removed"), "the file no longer exists");
    let chmod = |path: &Path| fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("chmod");
    not_started(chmod, "it does not have the execute permission");
    not_started(write(b"\x7fELF\x02\x01\x01\0not for us\0"), "not a program for this machine");
    not_started(write(b"#!/etc/passwd\n"), "its interpreter /etc/passwd does not have the execute permission");
}

#[test]
fn a_program_that_is_being_written_is_named() {
    let dir = tempfile::tempdir().expect("tempdir");
    let program = dir.path().join("program");
    fs::copy("/bin/true", &program).expect("copied");
    let server = serve(&program).start();
    server.post("").send().expect(200);
    let writer = fs::OpenOptions::new().append(true).open(&program).expect("open");
    let problem = server.post("").send().problem(500);
    assert!(
        problem["detail"].as_str().is_some_and(|text| text.contains("another process has it open for writing")),
        "{problem}"
    );
    drop(writer);
    server.post("").send().expect(200);
}

#[test]
fn an_environment_that_is_too_large_is_named() {
    // The kernel passes on a quarter of the stack's limit (execve(2)): 256 KiB here.
    let server = serve_command("true")
        .env("LARGE_ONE", "x".repeat(110_000))
        .env("LARGE_TWO", "x".repeat(110_000))
        .after_command("ulimit -s 1024")
        .start();
    server.post("").send().expect(200);
    let request = (0..8)
        .fold(server.post(""), |request, number| request.header(&format!("X-Large-{number}"), "y".repeat(7 * 1024)));
    let answer = request.send();
    let problem = answer.problem(500);
    let detail = problem["detail"].as_str().expect("a detail");
    assert!(detail.contains("its environment (") && detail.contains("larger than the kernel passes on"), "{answer}");
}
