//! `bandog watch`, and `serve` with a `local` input: new files are events.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::{Duration, SystemTime},
};

use serde_json::json;

use super::COPY;
use crate::harness::{
    bandog,
    command::{BINARY, fresh},
    encode, eventually, serve_command, signal,
};

/// A watch that runs, with its two directories.
struct Running {
    home: tempfile::TempDir,
    child: Child,
}

impl Running {
    /// Watches, where `prepare` has put files into the directory of inputs.
    fn new(script: &str, flags: &[&str], prepare: impl FnOnce(&Path)) -> Self {
        let home = tempfile::tempdir().expect("a directory");
        for name in ["in", "workspace"] {
            fs::create_dir(home.path().join(name)).expect("made");
        }
        prepare(&home.path().join("in"));
        let log = fs::File::create(home.path().join("log")).expect("a log");
        let child = fresh(BINARY)
            .args(["watch", "--from", "in", "--to", "out", "--workspace", "workspace"])
            .args(flags)
            .args(["--", "/bin/sh", "-c", script])
            .current_dir(home.path())
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("started");
        let running = Self { home, child };
        running.says("watching ");
        running
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    fn says(&self, text: &str) {
        eventually(text, || self.log().contains(text).then_some(()));
    }

    /// The content of an output, once it is there.
    fn output(&self, name: &str) -> String {
        eventually(name, || fs::read_to_string(self.path("out").join(name)).ok())
    }

    /// Ends it by SIGTERM. Returns its exit code.
    fn end(mut self) -> Option<i32> {
        signal(self.child.id(), rustix::process::Signal::TERM);
        let code = self.child.wait().expect("it ends").code();
        let left: Vec<_> = fs::read_dir(self.path("workspace")).expect("a directory").flatten().collect();
        assert!(left.is_empty(), "{left:?}: {}", self.log());
        code
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A file that was written an hour ago, and is whole therefore.
fn old(path: &Path, content: &str) {
    fs::write(path, content).expect("written");
    let file = fs::File::options().write(true).open(path).expect("open");
    file.set_modified(SystemTime::now() - Duration::from_hours(1)).expect("set");
}

#[test]
fn files_that_are_there_and_files_that_come_are_run() {
    let running = Running::new(COPY, &[], |dir| old(&dir.join("first"), "1"));
    assert_eq!(running.output("of-first"), "1");
    fs::create_dir(running.path("in/sub")).expect("made");
    fs::write(running.path("in/sub/second"), "2").expect("written");
    fs::write(running.path("in/.hidden"), "3").expect("written");
    assert_eq!(running.output("of-second"), "2");
    fs::rename(running.path("in/.hidden"), running.path("in/third")).expect("renamed");
    assert_eq!(running.output("of-third"), "3");
    assert!(!running.path("out/of-.hidden").exists());
    assert_eq!(running.end(), Some(0));
}

#[test]
fn a_failed_run_ends_nothing_and_its_output_is_not_stored() {
    let script = format!("{COPY}; [ \"$(cat \"$INPUT_FILE_PATH\")\" != bad ]");
    let running = Running::new(&script, &["--new-only"], |dir| old(&dir.join("before"), "x"));
    fs::write(running.path("in/one"), "bad").expect("written");
    running.says("event of in/one: status 500");
    fs::write(running.path("in/two"), "good").expect("written");
    assert_eq!(running.output("of-two"), "good");
    assert!(!running.path("out/of-one").exists() && !running.path("out/of-before").exists());
    assert_eq!(running.end(), Some(0));
}

#[test]
fn what_runs_at_the_end_is_finished() {
    let script = "touch \"$PWD/started\"; while ! [ -e \"$PWD/go\" ]; do sleep 0.05; done; echo done >\"$TMP_OUTPUT_DIR/result\"";
    let running = Running::new(script, &[], |dir| old(&dir.join("a"), "x"));
    eventually("the function", || running.path("started").exists().then_some(()));
    signal(running.child.id(), rustix::process::Signal::TERM);
    running.says("draining");
    fs::write(running.path("go"), "").expect("written");
    assert_eq!(running.output("result"), "done\n");
    assert_eq!(running.end(), Some(0));
}

#[test]
fn wrong_directories_are_named() {
    let home = tempfile::tempdir().expect("a directory");
    fs::create_dir(home.path().join("in")).expect("made");
    let (from, inner) = (home.path().join("in"), home.path().join("in/out"));
    let text = |path: &Path| path.to_str().expect("text").to_owned();
    for (flags, message) in [
        (vec![], "there is no directory to watch"),
        (vec!["--from", "missing"], "cannot watch missing"),
        (vec!["--from", &text(&from), "--to", &text(&inner)], "each output would be an input again"),
        (vec!["--to", "x"], "--from"),
    ] {
        let ran = bandog(["watch"]).args(&flags).with_workspace().args(["--", "true"]).run();
        assert!(ran.code() != 0 && ran.complaint().contains(message), "{flags:?}: {ran}");
    }
}

#[test]
fn a_server_runs_for_new_files_of_its_local_inputs() {
    let place = tempfile::tempdir().expect("a directory");
    fs::create_dir(place.path().join("in")).expect("made");
    old(&place.path().join("in/before"), "x");
    let configuration = json!({
        "input": [{"storage_provider": "local", "path": "in", "suffix": [".txt"]}],
        "output": [{"storage_provider": "local", "path": "out"}],
        "storage_providers": {"local": {"default": {"path": place.path()}}},
    });
    let server = serve_command(COPY).env("FUNCTION_CONFIG", encode(configuration.to_string())).start();
    fs::write(place.path().join("in/other"), "x").expect("written");
    fs::write(place.path().join("in/new.txt"), "hello").expect("written");
    let stored = place.path().join("out/of-new.txt");
    assert_eq!(eventually("an output", || fs::read_to_string(&stored).ok()), "hello");
    server.log_line("the other file", |line| line.contains("event ignored: ") && line.contains("in/other"));
    assert_eq!(fs::read_dir(place.path().join("out")).expect("a directory").count(), 1);
}
