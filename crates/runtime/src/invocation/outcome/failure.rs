//! The reasons why a run can fail.

use std::{io, time::Duration};

use bandog_codec::quantity;

use super::upstream::UpstreamError;
use crate::{
    output,
    process::{self, SpawnError},
};

/// The reason why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The function exited with a code other than 0.
    #[error("the function exited with code {0}")]
    Exit(i32),
    /// The function was killed by a signal that bandog did not send.
    #[error("the function was killed by signal {signal} ({name})", name = process::signal_name(*.signal))]
    Signal {
        /// The signal's number.
        signal: i32,
    },
    /// The kernel killed the function, or a process of it, because there was no memory left.
    #[error(
        "the function was killed by the kernel: out of memory; {}",
        .limit.map_or_else(
            || "give the container more, or the function less to do".to_owned(),
            |limit| format!("--max-memory allows it {limit} bytes"),
        )
    )]
    OutOfMemory {
        /// `--max-memory`, if that was exceeded; `None` if the memory of the container or the machine was used up.
        limit: Option<u64>,
    },
    /// The function used more than `--max-cpu-time`.
    #[error(
        "the function used up its CPU time of {} and was killed; --max-cpu-time sets the limit",
        quantity::duration_text(*limit)
    )]
    CpuTime {
        /// The limit.
        limit: Duration,
    },
    /// The function was killed when it wrote a file larger than `--max-output`.
    #[error("the function was killed as it wrote a file of more than {limit} bytes; --max-output sets the limit")]
    FileTooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// The output is larger than `--max-output`.
    #[error(
        "the output is too large: {bytes} bytes in {files} files, where {limit} are allowed; --max-output sets the limit"
    )]
    OutputTooLarge {
        /// The number of files.
        files: usize,
        /// The bytes of all files together.
        bytes: u64,
        /// The limit, in bytes.
        limit: u64,
    },
    /// The action reported a permanent failure: another attempt with the same arguments would fail as well.
    #[error("the action failed, and reported that it would fail again")]
    ActionFailed,
    /// The action reported a temporary failure: another attempt may succeed.
    #[error(
        "the action failed {}, and reported that another attempt may succeed; --retries sets the number of retries",
        if *attempts == 1 { "once".to_owned() } else { format!("{attempts} times") }
    )]
    ActionUnavailable {
        /// The number of attempts.
        attempts: u32,
    },
    /// The result of the action does not match its description.
    #[error("{0}")]
    InvalidResult(String),
    /// The limits or the sandbox of the function could not be prepared.
    #[error("could not start the function: cannot prepare its limits: {0}")]
    Confine(#[source] io::Error),
    /// The process could not be started.
    #[error("could not start the function: {0}")]
    Spawn(#[from] SpawnError),
    /// The workspace could not be created (disk full, no inodes, read-only), or could not hold the logs that are the
    /// response.
    #[error("the workspace cannot be used: {0}")]
    Workspace(#[source] io::Error),
    /// The output directory could not be read completely.
    #[error(transparent)]
    Output(#[from] output::OutputError),
    /// The process could not be supervised.
    #[error("cannot supervise the function: {0}")]
    Supervise(#[source] io::Error),
    /// There was no thread to be had for a part of the call.
    #[error(
        "no thread can be started for the call: {0}; raise the limit on processes or memory, or lower --max-inflight"
    )]
    NoThread(#[source] io::Error),
    /// An upstream did not respond.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
}

impl Failure {
    /// The reason why a process could not be started, for messages that name the process themselves.
    pub(crate) fn start_error(&self) -> String {
        match self {
            Self::Spawn(error) => error.to_string(),
            Self::Confine(error) => format!("cannot prepare its limits: {error}"),
            Self::Supervise(error) => error.to_string(),
            Self::Exit(_)
            | Self::Signal { .. }
            | Self::OutOfMemory { .. }
            | Self::CpuTime { .. }
            | Self::FileTooLarge { .. }
            | Self::OutputTooLarge { .. }
            | Self::ActionFailed
            | Self::ActionUnavailable { .. }
            | Self::InvalidResult(_)
            | Self::Workspace(_)
            | Self::Output(_)
            | Self::NoThread(_)
            | Self::Upstream(_) => self.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_attempt_is_reported_as_once() {
        let message = |attempts| Failure::ActionUnavailable { attempts }.to_string();
        assert!(message(1).starts_with("the action failed once, "), "{}", message(1));
        assert!(message(3).starts_with("the action failed 3 times, "), "{}", message(3));
    }
}
