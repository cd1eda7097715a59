//! The state that a process inherits from its parent, set to what bandog relies on, whatever it was.
//!
//! Limits stay as they are: they are the operator's. So do the priority and the group's and the others' bits of the
//! umask.

use std::{
    os::fd::{AsRawFd as _, BorrowedFd},
    sync::atomic::{AtomicU8, Ordering},
};

use rustix::fs::Mode;

use crate::signals;

/// Sets the dispositions and the mask of signals, the timers and the umask. Call it at the beginning of `main`, before
/// there is a second thread.
///
/// A signal that was ignored or blocked is neither any more, except that an ignored SIGHUP stays ignored (nohup(1)).
/// Interval timers, which survive exec (setitimer(2)), are stopped: their signals would end the process.
pub fn reset_inherited_state() {
    stop_timers();
    signals::reset();
    // bandog could not enter the directories that it makes, nor could functions theirs. The rest is the operator's.
    let umask = rustix::process::umask(Mode::RWXU);
    rustix::process::umask(umask - Mode::RWXU);
}

fn stop_timers() {
    let off = libc::itimerval {
        it_interval: libc::timeval { tv_sec: 0, tv_usec: 0 },
        it_value: libc::timeval { tv_sec: 0, tv_usec: 0 },
    };
    for timer in [libc::ITIMER_REAL, libc::ITIMER_VIRTUAL, libc::ITIMER_PROF] {
        // SAFETY: reads a structure that is ours, and does not ask for the old one. (The crate libc has setitimer(2) for
        // glibc alone.)
        unsafe { libc::syscall(libc::SYS_setitimer, timer, &raw const off, std::ptr::null_mut::<libc::itimerval>()) };
    }
}

/// The standard streams that were closed when the process was started: bit 0 for standard input, 1 and 2 for the others.
static CLOSED: AtomicU8 = AtomicU8::new(0);

/// Returns whether this standard stream was closed when the process was started. Rust's start-up code opens `/dev/null`
/// in its place, where all output would be lost without an error.
#[must_use]
pub fn was_closed(stream: BorrowedFd<'_>) -> bool {
    let number = stream.as_raw_fd();
    (0..3).contains(&number) && CLOSED.load(Ordering::Relaxed) & (1 << number) != 0
}

/// Looks at the standard streams. Runs before Rust's start-up code: no allocation, no panic.
extern "C" fn note_closed_streams() {
    for number in 0..3 {
        // SAFETY: asks for a flag of a descriptor.
        if unsafe { libc::fcntl(number, libc::F_GETFD) } < 0 {
            CLOSED.fetch_or(1 << number, Ordering::Relaxed);
        }
    }
}

/// The C library calls the functions of this section before `main`.
// SAFETY: the section holds addresses of functions that the C library calls with arguments which this one ignores.
#[used]
#[unsafe(link_section = ".init_array")]
static AT_START: extern "C" fn() = note_closed_streams;
