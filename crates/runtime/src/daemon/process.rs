//! One process with a workspace of its own, whose output goes to the log.

use std::{
    ffi::{CString, OsStr},
    io,
    os::fd::AsFd as _,
};

use rustix::pipe::{PipeFlags, pipe_with};

use crate::{
    invocation::{Failure, Function, LineForwarder, TMPDIR},
    process::{self, Cancel, Ended, Observer, Outputs, Progress, Stop, Streams, variable},
};

/// Runs the process until it ends, in a workspace that is removed afterwards. `variables` makes the variables in
/// addition to the inherited ones; `started` is called with the process id.
pub(super) fn run(
    function: &Function,
    variables: &dyn Fn() -> io::Result<Vec<CString>>,
    cancel: &Cancel,
    started: &dyn Fn(i32),
) -> Result<Ended, Failure> {
    let workspace = function.workspaces.workspace().map_err(Failure::Workspace)?;
    let mut variables = variables().map_err(Failure::Supervise)?;
    let place = workspace.output_path();
    variables.push(variable(OsStr::new(process::TAG_VARIABLE), place.as_os_str()).map_err(Failure::Supervise)?);
    if function.limits.settings.sandbox {
        let scratch = workspace.add_scratch().map_err(Failure::Workspace)?;
        variables.push(variable(OsStr::new(TMPDIR), scratch.as_os_str()).map_err(Failure::Supervise)?);
    }
    let (read_end, write_end) = pipe_with(PipeFlags::CLOEXEC).map_err(|error| Failure::Supervise(error.into()))?;
    function.limits.hand_over(&workspace)?;
    let output = write_end.as_fd();
    let streams = Streams { stdin: function.empty_input.as_fd(), stdout: output, stderr: output };
    let program = &function.program;
    let child = function.limits.spawn(&workspace, program, program.arguments(), &variables, streams)?;
    started(child.pid());
    let mut lines = LineForwarder::new("", None);
    let outputs = Outputs { logs: Some(&read_end), response: None };
    process::supervise(child, outputs, function.rules, cancel, &mut lines).map_err(Failure::Supervise)
}

/// Forwards all output to the log.
impl Observer for LineForwarder {
    fn observe(&mut self, written: &[u8]) -> Progress {
        self.push(written);
        Progress::UpToDate
    }

    fn take(&mut self, _: &[u8]) -> Result<(), Stop> {
        Err(Stop)
    }
}
