//! An OpenID provider's keys, fetched.

use std::{
    collections::HashMap,
    fmt,
    path::Path,
    time::{Duration, Instant},
};

use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{JwkSet, KeyAlgorithm, PublicKeyUse},
};
use serde::{Deserialize, de::DeserializeOwned};
use ureq::{
    Agent,
    unversioned::transport::{ConnectProxyConnector, Connector as _, TcpConnector},
};

use bandog_tls as tls;

use crate::{resolver::ThreadResolver, tls::TlsConnector};

/// The most that one answer of the provider may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of an answer of the provider that are read.
const LIMIT: u64 = 1024 * 1024;

/// Where keys come from.
#[derive(Clone)]
pub(super) struct Provider {
    discovery: String,
    agent: Agent,
}

/// The fields of the provider's metadata that matter here.
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

/// The keys, as they were at one time.
#[derive(Debug)]
pub(super) struct Keys {
    issuer: String,
    by_id: HashMap<String, Key>,
    fetched: Instant,
}

struct Key {
    key: DecodingKey,
    /// The algorithm that it is restricted to.
    only: Option<KeyAlgorithm>,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?}", self.key.family(), self.only)
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.discovery)
    }
}

impl Provider {
    /// `issuer` is the URL that `.well-known/openid-configuration` is below, `certificates` the file of those that its
    /// server is trusted by; without it Mozilla's.
    ///
    /// # Errors
    /// The file has no certificates that can be read.
    pub(super) fn new(issuer: &str, certificates: Option<&Path>) -> Result<Self, String> {
        let own = certificates.map(|path| {
            tls::read_certificates(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
        });
        let trust = tls::client_config(own.transpose()?).map_err(|error| error.to_string())?;
        let config = Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .user_agent(concat!("bandog/", env!("CARGO_PKG_VERSION")))
            .build();
        let connector = ConnectProxyConnector::default().chain(TcpConnector::default()).chain(TlsConnector(trust));
        let agent = Agent::with_parts(config, connector, ThreadResolver);
        Ok(Self { discovery: format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/')), agent })
    }

    /// Asks for the keys. Blocks.
    ///
    /// # Errors
    /// They cannot be had: what was asked and what came back.
    pub(super) fn fetch(&self) -> Result<Keys, String> {
        let Discovery { issuer, jwks_uri } = self.get(&self.discovery)?;
        let set: JwkSet = self.get(&jwks_uri)?;
        let is_for_signatures =
            |kind: &Option<PublicKeyUse>| kind.as_ref().is_none_or(|kind| *kind == PublicKeyUse::Signature);
        let usable = set.keys.into_iter().filter(|key| is_for_signatures(&key.common.public_key_use));
        let by_id: HashMap<_, _> = usable
            .filter_map(|jwk| {
                // A kind of key that is not known is no reason to do without the others (RFC 7517 §5).
                let key = DecodingKey::from_jwk(&jwk).ok()?;
                Some((jwk.common.key_id?, Key { key, only: jwk.common.key_algorithm }))
            })
            .collect();
        if by_id.is_empty() {
            return Err(format!("{jwks_uri} holds no key with an id"));
        }
        Ok(Keys { issuer, by_id, fetched: Instant::now() })
    }

    fn get<T: DeserializeOwned>(&self, url: &str) -> Result<T, String> {
        let failed = |error: &dyn fmt::Display| format!("cannot fetch {url}: {error}");
        let mut answer = self.agent.get(url).call().map_err(|error| failed(&error))?;
        let text = answer.body_mut().with_config().limit(LIMIT).read_to_vec().map_err(|error| failed(&error))?;
        serde_json::from_slice(&text).map_err(|error| failed(&error))
    }
}

impl Keys {
    /// The provider's own name for itself.
    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    pub(super) fn age(&self) -> Duration {
        self.fetched.elapsed()
    }

    #[cfg(test)]
    pub(super) fn make_old(self: &mut std::sync::Arc<Self>) {
        let old = Instant::now().checked_sub(2 * super::OLD).expect("a while ago");
        std::sync::Arc::get_mut(self).expect("the test has the only reference").fetched = old;
    }

    pub(super) fn has(&self, id: &str) -> bool {
        self.by_id.contains_key(id)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        self.by_id.keys().map(String::as_str)
    }

    /// The key of this name, if it may be used so.
    pub(super) fn key(&self, id: &str, algorithm: Algorithm) -> Option<&DecodingKey> {
        let Key { key, only } = self.by_id.get(id)?;
        let is_meant = only.as_ref().is_none_or(|only| only.to_string() == format!("{algorithm:?}"));
        is_meant.then_some(key)
    }
}
