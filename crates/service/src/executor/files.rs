//! The files of a directory, and nothing outside of it.
//!
//! The crates that exist for this open a path as it is, and so follow links out of the directory; here the kernel is asked
//! not to (`directory`). All that touches the disk is done on a worker thread; the pieces of a file cross to the network
//! thread in the same way as those of an output.

mod conditions;
mod directory;

use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd},
    sync::Arc,
    time::{Duration, SystemTime},
};

use hyper::{
    HeaderMap, Method, StatusCode,
    header::{
        ACCEPT_RANGES, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, LAST_MODIFIED, LOCATION,
        X_CONTENT_TYPE_OPTIONS,
    },
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use rustix::io::{pread, retry_on_intr};
use tokio::{runtime::Handle, sync::oneshot};

pub use self::directory::StaticDir;
use self::{
    conditions::{Conditions, FileRange, Version},
    directory::{File, Lookup},
};
use crate::{
    body::{Response, ResponseSender},
    call::{Admitted, Held},
    context::Context,
    executor::process::no_thread,
    invocation::{Cause, Failure, Outcome, Report},
    output::{
        self, BodySink, Disconnected, TransferError,
        base64::{Base64Encoder, encoded_len},
        buffer::{ChunkBuf, ChunkWriter},
    },
    process::Cancel,
    reply::{CONTENT_TRANSFER_ENCODING, ErrorCode, Head, Problem, X_CALL_ID, X_OUTPUT_KIND},
};

/// The characters that are not encoded in a path segment (`unreserved` of RFC 3986 §2.3).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A request for a file, on its way to a thread.
struct FileCall {
    context: Arc<Context>,
    directory: Arc<StaticDir>,
    is_head: bool,
    path: String,
    query: Option<String>,
    conditions: Conditions,
    call_id: String,
    held: Held,
}

/// Answers a request for a file.
pub(crate) async fn call(
    context: &Arc<Context>,
    directory: &Arc<StaticDir>,
    admitted: Admitted<'_>,
) -> Result<Response, Problem> {
    let Admitted { call_id, head, permit, responder, .. } = admitted;
    let cancel = Cancel::new();
    let call = FileCall {
        context: Arc::clone(context),
        directory: Arc::clone(directory),
        is_head: head.method == Method::HEAD,
        path: head.uri.path().to_owned(),
        query: head.uri.query().map(str::to_owned),
        conditions: Conditions::of(&head.headers),
        call_id,
        held: Held { _permit: permit, _in_flight: context.lifecycle.in_flight().enter(&cancel) },
    };
    let (response, responded) = oneshot::channel();
    let limit = context.settings.timeouts.send.map(|limit| (limit, Handle::current()));
    let sender = ResponseSender::new(response, &cancel, limit).multiplexed(responder.is_multiplexed());
    context.workers.submit(move || call.run(sender)).map_err(|error| {
        tracing::error!("cannot start a thread to read a file: {error}");
        no_thread(error)
    })?;
    responded
        .await
        .map_err(|_| Problem::new(ErrorCode::Internal, "reading the file failed unexpectedly; see bandog's log"))
}

impl FileCall {
    fn run(self, mut port: ResponseSender) {
        let sent = match self.directory.find(&self.path) {
            Ok(Lookup::File(file)) => self.send(&file, &mut port),
            Ok(Lookup::Directory) => {
                self.redirect(&mut port);
                Ok(())
            }
            Ok(Lookup::Nothing) => self.refuse(Problem::new(ErrorCode::NotFound, "there is no such file"), &mut port),
            Err(error) => {
                tracing::error!(call_id = self.call_id, "cannot open {}: {error}", self.path);
                let problem = Problem::new(ErrorCode::Internal, "the file cannot be opened; see bandog's log");
                self.refuse(problem, &mut port)
            }
        };
        self.context.metrics.count(&outcome(&sent));
        drop(self.held);
        match sent {
            Ok(()) => port.finish(),
            Err(TransferError::Disconnected(Disconnected)) => {}
            // Dropping the sender without an end breaks the connection off.
            Err(error) => tracing::error!(call_id = self.call_id, "the answer was broken off: {error}"),
        }
    }

    fn send(&self, file: &File, port: &mut ResponseSender) -> Result<(), TransferError> {
        let version = Version { size: file.size, modified: file.modified };
        let encodes = self.context.settings.bodies.encode;
        let mut head = self.head(StatusCode::OK, Some(file.size));
        put(&mut head, ETAG, &version.tag());
        if let Some(modified) = version.date() {
            put(&mut head, LAST_MODIFIED, &modified);
        }
        if self.conditions.is_unchanged(&version) {
            (head.status, head.length) = (StatusCode::NOT_MODIFIED, None);
            bandog_runtime::call::ResponseWriter::begin(port, head, false);
            return Ok(());
        }
        let (mut from, mut length) = (0, file.size);
        // A range is of a GET alone (RFC 9110 §14.2).
        let range = if self.is_head { FileRange::Whole } else { self.conditions.part(&version) };
        match range {
            _ if encodes => {
                head.length = Some(encoded_len(file.size));
                put(&mut head, CONTENT_TYPE, "text/plain; charset=utf-8");
                put(&mut head, CONTENT_TRANSFER_ENCODING, "base64");
                put(&mut head, X_OUTPUT_KIND, "file");
            }
            FileRange::Whole => put(&mut head, CONTENT_TYPE, &media_type(&file.name)),
            FileRange::Range { first, last } => {
                (from, length) = (first, last - first + 1);
                (head.status, head.length) = (StatusCode::PARTIAL_CONTENT, Some(length));
                put(&mut head, CONTENT_RANGE, &format!("bytes {first}-{last}/{}", file.size));
                put(&mut head, CONTENT_TYPE, &media_type(&file.name));
            }
            FileRange::Beyond => {
                let detail = format!("the file has {} bytes", file.size);
                let range = HeaderValue::from_str(&format!("bytes */{}", file.size));
                let problem = Problem::new(ErrorCode::RangeNotSatisfiable, detail);
                let problem = range.into_iter().fold(problem, |problem, range| problem.header(CONTENT_RANGE, range));
                return self.refuse(problem, port);
            }
        }
        if !encodes {
            put(&mut head, ACCEPT_RANGES, "bytes");
        }
        let expected = head.length.unwrap_or(length);
        bandog_runtime::call::ResponseWriter::begin(port, head, false);
        if self.is_head {
            return Ok(());
        }
        let mut outlet = ChunkWriter::new(port, expected);
        if encodes {
            let mut base64 = Base64Encoder::new(&mut outlet, length);
            pour(file, from, length, &mut base64)?;
            base64.finish()?;
        } else {
            pour(file, from, length, &mut outlet)?;
        }
        outlet.finish()?;
        Ok(())
    }

    /// Redirects to the path with a slash at its end, without which relative links of the page would be wrong. The location
    /// is relative and begins with a dot, so that a path that the client made up cannot lead to another host.
    fn redirect(&self, port: &mut ResponseSender) {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        let name: Vec<u8> = percent_encoding::percent_decode_str(name).collect();
        let query = self.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
        let mut head = self.head(StatusCode::MOVED_PERMANENTLY, Some(0));
        put(&mut head, LOCATION, &format!("./{}/{query}", percent_encode(&name, SEGMENT)));
        bandog_runtime::call::ResponseWriter::begin(port, head, false);
    }

    fn refuse(&self, problem: Problem, port: &mut ResponseSender) -> Result<(), TransferError> {
        let (head, body) = self.context.page(problem.call_id(&self.call_id));
        bandog_runtime::call::ResponseWriter::begin(port, head, false);
        if !self.is_head {
            port.send(body)?;
        }
        Ok(())
    }

    fn head(&self, status: StatusCode, length: Option<u64>) -> Head {
        let mut head = Head { status, headers: HeaderMap::new(), length };
        put(&mut head, X_CALL_ID, &self.call_id);
        put(&mut head, X_CONTENT_TYPE_OPTIONS, "nosniff");
        head
    }
}

/// The outcome for the metrics. A missing file is a response, too.
fn outcome(sent: &Result<(), TransferError>) -> Outcome {
    match sent {
        Ok(()) => Outcome::Passed,
        Err(TransferError::Disconnected(Disconnected)) => Outcome::Cancelled { report: None, cause: Cause::ClientGone },
        Err(broken) => {
            let source = io::Error::other(broken.to_string());
            let failure = Failure::Output(output::OutputError::Read { path: ".".into(), source });
            Outcome::Failed { report: Report::of_exchange(Duration::ZERO), failure }
        }
    }
}

/// Reads a part of a file. One that has become shorter is [`TransferError::Changed`].
fn pour(file: &File, mut from: u64, mut left: u64, into: &mut dyn ChunkBuf) -> Result<(), TransferError> {
    while left > 0 {
        let buffer = into.room()?;
        let before = buffer.len();
        let room = (buffer.capacity() - before).min(usize::try_from(left).unwrap_or(usize::MAX));
        buffer.resize(before + room, 0);
        let read = read_at(file.fd.as_fd(), from, &mut buffer[before..]);
        buffer.truncate(before + *read.as_ref().unwrap_or(&0));
        match read.map_err(|source| TransferError::Read { name: file.name.clone().into(), source })? {
            0 => return Err(TransferError::Changed { name: file.name.clone().into() }),
            count => {
                from += count as u64;
                left -= count as u64;
            }
        }
    }
    Ok(())
}

fn read_at(file: BorrowedFd<'_>, offset: u64, into: &mut [u8]) -> io::Result<usize> {
    Ok(retry_on_intr(|| pread(file, &mut *into, offset))?)
}

/// The type by the name's extension. Text is taken for UTF-8, as everything is by now.
fn media_type(name: &str) -> String {
    match mime_guess::from_path(name).first_raw() {
        None => "application/octet-stream".to_owned(),
        Some(kind) if kind.starts_with("text/") => format!("{kind}; charset=utf-8"),
        Some(kind) => kind.to_owned(),
    }
}

fn put(head: &mut Head, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        head.headers.insert(name, value);
    }
}

/// Seconds and nanoseconds as stat(2) has them.
fn moment(seconds: i64, nanoseconds: u32) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::new(u64::try_from(seconds).ok()?, nanoseconds))
}
