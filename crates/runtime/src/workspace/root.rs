//! The directory that workspaces are made in, those that could not be removed, and those of dead predecessors.

use std::{
    collections::VecDeque,
    ffi::OsStr,
    io,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use rustix::fs::{FlockOperation, Mode, OFlags, Stat, flock, fstat, lstat, mkdirat, openat, stat};

use super::{INPUT, KnownFiles, OPEN_DIR, OUTPUT, OpenDirs, PRIVATE, Workspace, removal};
use crate::ids;

/// Begins the name of every workspace.
const PREFIX: &str = "bandog-";

/// How long an empty, unlocked directory is left alone: its maker may be between making and locking it.
const UNLOCKED_LIMIT: Duration = Duration::from_secs(10);

/// How long an invocation may take at its end to remove workspaces that could not be removed before.
const RETRY_LIMIT: Duration = Duration::from_millis(50);

/// How often the directory is looked for under its name, at most.
const LOOK: Duration = Duration::from_secs(1);

/// Where this bandog makes its workspaces.
#[derive(Debug)]
pub struct WorkspaceRoot {
    /// The directory given with `--workspace`.
    path: PathBuf,
    /// It, as it was opened last; `None` until it is needed.
    place: Mutex<Option<Place>>,
    /// Begins the name of each of this bandog's workspaces.
    prefix: String,
    next: AtomicU64,
    open: AtomicUsize,
    /// The user that functions run as, if not our own.
    function_user: Option<u32>,
    /// The workspaces that could not be removed and are tried again: no descriptor was free, or a process was still
    /// writing. With each the directory that it was made in.
    unremoved: Mutex<VecDeque<(Arc<OwnedFd>, String)>>,
}

/// A directory that was opened.
#[derive(Debug)]
struct Place {
    fd: Arc<OwnedFd>,
    /// Device and inode.
    id: (u64, u64),
    /// Whether the path was a link to it when it was opened first: the operator's choice. A link that comes later is not.
    is_link: bool,
    /// When it was looked for last.
    seen: Instant,
}

impl Place {
    fn open(path: &Path, was_link: Option<bool>) -> io::Result<Self> {
        let is_link = match was_link {
            Some(was_link) => was_link,
            None => path.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink()),
        };
        let flags = if is_link { OPEN_DIR.difference(OFlags::NOFOLLOW) } else { OPEN_DIR };
        let fd = rustix::fs::open(path, flags, Mode::empty())?;
        Ok(Self { id: id(&fstat(&fd)?), fd: Arc::new(fd), is_link, seen: Instant::now() })
    }

    /// The directory that has its name now, if that is another one.
    fn replaced(&self, path: &Path) -> Option<Self> {
        let stat = if self.is_link { stat(path) } else { lstat(path) };
        let is_another = stat.is_ok_and(|stat| id(&stat) != self.id);
        is_another.then(|| Self::open(path, Some(self.is_link)).ok()).flatten()
    }
}

/// Whether a directory of this name may be a workspace: `bandog-INSTANCE-NUMBER`. Others may be called `bandog-…` too.
fn is_workspace(name: &OsStr) -> bool {
    let Some(name) = name.as_bytes().strip_prefix(PREFIX.as_bytes()) else { return false };
    let Some(dash) = name.iter().position(|byte| *byte == b'-') else { return false };
    let number = &name[dash + 1..];
    ids::is_instance(&name[..dash]) && !number.is_empty() && number.iter().all(u8::is_ascii_digit)
}

fn id(stat: &Stat) -> (u64, u64) {
    (stat.st_dev, stat.st_ino)
}

