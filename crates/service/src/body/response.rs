//! A response's body, from the executor to the front door.

use std::{
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering, fence},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::HeaderMap;
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
    time::Instant,
};

use super::{BrokenBody, FRAMES, MULTIPLEXED_FRAME};
use crate::{
    invocation::Outcome,
    output::{BodySink, Disconnected, buffer::CHUNK},
    process::{Cancel, Cause, Usage},
    reply::Head,
};

/// Cancels the invocation when it is dropped: the client has hung up. Without effect on an invocation that is over.
#[derive(Debug)]
pub(crate) struct CancelOnDrop(pub(crate) Cancel);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel(Cause::ClientGone);
    }
}

/// A response: its head, and the body that follows.
#[derive(Debug)]
pub struct Response {
    /// Status and header fields.
    pub head: Head,
    /// The body.
    pub body: ResponseBody,
    /// The outcome that the response reports, where it is a failure and known already.
    pub outcome: Option<Box<Outcome>>,
}

impl Response {
    /// A response that reports no failure, or none that is known yet.
    #[must_use]
    pub fn new(head: Head, body: ResponseBody) -> Self {
        Self { head, body, outcome: None }
    }
}

/// A part of a response's body on its way to the network thread.
#[derive(Debug)]
enum ResponseFrame {
    Data(Bytes),
    /// The end, with fields after it.
    Trailers(HeaderMap),
    End,
}

/// The executor's end of the response.
///
/// One frame is always held back, until the next one or [`ResponseSender::finish`]. So a response of one frame crosses
/// the border in one step, with its head; and a client that has the last frame of any response can rely on what was done
/// before `finish` (the workspace removed, the permit given back). Only the frames of a live response are sent at once:
/// they are events that a client waits for.
#[derive(Debug)]
pub(crate) struct ResponseSender {
    /// Until the head is sent.
    response: Option<oneshot::Sender<Response>>,
    head: Option<Head>,
    live: bool,
    held: Option<Bytes>,
    trailers: Option<HeaderMap>,
    frames: Option<mpsc::Sender<ResponseFrame>>,
    backpressure: Backpressure,
    /// How long the network side may take nothing (`--send-timeout`), and the runtime of that timer.
    patience: Option<(Duration, Handle)>,
    /// Bytes of a frame.
    chunk: usize,
    usage: Arc<OnceLock<Usage>>,
}

impl ResponseSender {
    /// Sends head and body to `response`.
    pub(crate) fn new(
        response: oneshot::Sender<Response>,
        invocation: &Cancel,
        patience: Option<(Duration, Handle)>,
    ) -> Self {
        Self {
            response: Some(response),
            head: None,
            live: false,
            held: None,
            trailers: None,
            frames: None,
            backpressure: Backpressure { waits: Arc::default(), invocation: invocation.clone() },
            patience,
            chunk: CHUNK,
            usage: Arc::default(),
        }
    }

    /// Notes what the processes of the invocation have used, for the front door to report at the end of the body.
    pub(crate) fn set_usage(&self, usage: Usage) {
        let _ = self.usage.set(usage);
    }

    fn body(&self, kind: ResponseKind) -> ResponseBody {
        ResponseBody { kind, usage: Some(Arc::clone(&self.usage)) }
    }

    /// The same for a caller at the other end of a connection that may be shared with many.
    pub(crate) fn multiplexed(self, is_multiplexed: bool) -> Self {
        Self { chunk: if is_multiplexed { MULTIPLEXED_FRAME } else { CHUNK }, ..self }
    }

    /// The proper end of the body. Without it the connection is broken off, so that the part is not taken for the whole.
    pub(crate) fn finish(mut self) {
        let (last, trailers) = (self.held.take(), self.trailers.take());
        if let Some(frames) = &self.frames {
            let end = trailers.map_or(ResponseFrame::End, ResponseFrame::Trailers);
            for piece in last.map(ResponseFrame::Data).into_iter().chain([end]) {
                if self.hand_over(frames, piece).is_err() {
                    return;
                }
            }
        } else if let (Some(response), Some(head)) = (self.response.take(), self.head.take()) {
            let body = self.body(ResponseKind::Whole(last));
            let _ = response.send(Response::new(head, body));
        }
    }

