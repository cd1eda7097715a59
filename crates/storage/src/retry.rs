//! Attempts at a request that may pass at a later one.

use std::time::Duration;

use super::{
    control::Control,
    error::{Again, Error},
};

/// Attempts at one request, the first included.
pub const ATTEMPTS: u32 = 5;

/// The longest first pause; each later one may be twice as long.
const FIRST: Duration = Duration::from_millis(100);

/// The longest pause.
const LONGEST: Duration = Duration::from_secs(5);

/// The longest pause that a store may ask for.
const ASKED: Duration = Duration::from_mins(1);

/// Calls `attempt` until it succeeds, fails for good, or has failed [`ATTEMPTS`] times. The pauses are drawn from the
/// whole range up to their bound, so that clients which failed together do not return together.
///
/// # Errors
/// The error of the last attempt, or that of `control`.
pub fn attempts<T>(control: &Control<'_>, mut attempt: impl FnMut(u32) -> Result<T, Error>) -> Result<T, Error> {
    let mut number = 0;
    loop {
        control.check()?;
        let error = match attempt(number) {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        number += 1;
        let pause = match error.again {
            Again::Never => return Err(error),
            _ if number >= ATTEMPTS => {
                return Err(Error { detail: format!("{} ({ATTEMPTS} attempts)", error.detail), ..error });
            }
            Again::Later => bound(number).mul_f64(fraction()),
            Again::After(pause) => pause.min(ASKED),
        };
        tracing::debug!("attempt {number} failed: {error}; the next comes in {} ms", pause.as_millis());
        control.pause(pause)?;
    }
}

/// The bound of the pause after attempt `number`.
fn bound(number: u32) -> Duration {
    FIRST.saturating_mul(1 << (number - 1).min(16)).min(LONGEST)
}

/// A random number from 0 to 1.
fn fraction() -> f64 {
    let mut bytes = [0; 4];
    // Without random bytes the pause is the longest, which is right too.
    match rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty()) {
        Ok(4) => f64::from(u32::from_ne_bytes(bytes)) / f64::from(u32::MAX),
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use bandog_process::{Cancel, Cause};

    use super::*;
    use crate::error::ErrorKind;

    fn passing() -> Error {
        Error { again: Again::After(Duration::ZERO), ..Error::new(ErrorKind::Unreachable, "busy") }
    }

    #[test]
    fn an_error_that_may_pass_is_met_five_times_and_one_that_stays_once() {
        let mut calls = 0;
        let failed = attempts::<()>(&Control::default(), |_| {
            calls += 1;
            Err(passing())
        });
        assert_eq!((calls, failed.expect_err("an error").detail.as_str()), (5, "busy (5 attempts)"));
        let mut calls = 0;
        let failed = attempts::<()>(&Control::default(), |_| {
            calls += 1;
            Err(Error::new(ErrorKind::Denied, "no"))
        });
        assert_eq!((calls, failed.expect_err("an error").kind), (1, ErrorKind::Denied));
        let third = attempts(&Control::default(), |number| if number == 2 { Ok(number) } else { Err(passing()) });
        assert_eq!(third.expect("a success"), 2);
    }

    #[test]
    fn a_pause_that_would_outlast_the_call_is_not_begun_and_a_cancelled_call_is_not_attempted() {
        let started = Instant::now();
        let control = Control { deadline: Some(started + Duration::from_secs(30)), cancel: None };
        let busy = || Err(Error { again: Again::After(Duration::from_secs(40)), ..passing() });
        let failed = attempts::<()>(&control, |_| busy()).expect_err("an error");
        assert_eq!(failed.kind, ErrorKind::Stopped);
        assert!(started.elapsed() < Duration::from_secs(20));
        let cancel = Cancel::new();
        cancel.cancel(Cause::ClientGone);
        let control = Control { deadline: None, cancel: Some(&cancel) };
        let failed = attempts::<()>(&control, |_| unreachable!("it is cancelled")).expect_err("an error");
        assert_eq!(failed.kind, ErrorKind::Stopped);
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let bounds: Vec<u128> = (1..9).map(|number| bound(number).as_millis()).collect();
        assert_eq!(bounds, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        assert!((0..100).all(|_| (0.0..=1.0).contains(&fraction())));
    }
}
