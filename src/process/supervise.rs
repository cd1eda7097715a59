//! One loop for each child: its output, its end, the clock and the order to stop, all in one poll(2).

use std::{
    io,
    os::fd::{AsFd as _, OwnedFd},
    sync::Arc,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::Signal,
};

use super::{Bell, Cancel, Cause, Cgroup, Child, Exit, Toll};

/// Bytes read from the pipe at once: the capacity of a pipe, so that one read empties it.
const READ_SIZE: usize = 64 * 1024;

/// How long to wait before looking again at an observer that is behind: long enough to cost nothing, short enough
/// that a person does not see it.
const CATCH_UP: Duration = Duration::from_millis(50);

/// The rules a process runs under.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// How long it may run; `None` for no limit.
    pub timeout: Option<Duration>,
    /// How long it has between SIGTERM and SIGKILL.
    pub grace: Duration,
}

/// What brought the end about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The process itself.
    Itself,
    /// It ran longer than [`Rules::timeout`].
    TimedOut,
    /// The order to stop.
    Cancelled(Cause),
}

/// How a process ended, and why.
#[derive(Debug, Clone, Copy)]
pub struct Ended {
    /// Its status.
    pub exit: Exit,
    /// What brought it about.
    pub end: End,
    /// What it has used, and those of its children that it has waited for.
    pub cpu_time: Duration,
    /// What the limits of its cgroup have cost it.
    pub toll: Toll,
}

/// Whether the observer of the output has seen all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Call again when there is more.
    UpToDate,
    /// Its reader is slow: call again soon even if nothing new was written. The function is never held up for it.
    Behind,
    /// Nothing to do before this moment (a heartbeat is due then).
    Until(Instant),
}

/// Follows `child` to its end and makes sure that nothing of it is left: whatever else is in its process group or its
/// cgroup is killed, and so is what has left them and carries its mark.
///
/// `output` is the read end of the pipe that the child writes to; the caller keeps the write end open too, so that a
/// child which closes its end early (a daemon's habit) does not make poll(2) return over and over.
/// `observe` is given what was written, in order, and nothing (an empty slice) when it asked to be called again.
///
/// # Errors
/// The supervision itself failed; the child has been killed then.
pub fn supervise(
    mut child: Child,
    output: &OwnedFd,
    rules: Rules,
    cancel: &Cancel,
    observe: &mut dyn FnMut(&[u8]) -> Pace,
) -> io::Result<Ended> {
    let bell = Bell::of_this_thread()?;
    cancel.attach(&bell);
    let mut output = Output { pipe: output, nonblocking: false };
    let (end, is_silent) = follow(&child, &mut output, rules, cancel, &bell, observe)?;
    cancel.detach();
    let was_alone = child.is_alone();
    // Before the leader is reaped: until then its group's number cannot belong to anybody else. Also if it was alone:
    // who was allowed to leave the cgroup may have stayed in the group.
    child.leader.group.signal(Signal::KILL);
    if !(is_silent && was_alone) {
        output.drain(observe)?;
    }
    let (exit, cpu_time) = child.leader.reap()?;
    child.end_the_rest(was_alone);
    let toll = child.ties.cgroup.as_ref().map(Cgroup::toll).unwrap_or_default();
    Ok(Ended { exit, end, cpu_time, toll })
}

/// How far the termination has got.
enum Stage {
    Running { deadline: Option<Instant> },
    Terminating { end: End, kill_at: Instant },
    Killed { end: End },
}

