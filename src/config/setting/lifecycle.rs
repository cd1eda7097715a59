//! The settings of the groups "Lifecycle" and "Faces".

use super::{Fallback, Group, PLAIN, Setting};

/// `--shutdown-delay`.
pub static SHUTDOWN_DELAY: Setting = Setting {
    name: "shutdown-delay",
    value: Some("D"),
    group: Group::Lifecycle,
    default: Fallback::Text("0"),
    meaning: "how long requests are still taken after SIGTERM, for load balancers that notice late",
    server_only: true,
    ..PLAIN
};

/// `--drain-timeout`.
pub static DRAIN_TIMEOUT: Setting = Setting {
    name: "drain-timeout",
    value: Some("D"),
    group: Group::Lifecycle,
    default: Fallback::Text("25s"),
    meaning: "how long running invocations may take to finish after that; then they are ended; 0 ends them at once",
    server_only: true,
    ..PLAIN
};

/// `--watch`.
pub static WATCH: Setting = Setting {
    name: "watch",
    value: None,
    group: Group::Lifecycle,
    default: Fallback::Text("false"),
    meaning: "for development: when the script, the configuration file or the actions file changes, bandog finishes what runs and starts again",
    server_only: true,
    ..PLAIN
};

/// `--compat`.
pub static COMPAT: Setting = Setting {
    name: "compat",
    value: Some("LIST"),
    group: Group::Faces,
    meaning: "under the names fwatchdog and supervisor: old behaviours to restore, separated by commas; docs/compatibility.md lists them",
    ..PLAIN
};
