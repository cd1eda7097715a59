//! A process that is restarted when it ends by itself.

use std::{
    ffi::CString,
    io,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::process;
use crate::{
    invocation::{Backoff, Failure, Function, UpstreamKind, backoff},
    process::{Cancel, Cause, Ended, Exit, Usage},
    workspace::Workspace,
};

/// The run time after which the next restart waits only for the shortest pause again.
const STABLE_AFTER: Duration = Duration::from_secs(10);

/// A change in the state of the process.
#[derive(Debug)]
pub enum DaemonEvent {
    /// The process was started, with this process id.
    Started(i32),
    /// The process ended by itself, and has used so much.
    Ended(Exit, Usage),
    /// The process could not be started, for this reason.
    NotStarted(String),
}

/// A process that is restarted when it ends by itself.
#[derive(Debug)]
pub struct Daemon {
    function: Function,
    kind: UpstreamKind,
    state: Mutex<DaemonState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct DaemonState {
    /// The process is not restarted.
    is_last: bool,
    /// Stops the process that runs.
    current: Option<Cancel>,
}

impl Daemon {
    /// Prepares the process without starting it. `kind` is for messages.
    #[must_use]
    pub fn new(mut function: Function, kind: UpstreamKind) -> Self {
        // Only `stop` ends it.
        function.rules.timeout = None;
        Self { function, kind, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Gives a workspace to the user that the process runs as. To be called once, before the process learns its path.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub fn hand_over(&self, workspace: &Workspace) -> Result<(), Failure> {
        self.function.limits.hand_over(workspace)
    }

    /// Leaves the process running, but does not restart it when it ends.
    pub fn stop_restarting(&self) {
        self.state().is_last = true;
        self.changed.notify_all();
    }

    /// Ends the process: SIGTERM, grace period, SIGKILL; or SIGKILL at once with `now`.
    pub fn stop(&self, now: bool) {
        let mut state = self.state();
        state.is_last = true;
        if let Some(current) = &state.current {
            if now { current.cancel_now(Cause::Shutdown) } else { current.cancel(Cause::Shutdown) }
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Keeps the process running until [`Daemon::stop`] is called. Blocks, and is to be called once, on a thread of its
    /// own. `variables` makes the variables in addition to the inherited ones, anew for each start; `notify` is called
    /// for each event.
    pub fn run(&self, variables: &dyn Fn() -> io::Result<Vec<CString>>, notify: &dyn Fn(DaemonEvent)) {
        let (mut backoff, kind) = (Backoff::default(), self.kind);
        while let Some(cancel) = self.next() {
            let started = Instant::now();
            let ended = process::run(&self.function, variables, &cancel, &|pid| {
                let (noun, program) = (kind.noun(), self.function.program.path().display());
                tracing::info!(pid, "{noun} started: {program}");
                notify(DaemonEvent::Started(pid));
            });
            self.state().current = None;
            if started.elapsed() >= STABLE_AFTER {
                backoff = Backoff::default();
            }
            let wait = backoff.pause();
            let pause = backoff::text(wait);
            match ended {
                Ok(Ended { exit, .. }) if self.state().is_last => tracing::info!("{kind} has ended: {exit}"),
                Ok(Ended { exit, usage, .. }) => {
                    tracing::error!("{kind} ended by itself: {exit}; it is started again in {pause}");
                    notify(DaemonEvent::Ended(exit, usage));
                }
                Err(failure) => {
                    let reason = failure.start_error();
                    tracing::error!("{kind} could not be started: {reason}; bandog tries again in {pause}");
                    notify(DaemonEvent::NotStarted(reason));
                }
            }
            let waited = self.changed.wait_timeout_while(self.state(), wait, |state| !state.is_last);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// The canceller of the next process; `None` if there is to be none.
    fn next(&self) -> Option<Cancel> {
        let mut state = self.state();
        if state.is_last {
            return None;
        }
        Some(state.current.insert(Cancel::new()).clone())
    }

    /// A poisoned lock is ignored: every holder leaves the state consistent.
    fn state(&self) -> MutexGuard<'_, DaemonState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
