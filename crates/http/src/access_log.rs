//! The access log: each request is counted, and logged in one line when the last byte of its response has been sent, or
//! the client has hung up.

use std::{
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context as TaskContext, Poll, ready},
    time::Instant,
};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use hyper::{HeaderMap, Method, Request, Version};

use super::{
    admin,
    connection::{state::ConnectionState, stream::ResponseWatch},
    request_body::Arrival,
};
use crate::{
    process::Usage,
    reply::X_BANDOG_ERROR,
    service::{BrokenBody, Context, OTHER_METHOD, ResponseBody},
};

/// The status of a request whose client hung up before the response, as nginx has it. It is never sent.
const ABANDONED: u16 = 499;

/// Bytes that a client that reads over HTTP/2 must have room for within the send timeout: hyper does not tell that it has
/// taken a part of them. Also the size of frame that every client accepts (RFC 9113 §4.2).
const PIECE: usize = 16 * 1024;

/// The record of a request. It is logged when it is dropped.
#[derive(Debug)]
pub(super) struct RequestRecord {
    context: Arc<Context>,
    state: Arc<ConnectionState>,
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
    /// The body of the request.
    pub(super) arrival: Arc<Arrival>,
    /// What the processes of the invocation have used, once the response is over.
    usage: Option<Usage>,
    complete: bool,
}

impl RequestRecord {
    pub(super) fn begin<B>(context: &Arc<Context>, state: &Arc<ConnectionState>, request: &Request<B>) -> Self {
        let (method, path) = (request.method(), request.uri().path());
        let is_probe = admin::is_admin(path) || admin::is_network_probe(request.headers());
        state.enter();
        if !is_probe {
            context.metrics.in_flight.inc();
        }
        Self {
            context: Arc::clone(context),
            state: Arc::clone(state),
            started: Instant::now(),
            method: method.clone(),
            version: request.version(),
            path: path.to_owned(),
            call_id: String::new(),
            is_probe,
            status: None,
            sent: 0,
            arrival: Arc::default(),
            usage: None,
            complete: false,
        }
    }

    pub(super) fn method(&self) -> &Method {
        &self.method
    }

    /// Follows the body of the response to its end.
    pub(super) fn follow(mut self, status: u16, body: ResponseBody, watch: Option<Arc<ResponseWatch>>) -> LoggedBody {
        self.status = Some(status);
        self.complete = body.is_end_stream();
        LoggedBody { body, held: None, rest: Bytes::new(), watch, record: self }
    }

    /// Whether this frame may be sent now. Over HTTP/1 no response follows trailers that say that this one is not whole, and
    /// hyper must know that first: it may hold the request that follows.
    fn may_send(&self, frame: &Result<Frame<Bytes>, BrokenBody>) -> bool {
        let trailers = frame.as_ref().ok().and_then(Frame::trailers_ref);
        if self.version >= Version::HTTP_2 || trailers.is_none_or(is_whole) || self.state.is_closing() {
            return true;
        }
        self.state.end_after_this();
        false
    }

    /// hyper does not ask for more after the trailers.
    fn end_with(&mut self, trailers: &HeaderMap) {
        self.complete = is_whole(trailers);
        if !self.complete {
            self.break_off(BrokenBody);
        }
    }

    fn break_off(&self, broken: BrokenBody) {
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
            _ => OTHER_METHOD,
        }
    }
}

impl Drop for RequestRecord {
    fn drop(&mut self) {
        self.state.leave();
        let metrics = &self.context.metrics;
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
            let bytes_in = self.arrival.bytes.load(Ordering::Relaxed);
            let cpu_seconds = self.usage.map(|usage| usage.cpu_time.as_secs_f64());
            let peak_memory_bytes = self.usage.map(|usage| usage.peak_memory);
            tracing::info!(
                call_id,
                method,
                path,
                status,
                bytes,
                seconds,
                bytes_in,
                cpu_seconds,
                peak_memory_bytes,
                "request"
            );
        }
    }
}

/// The body of a response, counted.
#[derive(Debug)]
pub(super) struct LoggedBody {
    body: ResponseBody,
    /// The end, while it waits until no other response can follow.
    held: Option<Result<Frame<Bytes>, BrokenBody>>,
    /// The part of the last frame that is still to be sent.
    rest: Bytes,
    /// The watch over the response's stream, over HTTP/2.
    watch: Option<Arc<ResponseWatch>>,
    record: RequestRecord,
}

/// The beginning of a frame of data; what follows is put into `rest`.
///
/// hyper takes a frame when the client has room for one byte of it, and is done with the stream when it has taken the
/// last one: a client that has no room for the others would keep the stream for ever, past every time limit. So the last
/// byte of a frame that may be the last goes alone, and is taken only when there is room for all before it.
fn split(frame: Frame<Bytes>, may_be_last: bool, rest: &mut Bytes) -> Frame<Bytes> {
    match frame.into_data() {
        Ok(mut data) => {
            let alone = usize::from(may_be_last);
            let length = data.len().saturating_sub(alone).clamp(1, PIECE);
            if data.len() > length {
                *rest = data.split_off(length);
            }
            Frame::data(data)
        }
        Err(other) => other,
    }
}

impl Drop for LoggedBody {
    fn drop(&mut self) {
        // The last frame follows the end of the processes.
        self.record.usage = self.body.usage();
    }
}

/// Whether these trailers end a whole response.
fn is_whole(trailers: &HeaderMap) -> bool {
    !trailers.contains_key(X_BANDOG_ERROR)
}

impl http_body::Body for LoggedBody {
    type Data = Bytes;
    type Error = BrokenBody;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenBody>>> {
        let Self { body, held, rest, watch, record } = self.get_mut();
        if let Some(watch) = watch {
            watch.taken();
        }
        let mut frame = match held.take() {
            None if !rest.is_empty() => Some(Ok(Frame::data(std::mem::take(rest)))),
            None => ready!(Pin::new(&mut *body).poll_frame(context)),
            frame => frame,
        };
        *held = frame.take_if(|frame| !record.may_send(frame));
        if held.is_some() {
            // The connection comes back to it as soon as it has seen that it is to end.
            return Poll::Pending;
        }
        if let Some(watch) = watch {
            let may_be_last = body.size_hint().exact().is_none_or(|left| left == 0);
            frame = frame.map(|frame| frame.map(|frame| split(frame, may_be_last, rest)));
            watch.offer();
        }
        record.complete = frame.is_none() || (rest.is_empty() && body.is_end_stream());
        match &frame {
            Some(Ok(frame)) => {
                record.sent += frame.data_ref().map_or(0, Bytes::len) as u64;
                if let Some(trailers) = frame.trailers_ref() {
                    record.end_with(trailers);
                }
            }
            Some(Err(broken)) => record.break_off(*broken),
            None => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_none() && self.rest.is_empty() && self.body.is_end_stream()
    }

    /// To be asked before the first frame only, as hyper does.
    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
