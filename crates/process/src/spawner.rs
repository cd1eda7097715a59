//! The one place through which the processes of invocations are started.

mod local;

use std::{ffi::CString, io, os::fd::BorrowedFd};

use crate::{
    child::Child,
    leftovers::tag::InvocationTag,
    spawn::{Streams, error::SpawnError, program::Program},
};
pub use local::LocalSpawner;

/// How the processes of invocations are started; each variant holds what it needs for that.
///
/// An enum and no trait: each `match` on it is exhaustive, so that a new way of starting processes has to say what it
/// does at each step.
#[derive(Debug)]
pub enum Spawner {
    /// As children of this process, with clone(2) and execve(2).
    Local(LocalSpawner),
}

/// One process to start.
#[derive(Debug)]
pub struct SpawnRequest<'a> {
    /// The program, with the environment that every process of it inherits.
    pub program: &'a Program,
    /// The process's arguments, its own name first: [`Program::arguments`], or others for this process.
    pub arguments: &'a [CString],
    /// Variables of this process, each `NAME=value`; added to the program's environment.
    pub variables: &'a [CString],
    /// The standard streams.
    pub streams: Streams<'a>,
    /// The directory of the workspace, in which a sandboxed process may write.
    pub workspace: BorrowedFd<'a>,
    /// Identifies the process and its descendants.
    pub tag: InvocationTag,
}

/// Why a [`Spawner`] started no process.
#[derive(Debug, thiserror::Error)]
pub enum SpawnerError {
    /// The limits, the sandbox or the cgroup could not be prepared.
    #[error("cannot prepare the limits: {0}")]
    Prepare(#[source] io::Error),
    /// They were ready, but the process could not be started.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
}

impl Spawner {
    /// Starts a process. Follow it with [`supervise`](crate::supervise).
    ///
    /// # Errors
    /// See [`SpawnerError`]. No process is left running.
    pub fn spawn(&self, request: SpawnRequest<'_>) -> Result<Child, SpawnerError> {
        match self {
            Self::Local(local) => local.spawn(request),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        ffi::{OsStr, OsString},
        fs::File,
        io::Read as _,
        os::fd::{AsFd as _, OwnedFd},
        path::Path,
        time::Duration,
    };

    use rustix::pipe::{PipeFlags, pipe_with};

    use super::*;
    use crate::{
        exit::Exit,
        sandbox::{Confinement, Limits},
        spawn::{empty_input, program::variable},
        supervise::{
            End, Rules,
            cancel::Cancel,
            output::{Observer, Outputs, Progress, Stop},
            supervise,
        },
    };

    struct Ignore;

    impl Observer for Ignore {
        fn observe(&mut self, _: &[u8]) -> Progress {
            Progress::UpToDate
        }

        fn take(&mut self, _: &[u8]) -> Result<(), Stop> {
            Ok(())
        }
    }

    fn local() -> Spawner {
        Spawner::Local(LocalSpawner::new(Confinement::new(&Limits::default()).expect("prepared"), None))
    }

    /// Starts `path` through `spawner`, with `GREETING` in its environment. Returns the process and its output.
    fn start(spawner: &Spawner, path: &str, arguments: &[&str]) -> Result<(Child, OwnedFd), SpawnerError> {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        let program = Program::new(Path::new(path), &arguments, []).expect("no NUL");
        let variables = [variable(OsStr::new("GREETING"), OsStr::new("hello")).expect("no NUL")];
        let (input, directory) = (empty_input().expect("opened"), File::open("/tmp").expect("opened"));
        let (output, write_end) = pipe_with(PipeFlags::CLOEXEC).expect("a pipe");
        let request = SpawnRequest {
            program: &program,
            arguments: program.arguments(),
            variables: &variables,
            streams: Streams { stdin: input.as_fd(), stdout: write_end.as_fd(), stderr: write_end.as_fd() },
            workspace: directory.as_fd(),
            tag: InvocationTag::of(OsStr::new("bandog-test-spawner")),
        };
        Ok((spawner.spawn(request)?, output))
    }

    #[test]
    fn a_process_gets_its_arguments_and_variables_and_is_supervised_to_its_end() {
        let arguments = ["sh", "-c", "echo $GREETING $1; exit 7", "-", "world"];
        let (child, output) = start(&local(), "/bin/sh", &arguments).expect("started");
        assert!(child.pid() > 1);
        let rules = Rules { timeout: None, grace: Duration::from_secs(1) };
        let outputs = Outputs { logs: None, response: None };
        let ended = supervise(child, outputs, rules, &Cancel::new(), &mut Ignore).expect("supervised");
        assert_eq!((ended.exit, ended.end), (Exit::Code(7), End::Itself));
        let mut written = String::new();
        File::from(output).read_to_string(&mut written).expect("read");
        assert_eq!(written, "hello world\n");
    }

    #[test]
    fn a_program_that_does_not_exist_is_an_error_of_the_start() {
        let error = start(&local(), "/no/such/program", &["x"]).expect_err("nothing to start");
        assert!(matches!(error, SpawnerError::Spawn(SpawnError::Missing { .. })), "{error}");
    }
}
