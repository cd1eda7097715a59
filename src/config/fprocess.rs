//! The command of a watchdog, found and checked.

use std::{
    ffi::{OsStr, OsString},
    path::Path,
};

use super::{
    environment::Environment,
    program,
    report::{Mistake, Origin},
};
use crate::{
    invocation::Command,
    platform::{Compat, openfaas::fprocess},
};

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
    let Some(words) = fprocess::words(line, compat) else {
        return wrong(
            "expected a command line with its quotes closed; it is split as a shell would, but no shell runs it",
        );
    };
    if fprocess::is_supervisor(line, compat) {
        return wrong(&format!(
            "names OSCAR's supervisor, whose work bandog does itself; mount the script at {} or set SCRIPT",
            script.display()
        ));
    }
    let words: Vec<OsString> = words.into_iter().map(OsString::from).collect();
    let command = program::command(environment, &words, name, "fprocess", &origin)?;
    Ok((command, origin))
}
