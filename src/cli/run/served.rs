//! `bandog run ACTION` of an action that is done by a request.

use std::{
    ffi::OsStr,
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
    sync::Arc,
};

use bytes::Bytes;
use tokio::sync::watch;

use super::stdout::Stdout;
use crate::{
    cli::{
        BAD_CONFIGURATION, INTERNAL, NOT_WRITTEN, STOPPED, complain,
        destination::{Destination, Outlet, Written},
        exit, fail, serve,
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
    mut stdout: Stdout,
    stop: watch::Receiver<Stop>,
) -> ExitCode {
    let cannot_write = |path: &Path, error: &io::Error| format!("cannot write --output {}: {error}", path.display());
    let mut file = output.map(FileSink::new);
    let sink: &mut (dyn BodySink + Send) = match &mut file {
        Some(file) => file,
        None => &mut stdout,
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
                show(&problem, output, &mut stdout);
                fail(code, &problem.detail)
            }
            Unfinished::Ended(outcome) => {
                let code = code(reply::exit_code(&outcome));
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
    match file.map(FileSink::finish).transpose() {
        Ok(written) => {
            if let Some(written) = written {
                written.tell();
            }
            ExitCode::SUCCESS
        }
        Err(error) => fail(INTERNAL, &cannot_write(output.unwrap_or(Path::new("")), &error)),
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
