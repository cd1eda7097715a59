//! Output files that appear complete or not at all.

mod directory;
mod outlet;
mod temporary;
#[cfg(test)]
mod tests;

use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use rustix::io::Errno;

use self::temporary::{Temporary, Wanted};
pub(super) use self::{
    directory::Directory,
    outlet::{Outlet, Written, check, counted, is_directory},
};
use crate::output::{BodySink, Disconnected};

/// Links that are followed from one path; more are a circle (path_resolution(7)).
const MAX_LINKS: usize = 40;

/// A file that is being written.
#[derive(Debug)]
pub(super) struct Destination {
    /// Its name, if it gets the one that was asked for.
    path: PathBuf,
    target: OpenFile,
    /// The error of the last [`BodySink::send`] that failed.
    error: Option<io::Error>,
}

#[derive(Debug)]
enum OpenFile {
    /// A file in the same directory, renamed at the end.
    Temporary(Temporary),
    /// A terminal, a pipe or a device, which is written to and not replaced.
    Existing(File),
    /// A file in a directory that takes no other one: its content is replaced at the end.
    Copied { copy: File, into: File },
}

impl Destination {
    /// Begins to write to `path`, which keeps its content until [`Destination::finish`]. A link stays one: the file that
    /// it leads to is written.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let target = match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(metadata) if !metadata.is_file() => OpenFile::Existing(File::options().write(true).open(path)?),
            found => match follow(path)? {
                None => OpenFile::Existing(File::options().append(true).open(path)?),
                Some(end) => regular(&end, found.ok().as_ref())?,
            },
        };
        Ok(Self { path: path.to_owned(), target, error: None })
    }

    /// The file to write to.
    pub(super) fn file(&mut self) -> &mut File {
        match &mut self.target {
            OpenFile::Temporary(temporary) => temporary.file(),
            OpenFile::Existing(file) | OpenFile::Copied { copy: file, .. } => file,
        }
    }

    /// Whether nothing can be seen of it until [`Destination::finish`].
    pub(super) fn is_hidden(&self) -> bool {
        !matches!(self.target, OpenFile::Existing(_))
    }

    /// The error of the [`BodySink::send`] that failed.
    pub(super) fn take_error(&mut self) -> Option<io::Error> {
        self.error.take()
    }

    /// Gives the complete file its name, which it returns. That is another one if something else has the name that was
    /// asked for, and it must not be replaced.
    pub(super) fn finish(self) -> io::Result<PathBuf> {
        match self.target {
            OpenFile::Temporary(temporary) => Ok(match temporary.finish()? {
                Some(name) => self.path.with_file_name(name),
                None => self.path,
            }),
            OpenFile::Existing(_) => Ok(self.path),
            OpenFile::Copied { mut copy, mut into } => {
                temporary::replace_content(&mut copy, &mut into)?;
                Ok(self.path)
            }
        }
    }
}

/// The file that a link leads to, or `path` if it is none; nothing need have that name. `None` if it is a descriptor of
/// a process (`/dev/stdout`, `/proc/self/fd/1`), which names an open file and not a place.
fn follow(path: &Path) -> io::Result<Option<PathBuf>> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::read_link(&path) {
            Ok(_) if fs::canonicalize(parent(&path))?.starts_with("/proc") => return Ok(None),
            Ok(target) => path = parent(&path).join(target),
            // It is no link, or nothing.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some(path)),
            Err(error) if error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => return Ok(Some(path)),
            Err(error) => return Err(error),
        }
    }
    Err(Errno::LOOP.into())
}

/// Begins to write to a path that is no link. `found` is the file that has the name now.
fn regular(path: &Path, found: Option<&fs::Metadata>) -> io::Result<OpenFile> {
    let name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?;
    let wanted = match found {
        Some(found) => Wanted::of(found.mode(), found.uid(), found.gid()),
        None => Wanted::New(None),
    };
    let made = temporary::open_directory(parent(path)).and_then(|directory| Temporary::new(directory, name, wanted));
    match (made, found) {
        (Ok(temporary), _) => Ok(OpenFile::Temporary(temporary)),
        // A directory that may not be written to can hold a file that may be.
        (Err(refused), Some(_)) => match File::options().write(true).open(path) {
            Ok(into) => Ok(OpenFile::Copied { copy: tempfile::tempfile()?, into }),
            Err(_) => Err(refused),
        },
        (Err(error), None) => Err(error),
    }
}

/// The directory that a path is in.
fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

impl BodySink for Destination {
    fn send(&mut self, piece: Bytes) -> Result<(), Disconnected> {
        self.file().write_all(&piece).map_err(|error| {
            self.error = Some(error);
            Disconnected
        })
    }
}
