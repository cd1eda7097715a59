//! How an invocation ended, and what is known of it then.

use std::time::Duration;

use crate::{
    input,
    logs::{Level, Logs, TAIL_LIMIT},
    output::{self, Output, OutputFile, ResponseHeaders},
    process::{Cause, Exit, SpawnError},
};

/// What is known of a run once the function has been started, or has failed to start.
#[derive(Debug)]
pub struct Report {
    /// How the process ended; `None` if it never started.
    pub exit: Option<Exit>,
    /// From the first byte read of the body to the end of the process.
    pub duration: Duration,
    /// The captured logs, sealed.
    pub logs: Logs,
    /// What a function that failed had written to standard output, where that would have been the answer and is told.
    pub failed_output: Option<OutputFile>,
    /// Of an action: how it was tried.
    pub attempts: Option<Attempts>,
}

/// How an action was tried.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attempts {
    /// How often.
    pub count: u32,
    /// What it wrote to standard error the last time, or the end of that, as it wrote it.
    pub traceback: Vec<u8>,
    /// What its server answered the last time, if it is done by a request.
    pub status: Option<u16>,
}

impl Report {
    /// The report of an exchange in which bandog ran no process.
    #[must_use]
    pub fn of_exchange(duration: Duration) -> Self {
        let mut logs = Logs::new(Level::Critical, 0, None);
        logs.seal();
        Self { exit: None, duration, logs, failed_output: None, attempts: None }
    }
}

impl Attempts {
    /// Begins another one.
    pub(super) fn begin(&mut self) {
        self.count += 1;
        self.traceback.clear();
    }

    /// Notes what it has written.
    pub(super) fn note(&mut self, written: &[u8]) {
        self.traceback.extend_from_slice(written);
        // Now and then, so that a byte is moved once on average.
        if self.traceback.len() > 2 * TAIL_LIMIT {
            self.shorten();
        }
    }

    /// Leaves no more of it than is told.
    pub(super) fn shorten(&mut self) {
        self.traceback.drain(..self.traceback.len().saturating_sub(TAIL_LIMIT));
    }
}

/// How an invocation ended. Every way has a case, so that a `match` maps them totally to status and exit codes.
#[derive(Debug)]
pub enum Outcome {
    /// The function exited with 0 and its output was collected.
    Done {
        /// The run.
        report: Report,
        /// What it left in its output directory.
        output: Output,
        /// What it wrote to `RESPONSE_HEADERS_PATH`.
        response_headers: ResponseHeaders,
    },
    /// The function failed, or what it left cannot be answered with.
    Failed {
        /// The run.
        report: Report,
        /// Why.
        failure: Failure,
    },
    /// The function ran longer than `--exec-timeout` and was terminated.
    TimedOut {
        /// The run.
        report: Report,
        /// The limit it exceeded.
        limit: Duration,
    },
    /// Somebody called it off.
    Cancelled {
        /// The run, if it had begun.
        report: Option<Report>,
        /// Who.
        cause: Cause,
    },
    /// The body was bad; nothing was started.
    Refused(input::InputError),
    /// What the function answered itself over HTTP, or a file, was passed on whole.
    Passed,
}

impl Outcome {
    /// What is known of the run, if there was one.
    #[must_use]
    pub fn report(&self) -> Option<&Report> {
        match self {
            Self::Done { report, .. } | Self::Failed { report, .. } | Self::TimedOut { report, .. } => Some(report),
            Self::Cancelled { report, .. } => report.as_ref(),
            Self::Refused(_) | Self::Passed => None,
        }
    }