    /// Ends a body that is not whole: with trailers that say so, for a client that reads them; otherwise the connection is
    /// broken off.
    pub(crate) fn break_off(mut self) {
        if let (Some(trailers), Some(frames)) = (self.trailers.take(), &self.frames) {
            let _ = self.hand_over(frames, ResponseFrame::Trailers(trailers));
        }
    }

    fn push(&mut self, piece: Bytes) -> Result<(), Disconnected> {
        if let (Some(response), Some(head)) = (self.response.take(), self.head.take()) {
            let (sender, receiver) = mpsc::channel(FRAMES);
            self.frames = Some(sender);
            let room = RoomGuard(self.backpressure.clone());
            let body = ResponseKind::Frames { receiver, left: head.length, is_broken: false, room, _cancel: None };
            response.send(Response::new(head, self.body(body))).map_err(|_| Disconnected)?;
        }
        let frames = self.frames.as_ref().ok_or(Disconnected)?;
        self.hand_over(frames, ResponseFrame::Data(piece))
    }

    /// Waits until there is room, at most for the send timeout. Over HTTP/1 a write to the socket times out as soon as this
    /// does; over HTTP/2 the socket has room for other streams, so that this alone detects a reader that takes nothing.
    fn hand_over(&self, frames: &mpsc::Sender<ResponseFrame>, piece: ResponseFrame) -> Result<(), Disconnected> {
        let Err(refused) = frames.try_send(piece) else { return Ok(()) };
        let (mpsc::error::TrySendError::Full(piece) | mpsc::error::TrySendError::Closed(piece)) = refused;
        match &self.patience {
            None => frames.blocking_send(piece).map_err(|_| Disconnected),
            Some((limit, runtime)) => runtime.block_on(frames.send_timeout(piece, *limit)).map_err(|_| Disconnected),
        }
    }
}

impl bandog_runtime::call::ResponseWriter for ResponseSender {
    fn begin(&mut self, head: Head, live: bool) {
        self.head = Some(head);
        self.live = live;
    }

    fn send_trailers(&mut self, fields: HeaderMap) {
        self.trailers = Some(fields);
    }

    fn stall_limit(&self) -> Option<Duration> {
        self.patience.as_ref().map(|(limit, _)| *limit)
    }
}

/// Whether an invocation waits for the network side to take a frame.
#[derive(Debug, Clone)]
struct Backpressure {
    waits: Arc<AtomicBool>,
    invocation: Cancel,
}

impl Backpressure {
    /// The caller must look for room once more after this: some may just have been made.
    fn begin(&self) {
        self.waits.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
    }

    /// There is room: wakes an invocation that waits for it.
    fn end(&self) {
        fence(Ordering::SeqCst);
        if self.waits.load(Ordering::SeqCst) && self.waits.swap(false, Ordering::SeqCst) {
            self.invocation.wake();
        }
    }
}

/// The network side's end of [`Backpressure`]. Also wakes the invocation when it is dropped, which must happen after the
/// receiver of the frames is.
#[derive(Debug)]
struct RoomGuard(Backpressure);

impl Drop for RoomGuard {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl BodySink for ResponseSender {
    fn send(&mut self, piece: Bytes) -> Result<(), Disconnected> {
        if piece.is_empty() {
            return Ok(());
        }
        let ready = if self.live { Some(piece) } else { self.held.replace(piece) };
        ready.map_or(Ok(()), |piece| self.push(piece))
    }

    fn chunk(&self) -> usize {
        self.chunk
    }

