//! A managed server: whether it has been started, listens, and is ready; and its process, if bandog starts it.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use bandog_runtime::daemon::{Daemon, DaemonEvent, StopCommand};
use tokio::{
    runtime::Handle,
    sync::{Mutex, watch},
    time::{Instant, sleep, timeout_at},
};

use super::{assigned_port::AssignedPort, health::Health};
use crate::{
    context::Context,
    invocation::{Failure, Outcome, Report, UpstreamError, UpstreamKind},
    lifecycle::Phase,
    process::Exit,
    reply::{ErrorCode, Problem},
    workspace::Workspace,
};

/// The pauses between two checks whether the function is ready: the first, and the longest.
const POLL_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_POLL_PAUSE: Duration = Duration::from_millis(250);

/// How long the result of a check is given to those who ask bandog.
const FRESH: Duration = Duration::from_secs(1);

/// Between two attempts to start a thread, when the kernel has refused one.
const THREAD_PAUSE: Duration = Duration::from_secs(1);

/// The state of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
enum ServerState {
    /// It has been started, or soon will be, and is not ready.
    Starting,
    /// It takes requests.
    Ready,
    /// It could not be started, and is tried again after a while.
    NotStarted(String),
    /// There is none any more.
    Over,
}

/// The progress of the command that stops a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StopStage {
    NotYet,
    Running,
    Over,
}

/// A server, with its state. It may listen at several addresses.
#[derive(Debug)]
pub(crate) struct ManagedServer {
    /// The noun for it in messages.
    who: UpstreamKind,
    /// Its process; `None` if bandog did not start it.
    process: Option<Arc<Daemon>>,
    /// The shutdown command, which runs before its process is terminated.
    stop_command: Option<Arc<StopCommand>>,
    stop_stage: watch::Sender<StopStage>,
    assigned: AssignedPort,
    health: Health,
    state: watch::Sender<ServerState>,
    /// Counts the starts, the failed starts and the ends, so that the result of a check of one process is not taken for the
    /// next one.
    generation: AtomicU64,
    /// The time and the result of the last check for `/_/ready`.
    asked: Mutex<Option<(Instant, bool)>>,
    has_begun: AtomicBool,
    /// How its process ended, if it did before it was ready.
    early_end: watch::Sender<Option<Exit>>,
}

impl ManagedServer {
    /// Nothing is started yet.
    pub(crate) fn new(who: UpstreamKind, process: Option<Daemon>, assigned: AssignedPort, health: Health) -> Self {
        Self {
            who,
            process: process.map(Arc::new),
            stop_command: None,
            stop_stage: watch::Sender::new(StopStage::NotYet),
            assigned,
            health,
            state: watch::Sender::new(ServerState::Starting),
            generation: AtomicU64::new(0),
            asked: Mutex::default(),
            has_begun: AtomicBool::new(false),
            early_end: watch::Sender::new(None),
        }
    }

    /// Sets the command that stops it.
    pub(crate) fn stopped_by(self, stop_command: Option<StopCommand>) -> Self {
        Self { stop_command: stop_command.map(Arc::new), ..self }
    }

    /// How long the command that stops it may run before its process is terminated.
    pub(crate) fn patience(&self) -> Duration {
        self.stop_command.as_ref().map_or(Duration::ZERO, |stop_command| stop_command.limit().unwrap_or(Duration::MAX))
    }

    /// Whether its process is ours, and is started again when it has ended.
    pub(crate) fn is_ours(&self) -> bool {
        self.process.is_some()
    }

    /// Gives a workspace, with files that the server is told of, to the user of its process.
    pub(crate) fn hand_over(&self, workspace: &Workspace) -> Result<(), Failure> {
        self.process.as_ref().map_or(Ok(()), |process| process.hand_over(workspace))
    }

    /// Begins the next generation in this state, and returns its number.
    fn next_generation(&self, state: ServerState) -> u64 {
        let mut generation = 0;
        self.state.send_modify(|now| {
            generation = self.generation.fetch_add(1, Ordering::Relaxed) + 1;
            *now = state;
        });
        generation
    }

    /// The number of the present generation.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }

    /// Whether this generation is the present one.
    fn is_current(&self, generation: u64) -> bool {
        self.generation.load(Ordering::Relaxed) == generation
    }

