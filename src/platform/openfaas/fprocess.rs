//! `function_process` and `fprocess`: the command line that a watchdog runs.

use std::{ffi::OsStr, path::Path};

use crate::platform::{Compat, Environment, LegacyBehaviour, non_empty};

/// The command line of the function, and the variable that contains it. The name of of-watchdog wins.
#[must_use]
pub fn line(environment: &Environment) -> Option<(&'static str, &OsStr)> {
    ["function_process", "fprocess"].into_iter().find_map(|name| Some((name, non_empty(environment, name)?)))
}

/// The words of a command line: split as a shell does, or as the watchdogs did, at each single space. `None` if there
/// are none, or a quote is not closed.
#[must_use]
pub fn words(line: &OsStr, compat: Compat) -> Option<Vec<String>> {
    let line = line.to_str()?;
    let words = if compat.has(LegacyBehaviour::SplitSpaces) {
        line.split(' ').map(str::to_owned).collect()
    } else {
        shell_words::split(line).ok()?
    };
    (!words.is_empty()).then_some(words)
}

/// Whether a command line runs OSCAR's supervisor. bandog does its work itself.
#[must_use]
pub fn is_supervisor(line: &OsStr, compat: Compat) -> bool {
    let words = words(line, compat).unwrap_or_default();
    words.first().and_then(|word| Path::new(word).file_name()).is_some_and(|name| name == "supervisor")
}