    fn room(&self) -> usize {
        let has_room = || self.frames.as_ref().is_none_or(|frames| frames.capacity() > 0 || frames.is_closed());
        if has_room() {
            return usize::MAX;
        }
        self.backpressure.begin();
        if has_room() { usize::MAX } else { 0 }
    }
}

/// The body of a response.
#[derive(Debug)]
pub struct ResponseBody {
    kind: ResponseKind,
    /// What the processes of the invocation have used, known at its end; `None` where there are none.
    usage: Option<Arc<OnceLock<Usage>>>,
}

#[derive(Debug)]
enum ResponseKind {
    /// All of it.
    Whole(Option<Bytes>),
    /// Frames that an executor is still writing.
    Frames {
        receiver: mpsc::Receiver<ResponseFrame>,
        /// Bytes announced and not received yet, if the length is known.
        left: Option<u64>,
        /// The executor has left it unfinished. The frames before that are sent first.
        is_broken: bool,
        /// After `receiver`, so that it is dropped later.
        room: RoomGuard,
        /// Dropped with the body.
        _cancel: Option<CancelOnDrop>,
    },
    /// The response of a server that speaks HTTP itself.
    Forwarded {
        body: UnsyncBoxBody<Bytes, BrokenBody>,
        /// When it has to be over.
        deadline: Option<Instant>,
    },
}

impl ResponseBody {
    /// A body that is all there.
    #[must_use]
    pub fn whole(body: Option<Bytes>) -> Self {
        Self { kind: ResponseKind::Whole(body), usage: None }
    }

    /// A body that comes from elsewhere, and has to be over by `deadline`.
    pub(crate) fn forwarded(
        body: impl http_body::Body<Data = Bytes, Error = BrokenBody> + Send + 'static,
        deadline: Option<Instant>,
    ) -> Self {
        Self { kind: ResponseKind::Forwarded { body: UnsyncBoxBody::new(body), deadline }, usage: None }
    }

    /// The body of a response to HEAD: none, with what is known of the invocation.
    #[must_use]
    pub fn emptied(self) -> Self {
        Self { kind: ResponseKind::Whole(None), usage: self.usage }
    }

    /// What the processes of the invocation have used; `None` before they have ended, and where there are none.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        self.usage.as_ref()?.get().copied()
    }

    /// The moment at which the body has to be over, whole or not. The body sees to it itself whenever it is polled; a front
    /// door whose client takes nothing does not poll it, and drops it then.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match &self.kind {
            ResponseKind::Forwarded { deadline, .. } => *deadline,
            ResponseKind::Whole(_) | ResponseKind::Frames { .. } => None,
        }
    }

    /// A client that hangs up in the middle of the response stops the function, if it still runs.
    pub(crate) fn cancelling(mut self, cancel: Option<CancelOnDrop>) -> Self {
        if let ResponseKind::Frames { _cancel, .. } = &mut self.kind {
            *_cancel = cancel;
        }
        self
    }
}

impl http_body::Body for ResponseBody {
    type Data = Bytes;
    type Error = BrokenBody;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenBody>>> {
        match &mut self.get_mut().kind {
            ResponseKind::Whole(body) => Poll::Ready(body.take().map(|body| Ok(Frame::data(body)))),
            ResponseKind::Frames { receiver, left, is_broken, room, .. } => {
                Poll::Ready(match ready!(receiver.poll_recv(context)) {
                    Some(ResponseFrame::Data(piece)) => {
                        room.0.end();
                        if let Some(left) = left {
                            *left = left.saturating_sub(piece.len() as u64);
                        }
                        Some(Ok(Frame::data(piece)))
                    }
                    Some(ResponseFrame::Trailers(fields)) => Some(Ok(Frame::trailers(fields))),
                    Some(ResponseFrame::End) => None,
                    // hyper discards the bytes that it has not written when a body fails. It writes them when the body
                    // has nothing to give.
                    None if !std::mem::replace(is_broken, true) => {
                        context.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    None => Some(Err(BrokenBody)),
                })
            }
            ResponseKind::Forwarded { body, .. } => Pin::new(body).poll_frame(context),
        }
    }

    /// With a known length the last byte is the end: hyper does not ask for more after it.
    fn is_end_stream(&self) -> bool {
        match &self.kind {
            ResponseKind::Whole(body) => body.is_none(),
            ResponseKind::Frames { left, .. } => *left == Some(0),
            ResponseKind::Forwarded { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            ResponseKind::Whole(body) => SizeHint::with_exact(body.as_ref().map_or(0, Bytes::len) as u64),
            ResponseKind::Frames { left: Some(left), .. } => SizeHint::with_exact(*left),
            ResponseKind::Frames { left: None, .. } => SizeHint::default(),
            ResponseKind::Forwarded { body, .. } => body.size_hint(),
        }
    }
}
