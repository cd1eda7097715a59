//! The reasons why there is no response, or not all of it.

use std::io;

use crate::error::{Error, ErrorKind};

/// The reason why there is no response, or not all of it.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The name of the server has no address, or no address takes connections.
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// The host and port.
        address: String,
        /// The error of the kernel, or of the resolver.
        source: io::Error,
    },
    /// The handshake of TLS failed.
    #[error("cannot connect to {address} over TLS: {source}")]
    Tls {
        /// The host and port.
        address: String,
        /// The reason.
        source: io::Error,
    },
    /// The connection broke.
    #[error("the connection to {address} broke: {reason}")]
    Broken {
        /// The host and port.
        address: String,
        /// The reason.
        reason: String,
    },
    /// Nothing was sent or received for too long.
    #[error("{address} sent and took nothing for {seconds} s")]
    Stalled {
        /// The host and port.
        address: String,
        /// The limit.
        seconds: u64,
    },
    /// The body of the request could not be read.
    #[error("cannot read the output: {0}")]
    Source(io::Error),
    /// The body of the response is longer than what is read of it.
    #[error("the response of {address} is longer than {limit} bytes")]
    TooLong {
        /// The host and port.
        address: String,
        /// The limit.
        limit: usize,
    },
    /// The transfer must end.
    #[error("{0}")]
    Stopped(Error),
}

impl From<TransportError> for Error {
    fn from(error: TransportError) -> Self {
        let text = error.to_string();
        match error {
            TransportError::Stopped(error) => error,
            TransportError::Tls { .. } => Self::new(ErrorKind::Tls, text),
            TransportError::Source(_) => Self::new(ErrorKind::Rejected, text),
            TransportError::TooLong { .. } => Self::new(ErrorKind::Unreachable, text),
            TransportError::Connect { .. } | TransportError::Broken { .. } | TransportError::Stalled { .. } => {
                Self::passing(ErrorKind::Unreachable, text)
            }
        }
    }
}
