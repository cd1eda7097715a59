//! Accepts connections, serves each on a task of its own, and ends them all in order.

use std::{
    convert::Infallible,
    future::{Future, ready},
    io,
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    time::Duration,
};

use hyper::{Request, body::Incoming, server::conn::http1, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustix::net::sockopt;
use tokio::{
    io::Interest,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, timeout, timeout_at},
};

use super::{Phase, Server, handler, link::Link, stream::Stream};

/// How long a client may take for a request's head, and how long a connection without a request is kept.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a connection may be silent before the kernel asks whether the other side is still there, how long that
/// may take to answer, and how often it is asked. Who vanished without a word (power cut, lost route) is found after
/// half a minute, or after `--send-timeout` if that is longer.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(15);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_PROBES: u32 = 3;

/// Bytes read ahead of a connection; more than the largest head that is let through.
const READ_BUFFER: usize = 128 * 1024;

/// Header fields of a request. More are not let through.
const MAX_HEADERS: usize = 256;

/// Bytes of a head over HTTP/2 beyond which the whole connection is ended, since its fields cannot be read any more.
/// Well above what is answered with 431.
const MAX_HEADER_LIST: u32 = 4 * handler::HEADERS_LIMIT;

/// Requests at once on one HTTP/2 connection.
const MAX_STREAMS: u32 = 256;

/// How long to leave a connection alone that has no request when bandog ends: time for what hyper still has to write.
const IDLE_GOODBYE: Duration = Duration::from_millis(50);

/// How long to wait when the kernel has no descriptor or memory for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long invocations that were killed may take to clean up behind them, and their callers to hear of it.
const CLEAN_UP: Duration = Duration::from_secs(1);

/// How far the end has come. Only ever grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Stop {
    /// Not at all.
    #[default]
    No,
    /// Finish what is in flight.
    Drain,
    /// Kill what is in flight.
    Now,
}

/// Binds `address`, ready to be served.
///
/// # Errors
/// What the kernel says, with the address and the next step.
pub async fn bind(address: SocketAddr, flag: &str) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address).await.map_err(|error| {
        io::Error::new(error.kind(), format!("cannot bind {address}: {error}; choose another with {flag}"))
    })?;
    set_options(&listener)?;
    Ok(listener)
}

/// Sets what every connection is to have: on Linux an accepted socket has the options of its listener (tcp(7)), so
/// that none costs a call of its own.
fn set_options(listener: &TcpListener) -> io::Result<()> {
    // Answers are written whole; waiting to fill a packet would only delay them.
    sockopt::set_tcp_nodelay(listener, true)?;
    sockopt::set_tcp_keepidle(listener, KEEPALIVE_IDLE)?;
    sockopt::set_tcp_keepintvl(listener, KEEPALIVE_INTERVAL)?;
    sockopt::set_tcp_keepcnt(listener, KEEPALIVE_PROBES)?;
    sockopt::set_socket_keepalive(listener, true)?;
    Ok(())
}

/// Has the kernel give up a connection whose other side has acknowledged nothing for `limit` and a little more; it would
/// try for a quarter of an hour. It counts a reader that takes nothing too, so that without a limit for those there is
/// none here; and it gives up without a word to the other side, so that the stream's own limit has to come first.
fn set_send_timeout(listener: &TcpListener, limit: Option<Duration>) {
    let milliseconds =
        limit.map_or(0, |limit| u32::try_from((limit + KEEPALIVE_INTERVAL).as_millis()).unwrap_or(u32::MAX));
    if let Err(error) = sockopt::set_tcp_user_timeout(listener, milliseconds) {
        tracing::warn!("cannot set a time limit for lost connections: {error}");
    }
}

/// Serves until told to stop and everything in flight has ended. With `metrics` the metrics page has a listener of
/// its own.
pub async fn serve(
    server: Arc<Server>,
    listener: TcpListener,
    metrics: Option<TcpListener>,
    stop: watch::Receiver<Stop>,
) {
    set_send_timeout(&listener, server.send_timeout);
    let mut connections = JoinSet::new();
    let metrics = tokio::spawn(serve_metrics(Arc::clone(&server), metrics));
    let glances = tokio::spawn({
        let server = Arc::clone(&server);
        async move { server.glances.tell().await }
    });
    accept(&server, &listener, &mut connections, stop.clone()).await;
    // From here on the kernel refuses connections.
    drop(listener);
    drain(&server, connections, stop).await;
    glances.abort();
    metrics.abort();
}

/// Takes connections until told to stop.
async fn accept(
    server: &Arc<Server>,
    listener: &TcpListener,
    connections: &mut JoinSet<()>,
    stop: watch::Receiver<Stop>,
) {
    let mut delay = pin!(until_stopped(server, stop));
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(Arc::clone(server), stream));
                }
                Err(error) => accept_failed(&error).await,
            },
            // Ended connections are forgotten as they end.
            Some(_) = connections.join_next() => {}
            () = &mut delay => return,
        }
    }
}

