//! Rucio as a store: the bucket is the scope, and the key the name of a file or dataset in it.
//!
//! Rucio is a catalogue. The content lies on storage elements, which are reached over HTTP or WebDAV; a token of OpenID
//! Connect is sent to those that are reached over TLS, as Rucio's own clients do.
//!
//! A dataset is fetched as a directory of its files. A name is given once: a file is stored under a name that is taken only
//! if it is the same file. The folder of an output is the dataset that its file is attached to, if there is one of that
//! name.

mod catalogue;
mod checksum;
mod did;
mod failure;
mod receive;
mod send;
mod token;

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

pub use self::token::{RefreshToken, RucioAuth};
use self::{
    catalogue::Catalogue,
    did::Did,
    receive::receive,
    send::{Storage, send, storage},
    token::Tokens,
};
use crate::{
    control::Control,
    error::{Error, ErrorKind},
    http::{Endpoint, Trust},
    journal::Entry,
    name::ProviderName,
    object::ObjectPath,
    provider::{Fetch, Fetched, Provider, web::Sites},
    source::Source,
};

/// The server, and the credentials for it.
#[derive(Debug, Clone)]
pub struct RucioSettings {
    /// The address of the catalogue.
    pub host: Endpoint,
    /// The address of the server that gives tokens for it.
    pub auth_host: Endpoint,
    /// The account, which is the scope of outputs as well.
    pub account: String,
    /// The storage element of outputs; without one, the first that takes files.
    pub rse: Option<String>,
    /// The credentials.
    pub auth: RucioAuth,
    /// The certificates that are trusted.
    pub trust: Trust,
}

/// A Rucio server.
#[derive(Debug)]
pub struct Rucio {
    name: ProviderName,
    catalogue: Catalogue,
    sites: Arc<Sites>,
    account: String,
    rse: Option<String>,
    trust: Trust,
    /// The datasets that are known to be there.
    datasets: Mutex<HashSet<Did>>,
    storage: Mutex<Option<Storage>>,
}

impl Rucio {
    /// The store of the server of `settings`.
    ///
    /// # Errors
    /// The certificates cannot be read, or the account has no name.
    pub fn new(name: ProviderName, settings: RucioSettings) -> Result<Self, Error> {
        let RucioSettings { host, auth_host, account, rse, auth, trust } = settings;
        if account.is_empty() {
            return Err(Error::new(ErrorKind::Credentials, "the account is empty"));
        }
        let sites = Arc::new(Sites::new(trust.client_config()?));
        let tokens = Tokens::new(Arc::clone(&sites), auth_host, account.clone(), auth);
        let catalogue = Catalogue::new(Arc::clone(&sites), host, tokens);
        Ok(Self { name, catalogue, sites, account, rse, trust, datasets: Mutex::default(), storage: Mutex::default() })
    }
}

impl Provider for Rucio {
    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn fetch(&self, fetch: &Fetch<'_>, control: &Control<'_>) -> Result<Fetched, Error> {
        receive(self, fetch, control)
    }

    fn store(&self, source: &Source, to: &ObjectPath, control: &Control<'_>) -> Result<(), Error> {
        send(self, source, to, control)
    }

    fn check(&self, at: Option<&ObjectPath>, control: &Control<'_>) -> Result<(), Error> {
        let scopes = self.catalogue.scopes(&self.account, control)?;
        if let Some(rse) = &self.rse {
            self.catalogue.storage_element(rse, control)?;
        }
        match at.filter(|at| !at.bucket.is_empty() && !scopes.contains(&at.bucket)) {
            // Others may be read from.
            Some(at) if !self.catalogue.has_scope(&at.bucket, control)? => {
                Err(Error::new(ErrorKind::NoBucket, format!("there is no scope {:?}", at.bucket)))
            }
            _ => Ok(()),
        }
    }

    fn discard(&self, entry: &Entry, control: &Control<'_>) -> Result<(), Error> {
        storage(self, &Did::new(&self.account, "part"), control)?.0.discard(entry, control)
    }
}

#[cfg(test)]
mod tests;
