//! What left its process group (setsid(2), a daemon) and outlived its invocation: found by the mark that every
//! process of an invocation inherits in its environment, and killed.
//!
//! bandog is the sub-reaper (prctl(2)) of everything it starts, so what a daemon's parent leaves behind becomes
//! bandog's own child; one look at the list of its children tells whether there is anything to look for. A process
//! that wiped its environment is not found here.

use std::{
    fs, io,
    os::fd::{AsFd as _, OwnedFd},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, Signal, getpid, pidfd_open, pidfd_send_signal},
};

use super::Group;

/// How long the dying may take. SIGKILL works at once but for a process that the kernel holds (a dead network disk, a
/// core dump); that one is left to the reaper, and what it has started is not looked for any longer.
const DYING: Duration = Duration::from_secs(1);

/// How long to wait between two looks at a group that is dying: about what it takes to die.
const PAUSE: Duration = Duration::from_micros(500);

/// Waits until nobody is left in `group`, which was killed and whose leader has been reaped: only when a process is
/// gone are its children our own, and can be found. The reaper takes the zombies, at most its rest later; here nobody
/// may, for once the group is empty its number can become another function's.
pub(super) fn wait_for_end_of(group: Group) {
    let deadline = Instant::now() + DYING;
    while group.exists() && Instant::now() < deadline {
        thread::sleep(PAUSE);
    }
}

/// Kills every adopted process that carries `mark` (`NAME=value`) in its environment, and what that leaves behind.
pub(super) fn kill_marked(mark: &[u8]) {
    let deadline = Instant::now() + DYING;
    let mut looked_twice = false;
    loop {
        let adopted = adopted();
        if adopted.is_empty() {
            return;
        }
        let killed: Vec<OwnedFd> = adopted.into_iter().filter_map(|pid| kill_if_marked(pid, mark)).collect();
        if killed.is_empty() {
            if looked_twice {
                return;
            }
            // A process in the middle of exec(2) shows no environment at all.
            looked_twice = true;
            thread::sleep(PAUSE);
            continue;
        }
        looked_twice = false;
        // Each makes the children of what it killed our own, once it has died.
        if !killed.iter().all(|process| ends_before(process, deadline)) {
            return;
        }
    }
}

/// Kills it if it carries the mark and still lives.
fn kill_if_marked(pid: Pid, mark: &[u8]) -> Option<OwnedFd> {
    // The descriptor first, the look at its environment second: the pid cannot change hands in between.
    let process = pidfd_open(pid, PidfdFlags::empty()).ok()?;
    (carries(pid, mark) && pidfd_send_signal(&process, Signal::KILL).is_ok()).then_some(process)
}

fn ends_before(process: &OwnedFd, deadline: Instant) -> bool {
    let left = deadline.saturating_duration_since(Instant::now());
    let left = Timespec::try_from(left).ok();
    poll(&mut [PollFd::from_borrowed_fd(process.as_fd(), PollFlags::IN)], left.as_ref()).is_ok_and(|ended| ended > 0)
}

/// The children of this process's first thread. Functions are never started from there, so all of them are adopted:
/// the kernel hands orphans to the first thread of their sub-reaper.
fn adopted() -> Vec<Pid> {
    let me = getpid();
    let children = fs::read_to_string(format!("/proc/self/task/{me}/children"));
    match children {
        Ok(list) => list.split_ascii_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect(),
        // A kernel without CONFIG_PROC_CHILDREN: look at every process. No /proc at all: nothing can be found.
        Err(error) if error.kind() == io::ErrorKind::NotFound => children_by_scan(me),
        Err(_) => Vec::new(),
    }
}

fn children_by_scan(me: Pid) -> Vec<Pid> {
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    processes
        .filter_map(|entry| Pid::from_raw(entry.ok()?.file_name().to_str()?.parse().ok()?))
        .filter(|pid| parent(*pid) == Some(me))
        .collect()
}

/// The fourth field of `/proc/PID/stat`; the second, the name in parentheses, may itself hold blanks and parentheses.
fn parent(pid: Pid) -> Option<Pid> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let after_name = stat.rsplit_once(')')?.1;
    Pid::from_raw(after_name.split_ascii_whitespace().nth(1)?.parse().ok()?)
}

fn carries(pid: Pid, mark: &[u8]) -> bool {
    fs::read(format!("/proc/{pid}/environ"))
        .is_ok_and(|environment| environment.split(|byte| *byte == 0).any(|variable| variable == mark))
}
