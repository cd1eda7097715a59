//! One connection, from its first byte to its last: which HTTP it speaks, and how little of it is kept between its
//! requests.

mod io;
pub(super) mod state;
pub(super) mod stream;
pub(super) mod strict;

use std::{convert::Infallible, future::poll_fn, pin::pin, sync::Arc, task::Poll, time::Duration};

use hyper::{
    Request, Response,
    body::Incoming,
    server::conn::{http1, http2},
    service::{Service, service_fn},
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::Interest,
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

use self::{io::ClientIo, state::ConnectionState, stream::StreamExecutor, strict::MAX_FIELDS};
use super::{Server, access_log::LoggedBody, handler, validate};
use crate::service::{Phase, PhaseWatch};

/// How long a client may take for a request's head, from its first byte or that of the connection.
pub(super) const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes read ahead of a connection; more than the largest head that is let through.
const READ_BUFFER: usize = 128 * 1024;

/// Bytes of a head over HTTP/2 beyond which the whole connection is ended, since its fields cannot be read any more.
/// Well above the limit of a 431 response.
const MAX_HEADER_LIST: u32 = 4 * validate::HEADERS_LIMIT;

/// Requests at once on one HTTP/2 connection: no fewer than RFC 9113 §6.5.2 recommends. Each may hold a permit, a thread,
/// and a few frames of its response.
const MAX_STREAMS: u32 = 100;

/// How long a connection without a request is kept when bandog ends: time for hyper to write what it has buffered.
const IDLE_GOODBYE: Duration = Duration::from_millis(50);

/// How long a client may take nothing of what is left for it, when bandog ends and its last request has been answered.
const GOODBYE: Duration = Duration::from_secs(1);

/// The interval at which such a client is looked at.
const GOODBYE_LOOK: Duration = Duration::from_millis(20);

/// Serves one connection to its end.
pub(super) async fn serve(server: Arc<Server>, stream: TcpStream) {
    let mut phase = server.service.context().lifecycle.watch();
    let is_http2 = tokio::select! {
        is_http2 = timeout(HEAD_TIMEOUT, speaks_http2(&stream)) => match is_http2 {
            Ok(Some(is_http2)) => is_http2,
            // Gone, or silent.
            Ok(None) | Err(_) => return,
        },
        () = phase.reached(Phase::Draining) => return,
    };
    let send_timeout = server.service.context().settings.timeouts.send;
    let state = Arc::new(ConnectionState::new(stream, send_timeout, is_http2));
    // The state that serves requests and hyper's buffers are on the heap, 20 KiB in all. A connection that waits for a
    // request has neither.
    if is_http2 {
        Box::pin(serve_http2(server, &state, phase)).await;
        return;
    }
    while Box::pin(serve_http1(&server, &state, &mut phase)).await {
        tokio::select! {
            () = state.readable() => {}
            () = after(server.settings.idle_timeout) => return,
            () = phase.reached(Phase::Draining) => return,
        }
    }
    if let Some(tunnel) = state.take_tunnel() {
        tunnel.run().await;
    }
}

/// Resolves after `limit`; never without one.
async fn after(limit: Option<Duration>) {
    match limit {
        Some(limit) => sleep(limit).await,
        None => std::future::pending().await,
    }
}

/// Serves the requests of a client that speaks HTTP/1. Returns true when it has been answered all that it asked, and
/// the connection is as new.
async fn serve_http1(server: &Arc<Server>, state: &Arc<ConnectionState>, phase: &mut PhaseWatch) -> bool {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(READ_BUFFER)
        .max_headers(MAX_FIELDS)
        .serve_connection(TokioIo::new(ClientIo::http1(state)), service(server, state))
        .with_upgrades();
    let mut connection = pin!(connection);
    let until_idle = poll_fn(|context| {
        loop {
            match connection.as_mut().poll(context) {
                Poll::Ready(result) => return Poll::Ready(Some(result)),
                // The end of the last response waits for this: behind it hyper would take the next request at once.
                Poll::Pending if state.is_to_end() => {
                    state.close();
                    connection.as_mut().graceful_shutdown();
                }
                Poll::Pending if state.is_idle() => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    });
    let ended = tokio::select! {
        ended = until_idle => match ended {
            Some(result) => Some(result),
            None => return !state.is_closing(),
        },
        () = phase.reached(Phase::Draining) => {
            state.close();
            connection.as_mut().graceful_shutdown();
            finish(state, connection).await
        }
    };
    if let Some(Err(error)) = ended {
        tracing::debug!("connection ended: {error}");
    }
    false
}

/// Serves a client that speaks HTTP/2.
async fn serve_http2(server: Arc<Server>, state: &Arc<ConnectionState>, mut phase: PhaseWatch) {
    let connection = http2::Builder::new(StreamExecutor(Arc::clone(&server)))
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADER_LIST)
        // A peer that has disappeared does not reply: hyper has no other limit for a silent connection.
        .keep_alive_interval(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(ClientIo::http2(state)), service(&server, state));
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        result = &mut connection => Some(result),
        () = state.unused_for(server.settings.idle_timeout) => {
            connection.as_mut().graceful_shutdown();
            timeout(IDLE_GOODBYE, connection).await.ok()
        }
        () = phase.reached(Phase::Draining) => {
            connection.as_mut().graceful_shutdown();
            finish(state, connection).await
        }
    };
    if let Some(Err(error)) = ended {
        tracing::debug!("connection ended: {error}");
    }
}

/// Whether the client begins with the preface of HTTP/2 (RFC 9113 §3.4), which begins like no HTTP/1 method; `None` if
/// it leaves before that can be told. Nothing is taken from the stream.
async fn speaks_http2(stream: &TcpStream) -> Option<bool> {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0";
    let mut start = [0; PREFACE.len()];
    let mut pause = Duration::from_millis(1);
    loop {
        let peeked = stream.peek(&mut start).await.ok().filter(|peeked| *peeked > 0)?;
        if peeked == PREFACE.len() || !PREFACE.starts_with(&start[..peeked]) {
            return Some(start[..peeked] == *PREFACE);
        }
        // "P" may be POST: peeking at the same byte returns at once, so wait for the next one. Longer each time, so that a
        // client that sends no more costs nothing; and not for a client that has hung up.
        if stream.ready(Interest::READABLE).await.ok()?.is_read_closed() {
            return None;
        }
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}

/// Answers the requests of a connection.
fn service(
    server: &Arc<Server>,
    state: &Arc<ConnectionState>,
) -> impl Service<Request<Incoming>, Response = Response<LoggedBody>, Error = Infallible, Future: Send> + use<> {
    let (server, state) = (Arc::clone(server), Arc::clone(state));
    service_fn(move |request: Request<Incoming>| {
        // At once, not when the future is polled: the reader may have let the next request through by then.
        let refusal = state.take_refusal();
        handler::handle(Arc::clone(&server), Arc::clone(&state), refusal, request)
    })
}

/// Lets a connection that was told to end finish the requests it has; `None` if it had to be cut.
async fn finish<T>(state: &ConnectionState, connection: impl Future<Output = T>) -> Option<T> {
    if !state.is_busy() {
        // Idle, or in the middle of a head: hyper would wait for the rest of that.
        return timeout(IDLE_GOODBYE, connection).await.ok();
    }
    let mut connection = pin!(connection);
    let (mut since, mut before) = (Instant::now(), state.sent());
    // hyper does not end with the last response: over HTTP/1 while the client sends the rest of a body, over HTTP/2 before
    // the client has answered a PING.
    while since.elapsed() < GOODBYE {
        if let Ok(ended) = timeout(GOODBYE_LOOK, &mut connection).await {
            return Some(ended);
        }
        if state.is_busy() || state.sent() != before {
            (since, before) = (Instant::now(), state.sent());
        }
    }
    None
}
