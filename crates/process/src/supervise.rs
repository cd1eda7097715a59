//! The supervision of a child: one loop with one poll(2) for its output, its exit, the deadline and cancellation.

pub(crate) mod cancel;
pub(crate) mod output;

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::Signal,
};

use crate::{
    cgroup::{Cgroup, LimitEvents},
    child::Child,
    exit::{Exit, Usage},
};
use cancel::{Cancel, Cause, WakeFd};
use output::{Capacity, Observer, OutputPipe, Outputs, Progress, READ_SIZE, ResponsePipe};

/// How long to wait before calling an observer again that is behind: long enough to cost nothing, short enough to be
/// invisible to a person.
const CATCH_UP: Duration = Duration::from_millis(50);

/// The time limits of a process.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// How long it may run; `None` for no limit.
    pub timeout: Option<Duration>,
    /// The grace period between SIGTERM and SIGKILL.
    pub grace: Duration,
}

/// The reason why a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It ended by itself.
    Itself,
    /// It ran longer than [`Rules::timeout`] and was terminated.
    TimedOut,
    /// Its invocation was cancelled.
    Cancelled(Cause),
    /// It was terminated because the observer takes no more of the response.
    Stopped,
}

/// How a process ended, and why.
#[derive(Debug, Clone, Copy)]
pub struct Ended {
    /// Its exit status.
    pub exit: Exit,
    /// The reason why it ended.
    pub end: End,
    /// What it and the children it waited for have used.
    pub usage: Usage,
    /// The number of times that it reached a limit of its cgroup.
    pub limit_events: LimitEvents,
}

/// Supervises `child` until it ends, then kills its descendants: all other processes in its process group and its
/// cgroup, and those that have left both and carry its tag.
///
/// On return the observer has received everything that was written to the logs. The rest of the response is still in
/// its pipe: see [`drain`](crate::drain).
///
/// # Errors
/// The supervision itself failed. The child has been killed.
pub fn supervise(
    mut child: Child,
    outputs: Outputs<'_>,
    rules: Rules,
    cancel: &Cancel,
    observer: &mut dyn Observer,
) -> io::Result<Ended> {
    let wake_fd = WakeFd::of_this_thread()?;
    cancel.attach(&wake_fd);
    let mut logs = outputs.logs.map(OutputPipe::new);
    let mut response = outputs.response.map(ResponsePipe::new);
    let supervision = Supervision { child: &child, rules, cancel, wake_fd: &wake_fd };
    let (end, is_silent) = supervision.run(logs.as_mut(), response.as_mut(), observer)?;
    cancel.detach();
    let left_nothing = child.has_left_nothing();
    // Signal the group before the leader is reaped: until then its id cannot be reused. Do so even if the cgroup is
    // empty: a process that was allowed to leave the cgroup may still be in the group.
    child.leader.group.signal(Signal::KILL);
    if let Some(logs) = logs.filter(|_| !(is_silent && left_nothing)) {
        logs.drain(&mut |written| {
            observer.observe(written);
        })?;
    }
    let (exit, usage) = child.leader.reap()?;
    child.kill_the_rest(left_nothing);
    let limit_events = child.tracking.cgroup.as_ref().map(Cgroup::limit_events).unwrap_or_default();
    Ok(Ended { exit, end, usage, limit_events })
}

/// The progress of the termination.
enum Stage {
    Running { deadline: Option<Instant> },
    Terminating { end: End, kill_at: Instant },
    Killed { end: End },
}

/// A process under supervision.
struct Supervision<'a> {
    child: &'a Child,
    rules: Rules,
    cancel: &'a Cancel,
    wake_fd: &'a Arc<WakeFd>,
}

