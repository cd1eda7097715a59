//! Kills functions at random: a call whose function is killed may get the expected answer, or one that tells the kill.

use std::{
    collections::HashSet,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::{
    bandog::{Bandog, value_of},
    chance::Chance,
};

/// Between two random kills, at most.
const PAUSE: usize = 600;

/// The calls whose function was killed, or may have been.
#[derive(Debug, Default)]
pub(crate) struct Victims(Mutex<HashSet<String>>);

impl Victims {
    /// Whether `id` may have been hit.
    pub(crate) fn contain(&self, id: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(id)
    }

    pub(crate) fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Kills children of these at random until told to stop.
    pub(crate) fn make(&self, bandogs: &[&Bandog], seed: u64, stop: &AtomicBool) {
        let mut chance = Chance::of(seed, u64::MAX);
        while !stop.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(chance.below(PAUSE) as u64));
            let children: Vec<i32> = bandogs.iter().flat_map(|bandog| bandog.children()).collect();
            if !children.is_empty() {
                let child = chance.pick(&children);
                kill(child, |id| {
                    self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned());
                    true
                });
            }
        }
    }
}

/// Kills the function of this call; whether there was one.
pub(crate) fn kill_call(bandog: &Bandog, id: &str) -> bool {
    bandog.children().into_iter().any(|child| kill(child, |other| other == id))
}

/// Kills a process if `choose` says so of its call.
fn kill(pid: i32, choose: impl FnOnce(&str) -> bool) -> bool {
    // The descriptor first, the look at its environment second: the pid cannot change hands in between.
    let Some(process) = Pid::from_raw(pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) else {
        return false;
    };
    // Without the variable it is not yet a function: it has bandog's own environment until it is one.
    value_of(pid, "CALL_ID=").is_some_and(|id| choose(&id)) && pidfd_send_signal(&process, Signal::KILL).is_ok()
}
