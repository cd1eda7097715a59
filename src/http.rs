//! The HTTP side: listener → admission → handler.
//!
//! One thread, asynchronous: it parses heads, asks for places, moves pieces of bodies, and never touches a file of an
//! invocation. Everything that may block runs on an invocation's own thread (`workers`); what crosses between the
//! two is in `bridge`.

mod admission;
mod arrival;
mod backend;
mod bridge;
mod connection;
mod exchange;
mod front;
mod gate;
mod handler;
mod head;
mod job;
mod jwt;
mod link;
mod listener;
mod lock;
mod marshal;
mod metrics;
mod once;
mod probe;
mod site;
mod stream;
mod token;
mod upstream;
mod workers;

use std::{
    collections::HashMap,
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::sync::watch;

use crate::{
    actions::{Service, openapi::Callers},
    config::{self, Compat, Config, Habit},
    process::{Cancel, Cause},
    reply::{AnswerStyle, Head, Problem},
    request,
    workspace::Root,
};
pub use backend::Backend;
pub use listener::{Stop, bind, serve};
use lock::Lock;
pub use once::{OneCall, Unfinished, call_once};

/// Everything that the connections share.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub struct Server {
    backend: Backend,
    workspaces: Arc<Root>,
    /// [`Config::encodes`].
    encodes: bool,
    exec_timeout: Option<Duration>,
    /// How often an action is tried once more.
    retries: usize,
    queue_timeout: Option<Duration>,
    service: Option<String>,
    /// What the service says it can do.
    actions: Option<Arc<Service>>,
    /// [`Config::callers`].
    callers: Callers,
    /// [`Config::decodes`].
    decodes: bool,
    max_body: u64,
    read_timeout: Option<Duration>,
    send_timeout: Option<Duration>,
    shutdown_delay: Duration,
    drain_timeout: Duration,
    kill_grace: Duration,
    metrics_place: config::Metrics,
    limits: probe::Limits,
    guard: token::Guard,
    jwt: Option<Arc<jwt::Jwt>>,
    /// The wording of responses; `None` for bandog's own.
    style: Option<Arc<dyn AnswerStyle>>,
    lock: Option<Lock>,
    /// Answers are also written to standard output.
    shows_results: bool,
    /// Bodies are put into a JSON document.
    marshals: bool,
    /// [`Config::takes_any_method`].
    takes_any_method: bool,
    compat: Compat,
    cgi: request::HeaderVariables,
    admission: admission::Admission,
    workers: workers::Workers,
    metrics: metrics::Metrics,
    running: Running,
    totals: probe::Totals,
    started: Instant,
    phase: watch::Sender<Phase>,
    glances: link::Glances,
    /// Runs an invocation and answers; a test may have another way.
    deliver: job::Deliver,
}

/// How far the life of the server has come. Only ever grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// Ready.
    Serving,
    /// Told to stop: not ready any more, but still serving for `--shutdown-delay`.
    Leaving,
    /// Nothing new is taken.
    Draining,
    /// The drain is over: what has been taken is not started any more either.
    Closing,
}

impl Server {
    /// Prepares to have `backend` answer as configured; bodies are stored in `workspaces`.
    ///
    /// # Errors
    /// The metrics cannot be registered, or the keys of `--jwt-issuer` not be had.
    pub async fn new(config: &Config, backend: Backend, workspaces: Arc<Root>) -> io::Result<Self> {
        let jwt = match &config.jwt {
            None => None,
            Some(settings) => Some(Arc::new(jwt::Jwt::new(settings).await.map_err(io::Error::other)?)),
        };
        Ok(Self {
            backend,
            workspaces,
            encodes: config.encodes(),
            exec_timeout: config.exec_timeout,
            retries: config.retries,
            queue_timeout: config.queue_timeout,
            service: config.service.clone(),
            actions: config.actions.clone(),
            callers: config.callers(),
            decodes: config.decodes(),
            max_body: config.max_body,
            read_timeout: config.read_timeout,
            send_timeout: config.send_timeout,
            shutdown_delay: config.shutdown_delay,
            drain_timeout: config.drain_timeout,
            kill_grace: config.kill_grace,
            metrics_place: config.metrics,
            limits: probe::Limits::of(config),
            guard: token::Guard::new(config.token.as_ref()),
            jwt,
            style: config.answer_style(),
            lock: config.watchdog.as_ref().and_then(|watchdog| watchdog.lock.clone()).map(Lock::at),
            shows_results: config.watchdog.as_ref().is_some_and(|watchdog| watchdog.write_debug),
            marshals: config.watchdog.as_ref().is_some_and(|watchdog| watchdog.marshal_request),
            takes_any_method: config.takes_any_method(),
            compat: config.compat,
            cgi: config.header_variables(),
            admission: admission::Admission::new(config.max_inflight, config.max_queue, config.queue_timeout),
            workers: workers::Workers::default(),
            metrics: metrics::Metrics::new(config.watchdog.is_some()).map_err(io::Error::other)?,
            running: Running::default(),
            totals: probe::Totals::default(),
            started: Instant::now(),
            phase: watch::Sender::new(Phase::Serving),
            glances: link::Glances::default(),
            deliver: crate::reply::deliver,
        })
    }

    /// A failure as it is answered.
    fn page(&self, problem: Problem) -> (Head, Bytes) {
        match &self.style {
            Some(style) => style.page(problem),
            None => problem.into_parts(),
        }
    }

    /// Whether this way of the replaced program is wanted back.
    fn keeps(&self, habit: Habit) -> bool {
        self.compat.has(habit)
    }

    /// Whether the server's life has come so far.
    fn is(&self, phase: Phase) -> bool {
        *self.phase.borrow() >= phase
    }

    /// Whether callers have to show a token.
    fn is_guarded(&self) -> bool {
        self.jwt.is_some() || !matches!(self.guard, token::Guard::Open)
    }

    fn enter(&self, phase: Phase) {
        self.phase.send_if_modified(|now| {
            let is_next = *now < phase;
            *now = phase.max(*now);
            is_next
        });
    }

    /// Starts nothing more, sends away who waits for a place, and orders what runs to be terminated, or killed at once.
    fn close(&self, now: bool) {
        self.enter(Phase::Closing);
        self.admission.close();
        self.running.cancel_all(now);
        self.backend.end(now);
    }
}

/// The invocations that run, so that a shutdown can reach them.
#[derive(Debug, Default)]
struct Running {
    next: AtomicU64,
    orders: Mutex<HashMap<u64, Cancel>>,
}

impl Running {
    /// Enters an invocation; it leaves on drop.
    fn enter(server: &Arc<Server>, cancel: &Cancel) -> Entry {
        let running = &server.running;
        let number = running.next.fetch_add(1, Ordering::Relaxed);
        running.orders().insert(number, cancel.clone());
        Entry { server: Arc::clone(server), number }
    }

    fn count(&self) -> usize {
        self.orders().len()
    }

    /// Orders every one to be terminated, or killed at once.
    fn cancel_all(&self, now: bool) {
        for order in self.orders().values() {
            if now { order.cancel_now(Cause::Shutdown) } else { order.cancel(Cause::Shutdown) }
        }
    }

    fn orders(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Cancel>> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An invocation's place in [`Running`].
#[derive(Debug)]
struct Entry {
    server: Arc<Server>,
    number: u64,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.server.running.orders().remove(&self.number);
    }
}

#[cfg(test)]
mod tests;
