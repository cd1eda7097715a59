//! The life of the service, from ready to closed, and the calls in flight.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::watch;

use crate::process::{Cancel, Cause};

/// How far the life of the service has come. It only ever grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Ready.
    Serving,
    /// Told to stop: not ready any more, but calls are still taken.
    Leaving,
    /// No new calls are taken.
    Draining,
    /// The drain is over: calls that were taken but have not started never will.
    Closing,
}

/// The request of the operator. It only ever grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Stop {
    /// To go on.
    #[default]
    No,
    /// To finish the calls in flight.
    Drain,
    /// To kill the calls in flight.
    Now,
}

/// The phase, and the calls in flight.
#[derive(Debug)]
pub struct Lifecycle {
    phase: watch::Sender<Phase>,
    in_flight: Arc<InFlight>,
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self { phase: watch::Sender::new(Phase::Serving), in_flight: Arc::default() }
    }
}

impl Lifecycle {
    /// Whether the service has reached `phase`.
    #[must_use]
    pub fn is(&self, phase: Phase) -> bool {
        *self.phase.borrow() >= phase
    }

    /// Enters `phase`, unless the service is past it.
    pub fn enter(&self, phase: Phase) {
        self.phase.send_if_modified(|now| {
            let is_next = *now < phase;
            *now = phase.max(*now);
            is_next
        });
    }

    /// Follows the phase.
    #[must_use]
    pub fn watch(&self) -> PhaseWatch {
        PhaseWatch(self.phase.subscribe())
    }

    /// Resolves once the service has reached `phase`.
    pub fn reached(&self, phase: Phase) -> impl Future<Output = ()> + Send + use<> {
        let mut watch = self.watch();
        async move { watch.reached(phase).await }
    }

    /// The calls in flight.
    #[must_use]
    pub fn in_flight(&self) -> &Arc<InFlight> {
        &self.in_flight
    }
}

/// A view of the phase that resolves when it changes.
#[derive(Debug)]
pub struct PhaseWatch(watch::Receiver<Phase>);

impl PhaseWatch {
    /// Resolves once the service has reached `phase`.
    pub async fn reached(&mut self, phase: Phase) {
        // The sender outlives every call. The value itself, behind a lock, is not held across an await.
        let _ = self.0.wait_for(|now| *now >= phase).await;
    }
}

/// The calls in flight, so that a shutdown can reach them.
#[derive(Debug, Default)]
pub struct InFlight {
    next: AtomicU64,
    cancels: Mutex<HashMap<u64, Cancel>>,
}

impl InFlight {
    /// Registers a call until the guard is dropped.
    pub(crate) fn enter(self: &Arc<Self>, cancel: &Cancel) -> InFlightGuard {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.cancels().insert(number, cancel.clone());
        InFlightGuard { in_flight: Arc::clone(self), number }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.cancels().len()
    }

    /// Terminates all of them, or kills them at once.
    pub(crate) fn cancel_all(&self, now: bool) {
        for cancel in self.cancels().values() {
            if now { cancel.cancel_now(Cause::Shutdown) } else { cancel.cancel(Cause::Shutdown) }
        }
    }

    fn cancels(&self) -> MutexGuard<'_, HashMap<u64, Cancel>> {
        self.cancels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call's registration in [`InFlight`].
#[derive(Debug)]
pub(crate) struct InFlightGuard {
    in_flight: Arc<InFlight>,
    number: u64,
}

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        self.in_flight.cancels().remove(&self.number);
    }
}
