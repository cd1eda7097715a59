//! A run as `text/event-stream` (WHATWG HTML §9.2), for a client that follows it while it lasts.
//!
//! - `event: log`, one for each line of the logs, when it is written. A line ends at LF, CR LF, or CR alone (progress
//!   bars). A line longer than 64 KiB is sent in several events. Invalid UTF-8 is replaced by U+FFFD.
//! - `event: result`, once, at the end. Its data is the [`JsonDocument`], in one line. If the run failed, it is the
//!   problem document with an empty list of `files`; only that has a `status`.
//! - A comment after 15 seconds of silence, so that no proxy takes the connection for a dead one.
//!
//! A stream without `result` is incomplete.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{StatusCode, header};

use super::{
    head::{CallFacts, Head},
    json::JsonDocument,
    problem::Problem,
    settled,
    text::TextDecoder,
};
use crate::{
    headers::X_CALL_ID,
    invocation::{InvocationObserver, Outcome, Progress},
    logs::Logs,
    output::{
        BodySink, Disconnected, TransferError,
        buffer::{ChunkBuf as _, ChunkWriter},
    },
};

/// Silence after which a comment is sent; proxies give up after 30 seconds or more.
pub const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Bytes of the longest line that is sent whole. A longer one is split, so that a program that never writes a line end
/// takes no memory.
pub const LINE_LIMIT: usize = 64 * 1024;

/// Bytes of logs that are read for one piece.
const READ: usize = 16 * 1024;

/// The head of the stream. It is sent before the function ends, and therefore without exit code and duration.
#[must_use]
pub fn head(call: &CallFacts<'_>) -> Head {
    let mut head = Head::new(StatusCode::OK, None);
    head.set(header::CONTENT_TYPE, "text/event-stream");
    head.set(header::CACHE_CONTROL, "no-store");
    head.set(header::VARY, "Accept");
    // nginx would otherwise delay events until its buffer is full.
    head.set(http::HeaderName::from_static("x-accel-buffering"), "no");
    head.set(X_CALL_ID, call.call_id);
    head
}

/// The stream of one run.
pub struct EventStream<'s> {
    sink: &'s mut dyn BodySink,
    /// Bytes of the logs that have been read.
    cursor: u64,
    /// The beginning of a line whose end has not been read.
    line: Vec<u8>,
    /// Whether the last line ended at a CR, so that an LF directly after it belongs to the same line end.
    after_cr: bool,
    /// The time of the last event or comment.
    sent_at: Instant,
    gone: bool,
    buffer: Vec<u8>,
}

impl<'s> EventStream<'s> {
    /// A new stream, whose head has been sent.
    #[must_use]
    pub fn new(sink: &'s mut dyn BodySink) -> Self {
        Self {
            sink,
            cursor: 0,
            line: Vec::new(),
            after_cr: false,
            sent_at: Instant::now(),
            gone: false,
            buffer: vec![0; READ],
        }
    }

    /// Sends the rest of the logs, then the result. Blocks while the client is slow.
    pub fn finish(mut self, outcome: &Outcome, call: &CallFacts<'_>) -> Result<(), TransferError> {
        if self.gone {
            return Err(Disconnected.into());
        }
        if let Some(report) = outcome.report() {
            while let Some(events) = self.read(&report.logs).map_err(TransferError::Logs)? {
                self.send(events)?;
            }
        }
        let mut events = Vec::new();
        if !self.line.is_empty() {
            log_event(&self.line, &mut events);
        }
        match outcome {
            Outcome::Done { report, output, .. } => {
                let document = JsonDocument::new(report, output, call.call_id);
                let mut writer = ChunkWriter::new(self.sink, document.expected_len());
                writer.write(&events)?;
                writer.write(b"event: result\ndata: ")?;
                document.write(&mut writer)?;
                writer.write(b"\n\n")?;
                writer.finish()?;
            }
            Outcome::Failed { .. } | Outcome::TimedOut { .. } | Outcome::Cancelled { .. } | Outcome::Refused(_) => {
                events.extend_from_slice(b"event: result\ndata: ");
                events.extend_from_slice(
                    &Problem::of_outcome(outcome, call).member("files", Vec::<String>::new()).to_json(),
                );
                events.extend_from_slice(b"\n\n");
                self.send(events)?;
            }
            Outcome::Settled(event) => {
                events.extend_from_slice(b"event: result\ndata: ");
                events.extend_from_slice(settled::document(event, call).to_string().as_bytes());
                events.extend_from_slice(b"\n\n");
                self.send(events)?;
            }
            // The response of the upstream has been sent already.
            Outcome::Passed => self.send(events)?,
        }
        Ok(())
    }

