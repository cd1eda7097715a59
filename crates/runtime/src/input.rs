//! Body → input file.
//!
//! Knows encodings, not sockets: what arrives is a [`BodySource`] of pieces with the sender's [`ContentHeaders`], what comes out
//! is an [`Input`] on disk. Memory does not grow with the body.

use std::{
    ffi::{OsStr, OsString},
    io,
    os::{fd::BorrowedFd, unix::ffi::OsStrExt as _},
    path::{Path, PathBuf},
};

use bandog_codec::{gzip, multipart};
use bytes::Bytes;
use rustix::fs::{AtFlags, Dir, unlinkat};

pub use arguments::arguments;
use envelope::BodyFormat;
pub use envelope::Envelope;
pub use error::{BodyForm, InputError, InputErrorKind};
pub use event::{StorageNotification, storage_notification};
pub use filter::InputFilter;
use form::FormDecoder;
use store::InputFiles;
pub use store::store_file;
use text::TextDecoder;

mod arguments;
#[cfg(any(test, feature = "testing"))]
pub mod chunkings;
#[cfg(test)]
mod corpus;
mod envelope;
mod error;
mod event;
pub mod filename;
mod filter;
mod form;
pub mod shape;
mod store;
#[cfg(test)]
mod tests;
mod text;

/// What the sender said about a body: the raw values of the header fields of the same names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContentHeaders {
    /// `Content-Type`.
    pub content_type: Option<Vec<u8>>,
    /// `Content-Encoding`; several fields are joined with a comma.
    pub content_encoding: Option<Vec<u8>>,
    /// `Content-Transfer-Encoding`.
    pub content_transfer_encoding: Option<Vec<u8>>,
    /// `Content-Disposition`.
    pub content_disposition: Option<Vec<u8>>,
}

/// A body that arrives piece by piece. Reading blocks.
pub trait BodySource {
    /// The next piece, never empty; `None` at the proper end of the body.
    fn next(&mut self) -> Result<Option<Bytes>, BodyError>;
}

/// Why a body did not arrive whole.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The client went away before the end, or what it sent cannot be told from that: bad chunks, a half-closed
    /// connection.
    #[error("the body broke off before its end")]
    Incomplete,
    /// The client took longer than `--read-timeout`.
    #[error("the body did not arrive in time")]
    TimedOut,
    /// Reading a local file or the standard input failed.
    #[error("cannot read the input: {0}")]
    Io(#[from] io::Error),
}

/// Where input files go: a directory of the workspace, by descriptor (to create in) and by path (to tell the function).
#[derive(Debug, Clone, Copy)]
pub struct InputDir<'a> {
    /// The open directory.
    pub fd: BorrowedFd<'a>,
    /// Its absolute path.
    pub path: &'a Path,
}

impl InputDir<'_> {
    /// Removes the files that were received.
    pub fn clear(self) -> io::Result<()> {
        for entry in Dir::read_from(self.fd)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name != "." && name != ".." {
                unlinkat(self.fd, name, AtFlags::empty())?;
            }
        }
        Ok(())
    }
}

/// What kind of body it was; the word in the log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputKind {
    /// No byte.
    Empty,
    /// JSON, stored verbatim.
    Json,
    /// Decoded from base64.
    Base64,
    /// `text/plain` that was neither JSON nor base64.
    Text,
    /// The bytes as sent.
    Raw,
    /// `multipart/form-data`.
    Multipart,
}

impl std::fmt::Display for InputKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Empty => "empty",
            Self::Json => "JSON",
            Self::Base64 => "base64",
            Self::Text => "text",
            Self::Raw => "raw",
            Self::Multipart => "multipart",
        })
    }
}

/// An input that is ready on disk.
#[derive(Debug)]
pub struct Input {
    /// The input file, or the input directory if there were several; `None` where none is wanted.
    pub path: Option<PathBuf>,
    /// The kind of body that it came from.
    pub kind: InputKind,
    /// Bytes on disk, all files together.
    pub bytes: u64,
    /// The storage event that the body is, if it has the exact shape of one.
    pub event: Option<StorageEvent>,
    /// Further variables for the function, set by an [`InputFilter`].
    pub variables: Vec<(OsString, OsString)>,
    /// Log lines about the layers that an [`InputFilter`] has removed.
    pub notes: Vec<&'static str>,
    /// The parts of a form, in the order sent.
    pub parts: Vec<FormPart>,
}

/// A part of a form, stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormPart {
    /// The name of the field, if it has one.
    pub name: Option<String>,
    /// Where it is.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// Whether it was sent as a file, which has a name of its own.
    pub is_file: bool,
}

impl Input {
    /// An input of one file that is neither an event nor a form.
    #[must_use]
    pub fn new(path: PathBuf, kind: InputKind, bytes: u64) -> Self {
        Self { path: Some(path), kind, bytes, event: None, variables: Vec::new(), notes: Vec::new(), parts: Vec::new() }
    }
}

