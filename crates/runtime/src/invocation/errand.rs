//! A command that is run once, beside all calls: what stops a service.

use std::{ffi::CString, io, time::Duration};

use super::{Function, resident::live};
use crate::process::{Cancel, Cause, End, Exit};

/// The command, and who orders it to end.
#[derive(Debug)]
pub struct Errand {
    function: Function,
    order: Cancel,
}

impl Errand {
    /// Nothing is started yet.
    #[must_use]
    pub fn new(function: Function) -> Self {
        Self { function, order: Cancel::new() }
    }

    /// The longest that it may take, if there is a limit.
    #[must_use]
    pub fn limit(&self) -> Option<Duration> {
        self.function.rules.timeout.and_then(|limit| limit.checked_add(self.function.rules.grace))
    }

    /// Kills it, also before it has begun.
    pub fn end_now(&self) {
        self.order.cancel_now(Cause::Shutdown);
    }

    /// Runs it to its end. Blocks. `variables` makes what it finds in its environment beside what it inherits.
    pub fn run(&self, variables: &dyn Fn() -> io::Result<Vec<CString>>) {
        let program = self.function.program.path().display();
        match live(&self.function, variables, &self.order, &|pid| tracing::info!(pid, "started: {program}")) {
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
