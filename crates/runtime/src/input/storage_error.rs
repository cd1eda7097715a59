//! The reasons why the object that an event names cannot be fetched.

use std::time::Duration;

/// A transfer that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct StorageError {
    /// The reason.
    pub kind: StorageErrorKind,
    /// The reason in words, with the object and its store.
    pub detail: String,
}

/// The reason why an input was not fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StorageErrorKind {
    /// The object does not exist.
    NotFound,
    /// It was replaced while it was fetched.
    Changed,
    /// Its bytes did not all arrive.
    Truncated,
    /// The credentials do not permit to read it.
    Denied,
    /// It is over the limit on inputs.
    TooLarge,
    /// No store is configured for the event.
    ProviderUnknown,
    /// The store does not know the credentials, or there are none.
    ProviderCredentials,
    /// The store cannot be reached.
    ProviderUnreachable,
    /// The certificate of the store is not trusted.
    ProviderTls,
    /// The clocks of this machine and of the store differ too much.
    ProviderClock,
    /// The function has failed for the same event a moment ago.
    Busy(Duration),
    /// The input file could not be written.
    File,
}
