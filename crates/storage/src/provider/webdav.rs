//! A WebDAV server as a store: dCache, Apache, Nextcloud, rclone and others. Each bucket is a folder, each key a path
//! below it.
//!
//! A file is sent under another name beside its own, its size is compared, and it is renamed (MOVE): a PUT that breaks off
//! leaves a part of the file on most servers. A server that cannot rename gets it under its own name, and the log says so.
//!
//! A redirect is followed with the file, as to a pool of dCache; credentials go to no other server. No `Expect` is sent:
//! without it dCache passes a file on itself, and asks for no second attempt.
//!
//! The rename is first sent with `Overwrite: F`. Where there is something under that name already, it is sent again with
//! `Overwrite: T`, unless that is a folder: a rename over a folder removes it with all its files (RFC 4918 §9.9.3).

mod auth;
mod escapes;
mod multistatus;
mod upload;
mod verbs;

use std::sync::atomic::AtomicBool;

pub use self::auth::Auth;
use self::{
    escapes::{Escapes, tried},
    upload::upload,
    verbs::Verbs,
};
use crate::{
    control::Control,
    error::{Error, ErrorKind},
    http::{Endpoint, Trust},
    journal::Entry,
    name::ProviderName,
    object::ObjectPath,
    provider::{
        Fetch, Fetched, Provider,
        web::{Address, FileDownload, FilePath, FileServer as _, Folders, Sites, download, encoded},
    },
    retry::attempts,
    source::Source,
};

/// The server, and the credentials for it.
#[derive(Debug, Clone)]
pub struct WebDavSettings {
    /// Its address; the path in it comes before every key.
    pub endpoint: Endpoint,
    /// The credentials.
    pub auth: Auth,
    /// The certificates that are trusted.
    pub trust: Trust,
}

/// A WebDAV server.
#[derive(Debug)]
pub struct WebDav {
    name: ProviderName,
    verbs: Verbs,
    folders: Folders,
    /// Set once the server has refused to rename.
    cannot_move: AtomicBool,
    told_of_plain: AtomicBool,
    escapes: Escapes,
}

impl WebDav {
    /// The store on the server of `settings`.
    ///
    /// # Errors
    /// The certificates cannot be read.
    pub fn new(name: ProviderName, settings: WebDavSettings) -> Result<Self, Error> {
        let WebDavSettings { endpoint, auth, trust } = settings;
        Ok(Self {
            name,
            verbs: Verbs::new(Sites::new(trust.client_config()?), endpoint, auth),
            folders: Folders::default(),
            cannot_move: AtomicBool::default(),
            told_of_plain: AtomicBool::default(),
            escapes: Escapes::default(),
        })
    }
}

impl WebDav {
    /// Removes a file, if it is there.
    pub(super) fn remove(&self, object: &ObjectPath, control: &Control<'_>) -> Result<(), Error> {
        let path = FilePath::of(object)?;
        attempts(control, |_| self.verbs.delete(&path, control)).map(drop)
    }
}

impl Provider for WebDav {
    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn fetch(&self, fetch: &Fetch<'_>, control: &Control<'_>) -> Result<Fetched, Error> {
        let path = FilePath::of(fetch.from)?;
        let new = fetch.create()?;
        let credential = || self.verbs.credential();
        let address = self.verbs.address(&path.encoded());
        let is_folder = || Ok(self.verbs.is_folder(&path.encoded(), control)? == Some(true));
        let from =
            FileDownload { sites: self.verbs.sites(), address, credential: &credential, is_folder: &is_folder, fetch };
        download(&from, &new.file, control)?;
        new.keep()
    }

    fn store(&self, source: &Source, to: &ObjectPath, control: &Control<'_>) -> Result<(), Error> {
        upload(self, source, to, control)
    }

    fn check(&self, at: Option<&ObjectPath>, control: &Control<'_>) -> Result<(), Error> {
        attempts(control, |_| self.verbs.is_folder("/", control))?.ok_or_else(|| {
            let address: Address = self.verbs.address("/");
            Error::new(ErrorKind::NotFound, format!("{}: there is no such folder", address.url()))
        })?;
        let Some(at) = at.filter(|at| !at.bucket.is_empty()) else { return Ok(()) };
        // An output makes its folders.
        attempts(control, |_| self.verbs.is_folder(&encoded(&at.bucket), control)).map(drop)
    }

    fn discard(&self, entry: &Entry, control: &Control<'_>) -> Result<(), Error> {
        let part = FilePath::of_part(&entry.part)?;
        let others = tried(&FilePath::of(&entry.object)?, &part);
        for path in others.iter().chain([&part]) {
            attempts(control, |_| self.verbs.delete(path, control))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
