//! Signals around a start: what the starting thread blocks, and which dispositions a program would inherit.

use std::{cell::Cell, ffi::c_int, mem::MaybeUninit, sync::OnceLock};

thread_local! {
    /// All signals are blocked in this thread for good.
    static BLOCKED_FOR_GOOD: Cell<bool> = const { Cell::new(false) };
}

/// Blocks all signals in this thread for good, so that they need not be blocked for each process that it starts.
pub(crate) fn block_for_good() {
    if !BLOCKED_FOR_GOOD.replace(true) {
        block();
    }
}

/// As long as it lives, all signals are blocked in the thread that made it.
pub(crate) struct SignalsBlocked(Option<libc::sigset_t>);

impl SignalsBlocked {
    /// Blocks them, unless [`block_for_good`] has done so for good.
    pub(crate) fn new() -> Self {
        Self((!BLOCKED_FOR_GOOD.get()).then(block))
    }
}

impl Drop for SignalsBlocked {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            // SAFETY: the mask is one that pthread_sigmask has filled in.
            unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before, std::ptr::null_mut()) };
        }
    }
}

/// What a thread's own fault raises: blocked they would end bandog without a word (sigprocmask(2)). Sent by somebody
/// else in the instant between clone and exec they find handlers that only look where the fault was.
const FAULTS: [c_int; 5] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGTRAP];

/// Blocks all signals in this thread but [`FAULTS`]. Returns the mask before.
fn block() -> libc::sigset_t {
    let mut all = MaybeUninit::<libc::sigset_t>::uninit();
    let mut before = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: `all` is initialised by sigfillset, `before` by zeros and pthread_sigmask.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        for fault in FAULTS {
            libc::sigdelset(all.as_mut_ptr(), fault);
        }
        libc::pthread_sigmask(libc::SIG_BLOCK, all.as_ptr(), before.as_mut_ptr());
        before.assume_init()
    }
}

/// What rt_sigaction(2) takes and gives: the handler first, then flags, restorer and mask, in an order that differs
/// between architectures. All zero is the default disposition with nothing else.
type KernelAction = [usize; 8];

/// Bytes of the kernel's signal mask.
const KERNEL_MASK: usize = 8;

/// Signals that the kernel knows. Two of them the C library keeps for itself and hides, but hands down all the same.
const SIGNALS: std::ops::RangeInclusive<c_int> = 1..=64;

/// Gives a signal its default disposition back. One system call and nothing else: for a child that shares memory.
///
/// # Safety
/// Changes the calling process's disposition: not to be called in bandog itself.
pub(crate) unsafe fn set_default(signal: c_int) {
    let default: KernelAction = [0; 8];
    let none = std::ptr::null::<KernelAction>();
    // SAFETY: `default` is larger than any architecture's structure, and the previous one is not asked for.
    unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), none, KERNEL_MASK) };
}

/// Has this process hear SIGPIPE, which Rust's start-up has it ignore, and do nothing: a handler is not handed down by
/// exec (execve(2)), so that no started process has to be given the default back.
pub(crate) fn handle_sigpipe() {
    extern "C" fn nothing(_: c_int) {}
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: all zero is a value of it; the handler does nothing, and so may run at any moment.
    unsafe {
        let action = action.assume_init_mut();
        action.sa_sigaction = nothing as extern "C" fn(c_int) as libc::sighandler_t;
        action.sa_flags = libc::SA_RESTART;
        libc::sigaction(libc::SIGPIPE, action, std::ptr::null_mut());
    }
}

/// The signals this process ignores, which exec would hand down: what the parent of bandog left ignored (nohup, some CI
/// systems), and without [`handle_sigpipe`] SIGPIPE. Looked up once: nothing here changes a disposition later.
pub(crate) fn ignored() -> &'static [c_int] {
    static IGNORED: OnceLock<Vec<c_int>> = OnceLock::new();
    IGNORED.get_or_init(|| {
        let is_ignored = |signal: &c_int| {
            let mut action: KernelAction = [0; 8];
            let none = std::ptr::null::<KernelAction>();
            // SAFETY: asks for the disposition only, and `action` is larger than any architecture's structure.
            let known =
                unsafe { libc::syscall(libc::SYS_rt_sigaction, *signal, none, action.as_mut_ptr(), KERNEL_MASK) } == 0;
            known && action[0] == libc::SIG_IGN
        };
        SIGNALS.filter(is_ignored).collect()
    })
}
