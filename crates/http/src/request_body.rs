//! The body of a request on its way in: how long it may take.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use tokio::{
    runtime::Handle,
    time::{Instant, timeout, timeout_at},
};

use crate::{
    input::BodyError,
    service::{NextFrame, Upload},
};

/// How long a body may bring nothing at all, unless `--read-timeout` is shorter.
const SILENCE: Duration = Duration::from_secs(30);

/// Bytes of a body that is read and discarded after the response; with a larger one the connection ends.
const DISCARDED: u64 = 16 * 1024;

/// How long such a body may take after the response.
const DISCARDING: Duration = Duration::from_secs(1);

/// How much of a body has arrived.
#[derive(Debug, Default)]
pub(super) struct Arrival {
    /// Whether more is to come, once it is read.
    pub(super) is_due: AtomicBool,
    /// Bytes that were read, as sent.
    pub(super) bytes: AtomicU64,
}

/// A body that is being read.
#[derive(Debug)]
pub(super) struct BodyReader {
    /// `None` once it is discarded.
    body: Option<Incoming>,
    /// When all of it must have arrived (`--read-timeout`).
    deadline: Option<Instant>,
    arrival: Arc<Arrival>,
    /// Nothing has been read, and reading it later costs less than a new connection.
    can_discard: bool,
}

impl BodyReader {
    /// Reads a body, for at most `limit` from now on, and counts it in `arrival`.
    pub(super) fn new(body: Incoming, limit: Option<Duration>, arrival: &Arc<Arrival>, can_discard: bool) -> Self {
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        arrival.is_due.store(!body.is_end_stream(), Ordering::Relaxed);
        Self { body: Some(body), deadline, arrival: Arc::clone(arrival), can_discard }
    }

    async fn read(&mut self) -> Result<Option<Bytes>, BodyError> {
        self.can_discard = false;
        let Some(body) = &mut self.body else { return Ok(None) };
        loop {
            let frame = timeout(SILENCE, body.frame());
            let frame = match self.deadline {
                Some(deadline) => timeout_at(deadline, frame).await.map_err(|_| BodyError::TimedOut)?,
                None => frame.await,
            };
            match frame.map_err(|_| BodyError::TimedOut)? {
                None => {
                    self.arrival.is_due.store(false, Ordering::Relaxed);
                    return Ok(None);
                }
                Some(Err(_)) => return Err(BodyError::Incomplete),
                // Trailers of a request are not used.
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => {
                        self.arrival.bytes.fetch_add(data.len() as u64, Ordering::Relaxed);
                        self.arrival.is_due.store(!body.is_end_stream(), Ordering::Relaxed);
                        return Ok(Some(data));
                    }
                    _ => {}
                },
            }
        }
    }
}

impl Upload for BodyReader {
    fn next(&mut self) -> NextFrame<'_> {
        Box::pin(self.read())
    }

    fn is_end(&self) -> bool {
        self.body.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn left(&self) -> Option<u64> {
        self.body.as_ref()?.size_hint().exact()
    }

    fn extend_deadline(&mut self, since: Instant) {
        self.deadline = self.deadline.and_then(|deadline| deadline.checked_add(since.elapsed()));
    }
}

impl Drop for BodyReader {
    fn drop(&mut self) {
        if let Some(body) = self.body.take().filter(|_| self.can_discard) {
            discard(body);
        }
    }
}

/// Whether a body is so small that reading it costs less than a new connection.
pub(super) fn is_small(body: &Incoming) -> bool {
    body.size_hint().exact().is_some_and(|length| length <= DISCARDED)
}

/// Reads a body that is not used, after its request has been answered, so that the connection can be kept.
pub(super) fn discard(mut body: Incoming) {
    if body.is_end_stream() {
        return;
    }
    if let Ok(runtime) = Handle::try_current() {
        runtime.spawn(timeout(DISCARDING, async move { while let Some(Ok(_)) = body.frame().await {} }));
    }
}
