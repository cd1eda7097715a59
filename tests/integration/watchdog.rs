//! Under the name `fwatchdog`: what OpenFaaS' watchdogs and the platforms around them were promised, and each way of
//! theirs that can be had back.

mod command_line;
mod life;
mod modes;
mod oscar;
mod stdio;

use crate::harness::{Builder, OSCAR_POD, encode};

/// A watchdog for OSCAR: a script, and the variables of its pods.
fn oscar(script: &str) -> Builder {
    let script = encode(script);
    let pod = OSCAR_POD.into_iter().chain([("K_SERVICE", "ocr"), ("SCRIPT", &*script)]);
    pod.fold(Builder::new().fwatchdog().env("BANDOG_LOG_LEVEL", "CRITICAL"), |builder, (name, value)| {
        builder.env(name, value)
    })
}
