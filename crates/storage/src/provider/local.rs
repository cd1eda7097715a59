//! A directory of this machine as a store: each bucket is a directory in it, each key a path below that.
//!
//! A key never leads out of the directory: `..` is refused, and so are links, by openat2(2) with `RESOLVE_BENEATH` and
//! `RESOLVE_NO_SYMLINKS`. An object is written beside its final name and renamed, so that a reader finds all of it or
//! nothing.

use std::{
    fs::File,
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{AtFlags, Mode, OFlags, ResolveFlags, mkdirat, openat2, renameat, unlinkat},
    io::Errno,
};

use crate::{
    control::Control,
    error::{Error, ErrorKind},
    journal::Entry,
    name::ProviderName,
    object::ObjectPath,
    provider::{Fetch, Fetched, Provider},
    source::Source,
};

/// Bytes copied between two looks at the end of the call.
const PIECE: u64 = 8 * 1024 * 1024;

/// Attempts at a system call that the kernel asks to repeat (`EAGAIN` of openat2(2): a rename went on meanwhile).
const TRIES: u32 = 16;

/// The beginning of the name of a file that is being written.
const PART: &str = ".bandog-";

/// A directory that holds buckets.
#[derive(Debug)]
pub struct Local {
    name: ProviderName,
    root: PathBuf,
}

impl Local {
    /// The store in the directory `root`.
    #[must_use]
    pub fn new(name: ProviderName, root: PathBuf) -> Self {
        Self { name, root }
    }

    fn open_root(&self) -> Result<OwnedFd, Error> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::open(&self.root, flags, Mode::empty()).map_err(|errno| {
            let detail = format!("cannot open the directory {}: {}", self.root.display(), io::Error::from(errno));
            Error::new(if errno == Errno::ACCESS { ErrorKind::Denied } else { ErrorKind::Unreachable }, detail)
        })
    }
}

impl Provider for Local {
    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn directory(&self) -> Option<&Path> {
        Some(&self.root)
    }

    fn fetch(&self, fetch: &Fetch<'_>, control: &Control<'_>) -> Result<Fetched, Error> {
        let path = relative(fetch.from)?;
        let found = open_beneath(&self.open_root()?, &path, OFlags::RDONLY | OFlags::NONBLOCK)?;
        let found = Source::new(found).map_err(|error| Error::file("read the size of the object", &error))?;
        let is_file = found.file().metadata().is_ok_and(|metadata| metadata.is_file());
        if !is_file {
            return Err(Error::new(ErrorKind::NotFound, "this is no regular file"));
        }
        fetch.check_size(found.size())?;
        let new = fetch.create()?;
        let copied = copy(found.file(), &new.file, control)?;
        fetch.check_size(copied)?;
        let unchanged = found.check_unchanged();
        unchanged.map_err(|_| Error::new(ErrorKind::Changed, "the file was written to while it was fetched"))?;
        new.keep()
    }

    fn store(&self, source: &Source, to: &ObjectPath, control: &Control<'_>) -> Result<(), Error> {
        let path = relative(to)?;
        let name = path.rsplit('/').next().unwrap_or_default();
        let folder = path[..path.len() - name.len()].trim_end_matches('/');
        let folder = make_folders(self.open_root()?, folder)?;
        let part = Part { name: format!("{PART}{}.part", bandog_process::ids::random().simple()), folder };
        let place = format!("{}{}", &path[..path.len() - name.len()], part.name);
        let record = source.record(&Entry { provider: self.name.clone(), object: to.clone(), part: place })?;
        let stored = replace(source, &part, name, control);
        drop(part);
        if let Some(record) = record {
            record.end();
        }
        stored
    }

    fn check(&self, at: Option<&ObjectPath>, _: &Control<'_>) -> Result<(), Error> {
        let root = self.open_root()?;
        match at.filter(|at| !at.bucket.is_empty()) {
            None => Ok(()),
            // An output makes its folders.
            Some(at) => match open_beneath(&root, &at.bucket, OFlags::PATH | OFlags::DIRECTORY) {
                Err(error) if error.kind == ErrorKind::NotFound => Ok(()),
                other => other.map(drop),
            },
        }
    }

    fn discard(&self, entry: &Entry, _: &Control<'_>) -> Result<(), Error> {
        let (folder, name) = entry.part.rsplit_once('/').unwrap_or(("", &entry.part));
        if !name.starts_with(PART) {
            return Err(Error::new(ErrorKind::Rejected, format!("{:?} is no file of an upload", entry.part)));
        }
        let root = self.open_root()?;
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        let folder = match if folder.is_empty() { Ok(root) } else { open_beneath(&root, folder, flags) } {
            Err(error) if error.kind == ErrorKind::NotFound => return Ok(()),
            folder => folder?,
        };
        match unlinkat(&folder, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(refused(errno)),
        }
    }
}

