//! Moves descriptors to high numbers, so that they do not slow down the start of processes.
//!
//! A new process gets a copy of every open descriptor, only to close them all at exec: with ten thousand connections
//! that takes as long as the function itself. Therefore all connections but the first few get numbers from
//! [`HIGH_START`] up, and a process that is started while there are such drops them in one step: close_range(2) with
//! `CLOSE_RANGE_UNSHARE` (Linux 5.9) copies only the descriptors below.

use std::{
    ffi::c_int,
    os::fd::{AsRawFd as _, BorrowedFd, OwnedFd},
    sync::atomic::{AtomicBool, Ordering},
};

use rustix::io::fcntl_dupfd_cloexec;

/// The first number that no started process needs.
const HIGH_START: c_int = 1024;

/// Below this number a copy costs less than the move.
const LOW_END: c_int = 256;

static ANY_HIGH: AtomicBool = AtomicBool::new(false);

/// The kernel does not support `CLOSE_RANGE_UNSHARE`.
static UNSUPPORTED: AtomicBool = AtomicBool::new(false);

/// Returns whether so many descriptors are open that [`move_high`] is worth its system call.
#[must_use]
pub fn should_move_high(descriptor: BorrowedFd<'_>) -> bool {
    (LOW_END..HIGH_START).contains(&descriptor.as_raw_fd())
}

/// Returns the same file under a number from 1024 up, if one is free.
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

/// Returns the number from which on a process that needs these descriptors can close all others. `None` if no
/// descriptor is that high, or if one of the needed ones is.
pub(crate) fn close_from(needed: [c_int; 3]) -> Option<c_int> {
    let is_worth_it = ANY_HIGH.load(Ordering::Relaxed) && !UNSUPPORTED.load(Ordering::Relaxed);
    (is_worth_it && needed.iter().all(|number| *number < HIGH_START)).then_some(HIGH_START)
}

/// Notes that the kernel has refused, so that it is not tried again.
pub(crate) fn mark_unsupported() {
    UNSUPPORTED.store(true, Ordering::Relaxed);
}
