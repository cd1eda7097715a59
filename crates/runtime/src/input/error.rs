//! The reasons why a body is not accepted, and what each means to its sender.

use std::io;

use bandog_codec::{base64, content_headers::HeaderError, gzip, json, multipart};

use super::{BodyError, StorageError, StorageErrorKind};
use crate::actions::{ArgumentErrors, BindError};

/// Why a body was not taken. Nothing has been started, and nothing is left of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
    /// It did not arrive whole.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// A header field that describes it is wrong.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// It is longer than `--max-body`.
    #[error("the body {form} is longer than {limit} bytes; see --max-body")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
        /// Where it was exceeded.
        form: BodyForm,
    },
    /// It is not gzip, though `Content-Encoding` says so.
    #[error("the body is {0}")]
    NotGzip(#[from] gzip::GunzipError),
    /// It can only be JSON, and is not.
    #[error("the body is not JSON: {0}")]
    NotJson(#[source] json::JsonError),
    /// It can only be base64, and is not.
    #[error("the body is not base64: {0}")]
    NotBase64(#[from] base64::Base64Error),
    /// It is labelled JSON and might have been base64.
    #[error("the body is neither JSON ({json}) nor base64 ({base64}){look}")]
    Neither {
        /// Why it is not JSON.
        json: json::JsonError,
        /// Why it is not base64.
        base64: base64::Base64Error,
        /// What it looks like, with the way out, if that can be told; else empty.
        look: String,
    },
    /// It does not begin as JSON does, and is not base64.
    #[error("the body is neither JSON, which begins with '{{', '[' or '\"', nor base64: {base64}; {way}")]
    NeitherBegun {
        /// Why it is not base64.
        base64: base64::Base64Error,
        /// The way out.
        way: String,
    },
    /// It is to become an object of the fields of a form, and is none.
    #[error("the body cannot become an object of the fields of a form: {0}; --forms raw stores it as it is")]
    NotForm(String),
    /// It is to become an object of the fields of a form, which are held in memory, and is too long for that.
    #[error(
        "the form is longer than the {limit} bytes of which an object is made; --forms raw stores it as it is, and \
         multipart/form-data makes a file of each field"
    )]
    LongForm {
        /// The limit in bytes.
        limit: usize,
    },
    /// It is labelled as a form with arguments, and has bytes that no form has.
    #[error(
        "the body is no form, though its Content-Type is application/x-www-form-urlencoded, as curl sets it by itself: \
         byte 0x{byte:02x} at offset {offset}; send a file with its own Content-Type, such as image/png or \
         application/octet-stream: curl -H 'Content-Type: application/octet-stream' --data-binary @FILE …"
    )]
    BytesInForm {
        /// The first such byte.
        byte: u8,
        /// Where.
        offset: usize,
    },
    /// It is not the form it is labelled as.
    #[error("the body is not multipart/form-data: {0}")]
    NotMultipart(#[from] multipart::FormError),
    /// It is an event about an object, which cannot be fetched.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// An [`InputFilter`](super::InputFilter) has found it wrong; this is the reason.
    #[error("{0}")]
    Filter(String),
    /// It holds no arguments that fit the action it is for.
    #[error("the arguments are wrong: {0}")]
    Arguments(ArgumentErrors),
    /// It is to be read as arguments, which are held in memory, and is too long for that.
    #[error("the arguments are longer than {limit} bytes; send what is large as a file, to an argument of type path")]
    LongArguments {
        /// The limit in bytes.
        limit: u64,
    },
    /// The input file could not be written (disk full, no inodes).
    #[error("cannot write the input file: {0}; make room in the directory of --workspace, or set another")]
    Store(#[source] io::Error),
}

/// Which of the two lengths of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyForm {
    /// As sent.
    Sent,
    /// After its content encoding was undone.
    Decompressed,
}

impl std::fmt::Display for BodyForm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Sent => "as sent",
            Self::Decompressed => "after unpacking",
        })
    }
}

/// The meaning of an [`InputError`] for the sender of the body; it determines status codes and exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InputErrorKind {
    /// The client went away.
    Incomplete,
    /// The client was too slow.
    TimedOut,
    /// A local file or the standard input could not be read.
    ReadFailed,
    /// The body or what is said about it is wrong.
    Bad,
    /// The body is over the limit.
    TooLarge,
    /// The body is in an encoding that bandog can't undo.
    UnsupportedEncoding,
    /// The object that the body names cannot be fetched.
    Storage(StorageErrorKind),
    /// The body holds no arguments that fit.
    Arguments,
    /// bandog could not store the body.
    Store,
}

impl From<BindError> for InputError {
    fn from(error: BindError) -> Self {
        match error {
            BindError::Invalid(flaws) => Self::Arguments(flaws),
            BindError::Store(error) => Self::Store(error),
        }
    }
}

impl InputError {
    /// The meaning for the sender of the body.
    #[must_use]
    pub fn kind(&self) -> InputErrorKind {
        match self {
            Self::Body(BodyError::Incomplete) => InputErrorKind::Incomplete,
            Self::Body(BodyError::TimedOut) => InputErrorKind::TimedOut,
            Self::Body(BodyError::Io(_)) => InputErrorKind::ReadFailed,
            Self::Header(HeaderError::UnsupportedEncoding { .. }) => InputErrorKind::UnsupportedEncoding,
            Self::Header(_)
            | Self::NotGzip(_)
            | Self::NotJson(_)
            | Self::NotBase64(_)
            | Self::Neither { .. }
            | Self::NeitherBegun { .. }
            | Self::NotMultipart(_)
            | Self::NotForm(_)
            | Self::BytesInForm { .. }
            | Self::Filter(_) => InputErrorKind::Bad,
            Self::TooLarge { .. } | Self::LongArguments { .. } | Self::LongForm { .. } => InputErrorKind::TooLarge,
            Self::Arguments(_) => InputErrorKind::Arguments,
            Self::Storage(error) => InputErrorKind::Storage(error.kind),
            Self::Store(_) => InputErrorKind::Store,
        }
    }
}
