//! `bandog run` for a person: its standard output is a terminal. The function's output appears while it is written, a
//! result that is text follows, and a failure and the summary are sentences.

use std::{
    fs,
    io::{self, IsTerminal as _},
    path::Path,
    process::ExitCode,
    time::Duration,
};

use hyper::header::{ACCEPT, HeaderMap};

use super::{
    result,
    screen::{Screen, is_text},
};
use crate::{
    cli::{INTERNAL, destination::counted, say},
    config::Config,
    invocation::{
        Capacity, Cause, Finished, InvocationObserver, Outcome, OutputReceiver, Progress, RecordEnd, Report,
        SettledRecord,
    },
    logs::Logs,
    output::{Disconnected, Output, OutputFile, ResponseHeaders},
    reply::{self, Accept, CallFacts, ErrorCode, Problem, TransferError, problem},
    service::AdmittedInvocation,
    telemetry,
};

/// Bytes of logs that are read for one piece.
const READ: usize = 16 * 1024;

/// Bytes of a result by which it is told whether it is text.
const BEGINNING: usize = 8 * 1024;

/// The last lines of a log that a failure repeats, and their bytes.
const LAST_LINES: usize = 10;
const LAST_BYTES: usize = 4 * 1024;

/// Files of a result that are listed.
const LISTED: usize = 20;

/// Whether the result is for a person. Whoever asks for a form of the response gets that form.
pub(super) fn is_wanted(config: &Config, headers: &HeaderMap) -> bool {
    config.replaced.supervisor.is_none() && !headers.contains_key(ACCEPT) && io::stdout().is_terminal()
}

/// Runs the function, and shows what it writes and how it ends. Returns the exit code, too.
pub(super) fn run(call: AdmittedInvocation<'_>, screen: Screen, output: Option<&Path>) -> (Finished, ExitCode) {
    let facts = call.facts();
    let mut view = View::new(screen);
    let finished = call.run(&mut view);
    let outcome = &finished.outcome;
    if let Some(report) = outcome.report() {
        view.end(report);
    }
    let mut code = reply::exit_code(outcome);
    if let Outcome::Done { output: found, .. } = outcome {
        let shown = match output {
            Some(path) => result::write(outcome, &facts, path),
            None => view.show(outcome, found, &facts).map_err(result::Error::Transfer),
        };
        if let Err(error) = shown {
            code = if view.screen.is_gone() { reply::READER_GONE } else { INTERNAL };
            say(&error);
        }
        if !outcome.is_success() {
            say(&failure(outcome, &facts, code));
        }
    } else if let Outcome::Settled(event) = outcome {
        for record in &event.records {
            say(&settled(record, &facts));
        }
    } else if !matches!(outcome, Outcome::Cancelled { cause: Cause::ClientGone, .. }) {
        say(&failure(outcome, &facts, code));
    }
    if outcome.report().is_some() {
        say(&summary(outcome, code));
    }
    (finished, code.into())
}

/// Says that bandog waits for the person, if it does.
pub(super) fn announce_input() {
    if io::stdin().is_terminal() {
        say(
            &"reading the input from the terminal, as JSON or base64; Ctrl-D ends it (-i TEXT and -f FILE give it otherwise)",
        );
    }
}

/// The terminal, and how far it has come.
struct View {
    screen: Screen,
    /// Bytes of the logs that have been read.
    cursor: u64,
    buffer: Vec<u8>,
    /// Whether the streamed output is text; `None` before its first byte.
    streams_text: Option<bool>,
}

impl View {
    fn new(screen: Screen) -> Self {
        Self { screen, cursor: 0, buffer: vec![0; READ], streams_text: None }
    }

    /// Takes the next bytes of the logs. Returns whether there were any.
    fn read(&mut self, logs: &Logs) -> bool {
        if self.cursor >= logs.len() {
            return false;
        }
        let read = logs.read_at(self.cursor, &mut self.buffer).unwrap_or_default();
        self.cursor += read as u64;
        self.screen.push(&self.buffer[..read]);
        read > 0
    }

    /// Shows the rest of the logs, then bandog's own warnings.
    fn end(&mut self, report: &Report) {
        while !self.screen.is_gone() && self.read(&report.logs) {
            self.screen.flush();
        }
        self.screen.end_line();
        let own = String::from_utf8_lossy(report.logs.own_lines().unwrap_or_default());
        for warning in own.lines().filter_map(|line| line.split_once(" - WARNING - ")) {
            say(&format_args!("warning: {}", warning.1));
        }
    }

