//! A server on loopback that keeps objects, and does something else where the test says so.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use percent_encoding::percent_decode_str;

use crate::{
    http::Endpoint,
    provider::s3::{digest::md5_of, sign::hex},
};

/// Returns another reply than that of the store to a request, which is the one of this number; the first is 0.
type Script = dyn Fn(&mut Request, usize) -> Option<Reply> + Send + Sync;

/// A server. It ends when this is dropped.
pub(in super::super) struct Fake {
    endpoint: Endpoint,
    shared: Arc<Shared>,
}

struct Shared {
    script: Box<Script>,
    count: AtomicUsize,
    seen: Mutex<Vec<Seen>>,
    store: Arc<Mutex<Store>>,
    is_over: AtomicBool,
}

/// A request that was answered.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Seen {
    pub(in super::super) method: String,
    /// The path and the query, as they were sent.
    pub(in super::super) target: String,
    headers: BTreeMap<String, String>,
    /// As far as it was read.
    pub(in super::super) body: Vec<u8>,
}

/// A request whose body is read when it is asked for. One that is answered before that is answered early.
pub(in super::super) struct Request {
    pub(in super::super) seen: Seen,
    stream: BufReader<TcpStream>,
    is_read: bool,
    store: Arc<Mutex<Store>>,
}

/// A response.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    end: End,
}

/// The end of a response.
#[derive(Debug, Clone, Default)]
enum End {
    /// Announced by `Content-Length`.
    #[default]
    Whole,
    /// Chunked.
    Chunked,
    /// The end of the connection.
    Close,
    /// Announced, but the connection ends after these bytes.
    Cut(usize),
    /// The same, by a reset.
    Reset(usize),
}

/// The objects and the open uploads.
#[derive(Debug, Default)]
pub(in super::super) struct Store {
    /// By the decoded path.
    pub(in super::super) objects: BTreeMap<String, Vec<u8>>,
    /// By their ids: the path, and the parts by their numbers.
    pub(in super::super) uploads: BTreeMap<String, (String, BTreeMap<u32, Vec<u8>>)>,
    /// The number of uploads that were begun.
    begun: usize,
}

