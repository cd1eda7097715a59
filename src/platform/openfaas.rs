//! OpenFaaS' classic-watchdog and of-watchdog, whose place bandog takes under the name `fwatchdog`.

pub mod command_line;
pub mod fprocess;
mod marshal;
mod media_type;
mod policies;
pub mod settings;
pub mod wording;

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use super::{Environment, non_empty};
pub use settings::WatchdogSettings;

/// The program that bandog replaces. Both are called `fwatchdog`, and their defaults differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchdogKind {
    /// classic-watchdog: one process per request, with headers and body buffered.
    Classic,
    /// of-watchdog: the variable `mode` selects how the function is called.
    Of,
}

impl WatchdogKind {
    /// The name of the project.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic-watchdog",
            Self::Of => "of-watchdog",
        }
    }
}

/// The realm in which callers show tokens, as of-watchdog names it. Clients of `--jwt-issuer` see it under every name.
pub const REALM: &str = "IAM function invoke";

/// The lock file, which is there while bandog serves.
#[must_use]
pub fn lock_file(environment: &Environment) -> PathBuf {
    Path::new(non_empty(environment, "TMPDIR").unwrap_or(OsStr::new("/tmp"))).join(".lock")
}
