//! `bandog run ACTION` of an action that is done by a request: the service is started, asked, and stopped.

use std::{
    fs,
    path::Path,
    process::{Child, Stdio},
};

use rustix::process::Signal;

use super::{FILE, filled, json};
use crate::harness::{
    Command, bandog,
    command::{BINARY, fresh},
    eventually, marked,
    server::MARK,
    signal,
};

const ACTIONS: &str = "oms: 1
lifecycle: {startup: {command: [python3, SERVER]}}
actions:
  echo:
    arguments: {item: {type: string, in: path}, q: {type: list, in: query}, number: {type: int, in: requestBody}}
    http: {port: PORT1, method: post, path: '/echo/{item}'}
    output: {type: object}
  measure:
    arguments: {file: {type: path, in: requestBody, required: true}}
    http: {port: PORT1, method: post, path: /measure, contentType: application/octet-stream}
    output: {type: string}
  status: {arguments: {code: {type: int, in: query}}, http: {port: PORT1, method: post, path: /status},
    output: {type: int}}
  die: {http: {port: PORT1, method: get, path: /die}, output: {type: string}}
  slow: {http: {port: PORT1, method: get, path: /slow}, output: {type: string}}
";

fn run<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let command = bandog(["run"]).args(arguments.into_iter().map(str::to_owned)).with_workspace();
    let scratch = command.home().to_owned();
    command.env("SCRATCH", scratch.as_os_str()).file(FILE, &filled(ACTIONS))
}

/// The process that the service was has ended.
fn is_over(home: &Path) {
    // Without one it was not started.
    let pids = fs::read_to_string(home.join("starts")).unwrap_or_default();
    for pid in pids.lines() {
        assert!(!Path::new("/proc").join(pid).exists(), "{pid} is left");
    }
}

