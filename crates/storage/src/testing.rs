//! Files and directories for the tests of providers, and the suite that each of them passes.

#![expect(clippy::missing_panics_doc, clippy::must_use_candidate, reason = "a test panics where it fails")]

pub mod events;
pub mod server;
pub mod suite;

use std::{
    fs::{self, File},
    io::{Seek as _, Write as _},
    os::fd::AsFd as _,
};

use crate::{
    control::Control,
    error::Error,
    object::ObjectPath,
    provider::{Directory, Fetch, Provider},
    source::Source,
};

/// A file with this content, which has no name.
pub fn source(content: &[u8]) -> Source {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(content).expect("written");
    file.rewind().expect("rewound");
    Source::new(file.into()).expect("a source")
}

/// An input directory.
#[derive(Debug)]
pub struct Received {
    dir: tempfile::TempDir,
    /// Bytes of an object, at most.
    pub limit: u64,
    /// The size that the event has told.
    pub size: Option<u64>,
}

impl Default for Received {
    fn default() -> Self {
        Self::limited(0)
    }
}

impl Received {
    /// An empty one for objects of at most `limit` bytes; 0 for no limit.
    pub fn limited(limit: u64) -> Self {
        Self { dir: tempfile::tempdir().expect("a directory"), limit, size: None }
    }

    /// Fetches an object. Returns its content.
    pub fn fetch(&self, provider: &dyn Provider, from: &ObjectPath) -> Result<Vec<u8>, Error> {
        let fd = File::open(self.dir.path()).expect("open");
        let dir = Directory { fd: fd.as_fd(), path: self.dir.path() };
        let fetch = Fetch { from, dir, limit: self.limit, size: self.size };
        let fetched = provider.fetch(&fetch, &Control::default())?;
        let content = fs::read(&fetched.path).expect("the file");
        assert_eq!(content.len() as u64, fetched.bytes);
        fs::remove_file(&fetched.path).expect("removed");
        Ok(content)
    }

    /// The names of the files in it.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path()).expect("a directory");
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
    }
}
