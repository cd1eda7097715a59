//! Under the name `fwatchdog`: what OpenFaaS' watchdogs and the platforms around them were promised, and each way of
//! theirs that can be had back.

mod command_line;
mod life;
mod modes;
mod oscar;
mod stdio;

use crate::harness::{Builder, encode};

/// A watchdog for OSCAR: a script, and the variables of its pods.
fn oscar(script: &str) -> Builder {
    let pod = [
        ("fprocess", "/oscar/bin/supervisor"),
        ("max_inflight", "1"),
        ("write_debug", "true"),
        ("exec_timeout", "0"),
        ("read_timeout", "300"),
        ("write_timeout", "300"),
        ("PORT", "8080"),
        ("K_SERVICE", "ocr"),
        ("SCRIPT", &encode(script)),
    ];
    pod.into_iter().fold(Builder::new().fwatchdog().env("BANDOG_LOG_LEVEL", "CRITICAL"), |builder, (name, value)| {
        builder.env(name, value)
    })
}
