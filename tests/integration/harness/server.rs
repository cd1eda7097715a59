//! The listener as a child process: started on a free port, watched, stopped, and searched for leftovers.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fmt, fs,
    net::SocketAddr,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{Child, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use super::{
    PATH, PATIENCE, Request, Wire, children,
    command::{BINARY, fresh},
    eventually, listing, marked, shown,
};

/// The variable that marks everything a server starts, so that it can be found again. Its value is a number of seconds,
/// so that sleep(1) can carry it as well.
pub(crate) const MARK: &str = "HARNESS_MARK";

/// A listener for a script.
pub(crate) fn serve(script: impl AsRef<Path>) -> Builder {
    Builder::new().args([OsStr::new("--script"), script.as_ref().as_os_str()])
}

/// A listener for `/bin/sh -c COMMAND`.
pub(crate) fn serve_command(command: &str) -> Builder {
    let mut builder = Builder::new();
    builder.command = ["--", "/bin/sh", "-c", command].map(OsString::from).into();
    builder
}

/// A listener in the making.
#[derive(Debug)]
#[must_use]
pub(crate) struct Builder {
    arguments: Vec<OsString>,
    command: Vec<OsString>,
    environment: BTreeMap<OsString, OsString>,
    stderr: Option<OwnedFd>,
    own_workspace: bool,
    /// The name it is started under.
    name: &'static str,
    /// A shell that bandog replaces: what it was started with that bandog must not hand down.
    before: Option<String>,
    /// A program and its arguments, which starts bandog.
    under: Vec<OsString>,
    home: tempfile::TempDir,
}

impl Builder {
    /// No function yet.
    pub(crate) fn new() -> Self {
        let home = tempfile::tempdir().expect("a temporary directory");
        let scratch = home.path().join("scratch");
        fs::create_dir(home.path().join("workspace")).expect("a workspace");
        fs::create_dir(&scratch).expect("a scratch directory");
        let mark = format!("1000.{:039}", uuid::Uuid::new_v4().as_u128());
        let environment = [(MARK, OsStr::new(&mark)), ("PATH", OsStr::new(PATH)), ("SCRATCH", scratch.as_os_str())];
        Self {
            arguments: Vec::new(),
            command: Vec::new(),
            environment: environment.map(|(name, value)| (name.into(), value.into())).into(),
            stderr: None,
            own_workspace: true,
            name: "bandog",
            before: None,
            under: Vec::new(),
            home,
        }
    }

    /// More flags.
    pub(crate) fn args<I: IntoIterator<Item: AsRef<OsStr>>>(mut self, arguments: I) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// A service below `fixtures/services/`, in the directory that it is started in.
    pub(crate) fn service(self, name: &str) -> Self {
        super::service::unpack(name, self.home.path());
        self
    }

    /// A file in the directory that it is started in.
    pub(crate) fn file(self, name: &str, content: &str) -> Self {
        fs::write(self.home.path().join(name), content).expect("writable");
        self
    }

    /// The command to run, in the place of any other.
    pub(crate) fn command<I: IntoIterator<Item: AsRef<OsStr>>>(mut self, words: I) -> Self {
        self.command = vec!["--".into()];
        self.command.extend(words.into_iter().map(|word| word.as_ref().to_owned()));
        self
    }

    /// A flag whose value is a path.
    pub(crate) fn arg_path(self, flag: &str, path: &Path) -> Self {
        self.args([OsStr::new(flag), path.as_os_str()])
    }

    /// Nothing but the function's own output in the logs.
    pub(crate) fn quiet(self) -> Self {
        self.args(["--log-level", "CRITICAL"])
    }

    /// One variable.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.environment.insert(name.into(), value.as_ref().to_owned());
        self
    }

    /// Starts it under the name `fwatchdog`, in a container where nothing else is: its lock is in a directory of its
    /// own, and its metrics are where no other test's can be.
    pub(crate) fn fwatchdog(mut self) -> Self {
        self.name = "fwatchdog";
        let place = self.home.path().join("tmp");
        fs::create_dir(&place).expect("a directory for the lock");
        self.env("TMPDIR", place).env("BANDOG_METRICS", "on")
    }

    /// The lock file of a watchdog.
    pub(crate) fn lock(&self) -> PathBuf {
        self.home.path().join("tmp/.lock")
    }

    /// Lets the container log go elsewhere than to the file that [`Server::log`] reads.
    pub(crate) fn stderr(mut self, to: impl Into<OwnedFd>) -> Self {
        self.stderr = Some(to.into());
        self
    }

    /// Makes it the successor of another listener, in the same directories.
    pub(crate) fn after(mut self, home: tempfile::TempDir) -> Self {
        let _ = fs::remove_file(home.path().join("address"));
        self.environment.insert("SCRATCH".into(), home.path().join("scratch").into());
        self.home = home;
        self
    }

    /// Leaves it to the listener where workspaces are made.
    pub(crate) fn without_workspace(mut self) -> Self {
        self.own_workspace = false;
        self
    }

    /// Runs a shell command in the process that then becomes bandog.
    pub(crate) fn after_command(mut self, command: impl Into<String>) -> Self {
        self.before = Some(command.into());
        self
    }

    /// Makes it PID 1 of a process namespace of its own, with a `/proc` of its own; see [`super::can_be_init`].
    pub(crate) fn init(self) -> Self {
        let unshare: Vec<&'static str> = ["unshare"].into_iter().chain(super::INIT).collect();
        self.under(&unshare)
    }

    /// Has another program start it: as its child, or by becoming it.
    pub(crate) fn under(mut self, program: &[impl AsRef<OsStr>]) -> Self {
        self.under = program.iter().map(|word| word.as_ref().to_owned()).collect();
        self
    }

    /// Uses the workspace of a listener that is still running.
    pub(crate) fn beside(self, other: &Server) -> Self {
        fs::remove_dir(self.home.path().join("workspace")).expect("an empty workspace");
        std::os::unix::fs::symlink(other.workspace(), self.home.path().join("workspace")).expect("a link");
        self
    }

    /// Where workspaces are made.
    pub(crate) fn workspace(&self) -> PathBuf {
        self.home.path().join("workspace")
    }

    /// The binary, under the name it is started by.
    fn binary(&self) -> PathBuf {
        if self.name == "bandog" {
            return PathBuf::from(BINARY);
        }
        let link = self.home.path().join(self.name);
        std::os::unix::fs::symlink(BINARY, &link).expect("a link to the binary");
        link
    }

    /// Starts it without waiting for anything.
    fn spawn(&mut self) -> (Child, String) {
        let stderr = fs::File::create(self.home.path().join("stderr")).expect("a file for stderr");
        let stderr = self.stderr.take().unwrap_or_else(|| stderr.into());
        let stdout = fs::File::create(self.home.path().join("stdout")).expect("a file for stdout");
        let mut command = match (self.under.split_first(), &self.before) {
            (Some((program, arguments)), _) => {
                let mut command = fresh(program);
                command.args(arguments).arg(BINARY);
                command
            }
            (None, None) => fresh(self.binary()),
            (None, Some(before)) => {
                let mut shell = fresh("/bin/sh");
                shell.args(["-c", &format!("{before}; exec \"$0\" \"$@\""), BINARY]);
                shell
            }
        };
        command
            .args(["serve", "--listen", "127.0.0.1:0"])
            .arg("--address-file")
            .arg(self.home.path().join("address"))
            .args(self.own_workspace.then_some("--workspace"))
            .args(self.own_workspace.then(|| self.workspace()))
            .args(&self.arguments)
            .args(&self.command)
            .env_clear()
            .envs(&self.environment)
            .current_dir(self.home.path())
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr);
        let shown = format!("{command:?}");
        (command.spawn().unwrap_or_else(|error| panic!("cannot start {BINARY}: {error}")), shown)
    }

    /// Starts it and waits until it says where it listens.
    #[track_caller]
    pub(crate) fn start(mut self) -> Server {
        let (child, command) = self.spawn();
        let mark = self.environment[OsStr::new(MARK)].to_string_lossy().into_owned();
        let mut server = Server {
            own: child.id(),
            child,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            command,
            mark,
            home: self.home,
            ended: None,
        };
        let file = server.home.path().join("address");
        server.address = eventually("the address file", || {
            if let Some(status) = server.child.try_wait().expect("waitable") {
                server.ended = Some(status);
                panic!("it ended before it listened: {server}");
            }
            fs::read_to_string(&file).ok()?.trim().parse().ok()
        });
        let started = child_id(&server.child);
        let is_bandog = |pid: &i32| fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == Path::new(BINARY));
        let own = [vec![started], children(started)].concat().into_iter().find(is_bandog);
        server.own = own.and_then(|pid| pid.try_into().ok()).expect("bandog is it, or its child");
        server
    }
}

