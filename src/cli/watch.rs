//! `bandog watch`: the function runs for each new file of a directory, without a server.

use std::{io, path::PathBuf, process::ExitCode, sync::Arc};

use clap::ValueHint;
use tokio::sync;

use super::{
    FunctionFlags, INTERNAL, complain,
    objects::{self, Existing},
    serve,
};
use crate::{
    config::{Config, Typed, WatchedDirs, compose},
    process,
    service::{Phase, Stop, drain},
    telemetry,
};

pub(super) const EXAMPLES: &str = "Examples:
  bandog watch ./thumbnail.sh --from in --to out  run the script for each file that appears in one directory, and write
                                                  its output files to another
  bandog watch ./thumbnail.sh --from in --to out --new-only
                                                  leave the files alone that are there already
  bandog watch --config function_config.yaml ./ocr.sh
                                                  the directories of `local` inputs, with any outputs

A file counts when its writer has closed it, or when it is renamed into the directory. Names that begin with a dot are left
alone. The input file stays where it is. A signal ends it: what runs is finished first.";

/// The flags of `bandog watch`.
#[derive(Debug, clap::Args)]
pub struct WatchFlags {
    /// The directory whose files are the inputs; without it, those of the `local` inputs of --config
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub from: Option<PathBuf>,
    /// The directory that output files are written to
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, requires = "from")]
    pub to: Option<PathBuf>,
    /// Leave the files alone that are there at the start
    #[arg(long)]
    pub new_only: bool,
    /// The settings and the function.
    #[command(flatten)]
    pub function: FunctionFlags,
}

impl WatchFlags {
    /// The arguments for [`crate::config`].
    pub(super) fn typed(self) -> Typed {
        let watched = self.from.map(|from| WatchedDirs { from, to: self.to });
        Typed { watched, ..self.function.typed() }
    }
}

/// Watches until a signal ends it: the first finishes what runs, a second one ends it now.
#[must_use]
pub fn run(config: Config, new_only: bool) -> ExitCode {
    let (tell, told) = sync::watch::channel(Stop::No);
    let stop = move |signal: i32| {
        tracing::info!("{} received", process::signal_name(signal));
        tell.send_modify(|stop| *stop = if *stop == Stop::No { Stop::Drain } else { Stop::Now });
    };
    let existing = if new_only { Existing::Ignored } else { Existing::Called };
    let flush_log = telemetry::FlushOnDrop(serve::LOG_FLUSH_LIMIT);
    let ended = process::run_with_reaper("network", move || watch(&config, existing, told), stop);
    drop(flush_log);
    match ended.and_then(|result| result) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(INTERNAL, &error),
    }
}

fn watch(config: &Config, existing: Existing, mut stop: sync::watch::Receiver<Stop>) -> io::Result<()> {
    let dirs = config.function.storage.as_ref().map(|store| store.watched_dirs()).unwrap_or_default();
    if dirs.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "there is no directory to watch; give one with --from DIR, or an input of a `local` provider with --config",
        ));
    }
    telemetry::init(config.telemetry.log_settings())?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let ended = runtime.block_on(async {
        let workspaces = serve::make_root(config)?;
        let service = Arc::new(compose::service(config, &workspaces)?);
        let mut doors = objects::open(config, &service, &stop, existing)?;
        service.begin();
        let is_told = tokio::select! {
            biased;
            // The sender lives as long as this process.
            _ = stop.wait_for(|stop| *stop > Stop::No) => true,
            // The thread that waits for files has ended.
            Some(_) = doors.join_next() => false,
        };
        service.context().lifecycle.enter(Phase::Leaving);
        drain(&service, doors, stop).await;
        if is_told { Ok(()) } else { Err(io::Error::other("new files are no events any more; the log says why")) }
    });
    runtime.shutdown_background();
    ended
}
