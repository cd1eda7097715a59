//! The directory that input files are written to.

use std::{
    ffi::OsStr,
    io,
    os::{fd::BorrowedFd, unix::ffi::OsStrExt as _},
    path::Path,
};

use rustix::fs::{AtFlags, Dir, unlinkat};

/// The input directory of a workspace: a descriptor to create files in, and the path that the function is given.
#[derive(Debug, Clone, Copy)]
pub struct InputDir<'a> {
    /// The open directory.
    pub fd: BorrowedFd<'a>,
    /// Its absolute path.
    pub path: &'a Path,
}

impl InputDir<'_> {
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
