//! A Onedata provider as a store, over CDMI 1.1.1: the bucket is the space, and the key a path in it.
//!
//! An output goes into the configured space: unless its path begins with the space, it is a path in the space.
//!
//! A file is sent under another name beside its own, its size is compared, and it is moved. CDMI moves no file over
//! another one: the one that is there is moved aside first, and back if the new one cannot take its place. So there is a
//! moment without the object, but none with a part of it.

mod cdmi;
mod upload;

use self::{
    cdmi::{Cdmi, Found},
    upload::{restore, upload},
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
        web::{FileDownload, FilePath, FileServer as _, Folders, Sites, download},
    },
    retry::attempts,
    secret::Secret,
    source::Source,
};

/// The provider, and the token for it.
#[derive(Debug, Clone)]
pub struct OnedataSettings {
    /// The address of the Oneprovider.
    pub endpoint: Endpoint,
    /// The access token.
    pub token: Secret,
    /// The space of outputs.
    pub space: String,
    /// The certificates that are trusted.
    pub trust: Trust,
}

/// A Onedata provider.
#[derive(Debug)]
pub struct Onedata {
    name: ProviderName,
    cdmi: Cdmi,
    space: String,
    folders: Folders,
}

impl Onedata {
    /// The store on the provider of `settings`.
    ///
    /// # Errors
    /// The certificates cannot be read, or there is no space.
    pub fn new(name: ProviderName, settings: OnedataSettings) -> Result<Self, Error> {
        let OnedataSettings { endpoint, token, space, trust } = settings;
        if space.is_empty() || space.contains('/') {
            let detail = format!("{space:?} is no name of a space; expected one without '/'");
            return Err(Error::new(ErrorKind::NoBucket, detail));
        }
        let cdmi = Cdmi::new(Sites::new(trust.client_config()?), endpoint, token);
        Ok(Self { name, cdmi, space, folders: Folders::default() })
    }

    /// The place of an output: in the space.
    fn in_space(&self, to: &ObjectPath) -> ObjectPath {
        match to.bucket.as_str() {
            bucket if bucket == self.space => to.clone(),
            "" => ObjectPath::new(&self.space, &to.key),
            bucket => ObjectPath::new(&self.space, format!("{bucket}/{}", to.key)),
        }
    }
}

impl Provider for Onedata {
    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn fetch(&self, fetch: &Fetch<'_>, control: &Control<'_>) -> Result<Fetched, Error> {
        let path = FilePath::of(fetch.from)?;
        match attempts(control, |_| self.cdmi.find(&path, control))? {
            Some(Found::File) => {}
            // It would be fetched as a list of its files.
            Some(Found::Folder) => return Err(Error::new(ErrorKind::NotFound, "this is a folder")),
            None => return Err(Error::new(ErrorKind::NotFound, "there is no such file")),
        }
        let new = fetch.create()?;
        let credential = || self.cdmi.credential();
        let address = self.cdmi.address(&path.encoded());
        download(
            &FileDownload {
                sites: self.cdmi.sites(),
                address,
                credential: &credential,
                is_folder: &|| Ok(false),
                fetch,
            },
            &new.file,
            control,
        )?;
        new.keep()
    }

    fn store(&self, source: &Source, to: &ObjectPath, control: &Control<'_>) -> Result<(), Error> {
        upload(self, source, &self.in_space(to), control)
    }

    fn check(&self, _: Option<&ObjectPath>, control: &Control<'_>) -> Result<(), Error> {
        if attempts(control, |_| self.cdmi.has_folder(&self.space, control))? {
            return Ok(());
        }
        Err(Error::new(ErrorKind::NoBucket, format!("there is no space {:?}", self.space)))
    }

    fn discard(&self, entry: &Entry, control: &Control<'_>) -> Result<(), Error> {
        let part = FilePath::of_part(&entry.part)?;
        restore(&self.cdmi, &part.aside(), &FilePath::of(&entry.object)?, control)?;
        attempts(control, |_| self.cdmi.delete(&part, control)).map(drop)
    }
}

#[cfg(test)]
mod tests;
