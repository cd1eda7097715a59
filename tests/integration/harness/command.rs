//! Runs a program to its end, with bounded waiting, and shows everything about it when a test fails.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fmt, fs,
    io::{Read as _, Write as _},
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::LazyLock,
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use super::{PATH, PATIENCE, listing, server::MARK, shown};

/// The `bandog` binary under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_bandog");

/// A run of the binary under test, without the environment of the test.
pub(crate) fn bandog<I: IntoIterator<Item: AsRef<OsStr>>>(arguments: I) -> Command {
    Command::new(Path::new(BINARY)).args(arguments)
}

/// A command whose process begins as one at a terminal does: it ignores no signal, even if the tests were started by
/// nohup(1), in the background of a script, or by a runner that ignores some. The standard library resets SIGPIPE alone.
pub(crate) fn fresh(program: impl AsRef<OsStr>) -> std::process::Command {
    static SOME_ARE_IGNORED: LazyLock<bool> = LazyLock::new(|| {
        let status = fs::read_to_string("/proc/self/status").expect("/proc/self/status");
        let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).expect("a mask of signals");
        let ignored = u64::from_str_radix(ignored.trim(), 16).expect("hexadecimal digits");
        ignored & !(1 << (Signal::PIPE.as_raw() - 1)) != 0
    });
    if !*SOME_ARE_IGNORED {
        return std::process::Command::new(program);
    }
    let mut command = std::process::Command::new("/usr/bin/env");
    command.args([OsStr::new("--default-signal"), program.as_ref()]);
    command
}

/// A run of another program, found in the directories of [`PATH`]; a missing one is a failure that says so.
#[track_caller]
pub(crate) fn program(name: &str) -> Command {
    let found = PATH.split(':').map(|dir| Path::new(dir).join(name)).find(|path| path.exists());
    Command::new(
        &found.unwrap_or_else(|| panic!("{name} is not installed (looked in {PATH}); `make test` installs it")),
    )
}

/// A program to run.
#[derive(Debug)]
#[must_use]
pub(crate) struct Command {
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: BTreeMap<OsString, OsString>,
    stdin: Vec<u8>,
    patience: Duration,
    home: tempfile::TempDir,
}

impl Command {
    /// This file, with nothing but `PATH` in its environment, in a new empty directory.
    pub(crate) fn new(program: &Path) -> Self {
        let home = tempfile::tempdir().expect("a temporary directory");
        fs::create_dir(home.path().join("workspace")).expect("a workspace");
        let mark = uuid::Uuid::new_v4().to_string();
        Self {
            program: program.to_owned(),
            arguments: Vec::new(),
            environment: [("PATH", PATH), (MARK, &mark)].map(|(name, value)| (name.into(), value.into())).into(),
            stdin: Vec::new(),
            patience: PATIENCE * 2,
            home,
        }
    }

    /// One more argument.
    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// More arguments.
    pub(crate) fn args<I: IntoIterator<Item: AsRef<OsStr>>>(mut self, arguments: I) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// Runs the binary under another name.
    pub(crate) fn named(mut self, name: &str) -> Self {
        let link = self.home.path().join(name);
        std::os::unix::fs::symlink(&self.program, &link).expect("a link to the binary");
        self.program = link;
        self
    }

    /// `--workspace` in a directory of its own, which [`Ran`] shows and which must be empty at the end.
    pub(crate) fn with_workspace(self) -> Self {
        let workspace = self.home.path().join("workspace");
        self.arg("--workspace").arg(workspace)
    }

