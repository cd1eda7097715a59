//! The requests that every server of files answers in its own way.

use super::path::FilePath;
use crate::{control::Control, error::Error, source::Source};

/// A server of files. Each method sends its request once.
pub(crate) trait FileServer: Sync {
    /// Sends a file.
    fn put(&self, to: &FilePath, source: &Source, control: &Control<'_>) -> Result<(), Error>;

    /// Removes a file. One that is not there is no failure: returns whether it was.
    fn delete(&self, file: &FilePath, control: &Control<'_>) -> Result<bool, Error>;

    /// Creates a folder, given by its escaped path, unless it is there.
    fn make_folder(&self, encoded: &str, control: &Control<'_>) -> Result<(), Error>;

    /// The size of a file; `None` if the server does not tell it.
    fn size(&self, file: &FilePath, control: &Control<'_>) -> Result<Option<u64>, Error>;
}
