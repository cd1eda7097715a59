//! The process that was started, and its process group.

use std::{io, os::fd::OwnedFd, time::Duration};

use rustix::process::{Pid, Signal, WaitOptions, getpgid, pidfd_send_signal, waitpgid};

use crate::exit::Exit;

/// The process group of a child, a target for signals that can be neither ourselves (0), init (1) nor everybody (−1).
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProcessGroup(pub(crate) Pid);

impl ProcessGroup {
    /// The group that a child made for itself, named after its pid.
    pub(crate) fn of_child(pid: i32) -> Self {
        match Pid::from_raw(pid) {
            Some(pid) if pid != Pid::INIT && !pid.as_raw_nonzero().is_negative() => Self(pid),
            _ => unreachable!("clone returned {pid}, which is no child's pid"),
        }
    }

    /// Signals every process in it. That none is left is not an error.
    pub(crate) fn signal(self, signal: Signal) {
        let _ = rustix::process::kill_process_group(self.0, signal);
    }

    /// Whether a process is left in it, a zombie or one that is dying among them.
    pub(crate) fn exists(self) -> bool {
        rustix::process::test_kill_process_group(self.0) != Err(rustix::io::Errno::SRCH)
    }

    /// Takes the status of a process in it that has ended and become our child. Returns whether there was one.
    pub(crate) fn reap_orphan(self) -> bool {
        matches!(waitpgid(self.0, WaitOptions::NOHANG), Ok(Some(_)))
    }
}

/// A started process that has not been waited for yet. As long as it has not, its pid and group id cannot be given to
/// anybody else, so signals reach nobody but its own. Dropped, it is killed and reaped.
#[derive(Debug)]
pub(crate) struct Leader {
    pub(crate) group: ProcessGroup,
    pub(crate) pidfd: OwnedFd,
    pub(crate) reaped: bool,
}

impl Leader {
    /// Signals its group, and itself if it has gone over to another one. Nobody is told twice: to many programs a
    /// second SIGTERM means more than the first.
    pub(crate) fn signal(&self, signal: Signal) {
        self.group.signal(signal);
        if getpgid(Some(self.group.0)) != Ok(self.group.0) {
            let _ = pidfd_send_signal(&self.pidfd, signal);
        }
    }

    /// Waits for it and takes its status, and the CPU time that it and its children have used.
    pub(crate) fn reap(&mut self) -> io::Result<(Exit, Duration)> {
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
