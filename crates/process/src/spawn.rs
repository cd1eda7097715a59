//! Starts a process at the speed of vfork(2): no loop over all signals as in posix_spawn(3), and no copy of the page
//! tables. Uses clone(2) with `CLONE_VM | CLONE_VFORK`, as C libraries do, or clone3(2) for a process in a cgroup.
//!
//! [`in_child()`] is the code between clone and exec. It runs in the parent's memory and may only make system calls.

mod clone3;
pub(crate) mod error;
pub(crate) mod high_fds;
mod in_child;
pub(crate) mod program;

use std::{
    ffi::{CStr, c_char, c_int, c_void},
    io,
    mem::MaybeUninit,
    ops::Range,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd as _, OwnedFd},
    path::PathBuf,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use rustix::{
    fs::{MemfdFlags, Mode, OFlags, SealFlags, fcntl_add_seals, memfd_create, openat},
    io::Errno,
};

use crate::{
    leader::{Leader, ProcessGroup},
    sandbox::step::SetupStep,
    signals,
};
use clone3::clone3;
use error::{SpawnStage, StartFailure};
use in_child::{CLOSE_HIGH_FDS, ChildContext, JOIN_CGROUP, NO_STEP, in_child};

/// The standard streams of a process. Two of them may be the same file.
#[derive(Debug, Clone, Copy)]
pub struct Streams<'a> {
    /// Standard input.
    pub stdin: BorrowedFd<'a>,
    /// Standard output.
    pub stdout: BorrowedFd<'a>,
    /// Standard error.
    pub stderr: BorrowedFd<'a>,
}

/// Tries whether a process can be started in a cgroup. The process calls exec without a path, which fails, and exits.
///
/// Linux since 6.14 has a bug by which it kills at once a process that is started in a cgroup that was killed before,
/// or that is started by a process in such a cgroup: it compares the kill counters of the wrong two cgroups
/// (`cgroup_css_set_fork`).
pub(crate) fn try_cgroup(cgroup: BorrowedFd<'_>) -> io::Result<()> {
    let none = [std::ptr::null()];
    let streams = Streams { stdin: cgroup, stdout: cgroup, stderr: cgroup };
    match start(c"", &none, &none, streams, ChildSetup { steps: &[], rlimit_locks: None, cgroup: Some(cgroup) }) {
        Err(refused) if refused.is(SpawnStage::Exec, Errno::NOENT) => Ok(()),
        Err(refused) => Err(refused.source),
        Ok(mut leader) => Err(io::Error::other(format!("a process in it ended with {} at once", leader.reap()?.0))),
    }
}

/// The stack of [`in_child()`], in bytes. It calls only thin wrappers of system calls: 16 KiB is several times what it
/// uses. It lies on the parent's own stack and needs no allocation.
const CHILD_STACK: usize = 16 * 1024;

#[repr(align(16))]
struct Stack(MaybeUninit<[u8; CHILD_STACK]>);

/// The settings that apply to a process from its start.
#[derive(Clone, Copy)]
pub(crate) struct ChildSetup<'a> {
    pub(crate) steps: &'a [SetupStep],
    /// The number in its tag, see [`InvocationTag`](crate::InvocationTag).
    pub(crate) rlimit_locks: Option<u64>,
    /// The cgroup to start it in.
    pub(crate) cgroup: Option<BorrowedFd<'a>>,
}

