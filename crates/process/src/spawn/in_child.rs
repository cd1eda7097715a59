//! What happens between clone and exec.

use std::{
    ffi::{CStr, c_char, c_int, c_uint, c_ulong, c_void},
    mem::MaybeUninit,
};

use crate::{sandbox::step::Step, signals};

/// No number of a step.
pub(super) const NO_STEP: usize = usize::MAX;

/// Joining a cgroup, which is none of the steps either.
pub(super) const JOIN: usize = NO_STEP - 1;

/// Leaving descriptors behind, nor this.
pub(super) const LEAVE: usize = NO_STEP - 2;

/// What the child needs, in the parent's memory. Read-only there but for `step` and `error`.
pub(super) struct Order<'a> {
    pub(super) path: &'a CStr,
    pub(super) arguments: *const *const c_char,
    pub(super) environment: *const *const c_char,
    /// Standard input, output and error.
    pub(super) streams: [c_int; 3],
    pub(super) ignored: &'a [c_int],
    pub(super) steps: &'a [Step],
    /// Which of the steps is being taken; [`NO_STEP`] before and after.
    pub(super) step: usize,
    /// RLIMIT_LOCKS, see [`Mark`](super::Mark).
    pub(super) number: Option<u64>,
    /// `cgroup.procs` of the cgroup that is still to be joined.
    pub(super) join: Option<c_int>,
    /// From here on all descriptors are left behind. Until then they are shared with bandog.
    pub(super) far_from: Option<c_int>,
    /// bandog.
    pub(super) parent: c_int,
    /// `errno` of the call that failed; 0 while none has.
    pub(super) error: c_int,
}

/// What happens between clone and exec. Shares the parent's memory: no allocation, no lock, no panic; system calls
/// only.
pub(super) extern "C" fn in_child(order: *mut c_void) -> c_int {
    // SAFETY: `start` passes a pointer to its `Order`, which lives until this function has called exec or _exit. All
    // calls are plain system calls on values from it; the strings and arrays end with NUL and null.
    unsafe {
        let order = order.cast::<Order<'_>>();
        for signal in (*order).ignored {
            signals::set_default(*signal);
        }
        let mut none = MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigemptyset(none.as_mut_ptr());
        if let Some(number) = (*order).number {
            // Where it cannot be set, the environment alone tells.
            let limit = libc::rlimit { rlim_cur: number, rlim_max: number };
            libc::prlimit(0, libc::RLIMIT_LOCKS, &raw const limit, std::ptr::null_mut());
        }
        let mut ready = true;
        if let Some(procs) = (*order).join {
            (&raw mut (*order).step).write_volatile(JOIN);
            ready = libc::write(procs, c"0".as_ptr().cast(), 1) == 1;
            if ready {
                (&raw mut (*order).step).write_volatile(NO_STEP);
            }
        }
        if let Some(from) = (*order).far_from.filter(|_| ready) {
            // Before anything is done to a descriptor: until here bandog would see it.
            (&raw mut (*order).step).write_volatile(LEAVE);
            ready = libc::syscall(libc::SYS_close_range, from, c_uint::MAX, libc::CLOSE_RANGE_UNSHARE) == 0;
            if ready {
                (&raw mut (*order).step).write_volatile(NO_STEP);
            }
        }
        ready = ready
            && libc::setpgid(0, 0) == 0
            && libc::dup2((*order).streams[0], 0) == 0
            && libc::dup2((*order).streams[1], 1) == 1
            && libc::dup2((*order).streams[2], 2) == 2;
        for (number, step) in (*order).steps.iter().enumerate() {
            if ready {
                (&raw mut (*order).step).write_volatile(number);
                ready = step.take();
            }
        }
        if ready {
            (&raw mut (*order).step).write_volatile(NO_STEP);
        }
        ready = ready
            && libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut()) == 0
            // Last but for exec, for a change of user undoes it (prctl(2)).
            && libc::prctl(libc::PR_SET_PDEATHSIG, c_ulong::from(libc::SIGKILL.cast_unsigned())) == 0;
        if ready {
            // Had bandog been killed before that, nobody would be told.
            if libc::getppid() != (*order).parent {
                libc::_exit(127);
            }
            libc::execve((*order).path.as_ptr(), (*order).arguments, (*order).environment);
        }
        (&raw mut (*order).error).write_volatile(*libc::__errno_location());
        libc::_exit(127)
    }
}
