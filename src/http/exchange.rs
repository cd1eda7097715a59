//! One request and its answer, as the operator sees them: counted, and written down in one line when the last byte of
//! the answer has been sent, or the client has gone.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use hyper::{HeaderMap, Method, Request, Version};

use super::{
    Server,
    bridge::{Body, Broken},
    link::Link,
    metrics::OTHER,
    probe,
};
use crate::reply::X_BANDOG_ERROR;

/// The status of an exchange whose client left before there was an answer, as nginx has it. Nobody is sent it.
const ABANDONED: u16 = 499;

/// What is known of an exchange. Dropped, it is written down.
#[derive(Debug)]
pub(super) struct Exchange {
    server: Arc<Server>,
    link: Arc<Link>,
    started: Instant,
    method: Method,
    version: Version,
    path: String,
    /// Empty for probes and refusals before there was one.
    pub(super) call_id: String,
    /// Probes and the admin pages are not counted, and written down at DEBUG only.
    is_probe: bool,
    status: Option<u16>,
    sent: u64,
    complete: bool,
}

impl Exchange {
    pub(super) fn begin<B>(server: &Arc<Server>, link: &Arc<Link>, request: &Request<B>) -> Self {
        let (method, path) = (request.method(), request.uri().path());
        let is_probe = probe::is_admin(path) || probe::is_network_probe(request.headers());
        link.enter();
        if !is_probe {
            server.metrics.in_flight.inc();
        }
        Self {
            server: Arc::clone(server),
            link: Arc::clone(link),
            started: Instant::now(),
            method: method.clone(),
            version: request.version(),
            path: path.to_owned(),
            call_id: String::new(),
            is_probe,
            status: None,
            sent: 0,
            complete: false,
        }
    }

    pub(super) fn link(&self) -> &Arc<Link> {
        &self.link
    }

    pub(super) fn method(&self) -> &Method {
        &self.method
    }

    /// Follows the body of the answer to its end.
    pub(super) fn follow(mut self, status: u16, body: Body) -> Tracked {
        self.status = Some(status);
        self.complete = body.is_end_stream();
        Tracked { body, held: None, exchange: self }
    }

    /// Whether this part of the answer may be sent now. Behind trailers that say that the answer is not whole no other
    /// one follows over HTTP/1, and hyper is to know that first: what was sent behind the request may be in its hands.
    fn may_send(&self, frame: &Result<Frame<Bytes>, Broken>) -> bool {
        let trailers = frame.as_ref().ok().and_then(Frame::trailers_ref);
        if self.version >= Version::HTTP_2 || trailers.is_none_or(is_whole) || self.link.is_closing() {
            return true;
        }
        self.link.end_after_this();
        false
    }

    /// Nobody asks for more after the trailers.
    fn end_with(&mut self, trailers: &HeaderMap) {
        self.complete = is_whole(trailers);
        if !self.complete {
            self.break_off(Broken);
        }
    }

    fn break_off(&self, broken: Broken) {
        let (call_id, bytes) = (self.call_id.as_str(), self.sent);
        tracing::warn!(call_id, bytes, "{broken}: the connection was broken off");
    }

    /// The method as a label: a client cannot make new series with names of its own.
    fn method_label(&self) -> &str {
        match self.method {
            Method::GET
            | Method::POST
            | Method::PUT
            | Method::PATCH
            | Method::DELETE
            | Method::HEAD
            | Method::OPTIONS => self.method.as_str(),
            _ => OTHER,
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.link.leave();
        let metrics = &self.server.metrics;
        let elapsed = self.started.elapsed().as_secs_f64();
        let status = self.status.unwrap_or(ABANDONED);
        if !self.is_probe {
            metrics.in_flight.dec();
            metrics.answered(status, self.method_label(), elapsed);
            metrics.sent.inc_by(self.sent);
        }
        let (method, path, call_id, bytes) =
            (self.method.as_str(), self.path.as_str(), self.call_id.as_str(), self.sent);
        let seconds = (elapsed * 1e6).round() / 1e6;
        if status == ABANDONED || !self.complete {
            tracing::debug!(call_id, method, path, status, bytes, seconds, "request abandoned");
        } else if self.is_probe {
            tracing::debug!(method, path, status, bytes, seconds, "probe");
        } else {
            tracing::info!(call_id, method, path, status, bytes, seconds, "request");
        }
    }
}

/// The body of an answer, counted.
#[derive(Debug)]
pub(super) struct Tracked {
    body: Body,
    /// The end, while it waits until no other answer can follow.
    held: Option<Result<Frame<Bytes>, Broken>>,
    exchange: Exchange,
}

/// Whether this is the end of a whole answer.
fn is_whole(trailers: &HeaderMap) -> bool {
    !trailers.contains_key(X_BANDOG_ERROR)
}

impl http_body::Body for Tracked {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let Self { body, held, exchange } = self.get_mut();
        let mut frame = match held.take() {
            None => ready!(Pin::new(&mut *body).poll_frame(context)),
            frame => frame,
        };
        *held = frame.take_if(|frame| !exchange.may_send(frame));
        if held.is_some() {
            // The connection comes back to it as soon as it has seen that it is to end.
            return Poll::Pending;
        }
        exchange.complete = frame.is_none() || body.is_end_stream();
        match &frame {
            Some(Ok(frame)) => {
                exchange.sent += frame.data_ref().map_or(0, Bytes::len) as u64;
                if let Some(trailers) = frame.trailers_ref() {
                    exchange.end_with(trailers);
                }
            }
            Some(Err(broken)) => exchange.break_off(*broken),
            None => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
