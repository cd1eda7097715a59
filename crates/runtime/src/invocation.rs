//! One request = one process = one [`Outcome`]. Reads top to bottom as the life of a request.
//!
//! Plain, blocking code: [`run`] makes the workspace, takes the body in, starts the process, follows it to its end,
//! collects what it left, and says how it went. It knows neither HTTP nor the command line.

mod action;
pub mod backoff;
mod bounds;
mod command;
mod errand;
mod function;
mod journal;
mod lines;
mod outcome;
mod resident;
mod settings;
mod start;
mod stdout;
pub mod take_in;
mod verdict;
mod watch;

use std::{
    ffi::CString,
    os::fd::AsFd as _,
    time::{Duration, Instant},
};

use crate::{
    actions::{Placement, TextArgument},
    input::{self, BodyError, BodySource, Envelope, Input, InputDir},
    logs::{Level, TAIL_LIMIT},
    output::{self, Output, OutputFile, ResponseHeaders},
    process::{self, Cancel, End, Ended, Exit, Observer as _, Rules},
    workspace::Workspace,
};
use action::{Task, Words};
pub use backoff::Backoff;
pub use command::{Command, InlineScript, Interpreter, check_exists};
pub use errand::Errand;
use function::TMPDIR;
pub use function::{Function, Ground, PORT};
use journal::Journal;
pub use outcome::{Attempts, Failure, Outcome, Party, Report, Unanswered};
pub use process::{Capacity, Cause, Progress};
pub use resident::{Life, Resident};
pub use settings::{Confinement, FunctionSettings, Logging, OnHangUp, OwnLines, Stdin, StdoutPolicy, Timeouts, User};
use start::Start;
use stdout::{Pipes, Scribe, Stdout};
use verdict::Killed;
pub use watch::{Taker, Unwatched, Watch};

/// One request, but for its body.
#[derive(Debug)]
pub struct Call {
    /// `CALL_ID`.
    pub id: String,
    /// What the sender said about the body.
    pub envelope: Envelope,
    /// Variables about the request (`Http_Method=GET`, …), each `NAME=value`.
    pub variables: Vec<CString>,
    /// By which way an action is called.
    pub way: Placement,
    /// What an action is given outside the body.
    pub texts: Vec<TextArgument>,
    /// What the caller's side knows and only an operator who debugs wants to see, a line each; no secrets in it.
    pub details: Vec<String>,
}

/// An invocation that is over. The workspace still exists, for the output to be read from; dropping this removes it.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub outcome: Outcome,
    workspace: Option<Workspace>,
}

impl Finished {
    /// Removes the workspace. To be called when the last piece of the answer has been read but not sent yet, so that
    /// whoever sees the answer finds nothing left.
    pub fn remove_workspace(&mut self) {
        self.workspace = None;
    }
}

/// Runs `function` for one call, from the first byte of the body to the collected output.
pub fn run(
    function: &Function,
    call: &Call,
    source: &mut dyn BodySource,
    cancel: &Cancel,
    watch: &mut dyn Watch,
) -> Finished {
    let started = Instant::now();
    let mut workspace = match function.workspaces.workspace() {
        Ok(workspace) => workspace,
        Err(error) => {
            let journal = Journal::new(function, call, None);
            let outcome = journal.failed(Failure::Workspace(error), None, started.elapsed());
            return Finished { outcome, workspace: None };
        }
    };
    let journal = Journal::new(function, call, Some(workspace.log_dir()));
    let stdout = function.stdout.as_ref().map(Stdout::new);
    let attempts = function.task.as_ref().map(|_| Attempts::default());
    let run = Run { function, call, workspace: &mut workspace, cancel, journal, stdout, started, ran: None, attempts };
    let outcome = run.go(source, watch);
    Finished { outcome, workspace: Some(workspace) }
}

