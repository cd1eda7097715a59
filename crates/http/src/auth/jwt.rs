//! Callers that show a JSON Web Token (RFC 7519) of an OpenID provider, in place of the one token that all share.
//!
//! The provider says where its keys are (OpenID Connect Discovery 1.0 §4, RFC 7517). They are fetched at the start, then
//! when a token names one that is not known, and when they have become old; nothing is fetched while no request arrives. A token
//! must be signed by one of them, be issued by the provider and for it, be neither over nor too early, and hold a
//! `function` claim with a permission for this function.

mod crypto;
mod keys;

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use hyper::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use jsonwebtoken::{
    Algorithm, DecodingKey, Validation, decode, decode_header,
    errors::{Error, ErrorKind},
};
use serde::{Deserialize, Deserializer};
use tokio::time::timeout;

use self::keys::{Keys, Provider};
use super::bearer;
use crate::{
    reply::{ErrorCode, Problem},
    service::aside,
    settings::JwtSettings,
};

/// How old keys become before they are fetched again, with the next request.
const OLD: Duration = Duration::from_mins(10);

/// How long nothing is fetched after a try, however many tokens name unknown keys: callers that send them must not make
/// bandog a load for the provider.
const PAUSE: Duration = Duration::from_secs(30);

/// How long a request waits for keys to be fetched again that are only old: a provider that is slow, or gone, must not
/// make every caller wait.
const BRIEFLY: Duration = Duration::from_secs(2);

/// The name of the thread that fetches.
const THREAD: &str = "keys";

/// How far the clocks of two machines may differ.
const LEEWAY: Duration = Duration::from_secs(1);

/// All algorithms with a private key, which only the provider has.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// Checks the tokens of callers.
#[derive(Debug)]
pub(super) struct Jwt {
    provider: Provider,
    realm: &'static str,
    /// `NAMESPACE:NAME`, as permissions name it.
    function: String,
    keys: Arc<Mutex<Arc<Keys>>>,
    /// One fetch at a time; when the last one began.
    fetched: tokio::sync::Mutex<Instant>,
}

/// The reason why a caller is denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Denied {
    #[error("Bearer must be present in Authorization header")]
    NoToken,
    #[error("failed to verify JWT token")]
    Invalid,
    #[error("insufficient permissions")]
    NotPermitted,
    #[error("the provider's keys cannot be fetched now: no thread can be started for it")]
    NoThread,
}

/// The claims that are checked in addition to those of [`Validation`].
#[derive(Debug, Deserialize)]
struct Claims {
    /// `exp` and `nbf`, as the time since 1970. They are read here, since [`Validation`] takes no fraction of a second
    /// (RFC 7519 §2 allows one) once serde_json keeps the spelling of numbers.
    #[serde(rename = "exp", default, deserialize_with = "moment")]
    expires: Option<Duration>,
    #[serde(rename = "nbf", default, deserialize_with = "moment")]
    not_before: Option<Duration>,
    #[serde(default)]
    function: Permissions,
}

/// Patterns of functions: `*` stands for any characters, and a pattern fits as a whole or not at all.
#[derive(Debug, Default, Deserialize)]
struct Permissions {
    /// One must fit.
    #[serde(default)]
    permissions: Vec<String>,
    /// If there are any, one must fit too.
    #[serde(default)]
    audience: Vec<String>,
}

impl Jwt {
    /// Fetches the provider's keys.
    ///
    /// # Errors
    /// They cannot be had: what was asked and what came back.
    pub(super) async fn new(settings: &JwtSettings) -> Result<Self, String> {
        crypto::install();
        let provider = Provider::new(&settings.issuer, settings.certificates.as_deref())?;
        let first = provider.clone();
        let keys = aside(THREAD, move || first.fetch()).await.map_err(|error| error.to_string())??;
        if settings.debug {
            let ids = keys.ids().collect::<Vec<_>>().join(", ");
            tracing::info!("JWT: issuer {}, keys {ids}", keys.issuer());
        }
        Ok(Self {
            provider,
            realm: settings.realm,
            function: settings.function.clone(),
            keys: Arc::new(Mutex::new(Arc::new(keys))),
            fetched: tokio::sync::Mutex::new(Instant::now()),
        })
    }

