//! The one invocation of `bandog run`: carried out like that of a request, with files in place of sockets.

use std::{
    fs::File,
    io::{self, IsTerminal as _, Read as _},
    os::{fd::AsFd as _, unix::ffi::OsStrExt as _},
    process::ExitCode,
    sync::Arc,
};

use bytes::Bytes;
use hyper::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, Request, http::request::Parts};
use rustix::event::{PollFd, PollFlags, poll};
use tokio::sync::watch;

use super::{Event, RunArgs, result, screen::Screen, served, stdout::Stdout, terminal};
use crate::{
    actions::{Interface, Placement},
    cli::{
        BAD_CONFIGURATION, BAD_INPUT, INTERNAL, NOT_WRITTEN, STOPPED, complain, exit::cannot_write, fail, say, serve,
    },
    config::{Config, Mode},
    input::{BodyError, BodySource, Envelope},
    invocation::{self, Call, Function, FunctionContext, NoObserver, Outcome, OwnLines},
    logs::Level,
    output::Disconnected,
    platform::{
        LegacyBehaviour,
        oscar::{EventSource, JobEvent},
    },
    process::{self, Cancel, Cause, WakeFd},
    reply::{self, Accept, CallFacts, TransferError, problem},
    request,
    service::{self, ActionCall, Stop},
    telemetry::{self, LogSettings},
};
use bandog_runtime::call::{self, CompletedCall};

/// Bytes read of the input at once.
const PIECE: usize = 64 * 1024;

/// Runs the function once.
#[must_use]
pub fn run(config: Config, io: RunArgs) -> ExitCode {
    let stop_signal = match WakeFd::new() {
        Ok(stop_signal) => Arc::new(stop_signal),
        Err(error) => return complain(INTERNAL, &error),
    };
    let cancel = Cancel::new();
    let (tell, told) = watch::channel(Stop::No);
    let stop = {
        let (stop_signal, cancel) = (Arc::clone(&stop_signal), cancel.clone());
        move |_: i32| {
            if cancel.cause().is_some() {
                cancel.cancel_now(Cause::Shutdown);
            } else {
                cancel.cancel(Cause::Shutdown);
            }
            tell.send_modify(|stop| *stop = if *stop == Stop::No { Stop::Drain } else { Stop::Now });
            // Last: a thread that it wakes looks for the cause.
            stop_signal.wake();
        }
    };
    let flush_log = telemetry::FlushOnDrop(serve::LOG_FLUSH_LIMIT);
    let ended = process::run_with_reaper("invocation", move || once(&config, &io, &stop_signal, &cancel, told), stop);
    drop(flush_log);
    match ended {
        Ok(code) => code,
        Err(error) => complain(INTERNAL, &error),
    }
}

fn once(
    config: &Config,
    io: &RunArgs,
    stop_signal: &Arc<WakeFd>,
    cancel: &Cancel,
    told: watch::Receiver<Stop>,
) -> ExitCode {
    if let Err(error) = start_log(config) {
        return complain(INTERNAL, &format!("cannot start the log: {error}"));
    }
    if let Some(Err(error)) = io.output.as_deref().map(result::check) {
        return fail(BAD_CONFIGURATION, &error);
    }
    let headers = headers(io);
    let labels = request::content_headers(&headers);
    let envelope = if io.action.is_some() {
        Envelope::for_action(&labels)
    } else if config.decodes() {
        Envelope::parse(&labels).map(|envelope| envelope.with_forms(config.bodies.forms))
    } else {
        Ok(Envelope::as_sent(&labels))
    };
    let envelope = match envelope {
        Ok(envelope) => envelope,
        Err(error) => return fail(BAD_INPUT, &error),
    };
    if io.event == Event::Stdin && terminal::is_wanted(config, &headers) {
        terminal::announce_input();
    }
    let mut source = match open(&io.event, stop_signal).and_then(|source| of_job(config, io, source)) {
        Ok(source) => source,
        Err(error) => return fail(BAD_INPUT, &error),
    };
    if let Some(action) = io.action.as_ref().filter(|action| matches!(action.interface, Interface::Http(_))) {
        let action = ActionCall { action: Arc::clone(action), texts: io.texts.clone() };
        let call = service::Call { id: request::call_id(&headers), head: imitated(&headers), action: Some(action) };
        let stdout = match Stdout::new(stop_signal) {
            Ok(stdout) => stdout,
            Err(error) => return fail(INTERNAL, &error),
        };
        let screen = terminal::is_wanted(config, &headers).then(|| Screen::new(stop_signal)).transpose();
        let screen = match screen {
            Ok(screen) => screen,
            Err(error) => return fail(INTERNAL, &error),
        };
        return served::run(config, call, Box::new(source), io.output.as_deref(), (stdout, screen), told);
    }
    if let (None, Mode::Http | Mode::Static) = (&io.action, config.mode) {
        return complain(BAD_CONFIGURATION, &"this mode is for HTTP; use bandog serve, or run with --mode files");
    }
    let is_for_person = terminal::is_wanted(config, &headers);
    let function = match function(config, io, is_for_person) {
        Ok(function) => function,
        Err(error) => return complain(BAD_CONFIGURATION, &error),
    };
    let variables = request::variables(&imitated(&headers), config.header_variables());
    let (id, details) = (request::call_id(&headers), Vec::new());
    let call = Call { id, envelope, variables, way: Placement::Any, texts: io.texts.clone(), details };
    // With --output what is wanted is the result itself, not an encoding of it; that is taken from the outcome.
    let style = config.run_style().filter(|_| io.action.is_none());
    let accept = if io.output.is_some() { Accept::parse(None) } else { Accept::in_style(&headers, style.as_ref()) };
    let service = config.function.service.as_deref();
    let facts = CallFacts { call_id: &call.id, service };
    if is_for_person {
        return terminal::run((&function, &call, &facts), &mut source, cancel, stop_signal, io.output.as_deref());
    }
    let (finished, sent, lost, is_interrupted) = match &io.output {
        None => {
            let mut stdout = match Stdout::new(stop_signal) {
                Ok(stdout) => stdout,
                Err(error) => return fail(INTERNAL, &error),
            };
            let CompletedCall { finished, sent } =
                call::run_and_answer(&function, &call, &mut source, cancel, &accept, service, &mut stdout);
            (finished, sent.map_err(result::Error::Transfer), stdout.error, stdout.is_interrupted)
        }
        Some(path) => {
            let finished = invocation::run(&function, &call, &mut source, cancel, &mut NoObserver);
            let sent = result::write(&finished.outcome, &facts, path);
            (finished, sent, None, false)
        }
    };
    if is_interrupted {
        return fail(STOPPED, &"told to stop before all of the response was read");
    }
    let code = match &finished.outcome {
        Outcome::Failed { report, .. } if report.exit.is_some() && hides_failure(config) => 0,
        outcome => reply::exit_code(outcome),
    };
    let is_stopped_by_reader = matches!(finished.outcome, Outcome::Cancelled { cause: Cause::ClientGone, .. });
    if let Some(error) = lost {
        // The function's own code says more than that its failure cannot be shown.
        if is_stopped_by_reader || code == 0 {
            return fail(NOT_WRITTEN, &cannot_write(&error));
        }
        say(&cannot_write(&error));
    }
    if is_stopped_by_reader {
        // The reader has closed its end, as `head` does: nothing more can be sent.
        return code.into();
    }
    if !matches!(finished.outcome, Outcome::Done { .. }) {
        // Without --output the whole problem is on stdout, unless a part of the answer is.
        let explained = problem::explain(&finished.outcome, &facts, io.output.is_some() || sent.is_err());
        return fail(code, &explained);
    }
    match sent {
        Ok(()) => code.into(),
        Err(result::Error::Transfer(TransferError::Disconnected(Disconnected))) => reply::READER_GONE.into(),
        Err(error) => fail(INTERNAL, &error),
    }
}

