//! A filter between the socket and hyper for the bytes of an HTTP/1 client: it passes heads whose meaning is beyond
//! doubt, and their bodies.
//!
//! hyper accepts a request with both kinds of length, with two equal lengths, or without a `Host`, and rejects others
//! with a bare status that appears in no log. Here a head is checked before hyper sees it, by the same parser (httparse)
//! and by stricter rules: a head that two programs could read in two ways is refused. hyper then gets a stand-in for the
//! refused head, and the connection responds to it with the problem, in its turn and like to any other request; nothing
//! after it is read.
//!
//! It is not a parser of bodies: it follows them only to find the next head.

mod chunks;
mod head;

use std::{
    io,
    sync::atomic::{AtomicUsize, Ordering},
};

use tokio::io::ReadBuf;

pub(crate) use self::head::{HeadRefusal, MAX_FIELDS};
use self::{
    chunks::{Chunks, Malformed},
    head::{Framing, Parsed},
};

/// The stand-in for a refused head. Its method and target stand for unknown ones.
const STAND_IN: &[u8] = b"- * HTTP/1.1\r\nHost: -\r\nConnection: close\r\n\r\n";

/// Bytes of a head that a connection may hold while it is not whole, whatever the others do.
const FREE: usize = 8 * 1024;

/// Bytes of all heads beyond that which are not whole, of all connections together. A few large heads may come at once;
/// thousands that are never finished must not fill the memory.
const HELD_LIMIT: usize = 64 * 1024 * 1024;

static HELD: AtomicUsize = AtomicUsize::new(0);

/// The filter of one connection.
#[derive(Debug, Default)]
pub(super) struct StrictReader {
    /// Bytes that have arrived and were not let through yet.
    pending: Vec<u8>,
    /// How many of them were there when they were last taken for a head.
    looked_at: usize,
    /// How many of them have been searched for an empty line.
    searched: usize,
    state: ReaderState,
    /// Its part of what is held.
    held: usize,
}

#[derive(Debug, Default)]
enum ReaderState {
    /// Before the end of a head.
    #[default]
    Head,
    /// The head is good (or the stand-in), and this much of it has to be let through; the body follows.
    Passing { left: usize, then: BodyFraming },
    /// Within a body.
    Body(BodyFraming),
    /// It is another protocol from here on.
    Open,
}

/// The state of the current head.
#[derive(Debug)]
enum BodyFraming {
    Length(u64),
    Chunked(Chunks),
    /// Nothing more of this connection is read.
    Shut,
}

impl StrictReader {
    /// Whether what is read next begins or continues a head, and so is to be given to [`StrictReader::push`].
    pub(super) fn wants_head(&self) -> bool {
        matches!(self.state, ReaderState::Head)
    }

    /// Lets everything through from here on.
    pub(super) fn open(&mut self) {
        self.state = ReaderState::Open;
    }

    /// Whether a head was refused: nothing more is to be read.
    pub(super) fn is_shut(&self) -> bool {
        matches!(
            self.state,
            ReaderState::Body(BodyFraming::Shut) | ReaderState::Passing { then: BodyFraming::Shut, .. }
        )
    }

    /// Whether something has come that was not let through, or is to come for a body that has begun: what a client may
    /// still be sending when its connection ends.
    pub(super) fn is_unfinished(&self) -> bool {
        !matches!(self.state, ReaderState::Open) && (!self.pending.is_empty() || !self.wants_head())
    }

