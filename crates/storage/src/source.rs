//! A file that is stored as an object.

use std::{
    fs::File,
    io,
    os::{fd::OwnedFd, unix::fs::MetadataExt as _},
    sync::Arc,
};

use super::{
    error::{Error, ErrorKind},
    journal::{Entry, Journal, OpenEntry},
};

/// An open file, and what it was like when the transfer began.
#[derive(Debug, Clone)]
pub struct Source {
    file: Arc<File>,
    size: u64,
    modified: (i64, i64),
    journal: Option<Journal>,
}

impl Source {
    /// The file behind `fd`, as it is now.
    ///
    /// # Errors
    /// Its size cannot be read.
    pub fn new(fd: OwnedFd) -> io::Result<Self> {
        let file = File::from(fd);
        let metadata = file.metadata()?;
        let modified = (metadata.mtime(), metadata.mtime_nsec());
        Ok(Self { file: Arc::new(file), size: metadata.size(), modified, journal: None })
    }

    /// The same, with a record of what a provider has in no final state.
    #[must_use]
    pub fn recorded_in(self, journal: &Journal) -> Self {
        Self { journal: Some(journal.clone()), ..self }
    }

    /// Records that a part of this file is in the store in a state that is not final. `None` without a journal.
    ///
    /// # Errors
    /// [`ErrorKind::File`].
    pub fn record(&self, entry: &Entry) -> Result<Option<OpenEntry>, Error> {
        self.journal.as_ref().map(|journal| journal.begin(entry)).transpose()
    }

    /// The open file.
    #[must_use]
    pub fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Its size in bytes when the transfer began.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Fails if the file was written to since the transfer began: the store may have a part of two versions.
    ///
    /// # Errors
    /// [`ErrorKind::Rejected`].
    pub fn check_unchanged(&self) -> Result<(), Error> {
        let metadata = self.file.metadata().map_err(|error| Error::file("read the size of the output", &error))?;
        if (metadata.size(), metadata.mtime(), metadata.mtime_nsec()) == (self.size, self.modified.0, self.modified.1) {
            return Ok(());
        }
        let detail =
            format!("the file was written to while it was sent ({} bytes before, {} now)", self.size, metadata.size());
        Err(Error::new(ErrorKind::Rejected, detail))
    }
}
