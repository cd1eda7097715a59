//! The settings of the group "Logs and metrics".

use super::{Fallback, Group, PLAIN, Setting};

/// `--log-level`.
pub static LOG_LEVEL: Setting = Setting {
    name: "log-level",
    value: Some("L"),
    group: Group::Logs,
    platform: &["LOG_LEVEL"],
    key: Some("log_level"),
    default: Fallback::Text("INFO"),
    choices: &["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
    meaning: "DEBUG, INFO, WARNING, ERROR or CRITICAL, in any case",
    ..PLAIN
};

/// `--log-format`.
pub static LOG_FORMAT: Setting = Setting {
    name: "log-format",
    value: Some("text|json"),
    group: Group::Logs,
    default: Fallback::Text("text"),
    choices: &["text", "json"],
    meaning: "the form of bandog's own log on stderr",
    ..PLAIN
};

/// `--forward-logs`.
pub static FORWARD_LOGS: Setting = Setting {
    name: "forward-logs",
    value: None,
    group: Group::Logs,
    default: Fallback::Text("false"),
    meaning: "the function's output goes to bandog's own log at any level, not only at DEBUG",
    ..PLAIN
};

/// `--metrics`.
pub static METRICS: Setting = Setting {
    name: "metrics",
    value: Some("ADDR|on|off"),
    group: Group::Logs,
    default: Fallback::Text("on"),
    choices: &["on", "off"],
    meaning: "Prometheus metrics: on /_/metrics, nowhere, or on /metrics of an address of their own",
    server_only: true,
    ..PLAIN
};
