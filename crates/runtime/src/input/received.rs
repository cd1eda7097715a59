//! A request body after it has been received: its files, and the properties that the function is told.

use std::{ffi::OsString, path::PathBuf};

/// The kind of a body, as the log line names it.
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
    /// The input file, or the input directory if there are several files; `None` if the function takes no input file.
    pub path: Option<PathBuf>,
    /// The kind of the body.
    pub kind: InputKind,
    /// Bytes on disk, all files together.
    pub bytes: u64,
    /// The storage event, if the body has the exact shape of one.
    pub event: Option<StorageEvent>,
    /// Further variables for the function, set by an [`InputFilter`](super::InputFilter).
    pub variables: Vec<(OsString, OsString)>,
    /// Log lines about the layers that an [`InputFilter`](super::InputFilter) removed.
    pub notes: Vec<&'static str>,
    /// The name of the store that an event is from, where an envelope around it has told that.
    pub provider: Option<String>,
    /// The parts of a form, in the order sent.
    pub parts: Vec<FormPart>,
}

impl Input {
    /// An input of one file that is neither an event nor a form.
    #[must_use]
    pub fn new(path: PathBuf, kind: InputKind, bytes: u64) -> Self {
        Self { path: Some(path), bytes, ..Self::without_file(kind) }
    }

    /// An input without a file.
    #[must_use]
    pub fn without_file(kind: InputKind) -> Self {
        Self {
            path: None,
            kind,
            bytes: 0,
            event: None,
            variables: Vec::new(),
            notes: Vec::new(),
            provider: None,
            parts: Vec::new(),
        }
    }
}

/// A stored part of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormPart {
    /// The name of the field, if it has one.
    pub name: Option<String>,
    /// The file with its content.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// Whether it was sent as a file, with a file name.
    pub is_file: bool,
}

/// The parts of a storage event (an S3 notification) that the function is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageEvent {
    /// `Records[0].s3.object.key`, URL-decoded.
    pub object_key: String,
    /// `Records[0].eventTime`, as sent; empty if absent.
    pub time: String,
    /// The whole event, verbatim.
    pub json: String,
}
