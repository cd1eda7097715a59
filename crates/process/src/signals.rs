//! Signal handling around the start of a process: the signals that the starting thread blocks, and the dispositions
//! that the new program would inherit.

use std::{cell::Cell, ffi::c_int, mem::MaybeUninit, sync::OnceLock};

thread_local! {
    /// Whether all signals are blocked in this thread permanently.
    static BLOCKED_FOR_GOOD: Cell<bool> = const { Cell::new(false) };
}

/// Blocks all signals in this thread permanently, which saves blocking them again for each process that it starts.
pub(crate) fn block_for_good() {
    if !BLOCKED_FOR_GOOD.replace(true) {
        block();
    }
}

/// Blocks all signals in the current thread until it is dropped.
pub(crate) struct SignalsBlocked(Option<libc::sigset_t>);

impl SignalsBlocked {
    /// Blocks the signals, unless [`block_for_good`] has done so already.
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

/// The signals that a thread's own fault raises. If they were blocked, a fault would end bandog without a message
/// (sigprocmask(2)). If another process sends one between clone and exec, it runs a handler that only inspects the
/// faulting address.
const FAULTS: [c_int; 5] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGTRAP];

/// Blocks all signals in this thread except [`FAULTS`]. Returns the previous mask.
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

/// The argument of rt_sigaction(2): the handler comes first, then flags, restorer and mask, in an order that differs
/// between architectures. All zero is the default disposition without flags.
type KernelAction = [usize; 8];

/// The size of the kernel's signal mask, in bytes.
const KERNEL_MASK: usize = 8;

/// The signals that the kernel knows. The C library reserves and hides two of them, but they are inherited like the
/// rest.
const SIGNALS: std::ops::RangeInclusive<c_int> = 1..=64;

/// Resets a signal to its default disposition with a single system call, for a child that shares bandog's memory.
///
/// # Safety
/// Changes the disposition of the calling process: must not be called in bandog itself.
pub(crate) unsafe fn set_default(signal: c_int) {
    let default: KernelAction = [0; 8];
    let none = std::ptr::null::<KernelAction>();
    // SAFETY: `default` is larger than any architecture's structure, and the previous one is not asked for.
    unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), none, KERNEL_MASK) };
}

/// Installs a handler for SIGPIPE that does nothing; Rust's start-up code ignores the signal instead. Handlers are not
/// inherited through exec (execve(2)), so that the default need not be restored in each started process.
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

/// Returns the signals that this process ignores, which exec would pass on: those that bandog's parent ignored (nohup,
/// some CI systems) and, without [`handle_sigpipe`], SIGPIPE. Read once: bandog changes no disposition afterwards.
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
