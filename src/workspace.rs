//! The private directories of an invocation, removed on drop.
//!
//! ```text
//! DIR/bandog-1a2b3c4d5e6f-17/   one for each invocation, locked (flock(2)) as long as it runs
//!     in/                       TMP_INPUT_DIR
//!     out/                      TMP_OUTPUT_DIR
//!     headers                   RESPONSE_HEADERS_PATH, if the function makes it
//! ```
//!
//! Everything is mode 0700. Between invocations DIR is empty. What a killed predecessor left behind is known by its
//! lock being free, also where several bandogs share DIR across containers.

mod removal;

use std::{
    collections::VecDeque,
    ffi::OsStr,
    io,
    os::{
        fd::{AsFd as _, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use rustix::fs::{FlockOperation, Mode, OFlags, flock, fstat, mkdirat, openat};
use uuid::Uuid;

/// Begins the name of every workspace.
const PREFIX: &str = "bandog-";

/// How long an empty, unlocked directory is left alone: its maker may be between making and locking it.
const NEWBORN: Duration = Duration::from_secs(10);

/// How a directory is opened: never through a link, never handed down to a function.
const OPEN_DIR: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Read, write and enter for the owner only.
const PRIVATE: Mode = Mode::RWXU;

/// Where this bandog makes its workspaces.
#[derive(Debug)]
pub struct Root {
    /// The directory given with `--workspace`.
    dir: OwnedFd,
    path: PathBuf,
    /// Begins the name of each of this bandog's workspaces.
    prefix: String,
    next: AtomicU64,
    open: AtomicUsize,
    /// What could not be removed, to be tried again: no descriptor was free, or somebody was still writing.
    undead: Mutex<VecDeque<String>>,
}

impl Root {
    /// Opens `path`, which must be a directory.
    pub fn open(path: &Path) -> io::Result<Self> {
        let id = Uuid::new_v4().simple().to_string();
        Ok(Self {
            // A link here is the operator's choice.
            dir: rustix::fs::open(path, OPEN_DIR.difference(OFlags::NOFOLLOW), Mode::empty())?,
            path: path.to_owned(),
            prefix: format!("{PREFIX}{}-", &id[..12]),
            next: AtomicU64::new(0),
            open: AtomicUsize::new(0),
            undead: Mutex::default(),
        })
    }

    /// Removes what dead predecessors of the same user left; returns how many workspaces that were.
    pub fn remove_leftovers(&self) -> io::Result<usize> {
        let mut removed = 0;
        let mut failed = None;
        for name in removal::names(self.dir.as_fd())? {
            let name = OsStr::from_bytes(name.to_bytes());
            if name.as_bytes().starts_with(PREFIX.as_bytes()) && self.is_leftover(name) {
                match removal::remove(self.dir.as_fd(), name) {
                    Ok(()) => removed += 1,
                    // One that resists does not protect the others.
                    Err(error) => failed = Some(error),
                }
            }
        }
        failed.map_or(Ok(removed), |error| Err(error.into()))
    }

    /// Whether nobody uses it any more. In a shared `/tmp` anybody may have made anything under such a name: only a
    /// directory of our own user counts.
    fn is_leftover(&self, name: &OsStr) -> bool {
        let Ok(dir) = openat(&self.dir, name, OPEN_DIR, Mode::empty()) else { return false };
        let Ok(stat) = fstat(&dir) else { return false };
        let ours = stat.st_uid == rustix::process::geteuid().as_raw();
        if !ours || flock(&dir, FlockOperation::NonBlockingLockExclusive).is_err() {
            return false;
        }
        let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(stat.st_ctime).unwrap_or_default());
        let newborn = changed.elapsed().is_ok_and(|age| age < NEWBORN);
        !(newborn && removal::names(dir.as_fd()).is_ok_and(|names| names.is_empty()))
    }

    /// Makes the workspace of one invocation.
    pub fn workspace(self: &Arc<Self>) -> io::Result<Workspace> {
        let name = format!("{}{}", self.prefix, self.next.fetch_add(1, Ordering::Relaxed));
        mkdirat(&self.dir, name.as_str(), PRIVATE)?;
        self.open.fetch_add(1, Ordering::Relaxed);
        // From here on dropping it removes what there is.
        let mut workspace = Workspace { path: self.path.join(&name), root: Arc::clone(self), name, dirs: None };
        let lock = openat(&self.dir, workspace.name.as_str(), OPEN_DIR, Mode::empty())?;
        flock(&lock, FlockOperation::LockExclusive)?;
        let make = |name: &str| {
            mkdirat(&lock, name, PRIVATE)?;
            openat(&lock, name, OPEN_DIR, Mode::empty())
        };
        workspace.dirs = Some(Dirs { input: make(INPUT)?, output: make(OUTPUT)?, lock });
        Ok(workspace)
    }

    fn remove(&self, name: &str) {
        if let Err(error) = removal::remove(self.dir.as_fd(), name) {
            tracing::warn!("cannot remove the workspace {}: {error}", self.path.join(name).display());
            self.undead().push_back(name.to_owned());
        }
    }

    fn undead(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.undead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many workspaces exist now.
    #[must_use]
    pub fn open_workspaces(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
}

const INPUT: &str = "in";
const OUTPUT: &str = "out";
const HEADERS: &str = "headers";

/// The directories of one invocation. Dropped, it is removed with all that is in it.
#[derive(Debug)]
pub struct Workspace {
    root: Arc<Root>,
    name: String,
    path: PathBuf,
    /// `None` while it is being made.
    dirs: Option<Dirs>,
}

/// Held open, so that what the function does to the names changes nothing for us.
#[derive(Debug)]
struct Dirs {
    input: OwnedFd,
    output: OwnedFd,
    /// The workspace itself, locked.
    lock: OwnedFd,
}

impl Workspace {
    /// `TMP_INPUT_DIR`.
    #[must_use]
    pub fn input_path(&self) -> PathBuf {
        self.path.join(INPUT)
    }

    /// `TMP_OUTPUT_DIR`.
    #[must_use]
    pub fn output_path(&self) -> PathBuf {
        self.path.join(OUTPUT)
    }

    /// `RESPONSE_HEADERS_PATH`.
    #[must_use]
    pub fn headers_path(&self) -> PathBuf {
        self.path.join(HEADERS)
    }

    /// `RESPONSE_HEADERS_PATH`, by directory and name.
    #[must_use]
    pub fn headers_place(&self) -> (BorrowedFd<'_>, &'static str) {
        (self.dirs().lock.as_fd(), HEADERS)
    }

    /// A file in it that can be run: the script given in the environment.
    pub fn add_script(&self, content: &[u8]) -> io::Result<PathBuf> {
        use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _};
        let path = self.path.join("script");
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o700).open(&path)?;
        file.write_all(content)?;
        Ok(path)
    }

    /// Where logs that do not fit in memory may go.
    #[must_use]
    pub fn logs_path(&self) -> PathBuf {
        self.path.join("logs")
    }

    /// The open input directory.
    #[must_use]
    pub fn input(&self) -> BorrowedFd<'_> {
        self.dirs().input.as_fd()
    }

    /// The open output directory, the one that was made, whatever has its name now.
    #[must_use]
    pub fn output(&self) -> BorrowedFd<'_> {
        self.dirs().output.as_fd()
    }

    fn dirs(&self) -> &Dirs {
        self.dirs.as_ref().expect("nobody outside has a workspace that is not made whole")
    }
}

