//! The settings that apply where bandog takes the place of OSCAR's faas-supervisor.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
};

use super::{
    Compat, Face, LegacyBehaviour, Origin, Sources, environment::non_empty, fprocess::replaces_supervisor,
    reader::RawValue, setting,
};
use crate::platform::oscar::QUERY_PREFIX;

/// The settings of OSCAR's supervisor, whose place bandog takes under its name, and as a watchdog that is to run it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Supervisor {
    /// `file_stage_in` in the configuration file: no input is fetched or saved.
    pub skips_input: bool,
    /// Whether one matching key makes a body an event that contains another one.
    pub is_loose: bool,
    /// `EVENT`, as bandog was started with it. OSCAR's jobs have it beside the standard input.
    pub event: Option<OsString>,
    /// Whether `JOB_UUID` marks one of OSCAR's jobs.
    pub is_job: bool,
    /// Variables that functions inherit unless an event sets them: `EVENT` and `CONT_VAR_…`.
    pub replaceable: Vec<(OsString, OsString)>,
}

/// The defaults under the supervisor's own name. The supervisor has no time limit, and jobs take hours.
pub(super) fn defaults() -> BTreeMap<&'static str, RawValue> {
    [(setting::EXEC_TIMEOUT.name, RawValue { value: "0".into(), origin: Origin::Default })].into()
}

/// Reads the settings; `None` where bandog does not take the supervisor's place. Moves the variables that events may set
/// out of `environment`.
pub(super) fn read(
    sources: &Sources,
    compat: Compat,
    skips_input: bool,
    environment: &mut Vec<(OsString, OsString)>,
) -> Option<Supervisor> {
    let variable = |name| non_empty(&sources.environment, name);
    if !replaces_supervisor(sources, compat) {
        return None;
    }
    let is_query = |name: &OsStr| name.as_encoded_bytes().starts_with(QUERY_PREFIX.as_bytes());
    let mut replaceable: Vec<_> = environment.extract_if(.., |(name, _)| is_query(name)).collect();
    // Under the watchdog's name an EVENT is a stale one.
    let event = variable("EVENT").filter(|_| sources.face == Face::Supervisor).map(OsStr::to_owned);
    replaceable.extend(event.clone().map(|event| ("EVENT".into(), event)));
    let is_loose = compat.has(LegacyBehaviour::LooseEvents);
    Some(Supervisor { skips_input, is_loose, event, is_job: variable("JOB_UUID").is_some(), replaceable })
}
