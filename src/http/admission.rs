//! Who may run: a bounded number of places, and a bounded queue in front of them, first come first served.

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

/// The places and the queue.
#[derive(Debug)]
pub(super) struct Admission {
    /// `None` for no limit.
    places: Option<Arc<Semaphore>>,
    max_queue: usize,
    patience: Option<Duration>,
    queued: AtomicUsize,
}

/// The right to run one invocation; given back on drop.
#[derive(Debug)]
pub(super) struct Place {
    _permit: Option<OwnedSemaphorePermit>,
}

/// No place could be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// Every place is taken and the queue is full.
    #[error("every place is taken and the queue is full")]
    Full,
    /// No place became free in time.
    #[error("no place became free within the queue timeout")]
    TooLong,
    /// There are no places any more.
    #[error("bandog is shutting down")]
    Closed,
}

impl Admission {
    /// `max_inflight` places (0 for no limit), `max_queue` who wait for at most `patience` (`None` for no limit).
    pub(super) fn new(max_inflight: usize, max_queue: usize, patience: Option<Duration>) -> Self {
        // A limit beyond what a semaphore can count is none.
        let places =
            (1..=Semaphore::MAX_PERMITS).contains(&max_inflight).then(|| Arc::new(Semaphore::new(max_inflight)));
        Self { places, max_queue, patience, queued: AtomicUsize::new(0) }
    }

    /// A place, at once or after its turn in the queue. Dropping the future gives the turn up.
    pub(super) async fn enter(&self) -> Result<Place, Refusal> {
        let Some(places) = &self.places else { return Ok(Place { _permit: None }) };
        match Arc::clone(places).try_acquire_owned() {
            Ok(permit) => return Ok(Place { _permit: Some(permit) }),
            Err(TryAcquireError::Closed) => return Err(Refusal::Closed),
            Err(TryAcquireError::NoPermits) => {}
        }
        let _turn = self.queue_up()?;
        let acquire = Arc::clone(places).acquire_owned();
        let permit = match self.patience {
            Some(patience) => timeout(patience, acquire).await.map_err(|_| Refusal::TooLong)?,
            None => acquire.await,
        };
        permit.map(|permit| Place { _permit: Some(permit) }).map_err(|_| Refusal::Closed)
    }

    /// Gives out no place any more; who waits for one is told at once.
    pub(super) fn close(&self) {
        if let Some(places) = &self.places {
            places.close();
        }
    }

    fn queue_up(&self) -> Result<Turn<'_>, Refusal> {
        let taken = self.queued.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |queued| {
            (queued < self.max_queue).then_some(queued + 1)
        });
        taken.map(|_| Turn(&self.queued)).map_err(|_| Refusal::Full)
    }

    /// How many wait.
    pub(super) fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    /// Whether a request that came now would be refused.
    pub(super) fn is_full(&self) -> bool {
        self.places.as_ref().is_some_and(|places| places.available_permits() == 0) && self.queued() >= self.max_queue
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
    async fn without_a_limit_everybody_gets_a_place() {
        let admission = Admission::new(0, 0, None);
        let mut places = Vec::new();
        for _ in 0..1000 {
            places.push(admission.enter().await.expect("a place"));
        }
        assert!(!admission.is_full());
    }

    #[tokio::test]
    async fn a_full_house_refuses_at_once_and_a_place_given_back_can_be_had() {
        let admission = Admission::new(1, 0, None);
        let place = admission.enter().await.expect("a place");
        assert_eq!(admission.enter().await.err(), Some(Refusal::Full));
        assert!(admission.is_full());
        drop(place);
        assert!(admission.enter().await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn the_queue_is_left_after_the_timeout() {
        let admission = Admission::new(1, 1, Some(Duration::from_secs(30)));
        let _place = admission.enter().await.expect("a place");
        assert_eq!(admission.enter().await.err(), Some(Refusal::TooLong));
        assert_eq!(admission.queued(), 0);
    }

    #[tokio::test]
    async fn first_come_first_served() {
        let admission = Arc::new(Admission::new(1, 10, None));
        let place = admission.enter().await.expect("a place");
        let (order, mut served) = tokio::sync::mpsc::unbounded_channel();
        for number in 0..10 {
            let (admission, order) = (Arc::clone(&admission), order.clone());
            tokio::spawn(async move {
                let _place = admission.enter().await.expect("a place");
                let _ = order.send(number);
            });
            tokio::task::yield_now().await;
        }
        assert_eq!(admission.queued(), 10);
        assert_eq!(admission.enter().await.err(), Some(Refusal::Full));
        drop(place);
        for number in 0..10 {
            assert_eq!(served.recv().await, Some(number));
        }
    }

    #[tokio::test]
    async fn who_leaves_the_queue_makes_room_in_it() {
        let admission = Admission::new(1, 1, None);
        let _place = admission.enter().await.expect("a place");
        {
            let waiting = admission.enter();
            tokio::pin!(waiting);
            assert!(futures_pending(waiting.as_mut()).await);
            assert!(admission.is_full());
        }
        assert_eq!(admission.queued(), 0);
    }

    #[tokio::test]
    async fn who_waits_when_it_closes_is_sent_away_and_a_place_given_back_is_not_given_out() {
        let admission = Admission::new(1, 1, None);
        let place = admission.enter().await.expect("a place");
        let waiting = admission.enter();
        tokio::pin!(waiting);
        assert!(futures_pending(waiting.as_mut()).await);
        admission.close();
        drop(place);
        assert_eq!(waiting.await.err(), Some(Refusal::Closed));
        assert_eq!(admission.enter().await.err(), Some(Refusal::Closed));
    }

    /// Whether the future is not ready after one look.
    async fn futures_pending<F: Future>(mut future: std::pin::Pin<&mut F>) -> bool {
        std::future::poll_fn(|context| std::task::Poll::Ready(future.as_mut().poll(context).is_pending())).await
    }
}