    /// Waits until it is ready, or it is known that it will not be soon; until `patience` ends.
    pub(crate) async fn settled(&self, patience: Option<Instant>) -> Result<(), UpstreamError> {
        let mut state = self.state.subscribe();
        let settled = state.wait_for(|state| *state != ServerState::Starting);
        let settled = match patience {
            Some(patience) => timeout_at(patience, settled).await.ok().and_then(Result::ok),
            None => settled.await.ok(),
        };
        match settled.as_deref() {
            Some(ServerState::NotStarted(reason)) => {
                Err(UpstreamError::NotStarted { upstream: self.who, reason: reason.clone() })
            }
            // The next attempt to connect reports the error.
            _ => Ok(()),
        }
    }

    /// Resolves when its process has ended before it was ready.
    pub(crate) async fn ends_early(&self) -> Exit {
        let mut early_end = self.early_end.subscribe();
        match early_end.wait_for(Option::is_some).await.ok().and_then(|exit| *exit) {
            Some(exit) => exit,
            None => std::future::pending().await,
        }
    }

    /// Starts the function, if bandog is to start it, and begins to check whether it is ready.
    pub(crate) fn begin(self: &Arc<Self>, context: &Arc<Context>) {
        self.has_begun.store(true, Ordering::Relaxed);
        let Some(process) = &self.process else {
            let generation = self.next_generation(ServerState::Starting);
            tokio::spawn(Arc::clone(self).poll_health(generation));
            return;
        };
        if let Err(error) = self.start_thread(process, context) {
            let reason = format!("cannot start a thread for it: {error}");
            tracing::error!("{} could not be started: {reason}; bandog tries again", self.who);
            self.next_generation(ServerState::NotStarted(reason));
            tokio::spawn(Arc::clone(self).begin_later(Arc::clone(process), Arc::clone(context)));
        }
    }

    /// Starts the thread on which its process lives.
    fn start_thread(self: &Arc<Self>, process: &Arc<Daemon>, context: &Arc<Context>) -> io::Result<()> {
        let (this, process, context) = (Arc::clone(self), Arc::clone(process), Arc::clone(context));
        let runtime = Handle::current();
        let thread = thread::Builder::new().name("function".to_owned()).spawn(move || {
            let _over = OverOnDrop(Arc::clone(&this));
            let tell = |event| this.on_event(event, &context, &runtime);
            let address = this.health.address.as_ref();
            let variables = || this.assigned.check(address, &runtime).and_then(|()| this.assigned.variables());
            process.run(&variables, &tell);
        });
        thread.map(drop)
    }

    /// Tries until there is a thread, or none is needed any more.
    async fn begin_later(self: Arc<Self>, process: Arc<Daemon>, context: Arc<Context>) {
        let mut phase = context.lifecycle.watch();
        loop {
            tokio::select! {
                () = phase.reached(Phase::Draining) => {
                    self.next_generation(ServerState::Over);
                    break;
                }
                () = sleep(THREAD_PAUSE) => if self.start_thread(&process, &context).is_ok() { break },
            }
        }
    }

    /// Changes the state after an event of the process.
    fn on_event(self: &Arc<Self>, event: DaemonEvent, context: &Context, runtime: &Handle) {
        match event {
            DaemonEvent::Started(_) => {
                let generation = self.next_generation(ServerState::Starting);
                runtime.spawn(Arc::clone(self).poll_health(generation));
            }
            DaemonEvent::Ended(exit, usage) => {
                context.metrics.count_exit(exit);
                if *self.state.borrow() == ServerState::Starting {
                    self.early_end.send_replace(Some(exit));
                }
                context.metrics.count_usage(usage);
                self.next_generation(ServerState::Starting);
            }
            DaemonEvent::NotStarted(reason) => {
                self.next_generation(ServerState::NotStarted(reason));
            }
        }
    }

    pub(crate) fn let_end(&self) {
        if let Some(process) = &self.process {
            process.stop_restarting();
        }
    }

    /// Ends it: by the command that stops it, then its process by SIGTERM, and after the grace period by SIGKILL; or by
    /// SIGKILL at once.
    pub(crate) fn end(self: &Arc<Self>, now: bool) {
        if !self.has_begun.load(Ordering::Relaxed) {
            return;
        }
        if now {
            // A stop that has not begun is cancelled.
            self.stop_stage.send_if_modified(|stage| {
                let is_first = *stage == StopStage::NotYet;
                if is_first {
                    *stage = StopStage::Over;
                }
                is_first
            });
            if let Some(stop_command) = &self.stop_command {
                stop_command.kill();
            }
        } else if let Some(stop_command) = self.stop_command.clone().filter(|_| self.begins_stop()) {
            let this = Arc::clone(self);
            let thread = thread::Builder::new().name("shutdown".to_owned()).spawn(move || {
                let over = StoppedOnDrop(this);
                stop_command.run(&|| over.0.assigned.variables());
            });
            match thread {
                Ok(_) => return,
                Err(error) => tracing::error!("cannot start a thread for the command that stops the service: {error}"),
            }
            self.stop_stage.send_replace(StopStage::Over);
        } else if *self.stop_stage.borrow() == StopStage::Running {
            return;
        }
        if let Some(process) = &self.process {
            process.stop(now);
        }
    }

