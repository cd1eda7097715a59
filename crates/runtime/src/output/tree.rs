//! Several files that a function left: their paths in one arena, a small record each, and the directory they are in.
//!
//! Files are not kept open (there may be a hundred thousand). Each is opened again when its turn comes, without
//! following any link, and must be the one that was seen.

use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    path::Path,
};

use rustix::{
    fs::{FileType, Mode, OFlags, Stat, fstat, openat},
    io::Errno,
};

use super::{
    BodySink, TransferError,
    buffer::{ChunkBuf, ChunkWriter},
    file::{as_path, owned_path, pour},
    names::{self, ArchiveNames},
};

/// Several files that a function left, sorted by path (byte by byte).
#[derive(Debug)]
pub struct FileTree {
    dir: OwnedFd,
    paths: Vec<u8>,
    records: Vec<FileRecord>,
    bytes: u64,
    /// The files that have another name in an archive.
    renamed: ArchiveNames,
}

/// The facts kept about a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct FileRecord {
    /// Where its path begins in the arena.
    start: u64,
    device: u64,
    inode: u64,
    size: u64,
    modified: i64,
    path_len: u16,
    /// Not 0 for a symbolic link: the length of the path that it leads to, which follows its own.
    target_len: u16,
    mode: u16,
}

/// The records and paths while they are being collected.
#[derive(Debug, Default)]
pub(super) struct TreeBuilder {
    paths: Vec<u8>,
    records: Vec<FileRecord>,
    bytes: u64,
}

impl TreeBuilder {
    /// Adds a file at `parent` (empty or ending in a slash) + `name`; a link also has the path it leads to. Paths
    /// are shorter than [`super::collect::PATH_LIMIT`].
    pub(super) fn add(&mut self, parent: &[u8], name: &[u8], target: &[u8], stat: &Stat) {
        let at = self.paths.len() as u64;
        for part in [parent, name, target] {
            self.paths.extend_from_slice(part);
        }
        let size = size_of(stat);
        self.records.push(FileRecord {
            start: at,
            device: stat.st_dev,
            inode: stat.st_ino,
            size,
            modified: stat.st_mtime,
            path_len: u16::try_from(parent.len() + name.len()).unwrap_or(u16::MAX),
            target_len: u16::try_from(target.len()).unwrap_or(u16::MAX),
            mode: u16::try_from(stat.st_mode & 0xFFFF).unwrap_or_default(),
        });
        self.bytes = self.bytes.saturating_add(size);
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// The path and size of the only file.
    pub(super) fn into_only(self) -> (Vec<u8>, u64) {
        let mut path = self.paths;
        path.truncate(self.records.first().map_or(0, |record| usize::from(record.path_len)));
        (path, self.bytes)
    }

    /// The files below `dir`, which is kept open to find them again.
    pub(super) fn into_tree(mut self, dir: OwnedFd) -> FileTree {
        let paths = &self.paths;
        self.records.sort_unstable_by(|a, b| a.path(paths).cmp(b.path(paths)));
        self.records.shrink_to_fit();
        self.paths.shrink_to_fit();
        let renamed = names::renamed(self.records.iter().map(|record| record.path(&self.paths)));
        FileTree { dir, paths: self.paths, records: self.records, bytes: self.bytes, renamed }
    }
}

impl FileRecord {
    fn path<'p>(&self, paths: &'p [u8]) -> &'p [u8] {
        let start = usize::try_from(self.start).unwrap_or(usize::MAX);
        &paths[start..start + usize::from(self.path_len)]
    }
}

/// A file of a [`FileTree`].
#[derive(Debug, Clone, Copy)]
pub struct TreeEntry<'t> {
    tree: &'t FileTree,
    record: &'t FileRecord,
    /// Its place in the list.
    place: usize,
}

impl<'t> TreeEntry<'t> {
    /// Its path below the output directory, which may hold any byte but NUL.
    #[must_use]
    pub fn path(self) -> &'t Path {
        as_path(self.path_bytes())
    }

    pub(crate) fn path_bytes(self) -> &'t [u8] {
        self.record.path(&self.tree.paths)
    }

    /// Its path in an archive: the same, but for what would lead elsewhere where it is unpacked.
    pub(super) fn archived(self) -> &'t [u8] {
        self.tree.renamed.get(&self.place).map_or_else(|| self.path_bytes(), Vec::as_slice)
    }

    /// Its size in bytes.
    #[must_use]
    pub fn size(self) -> u64 {
        self.record.size
    }

    /// When it was last written, in seconds since 1970 (UTC); may lie before that.
    #[must_use]
    pub fn modified(self) -> i64 {
        self.record.modified
    }

    /// Its type and permission bits as stat(2) gives them.
    #[must_use]
    pub fn mode(self) -> u16 {
        self.record.mode
    }

    /// Where its bytes are: its own path, or for a link the path it leads to.
    fn real_path(self) -> &'t [u8] {
        if self.record.target_len == 0 {
            return self.path_bytes();
        }
        let start = usize::try_from(self.record.start).unwrap_or(usize::MAX) + usize::from(self.record.path_len);
        &self.tree.paths[start..start + usize::from(self.record.target_len)]
    }
}

