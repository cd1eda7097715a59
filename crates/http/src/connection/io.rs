//! A client's socket as hyper sees it: behind a strict reader, with a time limit for writes, and closed so that the client
//! can read the last response.

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

use super::{state::ConnectionState, strict::StrictReader};

/// Bytes of one look for a head: most heads are smaller.
const LOOK: usize = 8 * 1024;

/// How long a client may go on sending after the last response. The bytes are discarded; closing the socket at once
/// would make the kernel reset the connection, and the client lose the response (RFC 9112 §9.6).
const LINGER: Duration = Duration::from_secs(2);

/// Bytes that are read and dropped in that time; a client that sends more does not listen.
const LINGER_LIMIT: usize = 4 * 1024 * 1024;

/// The socket.
#[derive(Debug)]
pub(super) struct ClientIo {
    state: Arc<ConnectionState>,
    /// The reader of HTTP/1 heads; HTTP/2 leaves nothing in doubt.
    reader: Option<StrictReader>,
    /// Ends the wait for a client that takes nothing; there while one is waited for.
    patience: Option<Pin<Box<Sleep>>>,
    /// The state after the last response; `Some` once that is written.
    linger: Option<Linger>,
}

#[derive(Debug)]
struct Linger {
    end: Pin<Box<Sleep>>,
    left: usize,
}

impl ClientIo {
    /// A client that speaks HTTP/1.
    pub(super) fn http1(state: &Arc<ConnectionState>) -> Self {
        Self { reader: Some(StrictReader::default()), ..Self::http2(state) }
    }

    /// A client that speaks HTTP/2.
    pub(super) fn http2(state: &Arc<ConnectionState>) -> Self {
        Self { state: Arc::clone(state), reader: None, patience: None, linger: None }
    }

    /// Records the result of a write of `bytes`; an error if the client has read nothing for too long.
    fn noted(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.state.set_blocked(written.is_pending());
        self.state.set_listening(false);
        let Poll::Pending = written else {
            if let Poll::Ready(Ok(count)) = written {
                self.state.add_sent(count);
            }
            self.patience = None;
            return written;
        };
        let Some(limit) = self.state.patience() else { return Poll::Pending };
        let patience = self.patience.get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(patience.as_mut().poll(context));
        self.patience = None;
        if self.state.is_overdue() {
            tracing::info!("a response was not taken before its time was over; the connection was ended");
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        // The kernel tells of room only when a third of its buffer is free; a slow reader has taken something if
        // there is any.
        match self.state.with(|socket| rustix::io::write(&*socket, bytes)) {
            Ok(count) if count > 0 => {
                self.state.set_blocked(false);
                Poll::Ready(Ok(count))
            }
            _ => {
                let seconds = limit.as_secs_f64();
                tracing::info!("a client took nothing of its answer for {seconds} s; the connection was ended");
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }
}

impl AsyncRead for ClientIo {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { state, reader, .. } = self.get_mut();
        let Some(reader) = reader else { return state.with(|socket| socket.poll_read(context, into)) };
        if state.is_tunnel() {
            reader.open();
        }
        let before = into.filled().len();
        state.set_listening(false);
        loop {
            if let Some(refusal) = reader.pass(into).map_err(io::Error::other)? {
                state.refuse(refusal);
            }
            if into.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
            if reader.is_shut() {
                // The answer to the refusal is on its way, and ends the connection.
                return Poll::Pending;
            }
            if !reader.wants_head() {
                ready!(state.with(|socket| socket.poll_read(context, into)))?;
                return Poll::Ready(reader.follow(into, before).map_err(io::Error::other));
            }
            let mut space = [const { MaybeUninit::uninit() }; LOOK];
            let mut read = ReadBuf::uninit(&mut space);
            let Poll::Ready(result) = state.with(|socket| socket.poll_read(context, &mut read)) else {
                state.set_listening(!reader.is_unfinished());
                return Poll::Pending;
            };
            result?;
            if read.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            reader.push(read.filled())?;
        }
    }
}

impl AsyncWrite for ClientIo {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = self.state.with(|socket| socket.poll_write(context, bytes));
        self.noted(context, written, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = self.state.with(|socket| socket.poll_write_vectored(context, slices));
        let first = slices.iter().find(|slice| !slice.is_empty());
        self.noted(context, written, first.map_or(&[], |slice| slice))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.state.with(|socket| socket.poll_flush(context))
    }

    /// After everything is written. Waits for a client that is still sending, a little.
    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { state, reader, linger, .. } = self.get_mut();
        state.set_listening(false);
        let lingering = if let Some(lingering) = linger {
            lingering
        } else {
            state.close_cleanly()?;
            ready!(state.with(|socket| socket.poll_shutdown(context)))?;
            if !reader.as_ref().is_some_and(StrictReader::is_unfinished) {
                return Poll::Ready(Ok(()));
            }
            linger.insert(Linger { end: Box::pin(sleep(LINGER)), left: LINGER_LIMIT })
        };
        lingering.poll(state, context)
    }
}

impl Linger {
    /// Reads and drops, until the client has ended too or it is enough.
    fn poll(&mut self, state: &ConnectionState, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.end.as_mut().poll(context).is_ready() {
            return Poll::Ready(Ok(()));
        }
        let mut space = [const { MaybeUninit::uninit() }; LOOK];
        loop {
            let mut read = ReadBuf::uninit(&mut space);
            let result = ready!(state.with(|socket| socket.poll_read(context, &mut read)));
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
