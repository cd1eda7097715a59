//! Real storage servers: `fixtures/servers/serve.py` starts one on loopback, and ends it when its standard input ends.

use std::{
    env, fs,
    io::{self, BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

/// The variable by which `make test-servers` asks for every server; otherwise only the quick ones run.
pub const ALL_SERVERS: (&str, &str) = ("BANDOG_TEST_SERVERS", "all");

/// The longest wait for serve.py to end. It kills its processes without a word to them, so it takes milliseconds.
const END_LIMIT: Duration = Duration::from_secs(30);

/// Between two looks at whether it has.
const GLANCE: Duration = Duration::from_millis(2);

/// A server that runs until this is dropped, or until the process that started it ends in any way.
#[derive(Debug)]
pub struct Server {
    /// How to reach it, as serve.py tells: `endpoint`, `bucket`, `access_key`, …
    pub info: Value,
    process: Child,
}

/// The reason why no server runs.
#[derive(Debug)]
enum NotStarted {
    /// Its programs are not installed.
    Missing(String),
    /// A fault.
    Failed(String),
}

impl Server {
    /// Starts the server of this name: a module in `fixtures/servers`.
    ///
    /// # Errors
    /// The reason, if it is not installed or does not start.
    pub fn start(name: &str) -> Result<Self, String> {
        Self::start_with(name, &[])
    }

    /// Starts a server with more arguments of serve.py, such as `--notify URL`.
    ///
    /// # Errors
    /// The reason, if it is not installed or does not start.
    pub fn start_with(name: &str, arguments: &[&str]) -> Result<Self, String> {
        Self::try_start(name, arguments).map_err(|reason| match reason {
            NotStarted::Missing(reason) | NotStarted::Failed(reason) => format!("server {name}: {reason}"),
        })
    }

    /// Starts a server for a test of `make test`. Where it is not installed there is none: the summary says so, and in
    /// CI it is a failure.
    pub fn for_test(name: &str, arguments: &[&str]) -> Option<Self> {
        match Self::try_start(name, arguments) {
            Ok(server) => Some(server),
            Err(NotStarted::Missing(reason)) => {
                did_not_run(&format!("tests on the server {name}"), &reason);
                None
            }
            Err(NotStarted::Failed(reason)) => panic!("server {name}: {reason}"),
        }
    }

    /// Starts a server for a test of `make test-servers`. In other runs there is none, and the test has nothing to do.
    pub fn start_extra(name: &str, arguments: &[&str]) -> Option<Self> {
        let asked = env::var(ALL_SERVERS.0).is_ok_and(|which| which == ALL_SERVERS.1);
        if !asked {
            eprintln!("server {name}: not in this run; make test-servers starts it");
            return None;
        }
        Self::for_test(name, arguments)
    }

    fn try_start(name: &str, arguments: &[&str]) -> Result<Self, NotStarted> {
        let script = root().join("fixtures/servers/serve.py");
        let process = Command::new("python3")
            .arg(&script)
            .arg(name)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| NotStarted::Missing(format!("cannot start python3: {error}; install Python 3.11")))?;
        // From here on the process ends with this, also where its line is not what it should be.
        let mut server = Self { info: Value::Null, process };
        server.info =
            server.first_line().map_err(|error| NotStarted::Failed(format!("{}: {error}", script.display())))?;
        match (server.info["missing"].as_str(), server.info["failed"].as_str()) {
            (Some(reason), _) => Err(NotStarted::Missing(reason.to_owned())),
            (_, Some(reason)) => Err(NotStarted::Failed(reason.to_owned())),
            (None, None) => Ok(server),
        }
    }

    /// serve.py writes it in bounded time, whatever happens.
    fn first_line(&mut self) -> io::Result<Value> {
        let mut line = String::new();
        let output = self.process.stdout.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        BufReader::new(output).read_line(&mut line)?;
        Ok(serde_json::from_str(&line)?)
    }

    /// A field of [`Self::info`] that is text.
    pub fn text(&self, field: &str) -> &str {
        self.info[field].as_str().unwrap_or_else(|| panic!("the server says no {field}: {}", self.info))
    }

    /// The address, such as `http://127.0.0.1:40123`.
    pub fn endpoint(&self) -> &str {
        self.text("endpoint")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let deadline = Instant::now() + END_LIMIT;
        while matches!(self.process.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                // Its children end with it; the directory is what stays.
                let _killed = self.process.kill();
                let _ended = self.process.wait();
                eprintln!("serve.py did not end within {END_LIMIT:?} and was killed: {}", self.info);
                return;
            }
            thread::sleep(GLANCE);
        }
    }
}

/// The repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Notes for the summary of `scripts/test.sh` which tests could not run and why; in CI that is a failure.
fn did_not_run(tests: &str, reason: &str) {
    let target = root().join(env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()));
    let directory = target.join("tmp");
    fs::create_dir_all(&directory).expect("a directory for the reasons");
    let notes = fs::OpenOptions::new().create(true).append(true).open(directory.join("did-not-run.txt"));
    // One write: other tests append to it as well.
    let line = format!("{tests}: {reason}\n");
    notes.expect("a file for the reasons").write_all(line.as_bytes()).expect("room for a reason");
    assert!(env::var("CI").as_deref() != Ok("true"), "{tests} must run in CI: {reason}");
}
