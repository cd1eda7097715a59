//! An object that is fetched into a file, and resumed where it broke off.

use std::os::unix::fs::FileExt as _;

use http::{HeaderMap, Method, StatusCode, header};

use super::{
    api::{Api, Call, Failure},
    digest::etag,
};
use crate::{
    control::Control,
    error::{Again, Error, ErrorKind},
    http::Response,
    object::ObjectPath,
    provider::{Fetch, Fetched, NewFile},
    retry::attempts,
};

/// Bytes of progress after which a connection that breaks is no failure of the store: the next one continues at once, and
/// attempts are counted anew.
const PROGRESS: u64 = 1024 * 1024;

/// Fetches an object.
pub(super) fn fetch(api: &Api, fetch: &Fetch<'_>, control: &Control<'_>) -> Result<Fetched, Error> {
    let mut download = Download { api, fetch, file: fetch.create()?, written: 0, furthest: 0, size: None, etag: None };
    attempts(control, |_| {
        loop {
            let before = download.furthest;
            match download.attempt(control) {
                Err(error) if error.again != Again::Never && download.furthest - before >= PROGRESS => {
                    control.check()?;
                    tracing::debug!("continues after {} bytes: {error}", download.written);
                }
                done => return done,
            }
        }
    })?;
    download.file.keep()
}

/// An object that is being fetched.
struct Download<'a> {
    api: &'a Api,
    fetch: &'a Fetch<'a>,
    file: NewFile<'a>,
    /// Bytes that are in the file.
    written: u64,
    /// The most bytes that ever were. A store that starts again each time makes no progress.
    furthest: u64,
    /// Bytes of the object, once a response has told them.
    size: Option<u64>,
    etag: Option<String>,
}

/// The bytes that a response has.
#[derive(Debug, PartialEq, Eq)]
struct Span {
    first: u64,
    /// Bytes of the object.
    total: Option<u64>,
}

