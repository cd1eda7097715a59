//! An upload: whole or not at all, where the server can rename.

use std::sync::atomic::Ordering;

use super::{
    WebDav,
    verbs::{Moved, Verbs},
};
use crate::{
    control::Control,
    error::{Error, ErrorKind},
    journal::Entry,
    object::ObjectPath,
    provider::web::{FilePath, PartState, Sending},
    retry::attempts,
    source::Source,
};

/// Stores a file as `object`.
///
/// # Errors
/// It is not stored. Under its name there is what was there before, unless the server cannot rename.
pub(crate) fn upload(dav: &WebDav, source: &Source, object: &ObjectPath, control: &Control<'_>) -> Result<(), Error> {
    let to = &FilePath::of(object)?;
    let sending = Sending::begin(&dav.verbs, &dav.folders, source, to, control)?;
    let upload = FileUpload { dav, object, to, sending };
    if !dav.cannot_move.load(Ordering::Relaxed)
        && let Some(moved) = upload.by_rename()?
    {
        return Ok(moved);
    }
    upload.sending.put(to)?;
    upload.sending.verify(to)
}

struct FileUpload<'a> {
    dav: &'a WebDav,
    object: &'a ObjectPath,
    to: &'a FilePath,
    sending: Sending<'a>,
}

impl FileUpload<'_> {
    fn verbs(&self) -> &Verbs {
        &self.dav.verbs
    }

    fn control(&self) -> &Control<'_> {
        self.sending.control
    }

    /// Sends the file under another name, and renames it. `None` if the server does not rename.
    fn by_rename(&self) -> Result<Option<()>, Error> {
        let path = self.to.part();
        let (provider, object) = (self.dav.name.clone(), self.object.clone());
        let mut part = self.sending.part(&Entry { provider, object, part: path.to_string() }, path)?;
        if !self.dav.escapes.can_rename(self.verbs(), &mut part.path, self.to, self.control())? {
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
            self.sending.verify(self.to)?;
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

    fn rename(&self, part: &FilePath) -> Result<Moved, Error> {
        match self.rename_once(part, false)? {
            Moved::Exists => {}
            moved => return Ok(moved),
        }
        let is_folder = attempts(self.control(), |_| self.verbs().is_folder(&self.to.encoded(), self.control()))?;
        if is_folder == Some(true) {
            return Err(Error::new(ErrorKind::Rejected, "there is a folder of this name"));
        }
        self.rename_once(part, true)
    }

    fn rename_once(&self, part: &FilePath, overwrite: bool) -> Result<Moved, Error> {
        let rename = || self.verbs().rename(part, self.to, overwrite, self.control());
        Ok(self.sending.rename(part, self.to, rename)?.unwrap_or(Moved::Done))
    }
}
