//! The lock file of the watchdogs: there while requests are taken, and looked for by probes without an HTTP client.

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
};

use rustix::fs::OFlags;

use super::Server;

/// The mode of the file, less the umask: what the watchdogs give it.
const MODE: u32 = 0o660;

/// The lock file of this server.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
}

impl Lock {
    pub(super) fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Makes the file, or takes the one that a predecessor left, as it is: another name of a file of ours may have been
    /// put there, and is not emptied. A link is not followed, and a FIFO that nobody reads not waited for.
    fn make(&self) -> io::Result<()> {
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let made =
            OpenOptions::new().write(true).create(true).truncate(false).mode(MODE).custom_flags(flags).open(&self.path);
        made.map(drop).map_err(|error| {
            let path = self.path.display();
            io::Error::new(
                error.kind(),
                format!("cannot write the lock file {path}: {error}; suppress_lock=true does without"),
            )
        })
    }

    /// Whether it is there. Who removes it marks this server as unhealthy.
    pub(super) fn is_there(&self) -> bool {
        !matches!(fs::metadata(&self.path), Err(error) if error.kind() == io::ErrorKind::NotFound)
    }

    /// Removes it; somebody may have done so before.
    pub(super) fn remove(&self) {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!("cannot remove the lock file {}: {error}", self.path.display());
            }
            Ok(()) | Err(_) => {}
        }
    }
}

impl Server {
    /// Makes the lock file, if there is to be one. To be called once the listener is bound.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn lock(&self) -> io::Result<()> {
        self.lock.as_ref().map_or(Ok(()), Lock::make)
    }
}
