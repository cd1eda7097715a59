//! Signals: the dispositions that bandog starts with, the signals that tell it to end, those that the thread which starts
//! a process blocks, and the dispositions that the new program would inherit.

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

/// The signals that a thread's own fault raises, which are not blocked here. For two of them Rust's runtime has a handler
/// that says what has happened; if another process sends one between clone and exec, that only inspects the faulting
/// address. A fault whose signal is blocked ends bandog all the same (sigprocmask(2)).
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
/// Changes the disposition of the calling process: in bandog itself only at its start.
pub(crate) unsafe fn set_default(signal: c_int) {
    let default: KernelAction = [0; 8];
    let none = std::ptr::null::<KernelAction>();
    // SAFETY: `default` is larger than any architecture's structure, and the previous one is not asked for.
    unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), none, KERNEL_MASK) };
}

/// The signals by which the kernel reports what a system call also reports as an error (EPIPE, EFBIG): that is the error
/// of one call, and no reason for bandog to end.
const ERRORS: [c_int; 2] = [libc::SIGPIPE, libc::SIGXFSZ];

/// The signals of interval timers.
const TIMERS: [c_int; 3] = [libc::SIGALRM, libc::SIGVTALRM, libc::SIGPROF];

/// Sets the disposition of every signal to the default, except that of an ignored SIGHUP and of [`ERRORS`], and unblocks
/// all. To be called by the only thread.
pub(crate) fn reset() {
    for signal in SIGNALS.filter(|signal| *signal != libc::SIGHUP && is_ignored(*signal)) {
        // SAFETY: bandog ignores no signal by its own will; Rust's start-up code ignores SIGPIPE, which follows.
        unsafe { set_default(signal) };
    }
    ERRORS.into_iter().for_each(handle_by_nothing);
    for signal in TIMERS {
        // A signal that a timer of the parent has left pending is discarded when it is ignored (sigaction(2)).
        // SAFETY: as above.
        unsafe {
            libc::signal(signal, libc::SIG_IGN);
            libc::signal(signal, libc::SIG_DFL);
        }
    }
    let mut none = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigemptyset initialises `none`, and the previous mask is not asked for.
    unsafe {
        libc::sigemptyset(none.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut());
    }
}

/// Returns the signals that tell bandog to end: all whose default ends a process (signal(7)), because images and service
/// managers choose among them, and because none may end bandog while a function runs. SIGKILL cannot be taken, [`ERRORS`]
/// are none of them, and for SIGSEGV and SIGBUS there are handlers. A fault of bandog's own ends it although its signal is
/// blocked.
pub(crate) fn that_end() -> Vec<c_int> {
    const STANDARD: [c_int; 18] = [
        libc::SIGHUP,
        libc::SIGINT,
        libc::SIGQUIT,
        libc::SIGILL,
        libc::SIGTRAP,
        libc::SIGABRT,
        libc::SIGFPE,
        libc::SIGUSR1,
        libc::SIGUSR2,
        libc::SIGALRM,
        libc::SIGTERM,
        libc::SIGSTKFLT,
        libc::SIGXCPU,
        libc::SIGVTALRM,
        libc::SIGPROF,
        libc::SIGIO,
        libc::SIGPWR,
        libc::SIGSYS,
    ];
    let real_time = libc::SIGRTMIN()..=libc::SIGRTMAX();
    // A blocked signal is delivered to a signalfd even if its disposition is to be ignored (signal(7)).
    let is_taken = |signal: &c_int| *signal != libc::SIGHUP || !is_ignored(*signal);
    STANDARD.into_iter().filter(is_taken).chain(real_time).collect()
}

/// Installs a handler that does nothing. Handlers are not inherited through exec (execve(2)), so that the default need not
/// be restored in each started process, as it would have to be for an ignored signal.
fn handle_by_nothing(signal: c_int) {
    extern "C" fn nothing(_: c_int) {}
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: all zero is a value of it; the handler does nothing, and so may run at any moment.
    unsafe {
        let action = action.assume_init_mut();
        action.sa_sigaction = nothing as extern "C" fn(c_int) as libc::sighandler_t;
        action.sa_flags = libc::SA_RESTART;
        libc::sigaction(signal, action, std::ptr::null_mut());
    }
}

/// Returns the signals that this process ignores, which exec would pass on: SIGHUP under nohup(1) and, without [`reset`],
/// whatever bandog's parent ignored. Read once: bandog changes no disposition after its start.
pub(crate) fn ignored() -> &'static [c_int] {
    static IGNORED: OnceLock<Vec<c_int>> = OnceLock::new();
    IGNORED.get_or_init(|| SIGNALS.filter(|signal| is_ignored(*signal)).collect())
}

fn is_ignored(signal: c_int) -> bool {
    let mut action: KernelAction = [0; 8];
    let none = std::ptr::null::<KernelAction>();
    // SAFETY: asks for the disposition only, and `action` is larger than any architecture's structure.
    let known = unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, none, action.as_mut_ptr(), KERNEL_MASK) } == 0;
    known && action[0] == libc::SIG_IGN
}
