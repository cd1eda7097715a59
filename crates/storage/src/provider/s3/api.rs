//! One request: addressed, signed, sent, and mended once where the store says how.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicI64, Ordering},
};

use http::{HeaderName, HeaderValue, Method, Request, Uri, header};
use jiff::Timestamp;
use tokio_rustls::rustls::ClientConfig;

use super::{
    Addressing, Settings,
    address::{Target, target},
    credentials::{KeySource, Keys},
    refusal::Refusal,
    sign::{self, EMPTY, Signed, SigningKey, UNSIGNED},
};
use crate::{
    control::Control,
    error::{Error, ErrorKind},
    http::{Client, Endpoint, Payload, Response, Scheme},
    object::ObjectPath,
};

/// Servers and buckets that are remembered. With virtual addressing each bucket is a server.
const REMEMBERED: usize = 64;

/// The interface of a store.
#[derive(Debug)]
pub(super) struct Api {
    endpoint: Option<Endpoint>,
    region: Option<String>,
    addressing: Addressing,
    tls: Option<Arc<ClientConfig>>,
    keys: KeySource,
    /// Seconds that the store's clock is ahead of ours.
    ahead: AtomicI64,
    /// Buckets of another region than the one that is set.
    regions: Mutex<Vec<(String, String)>>,
    clients: Mutex<Vec<Arc<Client>>>,
    /// The key of the last signature: most have the same.
    signing_key: Mutex<Option<Arc<SigningKey>>>,
}

/// A request.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) method: Method,
    /// The object, the bucket, or the service: see [`target`].
    pub(super) at: &'a ObjectPath,
    pub(super) query: &'a [(&'a str, &'a str)],
    pub(super) headers: Vec<(HeaderName, String)>,
    pub(super) payload: Payload,
    /// SHA-256 of the payload in hexadecimal. Without one a payload is not signed.
    pub(super) sha256: Option<&'a str>,
}

/// The reason why a request is no success.
#[derive(Debug)]
pub(super) enum Failure {
    /// The store said so.
    Refused(Box<Refusal>),
    /// There is no response, or not all of it.
    Broken(Error),
}

/// The mends of one request that were tried.
#[derive(Default)]
struct Mended {
    clock: bool,
    token: bool,
    region: bool,
}

impl<'a> Call<'a> {
    /// A request without a query and a payload.
    pub(super) fn new(method: Method, at: &'a ObjectPath) -> Self {
        Self { method, at, query: &[], headers: Vec::new(), payload: Payload::Empty, sha256: None }
    }
}

impl Api {
    pub(super) fn new(settings: Settings) -> Result<Self, Error> {
        let Settings { endpoint, region, credentials, addressing, trust } = settings;
        let is_plain = endpoint.as_ref().is_some_and(|endpoint| endpoint.scheme == Scheme::Http);
        Ok(Self {
            tls: if is_plain { None } else { Some(trust.client_config()?) },
            endpoint,
            keys: KeySource::new(credentials),
            region,
            addressing,
            ahead: AtomicI64::new(0),
            regions: Mutex::default(),
            clients: Mutex::default(),
            signing_key: Mutex::default(),
        })
    }

    /// Whether payloads are signed: over TLS nothing can change them on their way, and reading them twice costs.
    pub(super) fn signs_payloads(&self) -> bool {
        self.tls.is_none()
    }

    /// Sends a request, and lets `take` read the response if it is a success.
    pub(super) fn send<T>(
        &self,
        call: &Call<'_>,
        control: &Control<'_>,
        take: impl FnOnce(&mut Response<'_>) -> Result<T, Error>,
    ) -> Result<T, Failure> {
        let mut mended = Mended::default();
        loop {
            let keys = self.keys.read(control)?;
            let region = self.region_of(&call.at.bucket);
            let target = target(self.endpoint.as_ref(), self.addressing, &region, call.at);
            let request = self.request(call, &target, keys.as_ref(), &region)?;
            let client = self.client(&target.endpoint);
            let mut response = client.send(request, control).map_err(Error::from)?;
            if response.status.is_success() {
                return Ok(take(&mut response)?);
            }
            let refusal = Refusal::read(&mut response, control);
            if !self.mend(call, &refusal, &region, &mut mended) {
                return Err(Failure::Refused(Box::new(refusal)));
            }
            tracing::debug!("{} asks for another signature: {} {}", client.endpoint(), refusal.status, refusal.code);
        }
    }

    /// Whether something was changed, so that the request may succeed now.
    fn mend(&self, call: &Call<'_>, refusal: &Refusal, region: &str, mended: &mut Mended) -> bool {
        let here = Timestamp::now().as_second();
        if refusal.is_skewed(self.now()) {
            let Some(date) = refusal.date else { return false };
            self.ahead.store(date.as_second() - here, Ordering::Relaxed);
            return !std::mem::replace(&mut mended.clock, true);
        }
        if refusal.is_expired() {
            self.keys.forget();
            return !std::mem::replace(&mut mended.token, true);
        }
        let elsewhere = refusal.region.as_deref().filter(|other| *other != region && refusal.is_elsewhere());
        let Some(other) = elsewhere else { return false };
        let mut regions = self.regions.lock().unwrap_or_else(PoisonError::into_inner);
        regions.retain(|(bucket, _)| *bucket != call.at.bucket);
        remember(&mut regions, (call.at.bucket.clone(), other.to_owned()));
        !std::mem::replace(&mut mended.region, true)
    }

    /// The time of the store.
    fn now(&self) -> Timestamp {
        let seconds = self.ahead.load(Ordering::Relaxed);
        let now = Timestamp::now();
        now.checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap_or(now)
    }

    fn region_of(&self, bucket: &str) -> String {
        let regions = self.regions.lock().unwrap_or_else(PoisonError::into_inner);
        let known = regions.iter().find(|(known, _)| known == bucket).map(|(_, region)| region.clone());
        drop(regions);
        known.or_else(|| self.region.clone()).unwrap_or_else(|| self.keys.region())
    }

    fn client(&self, endpoint: &Endpoint) -> Arc<Client> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = clients.iter().find(|client| client.endpoint() == endpoint) {
            return Arc::clone(known);
        }
        let client = Arc::new(Client::new(endpoint.clone(), self.tls.clone()));
        remember(&mut clients, Arc::clone(&client));
        client
    }

