//! The files of an output one by one, for several threads at once.

use std::{
    io,
    os::fd::{AsFd as _, OwnedFd},
    path::Path,
};

use super::{
    Output, TransferError,
    file::{FileContent, OutputFile, owned_path},
    tree::{FileTree, TreeOpener},
};

/// The files that a function left in its output directory.
#[derive(Debug, Clone, Copy)]
pub struct OutputFiles<'o>(Files<'o>);

#[derive(Debug, Clone, Copy)]
enum Files<'o> {
    None,
    One(&'o OutputFile),
    Several(&'o FileTree),
}

/// Opens files, one after the other.
pub struct FileOpener<'o> {
    files: OutputFiles<'o>,
    /// `None` for a single file.
    tree: Option<TreeOpener<'o>>,
}

impl<'o> OutputFiles<'o> {
    /// The files of an output. Standard output is none.
    #[must_use]
    pub fn of(output: &'o Output) -> Self {
        Self(match output {
            Output::File(file) if matches!(file.content, FileContent::File(_)) && !file.is_bare() => Files::One(file),
            Output::Tree(tree) => Files::Several(tree),
            Output::File(_) | Output::None | Output::Streamed(_) => Files::None,
        })
    }

    /// How many there are.
    #[must_use]
    pub fn len(self) -> usize {
        match self.0 {
            Files::None => 0,
            Files::One(_) => 1,
            Files::Several(tree) => tree.len(),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The path of a file below the output directory, which may contain any byte but NUL; `None` from [`Self::len`] on.
    #[must_use]
    pub fn path(self, index: usize) -> Option<&'o Path> {
        match self.0 {
            Files::One(file) if index == 0 => Some(file.path()),
            Files::Several(tree) => tree.entry(index).map(super::tree::TreeEntry::path),
            Files::None | Files::One(_) => None,
        }
    }

    /// Opens them again, for one thread.
    #[must_use]
    pub fn opener(self) -> FileOpener<'o> {
        let tree = match self.0 {
            Files::Several(tree) => Some(tree.opener()),
            Files::None | Files::One(_) => None,
        };
        FileOpener { files: self, tree }
    }
}

impl FileOpener<'_> {
    /// Opens a file, which is the one that was found.
    ///
    /// # Errors
    /// It was replaced, or cannot be opened.
    pub fn open(&mut self, index: usize) -> Result<OwnedFd, TransferError> {
        let missing = || TransferError::Read { name: owned_path(b""), source: io::ErrorKind::NotFound.into() };
        match (self.files.0, &mut self.tree) {
            (Files::One(OutputFile { content: FileContent::File(file), path, .. }), _) if index == 0 => {
                let copied = file.as_fd().try_clone_to_owned();
                copied.map_err(|source| TransferError::Read { name: owned_path(path), source })
            }
            (Files::Several(tree), Some(opener)) => {
                let entry = tree.entry(index).ok_or_else(missing)?;
                Ok(opener.open(entry)?.into_fd())
            }
            _ => Err(missing()),
        }
    }
}
