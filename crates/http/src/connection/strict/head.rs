//! One head: whether its meaning is beyond doubt, and how its body is framed (RFC 9112).

use std::mem::MaybeUninit;

use hyper::{Method, Uri};

use crate::reply::ErrorCode;

/// Bytes of a head. More is answered with 431 and not read.
pub(super) const HEAD_LIMIT: usize = 128 * 1024 - 1;

/// Header fields of a request. More is answered with 431.
pub(crate) const MAX_FIELDS: usize = 256;

/// Bytes of a request's target: what the type for it can hold.
const TARGET_LIMIT: usize = u16::MAX as usize - 1;

/// The largest length of a body that hyper takes: it has other meanings for the last two numbers.
const MAX_LENGTH: u64 = u64::MAX - 2;

/// Why a head is not let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HeadRefusal {
    pub(crate) code: ErrorCode,
    pub(crate) detail: String,
}

/// The result of parsing the beginning of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    /// The beginning of a head, perhaps.
    Partial,
    /// A head of so many bytes.
    Whole {
        /// Its bytes, with empty lines in front of it.
        length: usize,
        /// The end of its body.
        framing: Framing,
    },
}

/// How the end of a body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// By this many bytes.
    Length(u64),
    /// By the last chunk.
    Chunked,
}

/// Takes the beginning of `bytes` for a head.
pub(super) fn parse(bytes: &[u8]) -> Result<Parsed, HeadRefusal> {
    // Neither is initialised, so that the many fields that no request has cost nothing.
    let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut request = httparse::Request::new(&mut []);
    let length = match request.parse_with_uninit_headers(bytes, &mut fields) {
        Ok(httparse::Status::Complete(length)) if length <= HEAD_LIMIT => length,
        Ok(httparse::Status::Partial) if bytes.len() <= HEAD_LIMIT => return Ok(Parsed::Partial),
        Ok(_) => return Err(too_large(format!("the head is larger than {HEAD_LIMIT} bytes, the most that is taken"))),
        Err(error) => return Err(unparsable(error, bytes)),
    };
    check_line_ends(&bytes[..length])?;
    check_request_line(&request)?;
    let is_http_11 = request.version == Some(1);
    check_host(request.headers, is_http_11)?;
    Ok(Parsed::Whole { length, framing: framing(request.headers, is_http_11)? })
}

fn unparsable(error: httparse::Error, bytes: &[u8]) -> HeadRefusal {
    match error {
        httparse::Error::TooManyHeaders => {
            too_large(format!("there are more than {MAX_FIELDS} header fields, the most that are taken"))
        }
        httparse::Error::Version => HeadRefusal {
            code: ErrorCode::VersionNotSupported,
            detail: "expected HTTP/1.0 or HTTP/1.1; HTTP/2 begins with its own preface".to_owned(),
        },
        // RFC 8446 §5.1: a record of the handshake, of version 3.
        _ if bytes.starts_with(&[0x16, 0x03]) => bad("this is TLS; the port speaks plain HTTP, use http://"),
        httparse::Error::HeaderName => bad("a header field has no proper name, or a blank before its colon"),
        httparse::Error::HeaderValue => bad("a header field has a value with a control character, or a folded one"),
        httparse::Error::NewLine => bad("a line does not end with CR LF"),
        httparse::Error::Token | httparse::Error::Status => bad("this does not begin like a request of HTTP"),
    }
}

/// RFC 9112 §2.2: a recipient may take a line feed alone for the end of a line. Those that do and those that do not
/// see two different heads.
fn check_line_ends(head: &[u8]) -> Result<(), HeadRefusal> {
    let alone = |at: usize| at == 0 || head[at - 1] != b'\r';
    match memchr::memchr_iter(b'\n', head).find(|at| alone(*at)) {
        Some(at) => Err(bad(format!("the line feed at offset {at} has no carriage return before it"))),
        None => Ok(()),
    }
}

fn check_request_line(request: &httparse::Request<'_, '_>) -> Result<(), HeadRefusal> {
    let target = request.path.unwrap_or_default();
    if target.len() > TARGET_LIMIT {
        let detail = format!("the target has {} bytes, at most {TARGET_LIMIT} are taken", target.len());
        return Err(HeadRefusal { code: ErrorCode::TargetTooLong, detail });
    }
    if target.parse::<Uri>().is_err() {
        return Err(bad("the target of the request is not one"));
    }
    if Method::from_bytes(request.method.unwrap_or_default().as_bytes()).is_err() {
        return Err(bad("the method of the request is not one"));
    }
    Ok(())
}

/// RFC 9112 §3.2: 400 for a request of HTTP/1.1 without a `Host`, and for any with two.
fn check_host(fields: &[httparse::Header<'_>], is_http_11: bool) -> Result<(), HeadRefusal> {
    match named(fields, "host").count() {
        0 if is_http_11 => Err(bad("a request of HTTP/1.1 needs a Host")),
        0 | 1 => Ok(()),
        _ => Err(bad("more than one Host")),
    }
}

/// The end of the body. RFC 9112 §6.3 says how to read most of what is refused here; but not all on the way do.
fn framing(fields: &[httparse::Header<'_>], is_http_11: bool) -> Result<Framing, HeadRefusal> {
    let mut lengths = named(fields, "content-length");
    let length = lengths.next();
    if lengths.next().is_some() {
        return Err(bad("more than one Content-Length"));
    }
    let mut codings = named(fields, "transfer-encoding").flat_map(|value| value.split(|byte| *byte == b','));
    let Some(first) = codings.next() else { return length.map_or(Ok(Framing::Length(0)), content_length) };
    if length.is_some() {
        return Err(bad("both Content-Length and Transfer-Encoding; send one of them"));
    }
    if !is_http_11 {
        return Err(bad("Transfer-Encoding is not of HTTP/1.0"));
    }
    let codings: Vec<&[u8]> = std::iter::once(first).chain(codings).map(<[u8]>::trim_ascii).collect();
    let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
    match codings.as_slice() {
        [only] if is_chunked(only) => Ok(Framing::Chunked),
        // The end of the body could be told, but not what it is.
        [.., last] if is_chunked(last) => Err(HeadRefusal {
            code: ErrorCode::UnsupportedEncoding,
            detail: "a Transfer-Encoding other than chunked is not supported; send chunked alone".to_owned(),
        }),
        _ => Err(bad("Transfer-Encoding does not end with chunked")),
    }
}

fn content_length(value: &[u8]) -> Result<Framing, HeadRefusal> {
    let digits = str::from_utf8(value).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    match digits.and_then(|digits| digits.parse().ok()).filter(|length| *length <= MAX_LENGTH) {
        Some(length) => Ok(Framing::Length(length)),
        None => Err(bad("Content-Length is not a number of bytes")),
    }
}

/// The values of the fields of one name.
fn named<'a>(fields: &'a [httparse::Header<'a>], name: &'static str) -> impl Iterator<Item = &'a [u8]> {
    fields.iter().filter(move |field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
}

fn bad(detail: impl Into<String>) -> HeadRefusal {
    HeadRefusal { code: ErrorCode::BadRequest, detail: detail.into() }
}

fn too_large(detail: String) -> HeadRefusal {
    HeadRefusal { code: ErrorCode::HeadersTooLarge, detail }
}
