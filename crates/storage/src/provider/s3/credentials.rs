//! The keys of a request, from the source that is configured.

mod chain;
mod container;
mod document;
mod metadata;
mod profile;
mod web_identity;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, PoisonError},
};

use jiff::Timestamp;

use self::chain::Chain;
use super::Credentials;
use crate::{
    control::Control,
    error::{Error, ErrorKind},
    secret::Secret,
};

/// The region where none is set.
const REGION: &str = "us-east-1";

/// Seconds before their end at which keys are renewed.
const EARLY: i64 = 5 * 60;

/// The variables that the chain reads: those of the environment that begin with `AWS_`, and `HOME`, as they were when the
/// process began. No value is shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ChainVariables(BTreeMap<String, String>);

impl FromIterator<(String, String)> for ChainVariables {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        let is_ours = |name: &str| name.starts_with("AWS_") || name == "HOME";
        Self(variables.into_iter().filter(|(name, _)| is_ours(name)).collect())
    }
}

impl fmt::Debug for ChainVariables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl ChainVariables {
    /// A variable; `None` if it is empty.
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// The keys of a request.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Keys {
    pub(super) access_key: String,
    pub(super) secret_key: String,
    pub(super) session_token: Option<String>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}

/// Keys, and when they end.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Lent {
    keys: Keys,
    /// `None` for keys that are read again at each use.
    end: Option<Timestamp>,
}

impl Lent {
    /// Whether they are known to last for more than these seconds.
    fn lasts(&self, seconds: i64) -> bool {
        self.end.is_some_and(|end| end.as_second() - Timestamp::now().as_second() > seconds)
    }
}

/// The chain, and the keys that it gave last.
#[derive(Debug)]
pub(super) struct LentKeys {
    chain: Chain,
    lent: Mutex<Option<Lent>>,
}

impl LentKeys {
    fn read(&self, control: &Control<'_>) -> Result<Keys, Error> {
        // One thread asks, and the others wait for its answer.
        let mut known = self.lent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lent) = known.as_ref().filter(|lent| lent.lasts(EARLY)) {
            return Ok(lent.keys.clone());
        }
        match self.chain.keys(control) {
            Ok(lent) => Ok(known.insert(lent).keys.clone()),
            // Those that are known last for a while.
            Err(error) => match known.as_ref().filter(|lent| lent.lasts(0)) {
                Some(lent) => {
                    tracing::warn!("cannot renew the keys: {error}");
                    Ok(lent.keys.clone())
                }
                None => Err(error),
            },
        }
    }
}

/// The source of the keys.
#[derive(Debug)]
pub(super) enum KeySource {
    Keys { access_key: Secret, secret_key: Secret, session_token: Option<Secret> },
    Chain(LentKeys),
    Anonymous,
}

impl KeySource {
    pub(super) fn new(credentials: Credentials) -> Self {
        match credentials {
            Credentials::Keys { access_key, secret_key, session_token } => {
                Self::Keys { access_key, secret_key, session_token }
            }
            Credentials::Chain(variables) => {
                Self::Chain(LentKeys { chain: Chain::new(variables), lent: Mutex::default() })
            }
            Credentials::Anonymous => Self::Anonymous,
        }
    }

    /// The keys as they are now; `None` if requests are not signed.
    pub(super) fn read(&self, control: &Control<'_>) -> Result<Option<Keys>, Error> {
        match self {
            Self::Anonymous => Ok(None),
            Self::Keys { access_key, secret_key, session_token } => {
                let session_token = session_token.as_ref().map(|token| text("session token", token)).transpose()?;
                let keys = Keys {
                    access_key: text("access key", access_key)?,
                    secret_key: text("secret key", secret_key)?,
                    session_token: session_token.filter(|token| !token.is_empty()),
                };
                if keys.access_key.is_empty() || keys.secret_key.is_empty() {
                    return Err(missing("the access key or the secret key is empty"));
                }
                Ok(Some(keys))
            }
            Self::Chain(lent) => lent.read(control).map(Some),
        }
    }

    /// Forgets keys that the store calls expired.
    pub(super) fn forget(&self) {
        if let Self::Chain(lent) = self {
            *lent.lent.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    /// The region where none is configured.
    pub(super) fn region(&self) -> String {
        let region = match self {
            Self::Chain(lent) => lent.chain.region(),
            Self::Keys { .. } | Self::Anonymous => None,
        };
        region.unwrap_or_else(|| REGION.to_owned())
    }
}

fn text(name: &str, secret: &Secret) -> Result<String, Error> {
    secret.read().map_err(|error| missing(&format!("the {name}: {error}")))
}

fn missing(detail: &str) -> Error {
    Error::new(ErrorKind::Credentials, detail)
}

#[cfg(test)]
mod tests;
