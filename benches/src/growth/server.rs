//! A bandog of our own to measure, and what the kernel says of it.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use tempfile::TempDir;

/// How long anything here may take before the measurement is given up.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// A listener that runs until this is dropped.
pub(super) struct Server {
    child: Child,
    pub(super) address: SocketAddr,
    /// From before the process was started to the first connection that the kernel took for it.
    pub(super) listening: Duration,
    _workspace: TempDir,
}

/// The resident memory of a process, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resident {
    /// All of it.
    pub(super) whole: u64,
    /// Memory of its own: the rest are pages of its binary, which the page cache holds whether it runs or not.
    pub(super) own: u64,
}

/// The processor time that a process has used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Activity {
    /// Clock ticks of user and system time.
    pub(super) ticks: u64,
    /// How often its threads were switched to or from.
    pub(super) switches: u64,
}

impl Server {
    /// Starts `bandog serve … -- command`, and waits until it takes connections.
    pub(super) fn start(bandog: &Path, tmpfs: &Path, command: &[&str]) -> anyhow::Result<Self> {
        let workspace = TempDir::with_prefix_in("bandog-bench-", tmpfs)?;
        let address = free_address()?;
        let mut serve = Command::new(bandog);
        serve.args(["serve", "--listen", &address.to_string(), "--workspace"]).arg(workspace.path()).arg("--");
        serve.args(command).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let started = Instant::now();
        let mut child = serve.spawn().with_context(|| format!("cannot start {}", bandog.display()))?;
        // Without a pause: a refusal on loopback costs microseconds, and a sleep would be most of what is measured.
        while TcpStream::connect(address).is_err() {
            if let Some(status) = child.try_wait()? {
                bail!("{} serve ended with {status} before it listened", bandog.display());
            }
            if started.elapsed() > PATIENCE {
                let _ = child.kill();
                bail!("{} serve does not listen after {PATIENCE:?}", bandog.display());
            }
        }
        let listening = started.elapsed();
        Ok(Self { child, address, listening, _workspace: workspace })
    }

    pub(super) fn resident(&self) -> anyhow::Result<Resident> {
        let status = self.proc("status")?;
        Ok(Resident { whole: field(&status, "VmRSS")? * 1024, own: field(&status, "RssAnon")? * 1024 })
    }

    pub(super) fn activity(&self) -> anyhow::Result<Activity> {
        let stat = self.proc("stat")?;
        // proc_pid_stat(5): after the name in parentheses, fields 14 and 15 are utime and stime.
        let rest = stat.rsplit(')').next().unwrap_or_default();
        let ticks = rest.split_whitespace().skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
        let mut switches = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let status = fs::read_to_string(task?.path().join("status"))?;
            switches += field(&status, "voluntary_ctxt_switches")? + field(&status, "nonvoluntary_ctxt_switches")?;
        }
        Ok(Activity { ticks, switches })
    }

    fn proc(&self, file: &str) -> anyhow::Result<String> {
        let path = format!("/proc/{}/{file}", self.child.id());
        fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A free address. Another program may take it before bandog does; then the start fails and says so.
fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// A number in a file of lines like `VmRSS:   5376 kB`.
fn field(text: &str, name: &str) -> anyhow::Result<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let number = line.and_then(|rest| rest.split_whitespace().next()).with_context(|| format!("no {name}"))?;
    Ok(number.parse()?)
}
