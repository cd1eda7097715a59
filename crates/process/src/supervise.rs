//! One loop for each child: its output, its end, the clock and the order to stop, all in one poll(2).

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
    exit::Exit,
};
use cancel::{Cancel, Cause, WakeFd};
use output::{Capacity, Observer, OutputPipe, Outputs, Progress, READ_SIZE, ResponsePipe};

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
    /// The observer, who takes no more of the response.
    Stopped,
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
    pub limit_events: LimitEvents,
}

/// Follows `child` to its end and makes sure that nothing of it is left: whatever else is in its process group or its
/// cgroup is killed, and so is what has left them and carries its mark.
///
/// The observer has all that was written for the logs then. What is left of the response is still in its pipe: see
/// [`drain`](super::drain).
///
/// # Errors
/// The supervision itself failed; the child has been killed then.
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
    let was_alone = child.has_left_nothing();
    // Before the leader is reaped: until then its group's number cannot belong to anybody else. Also if it was alone:
    // who was allowed to leave the cgroup may have stayed in the group.
    child.leader.group.signal(Signal::KILL);
    if let Some(logs) = logs.filter(|_| !(is_silent && was_alone)) {
        logs.drain(&mut |written| {
            observer.observe(written);
        })?;
    }
    let (exit, cpu_time) = child.leader.reap()?;
    child.kill_the_rest(was_alone);
    let limit_events = child.tracking.cgroup.as_ref().map(Cgroup::limit_events).unwrap_or_default();
    Ok(Ended { exit, end, cpu_time, limit_events })
}

/// How far the termination has got.
enum Stage {
    Running { deadline: Option<Instant> },
    Terminating { end: End, kill_at: Instant },
    Killed { end: End },
}

/// A process while it is supervision.
struct Supervision<'a> {
    child: &'a Child,
    rules: Rules,
    cancel: &'a Cancel,
    wake_fd: &'a Arc<WakeFd>,
}

impl Supervision<'_> {
    /// Returns when the process has exited (and not been reaped yet), and whether it has left nothing to be read for
    /// the logs. That is so if the pipe was empty in the same look that saw it dead; somebody else may write to it
    /// later.
    fn run(
        &self,
        mut logs: Option<&mut OutputPipe<'_>>,
        mut response: Option<&mut ResponsePipe<'_>>,
        observer: &mut dyn Observer,
    ) -> io::Result<(End, bool)> {
        let deadline = self.rules.timeout.and_then(|limit| Instant::now().checked_add(limit));
        let mut stage = Stage::Running { deadline };
        // Most functions write nothing, and then it is not made.
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
                // poll(2) looks at the descriptors in their order: at the process first, so all it wrote was there to
                // see.
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

    /// Waits until there is something to see, or it is `alarm`; `None` if it has to be polled at anew.
    fn poll_once(
        &self,
        alarm: Option<Instant>,
        logs: Option<&OutputPipe<'_>>,
        response: Option<&mut ResponsePipe<'_>>,
        observer: &mut dyn Observer,
    ) -> io::Result<Option<PollResult>> {
        // What is not there is the wake_fd once more, with nothing asked of it.
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

/// What a look has shown.
struct PollResult {
    /// The process is dead.
    exited: bool,
    /// There is something for the logs.
    written: bool,
    /// There is something of the response, and room for so many bytes of it.
    readable_bytes: usize,
}

impl Stage {
    /// When the next step is due.
    fn alarm(&self) -> Option<Instant> {
        match self {
            Self::Running { deadline } => *deadline,
            Self::Terminating { kill_at, .. } => Some(*kill_at),
            Self::Killed { .. } => None,
        }
    }

    /// What brings the end about, if it is now.
    fn end(&self) -> End {
        match self {
            Self::Running { .. } => End::Itself,
            Self::Terminating { end, .. } | Self::Killed { end } => *end,
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

/// SIGTERM to a process that runs, since nobody wants its response.
fn stop(stage: Stage, child: &Child, rules: Rules) -> Stage {
    match stage {
        Stage::Running { .. } => terminate(End::Stopped, child, rules),
        other => other,
    }
}

fn terminate(end: End, child: &Child, rules: Rules) -> Stage {
    let now = Instant::now();
    child.leader.signal(Signal::TERM);
    // A stopped process gets its SIGTERM only once it goes on.
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
    // A limit beyond what the kernel's clock can count is no limit; poll again after a day in that case.
    Timespec::try_from(left).unwrap_or(Timespec { tv_sec: 24 * 60 * 60, tv_nsec: 0 })
}
