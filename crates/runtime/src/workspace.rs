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
mod root;

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io,
    os::{
        fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::{
    fs::{
        AtFlags, CWD, FileType, Gid, Mode, OFlags, Stat, Uid, chmodat, chownat, fchmod, fchown, fstat, mkdirat, openat,
        readlinkat, statat, unlinkat,
    },
    io::Errno,
};

pub use self::root::WorkspaceRoot;
use crate::ids;

/// How a directory is opened: never through a link, never handed down to a function.
const OPEN_DIR: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Read, write and enter for the owner only.
const PRIVATE: Mode = Mode::RWXU;

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
    /// The directory that it was made in.
    place: Arc<OwnedFd>,
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
        unlinkat(&self.place, self.name.as_str(), AtFlags::REMOVEDIR)?;
        // An empty directory can have taken the name of one that was moved away; what is removed has no link left.
        if fstat(&dirs.lock)?.st_nlink == 0 { Ok(()) } else { Err(Errno::NOTEMPTY) }
    }

    /// Removes the directory that was made, whatever its name is now, and what has its name instead.
    fn remove(&self) {
        if self.remove_known() == Ok(()) {
            return;
        }
        let made = self.dirs.as_ref().and_then(|dirs| Some((dirs, fstat(&dirs.lock).ok()?)));
        let in_place = |made: &Stat| is_at(self.place.as_fd(), OsStr::new(&self.name), made);
        let Some((dirs, made)) = made.filter(|(_, made)| !in_place(made)) else {
            self.root.remove(&self.place, &self.name);
            return;
        };
        // The function moved it away, or removed it itself.
        let removed =
            self.remove_replacement(Uid::from_raw(made.st_uid)).and_then(|()| match whereabouts(&dirs.lock, &made) {
                Some((parent, name)) => removal::remove(parent.as_fd(), name),
                None => Ok(()),
            });
        if let Err(error) = removed {
            tracing::warn!("cannot remove the workspace {}, which its function moved: {error}", self.path.display());
        }
    }

    /// Removes what the function put where it was; whether nothing is left there. A neighbour's is left alone.
    fn remove_replacement(&self, of: Uid) -> rustix::io::Result<()> {
        let stat = match statat(&self.place, self.name.as_str(), AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(()),
            other => other?,
        };
        let owner = stat.st_uid;
        if owner != of.as_raw() && owner != rustix::process::geteuid().as_raw() {
            return Ok(());
        }
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => removal::remove(self.place.as_fd(), &self.name),
            // A link is removed itself.
            _ => unlinkat(&self.place, self.name.as_str(), AtFlags::empty()),
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
        self.root.forget();
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

#[cfg(test)]
mod tests;
