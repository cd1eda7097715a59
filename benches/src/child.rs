//! A program that is started for a measurement and gone after it, however the measurement ends.

use std::{
    fs,
    os::unix::process::CommandExt as _,
    process::{Child as Process, Command},
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use rustix::process::{Pid, Signal};

/// How long a program may take to end after SIGTERM; then it is killed.
const GRACE: Duration = Duration::from_secs(5);

/// How often an ending program is looked at.
const GLANCE: Duration = Duration::from_millis(2);

/// A running program. It is told to end when this is dropped, and by the kernel when the driver dies without that.
pub struct Child {
    process: Process,
    name: String,
}

impl Child {
    /// Starts it. Call this from a thread that outlives the program: its end is what the kernel watches
    /// (`PR_SET_PDEATHSIG`, prctl(2)).
    pub fn start(command: &mut Command) -> anyhow::Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        // SAFETY: between fork and exec this makes one system call, which takes no lock and no memory.
        unsafe {
            command.pre_exec(|| Ok(rustix::process::set_parent_process_death_signal(Some(Signal::TERM))?));
        }
        let process = command.spawn().with_context(|| format!("cannot start {name}"))?;
        Ok(Self { process, name })
    }

    /// The process, for its pipes.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// The most memory it has held so far, in bytes.
    pub fn peak(&self) -> anyhow::Result<u64> {
        peak(self.process.id())
    }

    /// Fails if it has ended by itself.
    pub fn check(&mut self) -> anyhow::Result<()> {
        match self.process.try_wait()? {
            None => Ok(()),
            Some(status) => anyhow::bail!("{} ended by itself, {status}", self.name),
        }
    }
}

/// The most memory that a running process has held so far, in bytes (`VmHWM` of proc(5)).
pub fn peak(process: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM in /proc")?;
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kibibytes * 1024)
}

impl Drop for Child {
    fn drop(&mut self) {
        let Some(id) = Pid::from_raw(self.process.id().cast_signed()) else { return };
        if !matches!(self.process.try_wait(), Ok(None)) {
            return;
        }
        // It is not reaped yet, so the id is still its own.
        let _ = rustix::process::kill_process(id, Signal::TERM);
        let told = Instant::now();
        while matches!(self.process.try_wait(), Ok(None)) {
            if told.elapsed() > GRACE {
                let _ = self.process.kill();
                let _ = self.process.wait();
                return;
            }
            thread::sleep(GLANCE);
        }
    }
}
