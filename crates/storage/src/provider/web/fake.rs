//! A server whose every answer a test decides.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use crate::http::Endpoint;

/// Bytes of a head, at most.
const HEAD: usize = 64 * 1024;

/// A request that has arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// The method.
    pub(crate) method: String,
    /// The path and query.
    pub(crate) target: String,
    /// The header fields, with their names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// The body, if it was read.
    pub(crate) body: Vec<u8>,
}

impl Seen {
    /// A header field.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The method and the target.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    bytes: Vec<u8>,
    end: End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Keep,
    Close,
}

impl Reply {
    /// An answer with a body and its length.
    pub(crate) fn new(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let mut head = format!("HTTP/1.1 {status} x\r\n").into_bytes();
        for (name, value) in headers {
            head.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length")) {
            head.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
        }
        let bytes = [&head, &b"\r\n"[..], body].concat();
        Self { bytes, end: End::Keep }
    }

    /// These bytes, and then the end of the connection.
    pub(crate) fn raw(bytes: impl AsRef<[u8]>) -> Self {
        Self { bytes: bytes.as_ref().to_vec(), end: End::Close }
    }

    /// The end of the connection.
    pub(crate) fn cut() -> Self {
        Self::raw("")
    }

    /// The same answer without its last `bytes`, and then the end of the connection.
    pub(crate) fn without(mut self, bytes: usize) -> Self {
        self.bytes.truncate(self.bytes.len() - bytes);
        Self { end: End::Close, ..self }
    }
}

type Answering = dyn Fn(&Seen) -> Reply + Send + Sync;

/// A server on the loopback interface. It ends when it is dropped.
pub(crate) struct Fake {
    port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
    is_over: Arc<AtomicBool>,
}

impl Fake {
    /// Starts a server that answers each request with the reply of `answer`.
    pub(crate) fn start(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (seen, is_over) = (Arc::<Mutex<Vec<Seen>>>::default(), Arc::<AtomicBool>::default());
        let answer: Arc<Answering> = Arc::new(answer);
        let (all, over) = (Arc::clone(&seen), Arc::clone(&is_over));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let (all, answer) = (Arc::clone(&all), Arc::clone(&answer));
                thread::spawn(move || serve(stream, &all, &*answer));
            }
        });
        Self { port, seen, is_over }
    }

    /// Its address.
    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint::parse(&self.url()).expect("an address")
    }

    /// Its address as text.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The requests that have arrived.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("no panic").clone()
    }

    /// Their methods and targets.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.seen().iter().map(Seen::line).collect()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn serve(mut stream: TcpStream, all: &Mutex<Vec<Seen>>, answer: &Answering) {
    let mut buffer = Vec::new();
    while let Some(request) = receive(&mut stream, &mut buffer) {
        all.lock().expect("no panic").push(request.clone());
        let reply = answer(&request);
        if stream.write_all(&reply.bytes).is_err() {
            return;
        }
        if reply.end == End::Close {
            let _ = stream.shutdown(Shutdown::Write);
            return;
        }
    }
}

/// Reads a request; the bytes after it stay in `buffer`.
fn receive(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Seen> {
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        if buffer.len() > HEAD || !more(stream, buffer) {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
    buffer.drain(..end + 4);
    let mut lines = head.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let field = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    let headers: Vec<(String, String)> = lines.filter_map(field).collect();
    let mut seen = Seen { method, target, headers, body: Vec::new() };
    let length = seen.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    while buffer.len() < length {
        if !more(stream, buffer) {
            return None;
        }
    }
    seen.body = buffer.drain(..length).collect();
    Some(seen)
}

fn more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> bool {
    let mut piece = vec![0; 64 * 1024];
    match stream.read(&mut piece) {
        Ok(count) if count > 0 => {
            buffer.extend_from_slice(&piece[..count]);
            true
        }
        _ => false,
    }
}
