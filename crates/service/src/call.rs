//! A call, as a front door gives it to the service, and as an executor gets it.

use std::{fmt, net::IpAddr, pin::Pin, sync::Arc};

use hyper::http::request::Parts;

use super::{admission::Permit, body::BodyIntake, lifecycle::InFlightGuard};
use crate::{
    actions::{Action, TextArgument},
    input::Envelope,
    process::Cancel,
};

/// A call, but for its body.
#[derive(Debug)]
pub struct Call {
    /// The id of the call.
    pub id: String,
    /// The head of the request, or of one that the front door imitates.
    pub head: Parts,
    /// The action that is called. Without one the head says what is called.
    pub action: Option<ActionCall>,
}

/// A call of an action that the front door names itself.
#[derive(Debug)]
pub struct ActionCall {
    /// The action.
    pub action: Arc<Action>,
    /// The arguments that are not in the body.
    pub texts: Vec<TextArgument>,
}

/// The way back to the caller, as a front door has it.
pub trait Responder: Sync {
    /// The address of the caller, if the caller has a connection.
    fn peer(&self) -> Option<IpAddr> {
        None
    }

    /// Whether many responses share the caller's connection, so that each of them is to hold less memory.
    fn is_multiplexed(&self) -> bool {
        false
    }

    /// Starts the servers that the call needs, where that is left to the call: it does so once its arguments are known to
    /// be right. Returns whether it is.
    fn starts_servers(&self) -> bool {
        false
    }

    /// The flag that calls the call off, if it is a process. A front door that keeps a clone does so at any time, from any
    /// thread.
    fn cancel(&self) -> Cancel {
        Cancel::new()
    }

    /// Runs `tunnel` on the caller's connection once the response has been written, which changes to another protocol.
    fn switch_protocols(&self, tunnel: Tunnel) {
        drop(tunnel);
    }
}

/// A caller that waits for a response and nothing else.
impl Responder for () {}

/// The life of a connection after it has changed to another protocol.
pub struct Tunnel(Pin<Box<dyn Future<Output = ()> + Send>>);

impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tunnel")
    }
}

impl Tunnel {
    pub(crate) fn new(life: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(Box::pin(life))
    }

    /// Resolves when the connection ends.
    pub async fn run(self) {
        self.0.await;
    }
}

/// A call that has a permit.
pub(crate) struct Admitted<'a> {
    pub(crate) call_id: String,
    pub(crate) head: Parts,
    /// How the body is taken in.
    pub(crate) envelope: Envelope,
    pub(crate) body: BodyIntake,
    pub(crate) permit: Permit,
    pub(crate) responder: &'a dyn Responder,
}

/// The resources that a call holds until the last frame of its response.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) _permit: Permit,
    pub(crate) _in_flight: InFlightGuard,
}