pub(crate) fn start(
    path: &CStr,
    arguments: &[*const c_char],
    environment: &[*const c_char],
    streams: Streams<'_>,
    setup: ChildSetup<'_>,
) -> Result<Leader, StartFailure> {
    static PARENT: OnceLock<c_int> = OnceLock::new();
    let numbers = [streams.stdin, streams.stdout, streams.stderr].map(|stream| stream.as_raw_fd());
    let mut context = ChildContext {
        path,
        arguments: arguments.as_ptr(),
        environment: environment.as_ptr(),
        streams: numbers,
        ignored: signals::ignored(),
        steps: setup.steps,
        step: NO_STEP,
        rlimit_locks: setup.rlimit_locks,
        join: None,
        // The steps may need a descriptor with any number.
        close_from: high_fds::close_from(numbers).filter(|_| setup.steps.is_empty()),
        parent: *PARENT.get_or_init(|| rustix::process::getpid().as_raw_nonzero().get()),
        error: 0,
    };
    let leader =
        clone(&mut context, setup.cgroup).map_err(|source| StartFailure { source, stage: SpawnStage::Clone })?;
    // SAFETY: the child wrote through a pointer to `context`; a volatile read sees it whatever the compiler assumed.
    let (errno, step) =
        unsafe { ((&raw const context.error).read_volatile(), (&raw const context.step).read_volatile()) };
    if errno == 0 {
        return Ok(leader);
    }
    // The child has exited; the drop reaps it.
    drop(leader);
    if step == CLOSE_HIGH_FDS {
        // Linux before 5.9, or a seccomp filter. The child has changed nothing so far.
        high_fds::mark_unsupported();
        return start(path, arguments, environment, streams, setup);
    }
    let stage = match setup.steps.get(step) {
        Some(step) => SpawnStage::Setup(*step),
        // Reported as if clone had failed to start it in the cgroup.
        None if step == JOIN_CGROUP => SpawnStage::Clone,
        None => SpawnStage::Exec,
    };
    Err(StartFailure { source: io::Error::from_raw_os_error(errno), stage })
}

/// Whether the kernel has refused clone3, so that it need not be asked again.
static WITHOUT_CLONE3: AtomicBool = AtomicBool::new(false);

/// Starts a process that runs [`in_child()`] with `context`.
fn clone(context: &mut ChildContext<'_>, cgroup: Option<BorrowedFd<'_>>) -> io::Result<Leader> {
    let shared = if context.close_from.is_some() { libc::CLONE_FILES } else { 0 };
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | shared;
    if let Some(cgroup) = cgroup.filter(|_| !WITHOUT_CLONE3.load(Ordering::Relaxed)) {
        match clone_by(context, |stack, context, pidfd| clone3(stack, in_child, context, pidfd, cgroup, flags)) {
            // The kernel is too old, or a seccomp filter rejects the call (Docker's reports ENOSYS, older ones EPERM).
            Err(error)
                if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM | libc::E2BIG | libc::EINVAL)) =>
            {
                WITHOUT_CLONE3.store(true, Ordering::Relaxed);
            }
            result => return result,
        }
    }
    let procs = cgroup.map(|dir| openat(dir, "cgroup.procs", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()));
    let procs = procs.transpose()?;
    context.join = procs.as_ref().map(AsRawFd::as_raw_fd);
    clone_by(context, |stack, context, pidfd| {
        // SAFETY: `clone_by` sees to all that clone3 asks for as well. With CLONE_PIDFD the kernel stores a descriptor
        // through the fifth argument.
        let pid = unsafe { libc::clone(in_child, stack.end.cast(), flags | libc::SIGCHLD, context, pidfd) };
        if pid < 0 { Err(io::Error::last_os_error()) } else { Ok(pid) }
    })
}

fn clone_by(
    context: &mut ChildContext<'_>,
    clone: impl FnOnce(Range<*mut u8>, *mut c_void, *mut c_int) -> io::Result<c_int>,
) -> io::Result<Leader> {
    let mut stack = Stack(MaybeUninit::uninit());
    let mut pidfd: c_int = -1;
    let blocked = signals::SignalsBlocked::new();
    // SAFETY: with every signal blocked no handler of ours can run in the child while it shares our memory. The child
    // runs `in_child` on `stack`, whose top is 16-byte aligned; CLONE_VFORK keeps this thread suspended until the child
    // has called exec or _exit, so that `context`, `stack` and what they point to outlive the child's use of them, and
    // nothing else uses them meanwhile.
    let pid = unsafe {
        let low = stack.0.as_mut_ptr().cast::<u8>();
        clone(low..low.add(CHILD_STACK), (&raw mut *context).cast(), &raw mut pidfd)?
    };
    drop(blocked);
    // SAFETY: clone succeeded, so the kernel has stored a new descriptor there, which no other code knows.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Leader { group: ProcessGroup::of_child(pid), pidfd, reaped: false })
}

