//! A response: its head, and its body piece by piece.

use std::sync::{Arc, atomic::Ordering};

use bytes::Bytes;
use http::HeaderName;
use http_body_util::BodyExt as _;
use hyper::{HeaderMap, StatusCode, body::Incoming};

use super::{
    TransportError,
    connection::{Connection, broken},
    idle::IdleConnections,
};
use crate::control::Control;

/// A response whose body has not been read yet. Dropping it before the end of its body closes the connection.
#[derive(Debug)]
pub struct Response<'a> {
    /// The status.
    pub status: StatusCode,
    /// The header fields.
    pub headers: HeaderMap,
    idle: &'a IdleConnections,
    address: Arc<str>,
    /// `None` once it was given back.
    connection: Option<Connection>,
    body: Incoming,
}

impl<'a> Response<'a> {
    pub(super) fn new(idle: &'a IdleConnections, connection: Connection, response: hyper::Response<Incoming>) -> Self {
        let (head, body) = response.into_parts();
        Self {
            status: head.status,
            headers: head.headers,
            idle,
            address: Arc::clone(&connection.address),
            connection: Some(connection),
            body,
        }
    }

    /// A header field, if it is there and text.
    #[must_use]
    pub fn header(&self, name: impl Into<HeaderName>) -> Option<&str> {
        self.headers.get(name.into())?.to_str().ok()
    }

    /// The next piece of the body; `None` at its end.
    ///
    /// # Errors
    /// The body broke off.
    pub fn next(&mut self, control: &Control<'_>) -> Result<Option<Bytes>, TransportError> {
        let Some(connection) = &mut self.connection else { return Ok(None) };
        let body = &mut self.body;
        loop {
            let frame = connection.run(control, async |_| body.frame().await)?;
            connection.progress.fetch_add(1, Ordering::Relaxed);
            match frame {
                None => {
                    if let Some(connection) = self.connection.take() {
                        self.idle.give_back(connection);
                    }
                    return Ok(None);
                }
                Some(Err(error)) => return Err(broken(&connection.address, &error)),
                Some(Ok(frame)) => {
                    // Trailers say nothing that is used.
                    if let Ok(piece) = frame.into_data() {
                        return Ok(Some(piece));
                    }
                }
            }
        }
    }

    /// The whole body, which is a document of at most `limit` bytes.
    ///
    /// # Errors
    /// The body broke off, or is longer.
    pub fn read(&mut self, limit: usize, control: &Control<'_>) -> Result<Vec<u8>, TransportError> {
        let mut document = Vec::new();
        while let Some(piece) = self.next(control)? {
            document.extend_from_slice(&piece);
            if document.len() > limit {
                return Err(TransportError::TooLong { address: self.address.to_string(), limit });
            }
        }
        Ok(document)
    }
}