impl Drop for Workspace {
    /// What cannot be removed is reported in the log, and tried again after a later invocation (one at a time, so that
    /// none waits for long) and at the next start.
    fn drop(&mut self) {
        self.root.open.fetch_sub(1, Ordering::Relaxed);
        let earlier = self.root.undead().pop_front();
        for name in [Some(&self.name), earlier.as_ref()].into_iter().flatten() {
            self.root.remove(name);
        }
    }
}

impl Drop for Root {
    /// The last chance before the next start.
    fn drop(&mut self) {
        let undead = std::mem::take(&mut *self.undead());
        for name in undead {
            self.remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn root(dir: &Path) -> Arc<Root> {
        Arc::new(Root::open(dir).expect("open"))
    }

    fn count(dir: &Path) -> usize {
        fs::read_dir(dir).expect("list").count()
    }

    #[test]
    fn a_dropped_workspace_leaves_nothing() {
        let dir = tempfile::tempdir().expect("tempdir");
        let root = root(dir.path());
        let workspace = root.workspace().expect("made");
        fs::write(workspace.output_path().join("x"), b"x").expect("write");
        fs::write(workspace.headers_path(), b"x").expect("write");
        assert_eq!((count(dir.path()), root.open_workspaces()), (1, 1));
        drop(workspace);
        assert_eq!((count(dir.path()), root.open_workspaces()), (0, 0));
    }

    #[test]
    fn what_could_not_be_removed_is_removed_at_the_end() {
        let dir = tempfile::tempdir().expect("tempdir");
        let root = root(dir.path());
        let stuck = root.workspace().expect("made");
        // A file of its name cannot be removed as a directory.
        let (path, aside) = (stuck.path.clone(), dir.path().join("aside"));
        fs::rename(&path, &aside).expect("rename");
        fs::write(&path, b"x").expect("write");
        drop(stuck);
        fs::remove_file(&path).expect("it is still there");
        fs::rename(&aside, &path).expect("rename");
        assert_eq!(count(dir.path()), 1, "it could not be removed");
        drop(root);
        assert_eq!(count(dir.path()), 0);
    }

    #[test]
    fn what_could_not_be_removed_is_removed_after_a_later_invocation() {
        let dir = tempfile::tempdir().expect("tempdir");
        let root = root(dir.path());
        let workspace = root.workspace().expect("made");
        let (path, away) = (workspace.path.clone(), dir.path().join("away"));
        fs::rename(&path, &away).expect("rename");
        fs::write(&path, "not a directory").expect("write");
        drop(workspace);
        fs::remove_file(&path).expect("remove");
        fs::rename(&away, &path).expect("rename");
        drop(root.workspace().expect("made"));
        assert_eq!(count(dir.path()), 0);
    }

    #[test]
    fn the_living_are_left_alone_and_the_dead_are_removed() {
        let dir = tempfile::tempdir().expect("tempdir");
        let living = root(dir.path()).workspace().expect("made");
        fs::create_dir_all(dir.path().join("bandog-dead-1/in")).expect("mkdir");
        fs::create_dir(dir.path().join("bandog-newborn-1")).expect("mkdir");
        fs::create_dir(dir.path().join("somebody-elses")).expect("mkdir");
        fs::write(dir.path().join("bandog-file"), b"x").expect("write");
        assert_eq!(root(dir.path()).remove_leftovers().expect("removed"), 1);
        assert!(!dir.path().join("bandog-dead-1").exists());
        assert!(living.output_path().exists());
        assert_eq!(count(dir.path()), 4);
    }
}
