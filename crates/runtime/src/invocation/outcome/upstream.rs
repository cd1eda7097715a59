//! Failures of servers that bandog passes requests on to.

use std::{fmt, io};

use crate::process::Exit;

/// The kinds of servers that requests are passed on to, as messages name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpstreamKind {
    /// The function of mode http.
    Function,
    /// The process behind the actions of a service.
    Service,
    /// A server outside of the container, unrelated to bandog's processes.
    External,
}

impl UpstreamKind {
    /// The noun that messages use.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Service => "service",
            Self::External => "server",
        }
    }
}

impl fmt::Display for UpstreamKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {}", self.noun())
    }
}

/// The reason why an upstream did not respond, or not completely.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// Its process could not be started.
    #[error("{upstream} could not be started: {reason}; bandog tries again")]
    NotStarted {
        /// Its kind.
        upstream: UpstreamKind,
        /// The reason.
        reason: String,
    },
    /// Its process ended before it was ready, and the call does not wait for another one.
    #[error("{upstream} ended before it was ready: {exit}; --log-level DEBUG shows its output")]
    EndedEarly {
        /// Its kind.
        upstream: UpstreamKind,
        /// How its process ended.
        exit: Exit,
    },
    /// No connection to its address could be made.
    #[error("{upstream} cannot be reached at {address}: {source}")]
    Unreachable {
        /// Its kind.
        upstream: UpstreamKind,
        /// Its address.
        address: String,
        /// The error of connect(2).
        source: io::Error,
    },
    /// It closed the connection, or sent bytes that are not an HTTP response.
    #[error("{upstream} at {address} gave no answer: {reason}")]
    NoResponse {
        /// Its kind.
        upstream: UpstreamKind,
        /// Its address.
        address: String,
        /// The reason.
        reason: String,
    },
    /// It responded with a status that means neither a result nor a failure of an action.
    #[error(
        "the server at {address} responded with status {status}, which is neither a result nor a failure of the action"
    )]
    Status {
        /// Its address.
        address: String,
        /// The status.
        status: u16,
    },
    /// It closed the connection in the middle of its response.
    #[error("{upstream} broke off in the middle of its answer: {reason}")]
    Interrupted {
        /// Its kind.
        upstream: UpstreamKind,
        /// The reason.
        reason: String,
    },
}
