//! One connection, with the runtime that drives it.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    runtime::{Builder, Runtime},
    time::{sleep, timeout},
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, pki_types::ServerName},
};

use super::{CONNECT, Endpoint, STALL, Scheme, TransportError, body::SentBody};
use crate::control::{Control, TICK};

/// Bytes that are buffered of a head, or of a body that arrives faster than it is read.
const BUFFER: usize = 64 * 1024;

/// A connection. Its methods block.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) sender: SendRequest<SentBody>,
    pub(super) address: Arc<str>,
    /// Counts the pieces that are sent and received.
    pub(super) progress: Arc<AtomicU64>,
    // Last, so that it is dropped last: the others need it.
    runtime: Runtime,
}

impl Connection {
    /// Connects to a server.
    pub(super) fn open(
        endpoint: &Endpoint,
        tls: Option<&Arc<ClientConfig>>,
        control: &Control<'_>,
    ) -> Result<Self, TransportError> {
        let address: Arc<str> = endpoint.authority().into();
        let failed = |source| TransportError::Connect { address: address.to_string(), source };
        let runtime = Builder::new_current_thread().enable_io().enable_time().build().map_err(failed)?;
        let progress = Arc::<AtomicU64>::default();
        let opened = timeout_of_connect(&address, connect(endpoint, tls, &address));
        let sender = runtime.block_on(watched(&address, &progress, control, opened))??;
        Ok(Self { sender, address, progress, runtime })
    }

    /// Whether a request may be sent on it.
    pub(super) fn is_open(&mut self) -> bool {
        // The end of an idle connection is seen only when its runtime runs.
        self.runtime.block_on(tokio::task::yield_now());
        self.sender.is_ready()
    }

    /// Runs a part of an exchange to its end, unless it stalls or `control` ends it.
    pub(super) fn run<T>(
        &mut self,
        control: &Control<'_>,
        part: impl AsyncFnOnce(&mut SendRequest<SentBody>) -> T,
    ) -> Result<T, TransportError> {
        let Self { sender, address, progress, runtime } = self;
        runtime.block_on(watched(address, progress, control, part(sender)))
    }
}

async fn timeout_of_connect<T>(
    address: &str,
    connecting: impl Future<Output = Result<T, TransportError>>,
) -> Result<T, TransportError> {
    let late = || {
        let source = io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {} s", CONNECT.as_secs()));
        TransportError::Connect { address: address.to_owned(), source }
    };
    timeout(CONNECT, connecting).await.unwrap_or_else(|_| Err(late()))
}

async fn connect(
    endpoint: &Endpoint,
    tls: Option<&Arc<ClientConfig>>,
    address: &str,
) -> Result<SendRequest<SentBody>, TransportError> {
    let failed = |source| TransportError::Connect { address: address.to_owned(), source };
    let stream = TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await.map_err(failed)?;
    // A request is written in two pieces, head and body.
    stream.set_nodelay(true).map_err(failed)?;
    let (Scheme::Https, Some(config)) = (endpoint.scheme, tls) else { return handshake(stream, address).await };
    let failed = |source| TransportError::Tls { address: address.to_owned(), source };
    let name = ServerName::try_from(endpoint.host.clone())
        .map_err(|error| failed(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
    let stream = TlsConnector::from(Arc::clone(config)).connect(name, stream).await.map_err(failed)?;
    handshake(stream, address).await
}

async fn handshake<S>(stream: S, address: &str) -> Result<SendRequest<SentBody>, TransportError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connected = http1::Builder::new().max_buf_size(BUFFER).handshake(TokioIo::new(stream)).await;
    let (sender, connection) = connected.map_err(|error| broken(address, &error))?;
    // Its end reaches the sender, and through that the request.
    tokio::spawn(connection);
    Ok(sender)
}

/// An error of hyper in words: its own say only where, those of its cause say why.
pub(super) fn broken(address: &str, error: &hyper::Error) -> TransportError {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    if error.is_user()
        && let Some(source) = cause.downcast_ref::<io::Error>()
    {
        return TransportError::Source(io::Error::new(source.kind(), source.to_string()));
    }
    TransportError::Broken { address: address.to_owned(), reason: cause.to_string() }
}

/// Waits for `part`, and looks now and then whether it goes on and may.
async fn watched<T>(
    address: &str,
    progress: &AtomicU64,
    control: &Control<'_>,
    part: impl Future<Output = T>,
) -> Result<T, TransportError> {
    tokio::pin!(part);
    let (mut seen, mut since) = (progress.load(Ordering::Relaxed), Instant::now());
    loop {
        tokio::select! {
            biased;
            done = &mut part => return Ok(done),
            () = sleep(TICK) => {}
        }
        control.check().map_err(TransportError::Stopped)?;
        let now = progress.load(Ordering::Relaxed);
        if now != seen {
            (seen, since) = (now, Instant::now());
        } else if since.elapsed() > STALL {
            return Err(TransportError::Stalled { address: address.to_owned(), seconds: STALL.as_secs() });
        }
    }
}
