//! OSCAR's faas-supervisor, whose place bandog takes under the name `supervisor`, and under `fwatchdog` where that is
//! told to run it.

mod envelope;
mod job;
pub mod settings;

use super::{
    Compat, LegacyBehaviour,
    openfaas::{
        WatchdogKind,
        wording::{ResponseSource, Wording},
    },
};
pub use envelope::{EnvelopeFilter, QUERY_PREFIX};
pub use job::{EventSource, JobEvent};
pub use settings::SupervisorSettings;

/// The name of the logger in bandog's own lines, under every name that it is started under: programs that read logs of
/// faas-supervisor look for it.
pub const LOGGER: &str = "supervisor";

/// The wording of a job's response: of-watchdog's, behind which OSCAR runs the supervisor, if one of its old ways is
/// switched on. `None` for bandog's own.
#[must_use]
pub fn wording(source: ResponseSource, compat: Compat) -> Option<Wording> {
    let is_wanted = compat.has(LegacyBehaviour::Newline) || compat.has(LegacyBehaviour::Status200);
    is_wanted.then(|| Wording {
        replaces: WatchdogKind::Of,
        source,
        content_type: None,
        sends_own_lines: false,
        // A job is one call, which no other call can keep out.
        max_inflight: 0,
        compat,
    })
}
