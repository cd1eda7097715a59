//! Each event runs once: stores send an event again when they have missed the answer.
//!
//! An event that comes again while it runs waits for that run. After a success it is a duplicate; after a failure it may run
//! again, once a pause is over that doubles with each failure. A store that repeats an event without a pause would otherwise
//! keep a function that fails busy. The memory of this is bounded, and ends with the process.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};

use crate::{
    control::{Control, TICK},
    error::Error,
    event::Notice,
};

/// Events that are remembered, at most. Beyond it the one that ended first is forgotten, and would run again.
const LIMIT: usize = 10_000;

/// How long an event is remembered after its end.
const MEMORY: Duration = Duration::from_hours(24);

/// The pause after the first failure.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause. Stores give up after some minutes, or not at all.
const LONGEST_PAUSE: Duration = Duration::from_mins(10);

/// The identity of an event: a digest of all that tells it from others, so that each takes the same memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EventKey([u8; SHA256_OUTPUT_LEN]);

impl EventKey {
    /// The identity of the event behind a notice: its source, bucket, key, version, `ETag` and sequencer. Where there is no
    /// sequencer, the time tells the same content that is stored again from an event that is sent again. Not so after an
    /// upload in parts, of which some stores send two events some milliseconds apart. `None` if nothing tells that: the
    /// same file of dCache can be stored many times.
    #[must_use]
    pub fn of(notice: &Notice) -> Option<Self> {
        // "null" is the version of all objects of a bucket without versions.
        let version = notice.version.as_deref().filter(|version| *version != "null");
        let sequencer = notice.sequencer.as_deref();
        let etag = notice.etag.as_deref();
        let is_in_parts = etag.is_some_and(|etag| etag.contains('-'));
        let time = notice.time.as_deref().filter(|_| sequencer.is_none() && !is_in_parts);
        version.or(sequencer).or(etag).or(time)?;
        let parts = [
            Some(notice.source.as_str()),
            Some(&notice.object.bucket),
            Some(&notice.sent_key),
            version,
            etag,
            sequencer,
            time,
        ];
        let mut bytes = Vec::new();
        for part in parts {
            // The length keeps parts apart, and an absent one from an empty one.
            bytes.extend_from_slice(&part.map_or(u64::MAX, |part| part.len() as u64).to_le_bytes());
            bytes.extend_from_slice(part.unwrap_or_default().as_bytes());
        }
        let mut key = [0; SHA256_OUTPUT_LEN];
        key.copy_from_slice(digest(&SHA256, &bytes).as_ref());
        Some(Self(key))
    }
}

/// The memory of events. Clones share it.
#[derive(Clone)]
pub struct Dedupe {
    shared: Arc<Shared>,
}

impl fmt::Debug for Dedupe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dedupe").field("remembered", &lock(&self.shared.state).entries.len()).finish_non_exhaustive()
    }
}

struct Shared {
    now: Box<dyn Fn() -> Instant + Send + Sync>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    entries: HashMap<EventKey, EventEntry>,
    /// The events that have ended, in that order.
    ended: BTreeMap<u64, EventKey>,
    /// The place of the next event that ends.
    next: u64,
}

struct EventEntry {
    status: Status,
    /// Failures so far. A success is the last run that is remembered.
    failures: u32,
}

enum Status {
    Running(Arc<Run>),
    Ended {
        /// Its place in the order of those that have ended.
        place: u64,
        at: Instant,
        outcome: Outcome,
    },
}

/// A run, as those see it who wait for it.
#[derive(Default)]
struct Run {
    outcome: Mutex<Option<Outcome>>,
    is_over: Condvar,
}

/// The outcome of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It succeeded.
    Succeeded,
    /// It failed, and may be repeated after this time.
    Failed {
        /// The time from the failure on.
        retry_after: Duration,
    },
}

/// The answer to an event that has come.
#[derive(Debug)]
pub enum Begun {
    /// It is to be run now.
    Run(RunGuard),
    /// It ran already when it came, and that run has ended.
    Joined(Outcome),
    /// It ran before, with success.
    Duplicate,
    /// It failed before, and may run again after this time.
    Busy {
        /// The time from now on.
        retry_after: Duration,
    },
}

/// The run of an event. It has failed when this is dropped, unless [`RunGuard::succeed`] was called.
#[must_use = "the run fails when this is dropped"]
pub struct RunGuard {
    /// `None` if there was no room to remember it.
    place: Option<(Arc<Shared>, EventKey)>,
}

