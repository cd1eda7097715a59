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

use super::{gate::Refusal, upstream::Tunnel};

/// Between two looks at a client that hyper does not look at.
const GLANCE: Duration = Duration::from_millis(250);

/// Bytes of answers to SETTINGS and PING between two looks; who takes more than that takes an answer.
const FRAMES: u64 = 1024;

/// Tells everybody who waits on a client that it is time to look. One timer for all of them: each new one costs the
/// network thread two system calls.
#[derive(Debug, Default)]
pub(super) struct Glances {
    /// Somebody waits.
    wanted: Notify,
    time: Notify,
}

impl Glances {
    /// Tells the time, for as long as somebody asks for it.
    pub(super) async fn tell(&self) {
        loop {
            self.wanted.notified().await;
            sleep(GLANCE).await;
            self.time.notify_waiters();
        }
    }

    async fn next(&self) {
        let time = self.time.notified();
        self.wanted.notify_one();
        time.await;
    }
}

/// A connection. Everything that touches it is on the network thread, so that no lock of it is ever waited for.
#[derive(Debug)]
pub(super) struct Link {
    socket: Mutex<TcpStream>,
    /// Exchanges under way.
    busy: AtomicUsize,
    /// The last write found no room, and hyper waits with the rest. hyper lets go of an answer's body when it has the
    /// last piece in its own buffer: only here can be seen that a slow reader has yet to take it.
    blocked: AtomicBool,
    /// All that has come was taken and let through, and more was asked for since the last write.
    listening: AtomicBool,
    /// Bytes that the socket has taken.
    sent: AtomicU64,
    /// An answer is under way whose end is the end of the connection.
    endless: AtomicBool,
    /// Nothing follows what is being answered.
    last: AtomicBool,
    /// hyper has been told to take no more requests.
    closing: AtomicBool,
    /// Why the request that comes next is not one.
    refusal: Mutex<Option<Refusal>>,
    /// The connection has changed over to another protocol.
    is_tunnel: AtomicBool,
    /// What follows then, once hyper has let go of the socket.
    tunnel: Mutex<Option<Tunnel>>,
    /// How long the client may take nothing of what is sent (`--send-timeout`).
    pub(super) send_timeout: Option<Duration>,
}

impl Link {
    pub(super) fn new(socket: TcpStream, send_timeout: Option<Duration>) -> Self {
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
        }
    }

    /// Does something with the socket.
    pub(super) fn with<T>(&self, act: impl FnOnce(Pin<&mut TcpStream>) -> T) -> T {
        act(Pin::new(&mut lock(&self.socket)))
    }

    /// An exchange begins; it ends with [`Link::leave`].
    pub(super) fn enter(&self) {
        self.busy.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn leave(&self) {
        self.busy.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether the client is owed something.
    pub(super) fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed) > 0 || self.blocked.load(Ordering::Relaxed)
    }

    /// Whether nothing is owed to anybody: every request has its whole answer, of the next one nothing has come, and
    /// hyper, which has seen to all of that, waits for it. To be asked when hyper has nothing more to do.
    pub(super) fn is_at_rest(&self) -> bool {
        self.listening.load(Ordering::Relaxed) && !self.is_busy()
    }

    /// The connection ends with the answer that is being sent: it is not whole, though what frames it is.
    pub(super) fn end_after_this(&self) {
        self.last.store(true, Ordering::Relaxed);
    }

    /// Whether hyper has yet to be told that.
    pub(super) fn is_to_end(&self) -> bool {
        self.last.load(Ordering::Relaxed) && !self.is_closing()
    }

    /// hyper is told to take no more requests.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// Whether no more requests are taken.
    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    /// hyper asks for a head and there is nothing of one; or it reads, writes or ends the connection.
    pub(super) fn set_listening(&self, listening: bool) {
        self.listening.store(listening, Ordering::Relaxed);
    }

    /// Ends when there is something to read, or the client has hung up.
    pub(super) async fn readable(&self) {
        // An error is found by who reads.
        let _ = poll_fn(|context| self.with(|socket| socket.poll_read_ready(context))).await;
    }

    pub(super) fn add_sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Ends when for `limit` no request was under way, and the client has taken no more than frames about frames.
    pub(super) async fn idle(&self, limit: Duration) {
        let (mut since, mut before) = (Instant::now(), 0);
        while since.elapsed() < limit {
            sleep(limit / 4).await;
            let sent = self.sent.load(Ordering::Relaxed);
            if self.busy.load(Ordering::Relaxed) > 0 || sent - before > FRAMES {
                since = Instant::now();
            }
            before = sent;
        }
    }

    pub(super) fn set_blocked(&self, blocked: bool) {
        self.blocked.store(blocked, Ordering::Relaxed);
    }

    /// What comes next is refused.
    pub(super) fn refuse(&self, refusal: Refusal) {
        *lock(&self.refusal) = Some(refusal);
    }

    /// Why the request that has just come is not one, if it is not.
    pub(super) fn take_refusal(&self) -> Option<Refusal> {
        lock(&self.refusal).take()
    }

    /// The last answer changes the connection over: what comes from now on is not HTTP.
    pub(super) fn change_over(&self, tunnel: Tunnel) {
        *lock(&self.tunnel) = Some(tunnel);
        self.is_tunnel.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_tunnel(&self) -> bool {
        self.is_tunnel.load(Ordering::Relaxed)
    }

    pub(super) fn take_tunnel(&self) -> Option<Tunnel> {
        lock(&self.tunnel).take()
    }

    /// The client's address.
    pub(super) fn peer(&self) -> Option<IpAddr> {
        self.with(|socket| socket.peer_addr()).ok().map(|address| address.ip().to_canonical())
    }

    /// From here on the connection ends with a reset, whatever ends it, but for [`Link::end_is_the_end`]: the end of
    /// the connection is the end of the answer, and a short one must not look whole.
    pub(super) fn end_is_not_the_end(&self) {
        if self.with(|socket| set_socket_linger(&*socket, Some(Duration::ZERO))).is_ok() {
            self.endless.store(true, Ordering::Relaxed);
        }
    }

    /// All has been written.
    pub(super) fn end_is_the_end(&self) -> io::Result<()> {
        if self.endless.swap(false, Ordering::Relaxed) {
            self.with(|socket| set_socket_linger(&*socket, None))?;
        }
        Ok(())
    }

    /// Whether the client has hung up, also if what it sent before has not been read. hyper sees it only when it
    /// reads. Costs no system call: epoll(7) has said so.
    fn is_gone(&self) -> bool {
        let socket = lock(&self.socket);
        let look = pin!(socket.ready(Interest::READABLE));
        match look.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(ready)) => ready.is_read_closed(),
            Poll::Ready(Err(_)) => true,
            Poll::Pending => false,
        }
    }

    /// Waits until the client has hung up. A client that has just done so may still get an answer that is quick.
    pub(super) async fn gone(&self, glances: &Glances) {
        loop {
            glances.next().await;
            if self.is_gone() {
                return;
            }
        }
    }
}

/// A poisoned lock guards state that every holder leaves whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
