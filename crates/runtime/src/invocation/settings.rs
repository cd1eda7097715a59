//! The settings of functions: the limits, streams, logs and timeouts that the caller of this module chooses.
//!
//! Nothing here reads a flag or a variable. Each value is the result of the configuration, ready to use.

use std::{ffi::OsString, path::PathBuf, sync::Arc, time::Duration};

use crate::{input::InputFilter, logs::Level, storage::Storage};

/// The settings that all functions of one process share.
#[derive(Debug, Clone)]
pub struct FunctionSettings {
    /// The variables that a function inherits. Those of its user and its sandbox are added to them or replace them.
    pub environment: Vec<(OsString, OsString)>,
    /// The resources that one function may use, and its user.
    pub confinement: Confinement,
    /// How long a function may run.
    pub timeouts: Timeouts,
    /// The standard input of a function.
    pub stdin: Stdin,
    /// How standard output becomes the response; `None` where it belongs to the logs.
    pub stdout: Option<StdoutPolicy>,
    /// Bytes of a request body, as sent and as decompressed; 0 for no limit.
    pub max_body: u64,
    /// The logging of an invocation.
    pub logging: Logging,
    /// Whether the response to a failed invocation contains what the function wrote to standard output.
    pub shows_failed_output: bool,
    /// How often an action is run again after it has asked for that.
    pub retries: usize,
    /// Opens the events of a platform; `None` where a body is only a body.
    pub input_filter: Option<Arc<dyn InputFilter>>,
    /// Fetches the objects that events name, and stores outputs; `None` where neither is done. Needs the feature `storage`.
    pub storage: Option<Arc<dyn Storage>>,
}

/// The time limits of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// From the start of the process to SIGTERM; `None` for no limit.
    pub exec: Option<Duration>,
    /// From SIGTERM to SIGKILL.
    pub grace: Duration,
}

/// The standard input of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stdin {
    /// Empty.
    Null,
    /// The input file.
    Input,
}

/// How standard output becomes the response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StdoutPolicy {
    /// Whether it is sent while the function writes it. Otherwise it is sent after the function has ended.
    pub is_live: bool,
    /// Whether it includes standard error.
    pub is_combined: bool,
    /// The media type of the response.
    pub media_type: String,
    /// Whether the response is sent as it is, whatever encoding the caller accepts.
    pub is_bare: bool,
    /// Whether the function is terminated when the caller disconnects.
    pub on_hang_up: OnHangUp,
}

/// The treatment of a function whose live response has lost its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnHangUp {
    /// The function is terminated.
    Stop,
    /// The function runs on, and the rest of its output is discarded.
    RunOn,
}

/// The logging of an invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Logging {
    /// The lowest level of bandog's own lines.
    pub level: Level,
    /// Bytes kept of the logs of one invocation; 0 for no limit.
    pub max_logs: u64,
    /// Whether the function's output goes to the container log at any level. Otherwise it goes there at DEBUG only.
    pub forward: bool,
    /// Where bandog's own lines go within the logs of an invocation.
    pub own_lines: OwnLines,
    /// The name of the logger in bandog's own lines.
    pub logger: &'static str,
}

/// Where bandog's own lines go within the logs of an invocation. Actions use [`OwnLines::Apart`], or else
/// [`OwnLines::Among`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnLines {
    /// Among the lines of the function.
    Among,
    /// Among the lines of the function, with a copy kept apart from them.
    CopiedApart,
    /// Apart from the lines of the function, and not among them.
    Apart,
    /// Nowhere, except for those of the level CRITICAL.
    LeftOut,
}

/// The resources that one function may use, and its user; `None` for no limit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Confinement {
    /// Bytes of memory: of all processes together where there is a cgroup, else of private memory of each.
    pub max_memory: Option<u64>,
    /// CPU time of each process.
    pub max_cpu_time: Option<Duration>,
    /// Processes and threads, the function itself included.
    pub max_processes: Option<u64>,
    /// Open files of each process.
    pub max_open_files: Option<u64>,
    /// Bytes of all output files together, and of any one file.
    pub max_output: Option<u64>,
    /// The scheduling priority.
    pub nice: Option<i32>,
    /// The user that it runs as, if not bandog's own.
    pub user: Option<User>,
    /// Whether it may write to its workspace only.
    pub sandbox: bool,
    /// The paths outside the workspace that a sandboxed function may write to; absolute, and existing.
    pub allow_write: Vec<PathBuf>,
}

/// A user other than bandog's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The user id.
    pub uid: u32,
    /// The group id.
    pub gid: u32,
    /// The name, if the user has one.
    pub name: Option<String>,
    /// The home directory, if the user has one.
    pub home: Option<PathBuf>,
}
