//! HTTP/1 as it lies on the wire: sends what it is told, and tells a whole answer from a cut one.

use std::{
    io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
    thread,
    time::Duration,
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::oracle::Answer;

/// How long anything may take: more than the longest run that bandog allows, on a machine that has other work.
const PATIENCE: Duration = Duration::from_mins(1);

/// Bytes sent between two looks for an early answer.
const PIECE: usize = 64 * 1024;

/// One connection.
pub(crate) struct Wire {
    reader: BufReader<TcpStream>,
}

/// How fast a client reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    Fast,
    /// It rests after every so many bytes.
    Slow {
        every: usize,
        rest: Duration,
    },
}

impl Wire {
    pub(crate) fn connect(address: SocketAddr) -> Result<Self, String> {
        let say = |error: std::io::Error| format!("cannot connect: {error}");
        let stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(say)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(say)?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(say)?;
        stream.set_nodelay(true).map_err(say)?;
        Ok(Self { reader: BufReader::with_capacity(PIECE, stream) })
    }

    /// Sends bytes, and returns whether the server took them all. A server that answers early need not read any more.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<bool, String> {
        for piece in bytes.chunks(PIECE) {
            if bytes.len() > PIECE && self.has_news(Duration::ZERO) {
                return Ok(false);
            }
            match self.reader.get_mut().write_all(piece) {
                Ok(()) => {}
                Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {
                    return Ok(false);
                }
                Err(error) => return Err(format!("cannot send: {error}")),
            }
        }
        Ok(true)
    }

    /// Sends bytes in `parts`, with a rest after each.
    pub(crate) fn dribble(&mut self, bytes: &[u8], parts: usize, rest: Duration) -> Result<(), String> {
        for piece in bytes.chunks(bytes.len().div_ceil(parts).max(1)) {
            if !self.send(piece)? {
                return Ok(());
            }
            thread::sleep(rest);
        }
        Ok(())
    }

    /// Whether there is something to read, or the end, within `limit`.
    pub(crate) fn has_news(&self, limit: Duration) -> bool {
        let limit = Timespec::try_from(limit).ok();
        let news = poll(&mut [PollFd::new(self.reader.get_ref(), PollFlags::IN)], limit.as_ref());
        !self.reader.buffer().is_empty() || news.is_ok_and(|count| count > 0)
    }

    /// Goes away without a word.
    pub(crate) fn leave(self) {
        let _ = self.reader.get_ref().shutdown(Shutdown::Both);
    }

    /// Reads so many bytes of what comes and forgets them.
    pub(crate) fn taste(&mut self, count: usize) {
        let _ = self.reader.read_exact(&mut vec![0; count]);
    }

    /// Whether the other side has nothing more to say; what it does say is an error.
    pub(crate) fn is_at_its_end(&mut self) -> Result<(), String> {
        match self.line()? {
            None => Ok(()),
            Some(line) => Err(format!("one answer too many: {line:?}")),
        }
    }

    /// One line; `None` at the end of the connection.
    fn line(&mut self) -> Result<Option<String>, String> {
        let mut line = Vec::new();
        match self.reader.read_until(b'\n', &mut line) {
            Ok(0) => Ok(None),
            Ok(_) => Ok(Some(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned())),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(None),
            Err(error) => Err(format!("cannot read: {error}")),
        }
    }

    /// The next final answer; `None` if the connection ends before it.
    pub(crate) fn answer(&mut self, pace: Pace) -> Result<Option<Answer>, String> {
        loop {
            let Some(line) = self.line()? else { return Ok(None) };
            let status = line.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1)?.parse().ok());
            let mut answer = Answer { status: status.ok_or(format!("no status: {line:?}"))?, ..Answer::default() };
            loop {
                let line = self.line()?.ok_or("the connection ended within the fields")?;
                if line.is_empty() {
                    break;
                }
                let (name, value) = line.split_once(':').ok_or(format!("no field: {line:?}"))?;
                answer.fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
            }
            if answer.status >= 200 {
                self.body(&mut answer, pace)?;
                return Ok(Some(answer));
            }
        }
    }

    fn body(&mut self, answer: &mut Answer, pace: Pace) -> Result<(), String> {
        if answer.field("transfer-encoding") == Some("chunked") {
            loop {
                let size = self.line()?.and_then(|line| usize::from_str_radix(&line, 16).ok());
                let Some(size) = size else { return Ok(()) };
                if self.pieces(answer, size, pace)? < size || self.line()?.is_none() {
                    return Ok(());
                }
                if size == 0 {
                    answer.whole = true;
                    return Ok(());
                }
            }
        }
        let length = answer.field("content-length").map(|length| length.parse().map_err(|_| "no length".to_owned()));
        if let Some(length) = length.transpose()? {
            answer.whole = self.pieces(answer, length, pace)? == length;
        } else {
            // Nothing but the end of the connection can tell, as to a client of HTTP/1.0.
            self.pieces(answer, usize::MAX, pace)?;
            answer.whole = answer.field("connection").is_none_or(|word| word == "close");
        }
        Ok(())
    }

    /// Reads up to `wanted` bytes of the body; how many came.
    fn pieces(&mut self, answer: &mut Answer, wanted: usize, pace: Pace) -> Result<usize, String> {
        let mut buffer = vec![0; PIECE];
        let (mut came, mut since_rest) = (0, 0);
        while came < wanted {
            let room = (wanted - came).min(PIECE);
            match self.reader.read(&mut buffer[..room]) {
                Ok(0) => break,
                Ok(read) => {
                    answer.body.extend_from_slice(&buffer[..read]);
                    came += read;
                    since_rest += read;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
                Err(error) => return Err(format!("cannot read the body after {came} bytes: {error}")),
            }
            if let Pace::Slow { every, rest } = pace
                && since_rest >= every
            {
                since_rest = 0;
                thread::sleep(rest);
            }
        }
        Ok(came)
    }
}
