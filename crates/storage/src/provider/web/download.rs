//! A download that is resumed where it broke off.

use std::{fs::File, os::unix::fs::FileExt as _};

use http::{
    Method, StatusCode,
    header::{
        CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderValue, IF_MATCH, LAST_MODIFIED, LOCATION, RANGE,
        TRANSFER_ENCODING,
    },
};

use super::{
    address::Address,
    answer::Answer,
    sites::{Credential, FileRequest, Sites},
};
use crate::{
    control::Control,
    error::{Again, Error, ErrorKind},
    http::{Response, TransportError},
    provider::Fetch,
    retry::attempts,
};

/// A file to download.
pub(crate) struct FileDownload<'a> {
    /// The clients.
    pub(crate) sites: &'a Sites,
    /// Its address.
    pub(crate) address: Address,
    /// The credentials, read again at each attempt.
    pub(crate) credential: &'a dyn Fn() -> Result<Option<Credential>, Error>,
    /// Whether there is a folder at the address, for servers that answer with a page of its files.
    pub(crate) is_folder: &'a dyn Fn() -> Result<bool, Error>,
    /// Its limit, and its size if that is known.
    pub(crate) fetch: &'a Fetch<'a>,
}

/// The part that has arrived.
#[derive(Default)]
struct Arrived {
    bytes: u64,
    /// The strong ETag of the file; without one, another attempt begins at the start.
    etag: Option<HeaderValue>,
}

/// The way in which the end of a body was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Its length was announced.
    Counted,
    /// Its last chunk.
    Chunked,
    /// The connection was closed, for whatever reason.
    Closed,
}

/// Downloads a file. Returns its size.
///
/// # Errors
/// The reason; `to` is then to be thrown away.
pub(crate) fn download(download: &FileDownload<'_>, to: &File, control: &Control<'_>) -> Result<u64, Error> {
    let mut arrived = Arrived::default();
    attempts(control, |_| {
        let mut call = download.call(Method::GET)?;
        arrived.resume(&mut call, to)?;
        let end = download.sites.send(&call, control, |response| arrived.receive(download, response, to, control))?;
        if end == End::Counted { Ok(()) } else { download.check_length(&mut arrived, end, control) }
    })?;
    Ok(arrived.bytes)
}

impl FileDownload<'_> {
    fn call(&self, method: Method) -> Result<FileRequest, Error> {
        Ok(FileRequest::new(method, self.address.clone(), (self.credential)()?))
    }

    /// Compares a body that came without a length with the size that is known from elsewhere.
    fn check_length(&self, arrived: &mut Arrived, end: End, control: &Control<'_>) -> Result<(), Error> {
        if self.fetch.size == Some(arrived.bytes) {
            return Ok(());
        }
        // A failure of this request alone must not fetch the object again.
        let head = attempts(control, |_| self.sites.exchange(&self.call(Method::HEAD)?, control))?;
        let size = head.header(CONTENT_LENGTH).filter(|_| head.status.is_success()).and_then(|size| size.parse().ok());
        match size.or(self.fetch.size) {
            Some(size) if size == arrived.bytes => Ok(()),
            Some(size) => Err(arrived.failed(&format!("{} bytes arrived of {size}", arrived.bytes))),
            None if end == End::Chunked => Ok(()),
            None => Err(arrived.failed("the server tells no length, so that the object may be cut off")),
        }
    }
}

impl Arrived {
    /// Asks for the rest, if it is sure to be one of the same file.
    fn resume(&mut self, call: &mut FileRequest, to: &File) -> Result<(), Error> {
        match (&self.etag, self.bytes) {
            (Some(etag), 1..) => {
                let range = format!("bytes={}-", self.bytes);
                let range = HeaderValue::try_from(range).map_err(|_| Error::new(ErrorKind::Rejected, "no range"))?;
                call.headers.insert(RANGE, range);
                call.headers.insert(IF_MATCH, etag.clone());
                Ok(())
            }
            _ => self.restart(to),
        }
    }

    fn restart(&mut self, to: &File) -> Result<(), Error> {
        *self = Self::default();
        to.set_len(0).map_err(|error| Error::file("empty the input file", &error))
    }

