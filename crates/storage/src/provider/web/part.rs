//! A part of an upload on the server, until it has its final name.

use std::time::{Duration, Instant};

use super::{file_server::FileServer, path::FilePath};
use crate::{control::Control, error::Error, journal::OpenEntry, retry::attempts};

/// The longest time for the removal of a part.
const REMOVAL: Duration = Duration::from_secs(10);

/// The pause before a part that was not there is looked for again: the server may not have seen yet that its upload broke.
const LATE: Duration = Duration::from_millis(200);

/// Looks for such a part, at most.
const LOOKS: u32 = 5;

/// The bounds of what has to be undone, which goes on when the call is over.
pub(crate) fn late() -> Control<'static> {
    Control { deadline: Some(Instant::now() + REMOVAL), cancel: None }
}

/// The state of a part on the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PartState {
    /// There is none.
    Unsent,
    /// It may not be whole, and may even appear later.
    Broken,
    /// It is there, or the server has refused it.
    Whole,
}

/// A part on the server. It is removed on every way out, a cancelled call included.
pub(crate) struct RemotePart<'a> {
    pub(crate) server: &'a dyn FileServer,
    pub(crate) path: FilePath,
    pub(crate) state: PartState,
    /// Ended once it is sure that there is no part.
    pub(crate) record: Option<OpenEntry>,
}

impl Drop for RemotePart<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            tracing::warn!("cannot remove {}: {error}; it can be removed by hand", self.path);
        } else if let Some(record) = self.record.take() {
            record.end();
        }
    }
}

impl RemotePart<'_> {
    fn remove(&self) -> Result<(), Error> {
        let looks = match self.state {
            PartState::Unsent => return Ok(()),
            PartState::Broken => LOOKS,
            PartState::Whole => 1,
        };
        let control = late();
        for look in 0..looks {
            if look > 0 {
                control.pause(LATE)?;
            }
            if attempts(&control, |_| self.server.delete(&self.path, &control))? {
                return Ok(());
            }
        }
        Ok(())
    }
}
