//! The border between the network thread and an invocation's: bodies cross it in bounded pieces, both ways.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering, fence},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::HeaderMap;
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
};

use super::upstream;
use crate::{
    intake::{Source, SourceError},
    output::{Gone, Sink},
    process::{Cancel, Cause},
    reply::{self, Head},
};

/// Pieces under way in either direction. With pieces of at most a few hundred KiB this bounds what a body costs.
const PIECES: usize = 4;

/// Orders the invocation to be stopped when it is dropped: the client is gone. Without effect on one that is over.
#[derive(Debug)]
pub(super) struct HangUp(pub(super) Cancel);

impl Drop for HangUp {
    fn drop(&mut self) {
        self.0.cancel(Cause::ClientGone);
    }
}

/// A part of a request's body on its way to the invocation.
#[derive(Debug)]
pub(super) enum Upload {
    Data(Bytes),
    End,
    TimedOut,
}

/// The invocation's end of a request's body.
#[derive(Debug)]
pub(super) struct Incoming {
    /// What had arrived before the invocation began.
    first: Option<Bytes>,
    /// What follows; `None` if that was all.
    rest: Option<mpsc::Receiver<Upload>>,
    /// Bytes of all that is still to be read, if that is known.
    length: Option<u64>,
}

impl Incoming {
    /// A body that has arrived whole.
    pub(super) fn whole(body: Option<Bytes>) -> Self {
        let length = body.as_ref().map_or(0, Bytes::len) as u64;
        Self { first: body.filter(|body| !body.is_empty()), rest: None, length: Some(length) }
    }

    /// A body that has begun with `first`; the rest is to be sent.
    pub(super) fn begun(first: Bytes) -> (Self, mpsc::Sender<Upload>) {
        let (sender, rest) = mpsc::channel(PIECES);
        (Self { first: Some(first).filter(|first| !first.is_empty()), rest: Some(rest), length: None }, sender)
    }

    /// Bytes of it that are here already.
    pub(super) fn came(&self) -> u64 {
        self.first.as_ref().map_or(0, Bytes::len) as u64
    }

    /// All of it, if all is here.
    pub(super) fn copy(&self) -> Option<Bytes> {
        self.rest.is_none().then(|| self.first.clone().unwrap_or_default())
    }

    /// The same, of which so many bytes were announced.
    pub(super) fn announced(self, length: Option<u64>) -> Self {
        Self { length, ..self }
    }
}

impl Source for Incoming {
    fn next(&mut self) -> Result<Option<Bytes>, SourceError> {
        if let Some(first) = self.first.take().filter(|first| !first.is_empty()) {
            return Ok(Some(first));
        }
        let Some(rest) = &mut self.rest else { return Ok(None) };
        loop {
            match rest.blocking_recv() {
                Some(Upload::Data(piece)) if piece.is_empty() => {}
                Some(Upload::Data(piece)) => return Ok(Some(piece)),
                Some(Upload::End) => {
                    self.rest = None;
                    return Ok(None);
                }
                Some(Upload::TimedOut) => return Err(SourceError::TimedOut),
                // The other end never leaves without a word unless its connection is gone.
                None => return Err(SourceError::Gone),
            }
        }
    }
}

