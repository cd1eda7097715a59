//! The life of one request, from the first byte of its body to its outcome.

mod attempts;
mod conclude;
mod environment;
mod supervise;

use std::{
    ffi::CString,
    time::{Duration, Instant},
};

use super::{
    action::ActionArguments,
    function::Function,
    log::{self, InvocationLog},
    observer::InvocationObserver,
    outcome::{Attempts, Failure, Outcome},
    stdout::Stdout,
    take_in,
};
use crate::{
    actions::{Placement, TextArgument},
    input::{self, BodyError, BodySource, Envelope, Input},
    logs::Level,
    process::Cancel,
    workspace::Workspace,
};

/// One request, without its body.
#[derive(Debug)]
pub struct Call {
    /// `CALL_ID`.
    pub id: String,
    /// The sender's description of the body.
    pub envelope: Envelope,
    /// Variables about the request (`Http_Method=GET`, …), each `NAME=value`.
    pub variables: Vec<CString>,
    /// Where the arguments of an action may be placed.
    pub way: Placement,
    /// The arguments of an action that were given outside the body.
    pub texts: Vec<TextArgument>,
    /// Details of the request for the log at DEBUG, a line each, without secrets.
    pub details: Vec<String>,
}

/// An invocation that is over. The workspace still exists, because the output is read from it. Dropping this value
/// removes the workspace.
#[derive(Debug)]
pub struct Finished {
    /// The outcome.
    pub outcome: Outcome,
    workspace: Option<Workspace>,
}

impl Finished {
    /// Removes the workspace. To be called when the last piece of the response has been read but not sent yet, so that
    /// the workspace is gone when the client has the whole response.
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
    observer: &mut dyn InvocationObserver,
) -> Finished {
    let started = Instant::now();
    let mut workspace = match function.workspaces.workspace() {
        Ok(workspace) => workspace,
        Err(error) => {
            let log = InvocationLog::new(function.logging, &call.id, None, None);
            let outcome = log.failed(Failure::Workspace(error), None, started.elapsed());
            return Finished { outcome, workspace: None };
        }
    };
    let is_apart = function.stdout.as_ref().is_some_and(|rules| !rules.policy.is_combined);
    let stream = is_apart.then_some(log::STDERR);
    let log = InvocationLog::new(function.logging, &call.id, Some(workspace.log_dir()), stream);
    let stdout = function.stdout.as_ref().map(Stdout::new);
    let attempts = function.action.as_ref().map(|_| Attempts::default());
    let workspace_of_run = &mut workspace;
    let invocation =
        Invocation { function, call, workspace: workspace_of_run, cancel, log, stdout, started, ran: None, attempts };
    let outcome = invocation.run(source, observer);
    Finished { outcome, workspace: Some(workspace) }
}

/// An invocation in progress.
struct Invocation<'a> {
    function: &'a Function,
    call: &'a Call,
    workspace: &'a mut Workspace,
    cancel: &'a Cancel,
    log: InvocationLog<'a>,
    /// `None` where standard output belongs to the logs.
    stdout: Option<Stdout<'a>>,
    started: Instant,
    /// From `started` to the end of the process, once it has ended. The time that a slow client takes to read the rest
    /// is not counted.
    ran: Option<Duration>,
    /// `None` for a function that is not an action.
    attempts: Option<Attempts>,
}

impl Invocation<'_> {
    fn run(mut self, source: &mut dyn BodySource, observer: &mut dyn InvocationObserver) -> Outcome {
        match self.take_in(source) {
            Ok((input, arguments)) => match self.cancel.cause() {
                None => self.execute(&input, arguments, observer),
                // Cancelled while the body arrived: do not start a process only to terminate it.
                Some(cause) => Outcome::Cancelled { report: None, cause },
            },
            Err(error @ input::InputError::Body(BodyError::Incomplete)) => {
                self.log.note(Level::Debug, &error.to_string());
                // Without a cancellation the client may still listen after an incomplete body, and gets an error
                // response.
                match self.cancel.cause() {
                    Some(cause) => Outcome::Cancelled { report: None, cause },
                    None => Outcome::Refused(error),
                }
            }
            Err(error) => {
                self.log.note(Level::Warning, &format!("bad input: {error}"));
                Outcome::Refused(error)
            }
        }
    }

    /// Reads the body. Returns the input, and the arguments of an action.
    fn take_in(&mut self, source: &mut dyn BodySource) -> Result<(Input, Option<ActionArguments>), input::InputError> {
        for detail in &self.call.details {
            self.log.note(Level::Debug, detail);
        }
        let max_body = self.function.max_body;
        let filter = self.function.input_filter.as_deref();
        let input = take_in::take_in(self.workspace, &self.call.envelope, source, max_body, filter)?;
        for note in &input.notes {
            self.log.note(Level::Info, note);
        }
        if let Some(path) = &input.path {
            self.workspace.record_input(path);
            let (path, kind, bytes) = (path.display(), input.kind, input.bytes);
            self.log.note(Level::Info, &format!("input ready: {path} ({kind}, {bytes} bytes)"));
        }
        let arguments = self.bind(&input)?;
        Ok((input, arguments))
    }

    /// Runs the process and collects its output.
    fn execute(
        mut self,
        input: &Input,
        arguments: Option<ActionArguments>,
        observer: &mut dyn InvocationObserver,
    ) -> Outcome {
        // Counted before the start, so that no kill in between is missed.
        let killed_before = self.function.limits.count_killed();
        let ended = self.prepare(input, arguments).and_then(|launch| self.attempt(&launch, observer));
        let attempts = self.attempts.take();
        let count = attempts.as_ref().map_or(0, |attempts| attempts.count);
        let outcome = match ended {
            Ok(ended) => self.conclude(ended, count, killed_before),
            Err(failure) => {
                let duration = self.duration();
                self.log.failed(failure, None, duration)
            }
        };
        outcome.with_attempts(attempts)
    }

    fn duration(&self) -> Duration {
        self.ran.unwrap_or_else(|| self.started.elapsed())
    }
}
