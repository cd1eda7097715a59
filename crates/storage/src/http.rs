//! The HTTP client that providers share: blocking, with kept connections, over the hyper that serves requests too.
//!
//! A [`Client`] speaks to one server. A request takes an idle connection or opens one, and the connection goes back when
//! the response was read to its end. Each connection has a runtime of its own, driven by the thread that uses it, so that
//! there are no threads besides those of the transfers. A request that makes no progress for [`STALL`] fails.

mod body;
mod client;
mod connection;
mod endpoint;
mod idle;
mod response;
mod transport_error;
mod trust;

pub use self::{
    body::{FilePart, Payload},
    client::Client,
    endpoint::{Endpoint, EndpointError, Scheme},
    response::Response,
    transport_error::TransportError,
    trust::Trust,
};

use std::time::Duration;

/// The longest time for a connection to be opened, with the handshake of TLS.
pub const CONNECT: Duration = Duration::from_secs(10);

/// The longest time in which no byte is sent or received.
pub const STALL: Duration = Duration::from_mins(1);