impl fmt::Debug for RunGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunGuard").field("is_remembered", &self.place.is_some()).finish()
    }
}

impl Default for Dedupe {
    fn default() -> Self {
        Self::new(Instant::now)
    }
}

impl Dedupe {
    /// An empty memory with this clock.
    pub fn new(now: impl Fn() -> Instant + Send + Sync + 'static) -> Self {
        Self { shared: Arc::new(Shared { now: Box::new(now), state: Mutex::default() }) }
    }

    /// Decides about an event that has come. While the same one runs, this waits for its end.
    ///
    /// # Errors
    /// [`ErrorKind::Stopped`](crate::ErrorKind::Stopped): the call must end before the run that it waits for.
    pub fn begin(&self, key: EventKey, control: &Control<'_>) -> Result<Begun, Error> {
        match self.shared.begin(key) {
            Ok(begun) => Ok(begun),
            Err(run) => run.wait(control).map(Begun::Joined),
        }
    }
}

impl Shared {
    /// The answer, or the run to wait for.
    fn begin(self: &Arc<Self>, key: EventKey) -> Result<Begun, Arc<Run>> {
        let now = (self.now)();
        let mut state = lock(&self.state);
        state.forget_before(now);
        let failures = match state.entries.get(&key) {
            None => 0,
            Some(EventEntry { status: Status::Running(run), .. }) => return Err(Arc::clone(run)),
            Some(&EventEntry { status: Status::Ended { place, at, outcome }, failures }) => {
                let Outcome::Failed { retry_after } = outcome else { return Ok(Begun::Duplicate) };
                let retry_after = retry_after.saturating_sub(now.saturating_duration_since(at));
                if !retry_after.is_zero() {
                    return Ok(Begun::Busy { retry_after });
                }
                state.ended.remove(&place);
                failures
            }
        };
        let is_known = failures > 0;
        let place = (is_known || state.has_room()).then(|| {
            state.entries.insert(key, EventEntry { status: Status::Running(Arc::default()), failures });
            (Arc::clone(self), key)
        });
        Ok(Begun::Run(RunGuard { place }))
    }

    fn end(&self, key: EventKey, has_succeeded: bool) {
        let now = (self.now)();
        let mut state = lock(&self.state);
        let place = state.next;
        let Some(entry) = state.entries.get_mut(&key) else { return };
        let outcome = if has_succeeded {
            Outcome::Succeeded
        } else {
            entry.failures = entry.failures.saturating_add(1);
            Outcome::Failed { retry_after: pause_after(entry.failures) }
        };
        let ended = Status::Ended { place, at: now, outcome };
        if let Status::Running(run) = std::mem::replace(&mut entry.status, ended) {
            *lock(&run.outcome) = Some(outcome);
            run.is_over.notify_all();
        }
        state.next += 1;
        state.ended.insert(place, key);
    }
}

/// The pause after so many failures.
fn pause_after(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(u32::BITS - 1);
    FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE)
}

impl State {
    /// Forgets the events that ended too long before `now`.
    fn forget_before(&mut self, now: Instant) {
        while let Some(oldest) = self.ended.first_entry() {
            let is_old = match self.entries.get(oldest.get()) {
                Some(EventEntry { status: Status::Ended { at, .. }, .. }) => {
                    now.saturating_duration_since(*at) >= MEMORY
                }
                _ => true,
            };
            if !is_old {
                return;
            }
            self.entries.remove(&oldest.remove());
        }
    }

    /// Whether there is room for one more event. The one that ended first makes room; those that run stay.
    fn has_room(&mut self) -> bool {
        if self.entries.len() >= LIMIT
            && let Some((_, oldest)) = self.ended.pop_first()
        {
            self.entries.remove(&oldest);
        }
        self.entries.len() < LIMIT
    }
}

impl Run {
    fn wait(&self, control: &Control<'_>) -> Result<Outcome, Error> {
        let mut outcome = lock(&self.outcome);
        loop {
            if let Some(outcome) = *outcome {
                return Ok(outcome);
            }
            control.check()?;
            let waited = self.is_over.wait_timeout(outcome, TICK);
            outcome = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl RunGuard {
    /// The run has succeeded.
    pub fn succeed(mut self) {
        self.end(true);
    }

    fn end(&mut self, has_succeeded: bool) {
        if let Some((shared, key)) = self.place.take() {
            shared.end(key, has_succeeded);
        }
    }
}

impl Drop for RunGuard {
    fn drop(&mut self) {
        self.end(false);
    }
}

/// A panic elsewhere leaves the memory as it was: nothing is half done while a lock is held.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
