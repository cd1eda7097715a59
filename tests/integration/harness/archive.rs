//! Zip archives read back by the `zip` crate, which had no part in writing them.

use std::io::{Cursor, Read as _};

/// One file of an archive.
#[derive(Debug)]
pub(crate) struct Entry {
    /// As stored: names need not be text.
    pub(crate) name: Vec<u8>,
    /// Unpacked; its checksum was right.
    pub(crate) content: Vec<u8>,
    /// Unix permission and type bits.
    pub(crate) mode: Option<u32>,
}

impl Entry {
    /// The name, replaced where it is no text.
    pub(crate) fn name(&self) -> String {
        String::from_utf8_lossy(&self.name).into_owned()
    }
}

/// Unpacks an archive, in the order it is stored.
#[track_caller]
pub(crate) fn unzip(archive: &[u8]) -> Vec<Entry> {
    let mut archive = zip::ZipArchive::new(Cursor::new(archive))
        .unwrap_or_else(|error| panic!("no zip archive ({error}): {}", super::shown(archive)));
    let mut entries = Vec::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).expect("an entry");
        assert_eq!(entry.compression(), zip::CompressionMethod::Stored, "entries are stored");
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("an intact entry");
        entries.push(Entry { name: entry.name_raw().to_vec(), content, mode: entry.unix_mode() });
    }
    entries
}

/// The names, in the order they are stored.
pub(crate) fn names(entries: &[Entry]) -> Vec<String> {
    entries.iter().map(Entry::name).collect()
}
