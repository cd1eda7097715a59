//! What is different where bandog takes the place of OSCAR's faas-supervisor.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
};

use super::{
    Compat, Face, Habit, Origin, Sources, environment::non_empty, fprocess::replaces_supervisor, reader::RawValue,
    setting,
};
use crate::platform::oscar::QUERY_PREFIX;

/// What is done in the place of OSCAR's supervisor: under its name, and under the watchdog's where that is told to run
/// it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Supervisor {
    /// `file_stage_in` in the configuration file: no input is fetched or saved.
    pub skips_input: bool,
    /// Whether one key is enough for an event that holds another.
    pub is_loose: bool,
    /// `EVENT`, as bandog was started with it: what OSCAR's jobs are given beside the standard input.
    pub event: Option<OsString>,
    /// Whether `JOB_UUID` says that it is one of OSCAR's jobs.
    pub is_job: bool,
    /// Variables that functions inherit unless an event sets them: `EVENT` and `CONT_VAR_…`.
    pub replaceable: Vec<(OsString, OsString)>,
}

/// Values of settings under the supervisor's own name: it has never ended a run, and jobs take hours.
pub(super) fn defaults() -> BTreeMap<&'static str, RawValue> {
    [(setting::EXEC_TIMEOUT.name, RawValue { value: "0".into(), origin: Origin::Default })].into()
}

/// Finds out whether bandog takes that place; then moves what events may set out of `environment`.
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
    // Only a job's own: a watchdog that has an EVENT has a stale one.
    let event = variable("EVENT").filter(|_| sources.face == Face::Supervisor).map(OsStr::to_owned);
    replaceable.extend(event.clone().map(|event| ("EVENT".into(), event)));
    let is_loose = compat.has(Habit::LooseEvents);
    Some(Supervisor { skips_input, is_loose, event, is_job: variable("JOB_UUID").is_some(), replaceable })
}
