//! Output directory → one file, several, or none; and the encodings they leave in.
//!
//! Knows files and byte formats, not HTTP: [`collect()`] finds what a function left, [`FileTree`] writes it as a zip,
//! [`base64`] encodes it, and all of it goes piece by piece to a [`BodySink`]. Which of those forms is sent, and under
//! which header fields, is decided in [`crate::reply`].
//!
//! Nothing here grows with the size of the files: a piece is at most [`buffer::CHUNK`] bytes, and of each file only
//! its path and some sixty bytes are kept.

use std::{io, path::PathBuf};

use bytes::Bytes;

pub mod access;
pub mod base64;
pub mod buffer;
pub mod collect;
pub mod file;
mod files;
mod names;
pub mod response_headers;
pub mod spill;
#[cfg(test)]
pub(crate) mod testing;
pub mod tree;
pub mod zip;

pub(crate) use self::names::portable;
#[cfg(test)]
pub(crate) use self::response_headers::parse as parse_response_headers;
pub use self::{
    access::FileAccess,
    collect::{collect, is_empty},
    file::{OutputFile, STDOUT_NAME},
    files::{FileOpener, OutputFiles},
    response_headers::{ResponseHeaders, read_response_headers},
    spill::SpillBuffer,
    tree::{FileTree, send_entry},
};

/// Where encoded bytes go: the socket's channel or the standard output. Blocks while the reader is slow.
pub trait BodySink {
    /// Hands over one piece.
    fn send(&mut self, piece: Bytes) -> Result<(), Disconnected>;

    /// Bytes of a piece of a file, at most.
    fn chunk(&self) -> usize {
        buffer::CHUNK
    }

    /// How many bytes the next [`BodySink::send`] takes without waiting; 0 if it would wait for the reader.
    ///
    /// Asked before each piece that is sent while the function runs, so that a slow reader never holds up its
    /// supervision.
    fn room(&self) -> usize {
        usize::MAX
    }
}

/// The reader has closed its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the reader went away")]
pub struct Disconnected;

/// The files that a function left in its output directory.
///
/// It owns the descriptors it needs: a single file can be sent after the workspace is gone, several only while their
/// directory still holds them.
#[derive(Debug)]
pub enum Output {
    /// No regular file: the logs are the answer.
    None,
    /// Exactly one.
    File(OutputFile),
    /// Several.
    Tree(FileTree),
    /// Standard output, which was passed on while the function ran; the number of bytes.
    Streamed(u64),
}

impl Output {
    /// The kind of the output that the response is made of.
    #[must_use]
    pub fn kind(&self) -> OutputKind {
        match self {
            Self::None => OutputKind::Logs,
            Self::File(file) if file.is_bare() => OutputKind::Stdout,
            Self::File(_) => OutputKind::File,
            Self::Streamed(_) => OutputKind::Stdout,
            Self::Tree(_) => OutputKind::Zip,
        }
    }

    /// How many files there are.
    #[must_use]
    pub fn files(&self) -> usize {
        match self {
            Self::None => 0,
            Self::File(_) | Self::Streamed(_) => 1,
            Self::Tree(tree) => tree.len(),
        }
    }

    /// The sum of their sizes, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        match self {
            Self::None => 0,
            Self::File(file) => file.size(),
            Self::Tree(tree) => tree.bytes(),
            Self::Streamed(bytes) => *bytes,
        }
    }
}

/// The kind of an output: the word in `X-Output-Kind` and in the log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputKind {
    /// The one file.
    File,
    /// Several files, as a zip.
    Zip,
    /// The captured logs, as there is no file.
    Logs,
    /// Standard output, unchanged.
    Stdout,
}

impl OutputKind {
    /// The word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Zip => "zip",
            Self::Logs => "logs",
            Self::Stdout => "stdout",
        }
    }
}

impl std::fmt::Display for OutputKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Why what a function left cannot be answered with: its directory could not be read whole, or its response_headers file
/// makes no sense.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutputError {
    /// A file or directory could not be read; leaving it out would make a smaller answer look whole.
    #[error("cannot read the output {path:?}: {source}")]
    Read {
        /// Which.
        path: PathBuf,
        /// The error of the kernel.
        source: io::Error,
    },
    /// Directories in directories in directories.
    #[error("the output {path:?} lies deeper than {limit} directories; put it nearer to the output directory", limit = collect::DEPTH_LIMIT)]
    TooDeep {
        /// The first directory that is too deep.
        path: PathBuf,
    },
    /// A path that no program could open by name.
    #[error("an output path is longer than {limit} bytes: {path:?}; use shorter names", limit = collect::PATH_LIMIT)]
    PathTooLong {
        /// The path below the output directory.
        path: PathBuf,
    },
    /// The response_headers file is not a plain, readable file.
    #[error("cannot read the response headers (RESPONSE_HEADERS_PATH): {0}")]
    HeadersFile(#[source] io::Error),
    /// The response_headers file is too large to be meant.
    #[error(
        "the response headers (RESPONSE_HEADERS_PATH) are longer than {limit} bytes; send data in an output file",
        limit = response_headers::SIZE_LIMIT
    )]
    HeadersTooLarge,
    /// A line of the response_headers file says nothing that could be sent.
    #[error("line {line} of the response headers (RESPONSE_HEADERS_PATH) is {text:?}; expected {expected}")]
    HeaderLine {
        /// Its number, from 1.
        line: usize,
        /// The line, shortened.
        text: String,
        /// The expected form.
        expected: &'static str,
    },
}

/// The reason why a response stopped before its end. The part that was sent must not look complete: the connection is
/// reset, and the exit code is not 0.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The reader went away.
    #[error(transparent)]
    Disconnected(#[from] Disconnected),
    /// A file was changed, replaced or removed while it was being sent.
    #[error("the output {name:?} changed while it was being sent")]
    Changed {
        /// Its path below the output directory.
        name: PathBuf,
    },
    /// A file could not be read to its end.
    #[error("cannot read the output {name:?}: {source}")]
    Read {
        /// Its path below the output directory.
        name: PathBuf,
        /// The error of the kernel.
        source: io::Error,
    },
    /// The captured logs could not be read to their end.
    #[error("cannot read the captured logs: {0}")]
    Logs(#[source] io::Error),
    /// The function failed when a part of its output had been passed on.
    #[error("the function failed after {sent} bytes of its output had been sent")]
    Failed {
        /// Bytes of its output.
        sent: u64,
    },
    /// The length announced and the bytes sent differ.
    #[error("{sent} bytes were sent where {announced} were announced")]
    Length {
        /// Bytes, as announced.
        announced: u64,
        /// Bytes, as sent.
        sent: u64,
    },
}
