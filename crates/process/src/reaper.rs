//! The first thread: takes signals and reaps orphans while the work goes on elsewhere.
//!
//! As PID 1, or as the sub-reaper that it makes itself, bandog becomes the parent of every process whose own parent is
//! gone. A plain `waitpid(-1)` would also take the status of functions that their own supervisors wait for. The kernel
//! tells them apart: with `__WNOTHREAD` a thread waits for its own children only, functions are children of the
//! threads that started them, and orphans are handed to the first thread. So nothing can be stolen, and nothing needs
//! to be registered.

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
    sandbox::rlimits::raise_open_file_limit,
    signals,
    supervise::cancel::WakeFd,
    trim,
};

/// How long the reaper rests after a look that found an orphan, and after one that found none. Every function's end is
/// a SIGCHLD too; under load this makes thirty or a hundred wake-ups a second of what would be thousands. Dead orphans
/// wait no longer than this.
const REST: Duration = Duration::from_millis(10);
const LONG_REST: Duration = Duration::from_millis(30);

/// Runs `work` on a thread of its own named `name`, and until it ends: calls `stop` on each SIGTERM, SIGINT and
/// SIGHUP (a closed terminal; not if it was ignored at start, as under nohup), with the signal's number, and reaps
/// orphans. To be called once, on the process's first thread, before any other thread is started.
///
/// # Errors
/// The kernel refuses a descriptor or a thread. A panic of `work` goes on in the caller.
pub fn run_with_reaper<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
    mut stop: impl FnMut(i32),
) -> io::Result<T> {
    trim::limit_arenas();
    close_on_exec();
    signals::handle_sigpipe();
    raise_open_file_limit();
    let mut taken = vec![libc::SIGTERM, libc::SIGINT, libc::SIGHUP];
    // A blocked signal comes even if it is ignored (signal(7)).
    taken.retain(|signal| *signal != libc::SIGHUP || !signals::ignored().contains(signal));
    let (stops, deaths) = (take_signals(&taken)?, take_signals(&[libc::SIGCHLD])?);
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    // Opens the list, which stays open: a descriptor that comes later would look like one that was lost.
    proc_tree::adopted();
    let done = Arc::new(WakeFd::new()?);
    let wake = WakeOnDrop(Arc::clone(&done));
    let worker = thread::Builder::new().name(name.to_owned()).spawn(move || {
        let _wake = wake;
        work()
    })?;
    let mut pause: Option<Timespec> = None;
    loop {
        let mut events = [
            PollFd::new(&*done, PollFlags::IN),
            PollFd::new(&stops, PollFlags::IN),
            PollFd::new(&deaths, PollFlags::IN),
        ];
        // SpawnStage rest it hears of no deaths. An interrupted poll only means one more look at everything.
        let heard = if pause.is_some() { &mut events[..2] } else { &mut events[..] };
        let is_rested = poll(heard, pause.as_ref()) == Ok(0);
        if !events[0].revents().is_empty() {
            break;
        }
        if let Some(signal) = next_signal(&stops) {
            stop(signal);
        } else if is_rested {
            pause = None;
        } else if next_signal(&deaths).is_some() {
            pause = Timespec::try_from(if reap_orphans() { REST } else { LONG_REST }).ok();
        }
    }
    let result = worker.join();
    reap_orphans();
    result.map_or_else(|panic| resume_unwind(panic), Ok)
}

/// Has every descriptor that was handed to bandog, but for the standard three, closed when a function is started: only
/// what bandog opened itself is marked so already.
fn close_on_exec() {
    // SAFETY: changes a flag of descriptors only.
    let marked = unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if marked == 0 {
        return;
    }
    // Linux before 5.11, or a filter that does not know the call: one by one.
    let Ok(open) = std::fs::read_dir("/proc/self/fd") else { return };
    let numbers: Vec<i32> = open.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    for number in numbers.into_iter().filter(|number| *number > 2) {
        // SAFETY: as above; a number that is not open any more is an error without effect.
        unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
}

/// Rings when the work is over, in whatever way.
struct WakeOnDrop(Arc<WakeFd>);

impl Drop for WakeOnDrop {
    fn drop(&mut self) {
        self.0.wake();
    }
}

/// Blocks `signals` in this thread, and so in all it starts, and has them come as a descriptor (signalfd(2)). Spawned
/// functions get an empty mask.
fn take_signals(signals: &[i32]) -> io::Result<OwnedFd> {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigemptyset initialises `set`, and the other calls only read it; a descriptor that signalfd returned is
    // new and nobody else's.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in signals {
            libc::sigaddset(set.as_mut_ptr(), *signal);
        }
        match libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut()) {
            0 => {}
            errno => return Err(io::Error::from_raw_os_error(errno)),
        }
        let fd = libc::signalfd(-1, set.as_ptr(), libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
        if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(OwnedFd::from_raw_fd(fd)) }
    }
}

/// The number of the next signal that has come; `None` if none has.
fn next_signal(signals: &OwnedFd) -> Option<i32> {
    let mut info = [0_u8; size_of::<libc::signalfd_siginfo>()];
    let read = rustix::io::read(signals, &mut info).ok()?;
    // `ssi_signo` is the first field, a u32 (signalfd(2)).
    let number = info.get(..4).filter(|_| read == info.len())?;
    i32::try_from(u32::from_ne_bytes(number.try_into().ok()?)).ok()
}
