//! The programs that bandog can replace: the settings that it reads under their names.

use std::ffi::OsString;

use super::{
    config_file::ConfigFile,
    reader::{RawValue, Reader},
    report::{Mistake, Origin},
    setting,
};
use crate::platform::{
    Compat, InvokedAs, Translation,
    openfaas::{self, WatchdogSettings},
    oscar::{self, SupervisorSettings},
};

/// The settings that belong to the name and the variables of a replaced program.
#[derive(Debug, Clone)]
pub struct Replaced {
    /// `--compat`.
    pub compat: Compat,
    /// OpenFaaS' watchdogs; `None` under another name.
    pub watchdog: Option<WatchdogSettings>,
    /// OSCAR's supervisor; `None` where bandog does not replace it.
    pub supervisor: Option<SupervisorSettings>,
}

/// Reads the variables that only the replaced program knows.
pub(super) fn read_variables(reader: &mut Reader<'_>) -> Option<WatchdogSettings> {
    match reader.sources.invoked_as {
        InvokedAs::Bandog => return None,
        InvokedAs::Supervisor => {
            enter(reader, oscar::settings::defaults());
            return None;
        }
        InvokedAs::Fwatchdog => {}
    }
    let typed = &reader.sources.typed;
    let is_typed = typed.script.is_some() || !typed.command.is_empty() || reader.raw(&setting::SCRIPT).is_some();
    let (watchdog, translation) = openfaas::settings::read(&reader.sources.environment, compat(reader), is_typed);
    enter(reader, translation);
    let answer_type = reader.raw(&setting::ANSWER_TYPE).map(|raw| raw.value.to_string_lossy().into_owned());
    Some(WatchdogSettings { content_type: answer_type, ..watchdog })
}

/// Makes the variables of a replaced program a source of settings.
fn enter(reader: &mut Reader<'_>, translation: Translation) {
    let variable = |name: &str| Origin::Variable(name.to_owned());
    let Translation { values, notes, warnings, errors } = translation;
    for (setting, value) in values {
        debug_assert!(setting::ALL.iter().any(|known| known.name == setting), "{setting} is not a setting");
        let origin = value.variable.map_or(Origin::Default, variable);
        reader.replaced.insert(setting, RawValue { value: value.text, origin });
    }
    for note in notes {
        let origin = if note.is_set { variable(note.name) } else { Origin::Default };
        reader.enter(note.name.to_owned(), note.value, origin);
    }
    reader.warnings.extend(warnings);
    reader.mistakes.extend(errors.into_iter().map(|error| {
        let (name, origin) = (error.name.to_owned(), variable(error.name));
        Mistake { name, value: error.value, origin, advice: error.advice }
    }));
}

/// `--compat`, as far as it can be understood, under a name for which it has an effect.
pub(super) fn compat(reader: &Reader<'_>) -> Compat {
    let raw = reader.raw(&setting::COMPAT).filter(|_| reader.sources.invoked_as.is_replacement());
    raw.and_then(|raw| Compat::parse(&raw.value.to_string_lossy()).ok()).unwrap_or_default()
}

/// Reads `--compat`, and records it.
pub(super) fn read_compat(reader: &mut Reader<'_>) -> Option<Compat> {
    let setting = &setting::COMPAT;
    let Some(raw) = reader.raw_and_noted(setting) else { return Some(Compat::default()) };
    if !reader.sources.invoked_as.is_replacement() {
        reader.warn("--compat: has no effect; it applies under the names fwatchdog and supervisor".to_owned());
    }
    let parsed = Compat::parse(&raw.value.to_string_lossy());
    reader.accept(setting, Some(raw), parsed).map(|_| compat(reader))
}

/// The settings of the supervisor. Variables that an event may override move out of `inherited`.
pub(super) fn read_supervisor(
    reader: &mut Reader<'_>,
    file: Option<&ConfigFile>,
    inherited: &mut Vec<(OsString, OsString)>,
) -> Option<SupervisorSettings> {
    let skips_input = file.is_some_and(|file| file.file_stage_in);
    let (invoked_as, environment) = (reader.sources.invoked_as, &reader.sources.environment);
    oscar::settings::read(invoked_as, environment, compat(reader), skips_input, inherited)
}
