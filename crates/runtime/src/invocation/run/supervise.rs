//! The process of an invocation, from its start to its end.

use std::os::fd::AsFd as _;

use super::{Invocation, environment::LaunchSpec};
use crate::{
    invocation::{observer::InvocationObserver, outcome::Failure, recorder::OutputRecorder, stdout::Pipes},
    logs::Level,
    process::{self, End, Ended, Exit, Observer as _, Rules},
};

impl Invocation<'_> {
    /// Starts the process and supervises it until it ends.
    pub(super) fn supervise(
        &mut self,
        launch: &LaunchSpec,
        rules: Rules,
        observer: &mut dyn InvocationObserver,
    ) -> Result<Ended, Failure> {
        let function = self.function;
        let system = |error: rustix::io::Errno| Failure::Supervise(error.into());
        if let Some(attempts) = &mut self.attempts {
            attempts.begin();
        }
        let stdin = launch.stdin.as_ref().unwrap_or(&*function.empty_input);
        let pipes = Pipes::new(function.stdout.as_ref()).map_err(system)?;
        let (program, streams) = (&function.program, pipes.streams(stdin.as_fd()));
        let arguments = launch.arguments.as_deref().unwrap_or(program.arguments());
        let child = function.limits.spawn(self.workspace, program, arguments, &launch.variables, streams)?;
        let (program, pid) = (program.path().display(), child.pid());
        self.log.note(Level::Info, &format!("function started: {program} (pid {pid})"));
        let (log, workspace, reader) = (&mut self.log, &*self.workspace, function.reader());
        let (stdout, attempts) = (self.stdout.as_mut(), self.attempts.as_mut());
        let mut recorder = OutputRecorder { log, observer, stdout, attempts, workspace, reader };
        // Shows the lines that the log already holds to the observer.
        recorder.observe(&[]);
        let ended = process::supervise(child, pipes.outputs(), rules, self.cancel, &mut recorder);
        let ended = ended.map_err(Failure::Supervise)?;
        self.ran = Some(self.started.elapsed());
        recorder.log.used(ended.usage);
        let is_shown = ended.end == End::Itself && (ended.exit == Exit::Code(0) || function.shows_failed_output);
        // The end of it says why it failed, if nothing else does.
        let is_silent = !is_shown && ended.end == End::Itself && recorder.log.lacks_output();
        if let Some(response) =
            pipes.outputs().response.filter(|_| is_shown || recorder.wants_rest(ended.end) || is_silent)
        {
            recorder.take_rest(response).map_err(Failure::Supervise)?;
        }
        Ok(ended)
    }
}
