//! The configuration → the settings of the invocation layer.
//!
//! Modes and the behaviour of the replaced programs end here: below this, there are only policies.

#[cfg(feature = "storage")]
use std::sync::Arc;

use super::{Config, Limits, Mode};
#[cfg(feature = "storage")]
use crate::storage::Storage;
use crate::{
    invocation::{FunctionSettings, Logging, OwnLines, PORT, StdoutPolicy, Timeouts},
    platform::{openfaas::WatchdogSettings, oscar},
};

impl Config {
    /// The settings that all functions share.
    #[must_use]
    pub fn function_settings(&self) -> FunctionSettings {
        let mut environment = self.function.environment.clone();
        if self.mode == Mode::Http {
            // There `PORT` is where the function listens, not where bandog does.
            environment.retain(|(name, _)| name != PORT);
        }
        let watchdog = self.replaced.watchdog.as_ref();
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
                own_lines: watchdog.map_or(OwnLines::Among, WatchdogSettings::own_lines),
                logger: oscar::LOGGER,
            },
            shows_failed_output: watchdog.is_some_and(|watchdog| watchdog.shows_failed_output(self.response_source())),
            retries,
            input_filter: self.input_filter(),
            #[cfg(not(feature = "storage"))]
            storage: None,
            #[cfg(feature = "storage")]
            storage: self.function.storage.clone().map(|store| store as Arc<dyn Storage>),
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
            on_hang_up: self.replaced.compat.on_hang_up(),
        })
    }
}
