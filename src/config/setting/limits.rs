//! The settings of the group "Limits".

use super::{Fallback, Group, PLAIN, Setting};

/// `--max-body`.
pub static MAX_BODY: Setting = Setting {
    name: "max-body",
    value: Some("SIZE"),
    group: Group::Limits,
    default: Fallback::Text("1GiB"),
    meaning: "the largest body of a request, as sent and as decompressed; then 413; 0 for no limit",
    ..PLAIN
};

/// `--exec-timeout`.
pub static EXEC_TIMEOUT: Setting = Setting {
    name: "exec-timeout",
    value: Some("D"),
    group: Group::Limits,
    default: Fallback::Text("5m"),
    meaning: "how long the function may run; then it is ended and the response is 504; 0 for no limit",
    ..PLAIN
};

/// `--retries`.
pub static RETRIES: Setting = Setting {
    name: "retries",
    value: Some("N"),
    group: Group::Limits,
    default: Fallback::Text("0"),
    meaning: "how often an action that fails with exit code 2 is tried once more, within --exec-timeout; then 503",
    ..PLAIN
};

/// `--kill-grace`.
pub static KILL_GRACE: Setting = Setting {
    name: "kill-grace",
    value: Some("D"),
    group: Group::Limits,
    default: Fallback::Text("5s"),
    meaning: "the time between SIGTERM and SIGKILL; 0 kills at once",
    ..PLAIN
};

/// `--read-timeout`.
pub static READ_TIMEOUT: Setting = Setting {
    name: "read-timeout",
    value: Some("D"),
    group: Group::Limits,
    default: Fallback::Text("5m"),
    meaning: "how long a request may take to arrive; its headers alone have 30 seconds; 0 for no limit",
    server_only: true,
    ..PLAIN
};

/// `--idle-timeout`.
pub static IDLE_TIMEOUT: Setting = Setting {
    name: "idle-timeout",
    value: Some("D"),
    group: Group::Limits,
    default: Fallback::Text("75s"),
    meaning: "how long a connection without a request is kept; let a load balancer in front keep its own for less; 0 for no limit",
    server_only: true,
    ..PLAIN
};

/// `--send-timeout`.
pub static SEND_TIMEOUT: Setting = Setting {
    name: "send-timeout",
    value: Some("D"),
    group: Group::Limits,
    default: Fallback::Text("1m"),
    meaning: "how long a client may take nothing of its response; then the connection is ended; 0 for no limit",
    server_only: true,
    ..PLAIN
};

/// `--max-inflight`.
pub static MAX_INFLIGHT: Setting = Setting {
    name: "max-inflight",
    value: Some("N"),
    group: Group::Limits,
    default: Fallback::Text("0"),
    meaning: "how many invocations run at once; 0 for no limit",
    server_only: true,
    ..PLAIN
};

/// `--max-queue`.
pub static MAX_QUEUE: Setting = Setting {
    name: "max-queue",
    value: Some("N"),
    group: Group::Limits,
    default: Fallback::Text("0"),
    meaning: "how many requests wait for a permit when --max-inflight are running; 0 for none",
    server_only: true,
    ..PLAIN
};

/// `--queue-timeout`.
pub static QUEUE_TIMEOUT: Setting = Setting {
    name: "queue-timeout",
    value: Some("D"),
    group: Group::Limits,
    default: Fallback::Text("30s"),
    meaning: "how long a request waits for a permit; then 429; 0 for no limit",
    server_only: true,
    ..PLAIN
};

/// `--max-logs`.
pub static MAX_LOGS: Setting = Setting {
    name: "max-logs",
    value: Some("SIZE"),
    group: Group::Limits,
    default: Fallback::Text("64MiB"),
    meaning: "how much is kept of what one invocation prints; of more, the middle is left out, and the beginning, a mark and the end are as long as this; 0 for no limit",
    ..PLAIN
};
