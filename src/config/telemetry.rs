//! Logs and metrics.

use std::net::SocketAddr;

use super::{reader::Reader, setting};
use crate::{
    logs::Level,
    platform::oscar,
    telemetry::{Format, LogSettings},
};

/// The settings of logs and metrics.
#[derive(Debug, Clone)]
pub struct Telemetry {
    /// `--log-level`.
    pub level: Level,
    /// `--log-format`.
    pub format: Format,
    /// `--forward-logs`: the function's output goes to the container log at any level.
    pub forward_logs: bool,
    /// `--metrics`.
    pub metrics: Metrics,
}

impl Telemetry {
    /// The container log.
    #[must_use]
    pub fn log_settings(&self) -> LogSettings {
        LogSettings {
            level: self.level,
            format: self.format,
            logger: oscar::LOGGER,
            names_calls: true,
            quotes_failures: true,
        }
    }
}

/// Where metrics are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metrics {
    /// On `/_/metrics` of the one listener.
    On,
    /// Nowhere.
    Off,
    /// On `/metrics` of a listener of their own.
    At(SocketAddr),
}

/// Reads the group.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<Telemetry> {
    let level = read_level(reader);
    let format = reader.choice(&setting::LOG_FORMAT, &[("text", Format::Text), ("json", Format::Json)]);
    let forward_logs = reader.switch(&setting::FORWARD_LOGS);
    let metrics = read_metrics(reader);
    Some(Telemetry { level: level?, format: format?, forward_logs: forward_logs?, metrics: metrics? })
}

fn read_level(reader: &mut Reader<'_>) -> Option<Level> {
    let expected = "DEBUG, INFO, WARNING, ERROR or CRITICAL";
    let level: Level = reader.parse(&setting::LOG_LEVEL, expected, |text| text.parse().ok())?;
    if let Some(entry) = reader.entries.last_mut() {
        level.name().clone_into(&mut entry.value);
    }
    Some(level)
}

fn read_metrics(reader: &mut Reader<'_>) -> Option<Metrics> {
    let setting = &setting::METRICS;
    let raw = reader.raw_or_default(setting)?;
    let text = raw.text();
    let word = match text.to_ascii_lowercase().as_str() {
        "on" => Some(Metrics::On),
        "off" => Some(Metrics::Off),
        _ => None,
    };
    if word.is_some() {
        reader.note(setting, text, raw.origin);
        return word;
    }
    reader.address(setting, raw, &text, "on, off, or an address such as :8081").map(Metrics::At)
}
