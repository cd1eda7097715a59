//! The programs that bandog can replace: the settings that it reads under their names.

use std::ffi::OsString;

use super::{
    Compat, Face, Supervisor, Watchdog,
    config_file::ConfigFile,
    reader::Reader,
    setting, supervisor,
    watchdog::{self, WatchdogVariables},
};

/// What a replaced program's name and variables ask for.
#[derive(Debug, Clone)]
pub struct Replaced {
    /// `--compat`.
    pub compat: Compat,
    /// The settings of OpenFaaS' watchdogs that bandog has none for; `None` under another name.
    pub watchdog: Option<Watchdog>,
    /// The settings of OSCAR's supervisor; `None` where bandog does not take its place.
    pub supervisor: Option<Supervisor>,
}

/// Reads the variables that only the replaced program knows.
pub(super) fn read_variables(reader: &mut Reader<'_>) -> Option<Watchdog> {
    match reader.sources.face {
        Face::Bandog => return None,
        Face::Supervisor => {
            reader.replaced = supervisor::defaults();
            return None;
        }
        Face::Fwatchdog => {}
    }
    let typed = &reader.sources.typed;
    let is_typed = typed.script.is_some() || !typed.command.is_empty() || reader.raw(&setting::SCRIPT).is_some();
    let WatchdogVariables { values, watchdog, entries, warnings, mistakes } =
        watchdog::read(&reader.sources.environment, compat(reader), is_typed);
    reader.replaced = values;
    reader.entries.extend(entries);
    reader.warnings.extend(warnings);
    reader.mistakes.extend(mistakes);
    let answer_type = reader.raw(&setting::ANSWER_TYPE).map(|raw| raw.value.to_string_lossy().into_owned());
    Some(Watchdog { content_type: answer_type, ..watchdog })
}

/// `--compat`, as far as it can be understood, under a name for which it has an effect.
pub(super) fn compat(reader: &Reader<'_>) -> Compat {
    let raw = reader.raw(&setting::COMPAT).filter(|_| reader.sources.face != Face::Bandog);
    raw.and_then(|raw| Compat::parse(&raw.value.to_string_lossy()).ok()).unwrap_or_default()
}

/// Reads `--compat`, and records it.
pub(super) fn read_compat(reader: &mut Reader<'_>) -> Option<Compat> {
    let setting = &setting::COMPAT;
    let Some(raw) = reader.raw_and_noted(setting) else { return Some(Compat::default()) };
    if reader.sources.face == Face::Bandog {
        reader.warn("--compat: without effect; it is for the names fwatchdog and supervisor".to_owned());
    }
    let parsed = Compat::parse(&raw.value.to_string_lossy());
    reader.accept(setting, Some(raw), parsed).map(|_| compat(reader))
}

/// The settings of the supervisor. Variables that an event may set move out of `environment`.
pub(super) fn read_supervisor(
    reader: &mut Reader<'_>,
    file: Option<&ConfigFile>,
    environment: &mut Vec<(OsString, OsString)>,
) -> Option<Supervisor> {
    if let Some(ConfigFile { name, has_output: true, .. }) = file {
        reader.warn(format!(
            "output in {name}: nothing is uploaded to storage providers yet; results are answered or printed only"
        ));
    }
    let skips_input = file.is_some_and(|file| file.file_stage_in);
    supervisor::read(reader.sources, compat(reader), skips_input, environment)
}
