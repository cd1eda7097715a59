//! The function as one process that lives long: started, followed, and started again when it ends.
//!
//! It knows no HTTP. Who talks to the process is told of each turn in its life, and may say that it is to end.

use std::{
    ffi::{CString, OsStr},
    io,
    os::fd::AsFd as _,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rustix::pipe::{PipeFlags, pipe_with};

use super::{Failure, Function, Party, TMPDIR, backoff::Backoff, lines::Lines};
use crate::{
    process::{self, Cancel, Cause, Ended, Exit, Observer, Outputs, Progress, Stop, Streams, variable},
    workspace::Workspace,
};

/// Who has lived so long begins with the first pause again.
const LONG_LIFE: Duration = Duration::from_secs(10);

/// A turn in the life of the process.
#[derive(Debug)]
pub enum Life {
    /// It has been started, with this process id.
    Started(i32),
    /// It has ended by itself.
    Ended(Exit),
    /// It could not be started, for this reason.
    NotStarted(String),
}

/// The process, and who orders it to end.
#[derive(Debug)]
pub struct Resident {
    function: Function,
    who: Party,
    orders: Mutex<Orders>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Orders {
    /// It is not started again.
    last: bool,
    /// The process that runs.
    current: Option<Cancel>,
}

impl Resident {
    /// Nothing is started yet. `who` it is, is for messages.
    #[must_use]
    pub fn new(mut function: Function, who: Party) -> Self {
        // Only orders end it.
        function.rules.timeout = None;
        Self { function, who, orders: Mutex::default(), changed: Condvar::new() }
    }

    /// Makes a workspace that of the user whom the process runs as. To be called once, before it is told of it.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub fn hand_over(&self, workspace: &Workspace) -> Result<(), Failure> {
        self.function.bounds.hand_over(workspace)
    }

    /// When the process ends from now on, it is not started again.
    pub fn let_end(&self) {
        self.orders().last = true;
        self.changed.notify_all();
    }

    /// Ends the process: SIGTERM, grace period, SIGKILL; or SIGKILL at once.
    pub fn end(&self, now: bool) {
        let mut orders = self.orders();
        orders.last = true;
        if let Some(current) = &orders.current {
            if now { current.cancel_now(Cause::Shutdown) } else { current.cancel(Cause::Shutdown) }
        }
        drop(orders);
        self.changed.notify_all();
    }

    /// Keeps the process running until it is to end. Blocks, and is to be called once, on a thread that does nothing
    /// else. `variables` makes what it finds in its environment beside what it inherits, anew for each start.
    pub fn run(&self, variables: &dyn Fn() -> io::Result<Vec<CString>>, tell: &dyn Fn(Life)) {
        let (mut backoff, who) = (Backoff::default(), self.who);
        while let Some(cancel) = self.next() {
            let started = Instant::now();
            let ended = live(&self.function, variables, &cancel, &|pid| {
                let (noun, program) = (who.noun(), self.function.program.path().display());
                tracing::info!(pid, "{noun} started: {program}");
                tell(Life::Started(pid));
            });
            self.orders().current = None;
            if started.elapsed() >= LONG_LIFE {
                backoff = Backoff::default();
            }
            let wait = backoff.pause();
            match ended.map(|ended| ended.exit) {
                Ok(exit) if self.orders().last => tracing::info!("{who} has ended: {exit}"),
                Ok(exit) => {
                    tracing::error!("{who} ended by itself: {exit}; it is started again in {wait:?}");
                    tell(Life::Ended(exit));
                }
                Err(failure) => {
                    let reason = failure.of_start();
                    tracing::error!("{who} could not be started: {reason}; bandog tries again in {wait:?}");
                    tell(Life::NotStarted(reason));
                }
            }
            let orders = self.orders();
            let waited = self.changed.wait_timeout_while(orders, wait, |orders| !orders.last);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// The order for the next process; `None` if there is to be none.
    fn next(&self) -> Option<Cancel> {
        let mut orders = self.orders();
        if orders.last {
            return None;
        }
        Some(orders.current.insert(Cancel::new()).clone())
    }

    /// A poisoned lock guards state that every holder leaves whole.
    fn orders(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One life of a process, in a workspace that lasts as long. What it writes is for the log; `started` is told its id.
pub(super) fn live(
    function: &Function,
    variables: &dyn Fn() -> io::Result<Vec<CString>>,
    cancel: &Cancel,
    started: &dyn Fn(i32),
) -> Result<Ended, Failure> {
    let workspace = function.workspaces.workspace().map_err(Failure::Workspace)?;
    let mut variables = variables().map_err(Failure::Supervise)?;
    let place = workspace.output_path();
    variables.push(variable(OsStr::new(process::TAG_VARIABLE), place.as_os_str()).map_err(Failure::Supervise)?);
    if function.bounds.limits.sandbox {
        let scratch = workspace.add_scratch().map_err(Failure::Workspace)?;
        variables.push(variable(OsStr::new(TMPDIR), scratch.as_os_str()).map_err(Failure::Supervise)?);
    }
    let (read_end, write_end) = pipe_with(PipeFlags::CLOEXEC).map_err(|error| Failure::Supervise(error.into()))?;
    function.bounds.hand_over(&workspace)?;
    let output = write_end.as_fd();
    let streams = Streams { stdin: function.empty_input.as_fd(), stdout: output, stderr: output };
    let program = &function.program;
    let child = function.bounds.spawn(&workspace, program, program.arguments(), &variables, streams)?;
    started(child.pid());
    let mut lines = Lines::new("");
    let outputs = Outputs { logs: Some(&read_end), response: None };
    process::supervise(child, outputs, function.rules, cancel, &mut lines).map_err(Failure::Supervise)
}

/// All of it is for the log.
impl Observer for Lines {
    fn observe(&mut self, written: &[u8]) -> Progress {
        self.push(written);
        Progress::UpToDate
    }

    fn take(&mut self, _: &[u8]) -> Result<(), Stop> {
        Err(Stop)
    }
}
