//! The function's answer on its way to the client.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as _, Frame};
use hyper::{
    HeaderMap, StatusCode,
    body::Incoming as ResponseBody,
    header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue},
};
use tokio::time::{Instant, Sleep, sleep_until};

use super::{
    Answered, closing,
    pool::{Sender, reason},
    request::remove_own_of_connection,
    stay::Stay,
    timed_out,
    upload::Uploading,
};
use crate::{
    http::bridge::{Answer, Body, Broken},
    invocation::{Cause, Failure, Outcome, Report, Unanswered},
    output::base64::{append, encoded_len},
    reply::{CONTENT_TRANSFER_ENCODING, Head, Seconds, X_BANDOG_ERROR, X_CALL_ID, X_DURATION_SECONDS, X_OUTPUT_KIND},
};

/// The answer as it goes on: its head, and the body that follows until `deadline`, which comes `limit` after the
/// beginning. A stream of events has no end of its own, and so none is set for it: that is for the function to say,
/// and not for the client.
pub(super) fn of(
    answered: Answered,
    mut stay: Stay,
    uploading: Uploading,
    deadline: Option<(Duration, Instant)>,
) -> Answer {
    let Answered { response, sender } = answered;
    let (mut parts, body) = response.into_parts();
    let headers = &mut parts.headers;
    remove_own_of_connection(headers);
    let announced = headers.remove(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    headers.remove(X_BANDOG_ERROR);
    let is_stream = is_event_stream(headers);
    let has_content = !matches!(parts.status.as_u16(), 204 | 304);
    let encodes = stay.encodes() && parts.status.is_success() && has_content && !is_stream;
    // Of an answer to HEAD, which has no body, this is what that of GET would have.
    let mut length = if has_content { announced } else { None };
    if encodes {
        length = length.map(encoded_len);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        headers.insert(CONTENT_TRANSFER_ENCODING, HeaderValue::from_static("base64"));
        headers.insert(X_OUTPUT_KIND, HeaderValue::from_static("file"));
    }
    add_own(headers, &stay);
    let head = Head { status: parts.status, headers: parts.headers, length };
    if body.is_end_stream() {
        // After a HEAD some send the body all the same, which nobody may take for the next answer.
        let is_spent = has_content && announced != Some(0);
        stay.end_well(Some(sender).filter(|_| !is_spent));
        return (head, Body::Whole(None));
    }
    let passing = Passing {
        left: length,
        coding: encodes.then(Vec::new),
        deadline: deadline.filter(|_| !is_stream).map(|(limit, deadline)| (limit, Box::pin(sleep_until(deadline)))),
        closing: Box::pin(closing(stay.server().phase.subscribe())),
        body,
        sender: Some(sender),
        uploading,
        stay,
    };
    (head, Body::Upstream(Box::new(passing)))
}

/// What bandog says of every answer.
pub(super) fn add_own(headers: &mut HeaderMap, stay: &Stay) {
    let mut set = |name, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set(X_CALL_ID, &stay.call_id);
    set(X_DURATION_SECONDS, &Seconds(stay.started.elapsed()).to_string());
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/event-stream"))
}

/// The body of an answer under way.
pub(in crate::http) struct Passing {
    body: ResponseBody,
    /// Bytes that are still to be sent, if that is known.
    left: Option<u64>,
    /// With `--encode`: the bytes that do not make a group of three yet.
    coding: Option<Vec<u8>>,
    deadline: Option<(Duration, Pin<Box<Sleep>>)>,
    /// The end of the drain.
    closing: Pin<Box<dyn Future<Output = ()> + Send>>,
    sender: Option<Sender>,
    uploading: Uploading,
    stay: Stay,
}

impl fmt::Debug for Passing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passing").field("left", &self.left).field("stay", &self.stay).finish_non_exhaustive()
    }
}

impl Passing {
    pub(in crate::http) fn is_over(&self) -> bool {
        self.stay.is_over()
    }

    pub(in crate::http) fn left(&self) -> Option<u64> {
        self.left
    }

    pub(in crate::http) fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if self.is_over() {
            return Poll::Ready(None);
        }
        if let Some((limit, deadline)) = &mut self.deadline
            && deadline.as_mut().poll(context).is_ready()
        {
            let limit = *limit;
            return self.broken(&timed_out(self.stay.started, Some(limit)));
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
                    // Trailers: of the encoded answer they would be untrue.
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

    /// What of `data` can be sent, in the form in which it is.
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
        // With a known length nobody asks for more after the last byte.
        if self.left == Some(0) {
            self.end();
        }
        Frame::data(data)
    }

    /// All has been passed on. Whoever has the last piece finds the place free.
    fn end(&mut self) {
        let is_uploaded = self.uploading.is_done();
        self.stay.end_well(self.sender.take().filter(|_| is_uploaded));
    }

    fn broken(&mut self, outcome: &Outcome) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.stay.end(outcome);
        self.sender = None;
        Poll::Ready(Some(Err(Broken)))
    }

    /// Whose fault it is that the answer ends here.
    fn blame(&mut self, error: &hyper::Error) -> Outcome {
        if let Some(error) = self.uploading.fault() {
            return Outcome::Refused(error);
        }
        let call_id = self.stay.call_id.as_str();
        let failure = Unanswered::BrokeOff { who: self.stay.who(), reason: reason(error) };
        tracing::warn!(call_id, "{failure}");
        let report = Report::of_exchange(self.stay.started.elapsed());
        Outcome::Failed { report, failure: Failure::Unanswered(failure) }
    }
}

/// An answer of the function's without a body.
pub(super) fn without_body(status: StatusCode, headers: HeaderMap) -> Answer {
    (Head { status, headers, length: None }, Body::Whole(None))
}
