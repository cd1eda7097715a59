//! Cancellation of an invocation, and the descriptor that wakes the supervising thread.

use std::{
    cell::RefCell,
    fmt, io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU8, Ordering, fence},
    },
    time::{Duration, Instant},
};

use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll},
    io::Errno,
};

use crate::refusal::refused;

/// An eventfd(2) that any thread can signal and that poll(2) reports.
#[derive(Debug)]
pub struct WakeFd(OwnedFd);

impl WakeFd {
    /// Creates a descriptor that is not signalled.
    pub fn new() -> io::Result<Self> {
        let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        fd.map(Self).map_err(|error| refused("eventfd2", &error.into()))
    }

    /// Wakes a thread that polls it now or later.
    pub fn wake(&self) {
        // The write fails only if the counter is near 2^64, and then the descriptor is signalled already.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }

    /// Clears the signal.
    pub fn reset(&self) {
        let _ = rustix::io::read(&self.0, &mut [0_u8; 8]);
    }

    /// Returns the descriptor of the calling thread, creating it on the first call. One per thread is enough: a thread
    /// supervises one process at a time, and a wake-up that arrives too late for one process only makes the next loop
    /// look at its own [`Cancel`] once more.
    pub(crate) fn of_this_thread() -> io::Result<Arc<Self>> {
        thread_local! {
            static WAKE_FD: RefCell<Option<Arc<WakeFd>>> = const { RefCell::new(None) };
        }
        WAKE_FD.with_borrow_mut(|wake_fd| match wake_fd {
            Some(wake_fd) => Ok(Arc::clone(wake_fd)),
            None => Ok(Arc::clone(wake_fd.insert(Arc::new(Self::new()?)))),
        })
    }
}

impl AsFd for WakeFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The reason why an invocation was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The client has disconnected.
    ClientGone,
    /// bandog is shutting down and the drain timeout is over.
    Shutdown,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ClientGone => "the client went away",
            Self::Shutdown => "bandog is shutting down",
        })
    }
}

/// Cancels an invocation. Clones share one state, between the thread that cancels and the thread that supervises.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<CancelState>);

#[derive(Debug, Default)]
struct CancelState {
    /// 0 while not cancelled, then [`code`] of the cause. The first cause is kept.
    cause: AtomicU8,
    /// Skip the grace period: send SIGKILL at once.
    now: AtomicBool,
    /// Signalled on cancellation; set once a thread supervises the invocation.
    wake_fd: OnceLock<Arc<WakeFd>>,
    /// No thread waits any more: the descriptor may be in use for another invocation.
    over: AtomicBool,
}

impl Cancel {
    /// Creates the state of an invocation that is not cancelled.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Requests termination: SIGTERM, grace period, SIGKILL.
    pub fn cancel(&self, cause: Cause) {
        let _ = self.0.cause.compare_exchange(0, code(cause), Ordering::SeqCst, Ordering::SeqCst);
        self.notify();
    }

    /// Requests SIGKILL without a grace period.
    pub fn cancel_now(&self, cause: Cause) {
        self.0.now.store(true, Ordering::SeqCst);
        self.cancel(cause);
    }

    /// Returns the cause of the cancellation, if there is one.
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        [Cause::ClientGone, Cause::Shutdown]
            .into_iter()
            .find(|cause| code(*cause) == self.0.cause.load(Ordering::SeqCst))
    }

    /// Waits for the cancellation for at most `limit`. Returns its cause.
    ///
    /// # Errors
    /// The wake descriptor cannot be created or polled: no descriptors are left.
    pub fn wait(&self, limit: Duration) -> io::Result<Option<Cause>> {
        let wake_fd = WakeFd::of_this_thread()?;
        self.attach(&wake_fd);
        let end = Instant::now().checked_add(limit);
        let cause = loop {
            if let Some(cause) = self.cause() {
                break Some(cause);
            }
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                break None;
            }
            let left = left.and_then(|left| Timespec::try_from(left).ok());
            match poll(&mut [PollFd::new(&*wake_fd, PollFlags::IN)], left.as_ref()) {
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => wake_fd.reset(),
                Err(error) => return Err(error.into()),
            }
        };
        self.detach();
        Ok(cause)
    }

    /// Wakes the supervising thread without cancelling: the reader has capacity for more of the response.
    pub fn wake(&self) {
        self.notify();
    }

    pub(crate) fn is_now(&self) -> bool {
        self.0.now.load(Ordering::SeqCst)
    }

    /// Has later cancellations signal `wake_fd`. Read [`Cancel::cause`] after this call, not before: a cancellation in
    /// between would be missed.
    pub(crate) fn attach(&self, wake_fd: &Arc<WakeFd>) {
        let _ = self.0.wake_fd.set(Arc::clone(wake_fd));
        self.0.over.store(false, Ordering::SeqCst);
        // Pairs with the fence in `notify`: either this thread sees the cancellation, or the cancelling thread sees the
        // descriptor.
        fence(Ordering::SeqCst);
    }

    /// Stops signalling the descriptor until the next call of `attach`: a later cancellation would only wake the
    /// thread's next invocation for nothing.
    pub(crate) fn detach(&self) {
        self.0.over.store(true, Ordering::SeqCst);
    }

    fn notify(&self) {
        fence(Ordering::SeqCst);
        if self.0.over.load(Ordering::SeqCst) {
            return;
        }
        if let Some(wake_fd) = self.0.wake_fd.get() {
            wake_fd.wake();
        }
    }
}

fn code(cause: Cause) -> u8 {
    match cause {
        Cause::ClientGone => 1,
        Cause::Shutdown => 2,
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_wait_ends_with_its_time_and_at_once_with_an_order_given_before_or_meanwhile() {
        const LONG: Duration = Duration::from_mins(10);
        let cancel = Cancel::new();
        assert_eq!(cancel.wait(Duration::from_millis(1)).expect("waited"), None);
        let (other, started) = (cancel.clone(), Instant::now());
        let waiting = thread::spawn(move || other.wait(LONG).expect("waited"));
        // A wake-up without a cancellation ends no wait.
        cancel.wake();
        cancel.cancel(Cause::Shutdown);
        assert_eq!(waiting.join().expect("it ends"), Some(Cause::Shutdown));
        assert_eq!(cancel.wait(LONG).expect("waited"), Some(Cause::Shutdown));
        assert!(started.elapsed() < LONG / 10);
    }
}
