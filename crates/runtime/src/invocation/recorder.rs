//! Distributes the output of a running function: to its logs, to its response, and to the observer.

use std::{io, os::fd::OwnedFd};

use super::{
    log::InvocationLog,
    observer::InvocationObserver,
    outcome::Attempts,
    stdout::{Stdout, StopReason},
};
use crate::{
    logs::Level,
    output::{self, FileAccess},
    process::{self, Capacity, End, Observer, Progress, Stop},
    workspace::Workspace,
};

/// Records the output of one process.
pub(super) struct OutputRecorder<'s, 'a> {
    pub(super) log: &'s mut InvocationLog<'a>,
    pub(super) observer: &'s mut dyn InvocationObserver,
    /// `None` where standard output belongs to the logs.
    pub(super) stdout: Option<&'s mut Stdout<'a>>,
    /// `None` for a function that is not an action.
    pub(super) attempts: Option<&'s mut Attempts>,
    pub(super) workspace: &'s Workspace,
    pub(super) reader: Option<FileAccess>,
}

impl OutputRecorder<'_, '_> {
    /// See [`Stdout::wants_rest`].
    pub(super) fn wants_rest(&self, end: End) -> bool {
        self.stdout.as_ref().is_some_and(|stdout| stdout.wants_rest(end))
    }

    /// Takes the rest of the response from the pipe after the function has ended. Waits while the client is slow.
    pub(super) fn take_rest(&mut self, pipe: &OwnedFd) -> io::Result<()> {
        if let Some(stdout) = &mut self.stdout {
            stdout.end();
        }
        process::drain(pipe, &mut |written| {
            // `stdout` keeps the reason of a stop.
            let _ = self.take(written);
        })
    }

    /// Begins the response with the status and the header fields that the function has set so far.
    fn begin(&mut self) -> Result<(), StopReason> {
        let (directory, name) = self.workspace.headers_location();
        let mut warn = |warning: String| self.log.note(Level::Warning, &warning);
        let response_headers = output::read_response_headers(directory, name, self.reader, &mut warn);
        let response_headers = response_headers.map_err(StopReason::ResponseHeaders)?;
        if let Some(receiver) = self.observer.receiver() {
            receiver.begin(&response_headers);
        }
        Ok(())
    }

    fn pass_on(&mut self, written: &[u8]) -> Result<(), StopReason> {
        let Some(stdout) = &self.stdout else { return Ok(()) };
        let (is_live, is_first) = (stdout.is_live() && self.observer.receiver().is_some(), !stdout.has_begun());
        if is_live && is_first {
            self.begin()?;
        }
        let receiver = if is_live { self.observer.receiver() } else { None };
        match &mut self.stdout {
            Some(stdout) => stdout.add(written, receiver, self.workspace.directory()),
            None => Ok(()),
        }
    }
}

impl Observer for OutputRecorder<'_, '_> {
    fn observe(&mut self, written: &[u8]) -> Progress {
        self.log.output(written);
        if let Some(attempts) = &mut self.attempts {
            attempts.note(written);
        }
        self.observer.progress(self.log.logs())
    }

    fn capacity(&mut self) -> Capacity<'_> {
        let live = self.stdout.as_mut().filter(|stdout| stdout.has_reader());
        let (Some(receiver), Some(stdout)) = (self.observer.receiver(), live) else {
            return Capacity::Bytes(usize::MAX);
        };
        match receiver.capacity() {
            Capacity::Closed if stdout.abandon().is_ok() => Capacity::Bytes(usize::MAX),
            room => room,
        }
    }

    fn take(&mut self, written: &[u8]) -> Result<(), Stop> {
        if self.stdout.as_ref().is_some_and(|stdout| stdout.is_stopped()) {
            return Err(Stop);
        }
        let passed_on = self.pass_on(written);
        passed_on.map_err(|reason| {
            if let Some(stdout) = &mut self.stdout {
                stdout.stop(reason);
            }
            Stop
        })
    }
}
