//! Signals: those that end a process, and those that were ignored, blocked or about to come when bandog was started.

use std::process::{Child, Command, Stdio};

use rustix::process::Signal;

use crate::harness::{
    Builder, can_be_init,
    command::{BINARY, fresh},
    did_not_run, encode, eventually, function, program, serve_command,
};

/// A function that says when it runs, and ends when it may.
const HELD: &str = "for s in HUP QUIT USR1 USR2 TERM; do trap \"echo $s >$SCRATCH/got\" $s; done; : >$SCRATCH/started; \
                    until [ -e $SCRATCH/go ]; do sleep 0.01; done; echo done";

/// By numbers: rustix has no names for all, and the libraries keep the first real-time signals for themselves.
fn kill(pid: u32, signal: i32) {
    let sent = Command::new("/bin/sh").args(["-c", &format!("kill -{signal} {pid}")]).status().expect("a shell");
    assert!(sent.success(), "signal {signal}");
}

#[track_caller]
fn drains(builder: Builder, signal: i32) {
    let mut server = builder.start();
    let mut wire = server.connect();
    wire.write(&server.post("").head());
    server.sign("started");
    kill(server.pid(), signal);
    server.log_line("the signal", |line| line.contains("received"));
    server.give("go");
    let answer = wire.answer().expect(200);
    assert!(answer.text().contains("\ndone\n"), "signal {signal}: {answer}");
    assert!(!server.has_sign("got"), "signal {signal} is not for the function");
    let (status, _) = server.end();
    assert_eq!(status.code(), Some(0), "signal {signal}: {server}");
    server.check_nothing_is_left();
}

/// Without its place in `signals::that_end` each of them ended bandog at once, and the call was lost.
#[test]
fn each_signal_that_would_end_it_drains() {
    // SIGRTMIN+3 is the one that images of systemd are stopped by.
    let real_time = 37;
    let standard = [1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 15, 16, 24, 26, 27, 29, 30, 31];
    for signal in standard.into_iter().chain([real_time, 64]) {
        drains(serve_command(HELD), signal);
    }
}

#[test]
fn so_does_each_stop_signal_of_an_image_as_pid_1() {
    if !can_be_init("stop signals as PID 1") {
        return;
    }
    for signal in [3, 10, 15, 37] {
        drains(serve_command(HELD).init(), signal);
    }
}

#[test]
fn a_signal_that_ends_nobody_is_nothing_to_it() {
    let server = serve_command("echo done").quiet().start();
    // SIGPIPE, SIGXFSZ: of a call. SIGWINCH, SIGURG, SIGCHLD, SIGCONT: ignored by default.
    for signal in [13, 25, 28, 23, 17, 18] {
        kill(server.pid(), signal);
        assert_eq!(server.post("").send().expect(200).text(), "done\n", "signal {signal}");
    }
}

/// Without `signals::reset` a SIGCHLD that is ignored let the kernel reap the function: every call was a 500.
#[test]
fn what_the_parent_ignored_or_blocked_is_neither_for_it_nor_for_its_function() {
    let show = "grep -E '^Sig(Blk|Ign)' /proc/self/status | tr -d '\\t'";
    let wanted = "SigBlk:0000000000000000\nSigIgn:0000000000000000\n";
    let launcher = ["/usr/bin/env", "--ignore-signal", "--block-signal"];
    let mut server = serve_command(show).quiet().under(&launcher).start();
    for _ in 0..2 {
        assert_eq!(server.post("").send().expect(200).text(), wanted);
    }
    // As under nohup(1).
    kill(server.pid(), 1);
    assert_eq!(server.post("").send().expect(200).text(), wanted);
    server.signal(Signal::TERM);
    assert_eq!(server.end().0.code(), Some(0), "{server}");
    let run = ["run", "-i", "x", "--log-level", "CRITICAL", "--", "/bin/sh", "-c", show];
    let ran = program("env").args(&launcher[1..]).arg(BINARY).args(run).run().expect(0);
    assert_eq!(ran.text(), wanted);
}

/// Starts a program by python3, after these lines of it.
fn after_python(lines: &str) -> Option<[String; 3]> {
    let python = "/usr/bin/python3";
    if !std::path::Path::new(python).exists() {
        did_not_run("what only a program can hand down", "python3 is not installed");
        return None;
    }
    let code = format!("import os, signal, sys\n{lines}\nos.execv(sys.argv[1], sys.argv[1:])");
    Some([python.to_owned(), "-c".to_owned(), code])
}