fn child_id(child: &Child) -> i32 {
    i32::try_from(child.id()).expect("a process id")
}

/// A running listener.
///
/// Dropping it stops it with SIGTERM and checks that it exits with 0, that its workspace is empty and that no process
/// it started is left.
pub(crate) struct Server {
    /// The process that was started: bandog, or the program that runs it.
    child: Child,
    /// The process id of bandog.
    own: u32,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    command: String,
    mark: String,
    home: tempfile::TempDir,
    ended: Option<ExitStatus>,
}

impl Server {
    /// The mark that all processes carry that it starts.
    pub(crate) fn mark(&self) -> &str {
        &self.mark
    }

    /// A request on a connection of its own.
    pub(crate) fn request(&self, method: &str, target: &str) -> Request {
        Request::new(self.address, method, target)
    }

    /// A POST to `/` of a body without `Content-Type`.
    pub(crate) fn post(&self, body: impl AsRef<[u8]>) -> Request {
        self.request("POST", "/").body(body)
    }

    /// A GET.
    pub(crate) fn get(&self, target: &str) -> Request {
        self.request("GET", target)
    }

    /// A connection for shapes of one's own.
    #[track_caller]
    pub(crate) fn connect(&self) -> Wire {
        Wire::connect(self.address)
    }

    /// `http://ADDRESS` and the path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.own
    }

    /// Where workspaces are made.
    pub(crate) fn workspace(&self) -> PathBuf {
        self.home.path().join("workspace")
    }

    /// The lock file of a watchdog.
    pub(crate) fn lock(&self) -> PathBuf {
        self.home.path().join("tmp/.lock")
    }

    /// Its standard output so far.
    pub(crate) fn stdout(&self) -> Vec<u8> {
        fs::read(self.home.path().join("stdout")).expect("readable")
    }

    /// A directory that test and function share (`$SCRATCH`).
    pub(crate) fn scratch(&self) -> PathBuf {
        self.home.path().join("scratch")
    }

    /// Waits for a file that the function makes in `$SCRATCH`, and returns what is in it.
    #[track_caller]
    pub(crate) fn sign(&self, name: &str) -> String {
        let path = self.scratch().join(name);
        eventually(&format!("{name} from the function: {self}"), || fs::read_to_string(&path).ok())
    }

    /// Whether the function has made a file in `$SCRATCH`.
    pub(crate) fn has_sign(&self, name: &str) -> bool {
        self.scratch().join(name).exists()
    }

    /// Makes a file in `$SCRATCH` that the function waits for.
    pub(crate) fn give(&self, name: &str) {
        fs::write(self.scratch().join(name), b"").expect("writable");
    }

    /// The container log so far.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.home.path().join("stderr")).expect("readable")).into_owned()
    }

    /// Waits until a line of the container log satisfies, and returns it.
    #[track_caller]
    pub(crate) fn log_line(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        eventually(&format!("a log line: {what}: {self}"), || {
            self.log().lines().find(|line| wanted(line)).map(str::to_owned)
        })
    }

    /// Processes that it has started and that still exist, zombies of it included.
    pub(crate) fn descendants(&self) -> Vec<i32> {
        let mut found = self.living();
        found.extend(children(i32::try_from(self.own).expect("a process id")));
        found
    }

    /// The same without zombies.
    pub(crate) fn living(&self) -> Vec<i32> {
        let own = [self.own, self.child.id()].map(|pid| i32::try_from(pid).expect("a process id"));
        marked(&self.mark).into_iter().filter(|pid| !own.contains(pid)).collect()
    }

    /// Everything of open invocations.
    pub(crate) fn open(&self) -> Vec<String> {
        listing(&self.workspace())
    }

    /// Waits until nothing of any invocation is left: no file, no process.
    #[track_caller]
    pub(crate) fn is_clean(&self) {
        eventually(&format!("an empty workspace and no process: {self}"), || {
            (self.open().is_empty() && self.descendants().is_empty()).then_some(())
        });
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        super::signal(self.own, signal);
    }

    /// How it has ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().expect("waitable");
        }
        self.ended
    }

    /// Waits for its end; how it ended and how long that took.
    #[track_caller]
    pub(crate) fn end(&mut self) -> (ExitStatus, Duration) {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.ended() {
                return (status, begun.elapsed());
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end: {self}");
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Kills it, as the kernel does when memory is short; its directory stays.
    pub(crate) fn kill(mut self) -> tempfile::TempDir {
        self.child.kill().expect("killable");
        self.ended = Some(self.child.wait().expect("waitable"));
        std::mem::replace(&mut self.home, tempfile::tempdir().expect("a temporary directory"))
    }

    #[track_caller]
    fn stop_and_check(&mut self) {
        if self.ended().is_none() {
            self.signal(Signal::TERM);
        }
        let (status, _) = self.end();
        assert!(status.code() == Some(0), "it ended with {status}: {self}");
        self.check_nothing_is_left();
    }

    /// After the end: no file and no process.
    #[track_caller]
    pub(crate) fn check_nothing_is_left(&self) {
        assert_eq!(listing(&self.workspace()), [""; 0], "something was left in the workspace: {self}");
        assert_eq!(marked(&self.mark), [0; 0], "processes were left: {self}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{self}");
            let _ = self.child.kill();
            let _ = self.child.wait();
            end_all(&self.mark);
        } else if self.ended.is_none() {
            self.stop_and_check();
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n  command: {}", self.command)?;
        writeln!(f, "  cwd: {}", self.home.path().display())?;
        writeln!(f, "  files: {:?}", listing(self.home.path()))?;
        writeln!(f, "  pid: {}, ended: {:?}", self.child.id(), self.ended)?;
        let log = self.log();
        let tail = log.len().saturating_sub(6000);
        write!(f, "  stderr: {}", shown(log.as_bytes().get(tail..).unwrap_or_default()))
    }
}

/// Kills all that carries `mark`, after a failure. All stand still first, for some may start others faster than one
/// can be killed.
fn end_all(mark: &str) {
    let mut last = 0;
    for signal in [Signal::STOP; 20].into_iter().chain([Signal::KILL]) {
        let pids = marked(mark);
        // No new process.
        let signal = if pids.len() == last { Signal::KILL } else { signal };
        last = pids.len();
        for pid in pids.into_iter().filter_map(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, signal);
        }
    }
}