/// The function, or the command of the action, that is run.
fn function(config: &Config, io: &RunArgs, is_for_person: bool) -> io::Result<Function> {
    let ground = FunctionContext::new(&config.confinement, serve::make_root(config)?)?;
    let mut settings = config.function_settings();
    if is_for_person && config.telemetry.level != Level::Debug {
        // Between the function's lines bandog's own would be in the way.
        settings.logging.own_lines = OwnLines::Apart;
    }
    let Some(action) = &io.action else {
        let command = config.function.command.as_ref().ok_or_else(|| io::Error::other("no function is configured"))?;
        return Function::new(&settings, &ground, command);
    };
    let program = config.actions.programs.actions.get(&action.name).ok_or_else(|| {
        let (name, interface) = (&action.name, action.interface.name());
        let is_served = config.actions.service.as_ref().is_some_and(|service| service.action(name).is_some());
        if !is_served {
            return io::Error::other(format!("the action {name} is left out; bandog check names its mistake"));
        }
        io::Error::other(format!("the action {name} needs {interface}, which this version of bandog does not support"))
    })?;
    Function::of_action(&settings, &ground, action, program)
}

/// Whether the exit code hides the failure of the function, as that of OSCAR's supervisor did.
fn hides_failure(config: &Config) -> bool {
    config.replaced.supervisor.is_some() && config.replaced.compat.has(LegacyBehaviour::Status200)
}

/// Starts the log on the standard error.
fn start_log(config: &Config) -> io::Result<()> {
    if config.replaced.supervisor.is_some() {
        // OSCAR shows it as the log of the job.
        telemetry::init(LogSettings { names_calls: false, quotes_failures: false, ..config.telemetry.log_settings() })?;
        config.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        return Ok(());
    }
    // The log of the function is in the result, and a failure is reported at the end; more only if it is asked for.
    let level = if config.telemetry.level == Level::Debug { Level::Debug } else { Level::Critical };
    telemetry::init(LogSettings { level, quotes_failures: false, ..config.telemetry.log_settings() })?;
    config.warnings.iter().for_each(|warning| say(&format_args!("warning: {warning}")));
    Ok(())
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

/// The header fields of the request that is imitated.
fn headers(io: &RunArgs) -> HeaderMap {
    let mut headers: HeaderMap = io.headers.iter().cloned().collect();
    if headers.contains_key(CONTENT_TYPE) || matches!(io.event, Event::Stdin | Event::Nowhere) {
        return headers;
    }
    if io.action.as_ref().is_some_and(|action| action.file_argument(Placement::Any).is_none()) {
        // No argument is a file: it holds arguments.
        return headers;
    }
    // A file or a text is the input itself, not an encoding of it. JSON is labelled as such, for storage events.
    let is_json = match &io.event {
        Event::Text(text) => serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok(),
        Event::File(_) | Event::Stdin | Event::Nowhere => false,
    };
    let media_type = if is_json { "application/json" } else { "application/octet-stream" };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    if let Event::File(path) = &io.event
        && let Some(name) = path.file_name()
        && !headers.contains_key(CONTENT_DISPOSITION)
        && let Ok(value) = HeaderValue::from_str(&reply::disposition(name.as_bytes()))
    {
        headers.insert(CONTENT_DISPOSITION, value);
    }
    headers
}

/// The request that the invocation would have come by.
fn imitated(headers: &HeaderMap) -> Parts {
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = Method::POST;
    parts.headers = headers.clone();
    parts
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

fn open(event: &Event, stop_signal: &Arc<WakeFd>) -> Result<Input, String> {
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
