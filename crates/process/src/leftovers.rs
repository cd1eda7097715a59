//! What outlived its invocation out of its process group (setsid(2), a daemon): found, frozen, killed.
//!
//! bandog is the sub-reaper (prctl(2)) of everything it starts, so what a daemon's parent leaves behind becomes
//! bandog's own child; one look at the list of its children tells whether there is anything to look for. Those of one
//! invocation are known by their [`InvocationTag`], and their descendants by being theirs.
//!
//! A process that forks faster than it is found would always be one ahead. So nobody is killed before all stand still:
//! each that is found is stopped, until a look finds no new one.

pub(crate) mod orphans;
pub(crate) mod proc_tree;
pub(crate) mod tag;

use std::{
    collections::{HashMap, HashSet},
    os::fd::{AsFd as _, OwnedFd},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal},
};

use crate::leader::ProcessGroup;
use tag::{InvocationTag, TagCheck};

/// How long the dying may take. SIGKILL works at once but for a process that the kernel holds (a dead network disk, a
/// core dump) and where more are started than are found; what is left then is named in the log.
pub(crate) const KILL_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait between two looks at what is dying: about what it takes to die.
pub(crate) const PAUSE: Duration = Duration::from_micros(500);

/// Kills what made itself a child of the calling thread, as the leader was one: by `CLONE_PARENT` (clone(2)). A thread
/// supervises one invocation at a time, so that once the leader is reaped all of its children are such.
pub(crate) fn kill_siblings() {
    let deadline = Instant::now() + KILL_TIMEOUT;
    while orphans::reap_children().1 && Instant::now() < deadline {
        for sibling in proc_tree::children_of_this_thread() {
            // Nobody else waits for it, so that the number is its own.
            let _ = kill_process(sibling, Signal::KILL);
        }
        thread::sleep(PAUSE);
    }
}

/// Waits until nobody is left in `group`, which was killed and whose leader has been reaped, and kills every adopted
/// process that carries `tag`, with what descends from it. Returns what could not be killed.
///
/// Only when a process is gone are its children our own, and can be found; and once the group is empty its number can
/// become another function's.
pub(crate) fn kill_all(group: ProcessGroup, tag: &InvocationTag) -> Vec<Pid> {
    let deadline = Instant::now() + KILL_TIMEOUT;
    while group.exists() {
        // Its orphans are ours, and nobody waits for them. The reaper would come too, but it rests now and then.
        if group.reap_orphan() {
            continue;
        }
        // A dead one can also have a parent that has left the group and does not wait for it.
        let left = kill_adopted(tag);
        if Instant::now() >= deadline {
            return [vec![group.0], left].concat();
        }
        thread::sleep(PAUSE);
    }
    kill_adopted(tag)
}

/// Kills every adopted process that carries `tag`, with what descends from it. Returns what could not be killed.
pub(crate) fn kill_adopted(tag: &InvocationTag) -> Vec<Pid> {
    Sweep { candidates: &proc_tree::adopted, check: &|pid| tag::check(pid, std::slice::from_ref(tag)), exempt: &[] }
        .run()
}

/// Kills every process of the machine that carries one of `tags`, those of dead predecessors, and what descends from
/// it, but for this process and those that it descends from (a function may have started it). Returns what could not
/// be killed.
#[must_use]
pub fn kill_leftovers(tags: &[InvocationTag]) -> Vec<Pid> {
    if tags.is_empty() {
        return Vec::new();
    }
    Sweep {
        candidates: &proc_tree::all_processes,
        check: &|pid| tag::check(pid, tags),
        exempt: &proc_tree::ancestors(),
    }
    .run()
}

/// Kills every process that `members` lists, and what descends from it. Returns what could not be killed.
pub(crate) fn kill_members(members: &dyn Fn() -> Vec<Pid>) -> Vec<Pid> {
    Sweep { candidates: members, check: &|_| TagCheck::Tagged, exempt: &proc_tree::ancestors() }.run()
}

/// Whom to look at, and how to tell who is meant.
struct Sweep<'a> {
    candidates: &'a dyn Fn() -> Vec<Pid>,
    check: &'a dyn Fn(Pid) -> TagCheck,
    exempt: &'a [Pid],
}

