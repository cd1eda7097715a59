//! The log of one invocation, which goes to the caller ([`Logs`]) and to the operator ([`telemetry`]).

use std::{os::fd::OwnedFd, sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{
    lines::LineForwarder,
    outcome::{Failure, Outcome, Report},
    settings::{Logging, OwnLines},
};
use crate::{
    logs::{Level, Logs},
    process::Exit,
    telemetry,
};

/// Writes the two logs of one invocation.
pub(super) struct InvocationLog<'a> {
    call_id: &'a str,
    logs: Logs,
    /// `None` if the function's output is not forwarded.
    lines: Option<LineForwarder>,
}

impl<'a> InvocationLog<'a> {
    /// Opens the logs. `spill_place` is the directory for the part that does not fit into memory.
    pub(super) fn new(logging: Logging, call_id: &'a str, spill_place: Option<Arc<OwnedFd>>) -> Self {
        let Logging { level, max_logs, forward, own_lines, logger } = logging;
        let level = if own_lines == OwnLines::LeftOut { Level::Critical } else { level };
        let logs = Logs::new(level, max_logs, spill_place).with_logger(logger);
        let forwards = forward || telemetry::is_enabled(Level::Debug);
        Self {
            call_id,
            logs: match own_lines {
                OwnLines::CopiedApart => logs.keeping_own_lines(),
                OwnLines::Apart => logs.parting_own_lines(),
                OwnLines::Among | OwnLines::LeftOut => logs,
            },
            lines: forwards.then(|| LineForwarder::new(call_id)),
        }
    }

    pub(super) fn logs(&self) -> &Logs {
        &self.logs
    }

    /// See [`Logs::take_loss`].
    pub(super) fn take_loss(&mut self) -> Option<std::io::Error> {
        self.logs.take_loss()
    }

    /// Whether either log keeps lines of this level.
    pub(super) fn keeps(&self, level: Level) -> bool {
        self.logs.keeps(level) || telemetry::is_enabled(level)
    }

    /// Writes one of bandog's own lines to both logs.
    pub(super) fn note(&mut self, level: Level, message: &str) {
        let moment = Timestamp::now();
        let mut clean = String::with_capacity(message.len());
        telemetry::escape_controls(message, &mut clean);
        self.logs.note(level, moment, &clean);
        telemetry::note(self.call_id, level, moment, &clean);
    }

    /// Writes output of the function to both logs.
    pub(super) fn output(&mut self, bytes: &[u8]) {
        self.logs.output(bytes);
        if let Some(lines) = &mut self.lines {
            lines.push(bytes);
        }
    }

    /// Ends the logs.
    pub(super) fn report(mut self, exit: Option<Exit>, duration: Duration) -> Report {
        // Forwards the last line, which may lack a line end.
        drop(self.lines.take());
        self.logs.seal();
        Report { exit, duration, logs: self.logs, failed_output: None, attempts: None, usage: None }
    }

    /// Ends the logs of a run that failed.
    pub(super) fn failed(mut self, failure: Failure, exit: Option<Exit>, duration: Duration) -> Outcome {
        self.note(Level::Error, &failure.to_string());
        Outcome::Failed { report: self.report(exit, duration), failure }
    }
}
