//! The exit code of `bandog run`.

use super::error_code::{ErrorCode, RunExit};
use crate::{
    invocation::{Failure, Outcome, UpstreamError},
    process::Exit,
};

/// The exit code of a process that never ran: `EX_SOFTWARE` of sysexits.h.
const NOT_RUN: u8 = 70;

/// Returns the exit code of `bandog run`: that of the process where the outcome is its own, else the one in the table
/// of [`ErrorCode`].
#[must_use]
pub fn exit_code(outcome: &Outcome) -> u8 {
    let Some(code) = ErrorCode::of_outcome(outcome) else { return 0 };
    match code.run_exit() {
        RunExit::Fixed(code) => match outcome {
            // A server that ends well and serves nothing is a failure all the same.
            Outcome::Failed { failure: Failure::Upstream(UpstreamError::EndedEarly { exit, .. }), .. }
                if *exit != Exit::Code(0) =>
            {
                of_exit(*exit)
            }
            _ => code,
        },
        RunExit::Process => outcome.report().and_then(|report| report.exit).map_or(NOT_RUN, of_exit),
    }
}

/// The exit code of a shell for a process that ended like this.
fn of_exit(exit: Exit) -> u8 {
    match exit {
        // wait(2) reports eight bits.
        Exit::Code(code) => u8::try_from(code & 0xFF).unwrap_or(u8::MAX),
        Exit::Signal(signal) => u8::try_from(128 + (signal & 0x7F)).unwrap_or(u8::MAX),
    }
}
