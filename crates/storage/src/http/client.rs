//! A client of one server.

use std::{fmt, sync::Arc};

use hyper::{
    Method, Request,
    header::{CONTENT_LENGTH, HOST, HeaderValue},
};
use tokio_rustls::rustls::ClientConfig;

use super::{
    Endpoint, Payload, Response, TransportError,
    body::SentBody,
    connection::{Connection, broken},
    idle::IdleConnections,
};
use crate::control::Control;

/// A client of one server.
pub struct Client {
    endpoint: Endpoint,
    tls: Option<Arc<ClientConfig>>,
    /// `Host`.
    authority: HeaderValue,
    idle: IdleConnections,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl Client {
    /// A client of the server at `endpoint`, with the settings of TLS if it is reached over that.
    #[must_use]
    pub fn new(endpoint: Endpoint, tls: Option<Arc<ClientConfig>>) -> Self {
        let authority = HeaderValue::from_str(&endpoint.authority()).unwrap_or(HeaderValue::from_static(""));
        Self { endpoint, tls, authority, idle: IdleConnections::default() }
    }

    /// The address of the server.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Sends a request, whose URI is a path and a query, and waits for the head of the response. `Host` and
    /// `Content-Length` are added to it; redirects are not followed.
    ///
    /// # Errors
    /// There is no response. A server may respond before it has read the body, and close the connection: that response
    /// is not lost.
    pub fn send(&self, request: Request<Payload>, control: &Control<'_>) -> Result<Response<'_>, TransportError> {
        let (mut head, payload) = request.into_parts();
        if !head.headers.contains_key(HOST) {
            head.headers.insert(HOST, self.authority.clone());
        }
        // hyper announces no length of a body without a byte, and servers refuse such a PUT with 411.
        if matches!(head.method, Method::PUT | Method::POST) {
            head.headers.insert(CONTENT_LENGTH, HeaderValue::from(payload.len()));
        }
        loop {
            let idle = self.idle.take();
            let is_kept = idle.is_some();
            let mut connection = match idle {
                Some(connection) => connection,
                None => Connection::open(&self.endpoint, self.tls.as_ref(), control)?,
            };
            let body = SentBody::new(payload.clone(), Arc::clone(&connection.progress));
            let request = Request::from_parts(head.clone(), body);
            let sent = connection.run(control, async |sender| sender.try_send_request(request).await)?;
            match sent {
                Ok(response) => return Ok(Response::new(&self.idle, connection, response)),
                Err(mut failed) => {
                    // The server may close an idle connection before it sees the request.
                    let is_unsent = failed.take_message().is_some();
                    if !(is_kept && is_unsent) {
                        return Err(broken(&connection.address, failed.error()));
                    }
                }
            }
        }
    }
}
