//! bandog turns any program into an HTTP function: one request, one process, one answer.

pub mod config;
pub mod logs;
pub mod telemetry;
