//! An output file that appears complete or not at all.

use std::{
    fs::{self, File, Permissions},
    io::{self, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use tempfile::{Builder, NamedTempFile};

use crate::output::{BodySink, Disconnected};

/// A file that is being written.
#[derive(Debug)]
pub(super) struct Destination {
    path: PathBuf,
    target: OpenFile,
    /// The error of the last [`BodySink::send`] that failed.
    error: Option<io::Error>,
}

#[derive(Debug)]
enum OpenFile {
    /// A file in the same directory, renamed at the end.
    Temporary(NamedTempFile),
    /// A terminal, a pipe or a device, which is written to and not replaced.
    Existing(File),
}

impl Destination {
    /// Begins to write to `path`, which keeps its content until [`Destination::finish`].
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let target = match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(metadata) if !metadata.is_file() => OpenFile::Existing(File::options().write(true).open(path)?),
            Ok(_) | Err(_) => {
                let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
                // The mode with which programs create files, less the umask.
                OpenFile::Temporary(Builder::new().permissions(Permissions::from_mode(0o666)).tempfile_in(parent)?)
            }
        };
        Ok(Self { path: path.to_owned(), target, error: None })
    }

    /// The file to write to.
    pub(super) fn file(&mut self) -> &mut File {
        match &mut self.target {
            OpenFile::Temporary(file) => file.as_file_mut(),
            OpenFile::Existing(file) => file,
        }
    }

    /// The error of the [`BodySink::send`] that failed.
    pub(super) fn take_error(&mut self) -> Option<io::Error> {
        self.error.take()
    }

    /// Gives the complete file its name.
    pub(super) fn finish(self) -> io::Result<()> {
        match self.target {
            OpenFile::Temporary(file) => file.persist(&self.path).map(drop).map_err(|error| error.error),
            OpenFile::Existing(_) => Ok(()),
        }
    }
}

impl BodySink for Destination {
    fn send(&mut self, piece: Bytes) -> Result<(), Disconnected> {
        self.file().write_all(&piece).map_err(|error| {
            self.error = Some(error);
            Disconnected
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unfinished_file_changes_nothing() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("result");
        fs::write(&path, "before").expect("write");
        let mut unfinished = Destination::open(&path).expect("open");
        unfinished.send(Bytes::from_static(b"half")).expect("sent");
        drop(unfinished);
        assert_eq!(fs::read(&path).expect("read"), b"before");
        let mut whole = Destination::open(&path).expect("open");
        whole.send(Bytes::from_static(b"after")).expect("sent");
        whole.finish().expect("finished");
        assert_eq!(fs::read(&path).expect("read"), b"after");
        assert_eq!(fs::read_dir(dir.path()).expect("list").count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_device_is_written_to_and_not_replaced() {
        let mut null = Destination::open(Path::new("/dev/null")).expect("open");
        null.send(Bytes::from_static(b"x")).expect("sent");
        null.finish().expect("finished");
        assert!(!fs::metadata("/dev/null").expect("still there").is_file());
    }

    #[test]
    fn a_directory_is_refused() {
        let dir = tempfile::tempdir().expect("tempdir");
        assert_eq!(Destination::open(dir.path()).expect_err("refused").kind(), io::ErrorKind::IsADirectory);
    }
}
