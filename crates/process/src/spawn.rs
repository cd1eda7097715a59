//! Starting a process at the speed of vfork(2), without posix_spawn(3)'s walk over all signals and without ever
//! copying page tables: clone(2) with `CLONE_VM | CLONE_VFORK`, as C libraries do it themselves, or clone3(2), where
//! there is a cgroup for the process.
//!
//! What happens between clone and exec is in [`in_child`]; it runs on borrowed memory and may only make system calls.

use std::{
    borrow::Cow,
    ffi::{CStr, CString, OsStr, OsString, c_char, c_int, c_uint, c_ulong, c_void},
    io::{self, Read as _},
    mem::MaybeUninit,
    ops::Range,
    os::{
        fd::{AsRawFd, BorrowedFd, FromRawFd as _, OwnedFd},
        unix::ffi::{OsStrExt as _, OsStringExt as _},
    },
    path::{Path, PathBuf},
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use rustix::{
    fs::{MemfdFlags, Mode, OFlags, SealFlags, fcntl_add_seals, memfd_create, openat},
    io::Errno,
};

use super::{
    Child, Confined, Group, Leader, SpawnError, Ties, aside,
    cgroup::Cgroup,
    clone3::clone3,
    confine::Step,
    refusal::{self, At, Refused},
    signals,
};

/// What to start, ready for exec: made once, used for every invocation.
#[derive(Debug)]
pub struct Program {
    path: CString,
    arguments: Vec<CString>,
    /// `NAME=value`, inherited by every invocation.
    environment: Vec<CString>,
}

impl Program {
    /// Prepares `path` with `arguments` (the name it sees itself under first) and the environment it inherits.
    ///
    /// # Errors
    /// A NUL byte in any of them, which exec cannot pass on.
    pub fn new(
        path: &Path,
        arguments: &[OsString],
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> io::Result<Self> {
        let arguments = arguments.iter().map(|argument| CString::new(argument.as_bytes())).collect::<Result<_, _>>()?;
        let environment =
            environment.into_iter().map(|(name, value)| variable(&name, &value)).collect::<io::Result<_>>()?;
        Ok(Self { path: CString::new(path.as_os_str().as_bytes())?, arguments, environment })
    }

    /// The names of the variables in its inherited environment.
    pub fn environment_names(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.environment.iter().map(|pair| {
            let bytes = pair.as_bytes();
            String::from_utf8_lossy(bytes.split(|byte| *byte == b'=').next().unwrap_or(bytes))
        })
    }

    /// The arguments it is started with, where a start has none of its own; the name it sees itself under first.
    #[must_use]
    pub fn arguments(&self) -> &[CString] {
        &self.arguments
    }

    /// The file that is executed.
    #[must_use]
    pub fn path(&self) -> &Path {
        Path::new(OsStr::from_bytes(self.path.to_bytes()))
    }
}

/// `NAME=value` as exec takes it.
///
/// # Errors
/// A NUL byte in either.
pub fn variable(name: &OsStr, value: &OsStr) -> io::Result<CString> {
    let mut pair = OsString::with_capacity(name.len() + value.len() + 1);
    pair.push(name);
    pair.push("=");
    pair.push(value);
    Ok(CString::new(pair.into_vec())?)
}

/// What a process is given to read from and to write to. Two of these may be the same.
#[derive(Debug, Clone, Copy)]
pub struct Streams<'a> {
    /// Standard input.
    pub stdin: BorrowedFd<'a>,
    /// Standard output.
    pub stdout: BorrowedFd<'a>,
    /// Standard error.
    pub stderr: BorrowedFd<'a>,
}

/// Starts `program` in a process group of its own, with `arguments` (its own [`Program::arguments`], or others for this
/// start), `variables` on top of its environment and `streams` as its standard streams. It has no other descriptor (all
/// of ours are closed on exec), no signal blocked and none ignored, and is held to what `confined` says. It is killed
/// when the calling thread ends, and with it bandog. The calling thread takes no signals any more: see
/// [`attend`](super::attend) for who does.
///
/// A script without an interpreter line is run by `/bin/sh`, as execvp(3) and every shell do.
pub fn spawn(
    program: &Program,
    arguments: &[CString],
    variables: &[CString],
    streams: Streams<'_>,
    confined: &Confined,
    mut ties: Ties,
) -> Result<Child, SpawnError> {
    let inherited = || program.environment.iter().chain(variables);
    let failed = |refused| refusal::explain(program.path(), arguments, inherited().map(CString::as_c_str), refused);
    let mut arguments: Vec<*const c_char> = arguments.iter().map(|text| text.as_ptr()).collect();
    arguments.push(std::ptr::null());
    let mut environment: Vec<*const c_char> = inherited().map(|text| text.as_ptr()).collect();
    environment.push(std::ptr::null());
    let mut path = program.path.as_c_str();
    signals::refuse();
    loop {
        let bonds =
            Bonds { steps: &confined.steps, number: ties.mark.number(), cgroup: ties.cgroup.as_ref().map(Cgroup::dir) };
        match start(path, &arguments, &environment, streams, bonds) {
            Ok(leader) => return Ok(Child { leader, ties }),
            Err(refused) if refused.is(At::Exec, Errno::NOEXEC) && path != SHELL && is_text(program.path()) => {
                arguments.splice(..1, [SHELL.as_ptr(), program.path.as_ptr()]);
                path = SHELL;
            }
            Err(Refused { source, at: At::Clone }) if is_about_cgroups(&source) && ties.cgroup.is_some() => {
                let cgroup = ties.cgroup.take();
                let given_up = cgroup.map_or(Ok(()), |cgroup| cgroup.give_up(&source));
                given_up.map_err(|source| failed(Refused { source, at: At::Clone }))?;
            }
            Err(refused) => return Err(failed(refused)),
        }
    }
}

/// Tries whether processes can be born in a cgroup, with one that does not become any program.
///
/// Linux since 6.14 has a fault by which it kills at once whatever is born in a cgroup that was killed before, or by
/// somebody in one that was: it compares how often, for the wrong two (`cgroup_css_set_fork`).
pub(super) fn try_cgroup(cgroup: BorrowedFd<'_>) -> io::Result<()> {
    let none = [std::ptr::null()];
    let streams = Streams { stdin: cgroup, stdout: cgroup, stderr: cgroup };
    match start(c"", &none, &none, streams, Bonds { steps: &[], number: None, cgroup: Some(cgroup) }) {
        Err(refused) if refused.is(At::Exec, Errno::NOENT) => Ok(()),
        Err(refused) => Err(refused.source),
        Ok(mut leader) => Err(io::Error::other(format!("a process in it ended with {} at once", leader.reap()?.0))),
    }
}

/// Runs scripts without an interpreter line.
const SHELL: &CStr = c"/bin/sh";

/// Whether a process could be started outside of a cgroup: it was removed, or we may not move a process into it.
fn is_about_cgroups(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::ACCESS | Errno::PERM | Errno::NODEV | Errno::NOENT | Errno::BUSY | Errno::OPNOTSUPP))
}

