//! The cgroup of one invocation at a time, and the files that the kernel shows in it.

use std::{
    ffi::CString,
    io,
    mem::MaybeUninit,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    thread,
    time::Instant,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{AtFlags, FileType, Mode, OFlags, RawDir, fstat, mkdirat, openat, unlinkat},
    io::{Errno, pread},
    process::Pid,
};

use super::{CgroupLimits, MODE, OPEN_DIR};
use crate::leftovers;

/// The content of `cgroup.events` for a cgroup that is empty and not frozen.
const EMPTY: &str = "populated 0\nfrozen 0\n";

/// How often to check whether a cgroup is empty before it is killed.
const EMPTY_CHECKS: usize = 4;

/// The number of times that an invocation reached the limits of its cgroup.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LimitEvents {
    /// Processes that the kernel killed because the memory limit was reached.
    pub oom_kills: u64,
    /// Processes and threads that were not started because the limit on them was reached.
    pub forks_denied: u64,
}

/// The directory of one cgroup.
#[derive(Debug)]
pub(crate) struct CgroupDir {
    name: String,
    dir: OwnedFd,
    /// `cgroup.events`.
    events: OwnedFd,
    /// `memory.events` and `pids.events`, where the limit is set.
    memory: Option<OwnedFd>,
    processes: Option<OwnedFd>,
    /// It was killed through `cgroup.kill`: see [`CgroupDir::is_reusable`].
    killed: bool,
    /// The last check found it empty and not frozen, and no process was started in it since.
    idle: bool,
}

impl CgroupDir {
    pub(crate) fn make(instance: BorrowedFd<'_>, name: &str, limits: CgroupLimits) -> io::Result<Self> {
        mkdirat(instance, name, MODE)?;
        Self::open(instance, name, limits).inspect_err(|_| {
            let _ = unlinkat(instance, name, AtFlags::REMOVEDIR);
        })
    }

