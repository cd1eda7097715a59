//! The configuration → the settings of the invocation layer.
//!
//! Modes and the behaviour of the replaced programs end here: below this, there are only policies.

use super::{Compat, Config, Habit, Mode, Original};
use crate::invocation::{FunctionSettings, Logging, OnHangUp, OwnLines, PORT, StdoutPolicy, Timeouts};

impl Config {
    /// The settings that all functions share.
    #[must_use]
    pub fn function_settings(&self) -> FunctionSettings {
        let mut environment = self.environment.clone();
        if self.mode == Mode::Http {
            // There `PORT` is where the function listens, not where bandog does.
            environment.retain(|(name, _)| name != PORT);
        }
        FunctionSettings {
            environment,
            confinement: self.confinement.clone(),
            timeouts: Timeouts { exec: self.exec_timeout, grace: self.kill_grace },
            stdin: self.stdin,
            stdout: self.stdout_policy(),
            max_body: self.max_body,
            logging: Logging {
                level: self.log_level,
                max_logs: self.max_logs,
                forward: self.forward_logs,
                own_lines: self.own_lines(),
            },
            shows_failed_output: self.shows_failed_output(),
            retries: self.retries,
            input_filter: self.input_filter(),
        }
    }

    /// `None` in the modes in which standard output belongs to the logs.
    fn stdout_policy(&self) -> Option<StdoutPolicy> {
        let is_live = match self.mode {
            Mode::Files | Mode::Http | Mode::Static => return None,
            Mode::Stdio => false,
            Mode::Streaming => true,
        };
        Some(StdoutPolicy {
            is_live,
            is_combined: self.bodies.combine_output,
            media_type: self.bodies.answer_type.clone(),
            is_bare: !self.encodes(),
            on_hang_up: on_hang_up(self.compat),
        })
    }

    /// classic-watchdog's `combine_output` decides whether bandog's own lines are part of the response.
    fn own_lines(&self) -> OwnLines {
        match self.watchdog.as_ref().and_then(|watchdog| watchdog.combine_output) {
            None => OwnLines::Among,
            Some(true) => OwnLines::CopiedApart,
            Some(false) => OwnLines::LeftOut,
        }
    }

    /// classic-watchdog answers a failure with the standard output of the function.
    fn shows_failed_output(&self) -> bool {
        let is_classic = self.watchdog.as_ref().is_some_and(|watchdog| watchdog.original == Original::Classic);
        is_classic && self.mode == Mode::Stdio
    }
}

/// What happens to a function when its caller hangs up.
pub(super) fn on_hang_up(compat: Compat) -> OnHangUp {
    if compat.has(Habit::Detach) { OnHangUp::RunOn } else { OnHangUp::Stop }
}