    fn progress_at(&mut self, logs: &Logs, now: Instant) -> Result<Progress, Disconnected> {
        loop {
            if self.sink.room() == 0 {
                let all_seen = self.cursor >= logs.len();
                return Ok(if all_seen { Progress::Until(now + KEEP_ALIVE) } else { Progress::Behind });
            }
            // An error of reading is ignored here: `finish` meets it again, and reports it.
            match self.read(logs) {
                Ok(Some(events)) if events.is_empty() => {}
                Ok(Some(events)) => {
                    self.sent_at = now;
                    self.send(events)?;
                }
                Ok(None) | Err(_) => break,
            }
        }
        if now.saturating_duration_since(self.sent_at) >= KEEP_ALIVE {
            self.sent_at = now;
            self.send(b": keep-alive\n\n".to_vec())?;
        }
        Ok(Progress::Until(self.sent_at + KEEP_ALIVE))
    }

    /// Returns the events of the next bytes of the logs; `None` at their end.
    fn read(&mut self, logs: &Logs) -> std::io::Result<Option<Vec<u8>>> {
        if self.cursor >= logs.len() {
            return Ok(None);
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let read = logs.read_at(self.cursor, &mut buffer);
        let mut events = Vec::new();
        if let Ok(read) = &read {
            self.cursor += *read as u64;
            self.take(&buffer[..*read], &mut events);
        }
        self.buffer = buffer;
        if read? == 0 { Err(std::io::ErrorKind::UnexpectedEof.into()) } else { Ok(Some(events)) }
    }

    /// Adds the events of these bytes.
    fn take(&mut self, mut bytes: &[u8], events: &mut Vec<u8>) {
        if self.after_cr && !bytes.is_empty() {
            self.after_cr = false;
            bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
        }
        while let Some(end) = memchr::memchr2(b'\r', b'\n', bytes) {
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            self.extend(line, events);
            log_event(&self.line, events);
            self.line.clear();
            self.after_cr = bytes[end] == b'\r' && rest.is_empty();
            bytes = if bytes[end] == b'\r' { rest.strip_prefix(b"\n").unwrap_or(rest) } else { rest };
        }
        self.extend(bytes, events);
    }

    /// Extends the line whose end has not been read.
    fn extend(&mut self, mut bytes: &[u8], events: &mut Vec<u8>) {
        while self.line.len() + bytes.len() > LINE_LIMIT {
            let (now, rest) = bytes.split_at(LINE_LIMIT - self.line.len());
            self.line.extend_from_slice(now);
            // Splits the line between two characters.
            let cut = self.line.utf8_chunks().last().map_or(0, |chunk| incomplete(chunk.invalid()));
            let end = self.line.len() - cut;
            log_event(&self.line[..end], events);
            self.line.drain(..end);
            bytes = rest;
        }
        self.line.extend_from_slice(bytes);
    }

    fn send(&mut self, events: Vec<u8>) -> Result<(), Disconnected> {
        if events.is_empty() {
            return Ok(());
        }
        let sent = self.sink.send(Bytes::from(events));
        self.gone |= sent.is_err();
        sent
    }
}

impl InvocationObserver for EventStream<'_> {
    fn progress(&mut self, logs: &Logs) -> Progress {
        if self.gone {
            return Progress::UpToDate;
        }
        // An error is ignored here: the connection cancels the call, and `finish` reports that the client is gone.
        self.progress_at(logs, Instant::now()).unwrap_or(Progress::UpToDate)
    }
}

/// The number of bytes that begin a character that the next bytes may complete.
fn incomplete(bytes: &[u8]) -> usize {
    match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => bytes.len(),
        _ => 0,
    }
}

fn log_event(line: &[u8], events: &mut Vec<u8>) {
    events.extend_from_slice(b"event: log\ndata: ");
    let mut decoder = TextDecoder::default();
    let mut add = |part: &str| {
        events.extend_from_slice(part.as_bytes());
        Ok::<(), std::convert::Infallible>(())
    };
    let Ok(()) = decoder.push(line, &mut add);
    let Ok(()) = decoder.finish(&mut add);
    events.extend_from_slice(b"\n\n");
}

#[cfg(test)]
mod tests;
