//! A request's body, from the front door to the executor.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::mpsc;

use super::{BrokenBody, FRAMES};
use crate::input::{BodyError, BodySource};

/// A part of a request's body on its way to the executor.
#[derive(Debug)]
pub(crate) enum RequestFrame {
    Data(Bytes),
    End,
    TimedOut,
}

/// The executor's end of a request's body.
#[derive(Debug)]
pub(crate) struct RequestBody {
    /// The bytes that had arrived before the executor began.
    first: Option<Bytes>,
    /// The bytes that follow; `None` if there are no more.
    rest: Option<mpsc::Receiver<RequestFrame>>,
    /// Bytes that are still to be read, if that is known.
    length: Option<u64>,
}

impl RequestBody {
    /// A body that has arrived whole.
    pub(crate) fn whole(body: Option<Bytes>) -> Self {
        let length = body.as_ref().map_or(0, Bytes::len) as u64;
        Self { first: body.filter(|body| !body.is_empty()), rest: None, length: Some(length) }
    }

    /// A body that has begun with `first`; the rest is to be sent.
    pub(crate) fn begun(first: Bytes) -> (Self, mpsc::Sender<RequestFrame>) {
        let (sender, rest) = mpsc::channel(FRAMES);
        (Self { first: Some(first).filter(|first| !first.is_empty()), rest: Some(rest), length: None }, sender)
    }

    /// Bytes that have arrived.
    pub(crate) fn arrived(&self) -> u64 {
        self.first.as_ref().map_or(0, Bytes::len) as u64
    }

    /// All of it, if all has arrived.
    pub(crate) fn copy(&self) -> Option<Bytes> {
        self.rest.is_none().then(|| self.first.clone().unwrap_or_default())
    }

    /// The same, of which so many bytes were announced.
    pub(crate) fn announced(self, length: Option<u64>) -> Self {
        Self { length, ..self }
    }
}

impl BodySource for RequestBody {
    fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        if let Some(first) = self.first.take().filter(|first| !first.is_empty()) {
            return Ok(Some(first));
        }
        let Some(rest) = &mut self.rest else { return Ok(None) };
        loop {
            match rest.blocking_recv() {
                Some(RequestFrame::Data(piece)) if piece.is_empty() => {}
                Some(RequestFrame::Data(piece)) => return Ok(Some(piece)),
                Some(RequestFrame::End) => {
                    self.rest = None;
                    return Ok(None);
                }
                Some(RequestFrame::TimedOut) => return Err(BodyError::TimedOut),
                // The other end always sends the end of the body, unless its connection is gone.
                None => return Err(BodyError::Incomplete),
            }
        }
    }
}

/// The body of a request to a server that speaks HTTP itself.
impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = BrokenBody;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenBody>>> {
        let this = self.get_mut();
        let piece = match (this.first.take(), &mut this.rest) {
            (Some(first), _) => first,
            (None, None) => return Poll::Ready(None),
            (None, Some(rest)) => match ready!(rest.poll_recv(context)) {
                Some(RequestFrame::Data(piece)) => piece,
                Some(RequestFrame::End) => {
                    this.rest = None;
                    return Poll::Ready(None);
                }
                Some(RequestFrame::TimedOut) | None => return Poll::Ready(Some(Err(BrokenBody))),
            },
        };
        this.length = this.length.map(|length| length.saturating_sub(piece.len() as u64));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.rest.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
