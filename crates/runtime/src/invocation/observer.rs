//! The traits through which a caller follows a running function.

use crate::{
    logs::Logs,
    output::{Disconnected, ResponseHeaders},
    process::{Capacity, Progress},
};

/// Follows the logs of a running function.
pub trait InvocationObserver {
    /// Called after the function has written something, and at the time that the last call asked for. Must not block.
    fn progress(&mut self, logs: &Logs) -> Progress;

    /// The receiver of the live response; `None` if the response is sent after the function has ended.
    fn receiver(&mut self) -> Option<&mut dyn OutputReceiver> {
        None
    }
}

/// Receives the response while the function writes it.
pub trait OutputReceiver {
    /// The number of bytes that can be taken without waiting.
    fn capacity(&mut self) -> Capacity<'_>;

    /// Begins the response with the status and the header fields that the function has set so far.
    fn begin(&mut self, response_headers: &ResponseHeaders);

    /// Takes bytes that the function wrote. Waits if there is no room.
    fn take(&mut self, written: &[u8]) -> Result<(), Disconnected>;
}

/// Observes nothing.
#[derive(Debug)]
pub struct NoObserver;

impl InvocationObserver for NoObserver {
    fn progress(&mut self, _: &Logs) -> Progress {
        Progress::UpToDate
    }
}
