//! One cgroup of one invocation at a time, and the files that the kernel shows in it.

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

/// What `cgroup.events` says of a cgroup that is empty and goes on.
const EMPTY: &str = "populated 0\nfrozen 0\n";

/// How often to look whether somebody is in a cgroup before it is killed.
const LOOKS: usize = 4;

/// What the limits of a cgroup have cost an invocation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LimitEvents {
    /// Processes that were killed because there was no memory left.
    pub oom_kills: u64,
    /// Processes and threads that were not started because there were as many as may be.
    pub forks_denied: u64,
}

/// A cgroup.
#[derive(Debug)]
pub(crate) struct CgroupDir {
    name: String,
    dir: OwnedFd,
    /// `cgroup.events`.
    events: OwnedFd,
    /// `memory.events` and `pids.events`, where the limit is set.
    memory: Option<OwnedFd>,
    processes: Option<OwnedFd>,
    /// Something in it was killed by the kernel's hand: see [`CgroupDir::is_reusable`].
    killed: bool,
    /// The last look told that nobody is in it and that it goes on, and nothing was started in it since.
    idle: bool,
}

impl CgroupDir {
    pub(crate) fn make(home: BorrowedFd<'_>, name: &str, limits: CgroupLimits) -> io::Result<Self> {
        mkdirat(home, name, MODE)?;
        Self::open(home, name, limits).inspect_err(|_| {
            let _ = unlinkat(home, name, AtFlags::REMOVEDIR);
        })
    }

    fn open(home: BorrowedFd<'_>, name: &str, limits: CgroupLimits) -> io::Result<Self> {
        let dir = openat(home, name, OPEN_DIR, Mode::empty())?;
        let file = |name: &str| openat(&dir, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
        if let Some(bytes) = limits.memory {
            write(dir.as_fd(), "memory.max", &bytes.to_string())?;
            // All or none: a function that lost one of its processes would go on half.
            write(dir.as_fd(), "memory.oom.group", "1")?;
            match write(dir.as_fd(), "memory.swap.max", "0") {
                // A kernel that does not count swap.
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

    /// Something is about to be started in it.
    pub(crate) fn begin(&mut self) {
        self.idle = false;
    }

    /// Whether nobody is in it, and it goes on.
    pub(crate) fn is_idle(&mut self) -> bool {
        self.idle = self.idle || contents(&self.events) == EMPTY;
        self.idle
    }

    /// Kills what is in it. Returns what could not be killed.
    pub(crate) fn kill_all(&mut self) -> Vec<Pid> {
        // Who was just waited for may not have left it yet: newer kernels take a process out of its cgroup only when it
        // is switched out for the last time. One look more costs less than the kill, after which it is not used again.
        for look in 0..LOOKS {
            if look > 0 {
                thread::yield_now();
            }
            if self.is_idle() || !is_populated(&self.events) {
                return Vec::new();
            }
        }
        self.killed = true;
        kill_populated(self.dir.as_fd(), &self.events)
    }

    /// Counted from its beginning: no other invocation was in one that has limits.
    pub(crate) fn limit_events(&self) -> LimitEvents {
        let count = |file: &Option<OwnedFd>, key| {
            let text = file.as_ref().map(contents).unwrap_or_default();
            text.lines().find_map(|line| line.strip_prefix(key)?.trim().parse().ok()).unwrap_or(0)
        };
        LimitEvents { oom_kills: count(&self.memory, "oom_kill "), forks_denied: count(&self.processes, "max ") }
    }

    /// Whether it is empty, and no function has made cgroups of its own in it or stopped it. What was killed once is
    /// not used again: see [`try_cgroup`](crate::spawn::try_cgroup).
    pub(crate) fn is_reusable(&self) -> bool {
        // A directory has a link for each that is in it, besides its own two.
        !self.killed && self.idle && fstat(&self.dir).is_ok_and(|stat| stat.st_nlink == 2)
    }

    pub(crate) fn remove(self, home: BorrowedFd<'_>) {
        remove_below(self.dir.as_fd());
        if let Err(error) = unlinkat(home, self.name.as_str(), AtFlags::REMOVEDIR) {
            tracing::warn!("cannot remove the cgroup {} of an invocation: {error}", self.name);
        }
    }
}

/// Kills all that is in a cgroup and below it. Returns what could not be killed.
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
        // The kernel tells of a change at most every 10 ms; it is over sooner.
        let pause = Timespec::try_from(leftovers::PAUSE).ok();
        let _ = poll(&mut [PollFd::new(events, PollFlags::PRI)], pause.as_ref());
    }
    Vec::new()
}

fn is_populated(events: &OwnedFd) -> bool {
    contents(events).starts_with("populated 1")
}

/// The processes in it and below it that can be seen from here.
fn members(dir: BorrowedFd<'_>) -> Vec<Pid> {
    let own = read(dir, "cgroup.procs").unwrap_or_default();
    // 0 stands for one that another process-id namespace does not show.
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

/// The names of the directories in one.
pub(crate) fn directories(dir: BorrowedFd<'_>) -> Vec<CString> {
    // Open anew: the offset belongs to the open directory.
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

/// What is in one of the kernel's files.
pub(crate) fn read(dir: BorrowedFd<'_>, name: &str) -> io::Result<String> {
    let file = openat(dir, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    io::read_to_string(std::fs::File::from(file))
}

/// Writes to one of the kernel's files.
pub(crate) fn write(dir: BorrowedFd<'_>, name: &str, text: &str) -> Result<(), Errno> {
    let file = openat(dir, name, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::io::write(&file, text.as_bytes()).map(drop)
}

/// What is in one of the kernel's small files that stays open; nothing if it cannot be read (the cgroup was removed).
fn contents(file: &OwnedFd) -> String {
    let mut buffer = [0; 512];
    let read = pread(file, &mut buffer, 0).unwrap_or(0);
    String::from_utf8_lossy(&buffer[..read]).into_owned()
}
