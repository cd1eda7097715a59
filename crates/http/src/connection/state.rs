//! One connection, as its requests see it: whether the client is still there, and what becomes of the socket.

use std::{
    future::poll_fn,
    io,
    net::IpAddr,
    pin::{Pin, pin},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use rustix::net::sockopt::set_socket_linger;
use tokio::{
    io::Interest,
    net::TcpStream,
    sync::Notify,
    time::{Instant, sleep},
};

use super::strict::HeadRefusal;
use crate::service::{Responder, Tunnel};

/// The interval at which clients are looked at while hyper does not read from them.
const INTERVAL: Duration = Duration::from_millis(250);

/// Bytes of replies to SETTINGS and PING in one interval; a client that takes more takes a response.
const CONTROL: u64 = 1024;

/// Wakes all requests that look whether their client has hung up. One timer serves all of them: each new one costs the
/// network thread two system calls.
#[derive(Debug, Default)]
pub(crate) struct DisconnectTimer {
    /// A request waits.
    wanted: Notify,
    time: Notify,
}

impl DisconnectTimer {
    /// Wakes the requests that wait, again and again. It runs for as long as there are connections.
    pub(crate) async fn run(&self) {
        loop {
            self.wanted.notified().await;
            sleep(INTERVAL).await;
            self.time.notify_waiters();
        }
    }

    /// Resolves at the next look.
    pub(super) async fn next(&self) {
        let time = self.time.notified();
        self.wanted.notify_one();
        time.await;
    }
}

/// The state of a connection. It is used on the network thread alone, so that no lock of it is ever waited for.
#[derive(Debug)]
pub(crate) struct ConnectionState {
    socket: Mutex<TcpStream>,
    /// Requests that are being answered.
    busy: AtomicUsize,
    /// The last write found no room, and hyper waits with the rest. hyper drops a response's body when it has the last frame
    /// in its own buffer: only this tells that a slow reader has yet to take it.
    blocked: AtomicBool,
    /// All bytes that have arrived were let through, and hyper has asked for more since the last write.
    listening: AtomicBool,
    /// Bytes that the socket has taken.
    sent: AtomicU64,
    /// A response is being sent whose end is the end of the connection.
    endless: AtomicBool,
    /// The response that is being sent is the last one.
    last: AtomicBool,
    /// hyper has been told to take no more requests.
    closing: AtomicBool,
    /// Why the head of the next request was refused.
    refusal: Mutex<Option<HeadRefusal>>,
    /// The connection has changed over to another protocol.
    is_tunnel: AtomicBool,
    /// The tunnel that follows, once hyper has let go of the socket.
    tunnel: Mutex<Option<Tunnel>>,
    /// How long the client may take nothing of what is sent (`--send-timeout`).
    send_timeout: Option<Duration>,
    /// Over HTTP/1, when the response that is being sent has to be over.
    deadline: Mutex<Option<Instant>>,
    is_http2: bool,
}

impl ConnectionState {
    pub(super) fn new(socket: TcpStream, send_timeout: Option<Duration>, is_http2: bool) -> Self {
        Self {
            socket: Mutex::new(socket),
            busy: AtomicUsize::new(0),
            blocked: AtomicBool::new(false),
            listening: AtomicBool::new(false),
            sent: AtomicU64::new(0),
            endless: AtomicBool::new(false),
            last: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            refusal: Mutex::new(None),
            is_tunnel: AtomicBool::new(false),
            tunnel: Mutex::new(None),
            send_timeout,
            deadline: Mutex::new(None),
            is_http2,
        }
    }

    /// Does something with the socket.
    pub(super) fn with<T>(&self, act: impl FnOnce(Pin<&mut TcpStream>) -> T) -> T {
        act(Pin::new(&mut lock(&self.socket)))
    }

    /// A request begins; it ends with [`ConnectionState::leave`].
    pub(crate) fn enter(&self) {
        self.busy.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn leave(&self) {
        self.busy.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether the client waits for a response, or for the rest of one.
    pub(super) fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed) > 0 || self.blocked.load(Ordering::Relaxed)
    }

    /// Whether every request has its whole response, nothing of the next one has arrived, and hyper waits for it. To be
    /// asked when hyper has nothing more to do.
    pub(super) fn is_idle(&self) -> bool {
        self.listening.load(Ordering::Relaxed) && !self.is_busy()
    }

    /// Ends the connection with the response that is being sent: it is not whole, though its framing is.
    pub(crate) fn end_after_this(&self) {
        self.last.store(true, Ordering::Relaxed);
    }

    /// Whether hyper has yet to be told that.
    pub(super) fn is_to_end(&self) -> bool {
        self.last.load(Ordering::Relaxed) && !self.is_closing()
    }

    /// Takes no more requests; hyper is told the same.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// Whether no more requests are taken.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    /// `true` when hyper asks for a head and nothing of one has arrived; `false` when it reads, writes or ends.
    pub(super) fn set_listening(&self, listening: bool) {
        self.listening.store(listening, Ordering::Relaxed);
    }

    /// Resolves when there is something to read, or the client has hung up.
    pub(super) async fn readable(&self) {
        // An error is found by the next read.
        let _ = poll_fn(|context| self.with(|socket| socket.poll_read_ready(context))).await;
    }

    /// Bytes that the socket has taken.
    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    pub(super) fn add_sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Resolves when for `limit` no request was being answered, and the client took no more than control frames; never
    /// without a limit.
    pub(super) async fn unused_for(&self, limit: Option<Duration>) {
        let Some(limit) = limit else { return std::future::pending().await };
        let (mut since, mut before) = (Instant::now(), 0);
        while since.elapsed() < limit {
            sleep(limit / 4).await;
            let sent = self.sent();
            if self.busy.load(Ordering::Relaxed) > 0 || sent - before > CONTROL {
                since = Instant::now();
            }
            before = sent;
        }
    }

    /// The next response over HTTP/1 has to be over by `deadline`.
    pub(crate) fn set_deadline(&self, deadline: Option<Instant>) {
        *lock(&self.deadline) = deadline;
    }

    /// How long the client may take nothing from now on: the send timeout, or what is left of the response's time.
    pub(super) fn patience(&self) -> Option<Duration> {
        let left = lock(&self.deadline).map(|deadline| deadline.saturating_duration_since(Instant::now()));
        self.send_timeout.into_iter().chain(left).min()
    }

    /// Whether the time of the response is over.
    pub(super) fn is_overdue(&self) -> bool {
        lock(&self.deadline).is_some_and(|deadline| deadline <= Instant::now())
    }

    pub(super) fn set_blocked(&self, blocked: bool) {
        self.blocked.store(blocked, Ordering::Relaxed);
    }

    /// Refuses the next request.
    pub(super) fn refuse(&self, refusal: HeadRefusal) {
        *lock(&self.refusal) = Some(refusal);
    }

    /// Why the request that has just begun was refused, if it was.
    pub(super) fn take_refusal(&self) -> Option<HeadRefusal> {
        lock(&self.refusal).take()
    }

    pub(super) fn is_tunnel(&self) -> bool {
        self.is_tunnel.load(Ordering::Relaxed)
    }

    pub(super) fn take_tunnel(&self) -> Option<Tunnel> {
        lock(&self.tunnel).take()
    }

    /// Sets SO_LINGER to 0: unless [`ConnectionState::close_cleanly`] runs first, closing sends RST, so that an HTTP/1.0 client
    /// cannot take a truncated body for a complete one.
    pub(crate) fn reset_on_close(&self) {
        if self.with(|socket| set_socket_linger(&*socket, Some(Duration::ZERO))).is_ok() {
            self.endless.store(true, Ordering::Relaxed);
        }
    }

    /// Closes the connection as usual: all has been written.
    pub(super) fn close_cleanly(&self) -> io::Result<()> {
        if self.endless.swap(false, Ordering::Relaxed) {
            self.with(|socket| set_socket_linger(&*socket, None))?;
        }
        Ok(())
    }

    /// Whether the client has hung up, even if bytes that it sent before have not been read. hyper sees it only when it
    /// reads. Costs no system call: epoll(7) has told the runtime.
    fn is_disconnected(&self) -> bool {
        let socket = lock(&self.socket);
        let look = pin!(socket.ready(Interest::READABLE));
        match look.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(ready)) => ready.is_read_closed(),
            Poll::Ready(Err(_)) => true,
            Poll::Pending => false,
        }
    }

    /// Resolves when the client has hung up. A client that has just done so may still get a quick response.
    pub(crate) async fn disconnected(&self, timer: &DisconnectTimer) {
        loop {
            timer.next().await;
            if self.is_disconnected() {
                return;
            }
        }
    }
}

impl Responder for ConnectionState {
    fn is_multiplexed(&self) -> bool {
        self.is_http2
    }

    fn peer(&self) -> Option<IpAddr> {
        self.with(|socket| socket.peer_addr()).ok().map(|address| address.ip().to_canonical())
    }

    /// The bytes that follow are not HTTP.
    fn switch_protocols(&self, tunnel: Tunnel) {
        *lock(&self.tunnel) = Some(tunnel);
        self.is_tunnel.store(true, Ordering::Relaxed);
    }
}

/// A poisoned lock guards state that every holder leaves whole.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
