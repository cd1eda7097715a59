//! Spawn · supervise · terminate · reap: the only place that starts, waits for and signals processes.
//!
//! Linux 5.3 or later (pidfd_open(2), `CLONE_PIDFD`).

mod bell;
mod reaper;
mod spawn;
mod stragglers;
mod supervise;

use std::{fmt, io, os::fd::OwnedFd, path::PathBuf};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

pub use bell::{Bell, Cancel};
pub use reaper::attend;
pub use spawn::{Program, empty_input, spawn, variable};
pub use supervise::{End, Pace, Rules, supervise};

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It exited with this code.
    Code(i32),
    /// It was killed by this signal.
    Signal(i32),
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal} ({})", signal_name(*signal)),
        }
    }
}

/// Who called an invocation off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The client went away.
    ClientGone,
    /// bandog is shutting down and the drain timeout is over.
    Shutdown,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ClientGone => "the client went away",
            Self::Shutdown => "bandog is shutting down",
        })
    }
}

/// The name of a signal as signal(7) writes it; `SIG?` for a number it does not list.
#[must_use]
pub fn signal_name(signal: i32) -> &'static str {
    match signal {
        libc::SIGHUP => "SIGHUP",
        libc::SIGINT => "SIGINT",
        libc::SIGQUIT => "SIGQUIT",
        libc::SIGILL => "SIGILL",
        libc::SIGTRAP => "SIGTRAP",
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGKILL => "SIGKILL",
        libc::SIGUSR1 => "SIGUSR1",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGUSR2 => "SIGUSR2",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGALRM => "SIGALRM",
        libc::SIGTERM => "SIGTERM",
        libc::SIGXCPU => "SIGXCPU",
        libc::SIGXFSZ => "SIGXFSZ",
        libc::SIGSYS => "SIGSYS",
        _ => "SIG?",
    }
}

/// Why no process was started.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", program.display())]
pub struct SpawnError {
    /// The program that was to be run.
    pub program: PathBuf,
    /// What the kernel said.
    pub source: io::Error,
}

/// The process group of a child, a target for signals that can be neither ourselves (0), init (1) nor everybody (−1).
#[derive(Debug, Clone, Copy)]
struct Group(Pid);

impl Group {
    /// The group that a child made for itself, named after its pid.
    fn of_child(pid: i32) -> Self {
        match Pid::from_raw(pid) {
            Some(pid) if pid != Pid::INIT && !pid.as_raw_nonzero().is_negative() => Self(pid),
            _ => unreachable!("clone returned {pid}, which is no child's pid"),
        }
    }

    /// Signals every process in it. That none is left is not an error.
    fn signal(self, signal: Signal) {
        let _ = rustix::process::kill_process_group(self.0, signal);
    }

    /// Whether a process is left in it, a zombie or one that is dying among them.
    fn exists(self) -> bool {
        rustix::process::test_kill_process_group(self.0) != Err(rustix::io::Errno::SRCH)
    }
}

/// A started process that has not been waited for yet. As long as it has not, its pid and group id cannot be given to
/// anybody else, so signals reach nobody but its own. Dropped, it is killed and reaped.
#[derive(Debug)]
pub struct Child {
    group: Group,
    pidfd: OwnedFd,
    reaped: bool,
}

impl Child {
    /// Its process id, which is its process group's too.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.group.0.as_raw_nonzero().get()
    }

    /// Waits for it and takes its status.
    fn reap(&mut self) -> io::Result<Exit> {
        use std::os::fd::AsFd as _;
        loop {
            match rustix::process::waitid(WaitId::PidFd(self.pidfd.as_fd()), WaitIdOptions::EXITED) {
                Ok(status) => {
                    self.reaped = true;
                    let status = status.ok_or_else(|| io::Error::other("waitid returned no status"))?;
                    return match (status.exit_status(), status.terminating_signal()) {
                        (Some(code), _) => Ok(Exit::Code(code)),
                        (None, Some(signal)) => Ok(Exit::Signal(signal)),
                        (None, None) => Err(io::Error::other("waitid returned neither exit code nor signal")),
                    };
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.reaped {
            self.group.signal(Signal::KILL);
            let _ = self.reap();
        }
    }
}
