//! The directory that input files are written to.

use std::{
    ffi::OsStr,
    fs::File,
    io::{self, Read as _},
    os::{fd::BorrowedFd, unix::ffi::OsStrExt as _},
    path::Path,
};

use rustix::fs::{AtFlags, Dir, Mode, OFlags, openat, unlinkat};

/// The input directory of a workspace: a descriptor to create files in, and the path that the function is given.
#[derive(Debug, Clone, Copy)]
pub struct InputDir<'a> {
    /// The open directory.
    pub fd: BorrowedFd<'a>,
    /// Its absolute path.
    pub path: &'a Path,
}

impl InputDir<'_> {
    /// Reads the file `name`, of `length` bytes.
    pub fn read(self, name: &OsStr, length: u64) -> io::Result<Vec<u8>> {
        let file = openat(self.fd, name, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty())?;
        let mut content = vec![0; usize::try_from(length).unwrap_or_default()];
        File::from(file).read_exact(&mut content)?;
        Ok(content)
    }

    /// Removes the files that were received.
    pub fn clear(self) -> io::Result<()> {
        for entry in Dir::read_from(self.fd)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name != "." && name != ".." {
                unlinkat(self.fd, name, AtFlags::empty())?;
            }
        }
        Ok(())
    }
}
