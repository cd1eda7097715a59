//! An HTTP/1.1 answer in a buffer: whether it is whole, and what it holds.

use anyhow::{Context as _, bail};

/// How many fields a head may have; none of the contenders sends half of it.
const FIELDS: usize = 32;

/// A whole answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
    /// Bytes of the buffer that it took.
    pub length: usize,
    /// Whether the connection ends with it.
    pub closes: bool,
}

impl Answer {
    /// Reads an answer from `bytes`; none yet if more has to come. `ended` says that no more will.
    pub fn read(bytes: &[u8], ended: bool) -> anyhow::Result<Option<Self>> {
        let mut fields = [httparse::EMPTY_HEADER; FIELDS];
        let mut head = httparse::Response::new(&mut fields);
        let httparse::Status::Complete(start) = head.parse(bytes).context("not an HTTP answer")? else {
            if ended {
                bail!("the connection ended in the head of an answer, after {} bytes", bytes.len());
            }
            return Ok(None);
        };
        let status = head.code.context("an answer without a status")?;
        let mut closes = head.version == Some(0);
        let (mut length, mut chunked) = (None, false);
        for field in head.headers.iter() {
            if field.name.eq_ignore_ascii_case("content-length") {
                length = Some(str::from_utf8(field.value)?.trim().parse::<usize>()?);
            } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
                chunked = field.value.eq_ignore_ascii_case(b"chunked");
            } else if field.name.eq_ignore_ascii_case("connection") {
                closes = field.value.eq_ignore_ascii_case(b"close");
            }
        }
        let rest = &bytes[start..];
        let body = match (chunked, length) {
            (true, _) => unchunked(rest)?,
            (false, Some(length)) => rest.get(..length).map(|body| (body.to_vec(), length)),
            (false, None) => {
                closes = true;
                ended.then(|| (rest.to_vec(), rest.len()))
            }
        };
        match body {
            Some((body, length)) => Ok(Some(Self { status, body, length: start + length, closes })),
            None if ended => bail!("the connection ended in the body of an answer with status {status}"),
            None => Ok(None),
        }
    }
}

/// A chunked body and the bytes it took, once its last chunk is there (RFC 9112, section 7.1; trailers are not sent by
/// any contender and not understood).
fn unchunked(bytes: &[u8]) -> anyhow::Result<Option<(Vec<u8>, usize)>> {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        match httparse::parse_chunk_size(&bytes[at..]) {
            Ok(httparse::Status::Partial) => return Ok(None),
            Ok(httparse::Status::Complete((digits, size))) => {
                let begin = at + digits;
                let end = begin + usize::try_from(size)?;
                if bytes.len() < end + 2 {
                    return Ok(None);
                }
                body.extend_from_slice(&bytes[begin..end]);
                at = end + 2;
                if size == 0 {
                    return Ok(Some((body, at)));
                }
            }
            Err(_) => bail!("the size of a chunk is not a number"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> Answer {
        for cut in 0..text.len() {
            assert_eq!(Answer::read(&text.as_bytes()[..cut], false).unwrap(), None, "cut after {cut}");
        }
        Answer::read(text.as_bytes(), false).unwrap().expect("a whole answer")
    }

    #[test]
    fn a_body_of_known_length_is_whole_with_its_last_byte() {
        let answer = whole("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n");
        assert_eq!((answer.status, answer.body.as_slice(), answer.closes), (200, &b"hello\n"[..], false));
    }

    #[test]
    fn a_chunked_body_is_whole_with_its_last_chunk() {
        let answer = whole("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n4\r\nllo\n\r\n0\r\n\r\n");
        assert_eq!((answer.body.as_slice(), answer.closes), (&b"hello\n"[..], false));
    }

    #[test]
    fn a_body_without_a_length_is_whole_with_the_connection() {
        let text = b"HTTP/1.0 200 OK\r\n\r\nhello\n";
        assert_eq!(Answer::read(text, false).unwrap(), None);
        let answer = Answer::read(text, true).unwrap().expect("a whole answer");
        assert_eq!((answer.body.as_slice(), answer.closes), (&b"hello\n"[..], true));
    }

    #[test]
    fn a_cut_answer_is_an_error() {
        assert!(Answer::read(b"HTTP/1.1 200 OK\r\nContent-Le", true).is_err());
        assert!(Answer::read(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhel", true).is_err());
    }
}
