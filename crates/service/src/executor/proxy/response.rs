//! The server's response on its way to the client.

use std::{
    pin::Pin,
    task::{Context as TaskContext, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use hyper::{
    HeaderMap, StatusCode,
    body::Incoming,
    header::{
        ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderName, HeaderValue,
    },
};
use tokio::time::{Instant, Sleep, sleep_until};

use super::{
    Deadline, UpstreamResponse,
    in_flight::InFlightProxy,
    pool::{Sender, reason},
    request::remove_own_of_connection,
    timed_out,
    upload::Uploading,
};
use crate::{
    body::{BrokenBody, Response, ResponseBody},
    invocation::{Cause, Failure, Outcome, Report, UpstreamError},
    lifecycle::Phase,
    output::base64::{append, encoded_len},
    reply::{
        CONTENT_TRANSFER_ENCODING, Head, Seconds, X_BANDOG_ERROR, X_CALL_ID, X_DURATION_SECONDS, X_OUTPUT_ENCODING,
        X_OUTPUT_KIND,
    },
};

/// Fields with a digest of the bytes as the server sent them.
const DIGESTS: [HeaderName; 4] = [
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-md5"),
];

/// The response as it is forwarded: its head, and the body that follows until `deadline`. A stream of events has no end
/// of its own, and so no deadline: the server decides when it ends, and not the client.
pub(crate) fn respond(
    response: UpstreamResponse,
    mut in_flight: InFlightProxy,
    uploading: Uploading,
    deadline: Deadline,
) -> Response {
    let UpstreamResponse { response, sender } = response;
    let (mut parts, body) = response.into_parts();
    let headers = &mut parts.headers;
    remove_own_of_connection(headers);
    let announced = headers.remove(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    headers.remove(X_BANDOG_ERROR);
    let is_stream = is_event_stream(headers);
    let has_content = !matches!(parts.status.as_u16(), 204 | 304);
    let encodes = in_flight.encodes() && parts.status.is_success() && has_content && !is_stream;
    // Of a response to HEAD, which has no body, this is the length that the one to GET would have.
    let mut length = if has_content { announced } else { None };
    if encodes {
        length = length.map(encoded_len);
        describe_encoded(headers);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        headers.insert(CONTENT_TRANSFER_ENCODING, HeaderValue::from_static("base64"));
        headers.insert(X_OUTPUT_KIND, HeaderValue::from_static("file"));
    }
    add_own(headers, &in_flight);
    let head = Head { status: parts.status, headers: parts.headers, length };
    if body.is_end_stream() {
        // After a HEAD some servers send the body all the same, which must not be taken for the next response.
        let is_spent = has_content && announced != Some(0);
        in_flight.end_well(Some(sender).filter(|_| !is_spent));
        return Response::new(head, ResponseBody::whole(None));
    }
    let body = ForwardedBody {
        left: length,
        coding: encodes.then(Vec::new),
        deadline: deadline.filter(|_| !is_stream).map(|(limit, deadline)| (limit, Box::pin(sleep_until(deadline)))),
        closing: Box::pin(in_flight.context().lifecycle.reached(Phase::Closing)),
        body,
        sender: Some(sender),
        uploading,
        in_flight,
    };
    let deadline = body.deadline.as_ref().map(|(_, sleep)| sleep.deadline());
    Response::new(head, ResponseBody::forwarded(body, deadline))
}

/// Takes from a response that is sent in base64 the fields that speak of its bytes as they were: the label of their coding
/// becomes one for the decoded bytes, a digest of the content (RFC 9530, RFC 3230) and ranges of it would be false, and an
/// entity tag can only be a weak one.
fn describe_encoded(headers: &mut HeaderMap) {
    if let Some(coding) = headers.remove(CONTENT_ENCODING) {
        headers.insert(X_OUTPUT_ENCODING, coding);
    }
    for name in DIGESTS.into_iter().chain([ACCEPT_RANGES, CONTENT_RANGE]) {
        headers.remove(name);
    }
    let strong = headers.get(ETAG).filter(|tag| !tag.as_bytes().starts_with(b"W/"));
    if let Some(weak) = strong.and_then(|tag| HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat()).ok()) {
        headers.insert(ETAG, weak);
    }
}

/// Adds the fields that bandog sets in every response.
pub(crate) fn add_own(headers: &mut HeaderMap, in_flight: &InFlightProxy) {
    let mut set = |name, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set(X_CALL_ID, &in_flight.call_id);
    set(X_DURATION_SECONDS, &Seconds(in_flight.started.elapsed()).to_string());
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/event-stream"))
}

/// The body of a response under way.
struct ForwardedBody {
    body: Incoming,
    /// Bytes that are still to be sent, if that is known.
    left: Option<u64>,
    /// Where the response is encoded: the bytes that do not make a group of three yet.
    coding: Option<Vec<u8>>,
    deadline: Option<(Duration, Pin<Box<Sleep>>)>,
    /// The end of the drain.
    closing: Pin<Box<dyn Future<Output = ()> + Send>>,
    sender: Option<Sender>,
    uploading: Uploading,
    in_flight: InFlightProxy,
}

impl http_body::Body for ForwardedBody {
    type Data = Bytes;
    type Error = BrokenBody;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenBody>>> {
        self.next(context)
    }

    fn is_end_stream(&self) -> bool {
        self.in_flight.is_over()
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl ForwardedBody {
    fn next(&mut self, context: &mut TaskContext<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenBody>>> {
        if self.in_flight.is_over() {
            return Poll::Ready(None);
        }
        if let Some((limit, deadline)) = &mut self.deadline
            && deadline.as_mut().poll(context).is_ready()
        {
            let limit = *limit;
            return self.broken(&timed_out(self.in_flight.started, Some(limit)));
        }
        if self.closing.as_mut().poll(context).is_ready() {
            return self.broken(&Outcome::Cancelled { report: None, cause: Cause::Shutdown });
        }
        loop {
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => {
                        let data = self.encoded(data);
                        if !data.is_empty() {
                            return Poll::Ready(Some(Ok(self.sent(data))));
                        }
                    }
                    // Trailers do not describe the encoded response.
                    Err(_) if self.coding.is_some() => {}
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                Some(Err(error)) => {
                    let outcome = self.blame(&error);
                    return self.broken(&outcome);
                }
                None => {
                    let rest = self.coding.take().filter(|rest| !rest.is_empty());
                    let Some(rest) = rest else {
                        self.end();
                        return Poll::Ready(None);
                    };
                    let mut last = Vec::with_capacity(4);
                    append(&rest, &mut last);
                    let frame = self.sent(last.into());
                    self.end();
                    return Poll::Ready(Some(Ok(frame)));
                }
            }
        }
    }

    /// The part of `data` that can be sent, in the form in which it is sent.
    fn encoded(&mut self, data: Bytes) -> Bytes {
        let Some(carried) = &mut self.coding else { return data };
        carried.extend_from_slice(&data);
        let whole = carried.len() / 3 * 3;
        let mut encoded = Vec::with_capacity(whole / 3 * 4);
        append(&carried[..whole], &mut encoded);
        carried.drain(..whole);
        encoded.into()
    }

    fn sent(&mut self, data: Bytes) -> Frame<Bytes> {
        self.left = self.left.map(|left| left.saturating_sub(data.len() as u64));
        // With a known length hyper does not ask for more after the last byte.
        if self.left == Some(0) {
            self.end();
        }
        Frame::data(data)
    }

    /// All has been forwarded. A client that has the last frame finds the permit free.
    fn end(&mut self) {
        let is_uploaded = self.uploading.is_done();
        self.in_flight.end_well(self.sender.take().filter(|_| is_uploaded));
    }

    fn broken(&mut self, outcome: &Outcome) -> Poll<Option<Result<Frame<Bytes>, BrokenBody>>> {
        self.in_flight.end(outcome);
        self.sender = None;
        Poll::Ready(Some(Err(BrokenBody)))
    }

    /// The cause of a response that ends here.
    fn blame(&mut self, error: &hyper::Error) -> Outcome {
        if let Some(error) = self.uploading.fault() {
            return Outcome::Refused(error);
        }
        let call_id = self.in_flight.call_id.as_str();
        let failure = UpstreamError::Interrupted { upstream: self.in_flight.who(), reason: reason(error) };
        tracing::warn!(call_id, "{failure}");
        let report = Report::of_exchange(self.in_flight.started.elapsed());
        Outcome::Failed { report, failure: Failure::Upstream(failure) }
    }
}

impl Drop for ForwardedBody {
    /// A body that its front door dropped for its deadline has timed out; all others were given up by their clients.
    fn drop(&mut self) {
        if let Some((limit, deadline)) = &self.deadline
            && deadline.deadline() <= Instant::now()
        {
            let outcome = timed_out(self.in_flight.started, Some(*limit));
            self.in_flight.end(&outcome);
        }
    }
}

/// A response without a body.
pub(super) fn without_body(status: StatusCode, headers: HeaderMap) -> Response {
    Response::new(Head { status, headers, length: None }, ResponseBody::whole(None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_the_bytes_do_not_stand_on_their_base64() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("content-encoding", "gzip"),
            ("content-digest", "sha-256=:AA==:"),
            ("content-md5", "x"),
            ("accept-ranges", "bytes"),
            ("etag", "\"a\""),
            ("x-own", "1"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        describe_encoded(&mut headers);
        let mut left: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
        left.sort_unstable();
        assert_eq!(left, [r#"etag: "W/\"a\"""#, r#"x-output-encoding: "gzip""#, r#"x-own: "1""#]);
    }
}