/// Ends what is in flight: `--drain-timeout` to finish, then SIGTERM and `--kill-grace`, then SIGKILL and
/// [`CLEAN_UP`]. Told to stop now, it goes to the last step at once.
async fn drain(server: &Arc<Server>, mut connections: JoinSet<()>, mut stop: watch::Receiver<Stop>) {
    server.enter(Phase::Draining);
    let in_flight = server.running.count();
    tracing::info!(in_flight, "draining");
    let outcome = tokio::select! {
        () = all_ended(&mut connections) => "everything in flight was finished",
        () = sleep(server.drain_timeout) => "the drain timeout is over",
        () = told_to_stop_now(&mut stop) => "told to stop now",
    };
    tracing::info!("drain ended: {outcome}");
    if *stop.borrow() < Stop::Now {
        server.close(false);
        tokio::select! {
            () = all_ended(&mut connections) => {}
            () = sleep(server.kill_grace) => {}
            () = told_to_stop_now(&mut stop) => {}
        }
    }
    server.close(true);
    let end = Instant::now() + CLEAN_UP;
    // Half of the time for answers on their way; the other half is for the invocations that wrote to those who do
    // not read, and are let go of when their connections are cut.
    let _ = timeout_at(end - CLEAN_UP / 2, all_ended(&mut connections)).await;
    connections.shutdown().await;
    let workers = server.workers.clone();
    let rest = end.saturating_duration_since(Instant::now());
    let quiet = tokio::task::spawn_blocking(move || workers.wait_until_quiet(rest)).await;
    if !quiet.unwrap_or(false) {
        tracing::error!("an invocation did not end; its workspace is removed at the next start");
    }
}

async fn told_to_stop_now(stop: &mut watch::Receiver<Stop>) {
    if stop.wait_for(|stop| *stop == Stop::Now).await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn told_to_drain(phase: &mut watch::Receiver<Phase>) {
    // The sender outlives every connection. The value itself, behind a lock, is not held across an await.
    let _ = phase.wait_for(|phase| *phase >= Phase::Draining).await;
}

async fn all_ended(connections: &mut JoinSet<()>) {
    while connections.join_next().await.is_some() {}
}

/// Ends when nothing new is to be accepted any more.
async fn until_stopped(server: &Server, mut stop: watch::Receiver<Stop>) {
    // The sender is kept by who called; if it is gone nobody can stop this any more but by ending the process.
    if stop.wait_for(|stop| *stop > Stop::No).await.is_err() {
        std::future::pending::<()>().await;
    }
    server.enter(Phase::Leaving);
    if !server.shutdown_delay.is_zero() {
        let seconds = server.shutdown_delay.as_secs_f64();
        tracing::info!(seconds, "told to stop; still accepting for a while");
        tokio::select! {
            () = sleep(server.shutdown_delay) => {}
            () = told_to_stop_now(&mut stop) => {}
        }
    }
}

/// A connection that could not be accepted: the client's affair, or a shortage that passes.
async fn accept_failed(error: &io::Error) {
    let of_the_client = [io::ErrorKind::ConnectionAborted, io::ErrorKind::ConnectionReset, io::ErrorKind::Interrupted];
    if !of_the_client.contains(&error.kind()) {
        tracing::warn!("cannot accept a connection: {error}; trying again (see ulimit -n)");
        sleep(ACCEPT_PAUSE).await;
    }
}

/// Serves one connection to its end.
async fn connection(server: Arc<Server>, stream: TcpStream) {
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
    let service = {
        let link = Arc::clone(&link);
        service_fn(move |request: Request<Incoming>| {
            // At once, not when the future is looked at: the gate may have let the next request through by then.
            let refusal = link.take_refusal();
            handler::handle(Arc::clone(&server), Arc::clone(&link), refusal, request)
        })
    };
    let is_busy = || link.is_busy();
    if is_http2 {
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(MAX_HEADER_LIST)
            // Who has vanished without a word does not answer: hyper has no other limit for a silent connection.
            .keep_alive_interval(HEAD_TIMEOUT)
            .serve_connection(TokioIo::new(Stream::http2(&link)), service);
        follow(connection, http2::Connection::graceful_shutdown, is_busy, link.idle(HEAD_TIMEOUT), phase).await;
    } else {
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(READ_BUFFER)
            .max_headers(MAX_HEADERS)
            .serve_connection(TokioIo::new(Stream::http1(&link)), service);
        follow(connection, http1::Connection::graceful_shutdown, is_busy, std::future::pending(), phase).await;
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

/// Follows a connection to its end; when bandog ends, lets it finish the requests it has and no more.
async fn follow<C, E>(
    connection: C,
    graceful_shutdown: impl Fn(std::pin::Pin<&mut C>),
    is_busy: impl Fn() -> bool,
    idle: impl Future<Output = ()>,
    mut phase: watch::Receiver<Phase>,
) where
    C: Future<Output = Result<(), E>>,
    E: std::fmt::Display,
{
    let mut connection = pin!(connection);
    let result = tokio::select! {
        result = &mut connection => result,
        () = idle => {
            graceful_shutdown(connection.as_mut());
            match timeout(IDLE_GOODBYE, connection).await {
                Ok(result) => result,
                Err(_) => return,
            }
        }
        () = told_to_drain(&mut phase) => {
            graceful_shutdown(connection.as_mut());
            if is_busy() {
                connection.await
            } else {
                // Idle, or in the middle of a head: hyper would wait for the rest of that.
                match timeout(IDLE_GOODBYE, connection).await {
                    Ok(result) => result,
                    Err(_) => return,
                }
            }
        }
    };
    if let Err(error) = result {
        tracing::debug!("connection ended: {error}");
    }
}

/// The metrics page on a listener of its own.
async fn serve_metrics(server: Arc<Server>, listener: Option<TcpListener>) {
    let Some(listener) = listener else { return };
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let server = Arc::clone(&server);
                    connections.spawn(async move {
                        let service = service_fn(move |request| ready(Ok::<_, Infallible>(handler::handle_metrics(&server, &request))));
                        let connection = http1::Builder::new()
                            .timer(TokioTimer::new())
                            .header_read_timeout(HEAD_TIMEOUT)
                            .serve_connection(TokioIo::new(stream), service);
                        if let Err(error) = connection.await {
                            tracing::debug!("connection ended: {error}");
                        }
                    });
                }
                Err(error) => accept_failed(&error).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}
