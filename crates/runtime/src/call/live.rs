//! Sends standard output while the function writes it: mode `streaming`.
//!
//! The head is sent with the first byte, with a status of success. If the function fails after that, the response is
//! broken off, unless the client has said that it reads trailers ([`Trailers`]).

use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, header};

use super::response_writer::ResponseWriter;
use crate::{
    headers::{CONTENT_TRANSFER_ENCODING, X_BANDOG_ERROR, X_CALL_ID, X_DURATION_SECONDS, X_EXIT_CODE, X_OUTPUT_KIND},
    invocation::{Capacity, Function, InvocationObserver, Outcome, OutputReceiver, Progress},
    logs::Logs,
    output::{Disconnected, OutputKind, ResponseHeaders, STDOUT_NAME, TransferError, base64},
    reply::{
        Accept, CallFacts, ErrorCode, Head, Trailers,
        accept::ResponseForm,
        head::{TEXT, disposition, own_fields, report_fields, status},
    },
};

/// Bytes that four characters of base64 encode (RFC 4648 §4).
const GROUP: usize = 3;

/// A response that is sent while the function writes it.
pub(super) struct LiveReply<'p> {
    writer: &'p mut dyn ResponseWriter,
    function: &'p Function,
    facts: CallFacts<'p>,
    /// The media type of raw bytes; `None` for base64.
    raw: Option<String>,
    trailers: Trailers,
    state: LiveState,
    /// Bytes that are not a whole group of base64 yet.
    rest: Vec<u8>,
    /// Bytes of the function's output that were sent.
    sent: u64,
    /// The time since when the client has taken nothing; `None` while there is room.
    full_since: Option<Instant>,
}

/// The progress of a live response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LiveState {
    /// The function has not written anything yet.
    Waiting,
    /// The head is ready.
    Open,
    /// The head is ready, and its status permits no body.
    Bodiless,
    /// The head and a part of the body have been sent.
    Begun,
    /// The client is gone.
    Disconnected,
}

impl<'p> LiveReply<'p> {
    /// A response to `writer`, in the form that `accept` asks for unless the function chooses it.
    pub(super) fn new(
        writer: &'p mut dyn ResponseWriter,
        function: &'p Function,
        facts: CallFacts<'p>,
        accept: &Accept,
    ) -> Self {
        let media_type = function.answer_type();
        let raw = match accept.choose_for(media_type) {
            _ if function.is_bare() => Some(media_type.to_owned()),
            ResponseForm::Raw(kind) | ResponseForm::Bare(kind) => Some(kind),
            // The JSON document states the size of a file before its contents.
            ResponseForm::Default | ResponseForm::Json => None,
        };
        Self {
            writer,
            function,
            facts,
            raw,
            trailers: accept.trailers(),
            state: LiveState::Waiting,
            rest: Vec::new(),
            sent: 0,
            full_since: None,
        }
    }

    /// Whether the response has begun, so that [`LiveReply::finish`] must end it. Otherwise nothing has been sent, and a
    /// complete response can still be chosen.
    pub(super) fn has_begun(&self, outcome: &Outcome) -> bool {
        match self.state {
            LiveState::Waiting => false,
            LiveState::Open | LiveState::Bodiless => ErrorCode::of_outcome(outcome).is_none(),
            LiveState::Begun | LiveState::Disconnected => true,
        }
    }

    /// Ends a response that has begun. Returns an error if it is not complete.
    pub(super) fn finish(mut self, outcome: &Outcome) -> Result<(), TransferError> {
        if self.state == LiveState::Disconnected {
            return Err(Disconnected.into());
        }
        let mut trailers = Head { headers: HeaderMap::new(), ..head() };
        if let Some(report) = outcome.report() {
            report_fields(&mut trailers, report);
        }
        let code = ErrorCode::of_outcome(outcome);
        match code {
            None => {
                let mut last = Vec::new();
                base64::append(&std::mem::take(&mut self.rest), &mut last);
                self.send(last)?;
            }
            Some(code) => trailers.set(X_BANDOG_ERROR, code.as_str()),
        }
        let sends_trailers = match self.trailers {
            Trailers::None => false,
            Trailers::Success => code.is_none(),
            Trailers::Failure => true,
        };
        if sends_trailers {
            self.writer.send_trailers(trailers.headers);
        }
        match code {
            None => Ok(()),
            Some(_) => Err(TransferError::Failed { sent: self.sent }),
        }
    }

