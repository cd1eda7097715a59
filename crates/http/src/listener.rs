//! Accepts connections, serves each on a task of its own, and ends them all in order.

use std::{convert::Infallible, io, net::SocketAddr, os::fd::AsFd as _, pin::pin, sync::Arc, time::Duration};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::net::sockopt;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::sleep,
};

use super::{
    Server,
    connection::{self, HEAD_TIMEOUT},
    handler,
    lock_file::LockFile,
};
use crate::{
    process::{self, give_back_heap},
    service::{Phase, Stop, drain, stopped_now},
};

/// How long a connection may be silent before the kernel asks whether the other side is still there, how long that
/// may take to answer, and how often it is asked. A peer that disappears (power loss, lost route) is detected within 30 s,
/// or within `--send-timeout` if that is longer.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(15);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_PROBES: u32 = 3;

/// So many connections leave memory behind that is worth giving back, once most of them have gone. Each time three of
/// four have gone since the last time, so that it costs little for each.
const CROWD: usize = 256;

/// How long to wait when the kernel has no descriptor or memory for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Binds `address`, ready to be served.
///
/// # Errors
/// The error of the kernel, with the address and the next step.
pub async fn bind(address: SocketAddr, flag: &str) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address).await.map_err(|error| {
        let advice = match error.kind() {
            io::ErrorKind::PermissionDenied if address.port() < 1024 => {
                "; a port below 1024 needs root or CAP_NET_BIND_SERVICE"
            }
            _ => "",
        };
        io::Error::new(error.kind(), format!("cannot bind {address}: {error}{advice}; choose another with {flag}"))
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

/// Has the kernel give up a connection whose other side has acknowledged nothing for `limit` and a little more; it
/// would try for a quarter of an hour. It counts a reader that takes nothing too, so that without a limit for those
/// there is none here; and it gives up without a word to the other side, so that the stream's own limit has to come
/// first.
fn set_send_timeout(listener: &TcpListener, limit: Option<Duration>) {
    let milliseconds =
        limit.map_or(0, |limit| u32::try_from((limit + KEEPALIVE_INTERVAL).as_millis()).unwrap_or(u32::MAX));
    if let Err(error) = sockopt::set_tcp_user_timeout(listener, milliseconds) {
        tracing::warn!("cannot set a time limit for lost connections: {error}");
    }
}

/// Serves until told to stop and everything in flight has ended. With `metrics` the metrics page has a listener of
/// its own. `others` are front doors beside this one; their calls are waited for as those of connections are.
pub async fn serve(
    server: Arc<Server>,
    listener: TcpListener,
    metrics: Option<TcpListener>,
    stop: watch::Receiver<Stop>,
    others: JoinSet<()>,
) {
    let service = &server.service;
    set_send_timeout(&listener, service.context().settings.timeouts.send);
    let mut connections = others;
    let metrics = tokio::spawn(serve_metrics(Arc::clone(&server), metrics));
    let timer = tokio::spawn({
        let server = Arc::clone(&server);
        async move { server.disconnects.run().await }
    });
    service.begin();
    accept(&server, &listener, &mut connections, stop.clone()).await;
    // From here on the kernel refuses connections.
    drop(listener);
    drain(service, connections, stop).await;
    timer.abort();
    metrics.abort();
}

/// The same connection where it does not hold up the start of functions.
fn out_of_the_way(stream: TcpStream) -> io::Result<TcpStream> {
    if !process::should_move_high(stream.as_fd()) {
        return Ok(stream);
    }
    let socket = process::move_high(stream.into_std()?.into());
    TcpStream::from_std(socket.into())
}

/// Takes connections until told to stop.
async fn accept(
    server: &Arc<Server>,
    listener: &TcpListener,
    connections: &mut JoinSet<()>,
    stop: watch::Receiver<Stop>,
) {
    let mut delay = pin!(until_stopped(server, stop));
    // The most connections since memory was given back.
    let mut most = 0;
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => match out_of_the_way(stream) {
                    Ok(stream) => {
                        connections.spawn(connection::serve(Arc::clone(server), stream));
                        most = most.max(connections.len());
                    }
                    Err(error) => accept_failed(&error).await,
                },
                Err(error) => accept_failed(&error).await,
            },
            // Ended connections are forgotten as they end.
            Some(_) = connections.join_next() => {
                if most >= CROWD && connections.len() <= most / 4 {
                    give_back_heap();
                    most = connections.len();
                }
            }
            () = &mut delay => return,
        }
    }
}

/// Ends when nothing new is to be accepted any more.
async fn until_stopped(server: &Server, mut stop: watch::Receiver<Stop>) {
    // The caller keeps the sender; without it only the end of the process can stop this.
    if stop.wait_for(|stop| *stop > Stop::No).await.is_err() {
        std::future::pending::<()>().await;
    }
    server.service.context().lifecycle.enter(Phase::Leaving);
    server.lock_file.as_ref().into_iter().for_each(LockFile::remove);
    let delay = server.settings.shutdown_delay;
    if !delay.is_zero() {
        let seconds = delay.as_secs_f64();
        tracing::info!(seconds, "told to stop; still accepting for a while");
        tokio::select! {
            () = sleep(delay) => {}
            () = stopped_now(&mut stop) => {}
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
                        let service = service_fn(|request| {
                            let server = &server;
                            async move { Ok::<_, Infallible>(handler::handle_metrics(server, &request).await) }
                        });
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
