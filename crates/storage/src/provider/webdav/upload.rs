//! An upload: whole or not at all, where the server can rename.

use std::sync::atomic::Ordering;

use super::{
    WebDav,
    part::{PartState, RemotePart},
    verbs::{Moved, Verbs},
};
use crate::{
    control::Control,
    error::{Error, ErrorKind},
    journal::Entry,
    object::ObjectPath,
    provider::web::FilePath,
    retry::attempts,
    source::Source,
};

/// Stores a file as `object`.
///
/// # Errors
/// It is not stored. Under its name there is what was there before, unless the server cannot rename.
pub(crate) fn upload(dav: &WebDav, source: &Source, object: &ObjectPath, control: &Control<'_>) -> Result<(), Error> {
    let to = &FilePath::of(object)?;
    let refusal = dav.folders.make(&dav.verbs, to, control)?;
    let upload = FileUpload { dav, source, object, to, refusal, control };
    if !dav.cannot_move.load(Ordering::Relaxed)
        && let Some(moved) = upload.by_rename()?
    {
        return Ok(moved);
    }
    upload.put(to)?;
    upload.verify(to)
}

struct FileUpload<'a> {
    dav: &'a WebDav,
    source: &'a Source,
    object: &'a ObjectPath,
    to: &'a FilePath,
    /// The reason why the folder may be missing.
    refusal: Option<Error>,
    control: &'a Control<'a>,
}

impl FileUpload<'_> {
    fn verbs(&self) -> &Verbs {
        &self.dav.verbs
    }

    /// Sends the file under another name, and renames it. `None` if the server does not rename.
    fn by_rename(&self) -> Result<Option<()>, Error> {
        let path = self.to.part();
        let record = self.source.record(&Entry {
            provider: self.dav.name.clone(),
            object: self.object.clone(),
            part: path.to_string(),
        })?;
        let mut part = RemotePart { verbs: self.verbs(), path, state: PartState::Unsent, record };
        part.state = PartState::Broken;
        if let Err(error) = self.put(&part.path) {
            if matches!(error.kind, ErrorKind::Credentials | ErrorKind::Denied | ErrorKind::NotFound) {
                part.state = PartState::Whole;
            }
            return Err(error);
        }
        part.state = PartState::Whole;
        self.verify(&part.path)?;
        if !self.dav.escapes.can_rename(self.verbs(), &mut part.path, self.to, self.control)? {
            self.tell("the server does not rename to this name");
            return Ok(None);
        }
        if let Moved::Unsupported(status) = self.rename(&part.path)? {
            self.dav.cannot_move.store(true, Ordering::Relaxed);
            self.tell(&format!("the server does not rename (MOVE gave {status})"));
            return Ok(None);
        }
        part.state = PartState::Unsent;
        if self.to.is_escaped() {
            // A server that reads escapes in another way has it under another name.
            self.verify(self.to)?;
        }
        Ok(Some(()))
    }

    /// Says once that files are not whole or not at all.
    fn tell(&self, reason: &str) {
        if !self.dav.told_of_plain.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "{}: {}: {reason}; such files are written under their own names, where a reader may see a part of one",
                self.dav.name,
                self.to
            );
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
