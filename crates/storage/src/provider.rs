//! The stores: one trait, and a directory for each kind.

use std::{
    fmt,
    fs::File,
    io,
    os::fd::BorrowedFd,
    path::{Path, PathBuf},
};

use rustix::fs::{AtFlags, Mode, OFlags, openat, unlinkat};

use super::{
    control::Control,
    error::{Error, ErrorKind},
    journal::Entry,
    name::ProviderName,
    object::ObjectPath,
    source::Source,
};

pub mod local;
pub mod onedata;
pub mod rucio;
pub mod s3;
mod web;
pub mod webdav;

/// The name of an input file whose key has none.
const UNNAMED: &str = "input";

/// A store of objects. Its methods block, may be called from several threads at once, and repeat what may pass; they end
/// soon after `control` says so.
pub trait Provider: fmt::Debug + Send + Sync {
    /// Its name in the configuration.
    fn name(&self) -> &ProviderName;

    /// The directory that it is, if it is one of this machine.
    fn directory(&self) -> Option<&Path> {
        None
    }

    /// Fetches an object into a directory. After an error nothing of it is left there.
    ///
    /// # Errors
    /// The reason, with neither provider nor object: the caller adds them.
    fn fetch(&self, fetch: &Fetch<'_>, control: &Control<'_>) -> Result<Fetched, Error>;

    /// Stores a file as an object, whole or not at all: while this runs, and after an error, the object is the one before.
    ///
    /// # Errors
    /// The same.
    fn store(&self, source: &Source, to: &ObjectPath, control: &Control<'_>) -> Result<(), Error>;

    /// Checks that the store can be reached with these credentials, and that it has the bucket of `at`, if there is one.
    ///
    /// # Errors
    /// The same.
    fn check(&self, at: Option<&ObjectPath>, control: &Control<'_>) -> Result<(), Error>;

    /// Discards the part of an object that a process has left in no final state; succeeds if there is none. A provider that
    /// records nothing has nothing to discard.
    ///
    /// # Errors
    /// The same: it may be there still.
    fn discard(&self, entry: &Entry, control: &Control<'_>) -> Result<(), Error> {
        let _ = (entry, control);
        Ok(())
    }
}

/// An object to fetch.
#[derive(Debug, Clone, Copy)]
pub struct Fetch<'a> {
    /// Its place.
    pub from: &'a ObjectPath,
    /// The directory that it is fetched into.
    pub dir: Directory<'a>,
    /// Bytes of all its files together, at most; 0 for no limit.
    pub limit: u64,
    /// Its size in bytes, if the event has told it.
    pub size: Option<u64>,
}

/// A directory, open and by its path.
#[derive(Debug, Clone, Copy)]
pub struct Directory<'a> {
    /// The open directory.
    pub fd: BorrowedFd<'a>,
    /// Its absolute path.
    pub path: &'a Path,
}

/// A fetched object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The file, or the directory where the object is a set of files.
    pub path: PathBuf,
    /// Bytes, of all files together.
    pub bytes: u64,
}

impl<'a> Directory<'a> {
    /// Creates the file `name`, which must not exist. It is removed again unless it is kept.
    ///
    /// # Errors
    /// [`ErrorKind::File`].
    pub fn create(self, name: &str) -> Result<NewFile<'a>, Error> {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(self.fd, name, flags, Mode::RUSR | Mode::WUSR)
            .map_err(|error| Error::file(&format!("create the input file {name:?}"), &error.into()))?;
        Ok(NewFile { dir: self, name: name.to_owned(), file: File::from(file), is_kept: false })
    }
}

impl<'a> Fetch<'a> {
    /// Creates the file of the object, under the last segment of its key.
    ///
    /// # Errors
    /// [`ErrorKind::File`].
    pub fn create(&self) -> Result<NewFile<'a>, Error> {
        self.dir.create(self.from.file_name().unwrap_or(UNNAMED))
    }

    /// Fails if an object of `bytes` is over the limit.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`].
    pub fn check_size(&self, bytes: u64) -> Result<(), Error> {
        if self.limit == 0 || bytes <= self.limit {
            return Ok(());
        }
        let detail = format!("the object has {bytes} bytes, where --max-body allows {}", self.limit);
        Err(Error::new(ErrorKind::TooLarge, detail))
    }
}

/// A file of the input directory that is being written.
#[derive(Debug)]
pub struct NewFile<'a> {
    dir: Directory<'a>,
    name: String,
    /// The open file.
    pub file: File,
    is_kept: bool,
}

impl NewFile<'_> {
    /// Keeps the file, and returns it as fetched.
    ///
    /// # Errors
    /// [`ErrorKind::File`]: its size cannot be read.
    pub fn keep(mut self) -> Result<Fetched, Error> {
        let size = self.file.metadata().map(|metadata| metadata.len());
        let bytes = size.map_err(|error: io::Error| Error::file("read the size of the input file", &error))?;
        self.is_kept = true;
        Ok(Fetched { path: self.dir.path.join(&self.name), bytes })
    }
}

impl Drop for NewFile<'_> {
    fn drop(&mut self) {
        if !self.is_kept {
            // The workspace is removed as well, so a failure here needs no report.
            let _ = unlinkat(self.dir.fd, self.name.as_str(), AtFlags::empty());
        }
    }
}
