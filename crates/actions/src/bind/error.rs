//! The error of binding arguments.

use std::io;

use crate::argument_error::ArgumentErrors;

/// The reason why arguments could not be bound.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The input is invalid.
    #[error(transparent)]
    Invalid(#[from] ArgumentErrors),
    /// The content of a `path` argument could not be stored.
    #[error("cannot store an argument: {0}")]
    Store(#[from] io::Error),
}
