//! One file that is the answer, of a known size: one that a function left, or what it wrote to standard output.

use std::{
    ffi::OsStr,
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::{Path, PathBuf},
};

use rustix::{
    buffer::spare_capacity,
    io::{pread, retry_on_intr},
};

use super::{TransferError, buffer::ChunkBuf};

/// The name of the standard output among the outputs.
pub const STDOUT_NAME: &str = "stdout";

/// The only file that a function left.
#[derive(Debug)]
pub struct OutputFile {
    pub(super) content: FileContent,
    pub(super) path: Vec<u8>,
    pub(super) size: u64,
    /// Its media type, where that is known from elsewhere than its name.
    pub(super) media_type: Option<String>,
    pub(super) is_bare: bool,
}

/// Where the bytes are.
#[derive(Debug)]
pub(super) enum FileContent {
    File(OwnedFd),
    Memory(Vec<u8>),
}

impl OutputFile {
    /// The standard output of a function as the body of a response; without a media type if it is empty.
    #[must_use]
    pub fn of_bytes(bytes: Vec<u8>, media_type: String) -> Self {
        Self {
            size: bytes.len() as u64,
            content: FileContent::Memory(bytes),
            path: STDOUT_NAME.into(),
            media_type: Some(media_type),
            is_bare: true,
        }
    }

    /// Its path below the output directory, which may hold any byte but NUL.
    #[must_use]
    pub fn path(&self) -> &Path {
        as_path(&self.path)
    }

    /// Its media type: by its name, unless it was told.
    #[must_use]
    pub fn media_type(&self) -> &str {
        let told = self.media_type.as_deref();
        told.or_else(|| mime_guess::from_path(self.path()).first_raw()).unwrap_or("application/octet-stream")
    }

    /// Whether it is sent as it is, under its type, whatever its caller accepts.
    #[must_use]
    pub fn is_bare(&self) -> bool {
        self.is_bare
    }

    /// Its first bytes, at most so many; none if they cannot be read, which [`OutputFile::write_to`] tells.
    #[must_use]
    pub fn beginning(&self, most: usize) -> Vec<u8> {
        match &self.content {
            FileContent::Memory(bytes) => bytes[..bytes.len().min(most)].to_vec(),
            FileContent::File(file) => {
                let mut bytes = Vec::with_capacity(most);
                let _ = retry_on_intr(|| pread(file, spare_capacity(&mut bytes), 0));
                bytes
            }
        }
    }

    /// Its size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Writes its content.
    pub fn write_to(&self, into: &mut dyn ChunkBuf) -> Result<(), TransferError> {
        match &self.content {
            FileContent::File(file) => pour(file.as_fd(), self.size, &self.path, into, &mut |_| ()),
            FileContent::Memory(bytes) => Ok(into.write(bytes)?),
        }
    }
}

/// Reads a file from beginning to end into `into`, showing each part to `look` as well. A file that is not exactly
/// `size` bytes long is [`TransferError::Changed`].
pub(super) fn pour(
    file: BorrowedFd<'_>,
    size: u64,
    path: &[u8],
    into: &mut dyn ChunkBuf,
    look: &mut dyn FnMut(&[u8]),
) -> Result<(), TransferError> {
    let mut offset = 0;
    loop {
        let buffer = into.room()?;
        let before = buffer.len();
        let room = buffer.capacity() - before;
        let count = retry_on_intr(|| pread(file, spare_capacity(buffer), offset))
            .map_err(|errno| TransferError::Read { name: owned_path(path), source: io::Error::from(errno) })?;
        look(&buffer[before..]);
        offset += count as u64;
        // A regular file reads short only at its end (read(2)), which saves the read that would return 0.
        let at_end = count < room && offset >= size || count == 0;
        if offset > size || at_end && offset < size {
            return Err(TransferError::Changed { name: owned_path(path) });
        }
        if at_end {
            return Ok(());
        }
    }
}

pub(crate) fn as_path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

pub(crate) fn owned_path(bytes: &[u8]) -> PathBuf {
    as_path(bytes).to_path_buf()
}
