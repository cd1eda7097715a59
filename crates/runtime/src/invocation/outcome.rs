//! The outcome of an invocation.

pub(super) mod diagnose;
mod failure;
mod settled;
mod upstream;

use std::time::Duration;

pub use self::{
    failure::Failure,
    settled::{RecordEnd, SettledEvent, SettledRecord},
    upstream::{UpstreamError, UpstreamKind},
};
use crate::{
    input,
    logs::{Level, Logs, TAIL_LIMIT},
    output::{Output, OutputFile, ResponseHeaders},
    process::{Cause, Exit, Usage},
    storage::Stored,
};

/// The facts about a run, from the moment when the function was started or failed to start.
#[derive(Debug)]
pub struct Report {
    /// How the process ended; `None` if it never started.
    pub exit: Option<Exit>,
    /// From the first byte read of the body to the end of the process.
    pub duration: Duration,
    /// What the process has used, all attempts together; `None` if it never started.
    pub usage: Option<Usage>,
    /// The captured logs, sealed.
    pub logs: Logs,
    /// The standard output of a failed function, if the response to a failure contains it.
    pub failed_output: Option<OutputFile>,
    /// The attempts at an action; `None` for other functions.
    pub attempts: Option<Attempts>,
    /// The fate of the output files; `None` where they go to no store.
    pub stored: Option<Stored>,
}

/// The attempts at an action.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attempts {
    /// The number of attempts.
    pub count: u32,
    /// The end of the standard error of the last attempt, byte for byte.
    pub traceback: Vec<u8>,
    /// The status of the last response, if the action is an HTTP request to a server.
    pub status: Option<u16>,
}

impl Report {
    /// The fate of the output files; `None` where they go to no store, and in a build without storage.
    #[must_use]
    pub fn stored(&self) -> Option<&Stored> {
        self.stored.as_ref().filter(|_| cfg!(feature = "storage"))
    }

    /// The report of an exchange in which bandog ran no process.
    #[must_use]
    pub fn of_exchange(duration: Duration) -> Self {
        let mut logs = Logs::new(Level::Critical, 0, None);
        logs.seal();
        Self { exit: None, duration, usage: None, logs, failed_output: None, attempts: None, stored: None }
    }
}

impl Attempts {
    /// Begins another attempt.
    pub(super) fn begin(&mut self) {
        self.count += 1;
        self.traceback.clear();
    }

    /// Adds output of the current attempt.
    pub(super) fn note(&mut self, written: &[u8]) {
        self.traceback.extend_from_slice(written);
        // Shortened at twice the limit, so that each byte is moved once on average.
        if self.traceback.len() > 2 * TAIL_LIMIT {
            self.shorten();
        }
    }

    /// Discards all but the end that responses contain.
    pub(super) fn shorten(&mut self) {
        self.traceback.drain(..self.traceback.len().saturating_sub(TAIL_LIMIT));
    }
}

/// The outcome of an invocation. An exhaustive `match` maps it to status and exit codes.
#[derive(Debug)]
pub enum Outcome {
    /// The function exited with 0 and its output was collected.
    Done {
        /// The run.
        report: Report,
        /// The output that the function left.
        output: Output,
        /// The status and header fields that the function wrote to `RESPONSE_HEADERS_PATH`.
        response_headers: ResponseHeaders,
    },
    /// The function failed, or its output cannot be sent.
    Failed {
        /// The run.
        report: Report,
        /// The reason.
        failure: Failure,
    },
    /// The function ran longer than `--exec-timeout` and was terminated.
    TimedOut {
        /// The run.
        report: Report,
        /// The limit that it exceeded.
        limit: Duration,
    },
    /// The invocation was cancelled.
    Cancelled {
        /// The run, if it had begun.
        report: Option<Report>,
        /// The reason.
        cause: Cause,
    },
    /// The body was rejected; no process was started.
    Refused(input::InputError),
    /// An event about objects is settled, and no single run answers it.
    Settled(SettledEvent),
    /// A response of an upstream, or a file, was passed on whole.
    Passed,
}

impl Outcome {
    /// The report of the run, if there was one.
    #[must_use]
    pub fn report(&self) -> Option<&Report> {
        match self {
            Self::Done { report, .. } | Self::Failed { report, .. } | Self::TimedOut { report, .. } => Some(report),
            Self::Cancelled { report, .. } => report.as_ref(),
            Self::Refused(_) | Self::Settled(_) | Self::Passed => None,
        }
    }

    /// Whether the function did all that it was to do, and its outputs are where they belong.
    #[must_use]
    pub fn is_success(&self) -> bool {
        match self {
            Self::Done { report, .. } => report.stored().is_none_or(Stored::is_whole),
            Self::Passed => true,
            Self::Settled(event) => event.failure().is_none(),
            Self::Failed { .. } | Self::TimedOut { .. } | Self::Cancelled { .. } | Self::Refused(_) => false,
        }
    }

    /// Adds the fate of the output files to the report.
    #[cfg(feature = "storage")]
    pub(super) fn with_stored(mut self, stored: Option<Stored>) -> Self {
        if let Self::Done { report, .. } | Self::Failed { report, .. } | Self::TimedOut { report, .. } = &mut self {
            report.stored = stored;
        }
        self
    }

    /// Adds the attempts at an action to the report.
    pub(super) fn with_attempts(mut self, attempts: Option<Attempts>) -> Self {
        let report = match &mut self {
            Self::Done { report, .. } | Self::Failed { report, .. } | Self::TimedOut { report, .. } => Some(report),
            Self::Cancelled { report, .. } => report.as_mut(),
            Self::Refused(_) | Self::Settled(_) | Self::Passed => None,
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
