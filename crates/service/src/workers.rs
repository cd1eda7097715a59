//! The threads that invocations run on: as many as there are invocations. An idle thread is kept for a while, and the
//! last one to become idle gets the next job, because its stack and caches are warm.
//!
//! tokio's blocking pool is not used: it has a fixed maximum beyond which a job waits unseen, wakes its threads in any
//! order, and panics where the kernel refuses the first thread; here a refused thread is an error of its own call.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use crate::process::{give_back_all, memory_left};

/// How long a thread without work is kept.
const IDLE: Duration = Duration::from_secs(10);

/// Bytes of stack of a thread. Only what is touched is memory, a tenth of this at most. glibc keeps 40 MiB of the
/// stacks of ended threads, and in each of them what it needs for a thread (24 KiB): the larger they are, the fewer it
/// keeps.
const STACK: usize = 2 * 1024 * 1024;

/// Bytes that stay free for connections and everything else that is no call.
const RESERVE: u64 = 16 * 1024 * 1024;

/// Bytes that a call may still allocate when its thread has begun: the buffers of its body, its output and its logs.
const CALL_MEMORY: u64 = 1024 * 1024;

type Job = Box<dyn FnOnce() + Send>;

/// The threads. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Workers(Arc<Threads>);

#[derive(Debug, Default)]
struct Threads {
    state: Mutex<PoolState>,
}

#[derive(Debug, Default)]
struct PoolState {
    idle: Vec<Arc<Desk>>,
    busy: usize,
}

/// Where a thread waits for its next job.
#[derive(Default)]
struct Desk {
    job: Mutex<Option<Job>>,
    arrived: Condvar,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Desk")
    }
}

impl Workers {
    /// Runs `job` on a thread of its own.
    ///
    /// # Errors
    /// No thread is free and the kernel refuses another.
    pub(super) fn submit(&self, job: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let mut state = self.0.lock();
        state.busy += 1;
        let busy = state.busy;
        let free = state.idle.pop();
        drop(state);
        if let Some(desk) = free {
            *lock(&desk.job) = Some(Box::new(job));
            desk.arrived.notify_one();
            return Ok(());
        }
        if let Some(error) = no_room(busy) {
            self.0.finished();
            return Err(error);
        }
        let pool = Arc::clone(&self.0);
        let first: Job = Box::new(job);
        let spawned =
            thread::Builder::new().name("invocation".to_owned()).stack_size(STACK).spawn(move || pool.work(first));
        spawned.map(drop).inspect_err(|_| self.0.finished())
    }

    /// Whether no job runs.
    pub(super) fn are_quiet(&self) -> bool {
        self.0.lock().busy == 0
    }
}

/// Why there is no room for another thread beside the `busy` ones, itself counted: an allocation that fails ends the
/// process, so that room is kept for those of all calls.
fn no_room(busy: usize) -> Option<io::Error> {
    let needed = RESERVE + STACK as u64 + busy as u64 * CALL_MEMORY;
    let left = memory_left().filter(|left| *left < needed)?;
    let (left, needed) = (left / 1024, needed / 1024);
    let message =
        format!("the limit on memory (ulimit -v, ulimit -d) leaves {left} KiB, where {needed} KiB are needed");
    Some(io::Error::new(io::ErrorKind::OutOfMemory, message))
}

impl Threads {
    fn lock(&self) -> MutexGuard<'_, PoolState> {
        lock(&self.state)
    }

    fn finished(&self) {
        self.lock().busy -= 1;
    }

    /// The life of a thread.
    fn work(&self, first: Job) {
        let desk = Arc::new(Desk::default());
        let mut job = first;
        loop {
            // A panic ends its own invocation only. Unwinding drops everything that the job held (its permit, its
            // workspace, its end of the response), so that nothing waits for it.
            if catch_unwind(AssertUnwindSafe(job)).is_err() {
                tracing::error!("an invocation panicked; this is a bug in bandog, please report it");
            }
            {
                let mut state = self.lock();
                state.idle.push(Arc::clone(&desk));
                state.busy -= 1;
            }
            match self.next(&desk) {
                Some(next) => job = next,
                None => break,
            }
        }
        drop(desk);
        if self.is_deserted() {
            give_back_all();
        }
    }

    /// Whether the calling thread is the last one.
    fn is_deserted(&self) -> bool {
        let state = self.lock();
        state.busy == 0 && state.idle.is_empty()
    }

    /// The next job; `None` if none came in time and the thread may end.
    fn next(&self, desk: &Arc<Desk>) -> Option<Job> {
        let slot = lock(&desk.job);
        let waited = desk.arrived.wait_timeout_while(slot, IDLE, |job| job.is_none());
        let mut slot = waited.unwrap_or_else(PoisonError::into_inner).0;
        if let Some(job) = slot.take() {
            return Some(job);
        }
        drop(slot);
        let mut state = self.lock();
        if let Some(position) = state.idle.iter().position(|idle| Arc::ptr_eq(idle, desk)) {
            state.idle.remove(position);
            return None;
        }
        drop(state);
        // Taken off the idle list at the last moment: a job is about to arrive.
        let slot = lock(&desk.job);
        let waited = desk.arrived.wait_while(slot, |job| job.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Ignores poisoning: every holder leaves the state consistent.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Waits until no job runs, for a bounded time.
    fn become_quiet(workers: &Workers) -> bool {
        let looks = 1000;
        (0..looks).any(|_| {
            thread::sleep(Duration::from_millis(10));
            workers.are_quiet()
        })
    }

    #[test]
    fn a_panic_ends_its_own_job_only_and_the_thread_is_used_again() {
        let workers = Workers::default();
        workers.submit(|| panic!("on purpose")).expect("a thread");
        assert!(become_quiet(&workers));
        let (send, receive) = mpsc::channel();
        workers.submit(move || send.send(thread::current().id()).expect("sent")).expect("a thread");
        receive.recv_timeout(Duration::from_secs(10)).expect("the next job ran");
    }

    #[test]
    fn jobs_run_side_by_side() {
        let workers = Workers::default();
        let barrier = Arc::new(std::sync::Barrier::new(8));
        for _ in 0..8 {
            let barrier = Arc::clone(&barrier);
            workers
                .submit(move || {
                    barrier.wait();
                })
                .expect("a thread");
        }
        assert!(become_quiet(&workers), "eight jobs that wait for each other all ended");
    }
}