impl WorkspaceRoot {
    /// Opens `path`, which must be a directory.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::open_for(path, None)
    }

    /// The same for functions of another user, to whom workspaces are handed over.
    pub fn open_for(path: &Path, function_user: Option<u32>) -> io::Result<Self> {
        let root = Self::unopened(path, function_user);
        root.place()?;
        Ok(root)
    }

    /// The same for a bandog that may never make a workspace: the directory is opened with the first one.
    #[must_use]
    pub fn unopened(path: &Path, function_user: Option<u32>) -> Self {
        Self {
            path: path.to_owned(),
            place: Mutex::default(),
            prefix: format!("{PREFIX}{}-", ids::instance()),
            next: AtomicU64::new(0),
            open: AtomicUsize::new(0),
            function_user,
            unremoved: Mutex::default(),
        }
    }

    /// The directory, as it was opened last. It is looked for again now and then: another may have its name by now.
    fn place(&self) -> io::Result<Arc<OwnedFd>> {
        let mut place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *place {
            Some(place) if place.seen.elapsed() < LOOK => Ok(Arc::clone(&place.fd)),
            Some(place) => {
                place.seen = Instant::now();
                if let Some(other) = place.replaced(&self.path) {
                    let path = self.path.display();
                    tracing::info!("the directory {path} was replaced; workspaces are made in the new one");
                    *place = other;
                }
                Ok(Arc::clone(&place.fd))
            }
            None => Ok(Arc::clone(&place.insert(Place::open(&self.path, None)?).fd)),
        }
    }

    /// Opens the directory again: the one that was opened does not exist any more.
    fn reopened(&self) -> io::Result<Arc<OwnedFd>> {
        let mut place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        let is_link = place.as_ref().map(|place| place.is_link);
        Ok(Arc::clone(&place.insert(Place::open(&self.path, is_link)?).fd))
    }

    /// Removes what dead predecessors of the same user left; returns how many workspaces that were. `end_users` is
    /// given their names first, to end the processes that still use them.
    pub fn remove_leftovers(&self, end_users: impl FnOnce(&[&OsStr])) -> io::Result<usize> {
        let place = self.place()?;
        let names = removal::names(place.as_fd())?;
        let names = names.iter().map(|name| OsStr::from_bytes(name.to_bytes()));
        // Held until they are removed, so that no other bandog does the same.
        let (names, _locks): (Vec<&OsStr>, Vec<OwnedFd>) = names
            .filter(|name| is_workspace(name))
            .filter_map(|name| self.lock_leftover(&place, name).map(|lock| (name, lock)))
            .unzip();
        end_users(&names);
        let mut removed = 0;
        let mut failed = None;
        for name in names {
            match removal::remove(place.as_fd(), name) {
                Ok(()) => removed += 1,
                // One that resists does not protect the others.
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(removed), |error| Err(error.into()))
    }

    /// The lock of an abandoned workspace. In a shared `/tmp` any user may have created such a name: only a directory of
    /// our own user, or of the user that our functions run as, counts.
    fn lock_leftover(&self, place: &OwnedFd, name: &OsStr) -> Option<OwnedFd> {
        let dir = openat(place, name, OPEN_DIR, Mode::empty()).ok()?;
        let stat = fstat(&dir).ok()?;
        let ours = stat.st_uid == rustix::process::geteuid().as_raw() || Some(stat.st_uid) == self.function_user;
        if !ours || flock(&dir, FlockOperation::NonBlockingLockExclusive).is_err() {
            return None;
        }
        let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(stat.st_ctime).unwrap_or_default());
        let is_new = changed.elapsed().is_ok_and(|age| age < UNLOCKED_LIMIT);
        let is_being_made = is_new && removal::names(dir.as_fd()).is_ok_and(|names| names.is_empty());
        (!is_being_made).then_some(dir)
    }

    /// Makes the workspace of one invocation.
    pub fn workspace(self: &Arc<Self>) -> io::Result<Workspace> {
        self.make().map_err(|error| {
            let place = self.path.display();
            let next = match error.kind() {
                io::ErrorKind::NotFound => "it was removed; make it again, or set --workspace",
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room there, or set --workspace",
                _ => "allow bandog to write there, or set --workspace",
            };
            let text = format!("cannot make a directory in {place}: {error}; {next}");
            io::Error::new(error.kind(), text)
        })
    }

    fn make(self: &Arc<Self>) -> io::Result<Workspace> {
        match self.make_in(self.place()?) {
            // It was removed; another may have its name now.
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.make_in(self.reopened()?),
            made => made,
        }
    }

    fn make_in(self: &Arc<Self>, place: Arc<OwnedFd>) -> io::Result<Workspace> {
        let name = format!("{}{}", self.prefix, self.next.fetch_add(1, Ordering::Relaxed));
        mkdirat(&place, name.as_str(), PRIVATE)?;
        self.open.fetch_add(1, Ordering::Relaxed);
        // From here on dropping it removes what there is.
        let mut workspace = Workspace {
            path: self.path.join(&name),
            root: Arc::clone(self),
            place,
            name,
            dirs: None,
            known: KnownFiles::default(),
        };
        let lock = openat(&*workspace.place, workspace.name.as_str(), OPEN_DIR, Mode::empty())?;
        flock(&lock, FlockOperation::LockExclusive)?;
        let make = |name: &str| {
            mkdirat(&lock, name, PRIVATE)?;
            openat(&lock, name, OPEN_DIR, Mode::empty())
        };
        workspace.dirs = Some(OpenDirs { input: make(INPUT)?, output: make(OUTPUT)?, lock: Arc::new(lock) });
        Ok(workspace)
    }

    /// Removes a workspace; whether that could be done.
    pub(super) fn remove(&self, place: &Arc<OwnedFd>, name: &str) -> bool {
        let removed = removal::remove(place.as_fd(), name);
        if let Err(error) = &removed {
            tracing::warn!("cannot remove the workspace {}: {error}", self.path.join(name).display());
            self.unremoved().push_back((Arc::clone(place), name.to_owned()));
        }
        removed.is_ok()
    }

    /// Tries again what could not be removed before, for as long as that works and does not take long.
    pub(super) fn retry_removals(&self) {
        let deadline = Instant::now() + RETRY_LIMIT;
        let count = self.unremoved().len();
        for _ in 0..count {
            let Some((place, name)) = self.unremoved().pop_front() else { return };
            if !self.remove(&place, &name) || Instant::now() > deadline {
                return;
            }
        }
    }

    fn unremoved(&self) -> MutexGuard<'_, VecDeque<(Arc<OwnedFd>, String)>> {
        self.unremoved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A workspace ends.
    pub(super) fn forget(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    /// How many workspaces exist now.
    #[must_use]
    pub fn open_workspaces(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
}

impl Drop for WorkspaceRoot {
    /// The last chance before the next start.
    fn drop(&mut self) {
        let unremoved = std::mem::take(&mut *self.unremoved());
        for (place, name) in unremoved {
            self.remove(&place, &name);
        }
    }
}
