//! The end of a transfer that is not its own: the deadline of the call, and its cancellation.

use std::{
    thread,
    time::{Duration, Instant},
};

use bandog_process::Cancel;

use super::error::{Error, ErrorKind};

/// How often a transfer that waits looks for its end.
pub const TICK: Duration = Duration::from_millis(100);

/// The deadline and the cancellation of a transfer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Control<'a> {
    /// When the call must be over; `None` for no limit.
    pub deadline: Option<Instant>,
    /// The cancellation of the call.
    pub cancel: Option<&'a Cancel>,
}

impl Control<'_> {
    /// Fails once the transfer must end.
    ///
    /// # Errors
    /// [`ErrorKind::Stopped`].
    pub fn check(&self) -> Result<(), Error> {
        if let Some(cause) = self.cancel.and_then(Cancel::cause) {
            return Err(Error::new(ErrorKind::Stopped, cause.to_string()));
        }
        if self.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Err(Error::new(ErrorKind::Stopped, "the time of the call is over"));
        }
        Ok(())
    }

    /// Waits, unless the transfer must end before that.
    ///
    /// # Errors
    /// [`ErrorKind::Stopped`], as soon as it is known that the wait would outlast the call.
    pub fn pause(&self, pause: Duration) -> Result<(), Error> {
        let end = Instant::now() + pause;
        if self.deadline.is_some_and(|deadline| deadline <= end) {
            return Err(Error::new(ErrorKind::Stopped, "the time of the call would be over before the next attempt"));
        }
        loop {
            self.check()?;
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            thread::sleep(left.min(TICK));
        }
    }
}