impl Supervision<'_> {
    /// Returns when the process has exited (and has not been reaped), with the reason, and whether the logs' pipe was
    /// empty in the same poll that reported the exit. Another process may write to it later.
    fn run(
        &self,
        mut logs: Option<&mut OutputPipe<'_>>,
        mut response: Option<&mut ResponsePipe<'_>>,
        observer: &mut dyn Observer,
    ) -> io::Result<(End, bool)> {
        let deadline = self.rules.timeout.and_then(|limit| Instant::now().checked_add(limit));
        let mut stage = Stage::Running { deadline };
        // Allocated on the first read: most functions write nothing.
        let mut buffer = Vec::new();
        let mut look_again = None;
        loop {
            stage = advance(stage, self.child, self.rules, self.cancel);
            if response.as_ref().is_some_and(|response| response.is_unwanted) {
                stage = stop(stage, self.child, self.rules);
            }
            let alarm = stage.alarm().into_iter().chain(look_again).min();
            let polled = self.poll_once(alarm, logs.as_deref(), response.as_deref_mut(), observer)?;
            let Some(PollResult { exited, written, readable_bytes }) = polled else { continue };
            let mut news = false;
            if let Some(logs) = logs.as_mut().filter(|_| written) {
                buffer.resize(READ_SIZE, 0);
                let read = logs.read(&mut buffer)?;
                if read > 0 {
                    look_again = next_look(observer.observe(&buffer[..read]));
                    news = true;
                }
            }
            if exited {
                // poll(2) checks the descriptors in their order, the process first: everything that it wrote was
                // visible to the same call.
                return Ok((stage.end(), !written));
            }
            if let Some(response) = response.as_mut().filter(|_| readable_bytes > 0) {
                buffer.resize(READ_SIZE, 0);
                response.pass_on(readable_bytes, &mut buffer, observer)?;
            }
            if !news && look_again.is_some_and(|moment| moment <= Instant::now()) {
                look_again = next_look(observer.observe(&[]));
            }
        }
    }

    /// Waits for an event or for `alarm`. Returns `None` if the caller must evaluate its state again first.
    fn poll_once(
        &self,
        alarm: Option<Instant>,
        logs: Option<&OutputPipe<'_>>,
        response: Option<&mut ResponsePipe<'_>>,
        observer: &mut dyn Observer,
    ) -> io::Result<Option<PollResult>> {
        // A pipe that is not needed is replaced by the wake descriptor without any requested event.
        let unused = || PollFd::new(&**self.wake_fd, PollFlags::empty());
        let mut events = [
            PollFd::new(&self.child.leader.pidfd, PollFlags::IN),
            logs.map_or_else(unused, |logs| PollFd::new(logs.pipe, PollFlags::IN)),
            PollFd::new(&**self.wake_fd, PollFlags::IN),
            unused(),
            unused(),
        ];
        let (mut room, mut deadline) = (0, None);
        let asked = match response {
            None => &mut events[..3],
            Some(response) => {
                match response.room(observer) {
                    Capacity::Bytes(bytes) => (room, events[3]) = (bytes, PollFd::new(response.pipe(), PollFlags::IN)),
                    Capacity::Full { outlet, deadline: until } => {
                        deadline = until;
                        events[4] =
                            outlet.map_or_else(unused, |outlet| PollFd::from_borrowed_fd(outlet, PollFlags::OUT));
                    }
                    Capacity::Closed => return Ok(None),
                }
                &mut events[..]
            }
        };
        let wait = alarm.into_iter().chain(deadline).min().map(until);
        match poll(asked, wait.as_ref()) {
            Ok(_) => {}
            Err(Errno::INTR) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        let [exited, written, woken, readable_bytes, _] = events.map(|event| !event.revents().is_empty());
        if woken {
            self.wake_fd.reset();
        }
        Ok(Some(PollResult { exited, written, readable_bytes: if readable_bytes { room } else { 0 } }))
    }
}

/// The result of one poll(2).
struct PollResult {
    /// The process has ended.
    exited: bool,
    /// The logs' pipe is readable.
    written: bool,
    /// The number of bytes to read from the response's pipe; 0 if it is not readable.
    readable_bytes: usize,
}

impl Stage {
    /// Returns the time of the next action.
    fn alarm(&self) -> Option<Instant> {
        match self {
            Self::Running { deadline } => *deadline,
            Self::Terminating { kill_at, .. } => Some(*kill_at),
            Self::Killed { .. } => None,
        }
    }

    /// Returns the reason why the process ends, if it ended now.
    fn end(&self) -> End {
        match self {
            Self::Running { .. } => End::Itself,
            Self::Terminating { end, .. } | Self::Killed { end } => *end,
        }
    }
}

/// Takes the actions that are due: SIGTERM at the deadline or on cancellation, SIGKILL after the grace period.
fn advance(stage: Stage, child: &Child, rules: Rules, cancel: &Cancel) -> Stage {
    let now = Instant::now();
    let stage = match stage {
        Stage::Running { deadline } => {
            let end = match cancel.cause() {
                Some(cause) => End::Cancelled(cause),
                None if deadline.is_some_and(|deadline| deadline <= now) => End::TimedOut,
                None => return Stage::Running { deadline },
            };
            terminate(end, child, rules)
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

/// Sends SIGTERM to a process that is still running, because its response has no reader.
fn stop(stage: Stage, child: &Child, rules: Rules) -> Stage {
    match stage {
        Stage::Running { .. } => terminate(End::Stopped, child, rules),
        other => other,
    }
}

fn terminate(end: End, child: &Child, rules: Rules) -> Stage {
    let now = Instant::now();
    child.leader.signal(Signal::TERM);
    // A stopped process receives SIGTERM only after it has been continued.
    child.leader.signal(Signal::CONT);
    Stage::Terminating { end, kill_at: now.checked_add(rules.grace).unwrap_or(now) }
}

fn next_look(progress: Progress) -> Option<Instant> {
    match progress {
        Progress::UpToDate => None,
        Progress::Behind => Some(Instant::now() + CATCH_UP),
        Progress::Until(moment) => Some(moment),
    }
}

fn until(moment: Instant) -> Timespec {
    let left = moment.saturating_duration_since(Instant::now());
    // A duration beyond the range of the kernel's clock means no limit; in that case poll again after a day.
    Timespec::try_from(left).unwrap_or(Timespec { tv_sec: 24 * 60 * 60, tv_nsec: 0 })
}