/// Whether a file that the kernel does not take for a program may be a script: no NUL in its first line's worth of
/// bytes (the test that bash makes).
fn is_text(path: &Path) -> bool {
    let mut start = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(256).read_to_end(&mut start));
    read.is_ok() && !start.contains(&0)
}

/// No number of a step.
const NO_STEP: usize = usize::MAX;

/// Joining a cgroup, which is none of the steps either.
const JOIN: usize = NO_STEP - 1;

/// Leaving descriptors behind, nor this.
const LEAVE: usize = NO_STEP - 2;

/// What the child needs, in the parent's memory. Read-only there but for `step` and `error`.
struct Order<'a> {
    path: &'a CStr,
    arguments: *const *const c_char,
    environment: *const *const c_char,
    /// Standard input, output and error.
    streams: [c_int; 3],
    ignored: &'a [c_int],
    steps: &'a [Step],
    /// Which of the steps is being taken; [`NO_STEP`] before and after.
    step: usize,
    /// RLIMIT_LOCKS, see [`Mark`](super::Mark).
    number: Option<u64>,
    /// `cgroup.procs` of the cgroup that is still to be joined.
    join: Option<c_int>,
    /// From here on all descriptors are left behind. Until then they are shared with bandog.
    far_from: Option<c_int>,
    /// bandog.
    parent: c_int,
    /// `errno` of the call that failed; 0 while none has.
    error: c_int,
}

/// Bytes of stack for [`in_child`], which calls nothing but thin wrappers of system calls: 16 KiB is several times
/// what it uses. Being on the parent's own stack it costs no allocation.
const CHILD_STACK: usize = 16 * 1024;

#[repr(align(16))]
struct Stack(MaybeUninit<[u8; CHILD_STACK]>);

/// What a process is bound by from its first moment.
#[derive(Clone, Copy)]
struct Bonds<'a> {
    steps: &'a [Step],
    /// See [`Mark`](super::Mark).
    number: Option<u64>,
    /// What it is born in.
    cgroup: Option<BorrowedFd<'a>>,
}

