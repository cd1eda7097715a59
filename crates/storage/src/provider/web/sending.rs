//! Sending a file to a server, with its folders, and comparing what has arrived.

use super::{
    file_server::FileServer,
    folders::Folders,
    part::{PartState, RemotePart},
    path::FilePath,
};
use crate::{
    control::Control,
    error::{Error, ErrorKind},
    journal::Entry,
    retry::attempts,
    source::Source,
};

/// A file on its way to a server.
pub(crate) struct Sending<'a> {
    pub(crate) server: &'a dyn FileServer,
    pub(crate) folders: &'a Folders,
    pub(crate) source: &'a Source,
    pub(crate) control: &'a Control<'a>,
    /// The reason why the folder may be missing.
    refusal: Option<Error>,
}

impl<'a> Sending<'a> {
    /// Creates the folders of `to`.
    ///
    /// # Errors
    /// No file can be stored.
    pub(crate) fn begin(
        server: &'a dyn FileServer,
        folders: &'a Folders,
        source: &'a Source,
        to: &FilePath,
        control: &'a Control<'a>,
    ) -> Result<Self, Error> {
        let refusal = folders.make(server, to, control)?;
        Ok(Self { server, folders, source, control, refusal })
    }

    /// Sends the file as a part beside its own name, and compares its size.
    pub(crate) fn part(&self, entry: &Entry, path: FilePath) -> Result<RemotePart<'a>, Error> {
        let record = self.source.record(entry)?;
        let mut part = RemotePart { server: self.server, path, state: PartState::Broken, record };
        if let Err(error) = self.put(&part.path) {
            if matches!(error.kind, ErrorKind::Credentials | ErrorKind::Denied | ErrorKind::NotFound) {
                part.state = PartState::Whole;
            }
            return Err(error);
        }
        part.state = PartState::Whole;
        self.verify(&part.path)?;
        Ok(part)
    }

    /// Sends the file. If the folder has been removed meanwhile, it is created again.
    pub(crate) fn put(&self, to: &FilePath) -> Result<(), Error> {
        let put = || attempts(self.control, |_| self.server.put(to, self.source, self.control));
        let result = match put() {
            Err(error) if error.kind == ErrorKind::NotFound && self.refusal.is_none() => {
                self.folders.forget();
                match self.folders.make(self.server, to, self.control)? {
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
    pub(crate) fn verify(&self, file: &FilePath) -> Result<(), Error> {
        let unverified = |detail: String| Error::new(ErrorKind::Unverified, detail);
        match attempts(self.control, |_| self.server.size(file, self.control)) {
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

    /// Calls `rename` until it succeeds. A repeat first looks whether the part is still there: the answer may have been
    /// lost, and some servers remove the file under the new name before they find that there is none to rename. `None` if
    /// the part is gone, and the file is there.
    pub(crate) fn rename<T>(
        &self,
        part: &FilePath,
        to: &FilePath,
        mut rename: impl FnMut() -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        attempts(self.control, |number| {
            let is_gone = |found: Result<_, Error>| found.is_err_and(|error| error.kind == ErrorKind::NotFound);
            if number > 0 && is_gone(self.server.size(part, self.control)) {
                self.verify(to)?;
                return Ok(None);
            }
            rename().map(Some)
        })
    }
}