/// As the body of the request to a function that speaks HTTP itself.
impl http_body::Body for Incoming {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = self.get_mut();
        let piece = match (this.first.take(), &mut this.rest) {
            (Some(first), _) => first,
            (None, None) => return Poll::Ready(None),
            (None, Some(rest)) => match ready!(rest.poll_recv(context)) {
                Some(Upload::Data(piece)) => piece,
                Some(Upload::End) => {
                    this.rest = None;
                    return Poll::Ready(None);
                }
                Some(Upload::TimedOut) | None => return Poll::Ready(Some(Err(Broken))),
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

/// A part of an answer's body on its way to the network.
#[derive(Debug)]
pub(super) enum Download {
    Data(Bytes),
    /// The end, with fields after it.
    Trailers(HeaderMap),
    End,
}

/// An answer as the network side gets it: the head, and the body that follows.
pub(super) type Answer = (Head, Body);

/// The invocation's end of the answer.
///
/// One piece is always held back, until the next one or [`Port::finish`]. So an answer of one piece crosses the border
/// in one step, with its head; and whoever has the last piece of any answer can rely on what was done before `finish`
/// (the workspace removed, the place given back). Only the pieces of a live answer are events somebody waits for, and
/// pass at once.
#[derive(Debug)]
pub(super) struct Port {
    /// Until the head is sent.
    answer: Option<oneshot::Sender<Answer>>,
    head: Option<Head>,
    live: bool,
    held: Option<Bytes>,
    trailers: Option<HeaderMap>,
    pieces: Option<mpsc::Sender<Download>>,
    hunger: Hunger,
    /// How long the network side may take nothing (`--send-timeout`), and where that time passes.
    patience: Option<(Duration, Handle)>,
}

impl Port {
    /// Where an answer goes.
    pub(super) fn new(
        answer: oneshot::Sender<Answer>,
        invocation: &Cancel,
        patience: Option<(Duration, Handle)>,
    ) -> Self {
        Self {
            answer: Some(answer),
            head: None,
            live: false,
            held: None,
            trailers: None,
            pieces: None,
            hunger: Hunger { waits: Arc::default(), invocation: invocation.clone() },
            patience,
        }
    }

    /// The proper end of the body. Without it the connection is broken, so that nobody takes the part for the whole.
    pub(super) fn finish(mut self) {
        let (last, trailers) = (self.held.take(), self.trailers.take());
        if let Some(pieces) = &self.pieces {
            let end = trailers.map_or(Download::End, Download::Trailers);
            for piece in last.map(Download::Data).into_iter().chain([end]) {
                if self.hand_over(pieces, piece).is_err() {
                    return;
                }
            }
        } else if let (Some(answer), Some(head)) = (self.answer.take(), self.head.take()) {
            let _ = answer.send((head, Body::Whole(last)));
        }
    }

    /// Ends a body that is not whole, so that nobody takes it for that: with trailers that say so for who looks at them,
    /// else the connection is broken.
    pub(super) fn break_off(mut self) {
        if let (Some(trailers), Some(pieces)) = (self.trailers.take(), &self.pieces) {
            let _ = self.hand_over(pieces, Download::Trailers(trailers));
        }
    }

    fn push(&mut self, piece: Bytes) -> Result<(), Gone> {
        if let (Some(answer), Some(head)) = (self.answer.take(), self.head.take()) {
            let (sender, receiver) = mpsc::channel(PIECES);
            let length = head.length;
            self.pieces = Some(sender);
            let hunger = Eater(self.hunger.clone());
            answer
                .send((head, Body::Pieces { receiver, left: length, is_broken: false, hunger, _hang_up: None }))
                .map_err(|_| Gone)?;
        }
        let pieces = self.pieces.as_ref().ok_or(Gone)?;
        self.hand_over(pieces, Download::Data(piece))
    }

    /// Waits until there is room, but for a reader that takes nothing. Over HTTP/1 the socket says so as soon as this
    /// does; over HTTP/2 it has room for others, and only this can tell.
    fn hand_over(&self, pieces: &mpsc::Sender<Download>, piece: Download) -> Result<(), Gone> {
        let Err(refused) = pieces.try_send(piece) else { return Ok(()) };
        let (mpsc::error::TrySendError::Full(piece) | mpsc::error::TrySendError::Closed(piece)) = refused;
        match &self.patience {
            None => pieces.blocking_send(piece).map_err(|_| Gone),
            Some((limit, runtime)) => runtime.block_on(pieces.send_timeout(piece, *limit)).map_err(|_| Gone),
        }
    }
}

impl reply::Port for Port {
    fn begin(&mut self, head: Head, live: bool) {
        self.head = Some(head);
        self.live = live;
    }

    fn trail(&mut self, fields: HeaderMap) {
        self.trailers = Some(fields);
    }

    fn patience(&self) -> Option<Duration> {
        self.patience.as_ref().map(|(limit, _)| *limit)
    }
}

/// Whether an invocation waits for the network side to take a piece.
#[derive(Debug, Clone)]
pub(super) struct Hunger {
    waits: Arc<AtomicBool>,
    invocation: Cancel,
}

impl Hunger {
    /// To be followed by another look whether there is room: some may just have been made.
    fn begin(&self) {
        self.waits.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
    }

    /// There is room; who waits for it is told.
    fn end(&self) {
        fence(Ordering::SeqCst);
        if self.waits.load(Ordering::SeqCst) && self.waits.swap(false, Ordering::SeqCst) {
            self.invocation.wake();
        }
    }
}

/// The network side of it. Who waits for room is told also when this leaves: to be dropped after what takes the pieces.
#[derive(Debug)]
pub(super) struct Eater(Hunger);

impl Drop for Eater {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Sink for Port {
    fn send(&mut self, piece: Bytes) -> Result<(), Gone> {
        if piece.is_empty() {
            return Ok(());
        }
        let ready = if self.live { Some(piece) } else { self.held.replace(piece) };
        ready.map_or(Ok(()), |piece| self.push(piece))
    }

    fn room(&self) -> usize {
        let has_room = || self.pieces.as_ref().is_none_or(|pieces| pieces.capacity() > 0 || pieces.is_closed());
        if has_room() {
            return usize::MAX;
        }
        self.hunger.begin();
        if has_room() { usize::MAX } else { 0 }
    }
}

/// The body of an answer.
#[derive(Debug)]
pub(super) enum Body {
    /// All there is.
    Whole(Option<Bytes>),
    /// What an invocation is still writing.
    Pieces {
        /// Where it comes from.
        receiver: mpsc::Receiver<Download>,
        /// Bytes announced and not received yet, if the length is known.
        left: Option<u64>,
        /// The invocation has left it unfinished. What came before goes out first.
        is_broken: bool,
        /// Whether who writes it waits for room. After `receiver`, so that it is dropped later.
        hunger: Eater,
        /// Dropped with the body.
        _hang_up: Option<HangUp>,
    },
    /// What a function that speaks HTTP itself is answering.
    Upstream(Box<upstream::Passing>),
}

impl Body {
    /// Whoever leaves in the middle of the answer stops the function, if it still runs.
    pub(super) fn with(self, hang_up: Option<HangUp>) -> Self {
        match self {
            Self::Pieces { receiver, left, is_broken, hunger, .. } => {
                Self::Pieces { receiver, left, is_broken, hunger, _hang_up: hang_up }
            }
            other @ (Self::Whole(_) | Self::Upstream(_)) => other,
        }
    }
}

/// The invocation ended without finishing its answer. Breaks the connection.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the answer could not be completed")]
pub(super) struct Broken;

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match self.get_mut() {
            Self::Whole(body) => Poll::Ready(body.take().map(|body| Ok(Frame::data(body)))),
            Self::Pieces { receiver, left, is_broken, hunger, .. } => {
                Poll::Ready(match ready!(receiver.poll_recv(context)) {
                    Some(Download::Data(piece)) => {
                        hunger.0.end();
                        if let Some(left) = left {
                            *left = left.saturating_sub(piece.len() as u64);
                        }
                        Some(Ok(Frame::data(piece)))
                    }
                    Some(Download::Trailers(fields)) => Some(Ok(Frame::trailers(fields))),
                    Some(Download::End) => None,
                    // hyper throws away what it has not written when a body fails. It writes when there is nothing to
                    // take.
                    None if !std::mem::replace(is_broken, true) => {
                        context.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    None => Some(Err(Broken)),
                })
            }
            Self::Upstream(passing) => passing.poll_frame(context),
        }
    }

    /// With a known length the last byte is the end: nobody asks for more after it.
    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_none(),
            Self::Pieces { left, .. } => *left == Some(0),
            Self::Upstream(passing) => passing.is_over(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => SizeHint::with_exact(body.as_ref().map_or(0, Bytes::len) as u64),
            Self::Pieces { left: Some(left), .. } => SizeHint::with_exact(*left),
            Self::Pieces { left: None, .. } => SizeHint::default(),
            Self::Upstream(passing) => passing.left().map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}
