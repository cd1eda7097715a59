//! A request body as the input sees it: chunks, and the ways in which they can stop.

use std::io;

use bytes::Bytes;

/// A body that arrives in chunks. Reading blocks.
pub trait BodySource {
    /// The next chunk, never empty; `None` at the proper end of the body.
    fn next(&mut self) -> Result<Option<Bytes>, BodyError>;
}

/// Why a body did not arrive whole.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The client disconnected before the end of the body, or sent something that looks the same from here: malformed
    /// chunks, or a connection closed for writing.
    #[error("the body broke off before its end")]
    Incomplete,
    /// The client took longer than `--read-timeout`.
    #[error("the body did not arrive in time")]
    TimedOut,
    /// Reading a local file or the standard input failed.
    #[error("cannot read the input: {0}")]
    Io(#[from] io::Error),
}