    /// Writes the body of a response.
    fn receive(
        &mut self,
        download: &FileDownload<'_>,
        mut response: Response<'_>,
        to: &File,
        control: &Control<'_>,
    ) -> Result<End, Error> {
        let size = self.begin(download, &mut response, to, control)?;
        if let Some(size) = size {
            download.fetch.check_size(size)?;
        }
        loop {
            let piece = match response.next(control) {
                Ok(Some(piece)) => piece,
                Ok(None) => break,
                Err(error @ TransportError::Broken { .. }) => {
                    return Err(Error::passing(ErrorKind::Truncated, error.to_string()));
                }
                Err(error) => return Err(error.into()),
            };
            let bytes = self.bytes + piece.len() as u64;
            download.fetch.check_size(bytes)?;
            to.write_all_at(&piece, self.bytes).map_err(|error| Error::file("write the input file", &error))?;
            self.bytes = bytes;
        }
        match size {
            Some(size) if size != self.bytes => {
                let detail = format!("{} bytes arrived of {size}", self.bytes);
                Err(Error::passing(ErrorKind::Truncated, detail))
            }
            Some(_) => Ok(End::Counted),
            None if response.headers.contains_key(TRANSFER_ENCODING) => Ok(End::Chunked),
            None => Ok(End::Closed),
        }
    }

    /// Reads the head: the whole file or its rest, and its size.
    fn begin(
        &mut self,
        download: &FileDownload<'_>,
        response: &mut Response<'_>,
        to: &File,
        control: &Control<'_>,
    ) -> Result<Option<u64>, Error> {
        let range = response.header(CONTENT_RANGE).and_then(ContentRange::parse);
        // Some servers send a part with 200.
        let is_part = response.status == StatusCode::PARTIAL_CONTENT || range.is_some();
        match response.status {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT if is_part => self.check_part(response, range),
            StatusCode::OK if may_be_page(response) && (download.is_folder)()? => Err(folder()),
            StatusCode::OK => {
                self.restart(to)?;
                self.etag = strong(response);
                Ok(response.header(CONTENT_LENGTH).and_then(|size| size.parse().ok()))
            }
            StatusCode::PRECONDITION_FAILED if self.bytes > 0 => Err(replaced()),
            StatusCode::RANGE_NOT_SATISFIABLE if self.bytes > 0 => {
                Err(self.failed("the server has no more of the object"))
            }
            _ => Err(failure(response, control)),
        }
    }

    /// Checks that a part continues the one that is there.
    fn check_part(&mut self, response: &Response<'_>, range: Option<ContentRange>) -> Result<Option<u64>, Error> {
        let etag = response.headers.get(ETAG);
        if etag.is_some() && self.etag.is_some() && etag != self.etag.as_ref() {
            return Err(replaced());
        }
        match range {
            Some(range) if range.first == self.bytes => {
                if self.bytes == 0 {
                    self.etag = strong(response);
                }
                Ok(range.total)
            }
            _ => Err(self.failed("the server sent another part of the object than the one it was asked for")),
        }
    }

    /// An error after which the next attempt begins at the start.
    fn failed(&mut self, detail: &str) -> Error {
        self.etag = None;
        Error::passing(ErrorKind::Truncated, detail)
    }
}

/// The ETag of a response, if it is one for the bytes and not for their meaning (RFC 9110 §8.8.1).
fn strong(response: &Response<'_>) -> Option<HeaderValue> {
    response.headers.get(ETAG).filter(|etag| etag.as_bytes().starts_with(b"\"")).cloned()
}

fn replaced() -> Error {
    Error::new(ErrorKind::Changed, "the object was replaced while it was fetched")
}

/// Whether a response may be a page with the files of a folder: such pages are made anew each time.
fn may_be_page(response: &Response<'_>) -> bool {
    let is_html = response.header(CONTENT_TYPE).is_some_and(|media| media.starts_with("text/html"));
    is_html && !response.headers.contains_key(ETAG) && !response.headers.contains_key(LAST_MODIFIED)
}

fn folder() -> Error {
    Error::new(ErrorKind::NotFound, "this is a folder")
}

/// A response that is no file.
fn failure(response: &mut Response<'_>, control: &Control<'_>) -> Error {
    let mut body = Vec::new();
    if let Ok(Some(piece)) = response.next(control) {
        body.extend_from_slice(&piece);
    }
    let answer = Answer { status: response.status, headers: std::mem::take(&mut response.headers), body };
    let error = answer.failure("GET");
    match answer.status.as_u16() {
        // A folder, which is known by its address with a slash.
        405 => Error { kind: ErrorKind::NotFound, again: Again::Never, ..error },
        300..=399 if answer.header(LOCATION).is_some_and(|to| to.ends_with('/')) => folder(),
        _ => error,
    }
}

/// `Content-Range: bytes FIRST-LAST/TOTAL`.
#[derive(Debug, PartialEq, Eq)]
struct ContentRange {
    first: u64,
    total: Option<u64>,
}

impl ContentRange {
    fn parse(value: &str) -> Option<Self> {
        let (range, total) = value.trim().strip_prefix("bytes")?.trim_start().split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
        (first <= last).then_some(Self { first, total: total.parse().ok() })
    }
}

#[cfg(test)]
mod tests;
