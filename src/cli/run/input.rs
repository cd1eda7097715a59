//! The input of `bandog run`: a file, the standard input, or a text.

use std::{
    fs::File,
    io::{self, IsTerminal as _, Read as _},
    os::{fd::AsFd as _, unix::ffi::OsStrExt as _},
    sync::Arc,
};

use bytes::Bytes;
use rustix::event::{PollFd, PollFlags, poll};

#[cfg(feature = "storage")]
use super::object;
use super::{Event, RunArgs, input_fault::InputFault};
use crate::{
    cli::BAD_INPUT,
    config::Config,
    input::{BodyError, BodySource},
    platform::oscar::{EventSource, JobEvent},
    process::{Cancel, WakeFd},
};

/// Bytes read of the input at once.
const PIECE: usize = 64 * 1024;

/// The input that `io` names. `stop_signal` becomes readable when a signal arrives.
///
/// # Errors
/// The message for the user.
pub(super) fn open(
    config: &Config,
    io: &RunArgs,
    stop_signal: &Arc<WakeFd>,
    cancel: &Cancel,
) -> Result<Box<dyn BodySource + Send>, InputFault> {
    let bad = |text| InputFault { code: BAD_INPUT, text };
    let input = match fetched(config, &io.event, cancel)? {
        Some(file) => Input::File(Waited { file, stop_signal: Arc::clone(stop_signal) }),
        None => of_event(&io.event, stop_signal).map_err(bad)?,
    };
    Ok(Box::new(of_job(config, io, input).map_err(bad)?))
}

/// The object that the event names, if it names one.
#[cfg(feature = "storage")]
fn fetched(config: &Config, event: &Event, cancel: &Cancel) -> Result<Option<File>, InputFault> {
    let Event::File(path) = event else { return Ok(None) };
    object::address(path).map(|address| object::fetch(config, &address, cancel)).transpose()
}

#[cfg(not(feature = "storage"))]
#[expect(clippy::unnecessary_wraps, reason = "the signature with storage")]
fn fetched(_: &Config, _: &Event, _: &Cancel) -> Result<Option<File>, InputFault> {
    Ok(None)
}

/// Where the input is read from.
enum Input {
    Text(Option<Bytes>),
    /// The first bytes have been read.
    Begun(Option<Bytes>, Box<Input>),
    File(Waited),
}

/// A file that may be a pipe or a terminal; a signal ends the wait for it.
struct Waited {
    file: File,
    stop_signal: Arc<WakeFd>,
}

fn of_event(event: &Event, stop_signal: &Arc<WakeFd>) -> Result<Input, String> {
    let file = match event {
        Event::Text(text) => return Ok(Input::Text(Some(Bytes::from(text.clone())))),
        Event::Nowhere => return Ok(Input::Text(None)),
        Event::Stdin => io::stdin().as_fd().try_clone_to_owned().map(File::from),
        Event::File(path) => File::open(path),
    };
    let is_file = |file: File| {
        if file.metadata()?.is_dir() { Err(io::ErrorKind::IsADirectory.into()) } else { Ok(file) }
    };
    match file.and_then(is_file) {
        Ok(file) => Ok(Input::File(Waited { file, stop_signal: Arc::clone(stop_signal) })),
        Err(error) => Err(match event {
            Event::File(path) => format!("cannot read --input {}: {error}", path.display()),
            Event::Stdin | Event::Text(_) | Event::Nowhere => format!("cannot read the standard input: {error}"),
        }),
    }
}

impl BodySource for Input {
    fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        match self {
            Self::Text(text) => Ok(text.take().filter(|text| !text.is_empty())),
            Self::Begun(start, rest) => match start.take().filter(|start| !start.is_empty()) {
                Some(start) => Ok(Some(start)),
                None => rest.next(),
            },
            Self::File(waited) => waited.next(),
        }
    }
}

impl BodySource for Waited {
    fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        let mut events = [PollFd::new(&self.file, PollFlags::IN), PollFd::new(&*self.stop_signal, PollFlags::IN)];
        poll(&mut events, None).map_err(io::Error::from)?;
        if !events[1].revents().is_empty() {
            return Err(BodyError::Incomplete);
        }
        let mut piece = vec![0; PIECE];
        let read = self.file.read(&mut piece)?;
        piece.truncate(read);
        Ok((read > 0).then(|| Bytes::from(piece)))
    }
}

/// The event of an OSCAR job: `EVENT`, unless the standard input is something else than a copy of it.
fn of_job(config: &Config, io: &RunArgs, mut source: Input) -> Result<Input, String> {
    let supervisor = config.replaced.supervisor.as_ref().filter(|_| io.event == Event::Stdin);
    let Some(event) = supervisor.and_then(|supervisor| supervisor.job_event.as_ref()) else { return Ok(source) };
    let variable = || Input::Text(Some(Bytes::copy_from_slice(event.variable.as_bytes())));
    if io::stdin().is_terminal() {
        return Ok(variable());
    }
    let mut start = Vec::new();
    while start.len() <= JobEvent::COPY_LIMIT {
        match source.next() {
            Ok(Some(piece)) => start.extend_from_slice(&piece),
            Ok(None) => break,
            // A signal. The invocation meets it too, and reports it.
            Err(BodyError::Incomplete) => return Ok(source),
            Err(error) => return Err(format!("cannot read the standard input: {error}")),
        }
    }
    match event.source(&start) {
        EventSource::Variable => {
            tracing::debug!("the event is taken from EVENT: the standard input is a copy of it");
            Ok(variable())
        }
        EventSource::Decoded(event) => {
            tracing::debug!("the event is what EVENT holds in base64");
            Ok(Input::Text(Some(event.into())))
        }
        EventSource::Stdin => {
            tracing::warn!("EVENT is not used: the standard input is something else than what a shell makes of it");
            Ok(Input::Begun(Some(start.into()), Box::new(source)))
        }
    }
}
