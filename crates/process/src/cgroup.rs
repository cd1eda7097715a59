//! One cgroup for each running function, where bandog may create them (cgroups(7), version 2): a process started in one
//! cannot leave it, however it forks, and one write kills all processes in it.
//!
//! ```text
//! …/own cgroup/               the cgroup that bandog was started in
//!     bandog-1a2b3c4d5e6f/    of this bandog, locked (flock(2)) while it runs
//!         0/ 1/ 2/ …          each for one invocation at a time; reused when empty, unless limits are set
//!         bandog/             bandog itself, if limits are set: the kernel enforces them only in a cgroup whose
//!                             parent holds no process (the "no internal processes" rule)
//! ```
//!
//! Where cgroups are not available, the process group, the child subreaper and the
//! [`InvocationTag`](crate::InvocationTag) suffice.

mod dir;
mod instance;
pub(crate) mod membership;
pub(crate) mod oom_kills;

use std::{
    fmt, io,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rustix::{
    fs::{Access, AtFlags, Mode, OFlags, accessat},
    io::Errno,
    process::Pid,
};

use crate::spawn::try_cgroup;
use dir::CgroupDir;
pub use dir::LimitEvents;
use instance::InstanceCgroup;
use membership::Membership;

const OPEN_DIR: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const MODE: Mode = Mode::from_raw_mode(0o755);

/// The limits of an invocation's cgroup.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CgroupLimits {
    /// Bytes of memory (`memory.max`), without swap.
    pub memory: Option<u64>,
    /// Processes and threads (`pids.max`).
    pub processes: Option<u64>,
}

impl fmt::Display for CgroupLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.memory, self.processes) {
            (None, None) => f.write_str("no limit"),
            (Some(memory), None) => write!(f, "{memory} bytes of memory"),
            (None, Some(processes)) => write!(f, "{processes} processes"),
            (Some(memory), Some(processes)) => write!(f, "{memory} bytes of memory and {processes} processes"),
        }
    }
}

impl CgroupLimits {
    /// Returns the controllers that the limits need, in the syntax of `cgroup.subtree_control`.
    fn controllers(self) -> Vec<&'static str> {
        [self.memory.map(|_| "memory"), self.processes.map(|_| "pids")].into_iter().flatten().collect()
    }
}

/// The reason why cgroups are not used.
#[derive(Debug)]
pub struct CgroupsUnavailable(String);

impl fmt::Display for CgroupsUnavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The cgroups of this bandog's functions.
#[derive(Debug)]
pub struct Cgroups {
    /// The cgroup that bandog was started in.
    parent: OwnedFd,
    path: PathBuf,
    limits: CgroupLimits,
    state: Mutex<CgroupPool>,
}

#[derive(Debug, Default)]
struct CgroupPool {
    /// Created on first use.
    instance: Option<InstanceCgroup>,
    /// Empty cgroups for reuse: at most one more than are in use, so that the cgroups of a burst are removed after it.
    idle: Vec<CgroupDir>,
    in_use: usize,
    next: u64,
    /// The kernel has refused, and bandog does not try again.
    given_up: bool,
}

impl Cgroups {
    /// Creates a cgroup below bandog's own and tries whether a process can be started in it. Removes the cgroups of
    /// dead predecessors with all processes in them.
    pub fn find(limits: CgroupLimits) -> Result<Arc<Self>, CgroupsUnavailable> {
        let membership = Membership::read().ok();
        let path = membership
            .as_ref()
            .and_then(own_path)
            .ok_or_else(|| CgroupsUnavailable("no version 2 cgroup is visible".to_owned()))?;
        let cannot = |error: Errno| CgroupsUnavailable(format!("{}: {error}", path.display()));
        let parent = rustix::fs::open(&path, OPEN_DIR, Mode::empty()).map_err(cannot)?;
        // Moving a process from here to a cgroup below requires the right to move it at all.
        for name in [".", "cgroup.procs"] {
            accessat(&parent, name, Access::WRITE_OK, AtFlags::EACCESS).map_err(cannot)?;
        }
        let cgroups = Self { parent, path, limits, state: Mutex::default() };
        cgroups.remove_leftovers();
        let cgroups = Arc::new(cgroups);
        let cannot = |error: io::Error| CgroupsUnavailable(format!("{}: {error}", cgroups.path.display()));
        let dir = cgroups.dir().map_err(cannot)?;
        if let Some(mut dir) = dir {
            dir.begin();
            let tried = try_cgroup(dir.dir());
            dir.kill_all();
            cgroups.put(dir);
            tried.map_err(cannot)?;
        }
        Ok(cgroups)
    }

    /// Returns the path of the cgroup that bandog was started in.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn state(&self) -> MutexGuard<'_, CgroupPool> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns an empty cgroup, or `None` if cgroups are not used any more.
    ///
    /// # Errors
    /// The kernel refuses, and there are limits that only a cgroup can enforce.
    pub(crate) fn take(self: &Arc<Self>) -> io::Result<Option<Cgroup>> {
        match self.dir() {
            Ok(dir) => Ok(dir.map(|mut dir| {
                dir.begin();
                Cgroup { dir: Some(dir), cgroups: Arc::clone(self) }
            })),
            // A temporary shortage: without limits the function can run outside a cgroup.
            Err(error) if self.limits == CgroupLimits::default() && is_shortage(&error) => Ok(None),
            Err(error) => self.give_up(&error).map(|()| None),
        }
    }

