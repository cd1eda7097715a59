//! `bandog run` of a function, or of an action that is a command: a process. The thread of its call writes the result.

use std::{
    io,
    process::ExitCode,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bandog_runtime::call::{CompletedCall, ResponseWriter};
use bytes::Bytes;
use hyper::{HeaderMap, StatusCode};

use super::{RunArgs, perform::perform, place::ResultPlace, result, terminal};
use crate::{
    cli::{BAD_CONFIGURATION, INTERNAL, NOT_WRITTEN, STOPPED, complain, exit::cannot_write, fail, say, serve},
    config::{Config, compose},
    input::BodySource,
    invocation::{Cause, Function, FunctionContext, NoObserver, Outcome, OwnLines},
    logs::Level,
    output::{BodySink, Disconnected},
    platform::LegacyBehaviour,
    reply::{self, Accept, CallFacts, Head, TransferError, problem},
    service::{AdmittedInvocation, Call, LocalStop, Runner, Service, Stop, Unfinished},
};

/// Calls a service that has nothing but the function.
pub(super) fn run(
    config: &Config,
    io: &RunArgs,
    call: Call,
    source: Box<dyn BodySource + Send>,
    place: ResultPlace,
    stop: LocalStop,
) -> ExitCode {
    let function = match function(config, io, place.is_for_person) {
        Ok(function) => function,
        Err(error) => return complain(BAD_CONFIGURATION, &error),
    };
    let style = config.run_style().filter(|_| io.action.is_none());
    let runner = Arc::new(LocalRunner {
        accept: Accept::in_style(&call.head.headers, style.as_ref()),
        hides_failure: hides_failure(config),
        end: Mutex::new(LocalEnd { place, code: None }),
    });
    match compose::service_of(config, function, Arc::clone(&runner) as Arc<dyn Runner>) {
        Ok(service) => carry_out(service, &runner, call, source, stop),
        Err(error) => complain(BAD_CONFIGURATION, &error),
    }
}

/// Calls `service`, whose runner is `runner`. Returns the exit code.
fn carry_out(
    service: Service,
    runner: &LocalRunner,
    call: Call,
    source: Box<dyn BodySource + Send>,
    stop: LocalStop,
) -> ExitCode {
    let (id, told) = (call.id.clone(), stop.told.clone());
    let called = perform(service, call, source, stop, &mut Nowhere);
    let mut end = runner.end();
    match (end.code, called) {
        (Some(code), _) => code,
        (None, Ok(Err(Unfinished::NotTaken(problem)))) => end.place.refuse(*problem, &id, *told.borrow() != Stop::No),
        (None, Ok(_)) => fail(INTERNAL, &"the invocation ended without an outcome"),
        (None, Err(error)) => fail(INTERNAL, &error),
    }
}

/// Runs the one invocation, writes its result to its place, and finds the exit code. No response is left to send.
struct LocalRunner {
    accept: Accept,
    hides_failure: bool,
    end: Mutex<LocalEnd>,
}

/// The end of a run.
struct LocalEnd {
    place: ResultPlace,
    /// `None` before it.
    code: Option<ExitCode>,
}

impl LocalRunner {
    fn end(&self) -> MutexGuard<'_, LocalEnd> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The exit code for an outcome whose result was `sent` to its place.
    fn report(
        &self,
        outcome: &Outcome,
        sent: Result<(), result::Error>,
        place: &mut ResultPlace,
        facts: &CallFacts<'_>,
    ) -> ExitCode {
        if place.stdout.is_interrupted {
            return fail(STOPPED, &"told to stop before all of the response was read");
        }
        let code = match outcome {
            Outcome::Failed { report, .. } if report.exit.is_some() && self.hides_failure => 0,
            outcome => reply::exit_code(outcome),
        };
        let is_stopped_by_reader = matches!(outcome, Outcome::Cancelled { cause: Cause::ClientGone, .. });
        if let Some(error) = place.stdout.error.take() {
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
        // Without --output the whole problem is on stdout, unless a part of the answer is.
        let explained = || problem::explain(outcome, facts, place.output.is_some() || sent.is_err());
        if !outcome.is_success() && !matches!(outcome, Outcome::Done { .. }) {
            return fail(code, &explained());
        }
        match sent {
            // The output is at its place, but not in the store.
            Ok(()) if !outcome.is_success() => fail(code, &explained()),
            Ok(()) => code.into(),
            Err(result::Error::Transfer(TransferError::Disconnected(Disconnected))) => reply::READER_GONE.into(),
            Err(error) => fail(INTERNAL, &error),
        }
    }
}

impl Runner for LocalRunner {
    fn run(&self, call: AdmittedInvocation<'_>, writer: &mut dyn ResponseWriter) -> CompletedCall {
        let mut end = self.end();
        let LocalEnd { place, code } = &mut *end;
        let facts = call.facts();
        let finished = if let Some(screen) = place.screen.take() {
            let (finished, ended) = terminal::run(call, screen, place.output.as_deref());
            *code = Some(ended);
            finished
        } else {
            // With --output what is wanted is the result itself, not an encoding of it; that is taken from the outcome.
            let (finished, sent) = if let Some(path) = &place.output {
                let finished = call.run(&mut NoObserver);
                let written = result::write(&finished.outcome, &facts, path);
                (finished, written)
            } else {
                let CompletedCall { finished, sent } = call.answer(&self.accept, &mut place.stdout);
                (finished, sent.map_err(result::Error::Transfer))
            };
            *code = Some(self.report(&finished.outcome, sent, place, &facts));
            finished
        };
        // The response of the service is empty: the result is at its place.
        writer.begin(Head { status: StatusCode::OK, headers: HeaderMap::new(), length: Some(0) }, false);
        CompletedCall { finished, sent: Ok(()) }
    }
}

/// The destination of the response, which is empty.
struct Nowhere;

impl BodySink for Nowhere {
    fn send(&mut self, _: Bytes) -> Result<(), Disconnected> {
        Ok(())
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

#[cfg(test)]
mod tests;