/// The parts of a storage event (an S3 notification) that the function is told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageEvent {
    /// `Records[0].s3.object.key`, URL-decoded.
    pub object_key: String,
    /// `Records[0].eventTime`, as sent; empty if absent.
    pub time: String,
    /// The whole event, verbatim.
    pub json: String,
}

/// Reads a body to its end and leaves what it holds in `dir`. Neither the body as sent nor what it unpacks to may be
/// longer than `max_body` bytes (0: no limit). After an error `dir` is as it was.
///
/// A body without a byte is an empty file, whatever its type.
pub fn receive(
    envelope: &Envelope,
    source: &mut dyn BodySource,
    dir: InputDir<'_>,
    max_body: u64,
) -> Result<Input, InputError> {
    let mut body = BodyDecoder::new(envelope, dir);
    let mut sent = SizeLimit { bytes: 0, limit: max_body, form: BodyForm::Sent };
    let mut unpacked = SizeLimit { bytes: 0, limit: max_body, form: BodyForm::Decompressed };
    let mut gunzip = envelope.gzip.then(gzip::Gunzip::new);
    while let Some(piece) = source.next()? {
        sent.count(&piece)?;
        match &mut gunzip {
            None => body.push(&piece)?,
            Some(gunzip) => gunzip.push(&piece, |plain| {
                unpacked.count(plain)?;
                body.push(plain)
            })?,
        }
    }
    if let Some(gunzip) = gunzip {
        gunzip.finish()?;
    }
    body.finish(envelope, dir)
}

/// Counts bytes against a limit.
struct SizeLimit {
    bytes: u64,
    /// 0 for none.
    limit: u64,
    form: BodyForm,
}

impl SizeLimit {
    fn count(&mut self, piece: &[u8]) -> Result<(), InputError> {
        self.bytes += piece.len() as u64;
        if self.limit > 0 && self.bytes > self.limit {
            return Err(InputError::TooLarge { limit: self.limit, form: self.form });
        }
        Ok(())
    }
}

/// A body while it arrives, without its content encoding.
enum BodyDecoder<'a> {
    Text { text: TextDecoder, file: SingleFile<'a>, empty: bool },
    Raw { file: SingleFile<'a> },
    Multipart { parser: Box<multipart::Parser>, form: Box<FormDecoder<'a>>, empty: bool },
}

/// A body that becomes one file.
struct SingleFile<'a> {
    store: InputFiles<'a>,
    path: PathBuf,
}

impl<'a> BodyDecoder<'a> {
    fn new(envelope: &Envelope, dir: InputDir<'a>) -> Self {
        let single = || SingleFile::new(envelope, dir);
        match &envelope.content {
            BodyFormat::Text(choice) => Self::Text { text: TextDecoder::new(*choice), file: single(), empty: true },
            BodyFormat::Raw | BodyFormat::Fields => Self::Raw { file: single() },
            BodyFormat::Multipart(boundary) => Self::Multipart {
                parser: Box::new(multipart::Parser::new(boundary)),
                form: Box::new(FormDecoder::new(dir)),
                empty: true,
            },
        }
    }

    fn push(&mut self, piece: &[u8]) -> Result<(), InputError> {
        match self {
            Self::Text { text, file, empty } => {
                *empty &= piece.is_empty();
                text.push(piece, &mut file.store)
            }
            Self::Raw { file } => file.store.write(piece).map_err(InputError::Store),
            Self::Multipart { parser, form, empty } => {
                *empty &= piece.is_empty();
                parser.push(piece, form.as_mut())
            }
        }
    }

    fn finish(self, envelope: &Envelope, dir: InputDir<'_>) -> Result<Input, InputError> {
        match self {
            Self::Text { file, empty: true, .. } => file.finish(InputKind::Empty),
            Self::Text { text, mut file, empty: false } => {
                let kind = text.finish(&mut file.store)?;
                file.finish(kind)
            }
            Self::Raw { file } => {
                let kind = if file.store.len() == 0 { InputKind::Empty } else { InputKind::Raw };
                file.finish(kind)
            }
            Self::Multipart { empty: true, .. } => SingleFile::new(envelope, dir).finish(InputKind::Empty),
            Self::Multipart { parser, form, empty: false } => {
                parser.finish()?;
                let (path, bytes, parts, store) = form.finish(dir)?;
                store.keep();
                Ok(Input { parts, ..Input::new(path, InputKind::Multipart, bytes) })
            }
        }
    }
}

impl<'a> SingleFile<'a> {
    fn new(envelope: &Envelope, dir: InputDir<'a>) -> Self {
        let name = envelope.name.clone().unwrap_or_else(|| filename::generated(envelope.extension));
        Self { path: dir.path.join(&name), store: InputFiles::new(dir, name) }
    }

    fn finish(mut self, kind: InputKind) -> Result<Input, InputError> {
        let event = match (kind, self.store.in_memory()) {
            (InputKind::Json, Some(json)) => event::recognised(json),
            _ => None,
        };
        let bytes = self.store.end().map_err(InputError::Store)?;
        self.store.keep();
        Ok(Input { event, ..Input::new(self.path, kind, bytes) })
    }
}
