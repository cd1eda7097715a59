//! A document with keys, from a service that is near: that of a container or of an instance.

use std::{sync::Arc, time::Duration, time::Instant};

use http::{HeaderValue, Method, Request, StatusCode, Uri};
use serde::Deserialize;
use tokio_rustls::rustls::ClientConfig;

use super::{Keys, Lent, missing};
use crate::{
    control::Control,
    error::{Again, Error, ErrorKind},
    http::{Client, Endpoint, Payload, Scheme},
    retry::attempts,
};

/// Bytes of a document.
const LIMIT: usize = 64 * 1024;

/// A request to a service.
#[derive(Debug)]
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    /// The path and the query.
    pub(super) target: &'a str,
    pub(super) headers: &'a [(&'static str, &'a str)],
    pub(super) payload: Payload,
}

impl<'a> Ask<'a> {
    pub(super) fn get(target: &'a str, headers: &'a [(&'static str, &'a str)]) -> Self {
        Self { method: Method::GET, target, headers, payload: Payload::Empty }
    }
}

/// A service that lends keys.
#[derive(Debug)]
pub(super) struct Lender {
    client: Client,
    /// The longest time for an answer.
    limit: Duration,
}

/// Keys as the services of AWS write them.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Written {
    access_key_id: String,
    secret_access_key: String,
    token: Option<String>,
    /// Keys without a time are asked for at each use.
    expiration: Option<String>,
}

impl Lender {
    pub(super) fn new(endpoint: Endpoint, limit: Duration) -> Result<Self, Error> {
        let tls: Option<Arc<ClientConfig>> = match endpoint.scheme {
            Scheme::Http => None,
            Scheme::Https => Some(crate::http::Trust::default().client_config()?),
        };
        Ok(Self { client: Client::new(endpoint, tls), limit })
    }

    /// The document that the service answers with, whatever its status.
    pub(super) fn ask(&self, ask: &Ask<'_>, control: &Control<'_>) -> Result<(StatusCode, Vec<u8>), Error> {
        let answer = attempts(control, |_| {
            let end = Instant::now() + self.limit;
            let deadline = control.deadline.map_or(end, |deadline| deadline.min(end));
            let own = Control { deadline: Some(deadline), cancel: control.cancel };
            self.ask_once(ask, &own).map_err(|error| match error.kind {
                // Its own time is over, and not that of the call.
                ErrorKind::Stopped if control.check().is_ok() => {
                    let seconds = self.limit.as_secs();
                    Error::new(ErrorKind::Unreachable, format!("no answer within {seconds} s"))
                }
                _ => error,
            })
        });
        answer.map_err(|error| Error { detail: format!("{}: {}", self.client.endpoint(), error.detail), ..error })
    }

    fn ask_once(&self, ask: &Ask<'_>, control: &Control<'_>) -> Result<(StatusCode, Vec<u8>), Error> {
        let wrong = |error: &dyn std::error::Error| missing(&format!("cannot ask for {}: {error}", ask.target));
        let mut request = Request::new(ask.payload.clone());
        *request.method_mut() = ask.method.clone();
        *request.uri_mut() = Uri::try_from(ask.target).map_err(|error| wrong(&error))?;
        for (name, value) in ask.headers {
            request.headers_mut().insert(*name, HeaderValue::try_from(*value).map_err(|error| wrong(&error))?);
        }
        let mut response = self.client.send(request, control)?;
        let status = response.status;
        let document = response.read(LIMIT, control)?;
        match status.as_u16() {
            429 | 500..=599 => {
                Err(Error { again: Again::Later, ..missing(&format!("{} answered {status}", ask.target)) })
            }
            _ => Ok((status, document)),
        }
    }

    /// The text of a success.
    pub(super) fn text(&self, ask: &Ask<'_>, control: &Control<'_>) -> Result<String, Error> {
        let (status, document) = self.ask(ask, control)?;
        let text = String::from_utf8_lossy(&document).trim().to_owned();
        if status.is_success() {
            return Ok(text);
        }
        Err(missing(&format!("{}: {} answered {status}", self.client.endpoint(), ask.target)))
    }

    /// The keys in a document.
    pub(super) fn keys(&self, ask: &Ask<'_>, control: &Control<'_>) -> Result<Lent, Error> {
        let text = self.text(ask, control)?;
        // The message would hold a part of the document, and with it of the keys.
        let written: Written = serde_json::from_str(&text).map_err(|_| {
            let Ask { target, .. } = ask;
            missing(&format!("{}: {target} answered with no document of keys", self.client.endpoint()))
        })?;
        let Written { access_key_id: access_key, secret_access_key: secret_key, token: session_token, expiration } =
            written;
        Ok(Lent {
            keys: Keys { access_key, secret_key, session_token },
            end: expiration.and_then(|end| end.parse().ok()),
        })
    }
}
