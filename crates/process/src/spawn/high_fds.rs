//! Descriptors kept out of the way of those who start processes.
//!
//! A new process gets a copy of every open descriptor, only to close them all at exec: with ten thousand connections
//! that takes as long as the function does. So connections beyond the first few are numbered from [`FAR`] up, and a
//! process that is started while there are such leaves them behind in one step (close_range(2) with
//! `CLOSE_RANGE_UNSHARE`, Linux 5.9, copies only what is below).

use std::{
    ffi::c_int,
    os::fd::{AsRawFd as _, BorrowedFd, OwnedFd},
    sync::atomic::{AtomicBool, Ordering},
};

use rustix::io::fcntl_dupfd_cloexec;

/// Where numbers begin that no started process needs.
const FAR: c_int = 1024;

/// Below this it costs less to copy them.
const FEW: c_int = 256;

static ANY_FAR: AtomicBool = AtomicBool::new(false);

/// The kernel cannot leave them behind.
static UNSUPPORTED: AtomicBool = AtomicBool::new(false);

/// Whether a descriptor is one of so many that [`put_aside`] is worth its call.
#[must_use]
pub fn is_in_the_way(descriptor: BorrowedFd<'_>) -> bool {
    (FEW..FAR).contains(&descriptor.as_raw_fd())
}

/// The same file under a number that no started process gets, if one can be had.
#[must_use]
pub fn put_aside(descriptor: OwnedFd) -> OwnedFd {
    match fcntl_dupfd_cloexec(&descriptor, FAR) {
        Ok(far) => {
            ANY_FAR.store(true, Ordering::Relaxed);
            far
        }
        // `ulimit -n` is lower than that, or exhausted.
        Err(_) => descriptor,
    }
}

/// From which number on a process that needs these descriptors can leave all behind; `None` if there is nothing there,
/// or one of these is.
pub(crate) fn far_from(needed: [c_int; 3]) -> Option<c_int> {
    let is_worth_it = ANY_FAR.load(Ordering::Relaxed) && !UNSUPPORTED.load(Ordering::Relaxed);
    (is_worth_it && needed.iter().all(|number| *number < FAR)).then_some(FAR)
}

/// The kernel refused: it is not asked again.
pub(crate) fn give_up() {
    UNSUPPORTED.store(true, Ordering::Relaxed);
}
