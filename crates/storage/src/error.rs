//! The reasons why a transfer fails. Each has a name, and the provider and object that it concerns.

use std::{fmt, io, time::Duration};

use super::{name::ProviderName, object::ObjectPath};

/// The reason why a transfer failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The object does not exist; where one is stored, its folder does not.
    NotFound,
    /// The bucket does not exist.
    NoBucket,
    /// The object was replaced while it was read.
    Changed,
    /// Fewer or more bytes arrived than the object has.
    Truncated,
    /// These credentials do not permit it.
    Denied,
    /// The object is larger than the limit on inputs.
    TooLarge,
    /// No such provider is configured.
    Unknown,
    /// There are no credentials, or the store does not know them.
    Credentials,
    /// The store cannot be reached, or failed at each attempt.
    Unreachable,
    /// The certificate of the store is not trusted, or TLS failed otherwise.
    Tls,
    /// The clock of this machine and that of the store differ too much.
    Clock,
    /// The store does not take the object.
    Rejected,
    /// The store has other bytes than those that were sent.
    Unverified,
    /// A file of this machine could not be read or written.
    File,
    /// The call was cancelled, or its time was over.
    Stopped,
}

/// When a failed request may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Again {
    /// It would fail again.
    #[default]
    Never,
    /// After a pause that grows.
    Later,
    /// After the pause that the store asks for.
    After(Duration),
}

/// A failed transfer.
#[derive(Debug)]
pub struct Error {
    /// The reason.
    pub kind: ErrorKind,
    /// The reason in words, from the store where it has given some.
    pub detail: String,
    /// Whether and when the request may be sent again.
    pub again: Again,
    /// The provider and the object, once they are known.
    pub at: Option<Box<ErrorPlace>>,
}

/// The provider and the object that an error concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorPlace {
    /// The provider.
    pub provider: ProviderName,
    /// The object, if it concerns one.
    pub object: Option<ObjectPath>,
}

impl Error {
    /// An error that would come again.
    pub fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), again: Again::Never, at: None }
    }

    /// An error that may pass.
    pub fn passing(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self { again: Again::Later, ..Self::new(kind, detail) }
    }

    /// A file of this machine cannot be read or written.
    #[must_use]
    pub fn file(action: &str, error: &io::Error) -> Self {
        Self::new(ErrorKind::File, format!("cannot {action}: {error}"))
    }

    /// The same error, of this provider and object.
    #[must_use]
    pub fn of(self, provider: &ProviderName, object: &ObjectPath) -> Self {
        let place = ErrorPlace { provider: provider.clone(), object: Some(object.clone()) };
        Self { at: Some(Box::new(place)), ..self }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at.as_deref() {
            Some(ErrorPlace { provider, object: Some(object) }) => write!(f, "{object} of {provider}: {}", self.detail),
            Some(ErrorPlace { provider, object: None }) => write!(f, "{provider}: {}", self.detail),
            None => f.write_str(&self.detail),
        }
    }
}

impl std::error::Error for Error {}
