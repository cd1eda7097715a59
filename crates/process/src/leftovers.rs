//! Finds, stops and kills processes that outlived their invocation outside its process group (setsid(2), daemons).
//!
//! bandog is the child subreaper (prctl(2)) of everything it starts, so that a daemon becomes bandog's own child when
//! its parent ends. One look at the list of bandog's children tells whether there is anything to do. The processes of
//! an invocation are identified by their [`InvocationTag`], and their descendants through their parents.
//!
//! A process that forks faster than it is found would always stay ahead. Therefore every process that is found is first
//! stopped, and none is killed before a pass finds no new one.

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

/// How long killed processes may take to end. SIGKILL works at once, unless the kernel holds the process (an
/// unreachable network disk, a core dump) or new ones start faster than they are found. The log names what is left
/// after this time.
pub(crate) const KILL_TIMEOUT: Duration = Duration::from_secs(10);

/// The pause between two looks at killed processes: about as long as a process takes to end.
pub(crate) const PAUSE: Duration = Duration::from_micros(500);

/// Kills processes that made themselves children of the calling thread by `CLONE_PARENT` (clone(2)), as the leader was
/// one. A thread supervises one invocation at a time, so that all its children are such processes once the leader has
/// been reaped.
pub(crate) fn kill_siblings() {
    let deadline = Instant::now() + KILL_TIMEOUT;
    while orphans::reap_children().1 && Instant::now() < deadline {
        for sibling in proc_tree::children_of_this_thread() {
            // Only this thread can reap it, so that its pid has not been reused.
            let _ = kill_process(sibling, Signal::KILL);
        }
        thread::sleep(PAUSE);
    }
}

/// Waits until `group` is empty, which was killed and whose leader has been reaped. Kills every adopted process that
/// carries `tag`, and its descendants. Returns the processes that could not be killed.
///
/// The wait is necessary: only when a process has ended do its children become bandog's and can be found, and the id of
/// an empty group can be reused by another function.
pub(crate) fn kill_all(group: ProcessGroup, tag: &InvocationTag) -> Vec<Pid> {
    let deadline = Instant::now() + KILL_TIMEOUT;
    while group.exists() {
        // Orphans of the group are bandog's children and have no other waiter. The reaper would find them too, but
        // pauses between its passes.
        if group.reap_orphan() {
            continue;
        }
        // A zombie of the group may also have a parent that has left the group and does not wait for it.
        let left = kill_adopted(tag);
        if Instant::now() >= deadline {
            return [vec![group.0], left].concat();
        }
        thread::sleep(PAUSE);
    }
    kill_adopted(tag)
}

/// Kills every adopted process that carries `tag`, and its descendants. Returns the processes that could not be killed.
pub(crate) fn kill_adopted(tag: &InvocationTag) -> Vec<Pid> {
    Sweep { candidates: &proc_tree::adopted, check: &|pid| tag::check(pid, std::slice::from_ref(tag)), exempt: &[] }
        .run()
}

/// Kills every process on the machine that carries one of `tags`, which are those of dead predecessors, and its
/// descendants. Exempt are this process and its ancestors: a function may have started it. Returns the processes that
/// could not be killed.
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

/// Kills every process that `members` returns, and its descendants. Returns the processes that could not be killed.
pub(crate) fn kill_members(members: &dyn Fn() -> Vec<Pid>) -> Vec<Pid> {
    Sweep { candidates: members, check: &|_| TagCheck::Tagged, exempt: &proc_tree::ancestors() }.run()
}

/// The processes to examine, and the test that selects those to kill.
struct Sweep<'a> {
    candidates: &'a dyn Fn() -> Vec<Pid>,
    check: &'a dyn Fn(Pid) -> TagCheck,
    exempt: &'a [Pid],
}

/// The state of one pass over the candidates and the descendants of those that were selected.
#[derive(Default)]
struct SweepRound {
    /// Stopped processes. Each is held by a descriptor, so that a signal cannot reach another process that is given its
    /// pid.
    frozen: HashMap<Pid, OwnedFd>,
    /// Selected, but out of reach: they belong to another user, or no descriptor is free.
    unkillable: Vec<Pid>,
    /// A process could not be classified.
    uncertain: bool,
    /// A selected process has ended since the last pass, and may have started another before.
    missed: bool,
}

impl Sweep<'_> {
    /// Stops and kills until a pass finds no process. Returns the processes that are left.
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
            // The end of each of them makes its children bandog's own.
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
            // A process that has started its successor and ended is recognised by its zombie.
            let kept = orphans::keep_zombies();
            for pid in (self.candidates)() {
                self.try_freeze(pid, &mut round, dead, self.check);
            }
            drop(kept);
            let mut parents: Vec<Pid> = round.frozen.keys().copied().collect();
            while let Some(parent) = parents.pop() {
                for child in proc_tree::children(parent) {
                    if self.try_freeze(child, &mut round, dead, &|_| TagCheck::Tagged) {
                        parents.push(child);
                    }
                }
            }
            // A pass without a new process is enough: a stopped process starts none, and one that slipped through is
            // found next time.
            if round.frozen.len() == before || Instant::now() >= deadline {
                return round;
            }
        }
    }

    /// Stops the process if it is selected, alive and new. Returns whether it was stopped.
    fn try_freeze(
        &self,
        pid: Pid,
        round: &mut SweepRound,
        dead: &mut HashSet<Pid>,
        check: &dyn Fn(Pid) -> TagCheck,
    ) -> bool {
        if round.frozen.contains_key(&pid) || round.unkillable.contains(&pid) || self.exempt.contains(&pid) {
            return false;
        }
        // Open the descriptor before looking at the process: the pid cannot change its owner in between.
        let process = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(process) => Some(process),
            Err(Errno::SRCH | Errno::INVAL) => {
                round.uncertain = true;
                return false;
            }
            Err(_) => None,
        };
        if process.as_ref().is_some_and(has_ended) {
            // A zombie keeps its pid until it is reaped, and every process that it started existed before it ended.
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
