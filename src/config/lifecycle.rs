//! The time that a shutdown takes.

use std::time::Duration;

use super::{reader::Reader, setting};

/// The settings of a shutdown.
#[derive(Debug, Clone)]
pub struct Lifecycle {
    /// `--shutdown-delay`: how long requests are still accepted after SIGTERM.
    pub shutdown_delay: Duration,
    /// `--drain-timeout`: how long invocations may then take to finish.
    pub drain_timeout: Duration,
}

/// Reads the group.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<Lifecycle> {
    let shutdown_delay = reader.duration(&setting::SHUTDOWN_DELAY);
    let drain_timeout = reader.duration(&setting::DRAIN_TIMEOUT);
    Some(Lifecycle { shutdown_delay: shutdown_delay?, drain_timeout: drain_timeout? })
}
