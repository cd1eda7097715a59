//! The log of one invocation, which goes to the caller ([`Logs`]) and to the operator ([`telemetry`]).

use std::{os::fd::OwnedFd, sync::Arc, time::Duration};

use bandog_codec::quantity;
use jiff::Timestamp;

use super::{
    last_lines::LastLines,
    lines::LineForwarder,
    outcome::{Failure, Outcome, Report},
    settings::{Logging, OwnLines},
};
use crate::{
    logs::{Level, Logs},
    process::{Exit, Usage},
    telemetry,
};

/// The names of the streams in the container log, where they are two.
pub(super) const STDERR: &str = "stderr";
const STDOUT: &str = "stdout";

/// Writes the two logs of one invocation.
pub(super) struct InvocationLog<'a> {
    call_id: &'a str,
    logs: Logs,
    /// `None` if the function's output is not forwarded.
    lines: Option<LineForwarder>,
    /// The end of the function's output; `None` where that is forwarded.
    last: Option<LastLines>,
    /// The name of the stream that the output comes from; `None` where two are one.
    stream: Option<&'static str>,
    /// What the processes of the invocation have used.
    usage: Usage,
}

impl<'a> InvocationLog<'a> {
    /// Opens the logs. `spill_place` is the directory for the part that does not fit into memory; `stream` names the
    /// stream that the output comes from, if it is one of two.
    pub(super) fn new(
        logging: Logging,
        call_id: &'a str,
        spill_place: Option<Arc<OwnedFd>>,
        stream: Option<&'static str>,
    ) -> Self {
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
            lines: forwards.then(|| LineForwarder::new(call_id, stream)),
            last: (!forwards && telemetry::quotes_failures()).then(LastLines::default),
            stream,
            usage: Usage::default(),
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

    /// Writes that the process has ended, to the container log with what it has used.
    pub(super) fn note_end(&mut self, exit: Exit, duration: Duration) {
        let (level, moment, seconds) = (Level::Info, Timestamp::now(), duration.as_secs_f64());
        let message = format!("function finished: {exit} after {seconds:.6} s");
        self.logs.note(level, moment, &message);
        if !telemetry::is_enabled(level) {
            return;
        }
        let exit = match exit {
            Exit::Code(code) => ("exit_code", code.into()),
            Exit::Signal(signal) => ("signal", signal.into()),
        };
        let said = [exit, ("seconds", rounded(seconds).into())];
        let Usage { cpu_time, peak_memory } = self.usage;
        let used = [("cpu_seconds", rounded(cpu_time.as_secs_f64()).into()), ("peak_memory_bytes", peak_memory.into())];
        telemetry::note_with(self.call_id, level, moment, &message, (&said, &used));
    }

    /// Adds what a process of the invocation has used.
    pub(super) fn used(&mut self, usage: Usage) {
        self.usage.add(usage);
    }

    /// Writes output of the function to both logs.
    pub(super) fn output(&mut self, bytes: &[u8]) {
        self.logs.output(bytes);
        if let Some(lines) = &mut self.lines {
            lines.push(bytes);
        }
        if let Some(last) = &mut self.last {
            last.push(bytes);
        }
    }

    /// Whether the container log is to show the end of the output of a failed function, and there has been none yet.
    pub(super) fn lacks_output(&self) -> bool {
        self.last.as_ref().is_some_and(LastLines::is_empty)
    }

    /// Takes the end of a function's standard output in place of the output that there was not.
    pub(super) fn quote_instead(&mut self, stdout: &[u8]) {
        if let Some(last) = &mut self.last {
            last.push(stdout);
            self.stream = Some(STDOUT);
        }
    }

    /// Writes the end of a failed function's output to the container log, unless all of it is there already.
    fn quote_output(&mut self) {
        if let Some(last) = self.last.take() {
            last.quote(self.call_id, self.stream);
        }
    }

    /// Ends the logs.
    pub(super) fn report(mut self, exit: Option<Exit>, duration: Duration) -> Report {
        // Forwards the last line, which may lack a line end.
        drop(self.lines.take());
        self.logs.seal();
        let usage = exit.map(|_| self.usage);
        Report { exit, duration, usage, logs: self.logs, failed_output: None, attempts: None, stored: None }
    }

    /// Ends the logs of a run that was terminated after `limit`.
    pub(super) fn timed_out(mut self, limit: Duration, exit: Exit, duration: Duration) -> Outcome {
        self.quote_output();
        let after = quantity::duration_text(limit);
        self.note(Level::Error, &format!("the function ran longer than {after} and was terminated"));
        Outcome::TimedOut { report: self.report(Some(exit), duration), limit }
    }

    /// Ends the logs of a run that failed.
    pub(super) fn failed(mut self, failure: Failure, exit: Option<Exit>, duration: Duration) -> Outcome {
        self.quote_output();
        self.note(Level::Error, &failure.to_string());
        Outcome::Failed { report: self.report(exit, duration), failure }
    }
}

/// Seconds with the six decimals that messages have.
fn rounded(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e6
}
