//! Descriptors kept out of the way of those who start processes.
//!
//! A new process gets a copy of every open descriptor, only to close them all at exec: with ten thousand connections
//! that takes as long as the function does. So connections beyond the first few are numbered from [`HIGH_START`] up, and a
//! process that is started while there are such leaves them behind in one step (close_range(2) with
//! `CLOSE_RANGE_UNSHARE`, Linux 5.9, copies only what is below).

use std::{
    ffi::c_int,
    os::fd::{AsRawFd as _, BorrowedFd, OwnedFd},
    sync::atomic::{AtomicBool, Ordering},
};

use rustix::io::fcntl_dupfd_cloexec;

/// Where numbers begin that no started process needs.
const HIGH_START: c_int = 1024;

/// Below this it costs less to copy them.
const LOW_END: c_int = 256;

static ANY_HIGH: AtomicBool = AtomicBool::new(false);

/// The kernel cannot leave them behind.
static UNSUPPORTED: AtomicBool = AtomicBool::new(false);

/// Whether a descriptor is one of so many that [`move_high`] is worth its call.
#[must_use]
pub fn should_move_high(descriptor: BorrowedFd<'_>) -> bool {
    (LOW_END..HIGH_START).contains(&descriptor.as_raw_fd())
}

/// The same file under a number that no started process gets, if one can be had.
#[must_use]
pub fn move_high(descriptor: OwnedFd) -> OwnedFd {
    match fcntl_dupfd_cloexec(&descriptor, HIGH_START) {
        Ok(high) => {
            ANY_HIGH.store(true, Ordering::Relaxed);
            high
        }
        // `ulimit -n` is lower than that, or exhausted.
        Err(_) => descriptor,
    }
}

/// From which number on a process that needs these descriptors can leave all behind; `None` if there is nothing there,
/// or one of these is.
pub(crate) fn close_from(needed: [c_int; 3]) -> Option<c_int> {
    let is_worth_it = ANY_HIGH.load(Ordering::Relaxed) && !UNSUPPORTED.load(Ordering::Relaxed);
    (is_worth_it && needed.iter().all(|number| *number < HIGH_START)).then_some(HIGH_START)
}

/// The kernel refused: it is not asked again.
pub(crate) fn mark_unsupported() {
    UNSUPPORTED.store(true, Ordering::Relaxed);
}
