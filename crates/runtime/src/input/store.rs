//! Files in the input directory: made when there is something to write, removed again unless they are kept.
//!
//! Knows nothing of formats but base64, which is decoded straight into the write buffer. A small body costs three
//! system calls: open, write, close. There is no `fsync`: a workspace does not outlive its invocation.

use std::{io, mem, os::fd::OwnedFd, path::PathBuf};

use rustix::{
    fs::{AtFlags, Mode, OFlags, ftruncate, openat, unlinkat},
    io::{Errno, pread, pwrite},
};

use bandog_codec::base64;

use super::{InputDir, InputError, filename};

/// Bytes gathered before they are written: a piece from a socket is often much smaller. It is also the largest JSON
/// body that is looked at for a storage event (see [`super::event`]), because up to here it is still in memory.
pub(super) const BUFFER: usize = 128 * 1024;

/// Bytes of a piece that is written as it is, without being gathered first: copying it would cost more than the call.
const LARGE: usize = 32 * 1024;

/// Bytes of base64 decoded, or of a file read back, in one go.
const BLOCK: usize = 64 * 1024;

/// Keeps content that was within something else as a file of its own; its path.
pub fn store_file(dir: InputDir<'_>, content: &[u8]) -> io::Result<PathBuf> {
    let name = filename::generated(None);
    let path = dir.path.join(&name);
    let mut store = InputFiles::new(dir, name);
    store.write(content)?;
    store.end()?;
    store.keep();
    Ok(path)
}

/// The files of one body.
#[derive(Debug)]
pub(super) struct InputFiles<'a> {
    dir: InputDir<'a>,
    /// The name of the current file.
    name: String,
    /// The current file, once there was a need to write.
    file: Option<OwnedFd>,
    /// Bytes of the current file that are written.
    written: u64,
    /// Bytes of the current file that are not.
    buffer: Vec<u8>,
    /// The files that exist; those to remove if the body turns out bad.
    made: Vec<String>,
}

impl Drop for InputFiles<'_> {
    fn drop(&mut self) {
        for name in &self.made {
            // The workspace is removed as well, so a failure here needs no report.
            let _ = unlinkat(self.dir.fd, name.as_str(), AtFlags::empty());
        }
    }
}

impl<'a> InputFiles<'a> {
    /// A store whose first file is called `name`.
    pub(super) fn new(dir: InputDir<'a>, name: String) -> Self {
        Self { dir, name, file: None, written: 0, buffer: Vec::new(), made: Vec::new() }
    }

    /// Ends the current file, which exists from now on even if it is empty, and returns its length in bytes.
    pub(super) fn end(&mut self) -> io::Result<u64> {
        self.flush()?;
        self.open()?;
        self.file = None;
        Ok(mem::take(&mut self.written))
    }

    /// Goes on with another file, after [`InputFiles::end`] or if nothing was written to the current one.
    pub(super) fn begin(&mut self, name: String) {
        debug_assert!(self.file.is_none() && self.buffer.is_empty(), "the current file has an end first");
        self.name = name;
    }

    /// Nothing is removed any more.
    pub(super) fn keep(mut self) {
        self.made.clear();
    }

    /// Bytes of the current file so far.
    pub(super) fn len(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// The current file, if all of it is still in memory.
    pub(super) fn in_memory(&self) -> Option<&[u8]> {
        (self.written == 0).then_some(self.buffer.as_slice())
    }

    /// Adds bytes as they are.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let fits = self.buffer.len() + bytes.len() <= BUFFER;
        // A small body stays in memory to be looked at; of a larger one only small pieces are gathered.
        if !fits || self.written > 0 && bytes.len() >= LARGE {
            self.flush()?;
            if bytes.len() >= LARGE {
                return self.write_through(bytes);
            }
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// Adds what a piece of base64 holds.
    pub(super) fn decode(&mut self, decoder: &mut base64::Decoder, piece: &[u8]) -> Result<(), InputError> {
        for block in piece.chunks(BLOCK) {
            if self.buffer.len() + block.len() > BUFFER {
                self.flush().map_err(InputError::Store)?;
            }
            decoder.push(block, &mut self.buffer)?;
        }
        Ok(())
    }

    /// Adds what the end of a base64 body holds.
    pub(super) fn decode_end(&mut self, decoder: base64::Decoder) -> Result<(), InputError> {
        Ok(decoder.finish(&mut self.buffer)?)
    }

    /// Empties the current file.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        self.buffer.clear();
        if let Some(file) = &self.file {
            ftruncate(file, 0)?;
        }
        self.written = 0;
        Ok(())
    }

    /// Takes what the current file has so far for base64, and puts what it means in its place. Memory is bounded: what
    /// is decoded is shorter than what is read, so that the file can be rewritten from its beginning.
    pub(super) fn recode(&mut self, decoder: &mut base64::Decoder) -> Result<(), InputError> {
        if self.written == 0 {
            let sent = mem::take(&mut self.buffer);
            decoder.push(&sent, &mut self.buffer)?;
            return Ok(());
        }
        self.flush().map_err(InputError::Store)?;
        let length = mem::take(&mut self.written);
        let mut sent = vec![0; BLOCK];
        let mut read_to = 0;
        while read_to < length {
            let file = self.open().map_err(InputError::Store)?;
            let read = match retry(|| pread(file, &mut sent, read_to)).map_err(InputError::Store)? {
                0 => return Err(InputError::Store(io::ErrorKind::UnexpectedEof.into())),
                read => read,
            };
            read_to += read as u64;
            decoder.push(&sent[..read], &mut self.buffer)?;
            self.flush().map_err(InputError::Store)?;
        }
        let written = self.written;
        ftruncate(self.open().map_err(InputError::Store)?, written).map_err(|error| InputError::Store(error.into()))
    }

    fn open(&mut self) -> io::Result<&OwnedFd> {
        if self.file.is_none() {
            // To be read too, because what was sent may have to be decoded in place.
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file = retry(|| openat(self.dir.fd, self.name.as_str(), flags, Mode::RUSR | Mode::WUSR))?;
            self.made.push(self.name.clone());
            return Ok(self.file.insert(file));
        }
        self.file.as_ref().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut buffer = mem::take(&mut self.buffer);
        let result = self.write_through(&buffer);
        buffer.clear();
        self.buffer = buffer;
        result
    }

    fn write_through(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let at = self.written;
            let file = self.open()?;
            match retry(|| pwrite(file, bytes, at))? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                count => {
                    bytes = &bytes[count..];
                    self.written += count as u64;
                }
            }
        }
        Ok(())
    }
}

/// Repeats a system call that a signal interrupted.
fn retry<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            result => return Ok(result?),
        }
    }
}