/// Without `inherited::stop_timers` SIGALRM ended it in the middle of the run.
#[test]
fn a_timer_of_the_parent_is_stopped_and_what_it_has_left_pending_is_forgotten() {
    let pending = "signal.pthread_sigmask(signal.SIG_BLOCK, [14, 26, 27])\nos.kill(os.getpid(), 14)";
    for lines in ["signal.setitimer(signal.ITIMER_REAL, 0.5)", pending] {
        let Some([python, flag, code]) = after_python(lines) else { return };
        let run = ["run", "-i", "x", "--log-level", "CRITICAL", "--", "/bin/sh", "-c", "sleep 1; echo done"];
        let ran = program("env").args([python, flag, code]).arg(BINARY).args(run).run().expect(0);
        assert_eq!(ran.text(), "done\n", "{lines}");
    }
}

/// Without the change of the umask in `inherited` only root could enter a workspace.
#[test]
fn the_umask_leaves_the_owner_his_bits() {
    for (given, wanted) in [("0777", "0077\n"), ("0027", "0027\n"), ("0", "0000\n")] {
        let server = serve_command("umask").quiet().after_command(format!("umask {given}")).start();
        assert_eq!(server.post("").send().expect(200).text(), wanted);
    }
}

fn supervisor(arguments: &[&str]) -> Child {
    fresh(BINARY)
        .args(arguments)
        .env("SCRIPT", encode("true"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts")
}

/// With the wake-up before the cause, in `run::once`, one in thirty took it for the end of its input: 65.
#[test]
fn told_to_stop_while_it_waits_for_its_input_a_run_is_143() {
    let all: Vec<Child> = (0..40).map(|_| supervisor(&["run", "--mode", "stdio"])).collect();
    for child in &all {
        let taken = format!("/proc/{}/fdinfo", child.id());
        eventually("it takes signals", || {
            let infos = std::fs::read_dir(&taken).ok()?;
            let has_mask = |info: std::fs::DirEntry| {
                std::fs::read_to_string(info.path()).is_ok_and(|info| info.contains("sigmask:"))
            };
            infos.flatten().any(has_mask).then_some(())
        });
    }
    for child in &all {
        kill(child.id(), 15);
    }
    for child in all {
        let output = child.wait_with_output().expect("waitable");
        assert_eq!(output.status.code(), Some(143));
    }
}

/// Without `Stdout::is_interrupted` it was taken for a reader that has gone: 141.
#[test]
fn told_to_stop_while_its_reader_is_slow_a_run_is_143() {
    // Whether the signal comes before the pipe is full or after makes no difference.
    let script = "head -c 1000000 /dev/zero >$TMP_OUTPUT_DIR/x; : >$HERE/ended";
    let line = format!(
        "{{ HERE=$PWD {BINARY} run --workspace workspace -i x -- /bin/sh -c '{script}' & \
         until [ -e ended ]; do sleep 0.02; done; sleep 0.2; kill -TERM $!; wait $!; echo $? >code; }} | \
         {{ until [ -e code ]; do sleep 0.02; done; }}"
    );
    let ran = program("dash").args(["-c", &line]).run().expect(0);
    let code = std::fs::read_to_string(ran.home().join("code")).expect("a code");
    assert_eq!(code, "143\n", "{ran}");
    assert!(ran.complaint().contains("told to stop"), "{ran}");
}

/// A terminal's signals end the other commands as they end any program.
#[test]
fn a_function_is_ended_with_a_run_whatever_the_signal() {
    for signal in [Signal::QUIT, Signal::USR1, Signal::ALARM] {
        let home = tempfile::tempdir().expect("a temporary directory");
        let mut running = fresh(BINARY)
            .args(["run", "--workspace"])
            .arg(home.path())
            .args(["--script"])
            .arg(function("hold.sh"))
            .env("SCRATCH", home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let begun = || crate::harness::listing(home.path()).iter().any(|name| name.starts_with("started."));
        eventually("the function", || begun().then_some(()));
        crate::harness::signal(running.id(), signal);
        assert_eq!(running.wait().expect("waitable").code(), Some(143), "{signal:?}");
    }
}