    /// Whether the caller may call this function. Waits for the provider if the token names a key that is not known.
    pub(super) async fn admit(self: &Arc<Self>, headers: &HeaderMap) -> Result<(), Problem> {
        match self.check(headers).await {
            Ok(()) => Ok(()),
            Err(denied) => {
                tracing::info!("a caller was denied: {denied}");
                Err(denied.problem(self.realm))
            }
        }
    }

    async fn check(self: &Arc<Self>, headers: &HeaderMap) -> Result<(), Denied> {
        let token = bearer(headers).ok_or(Denied::NoToken)?;
        let header = decode_header(token).map_err(|_| refused("it is no JSON Web Token"))?;
        if header.crit.is_some() {
            // They must be understood (RFC 7515 §4.1.11), and none is.
            return Err(refused("it has critical extensions (crit)"));
        }
        if !ALGORITHMS.contains(&header.alg) {
            return Err(refused(format_args!("{:?} is not an accepted algorithm (alg)", header.alg)));
        }
        let id = header.kid.ok_or_else(|| refused("it names no key (kid)"))?;
        let mut keys = self.keys();
        if !keys.has(&id) {
            self.refresh(Some(&id)).await.map_err(|_| Denied::NoThread)?;
            keys = self.keys();
        } else if keys.age() > OLD {
            // One of them may have been withdrawn.
            let _ = timeout(BRIEFLY, self.refresh(None)).await;
            keys = self.keys();
        }
        let key = keys
            .key(&id, header.alg)
            .ok_or_else(|| refused(format_args!("the provider has no key {id:?} (kid) for {:?}", header.alg)))?;
        let mut validation = Validation::new(header.alg);
        validation.validate_exp = false;
        validation.set_required_spec_claims(&["iss", "aud"]);
        validation.set_issuer(&[keys.issuer()]);
        validation.set_audience(&[keys.issuer()]);
        let claims: Claims = decode(token, key, &validation)
            .map_err(|error| refused(claim_mistake(&error, token, key, header.alg, keys.issuer())))?
            .claims;
        claims.check_at(since_1970()).map_err(refused)?;
        if claims.function.allow(&self.function) { Ok(()) } else { Err(Denied::NotPermitted) }
    }

    fn keys(&self) -> Arc<Keys> {
        Arc::clone(&lock(&self.keys))
    }

    /// Fetches the keys again, unless that was done just now. If it fails, the present ones stay in use. Dropping the future
    /// does not stop a fetch that has begun.
    ///
    /// # Errors
    /// No fetch has begun, as there is no thread for it.
    async fn refresh(&self, wanted: Option<&str>) -> io::Result<()> {
        let mut fetched = self.fetched.lock().await;
        let is_there = wanted.is_some_and(|id| self.keys().has(id));
        if is_there || fetched.elapsed() < PAUSE {
            return Ok(());
        }
        let before = std::mem::replace(&mut *fetched, Instant::now());
        let (provider, known) = (self.provider.clone(), Arc::clone(&self.keys));
        let done = aside(THREAD, move || match provider.fetch() {
            Ok(keys) => *lock(&known) = Arc::new(keys),
            Err(error) => tracing::warn!("{error}; the keys there are stay in use"),
        });
        done.await.inspect_err(|error| {
            tracing::error!("cannot fetch the provider's keys: {error}");
            // The provider was not asked: the next token is reason to try again.
            *fetched = before;
        })
    }
}

/// Tells the operator why a token is not accepted; its client learns no more than that.
fn refused(reason: impl std::fmt::Display) -> Denied {
    tracing::warn!("a token was refused: {reason}");
    Denied::Invalid
}

