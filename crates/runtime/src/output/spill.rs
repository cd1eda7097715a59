//! A buffer for the standard output of a function until it has ended: the beginning in memory, the rest in an unnamed
//! file.

use std::{
    fs::File,
    io::{self, Write as _},
    os::{fd::BorrowedFd, unix::fs::FileExt as _},
};

use super::{
    OutputFile,
    file::{FileContent, STDOUT_NAME},
};
use crate::workspace;

/// Bytes kept in memory before they go to a file: as many as one read of a pipe brings, and as most functions write.
const MEMORY_LIMIT: usize = 64 * 1024;

/// The output so far.
#[derive(Debug, Default)]
pub struct SpillBuffer {
    recent: Vec<u8>,
    /// The earlier output, once it exceeds the part kept in memory.
    file: Option<File>,
    len: u64,
}

impl SpillBuffer {
    /// Bytes so far.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds what was written; a file is made in `place`. After an error it is not whole.
    pub fn write(&mut self, bytes: &[u8], place: BorrowedFd<'_>) -> io::Result<()> {
        self.len += bytes.len() as u64;
        if self.file.is_none() && self.recent.len() + bytes.len() <= MEMORY_LIMIT {
            self.recent.extend_from_slice(bytes);
            return Ok(());
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(workspace::unnamed_file(place)?),
        };
        file.write_all(&std::mem::take(&mut self.recent))?;
        file.write_all(bytes)
    }

    /// The last bytes of it, at most `limit`.
    pub fn tail(&self, limit: usize) -> io::Result<Vec<u8>> {
        let Some(file) = &self.file else { return Ok(self.recent[self.recent.len().saturating_sub(limit)..].to_vec()) };
        let len = file.metadata()?.len();
        let offset = len.saturating_sub(limit as u64);
        let mut bytes = vec![0; usize::try_from(len - offset).unwrap_or(limit)];
        file.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    }

    /// All of it, if that is no more than `limit`; else `None`, and nothing is read.
    pub fn whole(&self, limit: usize) -> io::Result<Option<Vec<u8>>> {
        if self.len > limit as u64 { Ok(None) } else { self.tail(limit).map(Some) }
    }

    /// The whole as the one output file, of this type; `is_bare` as [`OutputFile::is_bare`] says.
    #[must_use]
    pub fn into_file(self, media_type: &str, is_bare: bool) -> OutputFile {
        OutputFile {
            content: self.file.map_or(FileContent::Memory(self.recent), |file| FileContent::File(file.into())),
            path: STDOUT_NAME.into(),
            size: self.len,
            media_type: Some(media_type.to_owned()),
            is_bare,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use super::*;
    use crate::output::{
        buffer::ChunkWriter,
        testing::{MemorySink, noise, open},
    };

    #[test]
    fn what_is_written_comes_back_whether_it_fits_in_memory_or_not() {
        let dir = tempfile::tempdir().expect("tempdir");
        for pieces in [&[][..], &[10], &[MEMORY_LIMIT], &[MEMORY_LIMIT, 1], &[1, 300_000, 7], &[MEMORY_LIMIT + 1, 9]] {
            let (mut spool, mut wanted) = (SpillBuffer::default(), Vec::new());
            for (number, length) in pieces.iter().enumerate() {
                let piece = noise(length + number).split_off(number);
                spool.write(&piece, open(dir.path()).as_fd()).expect("written");
                wanted.extend_from_slice(&piece);
            }
            assert_eq!((spool.len(), spool.is_empty()), (wanted.len() as u64, wanted.is_empty()));
            assert_eq!(std::fs::read_dir(dir.path()).expect("dir").count(), 0, "the file has no name");
            for limit in [0, 5, MEMORY_LIMIT, usize::MAX / 2] {
                let end = wanted.len().saturating_sub(limit);
                assert!(spool.tail(limit).expect("readable") == wanted[end..], "{pieces:?}: the last {limit}");
            }
            assert!(spool.whole(wanted.len()).expect("readable").is_some_and(|whole| whole == wanted), "{pieces:?}");
            assert!(wanted.is_empty() || spool.whole(wanted.len() - 1).expect("readable").is_none(), "{pieces:?}");
            let file = spool.into_file("text/x", true);
            assert_eq!((file.size(), file.media_type(), file.is_bare()), (wanted.len() as u64, "text/x", true));
            let mut kept = MemorySink::default();
            let mut writer = ChunkWriter::new(&mut kept, file.size());
            file.write_to(&mut writer).expect("readable");
            writer.finish().expect("kept");
            assert!(kept.bytes() == wanted, "{pieces:?}");
        }
    }
}