impl Fake {
    pub(in super::super) fn start(
        script: impl Fn(&mut Request, usize) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            script: Box::new(script),
            count: AtomicUsize::new(0),
            seen: Mutex::default(),
            store: Arc::default(),
            is_over: AtomicBool::new(false),
        });
        let for_thread = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if for_thread.is_over.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&for_thread);
                thread::spawn(move || shared.serve(stream.expect("a connection")));
            }
        });
        Self { endpoint: Endpoint::parse(&format!("http://{address}")).expect("an address"), shared }
    }

    pub(in super::super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The requests that were answered, in the order of the answers.
    pub(in super::super) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(in super::super) fn store<T>(&self, look: impl FnOnce(&mut Store) -> T) -> T {
        look(&mut self.shared.store.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A server with one object, `bucket/key`.
    pub(in super::super) fn with_object(
        content: &[u8],
        script: impl Fn(&mut Request, usize) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        let fake = Self::start(script);
        fake.store(|store| store.objects.insert("/bucket/key".to_owned(), content.to_vec()));
        fake
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        // Wakes the thread, and waits until nothing listens any more.
        let address = self.endpoint.authority();
        while TcpStream::connect(&address).is_ok() {
            thread::yield_now();
        }
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        while let Some(seen) = read_head(&mut stream) {
            let number = self.count.fetch_add(1, Ordering::SeqCst);
            let mut request = Request { seen, stream, is_read: false, store: Arc::clone(&self.store) };
            let reply = (self.script)(&mut request, number).unwrap_or_else(|| request.perform());
            let is_early = !request.is_read && request.length() > 0;
            let (head, connection) = (request.seen.method == "HEAD", request.stream);
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(request.seen);
            stream = connection;
            let is_open = reply.send(stream.get_mut(), head);
            if is_early {
                // As servers do: a close with bytes that are not read would be a reset, which takes the response with it.
                let _ = stream.get_mut().shutdown(Shutdown::Write);
                let _ = std::io::copy(&mut stream, &mut std::io::sink());
            }
            if !is_open || is_early {
                return;
            }
        }
    }
}

fn read_head(stream: &mut BufReader<TcpStream>) -> Option<Seen> {
    let mut line = || {
        let mut line = String::new();
        (stream.read_line(&mut line).ok()? > 0).then(|| line.trim_end().to_owned())
    };
    let first = line()?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let line = line()?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    Some(Seen { method, target, headers, body: Vec::new() })
}

impl Seen {
    pub(in super::super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The decoded path.
    pub(in super::super) fn path(&self) -> String {
        let path = self.target.split('?').next().unwrap_or_default();
        percent_decode_str(path).decode_utf8_lossy().into_owned()
    }

    /// A value of the query.
    pub(in super::super) fn query(&self, name: &str) -> Option<String> {
        let (_, query) = self.target.split_once('?')?;
        let pair = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
        Some(percent_decode_str(pair).decode_utf8_lossy().into_owned())
    }
}

impl Request {
    fn length(&self) -> usize {
        self.seen.header("content-length").and_then(|length| length.parse().ok()).unwrap_or_default()
    }

    /// Reads the body; whether it is whole.
    pub(in super::super) fn read_body(&mut self) -> bool {
        if !std::mem::replace(&mut self.is_read, true) {
            let length = self.length() as u64;
            let _ = self.stream.by_ref().take(length).read_to_end(&mut self.seen.body);
        }
        self.seen.body.len() == self.length()
    }

    /// Does what is asked for, and returns the reply of the store.
    pub(in super::super) fn perform(&mut self) -> Reply {
        if !self.read_body() {
            // The client broke off.
            return Reply::new(400, "x").cut(0);
        }
        self.store.lock().unwrap_or_else(PoisonError::into_inner).answer(&self.seen)
    }
}

impl Reply {
    pub(in super::super) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, body: body.into(), ..Self::default() }
    }

    /// An error document.
    pub(in super::super) fn error(status: u16, code: &str) -> Self {
        Self::new(
            status,
            format!("<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code><Message>words</Message></Error>"),
        )
    }

    pub(in super::super) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(in super::super) fn chunked(self) -> Self {
        Self { end: End::Chunked, ..self }
    }

    pub(in super::super) fn until_closed(self) -> Self {
        Self { end: End::Close, ..self }
    }

    pub(in super::super) fn cut(self, after: usize) -> Self {
        Self { end: End::Cut(after), ..self }
    }

    pub(in super::super) fn reset(self, after: usize) -> Self {
        Self { end: End::Reset(after), ..self }
    }

    /// Sends it; whether the connection can be used again.
    fn send(&self, stream: &mut TcpStream, is_head: bool) -> bool {
        let Self { status, headers, body, end } = self;
        let mut head = format!("HTTP/1.1 {status} Words\r\n");
        for (name, value) in headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        match end {
            End::Chunked => head.push_str("Transfer-Encoding: chunked\r\n"),
            End::Close => head.push_str("Connection: close\r\n"),
            _ if headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length")) => {}
            _ => head.extend(["Content-Length: ", &body.len().to_string(), "\r\n"]),
        }
        head.push_str("\r\n");
        let cut = match end {
            End::Cut(after) | End::Reset(after) => (*after).min(body.len()),
            _ => body.len(),
        };
        let mut sent = head.into_bytes();
        match end {
            _ if is_head => {}
            End::Chunked => {
                for piece in body.chunks(1000) {
                    sent.extend(format!("{:x}\r\n", piece.len()).into_bytes());
                    sent.extend(piece);
                    sent.extend(b"\r\n");
                }
                sent.extend(b"0\r\n\r\n");
            }
            _ => sent.extend(&body[..cut]),
        }
        let is_sent = stream.write_all(&sent).is_ok();
        if matches!(end, End::Reset(_)) {
            rustix::net::sockopt::set_socket_linger(&*stream, Some(std::time::Duration::ZERO)).expect("set");
        }
        is_sent && matches!(end, End::Whole | End::Chunked)
    }
}

impl Store {
    fn answer(&mut self, seen: &Seen) -> Reply {
        let path = seen.path();
        let upload = seen.query("uploadId");
        match (seen.method.as_str(), upload) {
            ("PUT", None) => {
                self.objects.insert(path, seen.body.clone());
                Reply::new(200, "").with("ETag", etag(&seen.body))
            }
            ("GET" | "HEAD", None) => self.get(seen, &path),
            ("POST", None) => {
                self.begun += 1;
                let id = format!("id/+{}", self.begun);
                self.uploads.insert(id.clone(), (path, BTreeMap::new()));
                Reply::new(200, format!("<InitiateMultipartUpload><UploadId>{id}</UploadId></InitiateMultipartUpload>"))
                    .with("Date", jiff::fmt::rfc2822::to_string(&jiff::Zoned::now()).expect("a date"))
            }
            (method, Some(id)) => self.upload(method, seen, &id),
            _ => Reply::error(405, "MethodNotAllowed"),
        }
    }

    fn get(&self, seen: &Seen, path: &str) -> Reply {
        let Some(object) = self.objects.get(path) else {
            return if seen.method == "HEAD" { Reply::new(404, "") } else { Reply::error(404, "NoSuchKey") };
        };
        let etag = etag(object);
        if seen.header("if-match").is_some_and(|wanted| wanted != etag) {
            return Reply::error(412, "PreconditionFailed");
        }
        let first =
            seen.header("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
        match first {
            None => Reply::new(200, object.as_slice()).with("ETag", etag),
            Some(first) if first >= object.len() => {
                Reply::error(416, "InvalidRange").with("Content-Range", format!("bytes */{}", object.len()))
            }
            Some(first) => Reply::new(206, &object[first..])
                .with("ETag", etag)
                .with("Content-Range", format!("bytes {first}-{}/{}", object.len() - 1, object.len())),
        }
    }

    fn upload(&mut self, method: &str, seen: &Seen, id: &str) -> Reply {
        let Some((path, parts)) = self.uploads.get_mut(id) else { return Reply::error(404, "NoSuchUpload") };
        match method {
            "PUT" => {
                let number = seen.query("partNumber").and_then(|number| number.parse().ok()).expect("a number");
                parts.insert(number, seen.body.clone());
                Reply::new(200, "").with("ETag", etag(&seen.body))
            }
            "DELETE" => {
                self.uploads.remove(id);
                Reply { end: End::Whole, ..Reply::new(204, "") }
            }
            _ => {
                let list = String::from_utf8_lossy(&seen.body).into_owned();
                let numbers: Vec<u32> = list
                    .split("<PartNumber>")
                    .skip(1)
                    .map(|rest| rest.split('<').next().and_then(|number| number.parse().ok()).expect("a number"))
                    .collect();
                assert!(numbers.is_sorted() && numbers.iter().eq(parts.keys()), "all parts, in order");
                let whole = parts.values().flatten().copied().collect();
                self.objects.insert(path.clone(), whole);
                self.uploads.remove(id);
                Reply::new(200, " \n<?xml version=\"1.0\"?><Anything><ETag>\"x-3\"</ETag></Anything>")
            }
        }
    }
}

pub(in super::super) fn etag(content: &[u8]) -> String {
    format!("\"{}\"", hex(&md5_of(content)))
}
