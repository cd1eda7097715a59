//! A client's socket that remembers whether it has taken everything it was given.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// The socket. hyper lets go of an answer's body when it has the last piece in its own buffer: only here can be seen
/// that a slow reader has yet to take it.
#[derive(Debug)]
pub(super) struct Stream {
    socket: TcpStream,
    /// The last write found no room, and hyper waits with the rest.
    blocked: Arc<AtomicBool>,
}

impl Stream {
    pub(super) fn new(socket: TcpStream, blocked: &Arc<AtomicBool>) -> Self {
        Self { socket, blocked: Arc::clone(blocked) }
    }

    fn noted(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.blocked.store(written.is_pending(), Ordering::Relaxed);
        written
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(context, into)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.noted(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(context, slices);
        self.noted(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::net::TcpListener;

    use super::*;

    async fn takes_more(stream: &mut Stream) -> bool {
        let piece = [0; 1024];
        poll_fn(|context| Poll::Ready(Pin::new(&mut *stream).poll_write(context, &piece).is_ready())).await
    }

    #[tokio::test]
    async fn it_is_blocked_until_a_slow_reader_reads_on() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let reader = TcpStream::connect(listener.local_addr().expect("address")).await.expect("connected");
        let (socket, _) = listener.accept().await.expect("accepted");
        socket.writable().await.expect("open");
        let blocked = Arc::new(AtomicBool::new(false));
        let mut stream = Stream::new(socket, &blocked);
        assert!(takes_more(&mut stream).await && !blocked.load(Ordering::Relaxed));
        while takes_more(&mut stream).await {}
        assert!(blocked.load(Ordering::Relaxed));
        let mut taken = vec![0; 1024 * 1024];
        while !takes_more(&mut stream).await {
            let _ = reader.try_read(&mut taken);
            tokio::task::yield_now().await;
        }
        assert!(!blocked.load(Ordering::Relaxed));
    }
}
