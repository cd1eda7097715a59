//! The one bandog under test: started, looked at from outside, stopped.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{call::TOKEN, plan::MAX_BODY};

/// Places and turns in the queue: fewer than the driver has workers, so that some are turned away.
pub(crate) const MAX_INFLIGHT: usize = 6;
pub(crate) const MAX_QUEUE: usize = 4;

/// How long it may take to start or to stop.
const PATIENCE: Duration = Duration::from_secs(30);

/// Marks every process that comes of this run.
const MARK: &str = "SOAK_MARK";

pub(crate) struct Bandog {
    child: Child,
    home: tempfile::TempDir,
    mark: String,
    pub(crate) address: SocketAddr,
}

impl Bandog {
    pub(crate) fn start(binary: &Path) -> Result<Self, String> {
        let say = |error: std::io::Error| format!("cannot start {}: {error}", binary.display());
        let home = tempfile::tempdir().map_err(say)?;
        for name in ["workspace", "scratch"] {
            fs::create_dir(home.path().join(name)).map_err(say)?;
        }
        let mark = format!("{MARK}={}", uuid::Uuid::new_v4());
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/functions/soak.sh");
        let child = Command::new(binary)
            .args(["serve", "--listen", "127.0.0.1:0", "--service", "soak", "--log-level", "CRITICAL"])
            .args(["--exec-timeout", "5s", "--kill-grace", "500ms", "--read-timeout", "6s", "--queue-timeout", "3s"])
            .args(["--max-inflight", &MAX_INFLIGHT.to_string(), "--max-queue", &MAX_QUEUE.to_string()])
            .args(["--max-body", &MAX_BODY.to_string()])
            .arg("--address-file")
            .arg(home.path().join("address"))
            .arg("--workspace")
            .arg(home.path().join("workspace"))
            .arg("--script")
            .arg(script)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("BANDOG_TOKEN", TOKEN)
            .env("SCRATCH", home.path().join("scratch"))
            .env(MARK, &mark[MARK.len() + 1..])
            .current_dir(home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(home.path().join("log")).map_err(say)?)
            .spawn()
            .map_err(say)?;
        let mut bandog = Self { child, home, mark, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        let begun = Instant::now();
        loop {
            if let Ok(text) = fs::read_to_string(bandog.home.path().join("address"))
                && let Ok(address) = text.trim().parse()
            {
                bandog.address = address;
                return Ok(bandog);
            }
            if begun.elapsed() > PATIENCE || bandog.child.try_wait().is_ok_and(|status| status.is_some()) {
                return Err(format!("{} did not start: {}", binary.display(), bandog.log()));
            }
            thread::sleep(Duration::from_millis(5));
        }
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

/// What follows `start` in the environment of a process.
pub(crate) fn value_of(pid: i32, start: &str) -> Option<String> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let mut variables = environment.split(|byte| *byte == 0);
    let value = variables.find_map(|variable| variable.strip_prefix(start.as_bytes()))?;
    Some(String::from_utf8_lossy(value).into_owned())
}
