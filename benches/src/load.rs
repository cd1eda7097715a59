//! The load generator: closed-loop clients on connections that are kept open, all on one thread.
//!
//! One thread with epoll(7) takes less of the machine than a thread for each client would, and what it takes is
//! measured (`Outcome::busy`). Every answer is compared with the one that is right, so that no contender is quick by
//! failing.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use rustix::{
    event::epoll,
    time::{ClockId, clock_gettime},
};

use crate::answer::Answer;

/// How long one answer may take.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A request, and the answer that must come back.
#[derive(Clone)]
pub struct Load {
    pub address: SocketAddr,
    /// A whole request.
    pub request: Vec<u8>,
    /// The body that every answer must have.
    pub answer: Vec<u8>,
}

/// How long to measure.
#[derive(Clone, Copy)]
pub struct Window {
    /// Time before the answers count, so that what is counted is a steady state.
    pub warm: Duration,
    /// Time in which the answers count.
    pub span: Duration,
}

/// The result of one window.
pub struct Outcome {
    /// Answers a second.
    pub rate: f64,
    /// How long each of them took, sorted.
    pub times: Vec<Duration>,
    /// The generator's own share of one processor, 0 to 1.
    pub busy: f64,
}

impl Outcome {
    /// The time that `part` (0 to 1) of the answers did not exceed, in µs.
    pub fn quantile(&self, part: f64) -> f64 {
        quantile(&self.times, part)
    }
}

/// The time that `part` (0 to 1) of these sorted times do not exceed, in µs; 0 if there are none.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
pub fn quantile(sorted: &[Duration], part: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * part).round() as usize).map_or(0.0, |time| time.as_secs_f64() * 1e6)
}

/// One client.
struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    sent: Instant,
}

impl Connection {
    fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| format!("no connection to {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream, buffer: Vec::with_capacity(4096), sent: Instant::now() })
    }

    fn send(&mut self, request: &[u8]) -> anyhow::Result<()> {
        self.sent = Instant::now();
        self.stream.write_all(request).context("a request could not be sent")
    }

    /// Returns the answer, once it is whole.
    fn receive(&mut self) -> anyhow::Result<Option<Answer>> {
        let mut piece = [0; 4096];
        let count = match self.stream.read(&mut piece) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => bail!("no answer in {PATIENCE:?}"),
            Err(error) => return Err(error).context("an answer could not be read"),
        };
        self.buffer.extend_from_slice(&piece[..count]);
        let answer = Answer::read(&self.buffer, count == 0)?;
        if let Some(answer) = &answer {
            ensure!(answer.length == self.buffer.len(), "bytes follow an answer that nobody asked for");
            self.buffer.clear();
        }
        Ok(answer)
    }
}

impl Load {
    /// A request with this body to this path, and the body that must come back.
    pub fn post(address: SocketAddr, path: &str, content_type: &str, body: &[u8], answer: &[u8]) -> Self {
        let mut request = format!(
            "POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        Self { address, request, answer: answer.to_vec() }
    }

    /// One request on a connection of its own; the answer whatever it is.
    pub fn once(&self) -> anyhow::Result<Answer> {
        let mut connection = Connection::open(self.address)?;
        connection.send(&self.request)?;
        loop {
            if let Some(answer) = connection.receive()? {
                return Ok(answer);
            }
        }
    }

    /// One request, whose answer must be right.
    pub fn check(&self) -> anyhow::Result<()> {
        self.judge(&self.once()?)
    }

    fn judge(&self, answer: &Answer) -> anyhow::Result<()> {
        let (status, expected) = (answer.status, &self.answer);
        ensure!(status == 200, "status {status}, not 200: {}", String::from_utf8_lossy(&answer.body));
        ensure!(answer.body == *expected, "the answer is {:?}, not {:?}", text(&answer.body), text(expected));
        Ok(())
    }

    /// So many clients, each of which asks again as soon as it has its answer.
    pub fn run(&self, clients: usize, window: Window) -> anyhow::Result<Outcome> {
        let ready = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let watch = |connection: &Connection, index: usize| {
            epoll::add(&ready, &connection.stream, epoll::EventData::new_u64(index as u64), epoll::EventFlags::IN)
        };
        let mut connections =
            (0..clients).map(|_| Connection::open(self.address)).collect::<anyhow::Result<Vec<_>>>()?;
        for (index, connection) in connections.iter().enumerate() {
            watch(connection, index)?;
        }
        let (from, until) = {
            let from = Instant::now() + window.warm;
            (from, from + window.span)
        };
        for connection in &mut connections {
            connection.send(&self.request)?;
        }
        let (mut times, mut asking, mut began) = (Vec::new(), clients, None);
        let mut events = Vec::with_capacity(clients);
        let mut busy = 0.0;
        let patience = rustix::time::Timespec { tv_sec: PATIENCE.as_secs().cast_signed(), tv_nsec: 0 };
        while asking > 0 {
            events.clear();
            if clients == 1 {
                // A single client may as well wait in read(2).
                events.push(0);
            } else {
                let mut woken = [const { std::mem::MaybeUninit::uninit() }; 64];
                let (woken, _) = epoll::wait(&ready, &mut woken, Some(&patience))?;
                ensure!(!woken.is_empty(), "no answer in {PATIENCE:?}");
                events.extend(woken.iter().map(|event| event.data.u64()));
            }
            for index in &events {
                let index = usize::try_from(*index)?;
                let connection = &mut connections[index];
                let Some(answer) = connection.receive()? else { continue };
                let now = Instant::now();
                self.judge(&answer)?;
                if now >= from && began.is_none() {
                    began = Some(spent());
                }
                if now >= until {
                    asking -= 1;
                    if let Some(began) = began.filter(|_| busy == 0.0) {
                        busy = (spent() - began) / window.span.as_secs_f64();
                    }
                    continue;
                }
                if now >= from {
                    times.push(now - connection.sent);
                }
                if answer.closes {
                    // Closing the old one takes it off the watch.
                    *connection = Connection::open(self.address)?;
                    watch(connection, index)?;
                }
                connection.send(&self.request)?;
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "a count of requests is far below 2^52")]
        let rate = times.len() as f64 / window.span.as_secs_f64();
        times.sort();
        Ok(Outcome { rate, times, busy })
    }
}

/// Seconds of processor time that this thread has had.
fn spent() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    #[expect(clippy::cast_precision_loss, reason = "seconds and nanoseconds of a short life")]
    let seconds = time.tv_sec as f64 + time.tv_nsec as f64 / 1e9;
    seconds
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
