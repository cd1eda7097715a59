//! The body of a request on its way in: how long it may take, and what has come of it before anything is asked for it.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming as RequestBody};
use prometheus::IntCounter;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout, timeout_at},
};

use super::{
    bridge::{Incoming, Upload},
    metrics::Metrics,
};
use crate::intake::{self, Side, SourceError};

/// Bytes of a body that have to be there, if it has as many, before its request asks for a place: who sends a head and
/// then nothing, or a byte now and then, takes neither a place nor a thread from those who send.
const FIRST: usize = 16 * 1024;

/// How long a body may bring nothing at all, unless `--read-timeout` is shorter.
const SILENCE: Duration = Duration::from_secs(30);

/// Why a body did not arrive whole.
#[derive(Debug, Clone, Copy)]
pub(super) enum Interrupted {
    Gone,
    TimedOut,
}

/// A body under way.
#[derive(Debug)]
pub(super) struct Arrival<'a> {
    body: RequestBody,
    metrics: &'a Metrics,
    /// When it has to be there (`--read-timeout`).
    deadline: Option<Instant>,
    /// What has come and was not handed over.
    first: BytesMut,
    /// Nothing more comes.
    is_whole: bool,
    /// The same, for who outlives this: more is to come.
    due: &'a AtomicBool,
}

impl<'a> Arrival<'a> {
    /// `limit` for all of it, from now on. `due` is true while more is to come.
    pub(super) fn new(body: RequestBody, limit: Option<Duration>, metrics: &'a Metrics, due: &'a AtomicBool) -> Self {
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        let mut arrival = Self { body, metrics, deadline, first: BytesMut::new(), is_whole: false, due };
        arrival.note(arrival.body.is_end_stream());
        arrival
    }

    fn note(&mut self, is_whole: bool) {
        self.is_whole = is_whole;
        self.due.store(!is_whole, Ordering::Relaxed);
    }

    /// Whether nothing more comes.
    pub(super) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Nobody has listened since `then`; the sender cannot help that.
    pub(super) fn excuse(&mut self, then: Instant) {
        self.deadline = self.deadline.and_then(|deadline| deadline.checked_add(then.elapsed()));
    }

    /// Waits for the first part, or all of it. What has come is kept when this is given up.
    pub(super) async fn begin(&mut self) -> Result<(), Interrupted> {
        while self.first.len() < FIRST && !self.is_whole {
            if let Some(piece) = self.next().await? {
                // Joined, so that a body of many small pieces costs what its bytes do.
                self.first.extend_from_slice(&piece);
            }
        }
        Ok(())
    }

    /// What has come, as an invocation takes it; and where to send the rest, if there is any.
    pub(super) fn hand_over(&mut self) -> (Incoming, Option<mpsc::Sender<Upload>>) {
        let first = self.first.split().freeze();
        if self.is_whole {
            return (Incoming::whole(Some(first)), None);
        }
        let (incoming, sender) = Incoming::begun(first);
        (incoming, Some(sender))
    }

    /// Bytes of the body as announced, what has come included.
    pub(super) fn length(&self) -> Option<u64> {
        let left = self.body.size_hint().exact()?;
        Some(left + self.first.len() as u64)
    }

    /// What is to come, for who is served longer than this lives. `came` bytes of the body have been handed over; more
    /// than `limit` are not taken (0 for no limit).
    pub(super) fn into_rest(self, limit: u64, came: u64) -> Rest {
        let received = self.metrics.received.clone();
        Rest { body: self.body, deadline: self.deadline, received, limit, came }
    }

    /// Sends the rest, for as long as it is taken.
    pub(super) async fn feed(&mut self, upload: mpsc::Sender<Upload>) {
        loop {
            let (piece, is_last) = match self.next().await {
                Ok(Some(data)) => (Upload::Data(data), false),
                Ok(None) => (Upload::End, true),
                Err(Interrupted::TimedOut) => (Upload::TimedOut, true),
                // Dropping the sender says it.
                Err(Interrupted::Gone) => return,
            };
            if upload.send(piece).await.is_err() || is_last {
                return;
            }
        }
    }

    /// The next piece that is not empty; `None` at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, Interrupted> {
        let piece = next(&mut self.body, self.deadline, &self.metrics.received).await?;
        self.note(piece.is_none() || self.body.is_end_stream());
        Ok(piece)
    }
}

/// The rest of a body, while its answer may be on the way already.
#[derive(Debug)]
pub(super) struct Rest {
    body: RequestBody,
    deadline: Option<Instant>,
    received: IntCounter,
    limit: u64,
    /// Bytes that have come.
    came: u64,
}

impl Rest {
    /// Sends it, for as long as it is taken. Whoever takes it is told of its proper end, and of nothing else.
    pub(super) async fn feed(mut self, upload: mpsc::Sender<Upload>) -> Result<(), intake::Error> {
        loop {
            let piece = next(&mut self.body, self.deadline, &self.received).await.map_err(|interrupted| {
                intake::Error::Source(match interrupted {
                    Interrupted::Gone => SourceError::Gone,
                    Interrupted::TimedOut => SourceError::TimedOut,
                })
            })?;
            let piece = piece.map_or(Upload::End, Upload::Data);
            let is_last = matches!(piece, Upload::End);
            if let Upload::Data(data) = &piece {
                self.came += data.len() as u64;
                if self.limit > 0 && self.came > self.limit {
                    return Err(intake::Error::TooLarge { limit: self.limit, side: Side::Sent });
                }
            }
            // Nobody takes it any more: the answer came first.
            if upload.send(piece).await.is_err() || is_last {
                return Ok(());
            }
        }
    }
}

/// The next piece of a body that is not empty; `None` at the end.
async fn next(
    body: &mut RequestBody,
    deadline: Option<Instant>,
    received: &IntCounter,
) -> Result<Option<Bytes>, Interrupted> {
    loop {
        let frame = timeout(SILENCE, body.frame());
        let frame = match deadline {
            Some(deadline) => timeout_at(deadline, frame).await.map_err(|_| Interrupted::TimedOut)?,
            None => frame.await,
        };
        match frame.map_err(|_| Interrupted::TimedOut)? {
            None => return Ok(None),
            Some(Err(_)) => return Err(Interrupted::Gone),
            // Trailers carry nothing for us.
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) if !data.is_empty() => {
                    received.inc_by(data.len() as u64);
                    return Ok(Some(data));
                }
                _ => {}
            },
        }
    }
}
