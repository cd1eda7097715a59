//! `bandog run ACTION` of an action that is done by a request.

use std::{
    ffi::OsStr,
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
    time::Instant,
};

use bytes::Bytes;

use super::{
    perform::perform,
    place::ResultPlace,
    screen::{Screen, is_text},
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
    reply::{self, CallFacts, problem},
    service::{Call, LocalStop, Stop, Unfinished},
};

/// Starts the service, calls it, and writes the result to its place.
pub(super) fn run(
    config: &Config,
    call: Call,
    source: Box<dyn BodySource + Send>,
    mut place: ResultPlace,
    stop: LocalStop,
) -> ExitCode {
    let started = Instant::now();
    let mut view = place.screen.take().map(ResultView::new);
    let output = place.output.clone();
    let mut file = output.as_deref().map(FileSink::new);
    let sink: &mut (dyn BodySink + Send) = match (&mut file, &mut view) {
        (Some(file), _) => file,
        (None, Some(view)) => view,
        (None, None) => &mut place.stdout,
    };
    let (id, told) = (call.id.clone(), stop.told.clone());
    let called = serve::make_root(config).and_then(|workspaces| compose::service(config, &workspaces));
    let called = match called.and_then(|service| perform(service, call, source, stop, sink)) {
        Ok(called) => called,
        Err(error) => return complain(BAD_CONFIGURATION, &error),
    };
    if let Err(unfinished) = called {
        return report(unfinished, place, file, (&id, config), *told.borrow() != Stop::No);
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
            if place.is_for_person {
                let (time, size) = (terminal::seconds(started.elapsed()), counted(bytes, "byte"));
                say(&format_args!("exit code 0, {time}, {size}"));
            }
            ExitCode::SUCCESS
        }
        Err(error) => fail(INTERNAL, &cannot_write(output.as_deref().unwrap_or(Path::new("")), &error)),
    }
}

/// Reports why there is no result, or not all of it.
fn report(
    unfinished: Unfinished,
    mut place: ResultPlace,
    file: Option<FileSink<'_>>,
    (id, config): (&str, &Config),
    is_stopped: bool,
) -> ExitCode {
    let facts = CallFacts { call_id: id, service: config.function.service.as_deref() };
    // Whatever a signal has made of it: the input that broke off, the service that was not ready.
    let code = |code: u8| if is_stopped { STOPPED } else { code };
    match unfinished {
        Unfinished::NotTaken(problem) => place.refuse(*problem, id, is_stopped),
        Unfinished::Ended(outcome) => {
            let code = code(reply::exit_code(&outcome));
            if place.is_for_person {
                return fail(code, &terminal::failure(&outcome, &facts, code));
            }
            place.show(&reply::refusal(&outcome, &facts));
            // The problem is on standard output already; do not repeat it.
            fail(code, &problem::explain(&outcome, &facts, place.output.is_some()))
        }
        Unfinished::BrokenOff => fail(code(INTERNAL), &"the service broke off in the middle of its response"),
        Unfinished::Gone => match (file.and_then(|file| file.error), place.stdout.error.take(), &place.output) {
            (Some(error), _, Some(path)) => fail(INTERNAL, &cannot_write(path, &error)),
            (_, Some(error), _) => fail(NOT_WRITTEN, &exit::cannot_write(&error)),
            _ if place.stdout.is_interrupted => fail(STOPPED, &"told to stop before all of the answer was read"),
            _ => reply::READER_GONE.into(),
        },
    }
}

fn cannot_write(path: &Path, error: &io::Error) -> String {
    format!("cannot write --output {}: {error}", path.display())
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