    /// Whether there is a server to stop, and stopping it has not begun.
    fn begins_stop(&self) -> bool {
        let is_there = matches!(*self.state.borrow(), ServerState::Starting | ServerState::Ready);
        let mut is_first = false;
        self.stop_stage.send_modify(|stage| {
            is_first = *stage == StopStage::NotYet && is_there;
            if is_first {
                *stage = StopStage::Running;
            }
        });
        is_first
    }

    /// Waits until the process has ended and is not started again, and the command that stops it has ended.
    pub(crate) async fn is_over(&self) {
        if !self.has_begun.load(Ordering::Relaxed) {
            return;
        }
        if self.process.is_some() {
            let _ = self.state.subscribe().wait_for(|state| *state == ServerState::Over).await;
        }
        let _ = self.stop_stage.subscribe().wait_for(|stage| *stage != StopStage::Running).await;
    }

    /// Checks until the function is ready, or the next generation begins.
    async fn poll_health(self: Arc<Self>, generation: u64) {
        let mut pause = POLL_PAUSE;
        while self.is_current(generation) {
            if self.health.is_good().await {
                self.state.send_if_modified(|state| {
                    let is_news = self.is_current(generation) && *state == ServerState::Starting;
                    if is_news {
                        *state = ServerState::Ready;
                    }
                    is_news
                });
                if let Some(address) = &self.health.address {
                    tracing::info!("{} at {address} is ready", self.who);
                }
                return;
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_POLL_PAUSE);
        }
    }

    /// For `/_/ready`: the state, or the answer of the function itself if it may be asked.
    pub(crate) async fn is_ready(&self) -> bool {
        if *self.state.borrow() != ServerState::Ready {
            return false;
        }
        if !self.health.is_asked() {
            return true;
        }
        // Callers that arrive during the request share its result.
        let mut asked = self.asked.lock().await;
        if let Some((when, was_ready)) = *asked
            && when.elapsed() < FRESH
        {
            return was_ready;
        }
        let is_ready = self.health.is_good().await;
        *asked = Some((Instant::now(), is_ready));
        is_ready
    }

    /// The response while it is not ready.
    pub(crate) fn not_ready(&self) -> Problem {
        let detail = format!("{} is not ready; repeat the request after a while", self.who);
        Problem::new(ErrorCode::NotReady, detail)
    }

    /// Waits until the function takes requests, for at most `--queue-timeout`.
    pub(crate) async fn wait(&self, context: &Context) -> Result<(), Problem> {
        if *self.state.borrow() == ServerState::Ready {
            return Ok(());
        }
        let started = Instant::now();
        let patience = context.settings.timeouts.queue.and_then(|patience| started.checked_add(patience));
        let settled = tokio::select! {
            settled = self.settled(patience) => settled,
            () = context.lifecycle.reached(Phase::Closing) => return Err(Problem::draining()),
        };
        if let Err(error) = settled {
            let problem = Problem::new(ErrorCode::UpstreamFailed, error.to_string());
            let report = Report::of_exchange(started.elapsed());
            context.metrics.count(&Outcome::Failed { report, failure: Failure::Upstream(error) });
            return Err(problem);
        }
        let state = self.state.borrow().clone();
        match state {
            ServerState::Ready => Ok(()),
            ServerState::Over => Err(Problem::draining()),
            ServerState::Starting | ServerState::NotStarted(_) => {
                context.metrics.totals.count_turned_away();
                Err(self.not_ready())
            }
        }
    }
}

/// Marks the stop as complete when dropped, however it ended.
struct StoppedOnDrop(Arc<ManagedServer>);

impl Drop for StoppedOnDrop {
    fn drop(&mut self) {
        if let Some(process) = &self.0.process {
            process.stop(false);
        }
        self.0.stop_stage.send_replace(StopStage::Over);
    }
}

/// Marks the server as ended when dropped, however its thread ended.
struct OverOnDrop(Arc<ManagedServer>);

impl Drop for OverOnDrop {
    fn drop(&mut self) {
        self.0.next_generation(ServerState::Over);
    }
}
