//! `bandog run ACTION` of an action that is done by a request.

use std::{
    ffi::OsStr,
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::Instant,
};

use bytes::Bytes;
use tokio::sync::watch;

use super::{
    screen::{Screen, is_text},
    stdout::Stdout,
    terminal,
};
use crate::{
    cli::{
        BAD_CONFIGURATION, INTERNAL, NOT_WRITTEN, STOPPED, complain,
        destination::{Destination, Outlet, Written, counted},
        exit, fail, say, serve,
    },
    config::{Config, compose},
    input::BodySource,
    output::{BodySink, Disconnected, STDOUT_NAME},
    reply::{self, CallFacts, ErrorCode, Problem, problem},
    service::{Call, Stop, Unfinished, call_locally},
};

/// The exit code of what may be tried again.
const AGAIN: u8 = 2;

/// Starts the service, calls it, and writes the result to `output`, or to `stdout`.
pub(super) fn run(
    config: &Config,
    call: Call,
    source: Box<dyn BodySource + Send>,
    output: Option<&Path>,
    (mut stdout, screen): (Stdout, Option<Screen>),
    stop: watch::Receiver<Stop>,
) -> ExitCode {
    let started = Instant::now();
    let mut view = screen.map(ResultView::new);
    let is_for_person = view.is_some();
    let cannot_write = |path: &Path, error: &io::Error| format!("cannot write --output {}: {error}", path.display());
    let mut file = output.map(FileSink::new);
    let sink: &mut (dyn BodySink + Send) = match (&mut file, &mut view) {
        (Some(file), _) => file,
        (None, Some(view)) => view,
        (None, None) => &mut stdout,
    };
    let id = call.id.clone();
    let told = stop.clone();
    let facts = CallFacts { call_id: &id, service: config.function.service.as_deref() };
    let called = match perform(config, call, source, stop, sink) {
        Ok(called) => called,
        Err(error) => return complain(BAD_CONFIGURATION, &error),
    };
    if let Err(unfinished) = called {
        // Whatever a signal has made of it: the input that broke off, the service that was not ready.
        let code = |code: u8| if *told.borrow() == Stop::No { code } else { STOPPED };
        return match unfinished {
            Unfinished::NotTaken(problem) => {
                let may_help = matches!(problem.code, ErrorCode::NotReady | ErrorCode::UpstreamFailed);
                let known = if may_help { AGAIN } else { INTERNAL };
                let problem = problem.call_id(&id);
                let code = if problem.code == ErrorCode::Draining { STOPPED } else { code(known) };
                if is_for_person {
                    return fail(code, &terminal::problem(&problem, code));
                }
                show(&problem, output, &mut stdout);
                fail(code, &problem.detail)
            }
            Unfinished::Ended(outcome) => {
                let code = code(reply::exit_code(&outcome));
                if is_for_person {
                    return fail(code, &terminal::failure(&outcome, &facts, code));
                }
                show(&reply::refusal(&outcome, &facts), output, &mut stdout);
                // The problem is on standard output already; do not repeat it.
                fail(code, &problem::explain(&outcome, &facts, output.is_some()))
            }
            Unfinished::BrokenOff => fail(code(INTERNAL), &"the service broke off in the middle of its response"),
            Unfinished::Gone => match (file.as_mut().and_then(FileSink::take_error), stdout.error, output) {
                (Some(error), _, Some(path)) => fail(INTERNAL, &cannot_write(path, &error)),
                (_, Some(error), _) => fail(NOT_WRITTEN, &exit::cannot_write(&error)),
                _ if stdout.is_interrupted => fail(STOPPED, &"told to stop before all of the answer was read"),
                _ => reply::READER_GONE.into(),
            },
        };
    }
    let bytes = match (&file, &mut view) {
        (Some(file), _) => file.bytes,
        (None, Some(view)) => view.end(),
        (None, None) => 0,
    };
    match file.map(FileSink::finish).transpose() {
        Ok(written) => {
            if let Some(written) = written {
                written.tell();
            }
            if is_for_person {
                let (time, size) = (terminal::seconds(started.elapsed()), counted(bytes, "byte"));
                say(&format_args!("exit code 0, {time}, {size}"));
            }
            ExitCode::SUCCESS
        }
        Err(error) => fail(INTERNAL, &cannot_write(output.unwrap_or(Path::new("")), &error)),
    }
}

/// The result at a terminal, if it is text.
struct ResultView {
    screen: Screen,
    /// `None` before the first byte.
    is_text: Option<bool>,
    bytes: u64,
}

impl ResultView {
    fn new(screen: Screen) -> Self {
        Self { screen, is_text: None, bytes: 0 }
    }

    /// Ends the last line, or says how the result is had. Returns its size.
    fn end(&mut self) -> u64 {
        self.screen.end_line();
        if self.is_text == Some(false) {
            let size = counted(self.bytes, "byte");
            say(&format_args!("{size}, which are no text; write them with -o FILE"));
        }
        self.bytes
    }
}

impl BodySink for ResultView {
    fn send(&mut self, piece: Bytes) -> Result<(), Disconnected> {
        self.bytes += piece.len() as u64;
        let is_text = *self.is_text.get_or_insert_with(|| is_text(&piece));
        if is_text { self.screen.send(piece) } else { Ok(()) }
    }
}

/// `--output`, which is left alone until there is a result.
struct FileSink<'p> {
    path: &'p Path,
    file: Option<Destination>,
    bytes: u64,
    error: Option<io::Error>,
}

impl<'p> FileSink<'p> {
    fn new(path: &'p Path) -> Self {
        Self { path, file: None, bytes: 0, error: None }
    }

    fn open(&mut self) -> io::Result<&mut Destination> {
        let file = match self.file.take() {
            Some(file) => file,
            None => Outlet::open(self.path)?.create(OsStr::new(STDOUT_NAME))?,
        };
        Ok(self.file.insert(file))
    }

    fn take_error(&mut self) -> Option<io::Error> {
        self.error.take()
    }

    fn finish(mut self) -> io::Result<Written> {
        self.open()?;
        let path = self.file.map_or_else(|| Ok(self.path.to_owned()), Destination::finish)?;
        Ok(Written { asked: self.path.to_owned(), path, files: None, bytes: self.bytes, is_zip: false })
    }
}

impl BodySink for FileSink<'_> {
    fn send(&mut self, piece: Bytes) -> Result<(), Disconnected> {
        self.bytes += piece.len() as u64;
        let written = self.open().and_then(|file| file.file().write_all(&piece));
        written.map_err(|error| {
            self.error = Some(error);
            Disconnected
        })
    }
}

/// Without --output a failure is on the standard output as HTTP would send it, in the place of the result.
fn show(problem: &Problem, output: Option<&Path>, stdout: &mut Stdout) {
    if output.is_none() {
        // The standard error says why there is no result, too.
        let _ = stdout.send(problem.to_json());
    }
}

fn perform(
    config: &Config,
    call: Call,
    source: Box<dyn BodySource + Send>,
    stop: watch::Receiver<Stop>,
    sink: &mut (dyn BodySink + Send),
) -> io::Result<Result<(), Unfinished>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let called = runtime.block_on(async {
        let workspaces = serve::make_root(config)?;
        let service = Arc::new(compose::service(config, &workspaces)?);
        Ok(Box::pin(call_locally(service, call, source, stop, sink)).await)
    });
    runtime.shutdown_background();
    called
}
