//! OpenFaaS' classic-watchdog and of-watchdog, whose place bandog takes under the name `fwatchdog`.

mod media_type;
pub mod wording;

/// The program that bandog replaces. Both are called `fwatchdog`, and their defaults differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchdogKind {
    /// classic-watchdog: one process per request, with headers and body buffered.
    Classic,
    /// of-watchdog: the variable `mode` selects how the function is called.
    Of,
}