    /// One variable.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.environment.insert(name.into(), value.as_ref().to_owned());
        self
    }

    /// Sets its standard input.
    pub(crate) fn stdin(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.stdin = bytes.as_ref().to_vec();
        self
    }

    /// A file in its working directory.
    pub(crate) fn file(self, name: &str, content: &str) -> Self {
        fs::write(self.home.path().join(name), content).expect("writable");
        self
    }

    /// A service below `fixtures/services/`, in its working directory.
    pub(crate) fn service(self, name: &str) -> Self {
        super::service::unpack(name, self.home.path());
        self
    }

    /// How long it may take.
    pub(crate) fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Where it runs: a path in its working directory.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Runs it to its end.
    #[track_caller]
    pub(crate) fn run(self) -> Ran {
        let workspace = self.home.path().join("workspace");
        let mut child = fresh(&self.program)
            .args(&self.arguments)
            .env_clear()
            .envs(&self.environment)
            .current_dir(self.home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", self.program.display()));
        let mut stdin = child.stdin.take().expect("piped");
        let input = self.stdin.clone();
        // A program need not read what it is given.
        let writer = thread::spawn(move || drop(stdin.write_all(&input)));
        let [stdout, stderr] = [
            Box::new(child.stdout.take().expect("piped")) as Box<dyn std::io::Read + Send>,
            Box::new(child.stderr.take().expect("piped")),
        ]
        .map(|mut pipe| {
            thread::spawn(move || {
                let mut bytes = Vec::new();
                pipe.read_to_end(&mut bytes).map(|_| bytes)
            })
        });
        let deadline = Instant::now() + self.patience;
        let mut peak = 0;
        let status = loop {
            peak = peak.max(super::proc_status(child.id(), "VmHWM").unwrap_or(0));
            if let Some(status) = child.try_wait().expect("waitable") {
                break Some(status);
            }
            if Instant::now() > deadline {
                child.kill().expect("killable");
                child.wait().expect("waitable");
                break None;
            }
            thread::sleep(Duration::from_millis(2));
        };
        let _ = writer.join();
        let mut ran = Ran {
            command: format!("{} {:?}", self.program.display(), self.arguments),
            status: status.unwrap_or_default(),
            stdout: stdout.join().expect("reader").expect("readable"),
            stderr: stderr.join().expect("reader").expect("readable"),
            left: listing(&workspace),
            peak,
            home: self.home,
        };
        ran.command.push_str(if status.is_none() { " (killed: it did not end in time)" } else { "" });
        assert!(status.is_some(), "{ran}");
        assert!(ran.left.is_empty(), "something was left in the workspace: {ran}");
        ran
    }
}

/// A program that has run.
pub(crate) struct Ran {
    command: String,
    status: ExitStatus,
    /// Its standard output.
    pub(crate) stdout: Vec<u8>,
    /// Its standard error.
    pub(crate) stderr: Vec<u8>,
    left: Vec<String>,
    /// The most memory it was seen to hold, in KiB.
    pub(crate) peak: u64,
    home: tempfile::TempDir,
}

impl Ran {
    /// The exit code as a shell gives it: 128 + n for signal n.
    pub(crate) fn code(&self) -> i32 {
        self.status.code().or_else(|| self.status.signal().map(|signal| 128 + signal)).unwrap_or(-1)
    }

    /// Fails unless it ended with this code.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code(), code, "{self}");
        self
    }

    /// Its standard output, as text.
    #[track_caller]
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap_or_else(|error| panic!("not UTF-8 ({error}): {self}"))
    }

    /// Its standard error, as text.
    #[track_caller]
    pub(crate) fn complaint(&self) -> &str {
        std::str::from_utf8(&self.stderr).unwrap_or_else(|error| panic!("not UTF-8 ({error}): {self}"))
    }

    /// Where it ran: files that it left in its working directory.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n  command: {}", self.command)?;
        writeln!(f, "  cwd: {}", self.home.path().display())?;
        writeln!(f, "  files: {:?}", listing(self.home.path()))?;
        writeln!(f, "  status: {}", self.status)?;
        writeln!(f, "  stdout ({} bytes): {}", self.stdout.len(), shown(&self.stdout))?;
        write!(f, "  stderr ({} bytes): {}", self.stderr.len(), shown(&self.stderr))
    }
}
