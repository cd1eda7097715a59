//! An upload: whole or not at all, where the server can rename.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use super::{
    WebDav,
    verbs::{Moved, Verbs},
};
use crate::{
    control::Control,
    error::{Error, ErrorKind},
    provider::web::FilePath,
    retry::attempts,
    source::Source,
};

/// The longest time for the removal of a part, which goes on when the call is over.
const REMOVAL: Duration = Duration::from_secs(10);

/// The pause before a part that was not there is looked for again: the server may not have seen yet that its upload broke.
const LATE: Duration = Duration::from_millis(200);

/// Looks for such a part, at most.
const LOOKS: u32 = 5;

/// Stores a file under `to`.
///
/// # Errors
/// It is not stored. Under its name there is what was there before, unless the server cannot rename.
pub(crate) fn upload(dav: &WebDav, source: &Source, to: &FilePath, control: &Control<'_>) -> Result<(), Error> {
    let refusal = dav.folders.make(&dav.verbs, to, control)?;
    let upload = Upload { dav, source, to, refusal, control };
    if !dav.cannot_move.load(Ordering::Relaxed)
        && let Some(moved) = upload.by_rename()?
    {
        return Ok(moved);
    }
    upload.put(to)?;
    upload.verify(to)
}

struct Upload<'a> {
    dav: &'a WebDav,
    source: &'a Source,
    to: &'a FilePath,
    /// The reason why the folder may be missing.
    refusal: Option<Error>,
    control: &'a Control<'a>,
}

impl Upload<'_> {
    fn verbs(&self) -> &Verbs {
        &self.dav.verbs
    }

    /// Sends the file under another name, and renames it. `None` if the server does not rename.
    fn by_rename(&self) -> Result<Option<()>, Error> {
        let mut part = Part { verbs: self.verbs(), path: self.to.part(), state: PartState::Unsent };
        part.state = PartState::Broken;
        if let Err(error) = self.put(&part.path) {
            if matches!(error.kind, ErrorKind::Credentials | ErrorKind::Denied | ErrorKind::NotFound) {
                part.state = PartState::Whole;
            }
            return Err(error);
        }
        part.state = PartState::Whole;
        self.verify(&part.path)?;
        match self.rename(&part.path)? {
            Moved::Unsupported(status) => {
                if !self.dav.cannot_move.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        "{}: the server does not rename (MOVE gave {status}); files are written under their own names, \
                         where a reader may see a part of one",
                        self.dav.name
                    );
                }
                Ok(None)
            }
            _ => {
                part.state = PartState::Unsent;
                Ok(Some(()))
            }
        }
    }

    /// Sends the file. If the folder has been removed meanwhile, it is created again.
    fn put(&self, to: &FilePath) -> Result<(), Error> {
        let put = || attempts(self.control, |_| self.verbs().put(to, self.source, self.control));
        let result = match put() {
            Err(error) if error.kind == ErrorKind::NotFound && self.refusal.is_none() => {
                self.dav.folders.forget();
                match self.dav.folders.make(self.verbs(), to, self.control)? {
                    None => put(),
                    Some(refusal) => Err(refusal),
                }
            }
            Err(error) if error.kind == ErrorKind::NotFound => Err(self.refusal(error)),
            result => result,
        };
        result?;
        self.source.check_unchanged()
    }

    fn refusal(&self, error: Error) -> Error {
        match &self.refusal {
            Some(refusal) => Error::new(refusal.kind, format!("{}; then {}", refusal.detail, error.detail)),
            None => error,
        }
    }

    /// Compares the size of the file on the server, if it tells it.
    fn verify(&self, file: &FilePath) -> Result<(), Error> {
        let unverified = |detail: String| Error::new(ErrorKind::Unverified, detail);
        match attempts(self.control, |_| self.verbs().size(file, self.control)) {
            Ok(Some(size)) if size != self.source.size() => {
                Err(unverified(format!("{} bytes were sent, and the server has {size}", self.source.size())))
            }
            Ok(_) => Ok(()),
            Err(error) if error.kind == ErrorKind::NotFound => {
                Err(unverified("the server took the file and does not have it".to_owned()))
            }
            Err(error) => Err(error),
        }
    }

    fn rename(&self, part: &FilePath) -> Result<Moved, Error> {
        match self.rename_once(part, false)? {
            Moved::Exists => {}
            moved => return Ok(moved),
        }
        let is_folder = attempts(self.control, |_| self.verbs().is_folder(&self.to.encoded(), self.control))?;
        if is_folder == Some(true) {
            return Err(Error::new(ErrorKind::Rejected, "there is a folder of this name"));
        }
        self.rename_once(part, true)
    }

    /// Renames the part. A repeat first looks whether the part is still there: its answer may have been lost, and some
    /// servers remove the file under the new name before they find that there is none to rename.
    fn rename_once(&self, part: &FilePath, overwrite: bool) -> Result<Moved, Error> {
        let verbs = self.verbs();
        attempts(self.control, |number| {
            if number > 0 && matches!(verbs.size(part, self.control), Err(error) if error.kind == ErrorKind::NotFound) {
                self.verify(self.to)?;
                return Ok(Moved::Done);
            }
            verbs.rename(part, self.to, overwrite, self.control)
        })
    }
}

/// The state of a part on the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PartState {
    /// There is none.
    Unsent,
    /// It may not be whole, and may even appear later.
    Broken,
    /// It is there, or the server has refused it.
    Whole,
}

/// A part on the server. It is removed on every way out, a cancelled call included.
struct Part<'a> {
    verbs: &'a Verbs,
    path: FilePath,
    state: PartState,
}

impl Drop for Part<'_> {
    fn drop(&mut self) {
        if self.state == PartState::Unsent {
            return;
        }
        if let Err(error) = self.remove() {
            tracing::warn!("cannot remove {}: {error}; it can be removed by hand", self.path);
        }
    }
}

impl Part<'_> {
    fn remove(&self) -> Result<(), Error> {
        let control = Control { deadline: Some(Instant::now() + REMOVAL), cancel: None };
        let looks = if self.state == PartState::Broken { LOOKS } else { 1 };
        for look in 0..looks {
            if look > 0 {
                control.pause(LATE)?;
            }
            if attempts(&control, |_| self.verbs.delete(&self.path, &control))? {
                return Ok(());
            }
        }
        Ok(())
    }
}