#[test]
fn the_service_is_started_asked_and_stopped() {
    let ran = run(["echo", "-a", "item=a/b", "-a", "q=[1]", "-a", "number=7"]).run().expect(0);
    let seen = json(ran.text());
    assert_eq!((&seen["target"], &seen["body"]), (&"/echo/a%2Fb?q=%5B1%5D".into(), &r#"{"number":7}"#.into()));
    is_over(ran.home());
    assert!(ran.home().join("term").exists(), "it was told to end");
    let ran = run(["echo", "-i", r#"{"item": "x", "number": 0}"#, "-o", "out.json"]).run().expect(0);
    let seen = json(&fs::read_to_string(ran.home().join("out.json")).expect("there"));
    assert_eq!((&seen["target"], &seen["body"]), (&"/echo/x".into(), &r#"{"number":0}"#.into()));
}

#[test]
fn a_file_is_named_or_the_input() {
    for arguments in [["measure", "-a", "file=a.bin"], ["measure", "-f", "a.bin"]] {
        let ran = run(arguments).file("a.bin", "12345").run().expect(0);
        assert!(ran.text().starts_with("5 "), "{ran}");
    }
}

#[test]
fn the_exit_code_says_how_it_went() {
    for (arguments, code, wanted) in [
        (["status", "-a", "code=404"], 1, "failed"),
        (["status", "-a", "code=503"], 2, "--retries"),
        (["status", "-a", "code=500"], 70, "500"),
        (["status", "-a", "code=200"], 70, "begins with"),
        (["status", "-a", "code=x"], 65, "`code`"),
        (["status", "-a", "other=1"], 65, "`other`"),
    ] {
        let ran = run(arguments).run().expect(code);
        assert!(ran.complaint().contains(wanted), "{ran}");
        // Without --output the whole of it is where the result would have been, else it is told.
        let problem = json(ran.text());
        assert!(problem["detail"].is_string() && problem["call_id"].is_string(), "{ran}");
        let reached = code != 65;
        assert_eq!(problem["traceback"] == "short and stout", reached, "{ran}");
        assert!(!ran.complaint().contains("responded:"), "{ran}");
        let ran = run(arguments.into_iter().chain(["-o", "out"])).run().expect(code);
        assert!(ran.text().is_empty() && !ran.home().join("out").exists(), "{ran}");
        assert_eq!(ran.complaint().contains("responded:\nbandog: short and stout"), reached, "{ran}");
    }
    run(["die"]).run().expect(70);
}

#[test]
fn nobody_fetches_keys_for_callers_that_there_are_not() {
    let ran = run(["status", "-a", "code=404", "--jwt-issuer", "http://127.0.0.1:1", "--jwt-function", "a:b"])
        .run()
        .expect(1);
    assert_eq!(json(ran.text())["upstream_status"], 404, "{ran}");
}

#[test]
fn a_service_that_cannot_be_started_is_told_and_may_be_tried_again() {
    let text = filled(ACTIONS).replace("[python3, ", "[/bin/sh, -c, 'exec sleep 1000', ");
    let ran = bandog(["run", "status", "-a", "code=404", "--queue-timeout", "500ms"])
        .with_workspace()
        .file(FILE, &text)
        .run()
        .expect(2);
    assert!(ran.complaint().contains("not ready"), "{ran}");
    assert_eq!(json(ran.text())["type"], "urn:bandog:error:not-ready", "{ran}");
}

#[test]
fn wrong_arguments_are_told_before_the_service_is_started() {
    for (arguments, wanted) in [(["status", "-a", "code=x"], "`code`"), (["status", "-a", "other=1"], "`other`")] {
        let ran = run(arguments).run().expect(65);
        assert!(ran.complaint().contains(wanted), "{ran}");
        assert!(!ran.home().join("starts").exists(), "{ran}");
    }
}

#[test]
fn a_service_that_ends_at_once_ends_the_run_with_its_code() {
    for (command, code) in [("exit 7", 7), ("kill -9 $$", 137), ("exit 0", 70)] {
        let text = filled(ACTIONS).replace("[python3, ", &format!("[/bin/sh, -c, '{command}', "));
        let started = std::time::Instant::now();
        let ran = bandog(["run", "status", "-a", "code=404"]).with_workspace().file(FILE, &text).run().expect(code);
        assert!(ran.complaint().contains("ended before it was ready"), "{ran}");
        assert_eq!(json(ran.text())["type"], "urn:bandog:error:upstream-failed", "{ran}");
        assert!(started.elapsed().as_secs() < 10, "{ran}");
    }
}

/// A run that is watched while it lasts, in this directory, by its standard input and its mark.
fn begun(home: &Path, arguments: &[&str]) -> (Child, String) {
    fs::write(home.join(FILE), filled(ACTIONS)).expect("written");
    let workspace = home.join("workspace");
    fs::create_dir(&workspace).expect("made");
    let mark = format!("1000.{:039}", uuid::Uuid::new_v4().as_u128());
    let child = fresh(BINARY)
        .arg("run")
        .args(arguments)
        .arg("--workspace")
        .arg(&workspace)
        .env_clear()
        .envs([("PATH", "/usr/bin:/bin"), (MARK, &mark)])
        .env("SCRATCH", home)
        .current_dir(home)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("started");
    (child, mark)
}

/// It has ended with this code, and left nothing.
fn has_left_nothing(mut child: Child, mark: &str, home: &Path, code: i32) {
    // A wait by the standard library would close its standard input.
    let status = eventually("its end", || child.try_wait().expect("waitable"));
    assert_eq!(status.code(), Some(code));
    is_over(home);
    assert_eq!(marked(mark), [0; 0]);
    assert_eq!(fs::read_dir(home.join("workspace")).expect("readable").count(), 0);
}

#[test]
fn an_input_that_never_comes_has_the_time_of_the_call_and_leaves_nothing_behind() {
    let home = tempfile::tempdir().expect("a directory");
    let (child, mark) = begun(home.path(), &["measure", "-f", "-", "--exec-timeout", "500ms"]);
    has_left_nothing(child, &mark, home.path(), 124);
}

#[test]
fn who_interrupts_it_leaves_nothing_behind() {
    let home = tempfile::tempdir().expect("a directory");
    let (child, mark) = begun(home.path(), &["slow"]);
    eventually("a call under way", || home.path().join("slow").exists().then_some(()));
    signal(child.id(), Signal::TERM);
    has_left_nothing(child, &mark, home.path(), 143);
}
