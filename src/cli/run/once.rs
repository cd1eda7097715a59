//! The steps of `bandog run`: it makes the call that a request would be, and calls the service with files in place of
//! sockets.

use std::{io, process::ExitCode, sync::Arc};

use hyper::header::HeaderMap;
use tokio::sync::watch;

use super::{Event, RunArgs, imitated, input, place::ResultPlace, process, result, served, terminal};
use crate::{
    actions::Interface,
    cli::{BAD_CONFIGURATION, BAD_INPUT, INTERNAL, complain, fail, say, serve},
    config::{Config, Mode},
    input::{Envelope, InputError},
    logs::Level,
    process::{Cancel, Cause, WakeFd, run_with_reaper},
    request,
    service::{ActionCall, Call, LocalStop, Stop},
    telemetry::{self, LogSettings},
};

/// Runs the function once.
#[must_use]
pub fn run(config: Config, io: RunArgs) -> ExitCode {
    let stop_signal = match WakeFd::new() {
        Ok(stop_signal) => Arc::new(stop_signal),
        Err(error) => return complain(INTERNAL, &error),
    };
    let cancel = Cancel::new();
    let (tell, told) = watch::channel(Stop::No);
    let stopped = LocalStop { told, cancel: cancel.clone() };
    let stop = {
        let stop_signal = Arc::clone(&stop_signal);
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
    let ended = run_with_reaper("invocation", move || once(&config, &io, &stop_signal, stopped), stop);
    drop(flush_log);
    match ended {
        Ok(code) => code,
        Err(error) => complain(INTERNAL, &error),
    }
}

fn once(config: &Config, io: &RunArgs, stop_signal: &Arc<WakeFd>, stop: LocalStop) -> ExitCode {
    if let Err(error) = start_log(config) {
        return complain(INTERNAL, &format!("cannot start the log: {error}"));
    }
    if let Some(Err(error)) = io.output.as_deref().map(result::check) {
        return fail(BAD_CONFIGURATION, &error);
    }
    let headers = imitated::headers(io);
    if let Err(error) = check_labels(config, io, &headers) {
        return fail(BAD_INPUT, &error);
    }
    let is_for_person = terminal::is_wanted(config, &headers);
    if io.event == Event::Stdin && is_for_person {
        terminal::announce_input();
    }
    let source = match input::open(config, io, stop_signal, &stop.cancel) {
        Ok(source) => source,
        Err(fault) => return fail(fault.code, &fault.text),
    };
    let is_served = io.action.as_ref().is_some_and(|action| matches!(action.interface, Interface::Http(_)));
    if let (None, Mode::Http | Mode::Static) = (&io.action, config.mode) {
        return complain(BAD_CONFIGURATION, &"this mode is for HTTP; use bandog serve, or run with --mode files");
    }
    let place = match ResultPlace::new(io.output.clone(), is_for_person, stop_signal) {
        Ok(place) => place,
        Err(error) => return fail(INTERNAL, &error),
    };
    let action = io.action.as_ref().map(|action| ActionCall { action: Arc::clone(action), texts: io.texts.clone() });
    let call = Call { id: request::call_id(&headers), head: imitated::head(headers), action };
    if is_served {
        served::run(config, call, source, place, stop)
    } else {
        process::run(config, io, call, source, place, stop)
    }
}

/// Checks what the header fields say of the input, before it is read.
fn check_labels(config: &Config, io: &RunArgs, headers: &HeaderMap) -> Result<(), InputError> {
    let labels = request::content_headers(headers);
    if io.action.is_some() {
        Envelope::for_action(&labels).map(drop)
    } else if config.decodes() {
        Envelope::parse(&labels).map(drop)
    } else {
        Ok(())
    }
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
