//! Who looks on while the function runs.

use crate::{
    logs::Logs,
    output::{Disconnected, ResponseHeaders},
    process::{Capacity, Progress},
};

/// Somebody who looks at the logs while the function runs.
pub trait Watch {
    /// Called after something was written, and when it asked to be called again. Must not block.
    fn progress(&mut self, logs: &Logs) -> Progress;

    /// Who takes the answer while the function writes it, if anybody does and the function is such a one.
    fn taker(&mut self) -> Option<&mut dyn Taker> {
        None
    }
}

/// Somebody who takes the answer while the function writes it.
pub trait Taker {
    /// How much is taken without waiting.
    fn capacity(&mut self) -> Capacity<'_>;

    /// The answer begins, with what the function has asked for by then.
    fn begin(&mut self, response_headers: &ResponseHeaders);

    /// Takes what the function has written. Waits if there is no room.
    fn take(&mut self, written: &[u8]) -> Result<(), Disconnected>;
}

/// Nobody.
#[derive(Debug)]
pub struct Unwatched;

impl Watch for Unwatched {
    fn progress(&mut self, _: &Logs) -> Progress {
        Progress::UpToDate
    }
}
