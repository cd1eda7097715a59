//! Standard output as the answer: kept until the function has ended, or passed on while it writes.

use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
};

use rustix::pipe::{PipeFlags, pipe_with};

use super::{
    Attempts, Failure, Taker, Watch,
    journal::Journal,
    settings::{FunctionSettings, OnHangUp, StdoutPolicy},
};
use crate::{
    actions::{self, InvalidResult, MAX_RESULT, MediaType, ResultError},
    logs::Level,
    output::{self, Disconnected, FileAccess, Output, OutputFile, SpillBuffer},
    process::{self, Capacity, End, Observer, Outputs, Progress, Stop, Streams},
    workspace::Workspace,
};

/// How standard output becomes the response of one function.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) policy: StdoutPolicy,
    /// The most bytes that it may have.
    limit: Option<u64>,
}

impl Rules {
    /// The configured rules; `None` where standard output belongs to the logs.
    pub(super) fn of(settings: &FunctionSettings) -> Option<Self> {
        let policy = settings.stdout.clone()?;
        Some(Self { policy, limit: settings.confinement.max_output })
    }

    /// The rules of an action: its result is sent only after it has ended well.
    pub(super) fn of_action(settings: &FunctionSettings) -> Self {
        let policy = StdoutPolicy {
            is_live: false,
            is_combined: false,
            media_type: String::new(),
            is_bare: true,
            on_hang_up: OnHangUp::Stop,
        };
        Self { policy, limit: settings.confinement.max_output }
    }
}

/// Why no more of it was taken.
#[derive(Debug)]
pub(super) enum Stopped {
    /// It is more than the limit.
    TooLarge { bytes: u64, limit: u64 },
    /// There is no place to keep it.
    Store(io::Error),
    /// The function's own header fields, which go before it, cannot be sent.
    ResponseHeaders(output::OutputError),
    /// Nobody reads it.
    Disconnected,
}

/// The pipes that a function writes to.
pub(super) struct Pipes {
    stdout: Pipe,
    /// Where standard error goes its own way.
    stderr: Option<Pipe>,
    is_answer: bool,
}

/// Held open on both sides, see [`Outputs`].
struct Pipe {
    read_end: OwnedFd,
    write_end: OwnedFd,
}

impl Pipes {
    pub(super) fn new(rules: Option<&Rules>) -> rustix::io::Result<Self> {
        let pipe = || pipe_with(PipeFlags::CLOEXEC).map(|(read_end, write_end)| Pipe { read_end, write_end });
        let is_apart = rules.is_some_and(|rules| !rules.policy.is_combined);
        let stderr = is_apart.then(pipe).transpose()?;
        Ok(Self { stdout: pipe()?, stderr, is_answer: rules.is_some() })
    }

    /// What the function is given.
    pub(super) fn streams<'p>(&'p self, stdin: BorrowedFd<'p>) -> Streams<'p> {
        let stderr = self.stderr.as_ref().unwrap_or(&self.stdout);
        Streams { stdin, stdout: self.stdout.write_end.as_fd(), stderr: stderr.write_end.as_fd() }
    }

    /// What is read.
    pub(super) fn outputs(&self) -> Outputs<'_> {
        let stdout = Some(&self.stdout.read_end);
        if self.is_answer {
            Outputs { logs: self.stderr.as_ref().map(|pipe| &pipe.read_end), response: stdout }
        } else {
            Outputs { logs: stdout, response: None }
        }
    }
}

/// The standard output of one invocation.
#[derive(Debug)]
pub(super) struct Stdout<'a> {
    rules: &'a Rules,
    kept: SpillBuffer,
    /// Bytes passed on; `None` until there was something to pass on.
    sent: Option<u64>,
    has_ended: bool,
    /// Nobody reads it, and the function runs on: what it writes is thrown away.
    is_abandoned: bool,
    stopped: Option<Stopped>,
}

impl<'a> Stdout<'a> {
    pub(super) fn new(rules: &'a Rules) -> Self {
        Self { rules, kept: SpillBuffer::default(), sent: None, has_ended: false, is_abandoned: false, stopped: None }
    }

    /// Whether what comes is passed on. What has not begun when the function ends is kept: so its end is known before
    /// the beginning of the answer is sent.
    fn is_live(&self) -> bool {
        self.rules.policy.is_live && (self.sent.is_some() || !self.has_ended)
    }

    /// Nobody reads it any more.
    fn abandon(&mut self) -> Result<(), Stopped> {
        self.is_abandoned = self.rules.policy.on_hang_up == OnHangUp::RunOn;
        if self.is_abandoned { Ok(()) } else { Err(Stopped::Disconnected) }
    }

    /// Adds what the function has written.
    fn add(&mut self, bytes: &[u8], taker: Option<&mut dyn Taker>, place: BorrowedFd<'_>) -> Result<(), Stopped> {
        let sum = self.sent.unwrap_or(self.kept.len()) + bytes.len() as u64;
        if let Some(limit) = self.rules.limit.filter(|limit| sum > *limit) {
            return Err(Stopped::TooLarge { bytes: sum, limit });
        }
        let Some(taker) = taker else { return self.kept.write(bytes, place).map_err(Stopped::Store) };
        if !self.is_abandoned
            && let Err(Disconnected) = taker.take(bytes)
        {
            self.abandon()?;
        }
        self.sent = Some(sum);
        Ok(())
    }

    /// Whether the logs of a function that fails are here: the end of what is kept is to be told then.
    pub(super) fn holds_logs(&self) -> bool {
        self.rules.policy.is_combined && self.sent.is_none()
    }

