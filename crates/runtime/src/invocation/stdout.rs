//! Standard output as the response: kept until the function has ended, or passed on while it writes.

use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
};

use rustix::pipe::{PipeFlags, pipe_with};

use super::{
    observer::OutputReceiver,
    outcome::Failure,
    settings::{FunctionSettings, OnHangUp, StdoutPolicy},
};
use crate::{
    actions::{self, InvalidResult, MAX_RESULT, MediaType, ResultError},
    output::{self, Disconnected, Output, OutputFile, SpillBuffer},
    process::{End, Outputs, Streams},
};

/// How standard output becomes the response of one function.
#[derive(Debug)]
pub(super) struct StdoutRules {
    pub(super) policy: StdoutPolicy,
    /// The largest size of the response, in bytes.
    limit: Option<u64>,
}

impl StdoutRules {
    /// The configured rules; `None` where standard output belongs to the logs.
    pub(super) fn of(settings: &FunctionSettings) -> Option<Self> {
        let policy = settings.stdout.clone()?;
        Some(Self { policy, limit: settings.confinement.max_output })
    }

    /// The rules of an action: its result is sent only after it has succeeded.
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

/// The reason why no more output was taken.
#[derive(Debug)]
pub(super) enum StopReason {
    /// The output is larger than the limit.
    TooLarge { bytes: u64, limit: u64 },
    /// The output could not be stored.
    Store(io::Error),
    /// The function's own header fields, which precede the output, cannot be sent.
    ResponseHeaders(output::OutputError),
    /// The client is gone.
    Disconnected,
}

/// The pipes that a function writes to.
pub(super) struct Pipes {
    stdout: Pipe,
    /// `None` if standard error goes to the same pipe as standard output.
    stderr: Option<Pipe>,
    is_answer: bool,
}

/// A pipe whose ends are both held open, see [`Outputs`].
struct Pipe {
    read_end: OwnedFd,
    write_end: OwnedFd,
}

impl Pipes {
    pub(super) fn new(rules: Option<&StdoutRules>) -> rustix::io::Result<Self> {
        let pipe = || pipe_with(PipeFlags::CLOEXEC).map(|(read_end, write_end)| Pipe { read_end, write_end });
        let is_apart = rules.is_some_and(|rules| !rules.policy.is_combined);
        let stderr = is_apart.then(pipe).transpose()?;
        Ok(Self { stdout: pipe()?, stderr, is_answer: rules.is_some() })
    }

    /// The standard streams of the function.
    pub(super) fn streams<'p>(&'p self, stdin: BorrowedFd<'p>) -> Streams<'p> {
        let stderr = self.stderr.as_ref().unwrap_or(&self.stdout);
        Streams { stdin, stdout: self.stdout.write_end.as_fd(), stderr: stderr.write_end.as_fd() }
    }

    /// The pipes that bandog reads.
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
    rules: &'a StdoutRules,
    kept: SpillBuffer,
    /// Bytes passed on; `None` before the first of them.
    sent: Option<u64>,
    has_ended: bool,
    /// The client is gone and the function runs on: its output is discarded.
    is_abandoned: bool,
    stopped: Option<StopReason>,
}

impl<'a> Stdout<'a> {
    pub(super) fn new(rules: &'a StdoutRules) -> Self {
        Self { rules, kept: SpillBuffer::default(), sent: None, has_ended: false, is_abandoned: false, stopped: None }
    }

    /// Whether output is passed on when it arrives. If the function ends before its first output was read, all of it is
    /// kept, so that the exit code is known before the response begins.
    pub(super) fn is_live(&self) -> bool {
        self.rules.policy.is_live && (self.sent.is_some() || !self.has_ended)
    }

    /// Whether output is passed on, and a client reads it.
    pub(super) fn has_reader(&self) -> bool {
        self.is_live() && !self.is_abandoned
    }

    /// Whether some output has been passed on.
    pub(super) fn has_begun(&self) -> bool {
        self.sent.is_some()
    }

    /// Notes that the function has ended.
    pub(super) fn end(&mut self) {
        self.has_ended = true;
    }