    fn open(instance: BorrowedFd<'_>, name: &str, limits: CgroupLimits) -> io::Result<Self> {
        let dir = openat(instance, name, OPEN_DIR, Mode::empty())?;
        let file = |name: &str| openat(&dir, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
        if let Some(bytes) = limits.memory {
            write(dir.as_fd(), "memory.max", &bytes.to_string())?;
            // Kill all processes or none: a function that lost one of its processes would continue in a broken state.
            write(dir.as_fd(), "memory.oom.group", "1")?;
            match write(dir.as_fd(), "memory.swap.max", "0") {
                // ENOENT: this kernel does not count swap.
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if let Some(number) = limits.processes {
            write(dir.as_fd(), "pids.max", &number.to_string())?;
        }
        let memory = limits.memory.map(|_| file("memory.events")).transpose()?;
        let processes = limits.processes.map(|_| file("pids.events")).transpose()?;
        let events = file("cgroup.events")?;
        Ok(Self { name: name.to_owned(), events, memory, processes, killed: false, idle: true, dir })
    }

    pub(crate) fn dir(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }

    /// Notes that a process is about to be started in it.
    pub(crate) fn begin(&mut self) {
        self.idle = false;
    }

    /// Returns whether it is empty and not frozen.
    pub(crate) fn is_idle(&mut self) -> bool {
        self.idle = self.idle || contents(&self.events) == EMPTY;
        self.idle
    }

    /// Kills all processes in it. Returns those that could not be killed.
    pub(crate) fn kill_all(&mut self) -> Vec<Pid> {
        // A process that was just waited for may still be in the cgroup: newer kernels remove it only when it is
        // switched out for the last time. Another check costs less than the kill, after which the cgroup is not reused.
        for check in 0..EMPTY_CHECKS {
            if check > 0 {
                thread::yield_now();
            }
            if self.is_idle() || !is_populated(&self.events) {
                return Vec::new();
            }
        }
        self.killed = true;
        kill_populated(self.dir.as_fd(), &self.events)
    }

    /// Counts from its creation: a cgroup with limits serves only one invocation.
    pub(crate) fn limit_events(&self) -> LimitEvents {
        let count = |file: &Option<OwnedFd>, key| {
            let text = file.as_ref().map(contents).unwrap_or_default();
            text.lines().find_map(|line| line.strip_prefix(key)?.trim().parse().ok()).unwrap_or(0)
        };
        LimitEvents { oom_kills: count(&self.memory, "oom_kill "), forks_denied: count(&self.processes, "max ") }
    }

    /// Returns whether it is empty, not frozen, and without cgroups created by a function. One that was killed is not
    /// reused: see [`try_cgroup`](crate::spawn::try_cgroup).
    pub(crate) fn is_reusable(&self) -> bool {
        // A directory has two links of its own, and one for each subdirectory.
        !self.killed && self.idle && fstat(&self.dir).is_ok_and(|stat| stat.st_nlink == 2)
    }

    pub(crate) fn remove(self, instance: BorrowedFd<'_>) {
        remove_below(self.dir.as_fd());
        if let Err(error) = unlinkat(instance, self.name.as_str(), AtFlags::REMOVEDIR) {
            tracing::warn!("cannot remove the cgroup {} of an invocation: {error}", self.name);
        }
    }
}

/// Kills all processes in a cgroup and below it. Returns those that could not be killed.
pub(crate) fn kill_all(dir: BorrowedFd<'_>) -> Vec<Pid> {
    match openat(dir, "cgroup.events", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
        Ok(events) if is_populated(&events) => kill_populated(dir, &events),
        _ => Vec::new(),
    }
}

fn kill_populated(dir: BorrowedFd<'_>, events: &OwnedFd) -> Vec<Pid> {
    let deadline = Instant::now() + leftovers::KILL_TIMEOUT;
    if write(dir, "cgroup.kill", "1").is_err() {
        // Linux before 5.14.
        leftovers::kill_members(&|| members(dir));
    }
    while is_populated(events) {
        if Instant::now() >= deadline {
            return members(dir);
        }
        // The kernel reports a change at most every 10 ms, but the processes end sooner.
        let pause = Timespec::try_from(leftovers::PAUSE).ok();
        let _ = poll(&mut [PollFd::new(events, PollFlags::PRI)], pause.as_ref());
    }
    Vec::new()
}

fn is_populated(events: &OwnedFd) -> bool {
    contents(events).starts_with("populated 1")
}

/// Returns the visible processes in the cgroup and below it.
fn members(dir: BorrowedFd<'_>) -> Vec<Pid> {
    let own = read(dir, "cgroup.procs").unwrap_or_default();
    // 0 stands for a process that is not visible in this PID namespace.
    let own = own.split_ascii_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?));
    let below = directories(dir).into_iter().filter_map(|name| openat(dir, name, OPEN_DIR, Mode::empty()).ok());
    own.chain(below.flat_map(|dir| members(dir.as_fd()))).collect()
}

/// Removes all cgroups below one; those that are not empty stay.
pub(crate) fn remove_below(dir: BorrowedFd<'_>) {
    for name in directories(dir) {
        if let Ok(below) = openat(dir, &name, OPEN_DIR, Mode::empty()) {
            remove_below(below.as_fd());
        }
        let _ = unlinkat(dir, &name, AtFlags::REMOVEDIR);
    }
}

/// Returns the names of the directories in a directory.
pub(crate) fn directories(dir: BorrowedFd<'_>) -> Vec<CString> {
    // Open it again: the read offset belongs to the open file description.
    let Ok(dir) = openat(dir, ".", OPEN_DIR, Mode::empty()) else { return Vec::new() };
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut reader = RawDir::new(&dir, &mut buffer);
    let mut found = Vec::new();
    while let Some(Ok(entry)) = reader.next() {
        if entry.file_type() == FileType::Directory && !entry.file_name().to_bytes().starts_with(b".") {
            found.push(entry.file_name().to_owned());
        }
    }
    found
}

/// Reads one of the kernel's files.
pub(crate) fn read(dir: BorrowedFd<'_>, name: &str) -> io::Result<String> {
    let file = openat(dir, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    io::read_to_string(std::fs::File::from(file))
}

/// Writes to one of the kernel's files.
pub(crate) fn write(dir: BorrowedFd<'_>, name: &str, text: &str) -> Result<(), Errno> {
    let file = openat(dir, name, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::io::write(&file, text.as_bytes()).map(drop)
}

/// Reads one of the kernel's small files that stays open; empty if it cannot be read because the cgroup was removed.
fn contents(file: &OwnedFd) -> String {
    let mut buffer = [0; 512];
    let read = pread(file, &mut buffer, 0).unwrap_or(0);
    String::from_utf8_lossy(&buffer[..read]).into_owned()
}
