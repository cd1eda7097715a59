//! A client's socket as hyper sees it: behind a gate, with an end to what it waits for, and closed so that the client
//! can read the last answer.

use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

use super::{gate::Gate, link::Link};

/// Bytes of one look for a head: most heads are smaller.
const LOOK: usize = 8 * 1024;

/// How long a client may go on sending what nobody reads after the last answer. Closing the socket under it at once
/// would make the kernel reset the connection, and the client lose the answer (RFC 9112 §9.6).
const LINGER: Duration = Duration::from_secs(2);

/// Bytes that are read and dropped in that time; who sends more does not listen.
const LINGER_LIMIT: usize = 4 * 1024 * 1024;

/// The socket.
#[derive(Debug)]
pub(super) struct Stream {
    link: Arc<Link>,
    /// What HTTP/1 has to pass; HTTP/2 leaves nothing in doubt.
    gate: Option<Gate>,
    /// Ends the wait for a client that takes nothing; there while one is waited for.
    patience: Option<Pin<Box<Sleep>>>,
    /// What follows the last answer; there once that is written.
    linger: Option<Linger>,
}

#[derive(Debug)]
struct Linger {
    end: Pin<Box<Sleep>>,
    left: usize,
}

impl Stream {
    /// A client that speaks HTTP/1.
    pub(super) fn http1(link: &Arc<Link>) -> Self {
        Self { gate: Some(Gate::default()), ..Self::http2(link) }
    }

    /// A client that speaks HTTP/2.
    pub(super) fn http2(link: &Arc<Link>) -> Self {
        Self { link: Arc::clone(link), gate: None, patience: None, linger: None }
    }

    /// What became of a write of `bytes`: an error if the client has taken nothing for too long.
    fn noted(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.link.set_blocked(written.is_pending());
        self.link.set_listening(false);
        let Poll::Pending = written else {
            if let Poll::Ready(Ok(count)) = written {
                self.link.add_sent(count);
            }
            self.patience = None;
            return written;
        };
        let Some(limit) = self.link.send_timeout else { return Poll::Pending };
        let patience = self.patience.get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(patience.as_mut().poll(context));
        self.patience = None;
        // The kernel tells of room only when a third of its buffer is free; a slow reader has taken something if
        // there is any.
        match self.link.with(|socket| rustix::io::write(&*socket, bytes)) {
            Ok(count) if count > 0 => {
                self.link.set_blocked(false);
                Poll::Ready(Ok(count))
            }
            _ => {
                tracing::info!("a client took nothing of its answer for {limit:?}; the connection was ended");
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { link, gate, .. } = self.get_mut();
        let Some(gate) = gate else { return link.with(|socket| socket.poll_read(context, into)) };
        if link.is_tunnel() {
            gate.open();
        }
        let before = into.filled().len();
        link.set_listening(false);
        loop {
            if let Some(refusal) = gate.pass(into).map_err(io::Error::other)? {
                link.refuse(refusal);
            }
            if into.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
            if gate.is_shut() {
                // The answer to the refusal is on its way, and ends the connection.
                return Poll::Pending;
            }
            if !gate.wants_head() {
                ready!(link.with(|socket| socket.poll_read(context, into)))?;
                return Poll::Ready(gate.follow(into, before).map_err(io::Error::other));
            }
            let mut space = [const { MaybeUninit::uninit() }; LOOK];
            let mut read = ReadBuf::uninit(&mut space);
            let Poll::Ready(result) = link.with(|socket| socket.poll_read(context, &mut read)) else {
                link.set_listening(!gate.is_unfinished());
                return Poll::Pending;
            };
            result?;
            if read.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            gate.push(read.filled())?;
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = self.link.with(|socket| socket.poll_write(context, bytes));
        self.noted(context, written, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = self.link.with(|socket| socket.poll_write_vectored(context, slices));
        let first = slices.iter().find(|slice| !slice.is_empty());
        self.noted(context, written, first.map_or(&[], |slice| slice))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.link.with(|socket| socket.poll_flush(context))
    }

    /// After everything is written. Waits for a client that is still sending, a little.
    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { link, gate, linger, .. } = self.get_mut();
        link.set_listening(false);
        let lingering = if let Some(lingering) = linger {
            lingering
        } else {
            link.end_is_the_end()?;
            ready!(link.with(|socket| socket.poll_shutdown(context)))?;
            if !gate.as_ref().is_some_and(Gate::is_unfinished) {
                return Poll::Ready(Ok(()));
            }
            linger.insert(Linger { end: Box::pin(sleep(LINGER)), left: LINGER_LIMIT })
        };
        lingering.poll(link, context)
    }
}

impl Linger {
    /// Reads and drops, until the client has ended too or it is enough.
    fn poll(&mut self, link: &Link, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.end.as_mut().poll(context).is_ready() {
            return Poll::Ready(Ok(()));
        }
        let mut space = [const { MaybeUninit::uninit() }; LOOK];
        loop {
            let mut read = ReadBuf::uninit(&mut space);
            let result = ready!(link.with(|socket| socket.poll_read(context, &mut read)));
            let count = read.filled().len();
            self.left = self.left.saturating_sub(count);
            if result.is_err() || count == 0 || self.left == 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

#[cfg(test)]
mod tests;
