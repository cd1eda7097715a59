//! E

use std::io;

use crate::argument_error::ArgumentErrors;

/// Why there are no arguments.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// What was given is wrong.
    #[error(transparent)]
    Invalid(#[from] ArgumentErrors),
    /// The content of a `path` argument could not be stored.
    #[error("cannot store an argument: {0}")]
    Store(#[from] io::Error),
}
