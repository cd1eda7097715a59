//! A connection: one request after another, each answered before the next is looked at.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    ops::Range,
};

use anyhow::{Context as _, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::invocation::Invocations;

/// How many fields a head may have; the load generator sends three.
const FIELDS: usize = 16;

/// Serves until the client closes the connection. A failure is answered with its reason, and ends the connection.
pub fn serve(mut stream: TcpStream, invocations: &Invocations) {
    if let Err(error) = answer_all(&mut stream, invocations) {
        let text = format!("{error:#}");
        let head = "HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\nContent-Length: ";
        // The client may be what failed.
        let _ = write!(stream, "{head}{}\r\n\r\n{text}", text.len());
    }
}

fn answer_all(stream: &mut TcpStream, invocations: &Invocations) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(4096);
    while let Some(body) = receive(stream, &mut buffer)? {
        let output = invocations.run(&buffer[body.clone()])?;
        buffer.drain(..body.end);
        let text = STANDARD.encode(output);
        stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len()).as_bytes())?;
    }
    Ok(())
}

/// Where in `buffer` the body of a whole request is; nothing if there are no more requests.
fn receive(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> anyhow::Result<Option<Range<usize>>> {
    let mut piece = [0; 4096];
    loop {
        if let Some(body) = body(buffer)?.filter(|body| body.end <= buffer.len()) {
            return Ok(Some(body));
        }
        let count = stream.read(&mut piece)?;
        if count == 0 {
            ensure!(buffer.is_empty(), "the connection ended in a request");
            return Ok(None);
        }
        buffer.extend_from_slice(&piece[..count]);
    }
}

/// Where the body of the request that begins `bytes` is or will be, once its head is there.
fn body(bytes: &[u8]) -> anyhow::Result<Option<Range<usize>>> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let mut head = httparse::Request::new(&mut fields);
    let httparse::Status::Complete(start) = head.parse(bytes).context("not an HTTP request")? else {
        return Ok(None);
    };
    let field = |name: &str| head.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name));
    ensure!(field("Transfer-Encoding").is_none(), "the floor reads no body in chunks");
    let length = field("Content-Length").context("a request without a length")?.value;
    let length: usize = str::from_utf8(length)?.trim().parse().context("the length of a request is not a number")?;
    let end = start.checked_add(length).context("the length of a request is too large")?;
    Ok(Some(start..end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_found_once_the_head_is_whole() {
        let request = b"POST / HTTP/1.1\r\nHost: bench\r\ncontent-length: 6\r\n\r\nhello\nPOST";
        let start = request.len() - "hello\nPOST".len();
        for cut in 0..start {
            assert_eq!(body(&request[..cut]).unwrap(), None, "cut after {cut}");
        }
        assert_eq!(body(&request[..start]).unwrap(), Some(start..start + 6), "though the body is still to come");
        assert_eq!(body(request).unwrap(), Some(start..start + 6), "and no more than it");
    }

    #[test]
    fn a_body_of_unknown_length_is_an_error() {
        assert!(body(b"POST / HTTP/1.1\r\nHost: bench\r\n\r\n").is_err());
        assert!(body(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
        assert!(body(b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n").is_err());
    }
}