impl Download<'_> {
    /// Fetches what is missing.
    fn attempt(&mut self, control: &Control<'_>) -> Result<(), Error> {
        let mut call = Call::new(Method::GET, self.fetch.from);
        // Without a strong ETag (RFC 9110 §13.1.1) two versions could be put together.
        let known = self.etag.clone().filter(|etag| self.written > 0 && !etag.starts_with("W/"));
        match known {
            Some(etag) => {
                call.headers.push((header::RANGE, format!("bytes={}-", self.written)));
                call.headers.push((header::IF_MATCH, etag));
            }
            None => self.start_again()?,
        }
        let api = self.api;
        match api.send(&call, control, |response| self.take(response, control)) {
            Ok(()) => Ok(()),
            Err(Failure::Refused(refusal)) if refusal.status == StatusCode::RANGE_NOT_SATISFIABLE => {
                let total = refusal.content_range.as_deref().and_then(|range| range.rsplit('/').next()?.parse().ok());
                // The part that is missing may have no byte: the size was not known.
                if self.written > 0 && total == Some(self.written) && self.size.is_none_or(|size| size == self.written)
                {
                    return Ok(());
                }
                Err(changed("the object is shorter now"))
            }
            Err(Failure::Refused(refusal)) if refusal.status == StatusCode::PRECONDITION_FAILED => {
                Err(changed("the object was replaced while it was read"))
            }
            Err(failure) => Err(failure.into()),
        }
    }

    /// Writes the body of a success to the file.
    fn take(&mut self, response: &mut Response<'_>, control: &Control<'_>) -> Result<(), Error> {
        self.begin(response)?;
        while let Some(piece) = response.next(control)? {
            let end = self.written + piece.len() as u64;
            self.fetch.check_size(end)?;
            let written = self.file.file.write_all_at(&piece, self.written);
            written.map_err(|error| Error::file("write the input file", &error))?;
            self.written = end;
            self.furthest = self.furthest.max(end);
        }
        let size = match self.size {
            Some(size) => Some(size),
            None => self.told_size(control)?,
        };
        match size {
            Some(size) if size == self.written => Ok(()),
            Some(size) => Err(truncated(&format!("{} of {size} bytes arrived", self.written))),
            // The end of a chunked body is part of it; that of another may be the end of the connection alone.
            None if response.headers.contains_key(header::TRANSFER_ENCODING) => Ok(()),
            None => Err(truncated("the store tells the size of the object nowhere")),
        }
    }

    /// Looks at the head of a success: which bytes follow, and of which object.
    fn begin(&mut self, response: &Response<'_>) -> Result<(), Error> {
        let new = etag(&response.headers);
        let span = span(&response.headers);
        let continues = span.as_ref().is_some_and(|span| span.first > 0 && span.first == self.written);
        if continues {
            if let (Some(old), Some(new)) = (&self.etag, new)
                && old != new
            {
                return Err(changed("the object was replaced while it was read"));
            }
        } else {
            if span.as_ref().is_some_and(|span| span.first > 0) {
                // With `Again`, since the next request asks for all of it.
                self.etag = None;
                return Err(truncated("the store sent another part than the one asked for"));
            }
            self.start_again()?;
            self.etag = new.map(str::to_owned);
        }
        let length = content_length(&response.headers);
        let total = match span {
            Some(span) => span.total.or(length.map(|length| length + span.first)),
            None if response.status == StatusCode::PARTIAL_CONTENT => {
                return Err(truncated("the store sent a part without 'Content-Range'"));
            }
            None => length,
        };
        if continues && self.size.is_some() && total.is_some() && self.size != total {
            return Err(changed("the size of the object is another one now"));
        }
        self.size = total.or(self.size);
        self.size.map_or(Ok(()), |size| self.fetch.check_size(size))
    }

    /// The size of the object by HEAD, or else by the event.
    fn told_size(&self, control: &Control<'_>) -> Result<Option<u64>, Error> {
        let mut call = Call::new(Method::HEAD, self.fetch.from);
        call.headers.extend(self.etag.clone().map(|etag| (header::IF_MATCH, etag)));
        let told = self.api.send(&call, control, |response| Ok(content_length(&response.headers)));
        match told {
            Ok(told) => Ok(told.or(self.fetch.size)),
            Err(Failure::Refused(refusal)) if refusal.status == StatusCode::PRECONDITION_FAILED => {
                Err(changed("the object was replaced while it was read"))
            }
            // A store without HEAD.
            Err(Failure::Refused(_)) => Ok(self.fetch.size),
            Err(failure) => Err(failure.into()),
        }
    }

    fn start_again(&mut self) -> Result<(), Error> {
        if self.written > 0 {
            self.file.file.set_len(0).map_err(|error| Error::file("empty the input file", &error))?;
        }
        (self.written, self.size, self.etag) = (0, None, None);
        Ok(())
    }
}

/// Looks at an object without fetching it. Returns the head of the response.
pub(super) fn head(api: &Api, at: &ObjectPath, control: &Control<'_>) -> Result<HeaderMap, Error> {
    Ok(api.send(&Call::new(Method::HEAD, at), control, |response| Ok(response.headers.clone()))?)
}

pub(super) fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// `Content-Range: bytes FIRST-LAST/TOTAL`. It counts with status 200 too: rclone sends parts so.
fn span(headers: &HeaderMap) -> Option<Span> {
    let range = headers.get(header::CONTENT_RANGE)?.to_str().ok()?.trim().strip_prefix("bytes ")?;
    let (range, total) = range.split_once('/')?;
    let (first, _) = range.split_once('-')?;
    Some(Span { first: first.trim().parse().ok()?, total: total.trim().parse().ok() })
}

fn changed(detail: &str) -> Error {
    Error::new(ErrorKind::Changed, detail)
}

fn truncated(detail: &str) -> Error {
    Error::passing(ErrorKind::Truncated, detail)
}
