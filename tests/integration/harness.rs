//! The base of every suite: the real binary, started, spoken to and stopped under observation.
//!
//! [`server`] starts the listener and checks at its end that nothing is left behind; [`client`] is an HTTP/1.1 client
//! of our own, because suites send shapes that no proper client would; [`command`] runs the other subcommands;
//! [`way`] sends one case over HTTP, through `run` and through `call`. Assertions about promises stand in the suites.

pub(crate) mod archive;
pub(crate) mod client;
pub(crate) mod command;
pub(crate) mod picture;
pub(crate) mod server;
pub(crate) mod service;
pub(crate) mod way;

pub(crate) use client::{Answer, Request, Wire};
pub(crate) use command::{Command, Ran, bandog, program};
pub(crate) use server::{Builder, Server, serve, serve_command};

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use base64::Engine as _;

/// The longest a test waits for something that should take milliseconds: generous, so that a loaded machine does not
/// fail it, and bounded, so that a hang does.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Between two looks at a condition that nothing announces.
const GLANCE: Duration = Duration::from_millis(10);

/// The only directories functions and programs are looked for in: those of Debian's packages.
pub(crate) const PATH: &str = "/usr/bin:/bin:/usr/games";

/// How unshare(1) makes what follows PID 1 of a process namespace of its own, which ends with it.
pub(crate) const INIT: [&str; 4] = ["--pid", "--fork", "--mount-proc", "--kill-child"];

/// Whether a process can be PID 1 of a namespace here; if not, the summary of `make test` says so.
pub(crate) fn can_be_init(what: &str) -> bool {
    let tried = std::process::Command::new("unshare").args(INIT).arg("/bin/true").output();
    let reason = match tried {
        Ok(tried) if tried.status.success() => return true,
        Ok(tried) => String::from_utf8_lossy(&tried.stderr).lines().next().unwrap_or("no word").trim().to_owned(),
        Err(error) => format!("unshare: {error}"),
    };
    did_not_run(what, &format!("no process namespace can be made here ({reason})"));
    false
}

/// Notes for the summary of `scripts/test.sh` what could not run and why; in CI that is a failure.
pub(crate) fn did_not_run(what: &str, reason: &str) {
    let notes = Path::new(env!("CARGO_TARGET_TMPDIR")).join("did-not-run.txt");
    let mut notes = fs::OpenOptions::new().create(true).append(true).open(notes).expect("a file for the reasons");
    // One write: tests on other threads append to it as well.
    notes.write_all(format!("{what}: {reason}\n").as_bytes()).expect("room for a reason");
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{what} must run in CI: {reason}");
}

/// The variables that OSCAR sets in the pods of its services, in its order.
pub(crate) const OSCAR_POD: [(&str, &str); 7] = [
    ("fprocess", "/oscar/bin/supervisor"),
    ("max_inflight", "1"),
    ("write_debug", "true"),
    ("exec_timeout", "0"),
    ("read_timeout", "300"),
    ("write_timeout", "300"),
    ("PORT", "8080"),
];

/// A fixture below `fixtures/`.
pub(crate) fn fixture(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name);
    assert!(path.exists(), "no such fixture: {}", path.display());
    path
}

/// A function below `fixtures/functions/`.
pub(crate) fn function(name: &str) -> PathBuf {
    fixture("functions").join(name)
}

/// The environment that the function `environment.sh` saw.
pub(crate) fn environment(request: Request) -> BTreeMap<String, String> {
    let bytes = decode(request.send().expect(200).body);
    let text = String::from_utf8_lossy(&bytes);
    text.split_terminator('\0')
        .map(|variable| variable.split_once('=').expect("a variable"))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Looks until `look` finds something; panics with `what` after [`PATIENCE`].
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain: {what}");
        thread::sleep(GLANCE);
    }
}

/// Standard base64, by the reference implementation.
pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// Strictly decoded standard base64, as oscar-cli does it.
pub(crate) fn decode(text: impl AsRef<[u8]>) -> Vec<u8> {
    let text = text.as_ref();
    base64::engine::general_purpose::STANDARD
        .decode(text)
        .unwrap_or_else(|error| panic!("not base64 ({error}): {}", shown(text)))
}

/// Bytes for a failure message: text where it is text, and never a screenful.
pub(crate) fn shown(bytes: &[u8]) -> String {
    const LIMIT: usize = 4000;
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(LIMIT)]).into_owned();
    if bytes.len() > LIMIT { format!("{text}… ({} bytes in all)", bytes.len()) } else { text }
}

/// Bytes of every value, in no order.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Every path below `dir`, relative, sorted.
pub(crate) fn listing(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(next) = open.pop() {
        // An entry that vanishes while we look is being removed, which is what we wait for.
        for entry in fs::read_dir(&next).into_iter().flatten().flatten() {
            let path = entry.path();
            found.push(path.strip_prefix(dir).unwrap_or(&path).display().to_string());
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                open.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Ids of the living processes that carry `mark` in their environment or as an argument.
///
/// A process that left its group or session keeps its environment; one that is started without any has to be given the
/// mark as an argument (`sleep "$HARNESS_MARK"`). Only zombies have neither, see [`children`].
pub(crate) fn marked(mark: &str) -> Vec<i32> {
    let needle = format!("{}={mark}", server::MARK);
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("/proc").flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let holds = |file: &str, text: &str| {
            let content = fs::read(entry.path().join(file)).unwrap_or_default();
            content.split(|byte| *byte == 0).any(|part| part == text.as_bytes())
        };
        if holds("environ", &needle) || holds("cmdline", mark) {
            found.push(pid);
        }
    }
    found
}

/// Ids of the children of a process, zombies included.
pub(crate) fn children(parent: i32) -> Vec<i32> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("/proc").flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // A process that ends while we look is no child any more.
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // After the name in parentheses: state, parent.
        let of = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)?.parse::<i32>().ok());
        if of == Some(parent) {
            found.push(pid);
        }
    }
    found
}

/// `field` of `/proc/PID/status`, in the unit it is written in.
pub(crate) fn proc_status(pid: u32, field: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Sends `signal` to one process that the test itself has started.
pub(crate) fn signal(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid.try_into().expect("a process id")).expect("not 0");
    rustix::process::kill_process(pid, signal).expect("the process exists");
}