/// A file that is being written; removed unless it was renamed.
struct Part {
    name: String,
    folder: OwnedFd,
}

impl Drop for Part {
    fn drop(&mut self) {
        // After the renaming there is none.
        let _ = unlinkat(&self.folder, self.name.as_str(), AtFlags::empty());
    }
}

/// Writes a file as `part`, and gives it its final name.
fn replace(source: &Source, part: &Part, name: &str, control: &Control<'_>) -> Result<(), Error> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::WGRP | Mode::ROTH | Mode::WOTH;
    let file = rustix::fs::openat(&part.folder, part.name.as_str(), flags, mode).map_err(refused)?;
    let file = File::from(file);
    let whole = File::open(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&**source.file())));
    // The position of the descriptor is shared, so that reading needs one of its own; without /proc, its own it is.
    let copied = match whole {
        Ok(whole) => copy(&whole, &file, control)?,
        Err(_) => copy_at(source.file(), &file, control)?,
    };
    source.check_unchanged()?;
    if copied != source.size() {
        return Err(Error::new(ErrorKind::Rejected, "the file was written to while it was copied"));
    }
    renameat(&part.folder, part.name.as_str(), &part.folder, name).map_err(refused)
}

/// The path of an object below the directory.
fn relative(object: &ObjectPath) -> Result<String, Error> {
    let path = if object.bucket.is_empty() { object.key.clone() } else { object.to_string() };
    let is_safe = |segment: &str| !matches!(segment, "" | "." | "..") && !segment.contains('\0');
    if path.split('/').all(is_safe) {
        return Ok(path);
    }
    let detail = "a file of a directory cannot have this name: a part of it is empty, '.' or '..', or contains NUL";
    Err(Error::new(ErrorKind::Rejected, detail))
}

/// Opens a path below `root`, through no link.
fn open_beneath(root: &OwnedFd, path: &str, flags: OFlags) -> Result<OwnedFd, Error> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    let mut tries = 0;
    loop {
        match openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
            Err(Errno::AGAIN | Errno::INTR) if tries < TRIES => tries += 1,
            Err(Errno::NOENT | Errno::NOTDIR) => {
                return Err(Error::new(ErrorKind::NotFound, "there is no such file"));
            }
            Err(Errno::LOOP | Errno::XDEV) => {
                return Err(Error::new(ErrorKind::Denied, "the path goes through a link, which is not followed"));
            }
            result => return result.map_err(refused),
        }
    }
}

/// Opens a folder below `root`, and creates what is missing of it.
fn make_folders(root: OwnedFd, folder: &str) -> Result<OwnedFd, Error> {
    let mut at = root;
    for segment in folder.split('/').filter(|segment| !segment.is_empty()) {
        match mkdirat(&at, segment, Mode::RWXU | Mode::RWXG | Mode::RWXO) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(refused(errno)),
        }
        at = open_beneath(&at, segment, OFlags::PATH | OFlags::DIRECTORY)?;
    }
    Ok(at)
}

fn refused(errno: Errno) -> Error {
    let kind = match errno {
        Errno::ACCESS | Errno::PERM | Errno::ROFS => ErrorKind::Denied,
        Errno::ISDIR | Errno::NOTDIR | Errno::NAMETOOLONG | Errno::INVAL | Errno::NOTEMPTY | Errno::EXIST => {
            ErrorKind::Rejected
        }
        _ => ErrorKind::File,
    };
    Error::new(kind, io::Error::from(errno).to_string())
}

/// Copies a file from its position to its end. Returns the number of bytes.
fn copy(from: &File, to: &File, control: &Control<'_>) -> Result<u64, Error> {
    let mut copied = 0;
    loop {
        control.check()?;
        // copy_file_range(2) where the file systems can.
        let count = io::copy(&mut io::Read::take(from, PIECE), &mut &*to)
            .map_err(|error| Error::file("copy the file", &error))?;
        copied += count;
        if count == 0 {
            return Ok(copied);
        }
    }
}

/// The same without moving the position of `from`.
fn copy_at(from: &File, to: &File, control: &Control<'_>) -> Result<u64, Error> {
    use std::{io::Write as _, os::unix::fs::FileExt as _};

    let mut piece = vec![0; 64 * 1024];
    let mut copied = 0;
    loop {
        control.check()?;
        let count = from.read_at(&mut piece, copied).map_err(|error| Error::file("read the output", &error))?;
        if count == 0 {
            return Ok(copied);
        }
        let mut to = to;
        to.write_all(&piece[..count]).map_err(|error| Error::file("write the object", &error))?;
        copied += count as u64;
    }
}

#[cfg(test)]
mod tests;
