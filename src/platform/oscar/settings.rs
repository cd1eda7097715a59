//! The settings of OSCAR's faas-supervisor.

use std::ffi::{OsStr, OsString};

use super::{EnvelopeFilter, JobEvent, QUERY_PREFIX};
use crate::platform::{
    Compat, Environment, InvokedAs, LegacyBehaviour, TranslatedValue, Translation, non_empty, openfaas::fprocess,
};

/// The settings of the supervisor that bandog has no setting for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SupervisorSettings {
    /// Opens events.
    pub filter: EnvelopeFilter,
    /// The event of a job; `None` where the standard input alone is the event.
    pub job_event: Option<JobEvent>,
}

/// Whether bandog replaces the supervisor: under its name, or as a watchdog that is to run it.
#[must_use]
pub fn is_replaced(invoked_as: InvokedAs, environment: &Environment, compat: Compat) -> bool {
    match invoked_as {
        InvokedAs::Bandog => false,
        InvokedAs::Fwatchdog => {
            fprocess::line(environment).is_some_and(|(_, line)| fprocess::is_supervisor(line, compat))
        }
        InvokedAs::Supervisor => true,
    }
}

/// The defaults under the supervisor's own name. It has no time limit, and jobs take hours.
#[must_use]
pub fn defaults() -> Translation {
    let unlimited = TranslatedValue { text: "0".into(), variable: None };
    Translation { values: [("exec-timeout", unlimited)].into(), ..Translation::default() }
}

/// Reads the settings; `None` where bandog does not replace the supervisor. Variables that an event may override move
/// out of `inherited`, which is the environment of functions.
pub fn read(
    invoked_as: InvokedAs,
    environment: &Environment,
    compat: Compat,
    skips_input: bool,
    inherited: &mut Vec<(OsString, OsString)>,
) -> Option<SupervisorSettings> {
    if !is_replaced(invoked_as, environment, compat) {
        return None;
    }
    let is_query = |name: &OsStr| name.as_encoded_bytes().starts_with(QUERY_PREFIX.as_bytes());
    let mut replaceable: Vec<_> = inherited.extract_if(.., |(name, _)| is_query(name)).collect();
    // Only a job is started with its own event. In a watchdog's environment an `EVENT` is a stale one.
    let event = non_empty(environment, "EVENT").filter(|_| invoked_as.is_job());
    let event = event.map(OsStr::to_owned);
    replaceable.extend(event.clone().map(|event| ("EVENT".into(), event)));
    let is_job = non_empty(environment, "JOB_UUID").is_some();
    let job_event = event.filter(|_| !compat.has(LegacyBehaviour::Stdin));
    Some(SupervisorSettings {
        filter: EnvelopeFilter {
            skips_input,
            has_store: cfg!(feature = "storage"),
            is_loose: compat.has(LegacyBehaviour::LooseEvents),
            replaceable,
        },
        job_event: job_event.map(|variable| JobEvent { variable, is_job }),
    })
}
