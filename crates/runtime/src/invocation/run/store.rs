//! Output files → objects, where the function has a store.

use super::Invocation;
use crate::{
    invocation::outcome::Failure,
    logs::Level,
    output::{self, Output, OutputFiles},
    storage::{Storage, StoreRequest, Stored, StoredCounts},
};

impl Invocation<'_> {
    /// Stores the output of a function that succeeded. Where the response is its standard output, those are the files that
    /// it left beside that.
    pub(super) fn store(&mut self, response: &Output) -> Result<Option<Stored>, Failure> {
        let Some(storage) = self.function.storage.as_ref().filter(|storage| storage.takes_output(true)) else {
            return Ok(None);
        };
        if self.function.stdout.is_none() {
            return Ok(Some(self.transfer(&**storage, response)));
        }
        let files = self.left_files()?;
        Ok(Some(self.transfer(&**storage, &files)))
    }

    /// Stores the output of a function that failed, if it is to be stored.
    pub(super) fn store_failed(&mut self) -> Option<Stored> {
        let storage = self.function.storage.as_ref().filter(|storage| storage.takes_output(false))?;
        match self.left_files() {
            Ok(files) => Some(self.transfer(&**storage, &files)),
            Err(failure) => {
                self.log.note(Level::Error, &format!("the output of the failed function is not stored: {failure}"));
                None
            }
        }
    }

    /// The files in the output directory.
    fn left_files(&mut self) -> Result<Output, Failure> {
        let (log, workspace) = (&mut self.log, &*self.workspace);
        let mut warn = |text: String| log.note(Level::Warning, &text);
        let path = workspace.output_path();
        Ok(output::collect(workspace.output(), &path, self.function.reader(), &mut warn)?)
    }

    fn transfer(&mut self, storage: &dyn Storage, files: &Output) -> Stored {
        let (call_id, event_bucket) = (&*self.call.id, self.event_bucket.as_deref());
        let request = StoreRequest { files: OutputFiles::of(files), call_id, event_bucket };
        let stored = storage.store(&request, &self.transfer_limits());
        for object in &stored.stored {
            self.log.note(Level::Info, &format!("output stored: {object}"));
        }
        for reason in &stored.failed {
            self.log.note(Level::Error, &format!("output not stored: {reason}"));
        }
        for file in &stored.skipped {
            self.log.note(Level::Info, &format!("output skipped, as no place in the configuration takes it: {file}"));
        }
        let counts = stored.counts;
        if counts == StoredCounts::default() {
            return stored;
        }
        let level = if stored.is_whole() { Level::Info } else { Level::Error };
        let summary =
            format!("outputs: {} stored, {} failed, {} skipped", counts.stored, counts.failed, counts.skipped);
        self.log.note(level, &summary);
        if let Some(path) = &stored.kept {
            self.log.note(Level::Error, &format!("outputs that could not be stored are kept in {}", path.display()));
        }
        stored
    }
}
