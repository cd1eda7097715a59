//! Exit codes, and what a command writes: its messages and its result.

use std::{
    fmt::Display,
    fs::OpenOptions,
    io::{self, Write as _},
    os::fd::AsFd as _,
    process::ExitCode,
};

use crate::process;

/// Exit code of a command that failed: the server of the function refused it, or the network failed.
pub const FAILURE: u8 = 1;

/// Exit code for input that cannot be decoded (`EX_DATAERR` of sysexits.h).
pub const BAD_INPUT: u8 = 65;

/// Exit code for a failure of bandog or of the machine (`EX_SOFTWARE`).
pub const INTERNAL: u8 = 70;

/// Exit code for a file that cannot be made (`EX_CANTCREAT`).
#[cfg(feature = "init")]
pub(super) const CANNOT_CREATE: u8 = 73;

/// Exit code for a result that cannot be written to standard output (`EX_IOERR`).
pub const NOT_WRITTEN: u8 = 74;

/// Exit code for a wrong flag or setting (`EX_CONFIG`).
pub const BAD_CONFIGURATION: u8 = 78;

/// Exit code of a command that a signal has ended: 128 + 15, as if SIGTERM had killed it.
pub const STOPPED: u8 = 143;

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
    say(reasons);
    code.into()
}

/// Writes a message to standard error. It is dropped if that cannot be written: a message is worth neither the result nor
/// the exit code.
pub(super) fn say(message: &dyn Display) {
    let message = message.to_string();
    let lines: Vec<String> = message.lines().map(|line| format!("bandog: {line}\n")).collect();
    write_to_stderr(&lines.concat());
}

/// Writes a line to standard error as it is. It is dropped if that cannot be written.
pub(super) fn say_plainly(line: &dyn Display) {
    write_to_stderr(&format!("{line}\n"));
}

/// Writes all at once: `write!` would write each part by itself, and the thread of the log writes between them.
fn write_to_stderr(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Writes the result of a command to standard output. Returns `code`, or reports that the result is lost. A reader that
/// has closed its end has read enough.
pub(super) fn print(result: &[u8], code: u8) -> ExitCode {
    match write_to_stdout(result).and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => fail(NOT_WRITTEN, &cannot_write(&error)),
        _ => code.into(),
    }
}

/// Writes to standard output. Unlike the standard library it does not take a stream that was closed for one that takes
/// everything.
pub(super) fn write_to_stdout(bytes: &[u8]) -> io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    check_stdout()?;
    io::stdout().lock().write_all(bytes)
}

/// Fails if standard output was closed when bandog was started.
pub(super) fn check_stdout() -> io::Result<()> {
    if process::was_closed(io::stdout().as_fd()) { Err(rustix::io::Errno::BADF.into()) } else { Ok(()) }
}

/// The message for the user.
pub(super) fn cannot_write(error: &io::Error) -> String {
    format!("cannot write to the standard output: {error}")
}

/// Writes to the termination log, but only if Kubernetes has made the file: on other machines it is not wanted.
pub(super) fn write_termination_log(text: &str) {
    if let Ok(mut file) = OpenOptions::new().append(true).open(TERMINATION_LOG) {
        let _ = writeln!(file, "{}", text.trim_end());
    }
}