    /// Shows the output of a function that was successful, or says how it is had.
    fn show(&mut self, outcome: &Outcome, output: &Output, facts: &CallFacts<'_>) -> Result<(), TransferError> {
        match output {
            // They have been shown.
            Output::None => {}
            Output::Streamed(bytes) => {
                if self.streams_text == Some(false) {
                    say(&format_args!("{}, which are no text; write them with -o FILE", counted(*bytes, "byte")));
                }
            }
            Output::File(file) if is_text(&file.beginning(BEGINNING)) => {
                let raw = Accept::parse(Some(b"application/octet-stream"));
                reply::answer(outcome, facts, &raw).write_to(&mut self.screen)?;
                self.screen.end_line();
            }
            Output::File(file) => say(&binary(file)),
            Output::Tree(tree) => {
                let (files, bytes) = (counted(tree.len() as u64, "file"), counted(tree.bytes(), "byte"));
                say(&format_args!("{files}, {bytes}; write them with -o DIRECTORY, or -o FILE.zip:"));
                for entry in tree.iter().take(LISTED) {
                    let path = printable(&entry.path().to_string_lossy());
                    say(&format_args!("  {path} ({})", counted(entry.size(), "byte")));
                }
                if tree.len() > LISTED {
                    say(&format_args!("  and {} more", tree.len() - LISTED));
                }
            }
        }
        Ok(())
    }
}

impl InvocationObserver for View {
    fn progress(&mut self, logs: &Logs) -> Progress {
        loop {
            if !self.screen.write_on() {
                return Progress::Behind;
            }
            if self.screen.is_gone() || !self.read(logs) {
                return Progress::UpToDate;
            }
        }
    }

    fn receiver(&mut self) -> Option<&mut dyn OutputReceiver> {
        Some(self)
    }
}

impl OutputReceiver for View {
    fn capacity(&mut self) -> Capacity<'_> {
        let has_room = self.screen.write_on();
        if self.screen.is_gone() {
            Capacity::Closed
        } else if has_room {
            Capacity::Bytes(READ)
        } else {
            Capacity::Full { outlet: Some(self.screen.fd()), deadline: None }
        }
    }

    fn begin(&mut self, _: &ResponseHeaders) {}

    fn take(&mut self, written: &[u8]) -> Result<(), Disconnected> {
        if *self.streams_text.get_or_insert_with(|| is_text(written)) {
            self.screen.push(written);
            self.screen.write_on();
        }
        if self.screen.is_gone() { Err(Disconnected) } else { Ok(()) }
    }
}

/// What is said in place of bytes that are no text.
fn binary(file: &OutputFile) -> String {
    let kind = Some(file.media_type()).filter(|kind| !kind.is_empty()).unwrap_or("application/octet-stream");
    format!("{} of {kind}; write them with -o FILE", counted(file.size(), "byte"))
}

/// A failure in sentences: what it is, why, the end of the log, and the next step.
pub(super) fn failure(outcome: &Outcome, facts: &CallFacts<'_>, code: u8) -> String {
    let known = ErrorCode::of_outcome(outcome).unwrap_or(ErrorCode::Internal);
    let last = outcome.report().map(|report| match &report.attempts {
        Some(attempts) => String::from_utf8_lossy(&attempts.traceback).into_owned(),
        None => report.logs.tail(LAST_BYTES).unwrap_or_default(),
    });
    let status = outcome.report().and_then(|report| report.attempts.as_ref()?.status);
    let heading = if status.is_some() { "its server responded" } else { "its log ends with" };
    let (title, detail) = (known.title(), problem::explain(outcome, facts, false));
    let (log, next) = (last_lines(&last.unwrap_or_default(), heading), advice(known));
    format!("{title}: {detail}\nexit code {code}{log}\nnext: {next}")
}

/// A problem without an outcome, in sentences.
pub(super) fn problem(problem: &Problem, code: u8) -> String {
    let next = advice(problem.code);
    format!("{}: {}\nexit code {code}\nnext: {next}", problem.code.title(), problem.detail)
}

/// The end of a log, indented.
fn last_lines(log: &str, heading: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
    let heading = if last.is_empty() { String::new() } else { format!("\n{heading}:") };
    last.iter().fold(heading, |text, line| text + "\n  " + &printable(line))
}

/// The line without the characters that control a terminal.
fn printable(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    telemetry::escape_controls(line, &mut text);
    text
}

