//! A WebDAV server as a store: dCache, Apache, Nextcloud, rclone and others. Each bucket is a folder, each key a path
//! below it.
//!
//! A file is sent under another name beside its own, its size is compared, and it is renamed (MOVE): a PUT that breaks off
//! leaves a part of the file on most servers. A server that cannot rename gets it under its own name, and the log says so.
//!
//! The rename is first sent with `Overwrite: F`. Where there is something under that name already, it is sent again with
//! `Overwrite: T`, unless that is a folder: a rename over a folder removes it with all its files (RFC 4918 §9.9.3).

mod auth;
mod folders;
mod multistatus;
mod upload;
mod verbs;

use std::sync::{Arc, atomic::AtomicBool};

use bandog_tls::rustls::ClientConfig;

pub use self::auth::Auth;
use self::{folders::Folders, upload::upload, verbs::Verbs};
use crate::{
    control::Control,
    error::{Error, ErrorKind},
    http::Endpoint,
    name::ProviderName,
    object::ObjectPath,
    provider::{
        Fetch, Fetched, Provider,
        web::{Address, Download, FilePath, Sites, download, encoded},
    },
    retry::attempts,
    source::Source,
};

/// The server, and the credentials for it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its address; the path in it comes before every key.
    pub endpoint: Endpoint,
    /// The credentials.
    pub auth: Auth,
    /// The certificates that are trusted.
    pub trust: Arc<ClientConfig>,
}

/// A WebDAV server.
#[derive(Debug)]
pub struct WebDav {
    name: ProviderName,
    verbs: Verbs,
    folders: Folders,
    /// Set once the server has refused to rename.
    cannot_move: AtomicBool,
}

impl WebDav {
    /// The store on the server of `settings`.
    ///
    /// # Errors
    /// The certificates cannot be read.
    pub fn new(name: ProviderName, settings: Settings) -> Result<Self, Error> {
        let Settings { endpoint, auth, trust } = settings;
        let verbs = Verbs::new(Arc::new(Sites::new(trust)), endpoint, auth);
        Ok(Self { name, verbs, folders: Folders::default(), cannot_move: AtomicBool::new(false) })
    }
}

impl Provider for WebDav {
    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn fetch(&self, fetch: &Fetch<'_>, control: &Control<'_>) -> Result<Fetched, Error> {
        let path = FilePath::of(fetch.from)?;
        let new = fetch.create()?;
        let authorization = || self.verbs.authorization();
        let address = self.verbs.address(&path.encoded());
        let from = Download { sites: self.verbs.sites(), address, authorization: &authorization, fetch };
        download(&from, &new.file, control)?;
        new.keep()
    }

    fn store(&self, source: &Source, to: &ObjectPath, control: &Control<'_>) -> Result<(), Error> {
        upload(self, source, &FilePath::of(to)?, control)
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
}

#[cfg(test)]
mod tests;
