//! Admission: a bounded number of permits, and a bounded queue in front of them, first come, first served.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError},
    time::timeout,
};

/// The permits and the queue.
#[derive(Debug)]
pub struct Admission {
    /// `None` for no limit.
    permits: Option<Arc<Semaphore>>,
    max_queue: usize,
    timeout: Option<Duration>,
    queued: AtomicUsize,
}

/// The right to run one call; given back on drop.
#[derive(Debug)]
pub(crate) struct Permit {
    _permit: Option<OwnedSemaphorePermit>,
}

/// Why there is no permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Rejected {
    /// All permits are taken and the queue is full.
    #[error("every place is taken and the queue is full")]
    Full,
    /// No permit became free in time.
    #[error("no place became free within the queue timeout")]
    TooLong,
    /// The service is shutting down.
    #[error("bandog is shutting down")]
    Closed,
}

impl Admission {
    /// `max_inflight` permits (0 for no limit), and a queue of `max_queue` that wait for at most `timeout` (`None` for no
    /// limit).
    pub(super) fn new(max_inflight: usize, max_queue: usize, timeout: Option<Duration>) -> Self {
        // A semaphore cannot count further than this, so a larger limit is no limit.
        let permits =
            (1..=Semaphore::MAX_PERMITS).contains(&max_inflight).then(|| Arc::new(Semaphore::new(max_inflight)));
        Self { permits, max_queue, timeout, queued: AtomicUsize::new(0) }
    }

    /// Acquires a permit, at once or after a turn in the queue. Dropping the future gives the turn up.
    pub(super) async fn acquire(&self) -> Result<Permit, Rejected> {
        let Some(permits) = &self.permits else { return Ok(Permit { _permit: None }) };
        match Arc::clone(permits).try_acquire_owned() {
            Ok(permit) => return Ok(Permit { _permit: Some(permit) }),
            Err(TryAcquireError::Closed) => return Err(Rejected::Closed),
            Err(TryAcquireError::NoPermits) => {}
        }
        let _turn = self.queue_up()?;
        let acquire = Arc::clone(permits).acquire_owned();
        let permit = match self.timeout {
            Some(limit) => timeout(limit, acquire).await.map_err(|_| Rejected::TooLong)?,
            None => acquire.await,
        };
        permit.map(|permit| Permit { _permit: Some(permit) }).map_err(|_| Rejected::Closed)
    }

    /// Gives out no more permits, and wakes the callers that wait for one.
    pub(super) fn close(&self) {
        if let Some(permits) = &self.permits {
            permits.close();
        }
    }

    fn queue_up(&self) -> Result<Turn<'_>, Rejected> {
        let taken = self.queued.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |queued| {
            (queued < self.max_queue).then_some(queued + 1)
        });
        taken.map(|_| Turn(&self.queued)).map_err(|_| Rejected::Full)
    }

    /// How many wait.
    pub fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    /// Whether a call that came now would be rejected.
    pub fn is_full(&self) -> bool {
        self.permits.as_ref().is_some_and(|permits| permits.available_permits() == 0) && self.queued() >= self.max_queue
    }
}

/// A turn in the queue; given up on drop.
struct Turn<'a>(&'a AtomicUsize);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_a_limit_every_call_gets_a_permit() {
        let admission = Admission::new(0, 0, None);
        let mut permits = Vec::new();
        for _ in 0..1000 {
            permits.push(admission.acquire().await.expect("a permit"));
        }
        assert!(!admission.is_full());
    }

    #[tokio::test]
    async fn a_full_queue_rejects_at_once_and_a_permit_given_back_can_be_acquired() {
        let admission = Admission::new(1, 0, None);
        let permit = admission.acquire().await.expect("a permit");
        assert_eq!(admission.acquire().await.err(), Some(Rejected::Full));
        assert!(admission.is_full());
        drop(permit);
        assert!(admission.acquire().await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn the_queue_is_left_after_the_timeout() {
        let admission = Admission::new(1, 1, Some(Duration::from_secs(30)));
        let _permit = admission.acquire().await.expect("a permit");
        assert_eq!(admission.acquire().await.err(), Some(Rejected::TooLong));
        assert_eq!(admission.queued(), 0);
    }

    #[tokio::test]
    async fn first_come_first_served() {
        let admission = Arc::new(Admission::new(1, 10, None));
        let permit = admission.acquire().await.expect("a permit");
        let (order, mut served) = tokio::sync::mpsc::unbounded_channel();
        for number in 0..10 {
            let (admission, order) = (Arc::clone(&admission), order.clone());
            tokio::spawn(async move {
                let _permit = admission.acquire().await.expect("a permit");
                let _ = order.send(number);
            });
            tokio::task::yield_now().await;
        }
        assert_eq!(admission.queued(), 10);
        assert_eq!(admission.acquire().await.err(), Some(Rejected::Full));
        drop(permit);
        for number in 0..10 {
            assert_eq!(served.recv().await, Some(number));
        }
    }

    #[tokio::test]
    async fn a_caller_that_leaves_the_queue_makes_room_in_it() {
        let admission = Admission::new(1, 1, None);
        let _permit = admission.acquire().await.expect("a permit");
        {
            let waiting = admission.acquire();
            tokio::pin!(waiting);
            assert!(futures_pending(waiting.as_mut()).await);
            assert!(admission.is_full());
        }
        assert_eq!(admission.queued(), 0);
    }

    #[tokio::test]
    async fn closing_rejects_the_callers_that_wait_and_gives_out_no_more_permits() {
        let admission = Admission::new(1, 1, None);
        let permit = admission.acquire().await.expect("a permit");
        let waiting = admission.acquire();
        tokio::pin!(waiting);
        assert!(futures_pending(waiting.as_mut()).await);
        admission.close();
        drop(permit);
        assert_eq!(waiting.await.err(), Some(Rejected::Closed));
        assert_eq!(admission.acquire().await.err(), Some(Rejected::Closed));
    }

    /// Whether the future is not ready after one look.
    async fn futures_pending<F: Future>(mut future: std::pin::Pin<&mut F>) -> bool {
        std::future::poll_fn(|context| std::task::Poll::Ready(future.as_mut().poll(context).is_pending())).await
    }
}
