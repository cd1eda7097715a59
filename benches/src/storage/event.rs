//! An event that is sent to bandog, as a store sends it.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};

/// Header fields of a response, at most.
const FIELDS: usize = 32;

/// Bytes that are read at once.
const READ: usize = 256 * 1024;

/// The longest time in which nothing arrives: that of the largest object.
const SILENCE: Duration = Duration::from_mins(5);

/// A run that was a success.
#[derive(Debug, Clone, Copy)]
pub(super) struct Done {
    /// From the connection to the head of the response, which comes when all outputs are stored.
    pub(super) whole: Duration,
    /// The part of it that the function ran.
    pub(super) function: Duration,
}

impl Done {
    /// The time that bandog added to the function.
    pub(super) fn added(self) -> Duration {
        self.whole.saturating_sub(self.function)
    }
}

/// Sends an event and waits until its run is over and as many outputs are stored. The body of the response is read and
/// dropped: a store has no use for it.
pub(super) fn send(address: SocketAddr, event: &str, stored: usize) -> anyhow::Result<Done> {
    let began = Instant::now();
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(SILENCE))?;
    let length = event.len();
    let request = format!(
        "POST / HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         Accept: application/octet-stream, application/zip\r\nConnection: close\r\n\r\n{event}"
    );
    stream.write_all(request.as_bytes())?;
    let (mut bytes, mut piece) = (Vec::new(), vec![0; READ]);
    let (function, told) = loop {
        let count = stream.read(&mut piece).context("cannot read the response")?;
        ensure!(count > 0, "the response ended in its head");
        bytes.extend_from_slice(&piece[..count]);
        if let Some(told) = head(&bytes)? {
            break told;
        }
    };
    let whole = began.elapsed();
    ensure!(told == stored, "{told} outputs were stored, not {stored}");
    while stream.read(&mut piece).context("the response broke off")? > 0 {}
    Ok(Done { whole, function })
}

/// The time of the function and the number of stored outputs; none yet if more of the head has to come.
fn head(bytes: &[u8]) -> anyhow::Result<Option<(Duration, usize)>> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let mut head = httparse::Response::new(&mut fields);
    let httparse::Status::Complete(end) = head.parse(bytes).context("not an HTTP response")? else { return Ok(None) };
    ensure!(head.code == Some(200), "the head of the response is {}", String::from_utf8_lossy(&bytes[..end]));
    let field = |name: &str| {
        let field = head.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name));
        let value = field.with_context(|| format!("the response has no {name}"))?.value;
        anyhow::Ok(str::from_utf8(value)?.trim())
    };
    let seconds = field("x-duration-seconds")?.parse()?;
    Ok(Some((Duration::try_from_secs_f64(seconds)?, field("x-bandog-stored")?.parse()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_when_it_is_whole_and_a_success() {
        let text = "HTTP/1.1 200 OK\r\nX-Duration-Seconds: 0.25\r\nX-Bandog-Stored: 3\r\n\r\nbody";
        for cut in 0..text.len() - 4 {
            assert_eq!(head(&text.as_bytes()[..cut]).expect("the beginning of a head"), None);
        }
        let told = head(text.as_bytes()).expect("a head");
        assert_eq!(told, Some((Duration::from_millis(250), 3)));
        assert!(head(text.replace("200", "502").as_bytes()).is_err());
        assert!(head(b"HTTP/1.1 200 OK\r\nX-Duration-Seconds: 0.25\r\n\r\n").is_err());
        let done = Done { whole: Duration::from_millis(300), function: Duration::from_millis(250) };
        assert_eq!(done.added(), Duration::from_millis(50));
    }
}
