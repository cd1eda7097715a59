//! Requests to any number of servers, with redirects.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use bandog_tls::rustls::ClientConfig;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header::LOCATION};

use super::{address::Address, answer::Answer};
use crate::{
    control::Control,
    error::{Error, ErrorKind},
    http::{Client, Endpoint, Payload, Response, Scheme},
};

/// Redirects of one request, at most. dCache needs one, a door behind another name a second.
const REDIRECTS: usize = 4;

/// Servers whose connections are kept, at most. Beyond that the first ones are forgotten.
const SITES: usize = 64;

/// Bytes that are read of a short answer. A longer one costs its connection.
const SHORT: usize = 64 * 1024;

/// Clients of servers, one for each that was needed.
pub(crate) struct Sites {
    tls: Arc<ClientConfig>,
    clients: Mutex<Vec<Arc<Client>>>,
    told_of_downgrade: AtomicBool,
}

impl fmt::Debug for Sites {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sites").finish_non_exhaustive()
    }
}

/// The header field that proves who sends a request.
pub(crate) type Credential = (HeaderName, HeaderValue);

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct FileRequest {
    /// The method.
    pub(crate) method: Method,
    /// The address.
    pub(crate) address: Address,
    /// The credentials. They go to the server of the address only.
    pub(crate) credential: Option<Credential>,
    /// Other header fields.
    pub(crate) headers: HeaderMap,
    /// The body.
    pub(crate) payload: Payload,
    /// Whether redirects are followed. Not where the fields are secret.
    pub(crate) follows_redirects: bool,
}

impl FileRequest {
    /// A request without fields and body.
    pub(crate) fn new(method: Method, address: Address, credential: Option<Credential>) -> Self {
        Self {
            method,
            address,
            credential,
            headers: HeaderMap::new(),
            payload: Payload::Empty,
            follows_redirects: true,
        }
    }

    /// Whether a redirect may be followed: with the same method, and without a change of the store by a request that was
    /// meant for another address.
    fn follows(&self, status: StatusCode) -> bool {
        match status.as_u16() {
            _ if !self.follows_redirects => false,
            301..=303 => matches!(self.method, Method::GET | Method::HEAD),
            307 | 308 => matches!(self.method, Method::GET | Method::HEAD | Method::PUT),
            _ => false,
        }
    }

    fn request(&self, to: &Address) -> Result<Request<Payload>, Error> {
        let uri: Uri =
            to.target.parse().map_err(|_| Error::new(ErrorKind::Rejected, format!("{}: no URL", to.url())))?;
        let mut request = Request::new(self.payload.clone());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = self.headers.clone();
        // Another server gets no credentials: where it needs some they are part of the address, as with dCache.
        if let Some((name, value)) = self.credential.as_ref().filter(|_| to.has_origin_of(&self.address)) {
            request.headers_mut().insert(name, value.clone());
        }
        Ok(request)
    }
}

impl Sites {
    /// None yet.
    pub(crate) fn new(tls: Arc<ClientConfig>) -> Self {
        Self { tls, clients: Mutex::default(), told_of_downgrade: AtomicBool::new(false) }
    }

    /// Sends a request once, follows redirects, and passes the response to `then`.
    ///
    /// # Errors
    /// There is no response, or the error of `then`.
    pub(crate) fn send<T>(
        &self,
        call: &FileRequest,
        control: &Control<'_>,
        then: impl FnOnce(Response<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut to = call.address.clone();
        for _ in 0..=REDIRECTS {
            let client = self.client(&to.site);
            let response = client.send(call.request(&to)?, control)?;
            if !call.follows(response.status) {
                return then(response);
            }
            let Some(location) = response.header(LOCATION) else { return then(response) };
            let next = to.redirected(location)?;
            if next.target == format!("{}/", to.target) {
                // The address of a folder, of which there is a page with its files.
                return then(response);
            }
            self.tell_of_downgrade(&to, &next);
            tracing::debug!("{} is at {} for now", to.url(), next.site);
            to = next;
        }
        let detail = format!("{}: more than {REDIRECTS} redirects, the last to {}", call.address.url(), to.site);
        Err(Error::new(ErrorKind::Unreachable, detail))
    }

    /// The same for a short answer, read to its end.
    ///
    /// # Errors
    /// There is no response.
    pub(crate) fn exchange(&self, call: &FileRequest, control: &Control<'_>) -> Result<Answer, Error> {
        self.send(call, control, |mut response| {
            let mut body = Vec::new();
            while body.len() < SHORT {
                // The status is known: a body that breaks off says less, and changes nothing.
                match response.next(control) {
                    Ok(Some(piece)) => body.extend_from_slice(&piece),
                    _ => break,
                }
            }
            body.truncate(SHORT);
            Ok(Answer { status: response.status, headers: std::mem::take(&mut response.headers), body })
        })
    }

    fn client(&self, site: &Endpoint) -> Arc<Client> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.iter().find(|client| client.endpoint() == site) {
            return Arc::clone(client);
        }
        if clients.len() == SITES {
            clients.remove(0);
        }
        let client = Arc::new(Client::new(site.clone(), Some(Arc::clone(&self.tls))));
        clients.push(Arc::clone(&client));
        client
    }

    fn tell_of_downgrade(&self, from: &Address, to: &Address) {
        let is_downgrade = from.site.scheme == Scheme::Https && to.site.scheme == Scheme::Http;
        if is_downgrade && !self.told_of_downgrade.swap(true, Ordering::Relaxed) {
            tracing::warn!("{} redirects to {}: files pass without encryption", from.site, to.site);
        }
    }
}
