//! The end of the process → the outcome.

use super::Invocation;
use crate::{
    invocation::{
        action::ActionCommand,
        last_lines,
        outcome::{
            Failure, Outcome,
            diagnose::{self, OomKill},
        },
        stdout::Stdout,
    },
    logs::{Level, TAIL_LIMIT},
    output::{self, Output, OutputFile, ResponseHeaders},
    process::{Cause, End, Ended, Exit},
};

impl Invocation<'_> {
    /// Returns the outcome of a process that has ended, after `attempts` attempts at an action.
    pub(super) fn conclude(mut self, ended: Ended, attempts: u32, killed_before: Option<u64>) -> Outcome {
        let Ended { exit, end, usage, limit_events } = ended;
        let duration = self.duration();
        if (end, exit) != (End::Itself, Exit::Code(0)) {
            self.quote_output();
        }
        self.log.note_end(exit, duration);
        if limit_events.forks_denied > 0 {
            let limit = self.function.limits.settings.max_processes.unwrap_or_default();
            let text = format!("--max-processes {limit}: {} more could not be started", limit_events.forks_denied);
            self.log.note(Level::Warning, &text);
        }
        match end {
            End::TimedOut => {
                let limit = self.function.rules.timeout.unwrap_or(duration);
                #[cfg(feature = "storage")]
                let stored = self.store_failed();
                let outcome = self.log.timed_out(limit, exit, duration);
                #[cfg(feature = "storage")]
                let outcome = outcome.with_stored(stored);
                outcome
            }
            End::Cancelled(cause) => {
                let level = if cause == Cause::ClientGone { Level::Debug } else { Level::Warning };
                self.log.note(level, &format!("the function was terminated: {cause}"));
                Outcome::Cancelled { report: Some(self.log.report(Some(exit), duration)), cause }
            }
            End::Stopped => self.stopped(exit),
            End::Itself => match exit {
                Exit::Code(0) => self.collect(exit),
                Exit::Code(_) | Exit::Signal(_) => {
                    let limits = &self.function.limits.settings;
                    let killed = || {
                        if limit_events.oom_kills > 0 {
                            OomKill::Own(limits.max_memory)
                        } else if self.function.limits.count_killed() > killed_before {
                            OomKill::Other
                        } else {
                            OomKill::None
                        }
                    };
                    let action = self.function.action.as_ref();
                    let failure = action.and_then(|_| ActionCommand::failure(exit, attempts));
                    let failure = failure.unwrap_or_else(|| diagnose::failure(exit, usage.cpu_time, limits, killed));
                    self.failed(failure, exit)
                }
            },
        }
    }

    /// Returns the outcome of a process that failed.
    fn failed(mut self, failure: Failure, exit: Exit) -> Outcome {
        let duration = self.duration();
        let is_its_own = matches!(
            failure,
            Failure::Exit(_) | Failure::Signal { .. } | Failure::ActionFailed | Failure::ActionUnavailable { .. }
        );
        if let Some(limits) = diagnose::silent(&self.function.limits.settings).filter(|_| is_its_own) {
            let note = format!("the function ran under limits that can make its system calls fail: {limits}");
            self.log.note(Level::Warning, &note);
        }
        let failed_output = self.failed_output();
        #[cfg(feature = "storage")]
        let stored = self.store_failed();
        let mut outcome = self.log.failed(failure, Some(exit), duration);
        if let Outcome::Failed { report, .. } = &mut outcome {
            report.failed_output = failed_output;
        }
        #[cfg(feature = "storage")]
        let outcome = outcome.with_stored(stored);
        outcome
    }

    /// Copies the end of a failed function's output into the logs, if the response would have been the logs. Otherwise it
    /// is for the container log, if the function has said nothing else.
    fn quote_output(&mut self) {
        let Some(stdout) = self.stdout.as_ref() else { return };
        if !stdout.holds_logs() {
            if let Ok(written) = stdout.tail(last_lines::LIMIT)
                && self.log.lacks_output()
            {
                self.log.quote_instead(&written);
            }
            return;
        }
        if self.function.shows_failed_output {
            return;
        }
        match stdout.tail(TAIL_LIMIT) {
            Ok(written) => self.log.output(&written),
            Err(error) => {
                self.log.note(Level::Warning, &format!("cannot read the output of the function: {error}"));
            }
        }
    }

    /// Returns the standard output of a failed function, if the response contains it.
    fn failed_output(&mut self) -> Option<OutputFile> {
        match self.stdout.take().filter(|_| self.function.shows_failed_output)?.into_output() {
            Output::File(file) => Some(file),
            Output::None | Output::Tree(_) | Output::Streamed(_) => None,
        }
    }

    /// Returns the outcome of a function whose output was not taken to its end.
    fn stopped(mut self, exit: Exit) -> Outcome {
        let duration = self.duration();
        if let Some(failure) = self.stdout.take().and_then(Stdout::into_failure) {
            return self.log.failed(failure, Some(exit), duration);
        }
        self.log.note(Level::Debug, "the client no longer reads the response, and the function was terminated");
        let report = self.log.report(Some(exit), duration);
        Outcome::Cancelled { report: Some(report), cause: Cause::ClientGone }
    }

    /// Collects the output of a successful function.
    fn collect(mut self, exit: Exit) -> Outcome {
        if self.stdout.as_ref().is_some_and(Stdout::is_stopped) {
            return self.stopped(exit);
        }
        let duration = self.duration();
        match self.find_output() {
            Ok((response_headers, output)) => {
                // If the logs are the response, an incomplete log must not be sent as the whole.
                if let (Output::None, Some(error)) = (&output, self.log.take_loss()) {
                    return self.log.failed(Failure::Workspace(error), Some(exit), duration);
                }
                if let Output::File(file) = &output {
                    self.workspace.record_output(file.path());
                }
                let (kind, files, bytes) = (output.kind(), output.files(), output.bytes());
                if let Some(limit) = self.function.limits.settings.max_output.filter(|limit| bytes > *limit) {
                    // No more of it goes to a store than into a response.
                    let failure = Failure::OutputTooLarge { files, bytes, limit };
                    return self.log.failed(failure, Some(exit), duration);
                }
                self.log.note(Level::Info, &format!("output: {kind} (files: {files}, bytes: {bytes})"));
                #[cfg(feature = "storage")]
                let stored = match self.store(&output) {
                    Ok(stored) => stored,
                    Err(failure) => return self.log.failed(failure, Some(exit), duration),
                };
                let report = self.log.report(Some(exit), duration);
                #[cfg(feature = "storage")]
                let report = crate::invocation::outcome::Report { stored, ..report };
                Outcome::Done { report, output, response_headers }
            }
            Err(failure) => self.log.failed(failure, Some(exit), duration),
        }
    }

    /// Returns the output of a successful function, with the status and the header fields that it has set.
    fn find_output(&mut self) -> Result<(ResponseHeaders, Output), Failure> {
        let (log, workspace, reader) = (&mut self.log, &*self.workspace, self.function.reader());
        let mut warn = |text: String| log.note(Level::Warning, &text);
        let (directory, name) = workspace.headers_location();
        let Some(stdout) = self.stdout.take() else {
            let response_headers = output::read_response_headers(directory, name, reader, &mut warn)?;
            let path = workspace.output_path();
            return Ok((response_headers, output::collect(workspace.output(), &path, reader, &mut warn)?));
        };
        if !self.function.stores_output() && !output::is_empty(workspace.output()) {
            warn("ignored the files in TMP_OUTPUT_DIR: in this mode the response is the standard output".to_owned());
        }
        let output = match &self.function.action {
            Some(command) => stdout.into_result(&command.action.output)?,
            None => stdout.into_output(),
        };
        let response_headers = match output {
            // They were read, and sent, before the first byte.
            Output::Streamed(_) => ResponseHeaders::default(),
            _ => output::read_response_headers(directory, name, reader, &mut warn)?,
        };
        Ok((response_headers, output))
    }
}