    /// Adds what has been read of a head.
    ///
    /// # Errors
    /// All connections together hold too much already.
    pub(super) fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.pending.extend_from_slice(bytes);
        let more = self.pending.len().saturating_sub(FREE).saturating_sub(self.held);
        self.held += more;
        if more > 0 && HELD.fetch_add(more, Ordering::Relaxed) + more > HELD_LIMIT {
            return Err(io::Error::other("too many unfinished heads are held for other clients"));
        }
        Ok(())
    }

    fn release(&mut self) {
        HELD.fetch_sub(std::mem::take(&mut self.held), Ordering::Relaxed);
    }

    /// Lets through what may pass of what has arrived; what is wrong if the head is refused. Nothing is let through
    /// before the whole of a head is there, and never two heads at once.
    pub(super) fn pass(&mut self, into: &mut ReadBuf<'_>) -> Result<Option<HeadRefusal>, Malformed> {
        let refusal = self.look();
        match &mut self.state {
            ReaderState::Head | ReaderState::Body(BodyFraming::Shut) => {}
            ReaderState::Passing { left, .. } => {
                let count = self.pending.len().min(*left).min(into.remaining());
                into.put_slice(&self.pending[..count]);
                *left -= count;
                let is_over = *left == 0;
                self.discard(count);
                if is_over {
                    self.enter_body();
                }
            }
            ReaderState::Open => {
                let count = self.pending.len().min(into.remaining());
                into.put_slice(&self.pending[..count]);
                self.discard(count);
            }
            ReaderState::Body(body) => {
                let count = self.pending.len().min(into.remaining());
                let (kept, is_over) = follow(body, &self.pending[..count])?;
                into.put_slice(&self.pending[..kept]);
                self.discard(kept);
                if is_over {
                    self.state = ReaderState::Head;
                }
            }
        }
        Ok(refusal)
    }

    /// Follows a part of a body that was read without [`StrictReader::push`]; the bytes after the end of the body are kept back.
    pub(super) fn follow(&mut self, read: &mut ReadBuf<'_>, before: usize) -> Result<(), Malformed> {
        let ReaderState::Body(body) = &mut self.state else { return Ok(()) };
        let (kept, is_over) = follow(body, &read.filled()[before..])?;
        self.pending.extend_from_slice(&read.filled()[before + kept..]);
        read.set_filled(before + kept);
        if is_over {
            self.state = ReaderState::Head;
        }
        Ok(())
    }

    /// Takes what is pending for a head, if that is worth it.
    fn look(&mut self) -> Option<HeadRefusal> {
        if !self.wants_head() || self.pending.is_empty() || !self.is_worth_a_look() {
            return None;
        }
        self.looked_at = self.pending.len();
        match head::parse(&self.pending) {
            Ok(Parsed::Partial) => None,
            Ok(Parsed::Whole { length, framing }) => {
                let then = match framing {
                    Framing::Length(length) => BodyFraming::Length(length),
                    Framing::Chunked => BodyFraming::Chunked(Chunks::default()),
                };
                self.state = ReaderState::Passing { left: length, then };
                None
            }
            Err(refusal) => {
                self.pending = STAND_IN.to_vec();
                self.state = ReaderState::Passing { left: STAND_IN.len(), then: BodyFraming::Shut };
                Some(refusal)
            }
        }
    }

    /// At the first bytes, since what is no HTTP at all shows there; at an empty line; and whenever as much again has
    /// come, so that a head that comes byte by byte costs no more than twice its size.
    fn is_worth_a_look(&mut self) -> bool {
        let unseen = self.searched.saturating_sub(3);
        self.searched = self.pending.len();
        self.pending.len() >= 2 * self.looked_at
            || self.pending[unseen..].windows(2).any(|pair| pair == b"\n\n" || pair == b"\n\r")
    }

    fn discard(&mut self, count: usize) {
        (self.looked_at, self.searched) = (0, 0);
        self.release();
        if count == self.pending.len() {
            // A connection that waits for its next request costs no memory.
            self.pending = Vec::new();
        } else {
            self.pending.drain(..count);
        }
    }

    fn enter_body(&mut self) {
        self.state = match std::mem::take(&mut self.state) {
            ReaderState::Passing { then: BodyFraming::Length(0), .. } => ReaderState::Head,
            ReaderState::Passing { then, .. } => ReaderState::Body(then),
            other => other,
        };
    }
}

impl Drop for StrictReader {
    fn drop(&mut self) {
        self.release();
    }
}

/// How many of these bytes are of the body, and whether it ends with them.
fn follow(body: &mut BodyFraming, bytes: &[u8]) -> Result<(usize, bool), Malformed> {
    match body {
        BodyFraming::Length(left) => {
            let count = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
            *left -= count as u64;
            Ok((count, *left == 0))
        }
        BodyFraming::Chunked(chunks) => chunks.follow(bytes),
        BodyFraming::Shut => Ok((0, false)),
    }
}

#[cfg(test)]
mod tests;