    fn send(&mut self, piece: Vec<u8>) -> Result<(), Disconnected> {
        if piece.is_empty() || self.state == LiveState::Bodiless {
            return Ok(());
        }
        let sent = self.writer.send(Bytes::from(piece));
        self.state = if sent.is_ok() { LiveState::Begun } else { LiveState::Disconnected };
        sent
    }
}

/// A head without fields.
fn head() -> Head {
    Head::new(http::StatusCode::OK, None)
}

impl InvocationObserver for LiveReply<'_> {
    fn progress(&mut self, _: &Logs) -> Progress {
        Progress::UpToDate
    }

    fn receiver(&mut self) -> Option<&mut dyn OutputReceiver> {
        self.function.is_live().then_some(self)
    }
}

impl OutputReceiver for LiveReply<'_> {
    fn capacity(&mut self) -> Capacity<'_> {
        if self.state == LiveState::Disconnected {
            return Capacity::Closed;
        }
        let room = self.writer.room();
        if room > 0 {
            self.full_since = None;
            let room = if self.raw.is_some() { room } else { (room / 4 * GROUP).saturating_sub(self.rest.len()) };
            return Capacity::Bytes(room.max(1));
        }
        let now = Instant::now();
        let since = *self.full_since.get_or_insert(now);
        let deadline = self.writer.stall_limit().and_then(|limit| since.checked_add(limit));
        if deadline.is_some_and(|deadline| deadline <= now) {
            self.state = LiveState::Disconnected;
            return Capacity::Closed;
        }
        Capacity::Full { outlet: self.writer.writable_fd(), deadline }
    }

    fn begin(&mut self, response_headers: &ResponseHeaders) {
        let mut head = Head::new(status(response_headers), None);
        let has_own_type = response_headers.field("content-type").is_some();
        if has_own_type {
            self.raw.get_or_insert_default();
        }
        head.set(X_OUTPUT_KIND, if self.function.is_bare() { OutputKind::Stdout } else { OutputKind::File }.name());
        if let Some(kind) = &self.raw {
            head.set(header::CONTENT_TYPE, kind);
        } else {
            head.headers.insert(header::CONTENT_TYPE, TEXT);
            head.set(CONTENT_TRANSFER_ENCODING, "base64");
        }
        if !self.function.is_bare() {
            head.set(header::VARY, "Accept");
            // The function's own type describes its output exactly.
            if self.raw.is_some() && !has_own_type {
                head.set(header::CONTENT_DISPOSITION, disposition(STDOUT_NAME.as_bytes()));
            }
        }
        head.set(X_CALL_ID, self.facts.call_id);
        // nginx would otherwise delay the response until its buffer is full.
        head.set(http::HeaderName::from_static("x-accel-buffering"), "no");
        let names: &[_] = match self.trailers {
            Trailers::None => &[],
            Trailers::Success => &[X_DURATION_SECONDS, X_EXIT_CODE],
            Trailers::Failure => &[X_DURATION_SECONDS, X_EXIT_CODE, X_BANDOG_ERROR],
        };
        if !names.is_empty() {
            let names: Vec<_> = names.iter().map(http::HeaderName::as_str).collect();
            head.set(header::TRAILER, names.join(", "));
        }
        self.state = LiveState::Open;
        if own_fields(&mut head, response_headers) {
            self.state = LiveState::Bodiless;
            head.length = Some(0);
        }
        self.writer.begin(head, true);
    }

    fn take(&mut self, written: &[u8]) -> Result<(), Disconnected> {
        self.sent += written.len() as u64;
        if self.raw.is_some() {
            return self.send(written.to_vec());
        }
        self.rest.extend_from_slice(written);
        let whole = self.rest.len() / GROUP * GROUP;
        let mut piece = Vec::with_capacity(whole / GROUP * 4);
        base64::append(&self.rest[..whole], &mut piece);
        self.rest.drain(..whole);
        self.send(piece)
    }
}
