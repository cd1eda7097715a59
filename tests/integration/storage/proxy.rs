//! A proxy between bandog and a store, which does to each request what the test says. Each request has a connection of its
//! own: the proxy asks the store to close it, in a field that is not signed.

use std::{
    io::{self, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use rustix::event::{PollFd, PollFlags, poll};

use crate::harness::PATIENCE;

/// Bytes of the largest head of a request that bandog sends.
const HEAD_LIMIT: usize = 16 * 1024;

/// The fate of a request.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    /// None.
    Pass,
    /// The connection is reset before a byte of the response.
    Reset,
    /// The store gets the request, and its response is lost.
    Lose,
    /// So many bytes of the request's body reach the store, which then sees the end of the connection; so does bandog.
    CutRequest(u64),
    /// So many bytes of the response reach bandog, its head included; then the connection ends as usual.
    CutResponse(u64),
    /// The same, and then the connection is reset.
    ResetResponse(u64),
    /// The proxy answers itself, before it has read the body.
    Answer(String),
    /// So many bytes of the request's body reach the store, and none after that until the gate is open.
    HoldRequest(u64, Gate),
    /// So many bytes of the response reach bandog, and none after that until the gate is open.
    HoldResponse(u64, Gate),
}

impl Fault {
    /// 503, with fields that end with a line end each.
    pub(super) fn busy(fields: &str) -> Self {
        Self::Answer(format!("HTTP/1.1 503 Slow Down\r\n{fields}Content-Length: 0\r\nConnection: close\r\n\r\n"))
    }
}

/// A place where a transfer waits.
#[derive(Debug, Clone, Default)]
pub(super) struct Gate(Arc<(Mutex<GateState>, Condvar)>);

#[derive(Debug, Default)]
struct GateState {
    is_reached: bool,
    is_open: bool,
    /// Whether bandog has gone away while it was waited for.
    is_left: bool,
}

impl Gate {
    /// Lets go on what waits here, now and later.
    pub(super) fn open(&self) {
        self.change(|state| state.is_open = true);
    }

    /// Waits until a transfer waits here.
    #[track_caller]
    pub(super) fn until_reached(&self) {
        self.until("a transfer at the gate", |state| state.is_reached);
    }

    /// Waits until bandog has closed a connection that waits here.
    #[track_caller]
    pub(super) fn until_left(&self) {
        self.until("the end of a connection at the gate", |state| state.is_left);
    }

    fn change(&self, change: impl FnOnce(&mut GateState)) {
        change(&mut self.0.0.lock().unwrap_or_else(PoisonError::into_inner));
        self.0.1.notify_all();
    }

    #[track_caller]
    fn until(&self, what: &str, is_met: impl Fn(&GateState) -> bool) {
        let state = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.0.1.wait_timeout_while(state, PATIENCE, |state| !is_met(state));
        let waited = waited.unwrap_or_else(PoisonError::into_inner).1;
        assert!(!waited.timed_out(), "waited {PATIENCE:?} in vain: {what}");
    }

    /// Tells that a transfer waits here.
    fn reach(&self) {
        self.change(|state| state.is_reached = true);
    }

    /// Holds a transfer until the gate is open.
    ///
    /// # Errors
    /// bandog has gone away before that.
    fn hold(&self, client: &TcpStream) -> io::Result<()> {
        let watched = client.try_clone().expect("a descriptor");
        let gate = self.clone();
        thread::spawn(move || {
            let mut end = [PollFd::new(&watched, PollFlags::RDHUP)];
            if poll(&mut end, None).is_ok() {
                gate.change(|state| state.is_left = true);
            }
        });
        let state = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.0.1.wait_while(state, |state| !state.is_open && !state.is_left);
        let is_open = waited.unwrap_or_else(PoisonError::into_inner).is_open;
        if is_open { Ok(()) } else { Err(io::ErrorKind::ConnectionAborted.into()) }
    }
}

/// Returns the fault for a request, of which it gets method and target, and how many like it came before.
type Plan = dyn Fn(&str, usize) -> Fault + Send + Sync;

/// The proxy. It accepts nothing more when it is dropped.
pub(super) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    store: SocketAddr,
    plan: Box<Plan>,
    seen: Mutex<Vec<String>>,
    is_over: AtomicBool,
}

impl Proxy {
    /// A proxy in front of the store at `http://ADDRESS`.
    pub(super) fn start(store: &str, plan: impl Fn(&str, usize) -> Fault + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let store = store.strip_prefix("http://").and_then(|store| store.parse().ok());
        let store = store.unwrap_or_else(|| panic!("no address of a store: {store:?}"));
        let shared =
            Arc::new(Shared { store, plan: Box::new(plan), seen: Mutex::default(), is_over: AtomicBool::new(false) });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                if accepting.is_over.load(Ordering::Relaxed) {
                    return;
                }
                let shared = Arc::clone(&accepting);
                // An error is the end of one of the two connections, which ends the other.
                thread::spawn(move || shared.relay(&client));
            }
        });
        Self { address, shared }
    }

    /// Its address, in place of that of the store.
    pub(super) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Method and target of the requests so far.
    pub(super) fn seen(&self) -> Vec<String> {
        self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
    }
}