/// One look at everybody, and at all that descends from who is meant.
#[derive(Default)]
struct SweepRound {
    /// Stopped, and held by a descriptor, so that a signal reaches nobody who is given the same number later.
    frozen: HashMap<Pid, OwnedFd>,
    /// Meant, but out of reach: another user's, or no descriptor is free.
    unkillable: Vec<Pid>,
    /// Somebody may be meant.
    uncertain: bool,
    /// Somebody was meant who has ended since the last look, and may have started another before.
    missed: bool,
}

impl Sweep<'_> {
    /// Freezes and kills until nobody is found any more. Returns who is left.
    fn run(&self) -> Vec<Pid> {
        let deadline = Instant::now() + KILL_TIMEOUT;
        let mut looked_twice = false;
        let mut dead = HashSet::new();
        loop {
            let round = self.freeze(&mut dead, deadline);
            if round.frozen.is_empty() {
                if round.missed && Instant::now() < deadline {
                    continue;
                }
                if !round.uncertain || looked_twice {
                    return round.unkillable;
                }
                looked_twice = true;
                thread::sleep(PAUSE);
                continue;
            }
            looked_twice = false;
            for process in round.frozen.values() {
                let _ = pidfd_send_signal(process, Signal::KILL);
            }
            // Each makes the children of what it killed our own, once it has died.
            let left: Vec<Pid> = round
                .frozen
                .iter()
                .filter(|(_, process)| !ends_before(process, deadline))
                .map(|(pid, _)| *pid)
                .collect();
            if !left.is_empty() || Instant::now() >= deadline {
                return [left, round.unkillable].concat();
            }
        }
    }

    fn freeze(&self, dead: &mut HashSet<Pid>, deadline: Instant) -> SweepRound {
        let mut round = SweepRound::default();
        loop {
            let before = round.frozen.len();
            // One that has started its successor and ended is known by its zombie.
            let kept = orphans::keep_zombies();
            for pid in (self.candidates)() {
                self.seize(pid, &mut round, dead, self.check);
            }
            drop(kept);
            let mut parents: Vec<Pid> = round.frozen.keys().copied().collect();
            while let Some(parent) = parents.pop() {
                for child in proc_tree::children(parent) {
                    if self.seize(child, &mut round, dead, &|_| TagCheck::Tagged) {
                        parents.push(child);
                    }
                }
            }
            // Nobody new: who has been stopped starts nothing, and what slipped through in between is found next time.
            if round.frozen.len() == before || Instant::now() >= deadline {
                return round;
            }
        }
    }

    /// Stops it if it is meant, alive and new. Returns whether it did.
    fn seize(
        &self,
        pid: Pid,
        round: &mut SweepRound,
        dead: &mut HashSet<Pid>,
        check: &dyn Fn(Pid) -> TagCheck,
    ) -> bool {
        if round.frozen.contains_key(&pid) || round.unkillable.contains(&pid) || self.exempt.contains(&pid) {
            return false;
        }
        // The descriptor first, the look at it second: the pid cannot change hands in between.
        let process = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(process) => Some(process),
            Err(Errno::SRCH | Errno::INVAL) => {
                round.uncertain = true;
                return false;
            }
            Err(_) => None,
        };
        if process.as_ref().is_some_and(has_ended) {
            // A zombie keeps its number until it is reaped, and whoever it started was there before it ended.
            round.missed |= dead.insert(pid) && check(pid) == TagCheck::Tagged;
            return false;
        }
        match check(pid) {
            TagCheck::Tagged => {}
            TagCheck::Untagged => return false,
            TagCheck::Unknown => {
                round.uncertain = true;
                return false;
            }
        }
        match process.map(|process| pidfd_send_signal(&process, Signal::STOP).map(|()| process)) {
            Some(Ok(process)) => {
                round.frozen.insert(pid, process);
                true
            }
            Some(Err(Errno::SRCH)) => false,
            Some(Err(_)) | None => {
                round.unkillable.push(pid);
                false
            }
        }
    }
}

fn has_ended(process: &OwnedFd) -> bool {
    ends_before(process, Instant::now())
}

fn ends_before(process: &OwnedFd, deadline: Instant) -> bool {
    let left = deadline.saturating_duration_since(Instant::now());
    let left = Timespec::try_from(left).ok();
    poll(&mut [PollFd::from_borrowed_fd(process.as_fd(), PollFlags::IN)], left.as_ref()).is_ok_and(|ended| ended > 0)
}