    /// Adds how an action was tried to what is known of the run.
    pub(super) fn tried(mut self, attempts: Option<Attempts>) -> Self {
        let report = match &mut self {
            Self::Done { report, .. } | Self::Failed { report, .. } | Self::TimedOut { report, .. } => Some(report),
            Self::Cancelled { report, .. } => report.as_mut(),
            Self::Refused(_) | Self::Passed => None,
        };
        if let Some(report) = report {
            report.attempts = attempts.map(|mut attempts| {
                attempts.shorten();
                attempts
            });
        }
        self
    }
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Exit code other than 0.
    #[error("the function exited with code {0}")]
    Exit(i32),
    /// Killed by a signal that bandog did not send.
    #[error("the function was killed by signal {signal} ({name})", name = crate::process::signal_name(*.signal))]
    Signal {
        /// Its number.
        signal: i32,
    },
    /// The kernel killed it, or a process of it, for want of memory.
    #[error(
        "the function was killed by the kernel: out of memory; {}",
        .limit.map_or_else(
            || "give the container more, or the function less to do".to_owned(),
            |limit| format!("--max-memory allows it {limit} bytes"),
        )
    )]
    OutOfMemory {
        /// `--max-memory`, if it was that; else the container's or the machine's memory was used up.
        limit: Option<u64>,
    },
    /// It used more than `--max-cpu-time`.
    #[error("the function used up its CPU time of {limit:?} and was killed; --max-cpu-time sets the limit")]
    CpuTime {
        /// The limit.
        limit: Duration,
    },
    /// It was killed for writing a file larger than `--max-output`.
    #[error("the function was killed as it wrote a file of more than {limit} bytes; --max-output sets the limit")]
    FileTooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// It left more than `--max-output`.
    #[error(
        "the output is too large: {bytes} bytes in {files} files, where {limit} are allowed; --max-output sets the limit"
    )]
    OutputTooLarge {
        /// How many files.
        files: usize,
        /// How many bytes in all.
        bytes: u64,
        /// The limit, in bytes.
        limit: u64,
    },
    /// An action says that it failed for good: what it was given will never do.
    #[error("the action failed, and says that it would do so again")]
    Refused,
    /// An action says that it failed, and that another try may help.
    #[error(
        "the action failed {}; it says that another try may help: --retries sets how many there are",
        if *attempts == 1 { "once".to_owned() } else { format!("{attempts} times") }
    )]
    Unavailable {
        /// How often it was tried.
        attempts: u32,
    },
    /// What an action gave is not what it said it would.
    #[error("{0}")]
    Result(String),
    /// Its limits or its sandbox could not be prepared.
    #[error("could not start the function: cannot prepare its limits: {0}")]
    Confine(#[source] std::io::Error),
    /// There is no process to speak of.
    #[error("could not start the function: {0}")]
    Spawn(#[from] SpawnError),
    /// The workspace could not be made (disk full, no inodes, read-only), or could not hold the logs that are the
    /// answer.
    #[error("the workspace cannot be used: {0}")]
    Workspace(#[source] std::io::Error),
    /// The output directory could not be read whole.
    #[error(transparent)]
    Output(#[from] output::OutputError),
    /// The supervision itself failed.
    #[error("cannot supervise the function: {0}")]
    Supervise(#[source] std::io::Error),
    /// A function that speaks HTTP itself did not answer.
    #[error(transparent)]
    Unanswered(#[from] Unanswered),
}

impl Failure {
    /// Why a process could not be started, for who names that process itself.
    pub(super) fn of_start(&self) -> String {
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
            | Self::Refused
            | Self::Unavailable { .. }
            | Self::Result(_)
            | Self::Workspace(_)
            | Self::Output(_)
            | Self::Unanswered(_) => self.to_string(),
        }
    }
}

/// Whom requests are passed on to, as messages name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Party {
    /// The function of mode http.
    Function,
    /// The process behind a service's actions.
    Service,
    /// A server elsewhere, which has nothing to do with that.
    Elsewhere,
}

impl Party {
    /// The word for it.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Service => "service",
            Self::Elsewhere => "server",
        }
    }
}

impl std::fmt::Display for Party {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the {}", self.noun())
    }
}

/// Why a function that speaks HTTP itself did not answer, or not to the end.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// It could not be started.
    #[error("{who} could not be started: {reason}; bandog tries again")]
    NotStarted {
        /// Who it is.
        who: Party,
        /// What was wrong.
        reason: String,
    },
    /// There is nobody at its address.
    #[error("{who} cannot be reached at {place}: {source}")]
    Unreachable {
        /// Who it is.
        who: Party,
        /// Its address.
        place: String,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// It closed the connection, or sent what is no answer.
    #[error("{who} at {place} gave no answer: {reason}")]
    NoAnswer {
        /// Who it is.
        who: Party,
        /// Its address.
        place: String,
        /// What was wrong.
        reason: String,
    },
    /// It answered what is neither a result nor a failure of an action.
    #[error("the server at {place} answered {status}, which says nothing of the action")]
    Status {
        /// Its address.
        place: String,
        /// The status.
        status: u16,
    },
    /// It left in the middle of its answer.
    #[error("{who} broke off in the middle of its answer: {reason}")]
    BrokeOff {
        /// Who it is.
        who: Party,
        /// What was wrong.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_try_is_told_as_one() {
        let told = |attempts| Failure::Unavailable { attempts }.to_string();
        assert!(told(1).starts_with("the action failed once; "), "{}", told(1));
        assert!(told(3).starts_with("the action failed 3 times; "), "{}", told(3));
    }
}
