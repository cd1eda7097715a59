//! The configuration → the settings of the invocation layer.
//!
//! Modes and the behaviour of the replaced programs end here: below this, there are only policies.

use super::{Compat, Config, LegacyBehaviour, Limits, Mode, Watchdog, WatchdogKind};
use crate::invocation::{FunctionSettings, Logging, OnHangUp, OwnLines, PORT, StdoutPolicy, Timeouts};

impl Config {
    /// The settings that all functions share.
    #[must_use]
    pub fn function_settings(&self) -> FunctionSettings {
        let mut environment = self.function.environment.clone();
        if self.mode == Mode::Http {
            // There `PORT` is where the function listens, not where bandog does.
            environment.retain(|(name, _)| name != PORT);
        }
        let Limits { max_body, exec_timeout, retries, kill_grace, max_logs, .. } = self.limits;
        FunctionSettings {
            environment,
            confinement: self.confinement.clone(),
            timeouts: Timeouts { exec: exec_timeout, grace: kill_grace },
            stdin: self.bodies.stdin,
            stdout: self.stdout_policy(),
            max_body,
            logging: Logging {
                level: self.telemetry.level,
                max_logs,
                forward: self.telemetry.forward_logs,
                own_lines: self.own_lines(),
            },
            shows_failed_output: self.shows_failed_output(),
            retries,
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
            on_hang_up: on_hang_up(self.replaced.compat),
        })
    }

    /// `combine_output` of classic-watchdog decides whether bandog's own lines are part of the response.
    fn own_lines(&self) -> OwnLines {
        match self.replaced.watchdog {
            Some(Watchdog { combine_output: Some(true), .. }) => OwnLines::CopiedApart,
            Some(Watchdog { combine_output: Some(false), .. }) => OwnLines::LeftOut,
            Some(Watchdog { combine_output: None, .. }) | None => OwnLines::Among,
        }
    }

    /// classic-watchdog answers a failure with the standard output of the function.
    fn shows_failed_output(&self) -> bool {
        let is_classic = matches!(self.replaced.watchdog, Some(Watchdog { kind: WatchdogKind::Classic, .. }));
        is_classic && self.mode == Mode::Stdio
    }
}

/// Whether a function outlives its caller: the replaced program let it.
pub(super) fn on_hang_up(compat: Compat) -> OnHangUp {
    if compat.has(LegacyBehaviour::Detach) { OnHangUp::RunOn } else { OnHangUp::Stop }
}
