//! The settings of the service. All are plain values, which the binary makes from flags, variables and files.

use std::{sync::Arc, time::Duration};

pub use crate::invocation::OnHangUp;
use crate::{
    actions,
    input::{Forms, InputDocument, InputFilter},
    request::HeaderVariables,
};

/// The settings of the service.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The name of the service, which names the zip of several output files.
    pub name: Option<String>,
    /// The service's own description of its actions.
    pub actions: Option<Arc<actions::Service>>,
    /// The limits of calls.
    pub limits: Limits,
    /// The time limits of calls.
    pub timeouts: Timeouts,
    /// How bodies are decoded and encoded.
    pub bodies: Bodies,
    /// Opens the events of a platform in bodies that are decoded for a server; `None` where a body is only a body.
    pub input_filter: Option<Arc<dyn InputFilter>>,
    /// How a function learns of its request.
    pub requests: Requests,
    /// Whether a function outlives the connection of its caller.
    pub on_hang_up: OnHangUp,
    /// How often an action is tried again.
    pub retries: usize,
    /// Whether callers authenticate by `Authorization`, which then is not forwarded to a server.
    pub consumes_authorization: bool,
    /// The labels of the metrics.
    pub metric_labels: MetricLabels,
}

/// The limits of calls.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Calls at once; 0 for no limit.
    pub inflight: usize,
    /// Calls that wait for a permit.
    pub queue: usize,
    /// Bytes of a body; 0 for no limit.
    pub body: u64,
}

/// The time limits of calls; `None` for no limit.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// For one run of a function, or one exchange with a server.
    pub exec: Option<Duration>,
    /// For the wait for a permit, or for a server that is not ready.
    pub queue: Option<Duration>,
    /// For a caller that takes none of its response.
    pub send: Option<Duration>,
    /// Between SIGTERM and SIGKILL.
    pub kill_grace: Duration,
    /// For calls in flight when the service drains.
    pub drain: Duration,
}

/// How bodies are decoded and encoded, where an executor leaves the choice.
#[derive(Debug, Clone, Copy)]
pub struct Bodies {
    /// Request bodies are decoded by their header fields; otherwise they are passed on as they were sent.
    pub decode: bool,
    /// The treatment of bodies that are labelled as forms, where bodies are decoded.
    pub forms: Forms,
    /// Responses are encoded in the form that the caller accepts; otherwise they are passed on as they are.
    pub encode: bool,
    /// Request bodies are decoded without a look at their header fields.
    pub ignore_type: bool,
}

/// How a function that is a process learns of its request.
#[derive(Debug, Clone, Copy)]
pub struct Requests {
    /// The environment variables made from the head.
    pub variables: HeaderVariables,
    /// The document that a function reads in place of the body; `None` for the body itself.
    pub document: Option<&'static dyn InputDocument>,
    /// The head is logged at DEBUG, and its URL is in messages about the body.
    pub shows_head: bool,
    /// Responses are also written to standard output.
    pub echo: bool,
}

/// The labels of the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricLabels {
    /// The duration has none; methods are spelled as in requests.
    Plain,
    /// The duration is split by code and method; methods are spelled in lower case.
    Detailed,
}
