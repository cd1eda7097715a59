//! OpenFaaS' classic-watchdog and of-watchdog, whose place bandog takes under the name `fwatchdog`.

pub mod command_line;
mod media_type;
pub mod wording;

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use super::{Environment, non_empty};

/// The program that bandog replaces. Both are called `fwatchdog`, and their defaults differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchdogKind {
    /// classic-watchdog: one process per request, with headers and body buffered.
    Classic,
    /// of-watchdog: the variable `mode` selects how the function is called.
    Of,
}

/// The lock file, which is there while bandog serves.
#[must_use]
pub fn lock_file(environment: &Environment) -> PathBuf {
    Path::new(non_empty(environment, "TMPDIR").unwrap_or(OsStr::new("/tmp"))).join(".lock")
}