impl FileTree {
    /// How many files.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The sum of their sizes, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The files, sorted by path.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = TreeEntry<'_>> {
        self.records.iter().enumerate().map(|(place, record)| TreeEntry { tree: self, record, place })
    }

    /// The file at `place` in the list.
    pub(super) fn entry(&self, place: usize) -> Option<TreeEntry<'_>> {
        self.records.get(place).map(|record| TreeEntry { tree: self, record, place })
    }

    /// Opens files again, one after the other.
    pub(crate) fn opener(&self) -> TreeOpener<'_> {
        TreeOpener { root: self.dir.as_fd(), parent: Vec::new(), parent_fd: None }
    }
}

/// Sends the content of one file of `tree`.
pub fn send_entry(tree: &FileTree, entry: TreeEntry<'_>, sink: &mut dyn BodySink) -> Result<(), TransferError> {
    let mut outlet = ChunkWriter::new(sink, entry.size());
    tree.opener().open(entry)?.write_to(&mut outlet, &mut |_| ())?;
    outlet.finish()?;
    Ok(())
}

/// A file of a tree, open again.
pub(crate) struct OpenEntry<'t> {
    entry: TreeEntry<'t>,
    file: OwnedFd,
}

impl OpenEntry<'_> {
    /// The open file.
    pub(super) fn into_fd(self) -> OwnedFd {
        self.file
    }

    /// Reads it from beginning to end into `into`, showing each part to `look` as well.
    pub(crate) fn write_to(&self, into: &mut dyn ChunkBuf, look: &mut dyn FnMut(&[u8])) -> Result<(), TransferError> {
        pour(self.file.as_fd(), self.entry.size(), self.entry.path_bytes(), into, look)
    }
}

/// Opens the files of a tree again. As they are sorted, the next one is usually in the directory of the last, which
/// therefore stays open.
pub(crate) struct TreeOpener<'t> {
    root: BorrowedFd<'t>,
    /// The path of `parent_fd`.
    parent: Vec<u8>,
    /// `None` stands for the output directory itself.
    parent_fd: Option<OwnedFd>,
}

impl TreeOpener<'_> {
    /// Opens one file and makes sure that it is the one that was seen, of the same size.
    pub(crate) fn open<'e>(&mut self, entry: TreeEntry<'e>) -> Result<OpenEntry<'e>, TransferError> {
        let changed = || TransferError::Changed { name: owned_path(entry.path_bytes()) };
        let read = |errno| match errno {
            // Disconnected, or its place taken by a link, a directory's by a file.
            Errno::NOENT | Errno::LOOP | Errno::NOTDIR | Errno::NXIO => changed(),
            errno => TransferError::Read { name: owned_path(entry.path_bytes()), source: io::Error::from(errno) },
        };
        let file = self.open_path(entry.real_path()).map_err(read)?;
        let stat = fstat(&file).map_err(read)?;
        let record = entry.record;
        let same = is_regular(&stat)
            && (stat.st_dev, stat.st_ino, size_of(&stat)) == (record.device, record.inode, record.size);
        if same { Ok(OpenEntry { entry, file }) } else { Err(changed()) }
    }

    fn open_path(&mut self, path: &[u8]) -> Result<OwnedFd, Errno> {
        let (parent, name) = match path.iter().rposition(|byte| *byte == b'/') {
            Some(slash) => (&path[..slash], &path[slash + 1..]),
            None => (&[][..], path),
        };
        if parent != self.parent {
            self.parent.clear();
            self.parent_fd = None;
            if !parent.is_empty() {
                self.parent_fd = open_directory(self.root, parent)?;
                self.parent.extend_from_slice(parent);
            }
        }
        open_file(self.parent_fd.as_ref().map_or(self.root, |fd| fd.as_fd()), name)
    }
}

/// Walks down from `root`, a component at a time and through no link; `None` if `path` is empty.
fn open_directory(root: BorrowedFd<'_>, path: &[u8]) -> Result<Option<OwnedFd>, Errno> {
    let mut last: Option<OwnedFd> = None;
    for name in path.split(|byte| *byte == b'/') {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        last = Some(openat(last.as_ref().map_or(root, |fd| fd.as_fd()), name, flags, Mode::empty())?);
    }
    Ok(last)
}

/// Opens a file below `root` by a path without links in it.
pub(super) fn open_below(root: BorrowedFd<'_>, path: &[u8]) -> Result<OwnedFd, Errno> {
    TreeOpener { root, parent: Vec::new(), parent_fd: None }.open_path(path)
}

/// Opens what should be a regular file; whatever it has become meanwhile, that neither blocks nor follows a link.
pub(super) fn open_file<P: rustix::path::Arg>(dir: BorrowedFd<'_>, name: P) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    openat(dir, name, flags, Mode::empty())
}

pub(super) fn is_regular(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
}

/// The size that stat(2) gives, which is never negative for a file.
pub(super) fn size_of(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or_default()
}
