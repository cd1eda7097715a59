//! One connection, from its first byte to its last: which HTTP it speaks, and how little of it is kept between its
//! requests.

use std::{convert::Infallible, future::poll_fn, pin::pin, sync::Arc, task::Poll, time::Duration};

use hyper::{
    Request, Response,
    body::Incoming,
    server::conn::{http1, http2},
    service::{Service, service_fn},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    io::Interest,
    net::TcpStream,
    sync::watch,
    time::{sleep, timeout},
};

use super::{
    Phase, Server,
    exchange::Tracked,
    gate::MAX_FIELDS,
    handler, head,
    link::Link,
    listener::{HEAD_TIMEOUT, told_to_drain},
    stream::Stream,
};

/// Bytes read ahead of a connection; more than the largest head that is let through.
const READ_BUFFER: usize = 128 * 1024;

/// Bytes of a head over HTTP/2 beyond which the whole connection is ended, since its fields cannot be read any more.
/// Well above what is answered with 431.
const MAX_HEADER_LIST: u32 = 4 * head::HEADERS_LIMIT;

/// Requests at once on one HTTP/2 connection.
const MAX_STREAMS: u32 = 256;

/// How long to leave a connection alone that has no request when bandog ends: time for what hyper still has to write.
const IDLE_GOODBYE: Duration = Duration::from_millis(50);

/// Serves one connection to its end.
pub(super) async fn serve(server: Arc<Server>, stream: TcpStream) {
    let mut phase = server.phase.subscribe();
    let is_http2 = tokio::select! {
        is_http2 = timeout(HEAD_TIMEOUT, speaks_http2(&stream)) => match is_http2 {
            Ok(Some(is_http2)) => is_http2,
            // Gone, or silent.
            Ok(None) | Err(_) => return,
        },
        () = told_to_drain(&mut phase) => return,
    };
    let link = Arc::new(Link::new(stream, server.send_timeout));
    // What serves requests is on the heap and hyper has its buffers there, 20 KiB in all. A connection that waits for a
    // request has neither: it costs what is seen here.
    if is_http2 {
        Box::pin(serve_http2(server, &link, phase)).await;
        return;
    }
    while Box::pin(serve_http1(&server, &link, &mut phase)).await {
        tokio::select! {
            readable = timeout(HEAD_TIMEOUT, link.readable()) => if readable.is_err() { return },
            () = told_to_drain(&mut phase) => return,
        }
    }
    if let Some(tunnel) = link.take_tunnel() {
        tunnel.run().await;
    }
}

/// Serves the requests of a client that speaks HTTP/1. Returns true when it has been answered all that it asked, and
/// the connection is as new.
async fn serve_http1(server: &Arc<Server>, link: &Arc<Link>, phase: &mut watch::Receiver<Phase>) -> bool {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(READ_BUFFER)
        .max_headers(MAX_FIELDS)
        .serve_connection(TokioIo::new(Stream::http1(link)), service(server, link))
        .with_upgrades();
    let mut connection = pin!(connection);
    let until_rest = poll_fn(|context| {
        loop {
            match connection.as_mut().poll(context) {
                Poll::Ready(result) => return Poll::Ready(Some(result)),
                // The end of the last answer waits for this: behind it hyper would take the next request at once.
                Poll::Pending if link.is_to_end() => {
                    link.close();
                    connection.as_mut().graceful_shutdown();
                }
                Poll::Pending if link.is_at_rest() => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    });
    let ended = tokio::select! {
        ended = until_rest => match ended {
            Some(result) => Some(result),
            None => return !link.is_closing(),
        },
        () = told_to_drain(phase) => {
            link.close();
            connection.as_mut().graceful_shutdown();
            finish(link, connection).await
        }
    };
    if let Some(Err(error)) = ended {
        tracing::debug!("connection ended: {error}");
    }
    false
}

/// Serves a client that speaks HTTP/2.
async fn serve_http2(server: Arc<Server>, link: &Arc<Link>, mut phase: watch::Receiver<Phase>) {
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADER_LIST)
        // Who has vanished without a word does not answer: hyper has no other limit for a silent connection.
        .keep_alive_interval(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(Stream::http2(link)), service(&server, link));
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        result = &mut connection => Some(result),
        () = link.idle(HEAD_TIMEOUT) => {
            connection.as_mut().graceful_shutdown();
            timeout(IDLE_GOODBYE, connection).await.ok()
        }
        () = told_to_drain(&mut phase) => {
            connection.as_mut().graceful_shutdown();
            finish(link, connection).await
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
        // "P" may be POST: a look at the same byte comes back at once, so wait for the next one. Longer each time, so
        // that who sends no more costs nothing; and not for who has hung up.
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
    link: &Arc<Link>,
) -> impl Service<Request<Incoming>, Response = Response<Tracked>, Error = Infallible, Future: Send> + use<> {
    let (server, link) = (Arc::clone(server), Arc::clone(link));
    service_fn(move |request: Request<Incoming>| {
        // At once, not when the future is looked at: the gate may have let the next request through by then.
        let refusal = link.take_refusal();
        handler::handle(Arc::clone(&server), Arc::clone(&link), refusal, request)
    })
}

/// Lets a connection that was told to end finish the requests it has; `None` if it had to be cut.
async fn finish<T>(link: &Link, connection: impl Future<Output = T>) -> Option<T> {
    if link.is_busy() {
        return Some(connection.await);
    }
    // Idle, or in the middle of a head: hyper would wait for the rest of that.
    timeout(IDLE_GOODBYE, connection).await.ok()
}
