//! Tokens of Rucio, as they are needed.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use http::{HeaderName, HeaderValue, Method, header::CONTENT_TYPE};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::failure::RucioFailure;
use crate::{
    control::Control,
    error::{Error, ErrorKind},
    http::{Endpoint, Payload},
    provider::web::{Address, FileRequest, Sites},
    retry::attempts,
    secret::Secret,
};

const ACCOUNT: HeaderName = HeaderName::from_static("x-rucio-account");
const USERNAME: HeaderName = HeaderName::from_static("x-rucio-username");
const PASSWORD: HeaderName = HeaderName::from_static("x-rucio-password");
const TOKEN: HeaderName = HeaderName::from_static("x-rucio-auth-token");

/// The time for which a token is used. Rucio's own are good for an hour, and longer with each use.
const USED: Duration = Duration::from_mins(10);

/// The credentials for a server.
#[derive(Debug, Clone)]
pub enum RucioAuth {
    /// A token of OpenID Connect, or of Rucio itself.
    AccessToken(Secret),
    /// A token for which others are given.
    RefreshToken(RefreshToken),
    /// A name and a password.
    UserPass {
        /// The name.
        username: Secret,
        /// The password.
        password: Secret,
    },
}

/// A refresh token, and the server that gives access tokens for it (RFC 6749 §6).
#[derive(Debug, Clone)]
pub struct RefreshToken {
    /// The token.
    pub token: Secret,
    /// The address of the server, with its path.
    pub endpoint: Endpoint,
    /// The client that it was given to.
    pub client_id: String,
    /// The scopes, separated by blanks.
    pub scopes: String,
    /// The audience, if one is to be asked for.
    pub audience: Option<String>,
}

/// The answer of that server.
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: Option<u64>,
}

/// The tokens of an account.
#[derive(Debug)]
pub(crate) struct Tokens {
    sites: Arc<Sites>,
    auth_host: Endpoint,
    account: String,
    auth: RucioAuth,
    kept: Mutex<Option<(String, Instant)>>,
}

impl Tokens {
    pub(crate) fn new(sites: Arc<Sites>, auth_host: Endpoint, account: String, auth: RucioAuth) -> Self {
        Self { sites, auth_host, account, auth, kept: Mutex::default() }
    }

    /// A token for the catalogue.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn token(&self, control: &Control<'_>) -> Result<String, Error> {
        if let RucioAuth::AccessToken(token) = &self.auth {
            return read("access token", token);
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((token, end)) = kept.as_ref()
            && *end > Instant::now()
        {
            return Ok(token.clone());
        }
        let (token, used) = match &self.auth {
            RucioAuth::AccessToken(token) => (read("access token", token)?, USED),
            RucioAuth::RefreshToken(refresh) => attempts(control, |_| self.refreshed(refresh, control))?,
            RucioAuth::UserPass { username, password } => {
                (attempts(control, |_| self.logged_in(username, password, control))?, USED)
            }
        };
        *kept = Some((token.clone(), Instant::now() + used));
        Ok(token)
    }

    /// A token for storage elements, if there is one that they know.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn for_storage(&self, control: &Control<'_>) -> Result<Option<String>, Error> {
        match &self.auth {
            RucioAuth::UserPass { .. } => Ok(None),
            _ => self.token(control).map(Some),
        }
    }

    /// Forgets the token, which is good no more. Returns whether there may be another one.
    pub(crate) fn forget(&self) -> bool {
        let had = self.kept.lock().unwrap_or_else(PoisonError::into_inner).take().is_some();
        // A file with a token may have another content now.
        had || matches!(&self.auth, RucioAuth::AccessToken(Secret::File(_)))
    }

    fn logged_in(&self, username: &Secret, password: &Secret, control: &Control<'_>) -> Result<String, Error> {
        let address = Address::below(&self.auth_host, "/auth/userpass");
        let mut request = FileRequest::new(Method::GET, address, None);
        request.follows_redirects = false;
        let (username, password) = (read("username", username)?, read("password", password)?);
        for (name, value) in [(ACCOUNT, &self.account), (USERNAME, &username), (PASSWORD, &password)] {
            request.headers.insert(name, sendable(value)?);
        }
        let answer = self.sites.exchange(&request, control)?;
        match answer.header(TOKEN).filter(|_| answer.status.is_success()) {
            Some(token) => Ok(token.to_owned()),
            None if answer.status.is_success() => {
                let detail = format!("{} gave no token; is this Rucio's auth_host?", request.address.url());
                Err(Error::new(ErrorKind::Credentials, detail))
            }
            None => Err(RucioFailure::of(&answer, "the login").into()),
        }
    }

    fn refreshed(&self, refresh: &RefreshToken, control: &Control<'_>) -> Result<(String, Duration), Error> {
        let token = read("refresh token", &refresh.token)?;
        let mut fields = vec![
            ("grant_type", "refresh_token"),
            ("refresh_token", &token),
            ("client_id", &refresh.client_id),
            ("scope", &refresh.scopes),
        ];
        fields.extend(refresh.audience.as_deref().map(|audience| ("audience", audience)));
        let form: Vec<String> = fields
            .iter()
            .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
            .collect();
        let mut request = FileRequest::new(Method::POST, Address::below(&refresh.endpoint, ""), None);
        request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        request.payload = Payload::Bytes(form.join("&").into());
        let answer = self.sites.exchange(&request, control)?;
        if !answer.status.is_success() {
            let error = answer.failure("the request for an access token");
            // RFC 6749 §5.2: a token that is refused is 400.
            let kind = if answer.status.as_u16() == 400 { ErrorKind::Credentials } else { error.kind };
            return Err(Error { kind, ..error });
        }
        let granted: Granted = serde_json::from_slice(&answer.body).map_err(|error| {
            Error::new(ErrorKind::Credentials, format!("{} gave no access token: {error}", request.address.url()))
        })?;
        // It is renewed before its end.
        let used = granted.expires_in.map_or(USED, |seconds| Duration::from_secs(seconds * 3 / 4));
        Ok((granted.access_token, used.min(USED)))
    }
}

/// The header field that a token is sent in.
///
/// # Errors
/// It cannot be sent.
pub(crate) fn credential(token: &str) -> Result<(HeaderName, HeaderValue), Error> {
    Ok((TOKEN, sendable(token)?))
}

fn sendable(value: &str) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::try_from(value)
        .map_err(|_| Error::new(ErrorKind::Credentials, "a secret contains a character that cannot be sent"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn read(what: &str, secret: &Secret) -> Result<String, Error> {
    let value = secret.read().map_err(|error| Error::new(ErrorKind::Credentials, error.to_string()))?;
    if value.is_empty() {
        return Err(Error::new(ErrorKind::Credentials, format!("the {what} is empty")));
    }
    Ok(value)
}
