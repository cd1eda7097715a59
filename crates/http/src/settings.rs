//! The settings of the HTTP front door. All are plain values, which the binary makes from flags, variables and files.

use std::{path::PathBuf, time::Duration};

use serde::Serialize;

use crate::actions::openapi::Authentication;

/// The settings of the HTTP front door.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long a request may take to arrive; `None` for no limit.
    pub read_timeout: Option<Duration>,
    /// How long a connection without a request is kept; `None` for no limit.
    pub idle_timeout: Option<Duration>,
    /// How long connections are still accepted after the server was told to stop.
    pub shutdown_delay: Duration,
    /// How callers authenticate.
    pub auth: AuthSettings,
    /// The admin pages.
    pub admin: AdminSettings,
    /// The file that exists while requests are taken.
    pub lock_file: Option<LockFileSettings>,
}

/// The file that exists while requests are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockFileSettings {
    /// Its path.
    pub path: PathBuf,
    /// The setting without the file, `NAME=VALUE`, for the error if it cannot be written.
    pub off_switch: &'static str,
}

/// How callers authenticate.
#[derive(Debug, Clone, Default)]
pub struct AuthSettings {
    /// The token that all callers share.
    pub token: Option<TokenSource>,
    /// The provider whose tokens admit callers.
    pub jwt: Option<JwtSettings>,
}

/// Where the token that callers share comes from.
#[derive(Clone, PartialEq, Eq)]
pub enum TokenSource {
    /// The token itself.
    Value(String),
    /// A file that holds it, read again when it changes.
    File(PathBuf),
}

impl std::fmt::Debug for TokenSource {
    /// Never shows the token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Value(_) => f.write_str("Value(***)"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

/// A provider of JSON Web Tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwtSettings {
    /// The URL that the provider's `.well-known/openid-configuration` is below.
    pub issuer: String,
    /// The name of this function in permissions: `NAMESPACE:NAME`.
    pub function: String,
    /// Whether the provider and its keys are named in the log.
    pub debug: bool,
    /// The certificates that the provider's server is trusted by; `None` for those of Mozilla's authorities.
    pub certificates: Option<PathBuf>,
    /// The realm that a caller without a valid token is told.
    pub realm: &'static str,
}

/// The admin pages.
#[derive(Debug, Clone)]
pub struct AdminSettings {
    /// Whether the metrics are a page of the one listener.
    pub metrics: bool,
    /// Whether an unhealthy server answers health checks without a body, in place of a problem.
    pub bare_health: bool,
    /// The authentication that the description of the actions names.
    pub callers: Authentication,
    /// The limits that the status page shows.
    pub limits: ShownLimits,
}

/// The limits that the status page shows: 0 or `null` is none.
#[derive(Debug, Clone, Serialize)]
pub struct ShownLimits {
    /// `--max-inflight`.
    pub max_inflight: usize,
    /// `--max-queue`.
    pub max_queue: usize,
    /// `--max-body`.
    pub max_body: u64,
    /// `--max-logs`.
    pub max_logs: u64,
    /// `--exec-timeout`.
    pub exec_timeout_seconds: Option<f64>,
    /// `--queue-timeout`.
    pub queue_timeout_seconds: Option<f64>,
    /// `--read-timeout`.
    pub read_timeout_seconds: Option<f64>,
    /// `--max-memory`.
    pub max_memory: u64,
    /// `--max-cpu-time`.
    pub max_cpu_time_seconds: Option<f64>,
    /// `--max-processes`.
    pub max_processes: u64,
    /// `--max-open-files`.
    pub max_open_files: u64,
    /// `--max-output`.
    pub max_output: u64,
    /// `--nice`.
    pub nice: Option<i32>,
    /// `--sandbox`.
    pub sandbox: bool,
    /// `--idle-timeout`.
    pub idle_timeout_seconds: Option<f64>,
    /// `--send-timeout`.
    pub send_timeout_seconds: Option<f64>,
}
