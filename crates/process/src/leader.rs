//! The started process (the leader of its process group), and that group as a target for signals.

use std::{io, os::fd::OwnedFd, time::Duration};

use rustix::process::{Pid, Signal, WaitOptions, getpgid, kill_process, pidfd_send_signal, waitpgid};

use crate::exit::{Exit, Usage};

/// The process group of a child. The type rules out 0 (bandog's own group), 1 (init) and −1 (all processes) as a target
/// of signals.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProcessGroup(pub(crate) Pid);

impl ProcessGroup {
    /// The group that a child created for itself; its id is the child's pid.
    pub(crate) fn of_child(pid: i32) -> Self {
        match Pid::from_raw(pid) {
            Some(pid) if pid != Pid::INIT && !pid.as_raw_nonzero().is_negative() => Self(pid),
            _ => unreachable!("clone returned {pid}, which is not the pid of a child"),
        }
    }

    /// Signals every process in the group. ESRCH is ignored: the group may be empty.
    pub(crate) fn signal(self, signal: Signal) {
        let _ = rustix::process::kill_process_group(self.0, signal);
    }

    /// Returns whether the group has a member; zombies and dying processes count.
    pub(crate) fn exists(self) -> bool {
        rustix::process::test_kill_process_group(self.0) != Err(rustix::io::Errno::SRCH)
    }

    /// Reaps one ended process of the group that has become bandog's child. Returns whether there was one.
    pub(crate) fn reap_orphan(self) -> bool {
        matches!(waitpgid(self.0, WaitOptions::NOHANG), Ok(Some(_)))
    }
}

/// Returns process ids as ps(1) takes them: with commas between them.
#[must_use]
pub fn pid_list(pids: &[Pid]) -> String {
    let pids: Vec<String> = pids.iter().map(|pid| pid.as_raw_nonzero().to_string()).collect();
    pids.join(",")
}

/// A started process that has not been waited for. Until then the kernel cannot reuse its pid and its group id, so that
/// signals reach no other process. Drop kills and reaps it.
#[derive(Debug)]
pub(crate) struct Leader {
    pub(crate) group: ProcessGroup,
    pub(crate) pidfd: OwnedFd,
    pub(crate) reaped: bool,
}

impl Leader {
    /// Signals the group, and the process itself if it has moved to another group. Each process gets the signal once:
    /// many programs treat a second SIGTERM differently from the first.
    pub(crate) fn signal(&self, signal: Signal) {
        self.group.signal(signal);
        if getpgid(Some(self.group.0)) != Ok(self.group.0) && pidfd_send_signal(&self.pidfd, signal).is_err() {
            // A seccomp filter may not know the call. The pid is its own until it is reaped.
            let _ = kill_process(self.group.0, signal);
        }
    }

    /// Waits for the process. Returns its status, and what it and the children it waited for have used.
    pub(crate) fn reap(&mut self) -> io::Result<(Exit, Usage)> {
        let pid = self.group.0.as_raw_nonzero().get();
        let mut status = 0;
        loop {
            let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
            // SAFETY: writes to `status` and `usage` only. Until now nothing has waited for this child, so that the pid
            // is its own.
            if unsafe { libc::wait4(pid, &raw mut status, 0, usage.as_mut_ptr()) } < 0 {
                match io::Error::last_os_error() {
                    error if error.kind() == io::ErrorKind::Interrupted => continue,
                    error => {
                        // Other code has reaped it, and its pid may already belong to another process.
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
            let cpu_time = duration(usage.ru_utime) + duration(usage.ru_stime);
            // In KiB, see getrusage(2).
            let peak_memory = u64::try_from(usage.ru_maxrss).unwrap_or_default().saturating_mul(1024);
            return Ok((exit, Usage { cpu_time, peak_memory }));
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
