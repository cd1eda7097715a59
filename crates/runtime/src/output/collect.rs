//! Output directory → [`Output`].
//!
//! Walks from an open descriptor, a component at a time, so that nothing a function leaves (a link, a renamed
//! directory, a FIFO) leads out of its directory or makes the walk hang.

use std::{
    ffi::{CStr, CString},
    io,
    mem::MaybeUninit,
    os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, RawDir, Stat, fstat, openat, readlinkat, statat},
    io::{Errno, fcntl_dupfd_cloexec},
    process::geteuid,
};

use super::{
    FileAccess, Output, OutputError, OutputFile,
    file::{FileContent, as_path, owned_path},
    tree::{TreeBuilder, is_regular, open_below, open_file},
};

/// Directories below each other: each takes a descriptor while it is walked.
pub const DEPTH_LIMIT: usize = 256;

/// Bytes of a path below the output directory: PATH_MAX of limits.h without its NUL.
pub const PATH_LIMIT: usize = 4095;

/// Bytes read of a directory at a time: some hundred names, and no more than may be on the stack of a worker.
const LISTING: usize = 16 * 1024;

/// Finds the regular files below `dir`, hidden ones too.
///
/// `dir` is the output directory, open for reading and not listed yet; `path` its absolute path, for messages; `reader`
/// the user on whose behalf, if not our own. A symbolic link to a regular file in the output directory counts as a
/// file. Entries that cannot be sent (other links, sockets, FIFOs, devices) are left out, and each is named to `warn`.
pub fn collect(
    dir: BorrowedFd<'_>,
    path: &Path,
    reader: Option<FileAccess>,
    warn: &mut dyn FnMut(String),
) -> Result<Output, OutputError> {
    let mut walk = Collector {
        reader,
        root: dir,
        path,
        warn,
        found: TreeBuilder::default(),
        first: None,
        prefix: Vec::new(),
        real_root: None,
        user: None,
    };
    walk.run()?;
    if let Some(file) = walk.first {
        let (path, size) = walk.found.into_only();
        let content = FileContent::File(file);
        return Ok(Output::File(OutputFile { content, path, size, media_type: None, is_bare: false }));
    }
    if walk.found.len() == 0 {
        return Ok(Output::None);
    }
    let own = fcntl_dupfd_cloexec(dir, 0).map_err(|errno| walk.error(b"", errno))?;
    Ok(Output::Tree(walk.found.into_tree(own)))
}

/// Whether there is nothing at all in `dir`, which is open for reading and not listed yet.
#[must_use]
pub fn is_empty(dir: BorrowedFd<'_>) -> bool {
    let mut listing = [const { MaybeUninit::uninit() }; 1024];
    let mut entries = RawDir::new(dir, &mut listing);
    while let Some(Ok(entry)) = entries.next() {
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            return false;
        }
    }
    true
}

struct Collector<'a> {
    reader: Option<FileAccess>,
    root: BorrowedFd<'a>,
    path: &'a Path,
    warn: &'a mut dyn FnMut(String),
    found: TreeBuilder,
    /// The first file, kept open while it is the only one.
    first: Option<OwnedFd>,
    /// The directory being walked, below the root: empty or ending in a slash.
    prefix: Vec<u8>,
    /// The real path of the root as /proc shows it, once it was needed; empty if /proc is not there.
    real_root: Option<Vec<u8>>,
    /// Our own user id, once it was needed.
    user: Option<u32>,
}

/// A directory on the way down to the one being walked.
struct WalkLevel {
    /// `None` for the root.
    dir: Option<OwnedFd>,
    /// The length of its path in [`Collector::prefix`].
    prefix: usize,
    /// The directories in it that are still to be walked.
    directories: Vec<CString>,
}