    /// Notes that the client is gone. Returns an error if that stops the function.
    pub(super) fn abandon(&mut self) -> Result<(), StopReason> {
        self.is_abandoned = self.rules.policy.on_hang_up == OnHangUp::RunOn;
        if self.is_abandoned { Ok(()) } else { Err(StopReason::Disconnected) }
    }

    /// Adds output of the function.
    pub(super) fn add(
        &mut self,
        bytes: &[u8],
        receiver: Option<&mut dyn OutputReceiver>,
        place: BorrowedFd<'_>,
    ) -> Result<(), StopReason> {
        let sum = self.sent.unwrap_or(self.kept.len()) + bytes.len() as u64;
        if let Some(limit) = self.rules.limit.filter(|limit| sum > *limit) {
            return Err(StopReason::TooLarge { bytes: sum, limit });
        }
        let Some(receiver) = receiver else { return self.kept.write(bytes, place).map_err(StopReason::Store) };
        if !self.is_abandoned
            && let Err(Disconnected) = receiver.take(bytes)
        {
            self.abandon()?;
        }
        self.sent = Some(sum);
        Ok(())
    }

    /// Takes no more output.
    pub(super) fn stop(&mut self, reason: StopReason) {
        self.stopped = Some(reason);
    }

    /// Whether this holds the logs of a function that fails. If so, the response to the failure contains their end.
    pub(super) fn holds_logs(&self) -> bool {
        self.rules.policy.is_combined && self.sent.is_none()
    }

    /// Whether the rest of the output in the pipe is read after the function has ended in this way.
    ///
    /// If a part has been sent, the rest is sent as well, because the last lines explain a failure. It is not if the
    /// function was terminated, because the client may be the reason. Logs are always read to their end.
    pub(super) fn wants_rest(&self, end: End) -> bool {
        match end {
            End::Itself => self.sent.is_some() || self.holds_logs(),
            End::TimedOut | End::Cancelled(_) | End::Stopped => self.holds_logs(),
        }
    }

    /// Returns the end of the kept output, at most `limit` bytes.
    pub(super) fn tail(&self, limit: usize) -> io::Result<Vec<u8>> {
        self.kept.tail(limit)
    }

    /// Whether output was refused.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.is_some()
    }

    /// Returns the failure that stopped the output; `None` if the client was gone.
    pub(super) fn into_failure(self) -> Option<Failure> {
        match self.stopped? {
            StopReason::TooLarge { bytes, limit } => Some(Failure::OutputTooLarge { files: 1, bytes, limit }),
            StopReason::Store(error) => Some(Failure::Workspace(error)),
            StopReason::ResponseHeaders(error) => Some(Failure::Output(error)),
            StopReason::Disconnected => None,
        }
    }

    /// Returns the checked result of an action that has succeeded, in the form in which it is sent.
    pub(super) fn into_result(self, output: &actions::Output) -> Result<Output, Failure> {
        if output.is_verbatim() && output.schema.is_some() {
            return Ok(Output::File(self.kept.into_file(MediaType::Bytes.as_str(), true)));
        }
        let wrong = |flaw: InvalidResult| Failure::InvalidResult(flaw.to_string());
        let too_long = || wrong(InvalidResult { why: ResultError::TooLong, beginning: String::new() });
        let printed = match &output.schema {
            Some(_) => self.kept.whole(MAX_RESULT).map_err(Failure::Workspace)?.ok_or_else(too_long)?,
            // An action without a result may print any amount of text.
            None => Vec::new(),
        };
        let answer = output.check(&printed.into()).map_err(wrong)?;
        Ok(Output::File(OutputFile::of_bytes(answer.body.into(), answer.media_type.unwrap_or_default())))
    }

    /// Returns the response of a function that has ended.
    pub(super) fn into_output(self) -> Output {
        match self.sent {
            Some(bytes) => Output::Streamed(bytes),
            None => Output::File(self.kept.into_file(&self.rules.policy.media_type, self.rules.policy.is_bare)),
        }
    }
}