/// The next step after a failure.
fn advice(code: ErrorCode) -> String {
    let known = match code {
        ErrorCode::FunctionFailed | ErrorCode::FunctionKilled => {
            "look at the lines above; --log-level DEBUG shows each step that bandog takes"
        }
        ErrorCode::OutOfMemory => "raise --max-memory, or the memory of the machine or the container",
        ErrorCode::CpuTimeExceeded => "raise --max-cpu-time",
        ErrorCode::FileTooLarge | ErrorCode::OutputTooLarge => "raise --max-output, or write less",
        ErrorCode::FunctionTimeout => "raise --exec-timeout",
        ErrorCode::BodyTooLarge => "raise --max-body",
        ErrorCode::InvalidArguments => "see the arguments with: bandog actions",
        ErrorCode::BadInput => {
            "standard input is a request's body, in JSON or base64; -f FILE and -i TEXT take an input as it is"
        }
        ErrorCode::FunctionNotStarted => "see what is started with: bandog check",
        ErrorCode::ShuttingDown => "run it again",
        ErrorCode::WorkspaceUnavailable => "give another directory with --workspace",
        ErrorCode::NotReady | ErrorCode::UpstreamFailed => {
            "see what its server says with --log-level DEBUG, and give it more time with --queue-timeout"
        }
        _ => return format!("see {} in docs/errors.md", code.as_str()),
    };
    known.to_owned()
}

/// One line about a record of an event.
fn settled(record: &SettledRecord, facts: &CallFacts<'_>) -> String {
    let end = match &record.end {
        RecordEnd::Ignored(reason) => format!("ignored: {reason}"),
        RecordEnd::Duplicate => "ignored: the function has run for this event before".to_owned(),
        RecordEnd::Ran(outcome) if outcome.is_success() => "done".to_owned(),
        RecordEnd::Ran(outcome) => problem::explain(outcome, facts, false),
    };
    format!("{}: {end}", printable(&record.object))
}

/// One line with what the run has taken, and made.
fn summary(outcome: &Outcome, code: u8) -> String {
    let mut parts = vec![format!("exit code {code}")];
    if let Some(report) = outcome.report() {
        parts.push(seconds(report.duration));
        if let Some(usage) = report.usage {
            parts.push(format!("CPU {}", seconds(usage.cpu_time)));
            parts.push(memory(usage.peak_memory, own_peak()));
        }
    }
    if let Outcome::Done { report, output, .. } = outcome {
        parts.push(counted(output.files() as u64, "file"));
        parts.push(match output {
            Output::None => format!("{} of logs", counted(report.logs.len(), "byte")),
            Output::File(_) | Output::Tree(_) | Output::Streamed(_) => counted(output.bytes(), "byte"),
        });
    }
    parts.join(", ")
}

pub(super) fn seconds(duration: Duration) -> String {
    format!("{:.3} s", duration.as_secs_f64())
}

/// The kernel counts the memory of bandog itself to that of a process that it starts, so that a smaller value is not
/// known.
fn memory(peak: u64, own: u64) -> String {
    const MIB: f64 = 1024.0 * 1024.0;
    #[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
    let mib = |bytes: u64| bytes as f64 / MIB;
    let bound = if peak <= own { "at most " } else { "" };
    format!("peak memory {bound}{:.1} MiB", mib(peak))
}

/// The largest resident set of bandog itself, in bytes; 0 if it is not known.
fn own_peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|number| number.parse::<u64>().ok()).unwrap_or_default() * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_log_is_short_and_printable() {
        let log = (0..100).map(|number| format!("line {number}\n")).collect::<Vec<_>>().concat();
        let text = last_lines(&log, "its log ends with");
        assert!(text.starts_with("\nits log ends with:\n  line 90\n") && text.ends_with("\n  line 99"), "{text}");
        assert_eq!(last_lines("", "x"), "");
        assert!(!last_lines("a\u{1b}[2Jb", "x").contains('\u{1b}'));
    }

    #[test]
    fn a_peak_below_bandogs_own_is_a_bound() {
        assert_eq!(memory(64 << 20, 8 << 20), "peak memory 64.0 MiB");
        assert_eq!(memory(8 << 20, 8 << 20), "peak memory at most 8.0 MiB");
        assert!(own_peak() > 0);
    }

    #[test]
    fn every_problem_has_a_next_step() {
        for code in ErrorCode::ALL {
            assert!(!advice(code).is_empty());
        }
    }
}
