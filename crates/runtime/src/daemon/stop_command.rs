//! The command that stops a service.

use std::{ffi::CString, io, time::Duration};

use super::process;
use crate::{
    invocation::Function,
    process::{Cancel, Cause, End, Exit},
};

/// A command that runs once, and can be killed.
#[derive(Debug)]
pub struct StopCommand {
    function: Function,
    cancel: Cancel,
}

impl StopCommand {
    /// Prepares the command without starting it.
    #[must_use]
    pub fn new(function: Function) -> Self {
        Self { function, cancel: Cancel::new() }
    }

    /// The longest time that the command can take; `None` for no limit.
    #[must_use]
    pub fn limit(&self) -> Option<Duration> {
        self.function.rules.timeout.and_then(|limit| limit.checked_add(self.function.rules.grace))
    }

    /// Kills the command. If it has not started yet, it is killed at its start.
    pub fn kill(&self) {
        self.cancel.cancel_now(Cause::Shutdown);
    }

    /// Runs the command until it ends. Blocks. `variables` makes the variables in addition to the inherited ones.
    pub fn run(&self, variables: &dyn Fn() -> io::Result<Vec<CString>>) {
        let program = self.function.program.path().display();
        match process::run(&self.function, variables, &self.cancel, &|pid| tracing::info!(pid, "started: {program}")) {
            Ok(ended) => match (ended.end, ended.exit) {
                (End::TimedOut, _) => tracing::warn!("{program} took too long and was terminated"),
                (End::Cancelled(_) | End::Stopped, _) => tracing::warn!("{program} was killed"),
                (End::Itself, Exit::Code(0)) => tracing::info!("{program} has ended"),
                (End::Itself, exit) => tracing::warn!("{program} has ended: {exit}"),
            },
            Err(failure) => tracing::error!("{program}: {failure}"),
        }
    }
}
