//! The first thread of the process: it takes signals and reaps orphans while another thread does the work.
//!
//! As PID 1, or as the child subreaper that it makes itself, bandog becomes the parent of every descendant whose own
//! parent has ended. A plain `waitpid(-1)` would also take the status of functions that their supervising threads wait
//! for. The kernel tells the two apart: with `__WNOTHREAD` a thread waits only for its own children, a function is the
//! child of the thread that started it, and orphans are given to the first thread. So the reaper cannot steal a status,
//! and processes need not be registered.

use std::{
    io,
    mem::MaybeUninit,
    os::fd::{FromRawFd as _, OwnedFd},
    panic::resume_unwind,
    sync::Arc,
    thread,
    time::Duration,
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::{
    leftovers::{orphans::reap_orphans, proc_tree},
    refusal::refused,
    sandbox::rlimits::raise_open_file_limit,
    signals,
    supervise::cancel::WakeFd,
    trim,
};

/// How long the reaper ignores SIGCHLD after a pass that found an orphan, and after one that found none. The end of
/// every function raises SIGCHLD too; under load the pauses reduce thousands of wake-ups a second to thirty or a
/// hundred. They are also the longest time that a dead orphan waits.
const PAUSE_WITH_ORPHANS: Duration = Duration::from_millis(10);
const PAUSE_WITHOUT_ORPHANS: Duration = Duration::from_millis(30);

/// Runs `work` on a thread named `name`. Until `work` returns, this thread reaps orphans and calls `stop` with the
/// signal's number on each signal whose default would end the process: SIGTERM, SIGINT, SIGQUIT, SIGUSR1 and so on
/// (SIGHUP, a closed terminal, is ignored if it was ignored at start, as under nohup). Call this once, on the first thread
/// of the process, before any other thread is started.
///
/// # Errors
/// The kernel refuses a descriptor or a thread; the error names the system call. A panic of `work` is resumed in the
/// caller.
pub fn run_with_reaper<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
    mut stop: impl FnMut(i32),
) -> io::Result<T> {
    trim::limit_arenas();
    close_on_exec();
    signals::reset();
    raise_open_file_limit();
    let (stops, deaths) = (take_signals(&signals::that_end())?, take_signals(&[libc::SIGCHLD])?);
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
        .map_err(|error| refused("prctl(PR_SET_CHILD_SUBREAPER)", &error.into()))?;
    // Opens the list of children now. The file stays open, and a descriptor that appeared later would look like a leak.
    proc_tree::adopted();
    let done = Arc::new(WakeFd::new()?);
    let wake = WakeOnDrop(Arc::clone(&done));
    let worker = thread::Builder::new().name(name.to_owned()).spawn(move || {
        let _wake = wake;
        work()
    });
    let worker = worker.map_err(|error| {
        let advice = "raise the limit on processes (ulimit -u, the container's pids limit) or the memory";
        io::Error::new(error.kind(), format!("cannot start a thread: {error}; {advice}"))
    })?;
    let mut cpu_time_is_over = false;
    let mut pause: Option<Timespec> = None;
    loop {
        let mut events = [
            PollFd::new(&*done, PollFlags::IN),
            PollFd::new(&stops, PollFlags::IN),
            PollFd::new(&deaths, PollFlags::IN),
        ];
        // During a pause SIGCHLD is not polled. An interrupted poll only causes another look at everything.
        let heard = if pause.is_some() { &mut events[..2] } else { &mut events[..] };
        let pause_is_over = poll(heard, pause.as_ref()) == Ok(0);
        if !events[0].revents().is_empty() {
            break;
        }
        if let Some(signal) = next_signal(&stops) {
            // The kernel repeats it every second, which is no order to make haste (setrlimit(2)).
            if signal != libc::SIGXCPU || !std::mem::replace(&mut cpu_time_is_over, true) {
                stop(signal);
            }
        } else if pause_is_over {
            pause = None;
        } else if next_signal(&deaths).is_some() {
            pause = Timespec::try_from(if reap_orphans() { PAUSE_WITH_ORPHANS } else { PAUSE_WITHOUT_ORPHANS }).ok();
        }
    }
    let result = worker.join();
    reap_orphans();
    result.map_or_else(|panic| resume_unwind(panic), Ok)
}

/// Sets close-on-exec on every descriptor that bandog inherited, except for the standard three. Descriptors that bandog
/// itself opens have the flag already.
fn close_on_exec() {
    // SAFETY: changes a flag of descriptors only.
    let marked = unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if marked == 0 {
        return;
    }
    // Linux before 5.11, or a seccomp filter that rejects the call: set the flag one by one.
    let Ok(open) = std::fs::read_dir("/proc/self/fd") else { return };
    let numbers: Vec<i32> = open.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    for number in numbers.into_iter().filter(|number| *number > 2) {
        // SAFETY: as above; a number that is not open any more is an error without effect.
        unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
}

/// Wakes the reaper when the work has ended, by return or by panic.
struct WakeOnDrop(Arc<WakeFd>);

impl Drop for WakeOnDrop {
    fn drop(&mut self) {
        self.0.wake();
    }
}

/// Blocks `signals` in this thread, and so in all threads that it starts, and has them delivered to a descriptor
/// (signalfd(2)). Started functions get an empty signal mask.
fn take_signals(signals: &[i32]) -> io::Result<OwnedFd> {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigemptyset initialises `set`, and the other calls only read it; a descriptor that signalfd returned is
    // new and has no other owner.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in signals {
            libc::sigaddset(set.as_mut_ptr(), *signal);
        }
        match libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut()) {
            0 => {}
            errno => return Err(refused("rt_sigprocmask", &io::Error::from_raw_os_error(errno))),
        }
        let fd = libc::signalfd(-1, set.as_ptr(), libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
        if fd < 0 { Err(refused("signalfd4", &io::Error::last_os_error())) } else { Ok(OwnedFd::from_raw_fd(fd)) }
    }
}

/// Returns the number of the next pending signal, and `None` if no signal is pending.
fn next_signal(signals: &OwnedFd) -> Option<i32> {
    let mut info = [0_u8; size_of::<libc::signalfd_siginfo>()];
    let read = rustix::io::read(signals, &mut info).ok()?;
    // `ssi_signo` is the first field, a u32 (signalfd(2)).
    let number = info.get(..4).filter(|_| read == info.len())?;
    i32::try_from(u32::from_ne_bytes(number.try_into().ok()?)).ok()
}
