//! An HTTP/1.1 client that sends what it is told, byte for byte, and tells a whole answer from a cut one.

use std::{
    fmt::{self, Write as _},
    io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
};

use super::{PATIENCE, shown};

/// The answer that came back.
#[derive(Clone)]
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// The fields, as sent.
    pub(crate) headers: Vec<(String, String)>,
    /// The body, without its transfer coding.
    pub(crate) body: Vec<u8>,
    /// Whether the body ended as its framing says.
    pub(crate) whole: bool,
}

impl Answer {
    /// The one value of a field; `None` if it is absent, a panic if it is there twice.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        let first = values.next();
        assert!(values.next().is_none(), "{name} twice in {self}");
        first.map(|(_, value)| value.as_str())
    }

    /// The value of a field that must be there.
    #[track_caller]
    pub(crate) fn wants(&self, name: &str) -> &str {
        self.header(name).unwrap_or_else(|| panic!("no {name} in {self}"))
    }

    /// Fails unless the status is this one and the body is whole.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert!(self.status == status && self.whole, "wanted a whole {status}, got {self}");
        self
    }

    /// The body as text.
    #[track_caller]
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap_or_else(|error| panic!("not UTF-8 ({error}): {self}"))
    }

    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("not JSON ({error}): {self}"))
    }

    /// The problem of RFC 9457 that the body must be, of this status.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16) -> serde_json::Value {
        assert!(self.status == status && self.whole, "wanted a whole {status}, got {self}");
        assert_eq!(self.wants("content-type"), "application/problem+json", "{self}");
        assert!(!self.wants("x-bandog-error").is_empty(), "{self}");
        let problem = self.json();
        assert_eq!(problem["status"], status, "{self}");
        for field in ["type", "title", "detail"] {
            assert!(problem[field].as_str().is_some_and(|text| !text.is_empty()), "no {field} in {self}");
        }
        problem
    }

    /// The body decoded if it is base64 of a file or a zip, else as it is.
    #[track_caller]
    pub(crate) fn decoded(&self) -> Vec<u8> {
        match self.header("x-output-kind") {
            Some("file" | "zip") => super::decode(&self.body),
            _ => self.body.clone(),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "an answer{}\n  status: {}", if self.whole { "" } else { " that was cut" }, self.status)?;
        for (name, value) in &self.headers {
            writeln!(f, "  {name}: {value}")?;
        }
        write!(f, "  body ({} bytes): {}", self.body.len(), shown(&self.body))
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How the end of a request's body is told.
#[derive(Debug, Clone)]
enum Framing {
    /// `Content-Length`.
    Length,
    /// Chunks of these sizes, the last one repeated until the body is sent.
    Chunks(Vec<usize>),
    /// As the headers that were given say.
    Untouched,
}

/// A request in the making.
#[derive(Debug, Clone)]
#[must_use]
pub(crate) struct Request {
    address: SocketAddr,
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    framing: Framing,
}

impl Request {
    /// A request without fields or body.
    pub(crate) fn new(address: SocketAddr, method: &str, target: &str) -> Self {
        Self {
            address,
            method: method.to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            framing: Framing::Length,
        }
    }

    /// Adds a field.
    pub(crate) fn header(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    /// Adds `Content-Type`.
    pub(crate) fn media(self, value: &str) -> Self {
        self.header("Content-Type", value)
    }

    /// Adds `Accept`.
    pub(crate) fn accept(self, value: &str) -> Self {
        self.header("Accept", value)
    }

    /// Changes the target.
    pub(crate) fn to(mut self, target: &str) -> Self {
        target.clone_into(&mut self.target);
        self
    }

    /// Sets the body.
    pub(crate) fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self
    }

    /// Sends the body in chunks of these sizes, the last one repeated.
    pub(crate) fn chunked(mut self, sizes: &[usize]) -> Self {
        self.framing = Framing::Chunks(sizes.to_vec());
        self
    }

    /// Leaves the framing to the fields that were given.
    pub(crate) fn unframed(mut self) -> Self {
        self.framing = Framing::Untouched;
        self
    }

    /// Request line and fields.
    pub(crate) fn head(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            let _ = write!(head, "Host: {}\r\n", self.address);
        }
        for (name, value) in &self.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        match self.framing {
            Framing::Length if self.body.is_empty() && self.method == "GET" => {}
            Framing::Length => {
                let _ = write!(head, "Content-Length: {}\r\n", self.body.len());
            }
            Framing::Chunks(_) => head.push_str("Transfer-Encoding: chunked\r\n"),
            Framing::Untouched => {}
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    /// Sends all of it on a connection of its own and reads the answer.
    #[track_caller]
    pub(crate) fn send(self) -> Answer {
        let mut wire = Wire::connect(self.address);
        self.send_on(&mut wire)
    }

    /// Sends all of it on an open connection and reads the answer.
    #[track_caller]
    pub(crate) fn send_on(&self, wire: &mut Wire) -> Answer {
        wire.without_body = self.method == "HEAD";
        wire.write(&self.head());
        match &self.framing {
            Framing::Length | Framing::Untouched => wire.write(&self.body),
            Framing::Chunks(sizes) => {
                let mut rest = self.body.as_slice();
                let mut sizes = sizes.iter().copied();
                let mut size = 1;
                while !rest.is_empty() {
                    size = sizes.next().unwrap_or(size).clamp(1, rest.len().max(1));
                    let (chunk, after) = rest.split_at(size.min(rest.len()));
                    wire.chunk(chunk);
                    rest = after;
                }
                wire.write(b"0\r\n\r\n");
            }
        }
        wire.answer()
    }
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Wire {
    reader: BufReader<TcpStream>,
    /// Whether the next answer has no body whatever its fields say.
    without_body: bool,
    /// Whether the other side has stopped listening; what it said before still counts.
    refused: bool,
}

impl Wire {
    /// Connects, with bounded waits for everything after.
    #[track_caller]
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address).unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"))
    }

    /// Connects, or says why not.
    pub(crate) fn try_connect(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { reader: BufReader::with_capacity(64 * 1024, stream), without_body: false, refused: false })
    }

    /// Sends bytes. A server that has answered early may have stopped listening; then the answer tells.
    #[track_caller]
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        if self.refused {
            return;
        }
        match self.reader.get_mut().write_all(bytes) {
            Ok(()) => {}
            Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {
                self.refused = true;
            }
            Err(error) => panic!("cannot send {} bytes: {error}", bytes.len()),
        }
    }

    /// Sends one chunk.
    #[track_caller]
    pub(crate) fn chunk(&mut self, bytes: &[u8]) {
        let mut framed = format!("{:x}\r\n", bytes.len()).into_bytes();
        framed.extend_from_slice(bytes);
        framed.extend_from_slice(b"\r\n");
        self.write(&framed);
    }

    /// Whether the server has stopped reading.
    pub(crate) fn is_refused(&self) -> bool {
        self.refused
    }

    /// Goes away without a word, as a client that crashed.
    pub(crate) fn leave(self) {
        let _ = self.reader.get_ref().shutdown(Shutdown::Both);
    }

    /// So many bytes.
    #[track_caller]
    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.reader.read_exact(&mut bytes).unwrap_or_else(|error| panic!("cannot read {count} bytes: {error}"));
        bytes
    }

    /// One line, without its end; `None` at the end of the connection.
    #[track_caller]
    pub(crate) fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        match self.reader.read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(_) => Some(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned()),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => None,
            Err(error) => panic!("cannot read a line: {error}"),
        }
    }

    /// Status and fields of the next final answer.
    #[track_caller]
    pub(crate) fn answer_head(&mut self) -> Answer {
        loop {
            let line = self.line().unwrap_or_else(|| panic!("the connection ended before an answer"));
            let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
            let status: u16 = status.unwrap_or_else(|| panic!("not a status line: {line:?}"));
            let mut headers = Vec::new();
            loop {
                let line = self.line().unwrap_or_else(|| panic!("the connection ended within the fields: {headers:?}"));
                if line.is_empty() {
                    break;
                }
                let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("not a field: {line:?}"));
                headers.push((name.to_owned(), value.trim().to_owned()));
            }
            if status >= 200 {
                return Answer { status, headers, body: Vec::new(), whole: false };
            }
        }
    }

    /// The next final answer, whole or cut.
    #[track_caller]
    pub(crate) fn answer(&mut self) -> Answer {
        let mut answer = self.answer_head();
        let mut body = Vec::new();
        answer.whole = self.body_of(&answer, |piece| body.extend_from_slice(piece));
        answer.body = body;
        answer
    }

    /// Reads the body that belongs to `head` piece by piece; whether it ended as its framing says.
    #[track_caller]
    pub(crate) fn body_of(&mut self, head: &Answer, mut each: impl FnMut(&[u8])) -> bool {
        if self.without_body || matches!(head.status, 204 | 304) {
            return true;
        }
        if head.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            loop {
                let Some(size) = self.line() else { return false };
                let Ok(size) = u64::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16) else {
                    return false;
                };
                if self.pieces(size, &mut each) < size {
                    return false;
                }
                if size == 0 {
                    return self.line().is_some_and(|line| line.is_empty());
                }
                if self.line().is_none() {
                    return false;
                }
            }
        }
        if let Some(length) = head.header("content-length") {
            let length = length.parse().unwrap_or_else(|_| panic!("not a length: {length}"));
            return self.pieces(length, &mut each) == length;
        }
        // Without framing only the end of the connection tells, and so nothing does.
        self.pieces(u64::MAX, &mut each);
        head.header("connection").is_some_and(|word| word.eq_ignore_ascii_case("close"))
    }

    /// Reads up to `wanted` bytes; how many came.
    fn pieces(&mut self, wanted: u64, each: &mut impl FnMut(&[u8])) -> u64 {
        let mut buffer = vec![0; 64 * 1024];
        let mut came = 0;
        while came < wanted {
            let room = usize::try_from(wanted - came).unwrap_or(usize::MAX).min(buffer.len());
            match self.reader.read(&mut buffer[..room]) {
                Ok(0) => break,
                Ok(read) => {
                    each(&buffer[..read]);
                    came += read as u64;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
                Err(error) => panic!("cannot read the body after {came} bytes: {error}"),
            }
        }
        came
    }
}
