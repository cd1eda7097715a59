//! The wake_fd that wakes a supervising thread, and the order to stop that it announces.

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

/// An eventfd(2): rung from any thread, heard in poll(2).
#[derive(Debug)]
pub struct WakeFd(OwnedFd);

impl WakeFd {
    /// A silent wake_fd.
    pub fn new() -> io::Result<Self> {
        Ok(Self(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
    }

    /// Wakes whoever polls it, now or later.
    pub fn wake(&self) {
        // The only failure is a counter near 2^64, which means that it rings already.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }

    /// Makes it silent again.
    pub fn reset(&self) {
        let _ = rustix::io::read(&self.0, &mut [0_u8; 8]);
    }

    /// The calling thread's own wake_fd, made once a thread: a thread supervises one process at a time, and a ring that
    /// comes too late for one process only makes the next look once more at its own [`Cancel`].
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

/// Who called an invocation off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The client went away.
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

/// The order to stop an invocation, shared by who gives it and who obeys. Clones give the same order.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<CancelState>);

#[derive(Debug, Default)]
struct CancelState {
    /// 0 for none, else [`code`] of the cause. The first order stands.
    cause: AtomicU8,
    /// No grace period: SIGKILL at once.
    now: AtomicBool,
    /// Rung when the order changes; set once a thread supervises.
    wake_fd: OnceLock<Arc<WakeFd>>,
    /// Nobody waits for it (any more): by now the wake_fd may be another one's.
    over: AtomicBool,
}

impl Cancel {
    /// No order yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Orders the process to be terminated: SIGTERM, grace period, SIGKILL.
    pub fn cancel(&self, cause: Cause) {
        let _ = self.0.cause.compare_exchange(0, code(cause), Ordering::SeqCst, Ordering::SeqCst);
        self.notify();
    }

    /// Orders it to be killed without a grace period.
    pub fn cancel_now(&self, cause: Cause) {
        self.0.now.store(true, Ordering::SeqCst);
        self.cancel(cause);
    }

    /// Who ordered it, if anybody did.
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        [Cause::ClientGone, Cause::Shutdown]
            .into_iter()
            .find(|cause| code(*cause) == self.0.cause.load(Ordering::SeqCst))
    }

    /// Waits for so long, or until somebody gives the order; says who.
    ///
    /// # Errors
    /// The wake_fd cannot be made or heard: no descriptors left.
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

    /// Wakes who supervises, without an order: there is room again for more of the answer.
    pub fn wake(&self) {
        self.notify();
    }

    pub(crate) fn is_now(&self) -> bool {
        self.0.now.load(Ordering::SeqCst)
    }

    /// From here on an order rings this wake_fd. Look at [`Cancel::cause`] after this, not before: an order given in
    /// between would be missed.
    pub(crate) fn attach(&self, wake_fd: &Arc<WakeFd>) {
        let _ = self.0.wake_fd.set(Arc::clone(wake_fd));
        self.0.over.store(false, Ordering::SeqCst);
        // With the fence in `ring`: either this thread sees the order, or who gives it sees the wake_fd.
        fence(Ordering::SeqCst);
    }

    /// From here on an order rings nobody, until somebody attaches again: it would only wake the thread's next process
    /// for nothing.
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
        // A ring without an order ends nothing.
        cancel.wake();
        cancel.cancel(Cause::Shutdown);
        assert_eq!(waiting.join().expect("it ends"), Some(Cause::Shutdown));
        assert_eq!(cancel.wait(LONG).expect("waited"), Some(Cause::Shutdown));
        assert!(started.elapsed() < LONG / 10);
    }
}
