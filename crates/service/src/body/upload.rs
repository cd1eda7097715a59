//! A request's body on its way in, before an executor has it.

use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use prometheus::IntCounter;
use tokio::{sync::mpsc, time::Instant};

use super::request::{RequestBody, RequestFrame};
use crate::input::{self, BodyError, BodyForm, BodySource};

/// Bytes of a body that must have arrived, if it has as many, before its call asks for a permit: a client that sends a
/// head and then nothing, or a byte now and then, takes neither a permit nor a thread from the others.
const FIRST: usize = 16 * 1024;

/// The next frame of a body; `None` at its proper end.
pub type NextFrame<'a> = Pin<Box<dyn Future<Output = Result<Option<Bytes>, BodyError>> + Send + 'a>>;

/// A request's body, as a front door receives it. Its time limits are the front door's own.
pub trait Upload: Send {
    /// Waits for the next frame, which is not empty. Nothing is lost if the future is dropped.
    fn next(&mut self) -> NextFrame<'_>;

    /// Whether there are no more frames.
    fn is_end(&self) -> bool;

    /// Bytes that are still to come, if that is known.
    fn left(&self) -> Option<u64> {
        None
    }

    /// Nothing was read since `since`, through no fault of the sender: the time does not count against it.
    fn extend_deadline(&mut self, since: Instant) {
        let _ = since;
    }

    /// The body as a source that blocks, where it has nothing else to be read from: an executor with a thread for the call
    /// reads it there. Asked before anything is read.
    fn take_source(&mut self) -> Option<Box<dyn BodySource + Send>> {
        None
    }

    /// Bytes that must have arrived before the call asks for a permit.
    fn threshold(&self) -> usize {
        FIRST
    }
}

/// A body that has arrived whole.
impl Upload for Option<Bytes> {
    fn next(&mut self) -> NextFrame<'_> {
        let all = self.take().filter(|body| !body.is_empty());
        Box::pin(std::future::ready(Ok(all)))
    }

    fn is_end(&self) -> bool {
        self.as_ref().is_none_or(Bytes::is_empty)
    }

    fn left(&self) -> Option<u64> {
        Some(self.as_ref().map_or(0, Bytes::len) as u64)
    }
}

/// A body until its executor takes it.
pub(crate) struct BodyIntake {
    upload: Box<dyn Upload>,
    /// Counts the bytes that arrive.
    received: IntCounter,
    /// Bytes that have arrived and were not handed over.
    first: BytesMut,
    /// The proper end has been seen.
    has_ended: bool,
}

impl BodyIntake {
    pub(crate) fn new(upload: Box<dyn Upload>, received: &IntCounter) -> Self {
        Self { upload, received: received.clone(), first: BytesMut::new(), has_ended: false }
    }

    /// Whether no more is to come.
    pub(crate) fn is_whole(&self) -> bool {
        self.has_ended || self.upload.is_end()
    }

    /// Nothing was read since `since`, through no fault of the sender.
    pub(crate) fn extend_deadline(&mut self, since: Instant) {
        self.upload.extend_deadline(since);
    }

    /// Waits for the first part, or all of it. The bytes that have arrived are kept if the future is dropped.
    pub(crate) async fn begin(&mut self) -> Result<(), BodyError> {
        while self.first.len() < self.upload.threshold() && !self.is_whole() {
            if let Some(frame) = self.next().await? {
                // Joined, so that a body of many small frames costs what its bytes do.
                self.first.extend_from_slice(&frame);
            }
        }
        Ok(())
    }

    /// The bytes that have arrived, as an executor takes them; and the sender for the rest, if there is any.
    pub(crate) fn hand_over(&mut self) -> (RequestBody, Option<mpsc::Sender<RequestFrame>>) {
        let first = self.first.split().freeze();
        if self.is_whole() {
            return (RequestBody::whole(Some(first)), None);
        }
        let (body, sender) = RequestBody::begun(first);
        (body, Some(sender))
    }

    /// The body as a source that blocks, if it is one.
    pub(crate) fn take_source(&mut self) -> Option<Box<dyn BodySource + Send>> {
        self.upload.take_source()
    }

    /// Bytes of the body as announced, including those that have arrived.
    pub(crate) fn length(&self) -> Option<u64> {
        Some(self.upload.left()? + self.first.len() as u64)
    }

    /// The rest, for an exchange that outlives this. `arrived` bytes of the body have been handed over; more than `limit`
    /// are not taken (0 for no limit).
    pub(crate) fn into_rest(self, limit: u64, arrived: u64) -> RestOfBody {
        RestOfBody { body: self, limit, arrived }
    }

    /// Sends the rest, for as long as it is taken.
    pub(crate) async fn feed(&mut self, sender: mpsc::Sender<RequestFrame>) {
        loop {
            let (frame, is_last) = match self.next().await {
                Ok(Some(data)) => (RequestFrame::Data(data), false),
                Ok(None) => (RequestFrame::End, true),
                Err(BodyError::TimedOut) => (RequestFrame::TimedOut, true),
                // Dropping the sender says it.
                Err(BodyError::Incomplete | BodyError::Io(_)) => return,
            };
            if sender.send(frame).await.is_err() || is_last {
                return;
            }
        }
    }

    async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        let frame = self.upload.next().await?;
        match &frame {
            Some(frame) => self.received.inc_by(frame.len() as u64),
            None => self.has_ended = true,
        }
        Ok(frame)
    }
}

/// The rest of a body, which may still be arriving while its response is sent.
pub(crate) struct RestOfBody {
    body: BodyIntake,
    limit: u64,
    /// Bytes that have arrived.
    arrived: u64,
}

impl RestOfBody {
    /// Sends it, for as long as it is taken. The receiver is told of its proper end, and of nothing else.
    pub(crate) async fn feed(mut self, sender: mpsc::Sender<RequestFrame>) -> Result<(), input::InputError> {
        loop {
            let frame = self.body.next().await.map_err(input::InputError::Body)?;
            let frame = frame.map_or(RequestFrame::End, RequestFrame::Data);
            let is_last = matches!(frame, RequestFrame::End);
            if let RequestFrame::Data(data) = &frame {
                self.arrived += data.len() as u64;
                if self.limit > 0 && self.arrived > self.limit {
                    return Err(input::InputError::TooLarge { limit: self.limit, form: BodyForm::Sent });
                }
            }
            // The receiver is gone if the response came first.
            if sender.send(frame).await.is_err() || is_last {
                return Ok(());
            }
        }
    }
}
