//! Exit codes, and the messages that go with them.

use std::{fmt::Display, fs::OpenOptions, io::Write as _, process::ExitCode};

/// Exit code of a command that failed: the server of the function refused it, or the network failed.
pub const FAILURE: u8 = 1;

/// Exit code for input that cannot be decoded (`EX_DATAERR` of sysexits.h).
pub const BAD_INPUT: u8 = 65;

/// Exit code for a failure of bandog or of the machine (`EX_SOFTWARE`).
pub const INTERNAL: u8 = 70;

/// Exit code for a wrong flag or setting (`EX_CONFIG`).
pub const BAD_CONFIGURATION: u8 = 78;

/// The file in which Kubernetes looks for the reason why a container ended.
const TERMINATION_LOG: &str = "/dev/termination-log";

/// Reports why bandog does not start, line by line, on standard error and in the termination log.
pub(crate) fn complain(code: u8, reasons: &dyn Display) -> ExitCode {
    let reasons = reasons.to_string();
    write_termination_log(&reasons);
    fail(code, &reasons)
}

/// Reports a failure after the start, line by line, on standard error.
pub(super) fn fail(code: u8, reasons: &dyn Display) -> ExitCode {
    for line in reasons.to_string().lines() {
        eprintln!("bandog: {line}");
    }
    code.into()
}

/// Writes to the termination log, but only if Kubernetes has made the file: on other machines it is not wanted.
pub(super) fn write_termination_log(text: &str) {
    if let Ok(mut file) = OpenOptions::new().append(true).open(TERMINATION_LOG) {
        let _ = writeln!(file, "{}", text.trim_end());
    }
}
