//! Exponential backoff with jitter: each pause is about twice as long as the one before, up to a limit. The jitter keeps
//! clients that failed at the same time from retrying at the same time.

use std::time::Duration;

use bandog_codec::quantity;

use crate::ids;

/// The first pause.
const SHORTEST: Duration = Duration::from_millis(100);

/// The longest pause.
pub const LONGEST: Duration = Duration::from_secs(10);

/// A pause for messages, to the millisecond.
pub(crate) fn text(pause: Duration) -> String {
    let milliseconds = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
    quantity::duration_text(Duration::from_millis(milliseconds))
}

/// The pauses between attempts.
#[derive(Debug)]
pub struct Backoff {
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next: SHORTEST }
    }
}

impl Backoff {
    /// Returns the next pause.
    pub fn pause(&mut self) -> Duration {
        let pause = jittered(self.next);
        self.next = (self.next * 2).min(LONGEST);
        pause
    }
}

/// Returns a random duration between half of the pause and all of it.
fn jittered(pause: Duration) -> Duration {
    pause / 2 + pause / 2 * u32::from(ids::random().as_bytes()[0]) / 255
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_never_longer_than_asked_nor_shorter_than_half() {
        for _ in 0..1000 {
            let pause = jittered(LONGEST);
            assert!(pause >= LONGEST / 2 && pause <= LONGEST, "{pause:?}");
        }
    }

    #[test]
    fn pauses_grow_to_the_longest_and_stay_there() {
        let mut backoff = Backoff::default();
        let pauses: Vec<Duration> = (0..12).map(|_| backoff.pause()).collect();
        let mut full = SHORTEST;
        for pause in pauses {
            assert!(pause >= full / 2 && pause <= full, "{pause:?} of {full:?}");
            full = (full * 2).min(LONGEST);
        }
        assert_eq!(full, LONGEST);
    }
}
