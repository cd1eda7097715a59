//! The place of the result: standard output, a terminal, or `--output`; and the reports of a call that came to none.

use std::{io, path::PathBuf, process::ExitCode, sync::Arc};

use super::{screen::Screen, stdout::Stdout, terminal};
use crate::{
    cli::{INTERNAL, STOPPED, fail},
    output::BodySink as _,
    process::WakeFd,
    reply::{ErrorCode, Problem},
};

/// The exit code of what may be tried again.
const AGAIN: u8 = 2;

/// The place of the result.
pub(super) struct ResultPlace {
    /// `--output`.
    pub(super) output: Option<PathBuf>,
    pub(super) stdout: Stdout,
    /// Whether the result is for a person: standard output is a terminal.
    pub(super) is_for_person: bool,
    /// That terminal, until the result is written.
    pub(super) screen: Option<Screen>,
}

impl ResultPlace {
    /// `stop_signal` becomes readable when a signal arrives.
    ///
    /// # Errors
    /// The message for the user, if there is no descriptor left.
    pub(super) fn new(output: Option<PathBuf>, is_for_person: bool, stop_signal: &Arc<WakeFd>) -> Result<Self, String> {
        let stdout = Stdout::new(stop_signal)?;
        let screen = is_for_person.then(|| Screen::new(stop_signal)).transpose();
        Ok(Self { output, stdout, is_for_person, screen: screen.map_err(|error: io::Error| error.to_string())? })
    }

    /// Without --output a failure is on the standard output as HTTP would send it, in the place of the result.
    pub(super) fn show(&mut self, problem: &Problem) {
        if self.output.is_none() {
            // The standard error says why there is no result, too.
            let _ = self.stdout.send(problem.to_json());
        }
    }

    /// Reports a call that was not taken.
    pub(super) fn refuse(&mut self, problem: Problem, id: &str, is_stopped: bool) -> ExitCode {
        let may_help = matches!(problem.code, ErrorCode::NotReady | ErrorCode::UpstreamFailed);
        let problem = problem.call_id(id);
        let is_stopped = is_stopped || problem.code == ErrorCode::Draining;
        let code = match (is_stopped, may_help) {
            (true, _) => STOPPED,
            (false, true) => AGAIN,
            (false, false) => INTERNAL,
        };
        if self.is_for_person {
            return fail(code, &terminal::problem(&problem, code));
        }
        self.show(&problem);
        fail(code, &problem.detail)
    }
}