    fn dir(&self) -> io::Result<Option<CgroupDir>> {
        let mut state = self.state();
        if state.given_up {
            return Ok(None);
        }
        if let Some(dir) = state.idle.pop() {
            state.in_use += 1;
            return Ok(Some(dir));
        }
        let number = state.next;
        state.next += 1;
        let instance = match &mut state.instance {
            Some(instance) => instance,
            none => none.insert(self.make_instance()?),
        };
        let dir = CgroupDir::make(instance.dir.as_fd(), &number.to_string(), self.limits)?;
        state.in_use += 1;
        Ok(Some(dir))
    }

    /// Continues without cgroups.
    fn give_up(&self, error: &io::Error) -> io::Result<()> {
        if self.limits != CgroupLimits::default() {
            let path = self.path.display();
            return Err(io::Error::new(error.kind(), format!("cannot use a cgroup below {path}: {error}")));
        }
        tracing::warn!("functions run without cgroups from now on: {}: {error}", self.path.display());
        self.state().given_up = true;
        Ok(())
    }

    /// Takes a cgroup back: for reuse if it is empty and unchanged, otherwise it is removed. One with limits is never
    /// reused: its function may have changed them, and files that it left on a tmpfs still count as its memory.
    fn put(&self, dir: CgroupDir) {
        let mut state = self.state();
        state.in_use -= 1;
        let mut superfluous = Vec::new();
        if self.limits == CgroupLimits::default() && dir.is_reusable() {
            state.idle.push(dir);
        } else {
            superfluous.push(dir);
        }
        let kept = state.idle.len().min(state.in_use + 1);
        superfluous.extend(state.idle.split_off(kept));
        if let Some(instance) = &state.instance {
            for dir in superfluous {
                dir.remove(instance.dir.as_fd());
            }
        }
    }
}

/// Returns whether the same call may succeed soon.
fn is_shortage(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::AGAIN))
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        let state = std::mem::take(self.state.get_mut().unwrap_or_else(PoisonError::into_inner));
        if let Some(instance) = state.instance {
            for dir in state.idle {
                dir.remove(instance.dir.as_fd());
            }
            self.remove_instance(&instance);
        }
    }
}

/// An empty cgroup to start a function in. Drop kills all processes in it and gives it back for reuse.
#[derive(Debug)]
pub(crate) struct Cgroup {
    /// `None` once dropped.
    dir: Option<CgroupDir>,
    cgroups: Arc<Cgroups>,
}

impl Cgroup {
    fn cgroup_dir(&mut self) -> &mut CgroupDir {
        self.dir.as_mut().expect("it is there until it is dropped")
    }

    /// Returns the directory of the cgroup.
    pub(crate) fn dir(&self) -> BorrowedFd<'_> {
        self.dir.as_ref().expect("it is there until it is dropped").dir()
    }

    /// Returns whether the cgroup is empty and not frozen.
    pub(crate) fn is_empty(&mut self) -> bool {
        self.cgroup_dir().is_idle()
    }

    /// Kills all processes in the cgroup. Returns those that could not be killed.
    pub(crate) fn kill_all(&mut self) -> Vec<Pid> {
        self.cgroup_dir().kill_all()
    }

    /// Returns the number of times that its limits were reached since it was taken.
    pub(crate) fn limit_events(&self) -> LimitEvents {
        self.dir.as_ref().map(CgroupDir::limit_events).unwrap_or_default()
    }

    /// Continues without cgroups, because no process could be started in this one.
    ///
    /// # Errors
    /// There are limits that only a cgroup can enforce.
    pub(crate) fn give_up(self, error: &io::Error) -> io::Result<()> {
        self.cgroups.give_up(error)
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        if let Some(mut dir) = self.dir.take() {
            dir.kill_all();
            self.cgroups.put(dir);
        }
    }
}

/// Returns the path of bandog's own cgroup in the file system; `None` if it is not visible.
fn own_path(membership: &Membership) -> Option<PathBuf> {
    let own = membership.cgroup(None)?;
    // A path that does not match lies outside the part that the mount or the cgroup namespace shows.
    membership.mounts(None).find_map(|mount| mount.below(own.strip_prefix(&mount.root).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
38 31 0:35 / /sys/fs/cgroup/blkio rw,relatime - cgroup cgroup rw,blkio
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw
";

    #[test]
    fn the_own_cgroup_is_found() {
        let own = "8:pids:/a\n0::/\n";
        assert_eq!(own_path(&Membership::of(own, HYBRID)), Some("/sys/fs/cgroup/unified/".into()));
        assert_eq!(own_path(&Membership::of("0::/x/y\n", HYBRID)), Some("/sys/fs/cgroup/unified/x/y".into()));
        let part = "41 31 0:38 /x /my\\040mount rw - cgroup2 cgroup2 rw\n";
        assert_eq!(own_path(&Membership::of("0::/x/y\n", part)), Some("/my mount/y".into()));
        assert_eq!(own_path(&Membership::of("0::/xx/y\n", part)), None, "the mount shows another part of the tree");
        assert_eq!(own_path(&Membership::of("0::/../y\n", HYBRID)), None, "out of the namespace");
        assert_eq!(own_path(&Membership::of("8:pids:/a\n", HYBRID)), None, "version 1 only");
        assert_eq!(own_path(&Membership::of("0::/\n", "")), None, "not mounted");
    }
}