/// An invocation under way.
struct Run<'a> {
    function: &'a Function,
    call: &'a Call,
    workspace: &'a mut Workspace,
    cancel: &'a Cancel,
    journal: Journal<'a>,
    /// Where standard output is the answer.
    stdout: Option<Stdout<'a>>,
    started: Instant,
    /// From then to the end of the process, once that has come. What its reader takes longer is not the function's.
    ran: Option<Duration>,
    /// Of an action.
    attempts: Option<Attempts>,
}

impl Run<'_> {
    fn go(mut self, source: &mut dyn BodySource, watch: &mut dyn Watch) -> Outcome {
        match self.take_in(source) {
            Ok((input, words)) => match self.cancel.cause() {
                None => self.execute(&input, words, watch),
                // While the body came; nothing is started only to be terminated.
                Some(cause) => Outcome::Cancelled { report: None, cause },
            },
            Err(error @ input::InputError::Body(BodyError::Incomplete)) => {
                self.journal.note(Level::Debug, &error.to_string());
                // Called off from outside; else whoever sent a part may still listen, and is told what is wrong with
                // it.
                match self.cancel.cause() {
                    Some(cause) => Outcome::Cancelled { report: None, cause },
                    None => Outcome::Refused(error),
                }
            }
            Err(error) => {
                self.journal.note(Level::Warning, &format!("bad input: {error}"));
                Outcome::Refused(error)
            }
        }
    }

    /// From the first byte of the body to the input that is ready, and what an action is told.
    fn take_in(&mut self, source: &mut dyn BodySource) -> Result<(Input, Option<Words>), input::InputError> {
        for detail in &self.call.details {
            self.journal.note(Level::Debug, detail);
        }
        let max_body = self.function.max_body;
        let mut input = take_in::take_in(self.workspace, &self.call.envelope, source, max_body)?;
        if let Some(filter) = &self.function.input_filter {
            let path = self.workspace.input_path();
            let dir = InputDir { fd: self.workspace.input(), path: &path };
            input = filter.filter(input, dir, max_body)?;
        }
        for note in &input.notes {
            self.journal.note(Level::Info, note);
        }
        if let Some(path) = &input.path {
            self.workspace.record_input(path);
            let (path, kind, bytes) = (path.display(), input.kind, input.bytes);
            self.journal.note(Level::Info, &format!("input ready: {path} ({kind}, {bytes} bytes)"));
        }
        let words = self.bind(&input)?;
        Ok((input, words))
    }

    /// From the input that is ready to the output that is collected.
    fn execute(mut self, input: &Input, words: Option<Words>, watch: &mut dyn Watch) -> Outcome {
        // Before the start, so that what happens in between is not missed.
        let killed_before = self.function.bounds.count_killed();
        let ended = self.prepare(input, words).and_then(|start| self.try_out(&start, watch));
        let attempts = self.attempts.take();
        let count = attempts.as_ref().map_or(0, |attempts| attempts.count);
        let outcome = match ended {
            Ok(ended) => self.conclude(ended, count, killed_before),
            Err(failure) => {
                let duration = self.duration();
                self.journal.failed(failure, None, duration)
            }
        };
        outcome.tried(attempts)
    }

    /// What comes of a process that has ended, after so many attempts of an action.
    fn conclude(mut self, ended: Ended, attempts: u32, killed_before: Option<u64>) -> Outcome {
        let Ended { exit, end, cpu_time, limit_events } = ended;
        let duration = self.duration();
        if (end, exit) != (End::Itself, Exit::Code(0)) {
            self.quote_output();
        }
        self.journal.note(Level::Info, &format!("function finished: {exit} after {:.6} s", duration.as_secs_f64()));
        if limit_events.forks_denied > 0 {
            let limit = self.function.bounds.limits.max_processes.unwrap_or_default();
            let text = format!("--max-processes {limit}: {} more could not be started", limit_events.forks_denied);
            self.journal.note(Level::Warning, &text);
        }
        match end {
            End::TimedOut => {
                let limit = self.function.rules.timeout.unwrap_or(duration);
                self.journal.note(Level::Error, &format!("the function ran longer than {limit:?} and was terminated"));
                Outcome::TimedOut { report: self.journal.report(Some(exit), duration), limit }
            }
            End::Cancelled(cause) => {
                let level = if cause == Cause::ClientGone { Level::Debug } else { Level::Warning };
                self.journal.note(level, &format!("the function was terminated: {cause}"));
                Outcome::Cancelled { report: Some(self.journal.report(Some(exit), duration)), cause }
            }
            End::Stopped => self.stopped(exit),
            End::Itself => match exit {
                Exit::Code(0) => self.collect(exit),
                Exit::Code(_) | Exit::Signal(_) => {
                    let limits = &self.function.bounds.limits;
                    let killed = || {
                        if limit_events.oom_kills > 0 {
                            Killed::Ours(limits.max_memory)
                        } else if self.function.bounds.count_killed() > killed_before {
                            Killed::Somebody
                        } else {
                            Killed::Nobody
                        }
                    };
                    let task = self.function.task.as_ref();
                    let failure = task.and_then(|_| Task::failure(exit, attempts));
                    let failure = failure.unwrap_or_else(|| verdict::failure(exit, cpu_time, limits, killed));
                    let is_its_own = matches!(
                        failure,
                        Failure::Exit(_) | Failure::Signal { .. } | Failure::Refused | Failure::Unavailable { .. }
                    );
                    if let Some(limits) = verdict::silent(limits).filter(|_| is_its_own) {
                        let note = format!("the function had limits, beyond which its own calls fail: {limits}");
                        self.journal.note(Level::Warning, &note);
                    }
                    let failed_output = self.failed_output();
                    let mut outcome = self.journal.failed(failure, Some(exit), duration);
                    if let Outcome::Failed { report, .. } = &mut outcome {
                        report.failed_output = failed_output;
                    }
                    outcome
                }
            },
        }
    }

    fn duration(&self) -> Duration {
        self.ran.unwrap_or_else(|| self.started.elapsed())
    }

    /// Puts the end of what a function that failed has written into the logs, where these would have been part of the
    /// answer.
    fn quote_output(&mut self) {
        let Some(stdout) = self.stdout.as_ref().filter(|stdout| stdout.holds_logs()) else { return };
        if self.function.shows_failed_output {
            return;
        }
        match stdout.tail(TAIL_LIMIT) {
            Ok(written) => self.journal.output(&written),
            Err(error) => {
                self.journal.note(Level::Warning, &format!("what the function has written cannot be read: {error}"));
            }
        }
    }

    /// What a function that failed has written to standard output, if that is told.
    fn failed_output(&mut self) -> Option<OutputFile> {
        match self.stdout.take().filter(|_| self.function.shows_failed_output)?.into_output() {
            Output::File(file) => Some(file),
            Output::None | Output::Tree(_) | Output::Streamed(_) => None,
        }
    }

    /// Starts the process and follows it to its end.
    fn supervise(&mut self, start: &Start, rules: Rules, watch: &mut dyn Watch) -> Result<Ended, Failure> {
        let function = self.function;
        let system = |error: rustix::io::Errno| Failure::Supervise(error.into());
        if let Some(attempts) = &mut self.attempts {
            attempts.begin();
        }
        let stdin = start.stdin.as_ref().unwrap_or(&*function.empty_input);
        let pipes = Pipes::new(function.stdout.as_ref()).map_err(system)?;
        let (program, streams) = (&function.program, pipes.streams(stdin.as_fd()));
        let arguments = start.arguments.as_deref().unwrap_or(program.arguments());
        let child = function.bounds.spawn(self.workspace, program, arguments, &start.variables, streams)?;
        let (program, pid) = (program.path().display(), child.pid());
        self.journal.note(Level::Info, &format!("function started: {program} (pid {pid})"));
        let (journal, workspace, reader) = (&mut self.journal, &*self.workspace, function.reader());
        let (stdout, attempts) = (self.stdout.as_mut(), self.attempts.as_mut());
        let mut scribe = Scribe { journal, watch, stdout, attempts, workspace, reader };
        // What the journal holds already is news to who watches.
        scribe.observe(&[]);
        let ended = process::supervise(child, pipes.outputs(), rules, self.cancel, &mut scribe);
        let ended = ended.map_err(Failure::Supervise)?;
        self.ran = Some(self.started.elapsed());
        let is_told = ended.end == End::Itself && (ended.exit == Exit::Code(0) || function.shows_failed_output);
        if let Some(answer) = pipes.outputs().response.filter(|_| is_told || scribe.wants_rest(ended.end)) {
            scribe.take_rest(answer).map_err(Failure::Supervise)?;
        }
        Ok(ended)
    }

    /// What comes of a function whose answer was not taken to its end.
    fn stopped(mut self, exit: Exit) -> Outcome {
        let duration = self.duration();
        if let Some(failure) = self.stdout.take().and_then(Stdout::into_failure) {
            return self.journal.failed(failure, Some(exit), duration);
        }
        self.journal.note(Level::Debug, "nobody takes the answer any more, and the function was terminated");
        let report = self.journal.report(Some(exit), duration);
        Outcome::Cancelled { report: Some(report), cause: Cause::ClientGone }
    }

    /// Finds what a successful function left.
    fn collect(mut self, exit: Exit) -> Outcome {
        if self.stdout.as_ref().is_some_and(Stdout::is_stopped) {
            return self.stopped(exit);
        }
        let duration = self.duration();
        match self.find() {
            Ok((response_headers, output)) => {
                // Where the logs are the answer, a part of them must not pass for the whole.
                if let (Output::None, Some(error)) = (&output, self.journal.take_loss()) {
                    return self.journal.failed(Failure::Workspace(error), Some(exit), duration);
                }
                if let Output::File(file) = &output {
                    self.workspace.record_output(file.path());
                }
                let (kind, files, bytes) = (output.kind(), output.files(), output.bytes());
                if let Some(limit) = self.function.bounds.limits.max_output.filter(|limit| bytes > *limit) {
                    let failure = Failure::OutputTooLarge { files, bytes, limit };
                    return self.journal.failed(failure, Some(exit), duration);
                }
                self.journal.note(Level::Info, &format!("output: {kind} (files: {files}, bytes: {bytes})"));
                let report = self.journal.report(Some(exit), duration);
                Outcome::Done { report, output, response_headers }
            }
            Err(failure) => self.journal.failed(failure, Some(exit), duration),
        }
    }
}

impl Run<'_> {
    /// The answer of a successful function, and what it asks for by its own header fields.
    fn find(&mut self) -> Result<(ResponseHeaders, Output), Failure> {
        let (journal, workspace, reader) = (&mut self.journal, &*self.workspace, self.function.reader());
        let mut warn = |text: String| journal.note(Level::Warning, &text);
        let (directory, name) = workspace.headers_location();
        let Some(stdout) = self.stdout.take() else {
            let response_headers = output::read_response_headers(directory, name, reader, &mut warn)?;
            let path = workspace.output_path();
            return Ok((response_headers, output::collect(workspace.output(), &path, reader, &mut warn)?));
        };
        if !output::is_empty(workspace.output()) {
            warn("left out: what is in TMP_OUTPUT_DIR, as in this mode the answer is the standard output".to_owned());
        }
        let output = match &self.function.task {
            Some(task) => stdout.into_result(&task.action.output)?,
            None => stdout.into_output(),
        };
        let response_headers = match output {
            // They have been read, and sent.
            Output::Streamed(_) => ResponseHeaders::default(),
            _ => output::read_response_headers(directory, name, reader, &mut warn)?,
        };
        Ok((response_headers, output))
    }
}