/// Why the claims of a token are not accepted, with those that a configuration may have wrong. They are shown only once the
/// signature has been checked.
fn claim_mistake(error: &Error, token: &[u8], key: &DecodingKey, algorithm: Algorithm, issuer: &str) -> String {
    let (name, is_claim) = match error.kind() {
        ErrorKind::InvalidIssuer => ("iss", true),
        ErrorKind::InvalidAudience => ("aud", true),
        ErrorKind::MissingRequiredClaim(name) => (name.as_str(), false),
        ErrorKind::InvalidSignature => return "its signature is not that of the provider's key".to_owned(),
        _ => return error.to_string(),
    };
    if !is_claim {
        return format!("it has no {name}; expected {issuer:?}");
    }
    let mut any = Validation::new(algorithm);
    any.required_spec_claims.clear();
    (any.validate_exp, any.validate_nbf, any.validate_aud) = (false, false, false);
    let claim = decode::<serde_json::Value>(token, key, &any).ok().map(|token| token.claims[name].to_string());
    format!("its {name} is {}; expected {issuer:?}", claim.unwrap_or_default())
}

/// A poisoned lock guards state that every holder leaves whole.
fn lock(keys: &Mutex<Arc<Keys>>) -> MutexGuard<'_, Arc<Keys>> {
    keys.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Claims {
    /// Whether the token is neither over nor too early; which of the two it is.
    fn check_at(&self, now: Duration) -> Result<(), &'static str> {
        if self.expires.is_some_and(|expires| expires.saturating_add(LEEWAY) < now) {
            return Err("it has expired (exp)");
        }
        if self.not_before.is_some_and(|begins| begins > now.saturating_add(LEEWAY)) {
            return Err("it is not valid yet (nbf)");
        }
        Ok(())
    }
}

/// A `NumericDate` of RFC 7519 §2, which must be a number if it is there.
fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let seconds = f64::deserialize(deserializer)?.max(0.0);
    // A moment that is too far away for a duration is after all others.
    Ok(Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)))
}

/// The time of the system's clock, in whole seconds. Before 1970 it is 0.
fn since_1970() -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Duration::from_secs(now.as_secs())
}

impl Permissions {
    fn allow(&self, function: &str) -> bool {
        let any = |patterns: &[String]| patterns.iter().any(|pattern| fits(pattern.as_bytes(), function.as_bytes()));
        (self.audience.is_empty() || any(&self.audience)) && any(&self.permissions)
    }
}

/// Whether the whole of `name` is what `pattern` says. Takes time in proportion to both lengths, whatever the pattern.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    if pattern.is_empty() {
        return false;
    }
    let (mut at, mut place) = (0, 0);
    // Where to go on when what follows the last star does not fit: one byte later.
    let mut retry = None;
    while place < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                retry = Some((at + 1, place));
                at += 1;
            }
            Some(byte) if *byte == name[place] => {
                at += 1;
                place += 1;
            }
            _ => {
                let Some((after_star, from)) = retry else { return false };
                retry = Some((after_star, from + 1));
                (at, place) = (after_star, from + 1);
            }
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

impl Denied {
    /// The response to the caller.
    fn problem(self, realm: &str) -> Problem {
        // RFC 6750 §3: without a token no error is named.
        let error = match self {
            Self::NoToken => "",
            Self::Invalid => r#", error="invalid_token""#,
            Self::NotPermitted => return Problem::new(ErrorCode::Forbidden, self.to_string()),
            Self::NoThread => return Problem::new(ErrorCode::Overloaded, self.to_string()),
        };
        let challenge = HeaderValue::try_from(format!(r#"Bearer realm="{realm}"{error}"#));
        let challenge = challenge.unwrap_or(HeaderValue::from_static("Bearer"));
        Problem::new(ErrorCode::Unauthorized, self.to_string()).header(WWW_AUTHENTICATE, challenge)
    }
}

#[cfg(test)]
mod tests;