impl Collector<'_> {
    /// Walks without recursion: how deep a function nests its directories must not matter to our stack.
    fn run(&mut self) -> Result<(), OutputError> {
        let directories = self.list(self.root)?;
        let mut levels = vec![WalkLevel { dir: None, prefix: 0, directories }];
        while let Some(level) = levels.last_mut() {
            self.prefix.truncate(level.prefix);
            let Some(name) = level.directories.pop() else {
                levels.pop();
                continue;
            };
            let parent = level.dir.as_ref().map_or(self.root, |dir| dir.as_fd());
            let Some(dir) = self.subdirectory(parent, &name)? else { continue };
            self.prefix.extend_from_slice(name.to_bytes());
            self.prefix.push(b'/');
            if levels.len() > DEPTH_LIMIT {
                return Err(OutputError::TooDeep { path: self.path.join(as_path(&self.prefix)) });
            }
            let directories = self.list(dir.as_fd())?;
            levels.push(WalkLevel { dir: Some(dir), prefix: self.prefix.len(), directories });
        }
        Ok(())
    }

    /// Takes the files of one directory; gives the names of the directories in it.
    fn list(&mut self, dir: BorrowedFd<'_>) -> Result<Vec<CString>, OutputError> {
        let mut directories = Vec::new();
        let mut listing = [const { MaybeUninit::uninit() }; LISTING];
        let mut entries = RawDir::new(dir, &mut listing);
        while let Some(entry) = entries.next() {
            let entry = match entry {
                Ok(entry) => entry,
                // The directory itself was removed: nothing is in it.
                Err(Errno::NOENT) => break,
                Err(errno) => return Err(self.error(b"", errno)),
            };
            let name = entry.file_name();
            match self.file_type(dir, name, entry.file_type())? {
                None => {}
                Some(FileType::Directory) if matches!(name.to_bytes(), b"." | b"..") => {}
                Some(FileType::Directory) => directories.push(name.to_owned()),
                Some(FileType::RegularFile) => self.file(dir, name)?,
                Some(FileType::Symlink) => self.link(dir, name)?,
                Some(other) => self.skip(name, what(other)),
            }
        }
        Ok(directories)
    }

    /// Some file systems do not say in the listing what an entry is. `None` if it is gone.
    fn file_type(&self, dir: BorrowedFd<'_>, name: &CStr, listed: FileType) -> Result<Option<FileType>, OutputError> {
        if listed != FileType::Unknown {
            return Ok(Some(listed));
        }
        match statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(FileType::from_raw_mode(stat.st_mode))),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(self.error(name.to_bytes(), errno)),
        }
    }

    /// `None` if it is gone.
    fn subdirectory(&mut self, parent: BorrowedFd<'_>, name: &CStr) -> Result<Option<OwnedFd>, OutputError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat(parent, name, flags, Mode::empty()) {
            Ok(dir) => Ok(Some(dir)),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {
                self.skip(name, "it was removed meanwhile");
                Ok(None)
            }
            Err(errno) => Err(self.error(name.to_bytes(), errno)),
        }
    }

    fn file(&mut self, dir: BorrowedFd<'_>, name: &CStr) -> Result<(), OutputError> {
        // Among many, the look that tells whether it can be read costs half of opening it. The first may be the only
        // one, which is kept open.
        if self.found.len() > 0
            && let Ok(stat) = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)
            && is_regular(&stat)
            && self.may_read(&stat)
        {
            return self.add(name, b"", None, &stat);
        }
        let file = match open_file(dir, name) {
            Ok(file) => file,
            Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => {
                self.skip(name, "it was removed meanwhile");
                return Ok(());
            }
            Err(errno) => return Err(self.error(name.to_bytes(), errno)),
        };
        let stat = fstat(&file).map_err(|errno| self.error(name.to_bytes(), errno))?;
        if is_regular(&stat) {
            return self.add(name, b"", Some(file), &stat);
        }
        self.skip(name, "it is no regular file any more");
        Ok(())
    }

    /// Whether its mode certainly lets us read it. A user without that permission may have other means (capabilities,
    /// groups), which only opening the file shows.
    fn may_read(&mut self, stat: &Stat) -> bool {
        let mode = Mode::from_raw_mode(stat.st_mode);
        let is_own = |user: &mut Option<u32>| *user.get_or_insert_with(|| geteuid().as_raw()) == stat.st_uid;
        mode.contains(Mode::RUSR | Mode::RGRP | Mode::ROTH) || mode.contains(Mode::RUSR) && is_own(&mut self.user)
    }

    /// `file` is kept if it is the only one.
    fn add(&mut self, name: &CStr, target: &[u8], file: Option<OwnedFd>, stat: &Stat) -> Result<(), OutputError> {
        FileAccess::check(self.reader, stat).map_err(|errno| self.error(name.to_bytes(), errno))?;
        if self.prefix.len() + name.count_bytes() > PATH_LIMIT {
            return Err(OutputError::PathTooLong { path: owned_path(&[&self.prefix, name.to_bytes()].concat()) });
        }
        self.found.add(&self.prefix, name.to_bytes(), target, stat);
        self.first = file.filter(|_| self.found.len() == 1);
        Ok(())
    }

    fn link(&mut self, dir: BorrowedFd<'_>, name: &CStr) -> Result<(), OutputError> {
        // O_PATH opens nothing: a link to a FIFO does not block, one to a device has no effect.
        let end = match openat(dir, name, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()) {
            Ok(end) => end,
            Err(errno) => {
                self.skip(name, &format!("a symbolic link that leads nowhere ({})", io::Error::from(errno)));
                return Ok(());
            }
        };
        let stat = fstat(&end).map_err(|errno| self.error(name.to_bytes(), errno))?;
        if !is_regular(&stat) {
            let kind = what(FileType::from_raw_mode(stat.st_mode));
            self.skip(name, &format!("a symbolic link to {kind}"));
            return Ok(());
        }
        let root = self.real_root();
        if root.is_empty() {
            self.skip(name, "a symbolic link, and without /proc there is no telling where it leads");
            return Ok(());
        }
        let real = real_path(end.as_fd()).unwrap_or_default();
        let inside = real.strip_prefix(root).and_then(|rest| rest.strip_prefix(b"/"));
        let Some(inside) = inside.filter(|inside| inside.len() <= PATH_LIMIT) else {
            self.skip(name, "a symbolic link that leaves the output directory");
            return Ok(());
        };
        let file = match open_below(self.root, inside) {
            Ok(file) => file,
            // Below the directory by name, but not by this walk: another mount, or it changed meanwhile.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NXIO) => {
                self.skip(name, "a symbolic link that leaves the output directory");
                return Ok(());
            }
            Err(errno) => return Err(self.error(name.to_bytes(), errno)),
        };
        let found = fstat(&file).map_err(|errno| self.error(name.to_bytes(), errno))?;
        if !is_regular(&found) || (found.st_dev, found.st_ino) != (stat.st_dev, stat.st_ino) {
            self.skip(name, "a symbolic link that leaves the output directory");
            return Ok(());
        }
        self.add(name, inside, Some(file), &found)
    }

    fn real_root(&mut self) -> &[u8] {
        let root = self.root;
        self.real_root.get_or_insert_with(|| real_path(root).unwrap_or_default())
    }

    #[expect(clippy::unnecessary_debug_formatting, reason = "a name may hold line breaks, and this is one log line")]
    fn skip(&mut self, name: &CStr, why: &str) {
        let path = [&self.prefix, name.to_bytes()].concat();
        (self.warn)(format!("left out of the output: {:?}: {why}", as_path(&path)));
    }

    /// An error about `name` in the directory being walked.
    fn error(&self, name: &[u8], errno: Errno) -> OutputError {
        let below: PathBuf = owned_path(&[&self.prefix, name].concat());
        OutputError::Read { path: self.path.join(below), source: io::Error::from(errno) }
    }
}

/// The path of an open file, all links resolved, if /proc is there to tell.
fn real_path(fd: BorrowedFd<'_>) -> Option<Vec<u8>> {
    let shown = format!("/proc/self/fd/{}", fd.as_raw_fd());
    readlinkat(rustix::fs::CWD, shown, Vec::new()).ok().map(CString::into_bytes)
}

fn what(kind: FileType) -> &'static str {
    match kind {
        FileType::Directory => "a directory",
        FileType::Symlink => "a symbolic link",
        FileType::Socket => "a socket",
        FileType::Fifo => "a FIFO",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::RegularFile | FileType::Unknown => "not a regular file",
    }
}

#[cfg(test)]
mod tests;