impl Shared {
    fn relay(&self, client: &TcpStream) -> io::Result<()> {
        let (head, body) = read_head(client)?;
        let line = head.lines().next().unwrap_or_default();
        let line = line.strip_suffix(" HTTP/1.1").unwrap_or(line).to_owned();
        let number = {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let number = seen.iter().filter(|other| **other == line).count();
            seen.push(line.clone());
            number
        };
        let fault = (self.plan)(&line, number);
        match &fault {
            Fault::Reset => return reset(client),
            Fault::Answer(answer) => {
                (&mut &*client).write_all(answer.as_bytes())?;
                client.shutdown(Shutdown::Write)?;
                // A reset would discard the answer with what bandog still sends.
                return io::copy(&mut &*client, &mut io::sink()).map(drop);
            }
            _ => {}
        }
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
        let length: u64 = length.unwrap_or(0);
        let store = TcpStream::connect(self.store)?;
        let head = head.strip_suffix("\r\n").unwrap_or(&head);
        (&store).write_all(format!("{head}Connection: close\r\n\r\n").as_bytes())?;
        thread::scope(|scope| {
            scope.spawn(|| {
                let sent = send(client, &store, &body, length, &fault);
                // The request has a length, so that the store need not see its end.
                if sent.is_err() {
                    let _ = store.shutdown(Shutdown::Both);
                    let _ = client.shutdown(Shutdown::Both);
                }
            });
            let ended = receive(client, &store, &fault);
            // Before RST there must be no FIN.
            let is_reset = matches!(fault, Fault::Lose | Fault::ResetResponse(_));
            let _ = client.shutdown(if is_reset { Shutdown::Read } else { Shutdown::Both });
            let _ = store.shutdown(Shutdown::Both);
            ended
        })
    }
}

/// Reads the head of a request, and what has arrived of its body.
fn read_head(mut client: &TcpStream) -> io::Result<(String, Vec<u8>)> {
    let mut read = Vec::new();
    let mut piece = [0; 4096];
    loop {
        if let Some(end) = memchr::memmem::find(&read, b"\r\n\r\n") {
            let body = read.split_off(end + 4);
            return Ok((String::from_utf8(read).map_err(io::Error::other)?, body));
        }
        let count = client.read(&mut piece)?;
        if count == 0 || read.len() > HEAD_LIMIT {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        read.extend_from_slice(&piece[..count]);
    }
}

/// Relays the body of a request, which has so many bytes.
fn send(client: &TcpStream, mut store: &TcpStream, begun: &[u8], length: u64, fault: &Fault) -> io::Result<()> {
    let (limit, gate) = match fault {
        Fault::CutRequest(bytes) => (*bytes, None),
        Fault::HoldRequest(bytes, gate) => (*bytes, Some(gate)),
        _ => (u64::MAX, None),
    };
    let mut body = begun.chain(client).take(length);
    io::copy(&mut (&mut body).take(limit), &mut store)?;
    let Some(gate) = gate else {
        return if limit < u64::MAX { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) };
    };
    gate.reach();
    // The end of a connection is seen once all that was sent before is read.
    let mut rest = Vec::new();
    body.read_to_end(&mut rest)?;
    gate.hold(client)?;
    store.write_all(&rest)
}

/// Relays a response.
fn receive(mut client: &TcpStream, mut store: &TcpStream, fault: &Fault) -> io::Result<()> {
    let (limit, gate) = match fault {
        Fault::CutResponse(bytes) | Fault::ResetResponse(bytes) => (*bytes, None),
        Fault::HoldResponse(bytes, gate) => (*bytes, Some(gate)),
        Fault::Lose => {
            // The whole of it, since the store may store what it has only then.
            io::copy(&mut store, &mut io::sink())?;
            return reset(client);
        }
        _ => (u64::MAX, None),
    };
    io::copy(&mut store.take(limit), &mut client)?;
    if let Some(gate) = gate {
        gate.reach();
        gate.hold(client)?;
        io::copy(&mut store, &mut client)?;
    }
    if matches!(fault, Fault::ResetResponse(_)) { reset(client) } else { Ok(()) }
}

/// Has the connection end with RST: SO_LINGER with 0 seconds.
fn reset(client: &TcpStream) -> io::Result<()> {
    rustix::net::sockopt::set_socket_linger(client, Some(std::time::Duration::ZERO)).map_err(io::Error::from)
}
