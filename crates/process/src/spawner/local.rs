//! Processes that are children of this one.

use std::{
    ffi::{CStr, CString, c_char},
    io::{self, Read as _},
    path::Path,
    sync::Arc,
};

use rustix::io::Errno;

use super::{SpawnRequest, SpawnerError};
use crate::{
    cgroup::{Cgroup, Cgroups},
    child::{Child, Tracking},
    sandbox::{Confinement, PreparedConfinement},
    signals,
    spawn::{
        ChildSetup, Streams,
        error::{self, SpawnError, SpawnStage, StartFailure},
        program::Program,
        start,
    },
};

/// Starts processes as children of this one.
#[derive(Debug)]
pub struct LocalSpawner {
    confinement: Confinement,
    cgroups: Option<Arc<Cgroups>>,
}

impl LocalSpawner {
    /// Holds every process to `confinement`, and starts it in one of `cgroups` if they are available.
    #[must_use]
    pub fn new(confinement: Confinement, cgroups: Option<Arc<Cgroups>>) -> Self {
        Self { confinement, cgroups }
    }

    pub(super) fn spawn(&self, request: SpawnRequest<'_>) -> Result<Child, SpawnerError> {
        let SpawnRequest { program, arguments, variables, streams, workspace, tag } = request;
        let confined = self.confinement.prepare(workspace).map_err(SpawnerError::Prepare)?;
        self.confinement.hand_over(streams).map_err(SpawnerError::Prepare)?;
        let cgroup = self.cgroups.as_ref().map(Cgroups::take).transpose().map_err(SpawnerError::Prepare)?.flatten();
        Ok(spawn(program, arguments, variables, streams, &confined, Tracking { tag, cgroup })?)
    }
}

/// Starts `program` in a process group of its own, with `arguments` ([`Program::arguments`], or others for this start),
/// `variables` in addition to its environment, and `streams` as its standard streams. The process inherits no other
/// descriptor (all of bandog's are closed on exec), no blocked and no ignored signal, and it is confined by `confined`.
/// The kernel kills it when the calling thread ends, and so when bandog does. The calling thread takes no signals any
/// more: see [`run_with_reaper`](crate::run_with_reaper) for the thread that does.
///
/// A script without an interpreter line is run by `/bin/sh`, as execvp(3) and all shells do.
fn spawn(
    program: &Program,
    arguments: &[CString],
    variables: &[CString],
    streams: Streams<'_>,
    confined: &PreparedConfinement,
    mut tracking: Tracking,
) -> Result<Child, SpawnError> {
    let inherited = || program.environment.iter().chain(variables);
    let failed = |refused| error::explain(program.path(), arguments, inherited().map(CString::as_c_str), refused);
    let mut arguments: Vec<*const c_char> = arguments.iter().map(|text| text.as_ptr()).collect();
    arguments.push(std::ptr::null());
    let mut environment: Vec<*const c_char> = inherited().map(|text| text.as_ptr()).collect();
    environment.push(std::ptr::null());
    let mut path = program.path.as_c_str();
    signals::block_for_good();
    loop {
        let setup = ChildSetup {
            steps: &confined.steps,
            rlimit_locks: tracking.tag.rlimit_locks(),
            cgroup: tracking.cgroup.as_ref().map(Cgroup::dir),
        };
        match start(path, &arguments, &environment, streams, setup) {
            Ok(leader) => return Ok(Child { leader, tracking }),
            Err(refused) if refused.is(SpawnStage::Exec, Errno::NOEXEC) && path != SHELL && is_text(program.path()) => {
                arguments.splice(..1, [SHELL.as_ptr(), program.path.as_ptr()]);
                path = SHELL;
            }
            Err(StartFailure { source, stage: SpawnStage::Clone })
                if is_about_cgroups(&source) && tracking.cgroup.is_some() =>
            {
                let cgroup = tracking.cgroup.take();
                let given_up = cgroup.map_or(Ok(()), |cgroup| cgroup.give_up(&source));
                given_up.map_err(|source| failed(StartFailure { source, stage: SpawnStage::Clone }))?;
            }
            Err(refused) => return Err(failed(refused)),
        }
    }
}

/// The interpreter of scripts without an interpreter line.
const SHELL: &CStr = c"/bin/sh";

/// Returns whether the error is about the cgroup: it was removed, or bandog may not move a process into it.
fn is_about_cgroups(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::ACCESS | Errno::PERM | Errno::NODEV | Errno::NOENT | Errno::BUSY | Errno::OPNOTSUPP))
}

/// Returns whether a file that the kernel cannot execute may be a script: no NUL in its first 256 bytes (bash's test).
fn is_text(path: &Path) -> bool {
    let mut start = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(256).read_to_end(&mut start));
    read.is_ok() && !start.contains(&0)
}
