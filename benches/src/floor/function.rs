//! The function: started by posix_spawn(3), followed to its end.

use std::{
    ffi::{CString, OsString, c_char, c_short},
    io,
    mem::MaybeUninit,
    os::{
        fd::{AsFd as _, AsRawFd as _, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    ptr,
};

use anyhow::{Context as _, ensure};
use rustix::{
    event::{PollFd, PollFlags, poll},
    fs::{Mode, OFlags},
    pipe::{PipeFlags, pipe_with},
    process::{Pid, PidfdFlags, WaitId, WaitIdOptions, pidfd_open, waitid},
};

/// The program to start and its arguments, made once.
pub struct Function {
    arguments: Vec<CString>,
    attributes: libc::posix_spawnattr_t,
    /// `/dev/null`, what it reads.
    nothing: OwnedFd,
}

impl Function {
    pub fn new(arguments: &[OsString]) -> anyhow::Result<Self> {
        let arguments = arguments.iter().map(|text| CString::new(text.as_bytes())).collect::<Result<_, _>>()?;
        let nothing = rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { arguments, attributes: attributes()?, nothing })
    }

    /// Starts it with this environment, and returns when it has ended, and well.
    pub fn run(&self, environment: &[CString]) -> anyhow::Result<()> {
        // The end that is written to stays open here, too: that a function closes its own, as each does when it ends,
        // is no event.
        let (logs, written) = pipe_with(PipeFlags::CLOEXEC)?;
        let id = self.spawn(environment, &written)?;
        let process = pidfd_open(id, PidfdFlags::empty())?;
        loop {
            let mut events = [PollFd::new(&process, PollFlags::IN), PollFd::new(&logs, PollFlags::IN)];
            poll(&mut events, None)?;
            let [has_ended, has_written] = events.map(|event| !event.revents().is_empty());
            if has_written {
                // The logs are not used, but a full pipe would block the function.
                rustix::io::read(&logs, &mut [0; 4096])?;
            }
            if has_ended {
                break;
            }
        }
        let ended = waitid(WaitId::PidFd(process.as_fd()), WaitIdOptions::EXITED)?;
        let status = ended.context("it has ended")?.exit_status();
        ensure!(status == Some(0), "the function ended with {status:?}");
        Ok(())
    }

    /// In a process group of its own, with signals as they are by default.
    fn spawn(&self, environment: &[CString], output: &OwnedFd) -> anyhow::Result<Pid> {
        let (arguments, environment) = (pointers(&self.arguments), pointers(environment));
        let files = Files::new(&[(&self.nothing, 0), (output, 1), (output, 2)])?;
        let mut id = 0;
        // SAFETY: both lists end with a null pointer and point into strings that outlive the call; actions and
        // attributes were initialised.
        check("posix_spawn", unsafe {
            let (arguments, environment) = (arguments.as_ptr(), environment.as_ptr());
            let path = self.arguments[0].as_ptr();
            libc::posix_spawn(&raw mut id, path, &raw const files.0, &raw const self.attributes, arguments, environment)
        })?;
        Pid::from_raw(id).context("a started process has a number")
    }
}

/// Never given back: there is one, as long as the process lives.
fn attributes() -> anyhow::Result<libc::posix_spawnattr_t> {
    let mut attributes = MaybeUninit::uninit();
    let (mut none, mut all) = (MaybeUninit::uninit(), MaybeUninit::uninit());
    let flags = libc::POSIX_SPAWN_SETPGROUP | libc::POSIX_SPAWN_SETSIGDEF | libc::POSIX_SPAWN_SETSIGMASK;
    // SAFETY: the first call initialises the attributes, those below it the sets; the rest changes what is initialised.
    unsafe {
        check("posix_spawnattr_init", libc::posix_spawnattr_init(attributes.as_mut_ptr()))?;
        libc::sigemptyset(none.as_mut_ptr());
        // glibc looks at each signal that is not in this set before it resets that one, too. These two cannot be set.
        libc::sigfillset(all.as_mut_ptr());
        for fixed in [libc::SIGKILL, libc::SIGSTOP] {
            libc::sigdelset(all.as_mut_ptr(), fixed);
        }
        let (set, none, all) = (attributes.as_mut_ptr(), none.as_ptr(), all.as_ptr());
        check("posix_spawnattr_setflags", libc::posix_spawnattr_setflags(set, c_short::try_from(flags)?))?;
        check("posix_spawnattr_setpgroup", libc::posix_spawnattr_setpgroup(set, 0))?;
        check("posix_spawnattr_setsigmask", libc::posix_spawnattr_setsigmask(set, none))?;
        check("posix_spawnattr_setsigdefault", libc::posix_spawnattr_setsigdefault(set, all))?;
        Ok(attributes.assume_init())
    }
}

/// The changes to descriptors in the new process.
struct Files(libc::posix_spawn_file_actions_t);

impl Files {
    /// Each of these is to have this number there.
    fn new(places: &[(&OwnedFd, i32)]) -> anyhow::Result<Self> {
        let mut files = MaybeUninit::uninit();
        // SAFETY: the call initialises it.
        let mut files = unsafe {
            check("posix_spawn_file_actions_init", libc::posix_spawn_file_actions_init(files.as_mut_ptr()))?;
            Self(files.assume_init())
        };
        for (file, place) in places {
            // SAFETY: it is initialised.
            check("posix_spawn_file_actions_adddup2", unsafe {
                libc::posix_spawn_file_actions_adddup2(&raw mut files.0, file.as_raw_fd(), *place)
            })?;
        }
        Ok(files)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // SAFETY: it is initialised, and not used after this.
        unsafe { libc::posix_spawn_file_actions_destroy(&raw mut self.0) };
    }
}

fn pointers(strings: &[CString]) -> Vec<*mut c_char> {
    strings.iter().map(|string| string.as_ptr().cast_mut()).chain([ptr::null_mut()]).collect()
}

/// The calls of this family return the error itself.
fn check(name: &'static str, error: i32) -> anyhow::Result<()> {
    if error == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(error)).context(name) }
}
