//! The folders that are known to be there.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use super::{
    file_server::FileServer,
    path::{FilePath, encoded},
};
use crate::{
    control::Control,
    error::{Again, Error, ErrorKind},
    retry::attempts,
};

/// Folders that are remembered, at most. Beyond that all are forgotten, and each costs one request more.
const REMEMBERED: usize = 10_000;

/// The folders that are known to be there.
#[derive(Debug, Default)]
pub(crate) struct Folders(Mutex<HashSet<String>>);

impl Folders {
    /// Creates the folders of a file that are not known to be there, from the topmost one. Returns the reason why the
    /// last one may be missing: a server may forbid it though it is there.
    ///
    /// # Errors
    /// No file can be stored.
    pub(crate) fn make(
        &self,
        server: &dyn FileServer,
        file: &FilePath,
        control: &Control<'_>,
    ) -> Result<Option<Error>, Error> {
        if file.folder().is_empty() || self.is_known(file.folder()) {
            return Ok(None);
        }
        let mut refusal = None;
        for folder in file.folders().filter(|folder| !self.is_known(folder)) {
            refusal = match attempts(control, |_| server.make_folder(&encoded(folder), control)) {
                Ok(()) => {
                    self.remember(folder);
                    None
                }
                // Above the folder that one may write to there are others that one may not, and which are there.
                Err(error) if matches!(error.kind, ErrorKind::Denied | ErrorKind::NotFound) => {
                    Some(Error { detail: format!("cannot create the folder {folder:?}: {}", error.detail), ..error })
                }
                Err(error) => return Err(error),
            };
        }
        Ok(refusal.map(|error| Error { again: Again::Never, ..error }))
    }

    /// Forgets all of them: one was removed.
    pub(crate) fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn is_known(&self, folder: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(folder)
    }

    fn remember(&self, folder: &str) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(folder.to_owned());
    }
}
