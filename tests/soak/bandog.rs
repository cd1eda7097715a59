//! The bandogs under test, one for each service: started, looked at from outside, stopped.

use std::{
    ffi::OsString,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{
    call::{Call, TOKEN, Wanted},
    plan::MAX_BODY,
    wire::{Pace, Wire},
};

/// Places and turns in the queue: fewer than the driver has workers, so that some are turned away.
pub(crate) const MAX_INFLIGHT: usize = 6;
pub(crate) const MAX_QUEUE: usize = 4;

/// How long a client may take nothing of its response.
pub(crate) const SEND_TIMEOUT: Duration = Duration::from_millis(2500);

/// How long it may take to start or to stop.
const PATIENCE: Duration = Duration::from_secs(30);

/// Marks every process that comes of this run.
const MARK: &str = "SOAK_MARK";

/// The thing that a bandog makes a service of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// `fixtures/functions/soak.sh`, once for each call.
    Function,
    /// `fixtures/upstream/server.py`, which every request is passed on to.
    Server,
    /// The typed actions of `fixtures/services/soak`.
    Actions,
}

impl Service {
    pub(crate) const ALL: [Self; 3] = [Self::Function, Self::Server, Self::Actions];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Function => "the function's",
            Self::Server => "the server's",
            Self::Actions => "the actions'",
        }
    }

    /// Its processes that CALL_ID names, and that may be killed.
    pub(crate) fn has_calls(self) -> bool {
        self != Self::Server
    }

    fn arguments(self) -> Vec<OsString> {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
        match self {
            Self::Function => vec!["--script".into(), fixtures.join("functions/soak.sh").into()],
            Self::Server => {
                let server = fixtures.join("upstream/server.py").into();
                vec!["--mode".into(), "http".into(), "--".into(), "python3".into(), server]
            }
            Self::Actions => vec!["--actions".into(), self.directory().join("oms.yml").into()],
        }
    }

    /// The commands of the actions are in their directory.
    fn directory(self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(if self == Self::Actions { "fixtures/services/soak" } else { "" })
    }
}

pub(crate) struct Bandog {
    pub(crate) service: Service,
    child: Child,
    home: tempfile::TempDir,
    mark: String,
    pub(crate) address: SocketAddr,
}

impl Bandog {
    pub(crate) fn start(binary: &Path, service: Service) -> Result<Self, String> {
        let say = |error: std::io::Error| format!("cannot start {}: {error}", binary.display());
        let home = tempfile::tempdir().map_err(say)?;
        for name in ["workspace", "scratch"] {
            fs::create_dir(home.path().join(name)).map_err(say)?;
        }
        let mark = format!("{MARK}={}", uuid::Uuid::new_v4());
        let actions = service.directory();
        let child = Command::new(binary)
            .args(["serve", "--listen", "127.0.0.1:0", "--service", "soak", "--log-level", "CRITICAL"])
            .args(["--exec-timeout", "5s", "--kill-grace", "500ms", "--read-timeout", "6s", "--queue-timeout", "3s"])
            .args(["--max-inflight", &MAX_INFLIGHT.to_string(), "--max-queue", &MAX_QUEUE.to_string()])
            .args(["--max-body", &MAX_BODY.to_string()])
            .args(["--send-timeout", &format!("{}ms", SEND_TIMEOUT.as_millis())])
            .arg("--address-file")
            .arg(home.path().join("address"))
            .arg("--workspace")
            .arg(home.path().join("workspace"))
            .args(service.arguments())
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("BANDOG_TOKEN", TOKEN)
            .env("SCRATCH", home.path().join("scratch"))
            .env(MARK, &mark[MARK.len() + 1..])
            .current_dir(if service == Service::Actions { &actions } else { home.path() })
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(home.path().join("log")).map_err(say)?)
            .spawn()
            .map_err(say)?;
        let mut bandog = Self { service, child, home, mark, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        let begun = Instant::now();
        loop {
            if let Ok(text) = fs::read_to_string(bandog.home.path().join("address"))
                && let Ok(address) = text.trim().parse()
            {
                bandog.address = address;
                if bandog.is_ready() {
                    return Ok(bandog);
                }
            }
            if begun.elapsed() > PATIENCE || bandog.child.try_wait().is_ok_and(|status| status.is_some()) {
                return Err(format!("{} did not start: {}", binary.display(), bandog.log()));
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn is_ready(&self) -> bool {
        self.page("/_/ready").is_ok_and(|(status, _)| status == 200)
    }

    /// The status and the text of one of bandog's own pages.
    fn page(&self, path: &str) -> Result<(u16, String), String> {
        let mut wire = Wire::connect(self.address)?;
        wire.send(Call::page("soak-page".to_owned(), path, Wanted::Page("")).head("HTTP/1.1").as_bytes())?;
        let answer = wire.answer(Pace::Fast)?.ok_or("no answer")?;
        Ok((answer.status, String::from_utf8_lossy(&answer.body).into_owned()))
    }

    /// Returns an error if it says that it still has calls, or has some that wait.
    pub(crate) fn has_no_calls(&self) -> Result<(), String> {
        let (_, status) = self.page("/_/status")?;
        let free = status.contains("\"in_flight\":0,\"queued\":0,");
        if free { Ok(()) } else { Err(format!("it still has calls: {status}")) }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The container log.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }

    /// Where the function signs its start.
    pub(crate) fn sign(&self, id: &str) -> PathBuf {
        self.home.path().join("scratch").join(id)
    }

    /// Everything in the directory of the workspaces.
    pub(crate) fn workspaces(&self) -> Vec<PathBuf> {
        fs::read_dir(self.home.path().join("workspace"))
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .collect()
    }

    /// Every process that comes of this run but bandog itself: by the mark, however far it has gone; and bandog's own
    /// children, zombies among them, which have no environment any more.
    pub(crate) fn processes(&self) -> Vec<i32> {
        let own = self.child.id().cast_signed();
        let mut found: Vec<i32> = carriers(&self.mark).into_iter().filter(|pid| *pid != own).collect();
        found.extend(self.children());
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The children of all its threads.
    pub(crate) fn children(&self) -> Vec<i32> {
        let threads = fs::read_dir(format!("/proc/{}/task", self.child.id())).into_iter().flatten().flatten();
        let lists = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
        lists.flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect()
    }

    /// Stops it in order; what is wrong with how it ended.
    pub(crate) fn stop(&mut self) -> Result<(), String> {
        let pid = Pid::from_raw(self.child.id().cast_signed()).ok_or("no process id")?;
        kill_process(pid, Signal::TERM).map_err(|error| format!("bandog is gone before its end: {error}"))?;
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if let Ok(Some(status)) = self.child.try_wait() {
                return if status.code() == Some(0) { Ok(()) } else { Err(format!("bandog ended with {status}")) };
            }
            thread::sleep(Duration::from_millis(5));
        }
        Err(format!("bandog did not stop within {PATIENCE:?}"))
    }
}

impl Drop for Bandog {
    /// Leaves nothing behind, however the run ended.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        for pid in carriers(&self.mark).into_iter().filter_map(Pid::from_raw) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// The living processes with `variable` (`NAME=value`) in their environment.
pub(crate) fn carriers(variable: &str) -> Vec<i32> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter(|pid| value_of(*pid, variable).is_some()).collect()
}

/// The value after `start` in the environment of a process.
pub(crate) fn value_of(pid: i32, start: &str) -> Option<String> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let mut variables = environment.split(|byte| *byte == 0);
    let value = variables.find_map(|variable| variable.strip_prefix(start.as_bytes()))?;
    Some(String::from_utf8_lossy(value).into_owned())
}