fn start(
    path: &CStr,
    arguments: &[*const c_char],
    environment: &[*const c_char],
    streams: Streams<'_>,
    bonds: Bonds<'_>,
) -> Result<Leader, Refused> {
    static PARENT: OnceLock<c_int> = OnceLock::new();
    let numbers = [streams.stdin, streams.stdout, streams.stderr].map(|stream| stream.as_raw_fd());
    let mut order = Order {
        path,
        arguments: arguments.as_ptr(),
        environment: environment.as_ptr(),
        streams: numbers,
        ignored: signals::ignored(),
        steps: bonds.steps,
        step: NO_STEP,
        number: bonds.number,
        join: None,
        // What a step needs may be anywhere.
        far_from: aside::far_from(numbers).filter(|_| bonds.steps.is_empty()),
        parent: *PARENT.get_or_init(|| rustix::process::getpid().as_raw_nonzero().get()),
        error: 0,
    };
    let leader = clone(&mut order, bonds.cgroup).map_err(|source| Refused { source, at: At::Clone })?;
    // SAFETY: the child wrote through a pointer to `order`; a volatile read sees it whatever the compiler assumed.
    let (errno, step) = unsafe { ((&raw const order.error).read_volatile(), (&raw const order.step).read_volatile()) };
    if errno == 0 {
        return Ok(leader);
    }
    // It has left already; dropping it reaps it.
    drop(leader);
    if step == LEAVE {
        // Linux before 5.9, or a filter. Nothing was changed yet.
        aside::give_up();
        return start(path, arguments, environment, streams, bonds);
    }
    let at = match bonds.steps.get(step) {
        Some(step) => At::Step(*step),
        // As if it had not been born there.
        None if step == JOIN => At::Clone,
        None => At::Exec,
    };
    Err(Refused { source: io::Error::from_raw_os_error(errno), at })
}

/// Starts a process that obeys `order`.
fn clone(order: &mut Order<'_>, cgroup: Option<BorrowedFd<'_>>) -> io::Result<Leader> {
    static WITHOUT_CLONE3: AtomicBool = AtomicBool::new(false);
    let shared = if order.far_from.is_some() { libc::CLONE_FILES } else { 0 };
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | shared;
    if let Some(cgroup) = cgroup.filter(|_| !WITHOUT_CLONE3.load(Ordering::Relaxed)) {
        match clone_by(order, |stack, order, pidfd| clone3(stack, in_child, order, pidfd, cgroup, flags)) {
            // A kernel that is too old, or a filter: Docker's says that there is no such call.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::E2BIG | libc::EINVAL)) => {
                WITHOUT_CLONE3.store(true, Ordering::Relaxed);
            }
            result => return result,
        }
    }
    let procs = cgroup.map(|dir| openat(dir, "cgroup.procs", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()));
    let procs = procs.transpose()?;
    order.join = procs.as_ref().map(AsRawFd::as_raw_fd);
    clone_by(order, |stack, order, pidfd| {
        // SAFETY: `clone_by` sees to all that clone3 asks for as well. With CLONE_PIDFD the kernel stores a descriptor
        // through the fifth argument.
        let pid = unsafe { libc::clone(in_child, stack.end.cast(), flags | libc::SIGCHLD, order, pidfd) };
        if pid < 0 { Err(io::Error::last_os_error()) } else { Ok(pid) }
    })
}

fn clone_by(
    order: &mut Order<'_>,
    clone: impl FnOnce(Range<*mut u8>, *mut c_void, *mut c_int) -> io::Result<c_int>,
) -> io::Result<Leader> {
    let mut stack = Stack(MaybeUninit::uninit());
    let mut pidfd: c_int = -1;
    let blocked = signals::Blocked::new();
    // SAFETY: with every signal blocked no handler of ours can run in the child while it shares our memory. The child
    // runs `in_child` on `stack`, whose top is 16-byte aligned; CLONE_VFORK keeps this thread suspended until the child
    // has called exec or _exit, so that `order`, `stack` and what they point to outlive the child's use of them, and
    // nothing else uses them meanwhile.
    let pid = unsafe {
        let low = stack.0.as_mut_ptr().cast::<u8>();
        clone(low..low.add(CHILD_STACK), (&raw mut *order).cast(), &raw mut pidfd)?
    };
    drop(blocked);
    // SAFETY: clone succeeded, so the kernel has stored a new descriptor there, which nobody else knows.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Leader { group: Group::of_child(pid), pidfd, reaped: false })
}

/// What happens between clone and exec. Shares the parent's memory: no allocation, no lock, no panic; system calls
/// only.
extern "C" fn in_child(order: *mut c_void) -> c_int {
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

/// An empty standard input: `/dev/null`, or where there is none (an image without `/dev`) an empty nameless file.
///
/// # Errors
/// Neither can be had: no descriptors left.
pub fn empty_input() -> io::Result<OwnedFd> {
    let null = PathBuf::from("/dev/null");
    match rustix::fs::open(&null, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
        Ok(fd) => Ok(fd),
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::ACCESS) => {
            let empty = memfd_create("empty", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
            // All functions share it, and it stays empty.
            fcntl_add_seals(&empty, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
            Ok(empty)
        }
        Err(error) => Err(error.into()),
    }
}
