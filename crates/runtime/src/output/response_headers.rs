//! The file at `RESPONSE_HEADERS_PATH`: status and header fields that a function asks for.
//!
//! A line each, `Name: value`. A line that can't be sent is an error and not ignored: an answer without the field its
//! author counted on would be a success that is none.

use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd},
};

use http::{HeaderName, HeaderValue, header};
use rustix::{
    fs::fstat,
    io::{Errno, retry_on_intr},
};

use super::{
    FileAccess, OutputError,
    tree::{is_regular, open_file, size_of},
};
use crate::headers;

/// Bytes of a response_headers file: more than any client or proxy accepts as header fields.
pub const SIZE_LIMIT: usize = 64 * 1024;

/// Characters of a bad line quoted in the message.
const QUOTE: usize = 200;

/// The status and the header fields that a function set through `RESPONSE_HEADERS_PATH`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResponseHeaders {
    /// `Status: N`.
    pub status: Option<u16>,
    /// The other fields, in order. Name and value are valid, and none is one that bandog sets itself.
    pub fields: Vec<(String, Vec<u8>)>,
}

impl ResponseHeaders {
    /// The value of the last field of that name, in any case.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&[u8]> {
        self.fields.iter().rfind(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_slice())
    }
}

/// Reads the response_headers file `name` in `dir`; without one nothing is asked for. Fields that are not a function's to
/// set are left out, and each is named to `warn`.
pub fn read_response_headers<P: rustix::path::Arg>(
    dir: BorrowedFd<'_>,
    name: P,
    reader: Option<FileAccess>,
    warn: &mut dyn FnMut(String),
) -> Result<ResponseHeaders, OutputError> {
    let file = match open_file(dir, name) {
        Ok(file) => file,
        Err(Errno::NOENT) => return Ok(ResponseHeaders::default()),
        Err(Errno::LOOP) => return Err(not_a_file("it is a symbolic link")),
        Err(errno) => return Err(OutputError::HeadersFile(errno.into())),
    };
    let stat = fstat(&file).map_err(|errno| OutputError::HeadersFile(errno.into()))?;
    if !is_regular(&stat) {
        return Err(not_a_file("it is not a regular file"));
    }
    FileAccess::check(reader, &stat).map_err(|errno| OutputError::HeadersFile(errno.into()))?;
    if size_of(&stat) > SIZE_LIMIT as u64 {
        return Err(OutputError::HeadersTooLarge);
    }
    let mut text = vec![0; SIZE_LIMIT + 1];
    let mut len = 0;
    while len < text.len() {
        match retry_on_intr(|| rustix::io::read(file.as_fd(), &mut text[len..])) {
            Ok(0) => break,
            Ok(count) => len += count,
            Err(errno) => return Err(OutputError::HeadersFile(errno.into())),
        }
    }
    if len > SIZE_LIMIT {
        return Err(OutputError::HeadersTooLarge);
    }
    parse(&text[..len], warn)
}

fn not_a_file(why: &'static str) -> OutputError {
    OutputError::HeadersFile(io::Error::new(io::ErrorKind::InvalidInput, why))
}

/// Reads the content of a response_headers file.
pub fn parse(text: &[u8], warn: &mut dyn FnMut(String)) -> Result<ResponseHeaders, OutputError> {
    let mut response_headers = ResponseHeaders::default();
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.trim_ascii().is_empty() {
            continue;
        }
        let bad = |expected| {
            let text = String::from_utf8_lossy(line).chars().take(QUOTE).collect();
            OutputError::HeaderLine { line: index + 1, text, expected }
        };
        let colon = line.iter().position(|byte| *byte == b':').ok_or_else(|| bad("`Name: value`"))?;
        let (name, value) = (line[..colon].trim_ascii_end(), line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"status") {
            let status = status(value).ok_or_else(|| bad("a status from 200 to 599"))?;
            response_headers.status = Some(status);
            continue;
        }
        let name = HeaderName::from_bytes(name).map_err(|_| bad("a header name before the colon (RFC 9110 §5.1)"))?;
        HeaderValue::from_bytes(value).map_err(|_| bad("a value without control characters"))?;
        if is_reserved(&name) {
            warn(format!("ignored in the response headers, as bandog sets it itself: {name}"));
            continue;
        }
        response_headers.fields.push((name.as_str().to_owned(), value.to_vec()));
    }
    Ok(response_headers)
}

/// `201` or `201 Created`.
fn status(value: &[u8]) -> Option<u16> {
    let code = value.split(u8::is_ascii_whitespace).next()?;
    if code.len() != 3 || !code.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let code = code.iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    (200..=599).contains(&code).then_some(code)
}

/// Fields that frame the message or belong to the connection (RFC 9110 §7.6.1, RFC 9112 §6).
const CONNECTION_FIELDS: [HeaderName; 9] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::DATE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// The prefix of the names of all fields that describe the output.
const OUTPUT_PREFIX: &str = "x-output-";

/// Whether a function cannot set this field.
fn is_reserved(name: &HeaderName) -> bool {
    let name_text = name.as_str();
    CONNECTION_FIELDS.contains(name) || headers::RESERVED.contains(&name_text) || name_text.starts_with(OUTPUT_PREFIX)
}

#[cfg(test)]
mod tests;