/// Opens an empty standard input: `/dev/null`, or an empty memfd in an image without `/dev`.
///
/// # Errors
/// Neither can be opened: no descriptors are left.
pub fn empty_input() -> io::Result<OwnedFd> {
    let null = PathBuf::from("/dev/null");
    match rustix::fs::open(&null, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
        Ok(fd) => Ok(fd),
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::ACCESS) => {
            let empty = memfd_create("empty", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
            // All functions share it, so that it must stay empty.
            fcntl_add_seals(&empty, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
            Ok(empty)
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::fd::AsFd as _, thread};

    use super::*;

    /// Has a system call fail with this error in this thread, as a container's seccomp filter or an older kernel may.
    fn refuse(call: libc::c_long, errno: libc::c_int) {
        const LOAD: u16 = 0x20;
        const JUMP_IF_EQUAL: u16 = 0x15;
        const RETURN: u16 = 0x06;
        let row = |code, jf, k| libc::sock_filter { code, jt: 0, jf, k };
        let mut rows = [
            row(LOAD, 0, 0),
            row(JUMP_IF_EQUAL, 1, u32::try_from(call).expect("a number")),
            row(RETURN, 0, libc::SECCOMP_RET_ERRNO | errno.cast_unsigned()),
            row(RETURN, 0, libc::SECCOMP_RET_ALLOW),
        ];
        let program = libc::sock_fprog { len: 4, filter: rows.as_mut_ptr() };
        // SAFETY: changes this thread only, by a program that is whole.
        unsafe {
            assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
            assert_eq!(libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program), 0);
        }
    }

    /// Starts `true` in this cgroup, in a thread that cannot have clone3.
    fn start_without_clone3(cgroup: &fs::File, errno: libc::c_int) -> io::Result<crate::exit::Exit> {
        let start = || {
            refuse(libc::SYS_clone3, errno);
            let null = empty_input()?;
            let streams = Streams { stdin: null.as_fd(), stdout: null.as_fd(), stderr: null.as_fd() };
            let (arguments, none) = ([c"true".as_ptr(), std::ptr::null()], [std::ptr::null()]);
            let setup = ChildSetup { steps: &[], rlimit_locks: None, cgroup: Some(cgroup.as_fd()) };
            let started = super::start(c"/bin/true", &arguments, &none, streams, setup);
            Ok(started.map_err(|refused| refused.source)?.reap()?.0)
        };
        thread::scope(|scope| scope.spawn(start).join().expect("no panic"))
    }

    #[test]
    fn where_clone3_is_refused_or_unknown_a_process_joins_its_cgroup_by_itself() {
        // A process joins a cgroup by writing to this file of it.
        let cgroup = tempfile::tempdir().expect("tempdir");
        let procs = cgroup.path().join("cgroup.procs");
        let dir = fs::File::open(cgroup.path()).expect("open");
        // By a filter; unknown to a filter or a kernel; without this flag, or with a shorter structure.
        for errno in [libc::EPERM, libc::ENOSYS, libc::EINVAL, libc::E2BIG] {
            // The second time it is not asked for.
            WITHOUT_CLONE3.store(false, Ordering::Relaxed);
            for _ in 0..2 {
                fs::write(&procs, "").expect("written");
                let exit = start_without_clone3(&dir, errno).expect("started");
                assert_eq!(exit, crate::exit::Exit::Code(0));
                assert_eq!(fs::read(&procs).expect("readable"), b"0", "{}", io::Error::from_raw_os_error(errno));
                assert!(WITHOUT_CLONE3.load(Ordering::Relaxed));
            }
        }
        // Other errors are those of the call.
        WITHOUT_CLONE3.store(false, Ordering::Relaxed);
        let refused = start_without_clone3(&dir, libc::EAGAIN).expect_err("no process");
        assert_eq!(refused.raw_os_error(), Some(libc::EAGAIN));
        assert!(!WITHOUT_CLONE3.load(Ordering::Relaxed));
    }
}
