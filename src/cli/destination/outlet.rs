//! `--output PATH`: a file, or a directory in which the result keeps its name; and the message that says where it is.

use std::{
    ffi::OsStr,
    fs,
    io::{self, IsTerminal as _},
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use rustix::fs::{Access, access};

use super::{Destination, Directory, follow, parent};
use crate::cli::say;

/// The place that `--output` names.
#[derive(Debug)]
pub(in crate::cli) enum Outlet {
    /// This file.
    File(PathBuf),
    /// A file in this directory.
    Directory(Directory),
}

impl Outlet {
    /// A file, unless PATH is a directory or ends with a slash.
    pub(in crate::cli) fn open(path: &Path) -> io::Result<Self> {
        Ok(if is_directory(path) { Self::Directory(Directory::open(path)?) } else { Self::File(path.to_owned()) })
    }

    /// Begins to write the one file of a result. In a directory it is called `name`.
    pub(in crate::cli) fn create(&mut self, name: &OsStr) -> io::Result<Destination> {
        match self {
            Self::File(path) => Destination::open(path),
            Self::Directory(directory) => directory.create(Path::new(name), None),
        }
    }
}

/// What has been written, and where.
#[derive(Debug)]
pub(in crate::cli) struct Written {
    /// The place that was asked for.
    pub(in crate::cli) asked: PathBuf,
    /// The place that it has got; ends with a slash if that is a directory.
    pub(in crate::cli) path: PathBuf,
    /// How many files, if it is a directory.
    pub(in crate::cli) files: Option<usize>,
    pub(in crate::cli) bytes: u64,
    /// Whether it is a zip that is not called so.
    pub(in crate::cli) is_zip: bool,
}

impl Written {
    /// Says where the result is: to a person at a terminal, and to everyone if it is not where it was asked for.
    pub(in crate::cli) fn tell(&self) {
        let is_elsewhere = plain(&self.asked) != plain(&self.path);
        if is_elsewhere || self.is_zip || io::stderr().is_terminal() {
            say(&self.message());
        }
    }

    fn message(&self) -> String {
        let size = match self.files {
            Some(files) => format!("{}, {}", counted(files as u64, "file"), counted(self.bytes, "byte")),
            None => counted(self.bytes, "byte"),
        };
        let (path, asked) = (self.path.display(), self.asked.display());
        // A place that was asked for and is not used was taken.
        let reason = match self.files {
            _ if plain(&self.path).starts_with(plain(&self.asked)) => String::new(),
            Some(_) => format!("{asked} is no directory, and is kept; "),
            None => format!("{asked} is no plain file, or lies behind a link, and is kept; "),
        };
        let zip = if self.is_zip { "several files came, as a zip; " } else { "" };
        format!("{reason}{zip}written to {path} ({size})")
    }
}

/// The path without the slashes and dots that mean nothing.
fn plain(path: &Path) -> PathBuf {
    path.components().collect()
}

/// A number with its noun.
pub(in crate::cli) fn counted(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Whether it is a directory, or is meant to become one.
pub(in crate::cli) fn is_directory(path: &Path) -> bool {
    path.is_dir() || path.as_os_str().as_bytes().ends_with(b"/")
}

/// Fails if no result can be written to `path`, before anything is done for it.
pub(in crate::cli) fn check(path: &Path) -> io::Result<()> {
    let may_create = |directory: &Path| access(directory, Access::WRITE_OK | Access::EXEC_OK);
    if path.is_dir() {
        return Ok(may_create(path)?);
    }
    if is_directory(path) {
        // The directories that are there; the others are made.
        let found = parent(path).ancestors().find(|ancestor| ancestor.exists());
        let found = found.unwrap_or(Path::new("."));
        return if found.is_dir() { Ok(may_create(found)?) } else { Err(io::ErrorKind::NotADirectory.into()) };
    }
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => Ok(()),
        found => {
            let Some(end) = follow(path)? else { return Ok(()) };
            let directory = parent(&end);
            if !fs::metadata(directory)?.is_dir() {
                return Err(io::ErrorKind::NotADirectory.into());
            }
            let refused = match may_create(directory) {
                Ok(()) => return Ok(()),
                Err(refused) => refused,
            };
            // Its content can be replaced where it cannot.
            if found.is_ok() && access(&end, Access::WRITE_OK).is_ok() { Ok(()) } else { Err(refused.into()) }
        }
    }
}
