//! A lean client: one thread writes the request, one reads the answer, neither copies or keeps anything.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};

use super::content::Stretch;

/// Bytes read at once.
const READ: usize = 256 * 1024;

/// Bytes looked at in each piece of a counted round.
const SAMPLE: usize = 64;

/// How long nothing may happen on a socket.
const SILENCE: Duration = Duration::from_mins(1);

/// How closely an answer is looked at: a round that is not counted is compared byte by byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Thoroughness {
    Whole,
    Sample,
}

impl Thoroughness {
    pub(super) fn of(round: usize) -> Self {
        if round == 0 { Self::Whole } else { Self::Sample }
    }
}

/// The content that an answer must have.
pub(super) enum Expected<'a> {
    Body(&'a Stretch),
    /// At least so many bytes.
    AtLeast(u64),
}

/// One request on a connection of its own.
pub(super) struct Exchange<'a> {
    pub(super) address: SocketAddr,
    /// Header fields, each with its line end.
    pub(super) fields: &'a str,
    pub(super) body: &'a Stretch,
}

impl Exchange<'_> {
    /// How long it takes from the connection to the last byte of an answer that is as expected.
    pub(super) fn run(&self, expected: &Expected<'_>, how: Thoroughness) -> anyhow::Result<Duration> {
        let began = Instant::now();
        let stream = connect(self.address)?;
        let head = format!(
            "POST / HTTP/1.1\r\nHost: bench\r\nContent-Length: {}\r\n{}Connection: close\r\n\r\n",
            self.body.len(),
            self.fields
        );
        thread::scope(|scope| {
            let writing =
                scope.spawn(|| (&stream).write_all(head.as_bytes()).and_then(|()| self.body.write_to(&mut &stream)));
            let mut buffer = vec![0; READ];
            let (length, first) = answer_head(&stream, &mut buffer)?;
            match expected {
                Expected::Body(body) => ensure!(length == body.len(), "{length} bytes announced, not {}", body.len()),
                Expected::AtLeast(least) => ensure!(length >= *least, "only {length} bytes announced, not {least}"),
            }
            let mut check = Check { expected, how, offset: 0 };
            check.piece(&buffer[first])?;
            check.rest(&stream, length, &mut buffer)?;
            let taken = began.elapsed();
            writing.join().map_err(|_| anyhow::anyhow!("the writer panicked"))?.context("cannot send the request")?;
            Ok(taken)
        })
    }
}

pub(super) fn connect(address: SocketAddr) -> anyhow::Result<TcpStream> {
    let stream = TcpStream::connect(address).with_context(|| format!("cannot connect to {address}"))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(SILENCE))?;
    stream.set_write_timeout(Some(SILENCE))?;
    Ok(stream)
}

/// Sends `body` without HTTP and reads as much again.
pub(super) fn bounce(stream: &TcpStream, body: &Stretch, how: Thoroughness) -> anyhow::Result<()> {
    thread::scope(|scope| {
        let writing = scope.spawn(|| body.write_to(&mut &*stream).and_then(|()| stream.shutdown(Shutdown::Write)));
        let mut check = Check { expected: &Expected::Body(body), how, offset: 0 };
        check.rest(stream, body.len(), &mut vec![0; READ])?;
        writing.join().map_err(|_| anyhow::anyhow!("the writer panicked"))?.context("cannot send")
    })
}

/// Reads the head of an answer; the length of the body, and what of it has come.
fn answer_head(mut stream: &TcpStream, buffer: &mut [u8]) -> anyhow::Result<(u64, std::ops::Range<usize>)> {
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).context("cannot read the answer")?;
        ensure!(read > 0, "the answer ended in its head: {:?}", String::from_utf8_lossy(&buffer[..filled]));
        filled += read;
        let Some(end) = buffer[..filled].windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
        if !head.starts_with("http/1.1 200") {
            bail!("the answer is {head}\n\n{}", String::from_utf8_lossy(&buffer[end + 4..filled]));
        }
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length = length.context("the answer has no length")?.trim().parse()?;
        return Ok((length, end + 4..filled));
    }
}

/// Looks at an answer while it passes.
struct Check<'a> {
    expected: &'a Expected<'a>,
    how: Thoroughness,
    offset: u64,
}

impl Check<'_> {
    fn piece(&mut self, mut piece: &[u8]) -> anyhow::Result<()> {
        if let Expected::Body(body) = self.expected {
            match self.how {
                Thoroughness::Sample => ensure!(body.has(self.offset, piece, SAMPLE), "wrong bytes at {}", self.offset),
                Thoroughness::Whole => {
                    for one in piece.chunks(SAMPLE) {
                        ensure!(body.has(self.offset, one, SAMPLE), "wrong bytes at {}", self.offset);
                        self.offset += one.len() as u64;
                    }
                    piece = &[];
                }
            }
        }
        self.offset += piece.len() as u64;
        Ok(())
    }

    fn rest(&mut self, mut stream: &TcpStream, length: u64, buffer: &mut [u8]) -> anyhow::Result<()> {
        while self.offset < length {
            let read = stream.read(buffer).context("cannot read the answer")?;
            ensure!(read > 0, "the answer broke off after {} of {length} bytes", self.offset);
            self.piece(&buffer[..read])?;
        }
        ensure!(self.offset == length, "{} bytes came where {length} were announced", self.offset);
        Ok(())
    }
}
