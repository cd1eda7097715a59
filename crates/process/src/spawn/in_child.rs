//! The code between clone and exec.

use std::{
    ffi::{CStr, c_char, c_int, c_uint, c_ulong, c_void},
    mem::MaybeUninit,
};

use crate::{sandbox::step::SetupStep, signals};

/// No step is being taken.
pub(super) const NO_STEP: usize = usize::MAX;

/// Joining a cgroup, which is not one of the configured steps.
pub(super) const JOIN_CGROUP: usize = NO_STEP - 1;

/// Closing high descriptors, which is not one either.
pub(super) const CLOSE_HIGH_FDS: usize = NO_STEP - 2;

/// The input of the child, in the parent's memory. The child writes to `step` and `error` only.
pub(super) struct ChildContext<'a> {
    pub(super) path: &'a CStr,
    pub(super) arguments: *const *const c_char,
    pub(super) environment: *const *const c_char,
    /// Standard input, output and error.
    pub(super) streams: [c_int; 3],
    pub(super) ignored: &'a [c_int],
    pub(super) steps: &'a [SetupStep],
    /// The step that is being taken; [`NO_STEP`] before and after.
    pub(super) step: usize,
    /// RLIMIT_LOCKS, see [`InvocationTag`](crate::InvocationTag).
    pub(super) rlimit_locks: Option<u64>,
    /// `cgroup.procs` of the cgroup that is still to be joined.
    pub(super) join: Option<c_int>,
    /// Close all descriptors from this number up. Until then the descriptor table is shared with bandog.
    pub(super) close_from: Option<c_int>,
    /// The process id of bandog.
    pub(super) parent: c_int,
    /// `errno` of the call that failed; 0 if none has.
    pub(super) error: c_int,
}

/// The code between clone and exec. Shares the parent's memory: no allocation, no lock, no panic; system calls only.
pub(super) extern "C" fn in_child(context: *mut c_void) -> c_int {
    // SAFETY: `start` passes a pointer to its `ChildContext`, which lives until this function has called exec or _exit. All
    // calls are plain system calls on values from it; the strings and arrays end with NUL and null.
    unsafe {
        let context = context.cast::<ChildContext<'_>>();
        for signal in (*context).ignored {
            signals::set_default(*signal);
        }
        let mut none = MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigemptyset(none.as_mut_ptr());
        if let Some(number) = (*context).rlimit_locks {
            // If the limit cannot be set, the environment alone identifies the process.
            let limit = libc::rlimit { rlim_cur: number, rlim_max: number };
            libc::prlimit(0, libc::RLIMIT_LOCKS, &raw const limit, std::ptr::null_mut());
        }
        let mut ready = true;
        if let Some(procs) = (*context).join {
            (&raw mut (*context).step).write_volatile(JOIN_CGROUP);
            ready = libc::write(procs, c"0".as_ptr().cast(), 1) == 1;
            if ready {
                (&raw mut (*context).step).write_volatile(NO_STEP);
            }
        }
        if let Some(from) = (*context).close_from.filter(|_| ready) {
            // Must come before any other change to a descriptor: until here the table is shared with bandog.
            (&raw mut (*context).step).write_volatile(CLOSE_HIGH_FDS);
            ready = libc::syscall(libc::SYS_close_range, from, c_uint::MAX, libc::CLOSE_RANGE_UNSHARE) == 0;
            if ready {
                (&raw mut (*context).step).write_volatile(NO_STEP);
            }
        }
        ready = ready
            && libc::setpgid(0, 0) == 0
            && libc::dup2((*context).streams[0], 0) == 0
            && libc::dup2((*context).streams[1], 1) == 1
            && libc::dup2((*context).streams[2], 2) == 2;
        for (number, step) in (*context).steps.iter().enumerate() {
            if ready {
                (&raw mut (*context).step).write_volatile(number);
                ready = step.take();
            }
        }
        if ready {
            (&raw mut (*context).step).write_volatile(NO_STEP);
        }
        ready = ready
            && libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut()) == 0
            // Must come last before exec, because a change of user resets it (prctl(2)).
            && libc::prctl(libc::PR_SET_PDEATHSIG, c_ulong::from(libc::SIGKILL.cast_unsigned())) == 0;
        if ready {
            // If bandog was killed before the call above, the signal would never arrive.
            if libc::getppid() != (*context).parent {
                libc::_exit(127);
            }
            libc::execve((*context).path.as_ptr(), (*context).arguments, (*context).environment);
        }
        (&raw mut (*context).error).write_volatile(*libc::__errno_location());
        libc::_exit(127)
    }
}
