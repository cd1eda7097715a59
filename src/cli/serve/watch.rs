//! `--watch`: starts bandog again when a file changes that it has read, or runs.

use std::{
    env, fs, io,
    os::unix::{fs::MetadataExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use super::{INTERNAL, complain};
use crate::config::Sources;

/// The interval at which the files are looked at. A change counts once it has lasted for one: editors write in steps.
const LOOK: Duration = Duration::from_millis(300);

/// Tells one state of a file from the next; `None` for a file that does not exist.
type Stamp = Option<(u64, u64, u64, i64, i64)>;

fn stamp(file: &Path) -> Stamp {
    let metadata = fs::metadata(file).ok()?;
    Some((metadata.dev(), metadata.ino(), metadata.size(), metadata.mtime(), metadata.mtime_nsec()))
}

fn stamps(files: &[PathBuf]) -> Vec<Stamp> {
    files.iter().map(|file| stamp(file)).collect()
}

/// Whether a change of files has ended this bandog, so that another is to take its place.
#[derive(Debug, Clone, Default)]
pub(super) struct Restart(Arc<AtomicBool>);

impl Restart {
    /// Looks at `files` on a thread of its own. When one has changed and the configuration is still a whole one, `drain` is
    /// called, which returns false if bandog ends already. A configuration with mistakes is told, and changes nothing.
    ///
    /// # Errors
    /// The kernel refuses the thread.
    pub(super) fn watch(
        &self,
        files: Vec<PathBuf>,
        sources: Sources,
        drain: impl FnOnce() -> bool + Send + 'static,
    ) -> io::Result<()> {
        let restart = self.clone();
        let life = move || {
            let mut known = stamps(&files);
            loop {
                thread::sleep(LOOK);
                let now = stamps(&files);
                if now == known {
                    continue;
                }
                thread::sleep(LOOK);
                if stamps(&files) != now {
                    continue;
                }
                let changed = files.iter().zip(known.iter().zip(&now)).find(|(_, (before, after))| before != after);
                let changed = changed.map(|(file, _)| file.display().to_string()).unwrap_or_default();
                known = now;
                let mistakes = sources.resolve().mistakes;
                if mistakes.is_empty() {
                    tracing::info!("{changed} has changed; bandog starts again");
                    restart.0.store(true, Ordering::SeqCst);
                    if !drain() {
                        restart.cancel();
                    }
                    return;
                }
                for mistake in mistakes {
                    tracing::error!("{changed} has changed, and is not used: {mistake}");
                }
            }
        };
        thread::Builder::new().name("watch".to_owned()).spawn(life).map(drop)
    }

    /// The operator wants the end.
    pub(super) fn cancel(&self) {
        self.0.store(false, Ordering::SeqCst);
    }

    /// Puts a new bandog in the place of this one, if that is wanted; `code` otherwise.
    pub(super) fn or(&self, code: ExitCode) -> ExitCode {
        if !self.0.load(Ordering::SeqCst) {
            return code;
        }
        let mut arguments = env::args_os();
        let mut command = Command::new("/proc/self/exe");
        if let Some(name) = arguments.next() {
            command.arg0(name);
        }
        complain(INTERNAL, &format!("cannot start again: {}", command.args(arguments).exec()))
    }
}