/// Returns when the process has exited (and not been reaped yet), and whether it has left nothing to be read. That is so
/// if the pipe was empty in the same look that saw it dead; somebody else may write to it later.
fn follow(
    child: &Child,
    output: &mut Output<'_>,
    rules: Rules,
    cancel: &Cancel,
    bell: &Arc<Bell>,
    observe: &mut dyn FnMut(&[u8]) -> Pace,
) -> io::Result<(End, bool)> {
    let mut stage = Stage::Running { deadline: rules.timeout.and_then(|limit| Instant::now().checked_add(limit)) };
    // Most functions write nothing, and then it is not made.
    let mut buffer = Vec::new();
    let mut look_again = None;
    loop {
        stage = advance(stage, child, rules, cancel);
        let alarm = match &stage {
            Stage::Running { deadline } => *deadline,
            Stage::Terminating { kill_at, .. } => Some(*kill_at),
            Stage::Killed { .. } => None,
        };
        let mut events = [
            PollFd::new(&child.leader.pidfd, PollFlags::IN),
            PollFd::new(output.pipe, PollFlags::IN),
            PollFd::new(&**bell, PollFlags::IN),
        ];
        let wait = alarm.into_iter().chain(look_again).min().map(until);
        match poll(&mut events, wait.as_ref()) {
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        let [exited, written, rung] = events.map(|event| !event.revents().is_empty());
        if rung {
            bell.silence();
        }
        let mut news = false;
        if written {
            buffer.resize(READ_SIZE, 0);
            let read = output.read(&mut buffer)?;
            if read > 0 {
                look_again = next_look(observe(&buffer[..read]));
                news = true;
            }
        }
        if exited {
            let end = match stage {
                Stage::Running { .. } => End::Itself,
                Stage::Terminating { end, .. } | Stage::Killed { end } => end,
            };
            // poll(2) looks at the descriptors in their order: at the process first, so all it wrote was there to see.
            return Ok((end, !written));
        }
        if !news && look_again.is_some_and(|moment| moment <= Instant::now()) {
            look_again = next_look(observe(&[]));
        }
    }
}

/// Takes the steps that are due: SIGTERM at the deadline or on order, SIGKILL after the grace period.
fn advance(stage: Stage, child: &Child, rules: Rules, cancel: &Cancel) -> Stage {
    let now = Instant::now();
    let stage = match stage {
        Stage::Running { deadline } => {
            let end = match cancel.cause() {
                Some(cause) => End::Cancelled(cause),
                None if deadline.is_some_and(|deadline| deadline <= now) => End::TimedOut,
                None => return Stage::Running { deadline },
            };
            child.leader.signal(Signal::TERM);
            // A stopped process gets its SIGTERM only once it goes on.
            child.leader.signal(Signal::CONT);
            Stage::Terminating { end, kill_at: now.checked_add(rules.grace).unwrap_or(now) }
        }
        other => other,
    };
    match stage {
        Stage::Terminating { end, kill_at } if kill_at <= now || cancel.is_now() => {
            child.leader.signal(Signal::KILL);
            Stage::Killed { end }
        }
        other => other,
    }
}

fn next_look(pace: Pace) -> Option<Instant> {
    match pace {
        Pace::UpToDate => None,
        Pace::Behind => Some(Instant::now() + CATCH_UP),
        Pace::Until(moment) => Some(moment),
    }
}

fn until(moment: Instant) -> Timespec {
    let left = moment.saturating_duration_since(Instant::now());
    // A limit beyond what the kernel's clock can count is no limit; poll again after a day in that case.
    Timespec::try_from(left).unwrap_or(Timespec { tv_sec: 24 * 60 * 60, tv_nsec: 0 })
}

/// What the process writes to.
struct Output<'a> {
    pipe: &'a OwnedFd,
    /// The function may read what it wrote (`/dev/stdout` can be reopened): then there is nothing where poll(2) saw
    /// some.
    nonblocking: bool,
}

impl Output<'_> {
    /// Takes what the process left in the pipe. No more than is there at this moment: a process that left the group and
    /// goes on writing does not hold up the answer.
    fn drain(&mut self, observe: &mut dyn FnMut(&[u8]) -> Pace) -> io::Result<()> {
        let mut left = usize::try_from(rustix::io::ioctl_fionread(self.pipe)?).unwrap_or(usize::MAX);
        let mut buffer = vec![0; left.min(READ_SIZE)];
        while left > 0 {
            let size = buffer.len().min(left);
            match self.read(&mut buffer[..size])? {
                0 => return Ok(()),
                read => {
                    observe(&buffer[..read]);
                    left -= read;
                }
            }
        }
        Ok(())
    }

    /// Reads what is there; 0 if nothing is.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.nonblocking {
            rustix::io::ioctl_fionbio(self.pipe, true)?;
            self.nonblocking = true;
        }
        match rustix::io::read(self.pipe.as_fd(), buffer) {
            Ok(read) => Ok(read),
            Err(Errno::AGAIN | Errno::INTR) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }
}
