//! Connections to the function: made, kept for a moment, used again.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use bytes::Bytes;
use hyper::{
    Method, Request,
    client::conn::http1,
    header::{CONNECTION, CONTENT_LENGTH, HeaderValue, TRANSFER_ENCODING},
    http::request::Parts,
};
use hyper_util::rt::TokioIo;
use rustix::net::sockopt::{set_socket_keepalive, set_tcp_keepidle};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, sleep, timeout},
};

use super::{PAUSE, Upstream, UpstreamResponse};
use crate::{body::RequestBody, invocation::UpstreamError};

/// The way to send a request on a connection.
pub(crate) type Sender = http1::SendRequest<RequestBody>;

/// How long a connection without a request is kept. Servers keep theirs for seconds at least (gunicorn 2, node 5), and
/// a request on one that is just being closed may be lost.
const IDLE: Duration = Duration::from_secs(1);

/// How many are kept.
const KEPT: usize = 64;

/// How long the function may take to be done with a connection, once its answer is whole.
pub(super) const HANDBACK: Duration = Duration::from_secs(1);

/// How long a connection may take to be made.
pub(super) const CONNECT: Duration = Duration::from_secs(10);

/// After so long without a word the kernel asks whether the function is still there.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// Bytes of an answer's head.
const READ_BUFFER: usize = 128 * 1024;

/// Header fields of an answer.
const MAX_FIELDS: usize = 256;

/// Idle connections.
#[derive(Debug, Default)]
pub(super) struct Pool(Arc<Mutex<Idle>>);

#[derive(Debug, Default)]
struct Idle {
    connections: Vec<(Sender, Instant)>,
    /// A task closes those that grow old.
    is_watched: bool,
}

impl Idle {
    fn close_old(&mut self) {
        self.connections.retain(|(sender, since)| !sender.is_closed() && since.elapsed() < IDLE);
    }
}

impl Pool {
    /// The one used last: the others grow old.
    fn take(&self) -> Option<Sender> {
        let mut idle = lock(&self.0);
        idle.close_old();
        idle.connections.pop().map(|(sender, _)| sender)
    }

    /// Keeps a connection, and closes it in time though no other request comes.
    pub(super) fn put(&self, sender: Sender) {
        let mut idle = lock(&self.0);
        idle.close_old();
        if idle.connections.len() < KEPT {
            idle.connections.push((sender, Instant::now()));
        }
        if !std::mem::replace(&mut idle.is_watched, true) {
            tokio::spawn(watch(Arc::downgrade(&self.0)));
        }
    }
}

/// Closes what grows old until there is none, or the pool is gone.
async fn watch(pool: Weak<Mutex<Idle>>) {
    loop {
        sleep(IDLE).await;
        let Some(pool) = pool.upgrade() else { return };
        let mut idle = lock(&pool);
        idle.close_old();
        if idle.connections.is_empty() {
            idle.is_watched = false;
            return;
        }
    }
}

fn lock(idle: &Mutex<Idle>) -> MutexGuard<'_, Idle> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Upstream {
    /// Sends a request and waits for the head of its answer. With the error comes the body, if nothing was sent.
    ///
    /// The function may close a kept connection at the moment it is used again. A request that was not sent then goes to
    /// another connection. A request that may have been sent is repeated once, if its method allows that (RFC 9110
    /// §9.2.2), its body is complete here, and the function has not died of it. A request that may not be repeated gets a
    /// connection of its own, which the function closes: so no port of ours has to wait for stray packets (RFC 9293
    /// §3.6.1), however many requests there are.
    pub(super) async fn send(
        &self,
        head: &Parts,
        mut body: RequestBody,
        upgrades: bool,
    ) -> Result<UpstreamResponse, (UpstreamError, Option<RequestBody>)> {
        let mut again = body.copy().filter(|_| is_repeatable(&head.method));
        let is_alone = again.is_none() && !upgrades;
        let mut head = head.clone();
        if is_alone {
            head.headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        let (generation, mut is_repeated) = (self.managed.as_ref().map(|managed| managed.generation()), false);
        loop {
            let used = if upgrades || is_alone { None } else { self.pool.take() };
            let is_used = used.is_some();
            let mut sender = match used {
                Some(sender) => sender,
                None => match self.connect().await {
                    Ok(sender) => sender,
                    Err(source) => {
                        // A request that has been sent once is not repeated to the next process.
                        let unsent = Some(body).filter(|_| !is_repeated);
                        return Err((
                            UpstreamError::Unreachable {
                                upstream: self.who,
                                address: self.address.to_string(),
                                source,
                            },
                            unsent,
                        ));
                    }
                },
            };
            match sender.try_send_request(Request::from_parts(head.clone(), body)).await {
                Ok(mut response) => {
                    // A chunked body has no other length (RFC 9112 §6.3), even if the server sends one.
                    if response.headers().contains_key(TRANSFER_ENCODING) {
                        response.headers_mut().remove(CONTENT_LENGTH);
                    }
                    return Ok(UpstreamResponse { response, sender });
                }
                Err(mut failed) => match (is_used, failed.take_message(), again.take()) {
                    (true, Some(unsent), copy) => (body, again) = (unsent.into_body(), copy),
                    (true, None, Some(copy)) if failed.error().is_incomplete_message() || is_io(failed.error()) => {
                        sleep(PAUSE).await;
                        if self.managed.as_ref().map(|managed| managed.generation()) != generation {
                            let reason = reason(failed.error());
                            return Err((
                                UpstreamError::NoResponse {
                                    upstream: self.who,
                                    address: self.address.to_string(),
                                    reason,
                                },
                                None,
                            ));
                        }
                        (body, is_repeated) = (RequestBody::whole(Some(copy)), true);
                    }
                    _ => {
                        let reason = reason(failed.error());
                        return Err((
                            UpstreamError::NoResponse { upstream: self.who, address: self.address.to_string(), reason },
                            None,
                        ));
                    }
                },
            }
        }
    }

    /// A new connection.
    async fn connect(&self) -> io::Result<Sender> {
        timeout(CONNECT, async {
            let stream = self.address.reach().await?;
            stream.set_nodelay(true)?;
            set_tcp_keepidle(&stream, KEEPALIVE)?;
            set_socket_keepalive(&stream, true)?;
            match self.address.tls() {
                None => shake_hands(stream).await,
                Some(tls) => shake_hands(tls.greet(stream).await?).await,
            }
        })
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }
}

/// HTTP on a socket.
pub(super) async fn shake_hands(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> io::Result<Sender> {
    let (sender, connection) = http1::Builder::new()
        .max_buf_size(READ_BUFFER)
        .max_headers(MAX_FIELDS)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    tokio::spawn(async move {
        if let Err(error) = connection.with_upgrades().await {
            tracing::debug!("a connection to a server ended: {error}");
        }
    });
    Ok(sender)
}

/// Methods whose second effect is that of the first (RFC 9110 §9.2.2).
fn is_repeatable(method: &Method) -> bool {
    method.is_idempotent()
}

fn is_io(error: &hyper::Error) -> bool {
    std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<io::Error>)
}

/// The message of hyper's error, with its cause.
pub(crate) fn reason(error: &hyper::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// The body of a request that has none.
pub(super) fn nothing() -> RequestBody {
    RequestBody::whole(None::<Bytes>)
}
