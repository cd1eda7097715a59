//! `bandog serve`: the listener.

mod start_lines;
mod watch;

use std::{
    ffi::OsStr,
    io::{self, Write as _},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

#[cfg(not(feature = "storage"))]
use tokio::task::JoinSet;
use tokio::{net::TcpListener, sync};

use self::watch::Restart;
#[cfg(feature = "storage")]
use super::objects;
use super::{INTERNAL, complain, destination::Destination};
use crate::{
    config::{Config, Metrics, Mode, Sources, compose},
    http::{self, Server},
    process::{self, InvocationTag},
    service::Stop,
    telemetry,
    workspace::WorkspaceRoot,
};

/// How long the exit waits until the log has been read.
pub(super) const LOG_FLUSH_LIMIT: Duration = Duration::from_secs(1);

pub(super) const EXAMPLES: &str = "Examples:
  bandog serve ./ocr.sh
  bandog serve --max-inflight 4 --max-queue 100 -- python3 /app/predict.py
  BANDOG_TOKEN=… bandog serve ./ocr.sh            only callers with the token are let in
  SCRIPT=$(base64 -w0 ocr.sh) bandog              the script itself in the environment";

/// Serves until a signal ends it: the first drains, a second one ends it now.
#[must_use]
pub fn serve(config: Config, sources: &Sources) -> ExitCode {
    let (tell, told) = sync::watch::channel(Stop::No);
    let (restart, files) = (Restart::default(), config.lifecycle.watched.clone());
    let (drain, of_work, of_signals, sources) = (tell.clone(), restart.clone(), restart.clone(), sources.clone());
    let stop = move |signal: i32| {
        of_signals.cancel();
        tracing::info!("{} received", process::signal_name(signal));
        tell.send_modify(|stop| *stop = if *stop == Stop::No { Stop::Drain } else { Stop::Now });
    };
    let flush_log = telemetry::FlushOnDrop(LOG_FLUSH_LIMIT);
    let work = move || {
        if let Some(files) = files {
            of_work.watch(files, sources, move || begin_drain(&drain))?;
        }
        listen(&config, told)
    };
    let ended = process::run_with_reaper("network", work, stop);
    drop(flush_log);
    match ended.and_then(|result| result) {
        Ok(()) => restart.or(ExitCode::SUCCESS),
        Err(error) => complain(INTERNAL, &error),
    }
}

/// Begins the drain; false if a signal has begun it already.
fn begin_drain(stop: &sync::watch::Sender<Stop>) -> bool {
    stop.send_if_modified(|stop| {
        let is_first = *stop == Stop::No;
        *stop = Stop::Drain.max(*stop);
        is_first
    })
}

/// The life of the listener, on the network thread: bind, then ready, then serve.
fn listen(config: &Config, stop: sync::watch::Receiver<Stop>) -> io::Result<()> {
    telemetry::init(config.telemetry.log_settings())?;
    if let Some(watchdog) = &config.replaced.watchdog {
        if watchdog.write_debug {
            telemetry::enable_results()?;
        }
        if let Some(lines) = watchdog.function_lines(config.response_source()) {
            telemetry::set_function_lines(lines);
        }
        tracing::info!("in the place of {}, by the variables that are set", watchdog.kind.name());
    }
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let ended = runtime.block_on(async {
        let listener = http::bind(config.listener.address, "--listen").await?;
        let metrics = match config.telemetry.metrics {
            Metrics::At(address) => Some(http::bind(address, "--metrics").await?),
            Metrics::On | Metrics::Off => None,
        };
        let workspaces = make_root(config)?;
        let service = compose::service(config, &workspaces)?;
        let mut early = stop.clone();
        let server = tokio::select! {
            server = Server::new(compose::http_settings(config), service) => server?,
            // No request has been served yet.
            _ = early.wait_for(|stop| *stop != Stop::No) => return Ok(()),
        };
        announce(config, &listener, metrics.as_ref())?;
        server.lock()?;
        let server = Arc::new(server);
        #[cfg(feature = "storage")]
        let others = objects::open(config, server.service(), &stop, objects::Existing::Ignored)?;
        #[cfg(not(feature = "storage"))]
        let others = JoinSet::new();
        http::serve(server, listener, metrics, stop, others).await;
        Ok(())
    });
    // A task that still waits for another host, such as a provider of keys, does not delay the exit.
    runtime.shutdown_background();
    ended
}

/// The place for workspaces, with those of dead predecessors removed, and what still runs in them killed.
pub(super) fn make_root(config: &Config) -> io::Result<Arc<WorkspaceRoot>> {
    let place = config.function.workspace.display();
    let function_user = config.confinement.user.as_ref().map(|user| user.uid);
    if !config.function.needs_workspace {
        return Ok(Arc::new(WorkspaceRoot::unopened(&config.function.workspace, function_user)));
    }
    let root = WorkspaceRoot::open_for(&config.function.workspace, function_user).map_err(|error| {
        io::Error::new(error.kind(), format!("cannot open {place}: {error}; choose another with --workspace"))
    })?;
    let end_users = |workspaces: &[&OsStr]| {
        let marks: Vec<InvocationTag> = workspaces.iter().map(|name| InvocationTag::of(name)).collect();
        let left = process::kill_leftovers(&marks);
        if !left.is_empty() {
            let left = process::pid_list(&left);
            tracing::error!("processes of a dead predecessor cannot be killed; see ps -o stat,wchan,user -p {left}");
        }
    };
    match root.remove_leftovers(end_users) {
        Ok(0) => {}
        Ok(count) => tracing::info!("removed {count} leftover workspaces of dead predecessors in {place}"),
        Err(error) => tracing::warn!("cannot remove the leftovers of a dead predecessor in {place}: {error}"),
    }
    Ok(Arc::new(root))
}

/// Says where it listens.
fn announce(config: &Config, listener: &TcpListener, metrics: Option<&TcpListener>) -> io::Result<()> {
    let address = listener.local_addr()?;
    if let Some(path) = &config.listener.address_file {
        let written = Destination::open(path).and_then(|mut file| {
            file.file().write_all(format!("{address}\n").as_bytes())?;
            file.finish().map(drop)
        });
        written.map_err(|error| {
            io::Error::new(error.kind(), format!("cannot write --address-file {}: {error}", path.display()))
        })?;
    }
    if let Some(metrics) = metrics {
        tracing::info!("metrics at http://{}/metrics", metrics.local_addr()?);
    }
    tracing::info!("{}", start_lines::summary(config));
    tracing::info!("listening on http://{address} ({})", what_answers(config));
    tracing::info!("try it: {}", start_lines::curl(config, address));
    Ok(())
}

/// The executor of requests, in words for the operator.
fn what_answers(config: &Config) -> String {
    let function = match (config.mode, &config.function.command, &config.target.upstream, &config.target.static_dir) {
        (Mode::Static, _, _, Some(dir)) => Some(format!("files of {}", dir.display())),
        (Mode::Http, None, Some(upstream), _) => Some(format!("function at {upstream}")),
        (Mode::Http, Some(command), Some(upstream), _) => {
            Some(format!("function from {} at {upstream}", command.origin))
        }
        (Mode::Http, Some(command), None, _) => Some(format!("function from {}, which speaks HTTP", command.origin)),
        (_, Some(command), ..) => Some(format!("function from {}", command.origin)),
        (_, None, ..) => None,
    };
    let actions = config.actions.service.as_ref().map(|service| service.summary());
    function.into_iter().chain(actions).collect::<Vec<_>>().join("; ")
}
