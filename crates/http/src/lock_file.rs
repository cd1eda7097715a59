//! The lock file: it exists while requests are taken, for probes without an HTTP client.

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
};

use rustix::fs::OFlags;

use crate::settings::LockFileSettings;

/// The mode of the file, less the umask.
const MODE: u32 = 0o660;

/// The lock file of this server.
#[derive(Debug)]
pub(super) struct LockFile {
    settings: LockFileSettings,
}

impl LockFile {
    pub(super) fn new(settings: LockFileSettings) -> Self {
        Self { settings }
    }

    /// Makes the file, or takes the one that a predecessor left, as it is: it may be another name of a file of ours, and is
    /// not emptied. A link is not followed, and a FIFO without a reader not waited for.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn make(&self) -> io::Result<()> {
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let LockFileSettings { path, off_switch } = &self.settings;
        let made =
            OpenOptions::new().write(true).create(true).truncate(false).mode(MODE).custom_flags(flags).open(path);
        made.map(drop).map_err(|error| {
            let path = path.display();
            io::Error::new(
                error.kind(),
                format!("cannot write the lock file {path}: {error}; {off_switch} does without"),
            )
        })
    }

    /// Whether it is there. Removing it marks this server as unhealthy.
    pub(super) fn is_there(&self) -> bool {
        !matches!(fs::metadata(&self.settings.path), Err(error) if error.kind() == io::ErrorKind::NotFound)
    }

    /// Removes it, unless it has been removed before.
    pub(super) fn remove(&self) {
        match fs::remove_file(&self.settings.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!("cannot remove the lock file {}: {error}", self.settings.path.display());
            }
            Ok(()) | Err(_) => {}
        }
    }
}
