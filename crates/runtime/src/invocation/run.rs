//! The life of one request, from the first byte of its body to its outcome.

mod attempts;
mod conclude;
mod environment;
#[cfg(feature = "storage")]
mod records;
#[cfg(feature = "storage")]
mod store;
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
#[cfg(feature = "storage")]
use crate::storage::ObjectEvent;
use crate::{
    actions::{Placement, TextArgument},
    input::{self, BodyError, BodySource, Envelope, Input},
    logs::Level,
    process::Cancel,
    workspace::Workspace,
};

/// One request, without its body.
#[derive(Debug, Clone)]
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
    let received = in_workspace(function, call, cancel, |mut invocation| {
        let (input, arguments) = match invocation.receive(source) {
            Ok(received) => received,
            Err(outcome) => return Received::Ended(outcome),
        };
        invocation.go_on(input, arguments, observer)
    });
    match received {
        Ok((Received::Ended(outcome), workspace)) => Finished { outcome, workspace: Some(workspace) },
        #[cfg(feature = "storage")]
        Ok((Received::Records(records, input), workspace)) => {
            drop(workspace);
            records::run_each(function, call, records, &input, cancel)
        }
        Err(outcome) => Finished { outcome, workspace: None },
    }
}

/// An invocation whose body has been received.
#[cfg_attr(feature = "storage", expect(clippy::large_enum_variant, reason = "made once for each invocation"))]
enum Received {
    /// It is over.
    Ended(Outcome),
    /// The body is an event of several records. The input has the variables for all of them.
    #[cfg(feature = "storage")]
    Records(Vec<Box<dyn ObjectEvent>>, Input),
}

/// Calls `body` with an invocation in a new workspace. Returns its result, and the workspace.
///
/// # Errors
/// The outcome where there is no workspace.
#[expect(clippy::result_large_err, reason = "the outcome of the invocation, and made once for it")]
fn in_workspace<T>(
    function: &Function,
    call: &Call,
    cancel: &Cancel,
    body: impl FnOnce(Invocation<'_>) -> T,
) -> Result<(T, Workspace), Outcome> {
    let started = Instant::now();
    let mut workspace = function.workspaces.workspace().map_err(|error| {
        let log = InvocationLog::new(function.logging, &call.id, None, None);
        log.failed(Failure::Workspace(error), None, started.elapsed())
    })?;
    let is_apart = function.stdout.as_ref().is_some_and(|rules| !rules.policy.is_combined);
    let stream = is_apart.then_some(log::STDERR);
    let log = InvocationLog::new(function.logging, &call.id, Some(workspace.log_dir()), stream);
    let stdout = function.stdout.as_ref().map(Stdout::new);
    let attempts = function.action.as_ref().map(|_| Attempts::default());
    let workspace_of_run = &mut workspace;
    let invocation = Invocation {
        function,
        call,
        workspace: workspace_of_run,
        cancel,
        log,
        stdout,
        started,
        ran: None,
        attempts,
        #[cfg(feature = "storage")]
        event_bucket: None,
    };
    let result = body(invocation);
    Ok((result, workspace))
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
    /// The bucket of the object that is the input, if one is.
    #[cfg(feature = "storage")]
    event_bucket: Option<String>,
}

impl Invocation<'_> {
    /// Receives the body.
    ///
    /// # Errors
    /// The outcome where nothing is to be started.
    #[expect(clippy::result_large_err, reason = "the outcome of the invocation, and made once for it")]
    fn receive(&mut self, source: &mut dyn BodySource) -> Result<(Input, Option<ActionArguments>), Outcome> {
        match self.take_in(source) {
            // Cancelled while the body arrived: do not start a process only to terminate it.
            Ok(_) if let Some(cause) = self.cancel.cause() => Err(Outcome::Cancelled { report: None, cause }),
            Ok(received) => Ok(received),
            Err(error @ input::InputError::Body(BodyError::Incomplete)) => {
                self.log.note(Level::Debug, &error.to_string());
                // Without a cancellation the client may still listen after an incomplete body, and gets an error
                // response.
                Err(match self.cancel.cause() {
                    Some(cause) => Outcome::Cancelled { report: None, cause },
                    None => Outcome::Refused(error),
                })
            }
            Err(error) => {
                self.log.note(Level::Warning, &format!("bad input: {error}"));
                Err(Outcome::Refused(error))
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

    /// Runs the function for the body, which is an input.
    #[cfg(not(feature = "storage"))]
    fn go_on(
        self,
        input: Input,
        arguments: Option<ActionArguments>,
        observer: &mut dyn InvocationObserver,
    ) -> Received {
        Received::Ended(self.execute(&input, arguments, observer))
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