    /// The end of what is kept.
    pub(super) fn tail(&self, limit: usize) -> io::Result<Vec<u8>> {
        self.kept.tail(limit)
    }

    /// Whether no more was taken, though there was more.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.is_some()
    }

    /// Why that makes a failure of the run; `None` if nobody reads the answer.
    pub(super) fn into_failure(self) -> Option<Failure> {
        match self.stopped? {
            Stopped::TooLarge { bytes, limit } => Some(Failure::OutputTooLarge { files: 1, bytes, limit }),
            Stopped::Store(error) => Some(Failure::Workspace(error)),
            Stopped::ResponseHeaders(error) => Some(Failure::Output(error)),
            Stopped::Disconnected => None,
        }
    }

    /// The result of an action that has ended well, as it is sent.
    pub(super) fn into_result(self, output: &actions::Output) -> Result<Output, Failure> {
        if output.is_verbatim() && output.schema.is_some() {
            return Ok(Output::File(self.kept.into_file(MediaType::Bytes.as_str(), true)));
        }
        let wrong = |flaw: InvalidResult| Failure::Result(flaw.to_string());
        let too_long = || wrong(InvalidResult { why: ResultError::TooLong, beginning: String::new() });
        let printed = match &output.schema {
            Some(_) => self.kept.whole(MAX_RESULT).map_err(Failure::Workspace)?.ok_or_else(too_long)?,
            // What is no result may be as long as it likes.
            None => Vec::new(),
        };
        let answer = output.check(&printed.into()).map_err(wrong)?;
        Ok(Output::File(OutputFile::of_bytes(answer.body.into(), answer.media_type.unwrap_or_default())))
    }

    /// The answer, now that the function has ended.
    pub(super) fn into_output(self) -> Output {
        match self.sent {
            Some(bytes) => Output::Streamed(bytes),
            None => Output::File(self.kept.into_file(&self.rules.policy.media_type, self.rules.policy.is_bare)),
        }
    }
}

/// Writes down what the function writes, and shows it to who watches.
pub(super) struct Scribe<'s, 'a> {
    pub(super) journal: &'s mut Journal<'a>,
    pub(super) watch: &'s mut dyn Watch,
    pub(super) stdout: Option<&'s mut Stdout<'a>>,
    pub(super) attempts: Option<&'s mut Attempts>,
    pub(super) workspace: &'s Workspace,
    pub(super) reader: Option<FileAccess>,
}

impl Scribe<'_, '_> {
    /// Whether what is left of the answer is wanted also of a function that has ended so.
    ///
    /// What has begun to be sent goes on to the last words, which say why it failed; not if it was terminated, as its
    /// reader may be the reason. Logs are kept whatever the end.
    pub(super) fn wants_rest(&self, end: End) -> bool {
        self.stdout.as_ref().is_some_and(|stdout| match end {
            End::Itself => stdout.sent.is_some() || stdout.holds_logs(),
            End::TimedOut | End::Cancelled(_) | End::Stopped => stdout.holds_logs(),
        })
    }

    /// Takes what a function that has ended left of its answer in the pipe. Waits while the reader is slow.
    pub(super) fn take_rest(&mut self, pipe: &OwnedFd) -> io::Result<()> {
        if let Some(stdout) = &mut self.stdout {
            stdout.has_ended = true;
        }
        process::drain(pipe, &mut |written| {
            // What stopped it is kept.
            let _ = self.take(written);
        })
    }

    /// Begins the answer with what the function asks for by now.
    fn begin(&mut self) -> Result<(), Stopped> {
        let (directory, name) = self.workspace.headers_location();
        let mut warn = |warning: String| self.journal.note(Level::Warning, &warning);
        let response_headers = output::read_response_headers(directory, name, self.reader, &mut warn);
        let response_headers = response_headers.map_err(Stopped::ResponseHeaders)?;
        if let Some(taker) = self.watch.taker() {
            taker.begin(&response_headers);
        }
        Ok(())
    }

    fn pass_on(&mut self, written: &[u8]) -> Result<(), Stopped> {
        let Some(stdout) = &self.stdout else { return Ok(()) };
        let (is_live, is_first) = (stdout.is_live() && self.watch.taker().is_some(), stdout.sent.is_none());
        if is_live && is_first {
            self.begin()?;
        }
        let taker = if is_live { self.watch.taker() } else { None };
        match &mut self.stdout {
            Some(stdout) => stdout.add(written, taker, self.workspace.directory()),
            None => Ok(()),
        }
    }
}

impl Observer for Scribe<'_, '_> {
    fn observe(&mut self, written: &[u8]) -> Progress {
        self.journal.output(written);
        if let Some(attempts) = &mut self.attempts {
            attempts.note(written);
        }
        self.watch.progress(self.journal.logs())
    }

    fn capacity(&mut self) -> Capacity<'_> {
        let live = self.stdout.as_mut().filter(|stdout| stdout.is_live() && !stdout.is_abandoned);
        let (Some(taker), Some(stdout)) = (self.watch.taker(), live) else { return Capacity::Bytes(usize::MAX) };
        match taker.capacity() {
            Capacity::Closed if stdout.abandon().is_ok() => Capacity::Bytes(usize::MAX),
            room => room,
        }
    }

    fn take(&mut self, written: &[u8]) -> Result<(), Stop> {
        if self.stdout.as_ref().is_some_and(|stdout| stdout.is_stopped()) {
            return Err(Stop);
        }
        let passed_on = self.pass_on(written);
        passed_on.map_err(|stopped| {
            if let Some(stdout) = &mut self.stdout {
                stdout.stopped = Some(stopped);
            }
            Stop
        })
    }
}
