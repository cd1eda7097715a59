//! The store behind a function: objects that events name become its input, and its output files become objects.
//!
//! Only the seam is here. A crate that knows networks implements it.

use std::{
    ffi::OsString,
    fmt,
    path::PathBuf,
    time::{Duration, Instant},
};

use crate::{
    input::{InputDir, StorageEvent},
    output::OutputFiles,
    process::Cancel,
};

pub use crate::input::{StorageError, StorageErrorKind};

/// A store. Its methods block.
pub trait Storage: fmt::Debug + Send + Sync {
    /// Reads a body as an event about objects: its records, in order, at least one. `None` if it is no event.
    /// `provider` is the name of the store that the event is from, if an envelope has told it.
    fn read_event(&self, document: &[u8], provider: Option<&str>) -> Option<Vec<Box<dyn ObjectEvent>>>;

    /// Whether the outputs of a function go anywhere: of one that succeeded, or of one that failed.
    fn takes_output(&self, is_success: bool) -> bool;

    /// Stores output files. A transfer that fails does not stop the others.
    fn store(&self, request: &StoreRequest<'_>, limits: &TransferLimits<'_>) -> Stored;
}

/// The output files of a run.
#[derive(Debug, Clone, Copy)]
pub struct StoreRequest<'a> {
    /// The files.
    pub files: OutputFiles<'a>,
    /// The id of the call.
    pub call_id: &'a str,
    /// The bucket of the object that was the input, if one was.
    pub event_bucket: Option<&'a str>,
}

/// One record of an event: something has happened to an object.
pub trait ObjectEvent: fmt::Debug + Send {
    /// The place of the object, for messages.
    fn object(&self) -> String;

    /// The reason why nothing is run for it; `None` if something is.
    fn ignored(&self) -> Option<&str>;

    /// Asks whether the function may run for it now. Waits while another call runs it for the same event.
    fn begin(&mut self, limits: &TransferLimits<'_>) -> Begun;

    /// Fetches the object into the input directory. After an error nothing of it is left there.
    ///
    /// # Errors
    /// The reason, with the object and its store.
    fn fetch(
        &mut self,
        dir: InputDir<'_>,
        max_body: u64,
        limits: &TransferLimits<'_>,
    ) -> Result<FetchedObject, StorageError>;

    /// Tells how the run that [`ObjectEvent::begin`] permitted has ended. Without a call of this it has failed.
    fn finish(&mut self, is_success: bool);
}

/// The end of a transfer that is not its own.
#[derive(Debug, Clone, Copy)]
pub struct TransferLimits<'a> {
    /// The cancellation of the call.
    pub cancel: &'a Cancel,
    /// When the transfer must be over; `None` for no limit.
    pub deadline: Option<Instant>,
}

/// Whether a function may run for an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// It may.
    Run,
    /// It has succeeded for the same event before.
    Duplicate,
    /// It has failed for the same event a moment ago; how long to wait until it may run again.
    Busy(Duration),
}

/// An object that is ready as an input.
#[derive(Debug)]
pub struct FetchedObject {
    /// The input file, or the directory where the object is a set of files.
    pub path: PathBuf,
    /// Bytes, of all files together.
    pub bytes: u64,
    /// The event for the function; `None` where no environment variable can hold it.
    pub event: Option<StorageEvent>,
    /// Its bucket.
    pub bucket: Option<String>,
    /// Further variables for the function.
    pub variables: Vec<(OsString, OsString)>,
}

/// The fate of the output files of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored {
    /// Objects that were stored, as `BUCKET/KEY of PROVIDER`; the first ones.
    pub stored: Vec<String>,
    /// Transfers that failed, each with its reason; the first ones.
    pub failed: Vec<String>,
    /// Files that no output takes; the first ones.
    pub skipped: Vec<String>,
    /// The numbers of all of them.
    pub counts: StoredCounts,
    /// The directory that the files of failed transfers are kept in, if they are.
    pub kept: Option<PathBuf>,
}

/// The numbers of transfers by their fate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoredCounts {
    /// Objects that were stored.
    pub stored: u64,
    /// Transfers that failed.
    pub failed: u64,
    /// Files that no output takes.
    pub skipped: u64,
}

impl Stored {
    /// Objects and files that are listed of each fate; of more only the number is told.
    pub const LISTED: usize = 100;

    /// Whether each transfer succeeded.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.counts.failed == 0
    }

    /// Whether files are in no store and not kept either.
    #[must_use]
    pub fn is_unsaved(&self) -> bool {
        !self.is_whole() && self.kept.is_none()
    }

    /// Adds a stored object.
    pub fn add_stored(&mut self, object: impl FnOnce() -> String) {
        self.counts.stored += 1;
        list(&mut self.stored, object);
    }

    /// Adds a failed transfer.
    pub fn add_failed(&mut self, reason: impl FnOnce() -> String) {
        self.counts.failed += 1;
        list(&mut self.failed, reason);
    }

    /// Adds a file that no output takes.
    pub fn add_skipped(&mut self, file: impl FnOnce() -> String) {
        self.counts.skipped += 1;
        list(&mut self.skipped, file);
    }
}

fn list(listed: &mut Vec<String>, entry: impl FnOnce() -> String) {
    if listed.len() < Stored::LISTED {
        listed.push(entry());
    }
}
