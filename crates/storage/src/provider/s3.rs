//! S3, as AWS, MinIO, Ceph, SeaweedFS, rclone and others speak it.
//!
//! ```text
//! get · put · multipart ──▶ api: sign, send, mend once ──▶ http::Client
//!                            ├─ address       where a bucket is
//!                            ├─ credentials   keys, or the chain of AWS
//!                            ├─ sign          signature version 4
//!                            └─ refusal       the reasons of the store, from document (XML)
//! ```
//!
//! The key of an object goes out byte for byte. Payloads have a fixed length and `Content-MD5`, which every dialect checks;
//! no `aws-chunked` and no `x-amz-checksum-*`, which some store or refuse.

mod address;
mod api;
mod complete;
mod credentials;
mod digest;
mod document;
mod get;
mod multipart;
mod put;
mod refusal;
mod sign;

use std::num::NonZeroUsize;

use http::Method;

pub use self::credentials::ChainVariables;
use self::{
    api::{Api, Call},
    multipart::PartThreads,
};
use crate::{
    control::Control,
    error::{Error, ErrorKind},
    http::{Endpoint, Trust},
    journal::Entry,
    name::ProviderName,
    object::ObjectPath,
    provider::{Fetch, Fetched, Provider},
    retry::attempts,
    secret::Secret,
    source::Source,
};

/// Parts of an object that are sent at once, unless it is said otherwise.
const PARTS_AT_ONCE: NonZeroUsize = NonZeroUsize::new(4).expect("not zero");

/// Bytes up to which an object is sent in one request.
const WHOLE: u64 = 16 * 1024 * 1024;

/// The settings of a store.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The server; `None` for that of AWS for the region.
    pub endpoint: Option<Endpoint>,
    /// The region; `None` for that of the chain, or us-east-1.
    pub region: Option<String>,
    /// The keys.
    pub credentials: Credentials,
    /// The place of the bucket.
    pub addressing: Addressing,
    /// The certificates that are trusted.
    pub trust: Trust,
}

/// The source of the keys.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// These, read again at each use.
    Keys {
        /// The id of the key.
        access_key: Secret,
        /// The key.
        secret_key: Secret,
        /// The token of a session, if the key is one of a session.
        session_token: Option<Secret>,
    },
    /// The first of the sources that the programs of AWS know: the environment, the shared file, the web identity of a pod,
    /// the service of the container, the metadata of the instance.
    Chain(ChainVariables),
    /// None: requests are not signed.
    Anonymous,
}

/// The place of the bucket in an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addressing {
    /// The first segment of the path.
    Path,
    /// The first label of the host. A bucket that cannot be one stays in the path.
    Virtual,
}

/// A store that speaks S3.
#[derive(Debug)]
pub struct S3 {
    name: ProviderName,
    api: Api,
    parts_at_once: NonZeroUsize,
    part_threads: PartThreads,
}

impl S3 {
    /// A store with these settings. Reads the file of trusted certificates, and nothing else yet.
    ///
    /// # Errors
    /// [`ErrorKind::Tls`]: that file cannot be used.
    pub fn new(name: ProviderName, settings: Settings) -> Result<Self, Error> {
        Ok(Self { name, api: Api::new(settings)?, parts_at_once: PARTS_AT_ONCE, part_threads: PartThreads::default() })
    }

    /// The same with another bound on the parts of an object that are sent at once.
    #[must_use]
    pub fn parts_at_once(self, parts_at_once: NonZeroUsize) -> Self {
        Self { parts_at_once, ..self }
    }
}

impl Provider for S3 {
    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn fetch(&self, fetch: &Fetch<'_>, control: &Control<'_>) -> Result<Fetched, Error> {
        check_place(fetch.from)?;
        get::fetch(&self.api, fetch, control)
    }

    fn store(&self, source: &Source, to: &ObjectPath, control: &Control<'_>) -> Result<(), Error> {
        check_place(to)?;
        let stored = if source.size() <= WHOLE {
            put::store(&self.api, source, to, control)
        } else {
            multipart::store(&self.api, &self.name, source, to, (self.parts_at_once, &self.part_threads), control)
        };
        // The object is not there yet, so that only its bucket can be missing.
        stored.map_err(|error| match error.kind {
            ErrorKind::NotFound => Error { kind: ErrorKind::NoBucket, ..error },
            _ => error,
        })
    }

    /// Lists one object of the bucket, and without a bucket one bucket: unlike HEAD, that has a reason in its body.
    fn check(&self, at: Option<&ObjectPath>, control: &Control<'_>) -> Result<(), Error> {
        let bucket = at.map(|at| at.bucket.as_str()).unwrap_or_default();
        let object = ObjectPath::new(bucket, "");
        let query: &[(&str, &str)] = if bucket.is_empty() { &[] } else { &[("list-type", "2"), ("max-keys", "1")] };
        let checked = attempts(control, |_| {
            let call = Call { query, ..Call::new(Method::GET, &object) };
            // The head is enough: the list of buckets may be long.
            Ok(self.api.send(&call, control, |_| Ok(()))?)
        });
        match checked {
            // The store has recognised the keys before it refused the list.
            Err(error) if bucket.is_empty() && error.kind == ErrorKind::Denied => Ok(()),
            Err(error) if error.kind == ErrorKind::NotFound => Err(Error { kind: ErrorKind::NoBucket, ..error }),
            checked => checked,
        }
    }

    fn discard(&self, entry: &Entry, control: &Control<'_>) -> Result<(), Error> {
        multipart::abort(&self.api, &entry.object, &entry.part, control)
    }
}

/// Fails for a place that is none of an object: its address would be that of a bucket, or of the service.
fn check_place(at: &ObjectPath) -> Result<(), Error> {
    if at.bucket.is_empty() {
        return Err(Error::new(ErrorKind::NoBucket, "the path names no bucket; expected BUCKET/KEY"));
    }
    if at.key.is_empty() {
        return Err(Error::new(ErrorKind::Rejected, "the path names a bucket and no object; expected BUCKET/KEY"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
