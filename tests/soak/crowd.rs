//! How many requests bandog may have at once, as far as the driver can know: the proof that a 429 was due.
//!
//! A request counts from before its first byte is sent until after the last byte of its answer came, so the crowd is
//! never smaller than what bandog sees. A client that left early stays counted for a while: bandog may need a moment to
//! see it.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How long a place may stay taken behind a client's back: a function has its grace period, and the machine is busy.
const LINGER: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(crate) struct Crowd(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    next: u64,
    /// The largest crowd that each has seen.
    here: HashMap<u64, usize>,
    lingering: Vec<Instant>,
}

/// One that is under way. Dropped without [`Ticket::answered`], it lingers.
#[derive(Debug)]
pub(crate) struct Ticket<'c> {
    crowd: &'c Crowd,
    number: u64,
    answered: bool,
}

impl Crowd {
    pub(crate) fn enter(&self) -> Ticket<'_> {
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        let now = Instant::now();
        state.lingering.retain(|until| *until > now);
        let size = state.here.len() + 1 + state.lingering.len();
        state.here.insert(number, 0);
        for seen in state.here.values_mut() {
            *seen = size.max(*seen);
        }
        Ticket { crowd: self, number, answered: false }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket<'_> {
    /// The largest crowd until now, this one included.
    pub(crate) fn largest(&self) -> usize {
        self.crowd.lock().here.get(&self.number).copied().unwrap_or_default()
    }

    /// The answer is there; the largest crowd meanwhile, this one included.
    pub(crate) fn answered(mut self) -> usize {
        self.answered = true;
        self.largest()
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let mut state = self.crowd.lock();
        state.here.remove(&self.number);
        if !self.answered {
            state.lingering.push(Instant::now() + LINGER);
        }
    }
}
