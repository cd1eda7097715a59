//! `function_process` and `fprocess`: the command line that a watchdog runs.

use std::{
    ffi::{OsStr, OsString},
    path::Path,
};

use super::{
    Compat, Face, LegacyBehaviour, Sources,
    environment::{Environment, non_empty},
    program,
    report::{Mistake, Origin},
};
use crate::invocation::Command;

/// The command line of the function, and the variable that contains it. The name of of-watchdog wins.
pub(super) fn line(environment: &Environment) -> Option<(&'static str, &OsStr)> {
    ["function_process", "fprocess"].into_iter().find_map(|name| Some((name, non_empty(environment, name)?)))
}

/// Whether a command line runs OSCAR's supervisor. bandog does its work itself.
pub(super) fn is_supervisor(line: &OsStr, compat: Compat) -> bool {
    let words = words_of(line, compat).unwrap_or_default();
    words.first().and_then(|word| Path::new(word).file_name()).is_some_and(|name| name == "supervisor")
}

/// Whether bandog takes the place of OSCAR's supervisor: under its name, or as a watchdog that is to run it.
pub(super) fn replaces_supervisor(sources: &Sources, compat: Compat) -> bool {
    match sources.face {
        Face::Bandog => false,
        Face::Fwatchdog => line(&sources.environment).is_some_and(|(_, line)| is_supervisor(line, compat)),
        Face::Supervisor => true,
    }
}

/// The command that a command line runs, and its source. `script` is where OSCAR mounts scripts.
pub(super) fn command(
    environment: &Environment,
    name: &str,
    line: &OsStr,
    compat: Compat,
    script: &Path,
) -> Result<(Command, Origin), Mistake> {
    let origin = Origin::Variable(name.to_owned());
    let wrong = |advice: &str| Err(Mistake::new(name, Some(line), origin.clone(), advice));
    let Some(words) = words_of(line, compat) else {
        return wrong(
            "expected a command line with its quotes closed; it is split as a shell would, but no shell runs it",
        );
    };
    if is_supervisor(line, compat) {
        return wrong(&format!(
            "names OSCAR's supervisor, whose work bandog does itself; mount the script at {} or set SCRIPT",
            script.display()
        ));
    }
    let words: Vec<OsString> = words.into_iter().map(OsString::from).collect();
    let command = program::command(environment, &words, name, "fprocess", &origin)?;
    Ok((command, origin))
}

/// The words of a command line: split as a shell does, or as the watchdogs did, at each single space.
fn words_of(line: &OsStr, compat: Compat) -> Option<Vec<String>> {
    let line = line.to_str()?;
    let words = if compat.has(LegacyBehaviour::SplitSpaces) {
        line.split(' ').map(str::to_owned).collect()
    } else {
        shell_words::split(line).ok()?
    };
    (!words.is_empty()).then_some(words)
}
