//! The time that a shutdown takes, and the files whose change starts bandog again.

use std::{
    path::{self, PathBuf},
    time::Duration,
};

use super::{reader::Reader, setting};
use crate::invocation::Command;

/// The settings of a shutdown, and of a start after a change.
#[derive(Debug, Clone)]
pub struct Lifecycle {
    /// `--shutdown-delay`: how long requests are still accepted after SIGTERM.
    pub shutdown_delay: Duration,
    /// `--drain-timeout`: how long invocations may then take to finish.
    pub drain_timeout: Duration,
    /// `--watch`: the files that were read or are run; `None` without it.
    pub watched: Option<Vec<PathBuf>>,
}

/// Reads the group. `command` is that of the function.
pub(super) fn read(reader: &mut Reader<'_>, command: Option<&Command>) -> Option<Lifecycle> {
    let shutdown_delay = reader.duration(&setting::SHUTDOWN_DELAY);
    let drain_timeout = reader.duration(&setting::DRAIN_TIMEOUT);
    let is_on = reader.switch(&setting::WATCH);
    let files = is_on?.then(|| files_in_use(reader, command));
    Some(Lifecycle { shutdown_delay: shutdown_delay?, drain_timeout: drain_timeout?, watched: files })
}

/// The configuration file, the actions file, the program of the function, and the files among its arguments.
fn files_in_use(reader: &Reader<'_>, command: Option<&Command>) -> Vec<PathBuf> {
    let settings = [&setting::CONFIG, &setting::ACTIONS];
    let read = reader.entries.iter().filter(|entry| settings.iter().any(|setting| setting.flag() == entry.name));
    let read = read.map(|entry| PathBuf::from(&entry.value));
    let run = command.into_iter().flat_map(|command| {
        let arguments = command.arguments.iter().skip(1).map(PathBuf::from);
        arguments.chain([command.program.clone()])
    });
    read.chain(run).filter(|file| file.is_file()).filter_map(|file| path::absolute(file).ok()).collect()
}
