//! The arguments of an action, and its retries.

use std::time::Instant;

use super::{Invocation, environment::LaunchSpec};
use crate::{
    input::{self, Input},
    invocation::{
        action::{ActionArguments, ActionCommand},
        backoff::{self, Backoff},
        observer::InvocationObserver,
        outcome::Failure,
        stdout::Stdout,
        take_in,
    },
    logs::Level,
    process::{End, Ended, Rules},
};

impl Invocation<'_> {
    /// Binds the arguments of an action; `None` for another function.
    pub(super) fn bind(&mut self, input: &Input) -> Result<Option<ActionArguments>, input::InputError> {
        let Some(command) = &self.function.action else { return Ok(None) };
        let call = self.call;
        let action = (&*command.action, call.way, &*call.texts);
        let (arguments, _) = take_in::bind(self.workspace, &call.envelope, input, action)?;
        command.fill(&arguments).map(Some).map_err(input::InputError::Arguments)
    }

    /// Runs the process until it ends. An action that asks for it is run again, as long as retries and time are left
    /// and the call is not cancelled.
    pub(super) fn attempt(
        &mut self,
        launch: &LaunchSpec,
        observer: &mut dyn InvocationObserver,
    ) -> Result<Ended, Failure> {
        let rules = self.function.rules;
        let Some(command) = &self.function.action else { return self.supervise(launch, rules, observer) };
        let deadline = rules.timeout.and_then(|limit| Instant::now().checked_add(limit));
        let mut backoff = Backoff::default();
        let mut left = command.retries;
        loop {
            let timeout = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let ended = self.supervise(launch, Rules { timeout, ..rules }, observer)?;
            let pause = backoff.pause();
            let is_in_time = deadline.is_none_or(|deadline| Instant::now() + pause < deadline);
            if left == 0 || !is_in_time || !ActionCommand::may_retry(&ended) {
                return Ok(ended);
            }
            left -= 1;
            let (exit, wait) = (ended.exit, backoff::text(pause));
            let note = format!("the action may succeed at another attempt ({exit}); retrying in {wait}");
            self.log.note(Level::Warning, &note);
            // The output of this attempt is not part of the response to the next one.
            self.stdout = self.function.stdout.as_ref().map(Stdout::new);
            self.workspace.remove_headers().map_err(Failure::Workspace)?;
            if let Some(stdin) = &launch.stdin {
                let begun = rustix::fs::seek(stdin, rustix::fs::SeekFrom::Start(0));
                begun.map_err(|error| Failure::Supervise(error.into()))?;
            }
            if let Some(cause) = self.cancel.wait(pause).map_err(Failure::Supervise)? {
                return Ok(Ended { end: End::Cancelled(cause), ..ended });
            }
        }
    }
}