    fn request(
        &self,
        call: &Call<'_>,
        target: &Target,
        keys: Option<&Keys>,
        region: &str,
    ) -> Result<Request<Payload>, Error> {
        let query = sign::query(call.query);
        let mark = if query.is_empty() { "" } else { "?" };
        let uri = format!("{}{mark}{query}", target.path);
        let mut request = Request::new(call.payload.clone());
        *request.method_mut() = call.method.clone();
        *request.uri_mut() = Uri::try_from(uri).map_err(|error| invalid("the path of the object", &error))?;
        for (name, value) in &call.headers {
            let value = HeaderValue::try_from(value).map_err(|error| invalid(name.as_str(), &error))?;
            request.headers_mut().insert(name, value);
        }
        if let Some(keys) = keys {
            for (name, value) in self.signature(call, target, &query, keys, region) {
                let value = HeaderValue::try_from(value).map_err(|error| invalid(name, &error))?;
                request.headers_mut().insert(name, value);
            }
        }
        Ok(request)
    }

    fn signing_key(&self, keys: &Keys, region: &str, date: &str) -> Arc<SigningKey> {
        let mut last = self.signing_key.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some(key) if key.is_of(&keys.secret_key, region, date) => Arc::clone(key),
            _ => Arc::clone(last.insert(Arc::new(SigningKey::new(&keys.secret_key, region, date)))),
        }
    }

    /// The header fields of the signature.
    fn signature(
        &self,
        call: &Call<'_>,
        target: &Target,
        query: &str,
        keys: &Keys,
        region: &str,
    ) -> Vec<(&'static str, String)> {
        let date = sign::date(self.now());
        let payload = if call.payload.is_empty() { EMPTY } else { call.sha256.unwrap_or(UNSIGNED) };
        let host = target.endpoint.authority();
        let mut headers = vec![("host", host.as_str()), ("x-amz-content-sha256", payload), ("x-amz-date", &date)];
        if let Some(token) = &keys.session_token {
            headers.push(("x-amz-security-token", token));
        }
        // A proxy may change the others.
        let md5 = call.headers.iter().find(|(name, _)| name.as_str() == "content-md5");
        headers.extend(md5.map(|(name, value)| (name.as_str(), value.as_str())));
        headers.sort_unstable();
        let signed = Signed { method: call.method.as_str(), path: &target.path, query, headers: &headers, payload };
        let authorization = self.signing_key(keys, region, &date).authorization(&signed, &keys.access_key, &date);
        let payload = payload.to_owned();
        let mut fields = vec![("x-amz-content-sha256", payload), ("x-amz-date", date)];
        fields.extend(keys.session_token.clone().map(|token| ("x-amz-security-token", token)));
        fields.push((header::AUTHORIZATION.as_str(), authorization));
        fields
    }
}

/// Adds `value`, and forgets the oldest of too many.
fn remember<T>(values: &mut Vec<T>, value: T) {
    if values.len() >= REMEMBERED {
        values.remove(0);
    }
    values.push(value);
}

fn invalid(name: &str, error: &dyn std::error::Error) -> Error {
    Error::new(ErrorKind::Rejected, format!("{name} cannot be sent: {error}"))
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Broken(error)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refusal) => (*refusal).into(),
            Failure::Broken(error) => error,
        }
    }
}

impl Failure {
    /// `Code` of the error document; empty without one.
    pub(super) fn code(&self) -> &str {
        match self {
            Self::Refused(refusal) => &refusal.code,
            Self::Broken(_) => "",
        }
    }
}

#[cfg(test)]
mod tests;
