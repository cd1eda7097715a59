//! Standard output as the answer while the function writes it: mode `streaming`.
//!
//! The head goes with the first byte, so that its status is a success. If the function fails after that the answer is
//! broken off; only who has said that it looks at the trailers is told by them ([`super::Trailers`]).

use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, header};

use super::{
    Accept, CallFacts, Head, TransferError, X_BANDOG_ERROR, X_CALL_ID, X_DURATION_SECONDS, X_EXIT_CODE, X_OUTPUT_KIND,
    accept::Choice,
    deliver::Port,
    head::{CONTENT_TRANSFER_ENCODING, TEXT, disposition, own_fields, report_fields, status},
    problem,
    trailers::Trailers,
};
use crate::{
    invocation::{Capacity, Function, Outcome, Progress, Taker, Watch},
    logs::Logs,
    output::{Disconnected, OutputKind, ResponseHeaders, STDOUT_NAME, base64},
};

/// Bytes of base64 for three of what it stands for (RFC 4648 §4).
const GROUP: usize = 3;

/// An answer under way.
pub struct Live<'p> {
    port: &'p mut dyn Port,
    function: &'p Function,
    facts: CallFacts<'p>,
    /// What it is sent as; `None` for base64.
    raw: Option<String>,
    trailers: Trailers,
    state: State,
    /// What does not make a group of base64 yet.
    rest: Vec<u8>,
    /// Bytes of the function's that were sent.
    sent: u64,
    /// Since when its reader has taken nothing.
    full_since: Option<Instant>,
}

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing is known of it.
    Waiting,
    /// The head is ready.
    Open,
    /// The head is ready, and nothing follows it, by its status.
    Bodiless,
    /// Something has been sent, and the head with it.
    Begun,
    /// Nobody reads it.
    Disconnected,
}

impl<'p> Live<'p> {
    /// An answer that goes out by `port`, in the form that `accept` asks for if the function leaves it the choice.
    pub fn new(port: &'p mut dyn Port, function: &'p Function, facts: CallFacts<'p>, accept: &Accept) -> Self {
        let media_type = function.answer_type();
        let raw = match accept.choose_for(media_type) {
            _ if function.is_bare() => Some(media_type.to_owned()),
            Choice::Raw(kind) | Choice::Bare(kind) => Some(kind),
            // The document says sizes before contents.
            Choice::Default | Choice::Json => None,
        };
        Self {
            port,
            function,
            facts,
            raw,
            trailers: accept.trailers(),
            state: State::Waiting,
            rest: Vec::new(),
            sent: 0,
            full_since: None,
        }
    }

    /// Whether [`Live::finish`] is to end it. If not, nothing has been sent, and the outcome can be told as a whole.
    #[must_use]
    pub fn has_begun(&self, outcome: &Outcome) -> bool {
        match self.state {
            State::Waiting => false,
            State::Open | State::Bodiless => problem::slug(outcome).is_none(),
            State::Begun | State::Disconnected => true,
        }
    }

    /// The end of an answer that has begun, or what says that it is not whole.
    pub fn finish(mut self, outcome: &Outcome) -> Result<(), TransferError> {
        if self.state == State::Disconnected {
            return Err(Disconnected.into());
        }
        let mut trailers = Head { headers: HeaderMap::new(), ..head() };
        if let Some(report) = outcome.report() {
            report_fields(&mut trailers, report);
        }
        let slug = problem::slug(outcome);
        match slug {
            None => {
                let mut last = Vec::new();
                base64::append(&std::mem::take(&mut self.rest), &mut last);
                self.send(last)?;
            }
            Some(slug) => trailers.set(X_BANDOG_ERROR, slug.as_str()),
        }
        let is_told = match self.trailers {
            Trailers::None => false,
            Trailers::Success => slug.is_none(),
            Trailers::Failure => true,
        };
        if is_told {
            self.port.trail(trailers.headers);
        }
        match slug {
            None => Ok(()),
            Some(_) => Err(TransferError::Failed { sent: self.sent }),
        }
    }

    fn send(&mut self, piece: Vec<u8>) -> Result<(), Disconnected> {
        if piece.is_empty() || self.state == State::Bodiless {
            return Ok(());
        }
        let sent = self.port.send(Bytes::from(piece));
        self.state = if sent.is_ok() { State::Begun } else { State::Disconnected };
        sent
    }
}

/// A head with nothing in it.
fn head() -> Head {
    Head::new(http::StatusCode::OK, None)
}

impl Watch for Live<'_> {
    fn progress(&mut self, _: &Logs) -> Progress {
        Progress::UpToDate
    }

    fn taker(&mut self) -> Option<&mut dyn Taker> {
        self.function.is_live().then_some(self)
    }
}

impl Taker for Live<'_> {
    fn capacity(&mut self) -> Capacity<'_> {
        if self.state == State::Disconnected {
            return Capacity::Closed;
        }
        let room = self.port.room();
        if room > 0 {
            self.full_since = None;
            let room = if self.raw.is_some() { room } else { (room / 4 * GROUP).saturating_sub(self.rest.len()) };
            return Capacity::Bytes(room.max(1));
        }
        let now = Instant::now();
        let since = *self.full_since.get_or_insert(now);
        let deadline = self.port.patience().and_then(|limit| since.checked_add(limit));
        if deadline.is_some_and(|deadline| deadline <= now) {
            self.state = State::Disconnected;
            return Capacity::Closed;
        }
        Capacity::Full { outlet: self.port.outlet(), deadline }
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
            // What the function says its answer is, it is.
            if self.raw.is_some() && !has_own_type {
                head.set(header::CONTENT_DISPOSITION, disposition(STDOUT_NAME.as_bytes()));
            }
        }
        head.set(X_CALL_ID, self.facts.call_id);
        // nginx would hold the answer back until its buffer is full.
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
        self.state = State::Open;
        if own_fields(&mut head, response_headers) {
            self.state = State::Bodiless;
            head.length = Some(0);
        }
        self.port.begin(head, true);
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
