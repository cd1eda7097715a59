//! The private directories of an invocation, removed on drop.
//!
//! ```text
//! DIR/bandog-1a2b3c4d5e6f-17/   one for each invocation, locked (flock(2)) as long as it runs
//!     in/                       TMP_INPUT_DIR
//!     out/                      TMP_OUTPUT_DIR
//!     tmp/                      TMPDIR, in the sandbox
//!     headers                   RESPONSE_HEADERS_PATH, if the function makes it
//! ```
//!
//! Everything has mode 0700, and belongs to the user that the function runs as once it has been started. Between
//! invocations DIR is empty. A workspace left by a killed bandog is recognised by its free lock, even where several
//! bandogs share DIR across containers.

mod removal;

use std::{
    collections::VecDeque,
    ffi::{OsStr, OsString},
    fs::File,
    io,
    os::{
        fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use rustix::{
    fs::{
        AtFlags, CWD, FileType, FlockOperation, Gid, Mode, OFlags, Stat, Uid, chmodat, chownat, fchmod, fchown, flock,
        fstat, mkdirat, openat, readlinkat, statat, unlinkat,
    },
    io::Errno,
};

use crate::ids;

/// Begins the name of every workspace.
const PREFIX: &str = "bandog-";

/// How long an empty, unlocked directory is left alone: its maker may be between making and locking it.
const UNLOCKED_LIMIT: Duration = Duration::from_secs(10);

/// How long an invocation may take at its end to remove workspaces that could not be removed before.
const RETRY_LIMIT: Duration = Duration::from_millis(50);

/// How a directory is opened: never through a link, never handed down to a function.
const OPEN_DIR: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Read, write and enter for the owner only.
const PRIVATE: Mode = Mode::RWXU;

/// Where this bandog makes its workspaces.
#[derive(Debug)]
pub struct WorkspaceRoot {
    /// The directory given with `--workspace`.
    dir: OwnedFd,
    path: PathBuf,
    /// Begins the name of each of this bandog's workspaces.
    prefix: String,
    next: AtomicU64,
    open: AtomicUsize,
    /// The user that functions run as, if not our own.
    function_user: Option<u32>,
    /// The workspaces that could not be removed and are tried again: no descriptor was free, or a process was still
    /// writing.
    unremoved: Mutex<VecDeque<String>>,
}

impl WorkspaceRoot {
    /// Opens `path`, which must be a directory.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::open_for(path, None)
    }

    /// The same for functions of another user, to whom workspaces are handed over.
    pub fn open_for(path: &Path, function_user: Option<u32>) -> io::Result<Self> {
        let id = ids::random().simple().to_string();
        Ok(Self {
            // A link here is the operator's choice.
            dir: rustix::fs::open(path, OPEN_DIR.difference(OFlags::NOFOLLOW), Mode::empty())?,
            path: path.to_owned(),
            prefix: format!("{PREFIX}{}-", &id[..12]),
            next: AtomicU64::new(0),
            open: AtomicUsize::new(0),
            function_user,
            unremoved: Mutex::default(),
        })
    }

    /// Removes what dead predecessors of the same user left; returns how many workspaces that were. `end_users` is
    /// given their names first, to end the processes that still use them.
    pub fn remove_leftovers(&self, end_users: impl FnOnce(&[&OsStr])) -> io::Result<usize> {
        let names = removal::names(self.dir.as_fd())?;
        let names = names.iter().map(|name| OsStr::from_bytes(name.to_bytes()));
        // Held until they are removed, so that no other bandog does the same.
        let (names, _locks): (Vec<&OsStr>, Vec<OwnedFd>) = names
            .filter(|name| name.as_bytes().starts_with(PREFIX.as_bytes()))
            .filter_map(|name| self.lock_leftover(name).map(|lock| (name, lock)))
            .unzip();
        end_users(&names);
        let mut removed = 0;
        let mut failed = None;
        for name in names {
            match removal::remove(self.dir.as_fd(), name) {
                Ok(()) => removed += 1,
                // One that resists does not protect the others.
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(removed), |error| Err(error.into()))
    }

    /// The lock of an abandoned workspace. In a shared `/tmp` any user may have created such a name: only a directory of
    /// our own user, or of the user that our functions run as, counts.
    fn lock_leftover(&self, name: &OsStr) -> Option<OwnedFd> {
        let dir = openat(&self.dir, name, OPEN_DIR, Mode::empty()).ok()?;
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
                io::ErrorKind::NotFound => "it was removed; make it again and restart bandog, or set --workspace",
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room there, or set --workspace",
                _ => "allow bandog to write there, or set --workspace",
            };
            let text = format!("cannot make a directory in {place}: {error}; {next}");
            io::Error::new(error.kind(), text)
        })
    }

    fn make(self: &Arc<Self>) -> io::Result<Workspace> {
        let name = format!("{}{}", self.prefix, self.next.fetch_add(1, Ordering::Relaxed));
        mkdirat(&self.dir, name.as_str(), PRIVATE)?;
        self.open.fetch_add(1, Ordering::Relaxed);
        // From here on dropping it removes what there is.
        let mut workspace = Workspace {
            path: self.path.join(&name),
            root: Arc::clone(self),
            name,
            dirs: None,
            known: KnownFiles::default(),
        };
        let lock = openat(&self.dir, workspace.name.as_str(), OPEN_DIR, Mode::empty())?;
        flock(&lock, FlockOperation::LockExclusive)?;
        let make = |name: &str| {
            mkdirat(&lock, name, PRIVATE)?;
            openat(&lock, name, OPEN_DIR, Mode::empty())
        };
        workspace.dirs = Some(OpenDirs { input: make(INPUT)?, output: make(OUTPUT)?, lock: Arc::new(lock) });
        Ok(workspace)
    }

    /// Removes a workspace; whether that could be done.
    fn remove(&self, name: &str) -> bool {
        let removed = removal::remove(self.dir.as_fd(), name);
        if let Err(error) = &removed {
            tracing::warn!("cannot remove the workspace {}: {error}", self.path.join(name).display());
            self.unremoved().push_back(name.to_owned());
        }
        removed.is_ok()
    }

    /// Tries again what could not be removed before, for as long as that works and does not take long.
    fn retry_removals(&self) {
        let deadline = Instant::now() + RETRY_LIMIT;
        let count = self.unremoved().len();
        for _ in 0..count {
            let Some(name) = self.unremoved().pop_front() else { return };
            if !self.remove(&name) || Instant::now() > deadline {
                return;
            }
        }
    }

    /// Removes what a function put where its workspace was; whether nothing is left there. A neighbour's is left alone.
    fn remove_replacement(&self, name: &str, of: Uid) -> rustix::io::Result<()> {
        let stat = match statat(&self.dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(()),
            other => other?,
        };
        let owner = stat.st_uid;
        if owner != of.as_raw() && owner != rustix::process::geteuid().as_raw() {
            return Ok(());
        }
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => removal::remove(self.dir.as_fd(), name),
            // A link is removed itself.
            _ => unlinkat(&self.dir, name, AtFlags::empty()),
        }
    }

    fn unremoved(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.unremoved.lock().unwrap_or_else(PoisonError::into_inner)
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
const SCRIPT: &str = "script";
const SCRATCH: &str = "tmp";
const ARGUMENTS: &str = "arguments.json";

/// The directories of one invocation. Dropped, it is removed with all that is in it.
#[derive(Debug)]
pub struct Workspace {
    root: Arc<WorkspaceRoot>,
    name: String,
    path: PathBuf,
    /// `None` while it is being made.
    dirs: Option<OpenDirs>,
    /// The files that bandog itself has created in it.
    known: KnownFiles,
}

/// The names of files that are known to be there, so that they can be removed without a search.
#[derive(Debug, Default)]
struct KnownFiles {
    input: Option<OsString>,
    output: Option<OsString>,
}

/// Held open, so that what the function does to the names changes nothing for us.
#[derive(Debug)]
struct OpenDirs {
    input: OwnedFd,
    output: OwnedFd,
    /// The workspace itself, locked.
    lock: Arc<OwnedFd>,
}

impl Workspace {
    /// Its name, which no other workspace has, whichever bandog made it.
    #[must_use]
    pub fn name(&self) -> &OsStr {
        OsStr::new(&self.name)
    }

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
    pub fn headers_location(&self) -> (BorrowedFd<'_>, &'static str) {
        (self.dirs().lock.as_fd(), HEADERS)
    }

    /// A file in it that can be run: the script given in the environment.
    pub fn add_script(&self, content: &[u8]) -> io::Result<PathBuf> {
        use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _};
        let path = self.path.join(SCRIPT);
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o700).open(&path)?;
        file.write_all(content)?;
        Ok(path)
    }

    /// Lets a user's group run the script, without permission to change it.
    pub fn share_script(&self, gid: u32) -> io::Result<()> {
        let group = Some(Gid::from_raw(gid));
        let dir = self.directory();
        chownat(dir, SCRIPT, None, group, AtFlags::SYMLINK_NOFOLLOW)?;
        chmodat(dir, SCRIPT, Mode::RUSR | Mode::XUSR | Mode::RGRP | Mode::XGRP, AtFlags::empty())?;
        fchown(dir, None, group)?;
        fchmod(dir, PRIVATE | Mode::XGRP)?;
        Ok(())
    }

    /// Makes the directory for the function's temporary files.
    pub fn add_scratch(&self) -> io::Result<PathBuf> {
        mkdirat(self.directory(), SCRATCH, PRIVATE)?;
        Ok(self.path.join(SCRATCH))
    }

    /// A file that holds the arguments of an action, where they are too long for a command line; its path, and itself to
    /// be read from its beginning.
    pub fn add_arguments(&self, content: &[u8]) -> io::Result<(PathBuf, OwnedFd)> {
        use std::io::Write as _;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mut file = File::from(openat(self.directory(), ARGUMENTS, flags, Mode::RUSR | Mode::WUSR)?);
        file.write_all(content)?;
        let path = self.path.join(ARGUMENTS);
        let reader = openat(self.directory(), ARGUMENTS, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        Ok((path, reader))
    }

    /// Forgets what has been asked for by header fields.
    pub fn remove_headers(&self) -> io::Result<()> {
        match unlinkat(self.directory(), HEADERS, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives all of it to a user. To be called once, before a process of that user runs in it: until then only bandog
    /// could create entries, so no path can point elsewhere.
    pub fn hand_over(&self, uid: u32, gid: u32) -> io::Result<()> {
        let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
        for name in removal::names(self.input())? {
            chownat(self.input(), &*name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)?;
        }
        for name in [SCRATCH, ARGUMENTS] {
            match chownat(self.directory(), name, uid, gid, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
        }
        for dir in [self.input(), self.output(), self.directory()] {
            fchown(dir, uid, gid)?;
        }
        Ok(())
    }

    /// The open workspace itself.
    #[must_use]
    pub fn directory(&self) -> BorrowedFd<'_> {
        self.dirs().lock.as_fd()
    }

    /// The directory where logs that do not fit in memory may go.
    #[must_use]
    pub fn log_dir(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.dirs().lock)
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

    /// Tells of a file that is in the input directory, if that is where it is.
    pub fn record_input(&mut self, path: &Path) {
        if path.parent() == Some(&self.input_path()) {
            self.known.input = path.file_name().map(OsStr::to_owned);
        }
    }

    /// Tells of a file that is in the output directory, by its path below that.
    pub fn record_output(&mut self, path: &Path) {
        if path.parent() == Some(Path::new("")) {
            self.known.output = path.file_name().map(OsStr::to_owned);
        }
    }

    /// Removes it as an ordinary function leaves it: with one call for each thing that is known to be there. Whatever
    /// else there is, or has become of these, is an error, and left to the thorough way.
    fn remove_known(&self) -> rustix::io::Result<()> {
        let (Some(dirs), known) = (&self.dirs, &self.known) else { return Err(Errno::NOENT) };
        for (parent, dir, file) in [(INPUT, &dirs.input, &known.input), (OUTPUT, &dirs.output, &known.output)] {
            if let Some(file) = file {
                unlinkat(dir, file, AtFlags::empty())?;
            }
            unlinkat(&dirs.lock, parent, AtFlags::REMOVEDIR)?;
        }
        unlinkat(&self.root.dir, self.name.as_str(), AtFlags::REMOVEDIR)?;
        // An empty directory can have taken the name of one that was moved away; what is removed has no link left.
        if fstat(&dirs.lock)?.st_nlink == 0 { Ok(()) } else { Err(Errno::NOTEMPTY) }
    }

    /// Removes the directory that was made, whatever its name is now, and what has its name instead.
    fn remove(&self) {
        if self.remove_known() == Ok(()) {
            return;
        }
        let made = self.dirs.as_ref().and_then(|dirs| Some((dirs, fstat(&dirs.lock).ok()?)));
        let in_place = |made: &Stat| is_at(self.root.dir.as_fd(), OsStr::new(&self.name), made);
        let Some((dirs, made)) = made.filter(|(_, made)| !in_place(made)) else {
            self.root.remove(&self.name);
            return;
        };
        // The function moved it away, or removed it itself.
        let removed = self.root.remove_replacement(&self.name, Uid::from_raw(made.st_uid)).and_then(|()| {
            match whereabouts(&dirs.lock, &made) {
                Some((parent, name)) => removal::remove(parent.as_fd(), name),
                None => Ok(()),
            }
        });
        if let Err(error) = removed {
            tracing::warn!("cannot remove the workspace {}, which its function moved: {error}", self.path.display());
        }
    }

    fn dirs(&self) -> &OpenDirs {
        self.dirs.as_ref().expect("a workspace that is handed out has its directories")
    }
}

impl Drop for Workspace {
    /// A failed removal is logged, and tried again after a later invocation (briefly, so that no invocation waits for
    /// long) and at the next start.
    fn drop(&mut self) {
        self.root.open.fetch_sub(1, Ordering::Relaxed);
        // Before its own removal, which may fail too.
        self.root.retry_removals();
        self.remove();
    }
}

/// A new file in `place` that has a name for an instant only, and then one that no function can have taken. It lasts as
/// long as it is open.
pub fn unnamed_file(place: BorrowedFd<'_>) -> io::Result<File> {
    let name = format!("nameless-{}", ids::random().simple());
    let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = openat(place, &name, flags, Mode::RUSR | Mode::WUSR)?;
    unlinkat(place, &name, AtFlags::empty())?;
    Ok(file.into())
}

/// Whether the name stands for the directory that was made.
fn is_at(parent: BorrowedFd<'_>, name: &OsStr, made: &Stat) -> bool {
    statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|stat| (stat.st_dev, stat.st_ino) == (made.st_dev, made.st_ino))
}

/// The parent and the name of an open directory now, as the kernel tells it (proc(5), `/proc/PID/fd`); `None` if it is
/// removed, or hidden from us. The path may be out of date by the time it is used, so the entry is checked again.
fn whereabouts(dir: &OwnedFd, made: &Stat) -> Option<(OwnedFd, OsString)> {
    let path = readlinkat(CWD, format!("/proc/self/fd/{}", dir.as_raw_fd()), Vec::new()).ok()?;
    let path = Path::new(OsStr::from_bytes(path.as_bytes())).to_owned();
    let (parent, name) = (path.parent()?, path.file_name()?);
    let parent = rustix::fs::open(parent, OPEN_DIR, Mode::empty()).ok()?;
    is_at(parent.as_fd(), name, made).then(|| (parent, name.to_owned()))
}

impl Drop for WorkspaceRoot {
    /// The last chance before the next start.
    fn drop(&mut self) {
        let unremoved = std::mem::take(&mut *self.unremoved());
        for name in unremoved {
            self.remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::{removal::tests::as_nobody, *};

    fn root(dir: &Path) -> Arc<WorkspaceRoot> {
        Arc::new(WorkspaceRoot::open(dir).expect("open"))
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

    /// Makes a workspace that cannot be removed for a while.
    fn stuck(root: &Arc<WorkspaceRoot>, dir: &Path) {
        let stuck = root.workspace().expect("made");
        fs::set_permissions(dir, fs::Permissions::from_mode(0o500)).expect("chmod");
        drop(stuck);
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).expect("chmod");
        assert_eq!(count(dir), 1, "it could not be removed");
    }

    #[test]
    fn what_could_not_be_removed_is_removed_at_the_end() {
        as_nobody(|| {
            let dir = tempfile::tempdir().expect("tempdir");
            let root = root(dir.path());
            stuck(&root, dir.path());
            drop(root);
            assert_eq!(count(dir.path()), 0);
        });
    }

    #[test]
    fn what_could_not_be_removed_is_removed_after_a_later_invocation() {
        as_nobody(|| {
            let dir = tempfile::tempdir().expect("tempdir");
            let root = root(dir.path());
            stuck(&root, dir.path());
            drop(root.workspace().expect("made"));
            assert_eq!(count(dir.path()), 0);
        });
    }

    /// Removes a workspace whose place `prepare` has changed: it is given the workspace's path and another one beside.
    fn removed_after(prepare: impl FnOnce(&Path, &Path)) {
        let (dir, outside) = (tempfile::tempdir().expect("tempdir"), tempfile::tempdir().expect("tempdir"));
        fs::write(outside.path().join("precious"), b"x").expect("write");
        let workspace = root(dir.path()).workspace().expect("made");
        fs::write(workspace.output_path().join("x"), b"x").expect("write");
        std::os::unix::fs::symlink(outside.path(), dir.path().join("link")).expect("symlink");
        prepare(&workspace.path, &dir.path().join("away"));
        drop(workspace);
        let left: Vec<_> = fs::read_dir(dir.path()).expect("list").map(|entry| entry.expect("entry").path()).collect();
        assert_eq!(left, [dir.path().join("link")], "nothing is left but what was there before");
        assert_eq!(fs::read(outside.path().join("precious")).expect("still there"), b"x");
    }

    #[test]
    fn a_workspace_is_removed_under_whatever_name_it_has_now() {
        removed_after(|path, away| fs::rename(path, away).expect("rename"));
    }

    #[test]
    fn a_link_in_the_place_of_a_workspace_is_removed_and_not_followed() {
        removed_after(|path, away| {
            fs::rename(path, away).expect("rename");
            fs::rename(away.with_file_name("link"), path).expect("rename");
            std::os::unix::fs::symlink(fs::read_link(path).expect("a link"), away.with_file_name("link"))
                .expect("symlink");
        });
    }

    #[test]
    fn a_file_or_a_directory_in_the_place_of_a_workspace_is_removed() {
        removed_after(|path, away| {
            fs::rename(path, away).expect("rename");
            fs::write(path, b"x").expect("write");
        });
        removed_after(|path, away| {
            fs::rename(path, away).expect("rename");
            fs::create_dir_all(path.join("other/tree")).expect("mkdir");
        });
    }

    #[test]
    fn a_workspace_that_its_function_removed_is_no_trouble() {
        removed_after(|path, _| fs::remove_dir_all(path).expect("remove"));
    }

    #[test]
    fn the_living_are_left_alone_and_the_dead_are_removed() {
        let dir = tempfile::tempdir().expect("tempdir");
        let living = root(dir.path()).workspace().expect("made");
        fs::create_dir_all(dir.path().join("bandog-dead-1/in")).expect("mkdir");
        fs::create_dir(dir.path().join("bandog-new-1")).expect("mkdir");
        fs::create_dir(dir.path().join("another-program")).expect("mkdir");
        fs::write(dir.path().join("bandog-file"), b"x").expect("write");
        assert_eq!(root(dir.path()).remove_leftovers(|_| ()).expect("removed"), 1);
        assert!(!dir.path().join("bandog-dead-1").exists());
        assert!(living.output_path().exists());
        assert_eq!(count(dir.path()), 4);
    }
}
