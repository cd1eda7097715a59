//! Spawn · confine · supervise · terminate · reap: the only place that starts, waits for and signals processes.
//!
//! Linux 5.3 or later (pidfd_open(2), `CLONE_PIDFD`).

mod aside;
mod bell;
mod cgroup;
mod clone3;
mod confine;
mod family;
mod mark;
mod membership;
mod memory;
mod outputs;
mod permit;
mod reaper;
mod refusal;
mod rest;
mod signals;
mod spawn;
mod stragglers;
mod supervise;
pub mod unique;

use std::{fmt, io, os::fd::OwnedFd, time::Duration};

use rustix::process::{Pid, Signal, WaitOptions, getpgid, pidfd_send_signal, waitpgid};

pub use aside::{is_in_the_way, put_aside};
pub use bell::{Bell, Cancel};
pub use cgroup::{Ceiling, Cgroup, Cgroups, Toll, Unusable};
pub use confine::{Confined, Confinement, Limits};
pub use mark::{Mark, VARIABLE as MARK};
pub use memory::OutOfMemoryKills;
pub use outputs::{Observer, Outputs, Room, Stop, drain};
pub use permit::{is_own_user, may_become, may_limit_processes, may_sandbox, may_set_nice};
pub use reaper::attend;
pub use refusal::SpawnError;
pub use rest::{give_back_all, give_back_heap};
pub use spawn::{Program, Streams, empty_input, spawn, variable};
pub use stragglers::end_leftovers;
pub use supervise::{End, Ended, Pace, Rules, supervise};

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

    /// Takes the status of a process in it that has ended and become our child. Returns whether there was one.
    fn reap_orphan(self) -> bool {
        matches!(waitpgid(self.0, WaitOptions::NOHANG), Ok(Some(_)))
    }
}

/// What a process and all that it starts are found by.
#[derive(Debug)]
pub struct Ties {
    /// Inherited by all of them.
    pub mark: Mark,
    /// What they are born in, if there are cgroups to be had.
    pub cgroup: Option<Cgroup>,
}

/// A started process that has not been waited for yet. As long as it has not, its pid and group id cannot be given to
/// anybody else, so signals reach nobody but its own. Dropped, it is killed and reaped.
#[derive(Debug)]
struct Leader {
    group: Group,
    pidfd: OwnedFd,
    reaped: bool,
}

impl Leader {
    /// Signals its group, and itself if it has gone over to another one. Nobody is told twice: to many programs a
    /// second SIGTERM means more than the first.
    fn signal(&self, signal: Signal) {
        self.group.signal(signal);
        if getpgid(Some(self.group.0)) != Ok(self.group.0) {
            let _ = pidfd_send_signal(&self.pidfd, signal);
        }
    }

    /// Waits for it and takes its status, and the CPU time that it and its children have used.
    fn reap(&mut self) -> io::Result<(Exit, Duration)> {
        let pid = self.group.0.as_raw_nonzero().get();
        let mut status = 0;
        loop {
            let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
            // SAFETY: writes to `status` and `usage` only. Until now nobody has waited for this child, so that the pid
            // is its own.
            if unsafe { libc::wait4(pid, &raw mut status, 0, usage.as_mut_ptr()) } < 0 {
                match io::Error::last_os_error() {
                    error if error.kind() == io::ErrorKind::Interrupted => continue,
                    error => {
                        // Somebody else has its status, and its pid may be another's by now.
                        self.reaped = true;
                        return Err(error);
                    }
                }
            }
            self.reaped = true;
            // SAFETY: all zero is a value of it, and the kernel has filled it in.
            let usage = unsafe { usage.assume_init() };
            let exit = if libc::WIFEXITED(status) {
                Exit::Code(libc::WEXITSTATUS(status))
            } else {
                Exit::Signal(libc::WTERMSIG(status))
            };
            return Ok((exit, duration(usage.ru_utime) + duration(usage.ru_stime)));
        }
    }
}

fn duration(time: libc::timeval) -> Duration {
    let part = |number| u64::try_from(number).unwrap_or_default();
    Duration::from_secs(part(time.tv_sec)) + Duration::from_micros(part(time.tv_usec))
}

impl Drop for Leader {
    fn drop(&mut self) {
        if !self.reaped {
            self.signal(Signal::KILL);
            let _ = self.reap();
        }
    }
}

/// A started process with all that it may start. Dropped, all of it is killed and it is reaped.
#[derive(Debug)]
pub struct Child {
    leader: Leader,
    ties: Ties,
}

impl Child {
    /// Its process id, which is its process group's too.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.leader.group.0.as_raw_nonzero().get()
    }

    /// Whether it has ended and left nobody in its cgroup. Its group can have no other members then but the dead, and
    /// who was allowed to move to another cgroup: nobody who has to be waited for once the group has been killed.
    fn is_alone(&mut self) -> bool {
        self.ties.cgroup.as_mut().is_some_and(Cgroup::is_empty)
    }

    /// Kills what it left running, once it is reaped; `was_alone` as [`Child::is_alone`] said when it had ended. What
    /// resists is named in the log.
    fn end_the_rest(&mut self, was_alone: bool) {
        stragglers::end_siblings();
        let left = if was_alone {
            stragglers::end_adopted(&self.ties.mark)
        } else {
            let left = self.ties.cgroup.as_mut().map(Cgroup::end_all).unwrap_or_default();
            [left, stragglers::end(self.leader.group, &self.ties.mark)].concat()
        };
        if !left.is_empty() {
            let left: Vec<_> = left.iter().map(|pid| pid.as_raw_nonzero().get()).collect();
            tracing::error!("the function left processes that cannot be killed; see ps -o stat,wchan,user -p {left:?}");
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.leader.reaped {
            self.leader.signal(Signal::KILL);
            let _ = self.leader.reap();
            self.end_the_rest(false);
        }
    }
}
