//! The record of what a store has in no final state: uploads in parts, and files under a temporary name.
//!
//! ```text
//! DIR/1f0c….json    one for each open upload, locked (flock(2)) by the process that writes it
//! ```
//!
//! A provider begins an entry before the first byte of an object is in a state that is not final, and ends it when there is
//! none any more. A process that is killed leaves its entries, without their locks; the next one reads them and discards
//! what they name. An entry whose lock is held is never touched.
//!
//! Knows names. Does not know how a provider discards.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    os::fd::OwnedFd,
    path::Path,
    sync::Arc,
};

use rustix::{
    fs::{AtFlags, Dir, FlockOperation, Mode, OFlags, flock, fstat, mkdirat, open, openat, renameat, unlinkat},
    io::Errno,
};
use serde::{Deserialize, Serialize};

use super::{
    error::{Error, ErrorKind},
    name::ProviderName,
    object::ObjectPath,
};

/// The end of the name of an entry.
const ENTRY: &str = ".json";

/// The end of the name of an entry that is being written.
const UNFINISHED: &str = ".new";

/// Bytes of an entry, at most: a key has at most 1024, each escaped to 6, and an upload's id a few hundred.
const LIMIT: u64 = 64 * 1024;

/// Attempts at an entry whose unfinished file a sweep has removed.
const TRIES: u32 = 16;

/// An object in a state that is not final.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The store.
    pub provider: ProviderName,
    /// The object.
    pub object: ObjectPath,
    /// The thing to discard, in the provider's own words: the id of an upload, or the name of a file.
    pub part: String,
}

/// An entry as it is written.
#[derive(Serialize, Deserialize)]
struct WrittenEntry {
    provider: String,
    bucket: String,
    key: String,
    part: String,
}

/// A directory of entries. Processes may share it.
#[derive(Debug, Clone)]
pub struct Journal {
    dir: Arc<OwnedFd>,
}

/// An entry whose object is in no final state. Dropped without [`OpenEntry::end`] it stays for the next sweep.
#[derive(Debug)]
#[must_use = "an entry that is dropped stays"]
pub struct OpenEntry {
    dir: Arc<OwnedFd>,
    name: String,
    /// Open for its lock.
    _lock: File,
}

/// The result of a sweep.
#[derive(Debug, Default)]
pub struct Swept {
    /// Entries whose objects were discarded.
    pub discarded: usize,
    /// The entries that stay for the next sweep, with the reasons.
    pub failed: Vec<(Entry, Error)>,
}

impl Journal {
    /// The journal in the directory `path`, which is created for this user alone if it does not exist.
    ///
    /// # Errors
    /// The directory can be neither opened nor created, or other users can write to it: they could name objects for
    /// us to discard.
    pub fn open(path: &Path) -> io::Result<Self> {
        match mkdirat(rustix::fs::CWD, path, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno.into()),
        }
        let dir = open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
        let stat = fstat(&dir)?;
        let is_open_to_others = Mode::from_raw_mode(stat.st_mode).intersects(Mode::WGRP | Mode::WOTH);
        if stat.st_uid != rustix::process::geteuid().as_raw() || is_open_to_others {
            let text = format!("{}: other users can write there; expected a directory of this user", path.display());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
        }
        Ok(Self { dir: Arc::new(dir) })
    }

    /// Begins an entry.
    ///
    /// # Errors
    /// [`ErrorKind::File`].
    pub fn begin(&self, entry: &Entry) -> Result<OpenEntry, Error> {
        self.write(entry).map_err(|error| Error::file("record the open upload", &error))
    }

    fn write(&self, entry: &Entry) -> io::Result<OpenEntry> {
        let document = serde_json::to_vec(&WrittenEntry::from(entry))?;
        let id = bandog_process::ids::random().simple().to_string();
        let (unfinished, name) = (format!("{id}{UNFINISHED}"), format!("{id}{ENTRY}"));
        for _ in 0..TRIES {
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let mut file = File::from(openat(&*self.dir, unfinished.as_str(), flags, Mode::RUSR | Mode::WUSR)?);
            flock(&file, FlockOperation::LockExclusive)?;
            let finished = file.write_all(&document).and_then(|()| {
                renameat(&*self.dir, unfinished.as_str(), &*self.dir, name.as_str()).map_err(io::Error::from)
            });
            match finished {
                Ok(()) => return Ok(OpenEntry { dir: Arc::clone(&self.dir), name, _lock: file }),
                // A sweep came between its creation and its lock.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    let _ = unlinkat(&*self.dir, unfinished.as_str(), AtFlags::empty());
                    return Err(error);
                }
            }
        }
        Err(io::Error::other("its file was removed at each attempt"))
    }

    /// Calls `discard` for each entry of a process that has ended, and removes those for which it succeeds.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn sweep(&self, mut discard: impl FnMut(&Entry) -> Result<(), Error>) -> io::Result<Swept> {
        let mut swept = Swept::default();
        for name in self.names()? {
            let Some(mut file) = self.lock(&name) else { continue };
            if name.ends_with(UNFINISHED) {
                let _ = unlinkat(&*self.dir, name.as_str(), AtFlags::empty());
                continue;
            }
            let entry = match read(&mut file) {
                Ok(entry) => entry,
                Err(error) => {
                    tracing::warn!("the entry {name} of an open upload is ignored: {error}");
                    continue;
                }
            };
            match discard(&entry) {
                Ok(()) => {
                    unlinkat(&*self.dir, name.as_str(), AtFlags::empty())?;
                    swept.discarded += 1;
                }
                Err(error) => swept.failed.push((entry, error)),
            }
        }
        Ok(swept)
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&*self.dir)? {
            if let Ok(name) = entry?.file_name().to_str()
                && (name.ends_with(ENTRY) || name.ends_with(UNFINISHED))
            {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    /// Opens a file whose process has ended, and locks it. `None` if it lives, or the file is gone.
    fn lock(&self, name: &str) -> Option<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        openat(&*self.dir, name, flags, Mode::empty()).ok().and_then(lock)
    }
}

impl OpenEntry {
    /// Ends the entry: nothing of its object is in a state that is not final.
    pub fn end(self) {
        if let Err(errno) = unlinkat(&*self.dir, self.name.as_str(), AtFlags::empty()) {
            // The next sweep discards what is not there, which succeeds.
            tracing::warn!("cannot remove the entry {} of an upload that has ended: {errno}", self.name);
        }
    }
}

impl From<&Entry> for WrittenEntry {
    fn from(entry: &Entry) -> Self {
        Self {
            provider: entry.provider.to_string(),
            bucket: entry.object.bucket.clone(),
            key: entry.object.key.clone(),
            part: entry.part.clone(),
        }
    }
}

/// Locks the file of a process that has ended. `None` if it lives, or has ended the entry before the lock was ours.
fn lock(file: OwnedFd) -> Option<File> {
    flock(&file, FlockOperation::NonBlockingLockExclusive).ok()?;
    (fstat(&file).ok()?.st_nlink > 0).then(|| File::from(file))
}

fn read(file: &mut File) -> Result<Entry, Error> {
    let wrong = |why: String| Error::new(ErrorKind::File, why);
    let mut document = Vec::new();
    file.take(LIMIT).read_to_end(&mut document).map_err(|error| Error::file("read it", &error))?;
    let written: WrittenEntry = serde_json::from_slice(&document).map_err(|error| wrong(error.to_string()))?;
    let provider = written.provider.parse::<ProviderName>().map_err(|error| wrong(error.to_string()))?;
    Ok(Entry { provider, object: ObjectPath::new(written.bucket, written.key), part: written.part })
}

#[cfg(test)]
mod tests;
