//! The settings of a run: the kinds of work, the directories, the number of rounds.

use std::{
    env, fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use signal_hook::{consts, iterator::Signals};
use tempfile::TempDir;

use crate::load::Window;

/// The same for every kind of work.
pub struct Setting {
    /// The release binary, `BANDOG`.
    pub bandog: PathBuf,
    /// Counted rounds of each contender, `BENCH_ROUNDS` (9); the first one of each is not counted.
    pub rounds: usize,
    /// Only those kinds of work whose name is in this list, `BENCH_ONLY` (comma-separated; all of them if empty).
    pub only: Vec<String>,
    /// A directory on tmpfs, in `BENCH_TMPFS` (`/dev/shm`), gone at the end.
    pub tmpfs: PathBuf,
    /// A directory that should be on a disk, in `BENCH_DISK` (`target/bench`), gone at the end.
    pub disk: PathBuf,
    /// A report made before, to be written as table and plots again and not measured: `BENCH_FROM`.
    pub from: Option<PathBuf>,
    /// Where the report goes, `BENCH_OUTPUT` (`target/bench`).
    pub output: PathBuf,
    /// Whether all that is asked is that everything works, `BENCH_SHORT=1`: one round of little, whose figures mean
    /// nothing, and which fails only if something breaks.
    pub short: bool,
    /// Whether the documentation is to show this run, `BENCH_README=1`.
    pub readme: bool,
    /// Processors this program may use.
    pub cores: usize,
    stopped: Arc<AtomicBool>,
    _homes: [TempDir; 2],
}

/// How long those that run may take to clear up after a signal; then it is done for them.
const GRACE: Duration = Duration::from_secs(10);

/// The value of `f_type` in statfs(2) for tmpfs.
const TMPFS_MAGIC: i64 = 0x0102_1994;

impl Setting {
    pub fn from_environment() -> anyhow::Result<Self> {
        let bandog = PathBuf::from(env::var_os("BANDOG").context("BANDOG must name the release binary")?);
        ensure!(bandog.is_file(), "BANDOG={} is not a file", bandog.display());
        let bandog = fs::canonicalize(bandog)?;
        let is_set = |name: &str| env::var_os(name).is_some_and(|text| !text.is_empty() && text != "0");
        let (short, readme) = (is_set("BENCH_SHORT"), is_set("BENCH_README"));
        let rounds = match env::var("BENCH_ROUNDS") {
            Ok(text) => text.parse().with_context(|| format!("BENCH_ROUNDS={text} is not a number"))?,
            Err(_) if short => 1,
            Err(_) => 9,
        };
        ensure!(rounds > 0, "BENCH_ROUNDS must be at least 1");
        let only = env::var("BENCH_ONLY").unwrap_or_default();
        let only = only.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        let directory = |name: &str, default: &str| {
            let path = env::var_os(name).map_or_else(|| PathBuf::from(default), PathBuf::from);
            fs::create_dir_all(&path).with_context(|| format!("{name}={} is not a directory", path.display()))?;
            anyhow::Ok(fs::canonicalize(path)?)
        };
        let output = directory("BENCH_OUTPUT", "target/bench")?;
        let tmpfs = directory("BENCH_TMPFS", "/dev/shm")?;
        let is_tmpfs = rustix::fs::statfs(&tmpfs)?.f_type == TMPFS_MAGIC;
        ensure!(is_tmpfs, "BENCH_TMPFS={} is not on tmpfs", tmpfs.display());
        let disk = directory("BENCH_DISK", "target/bench")?;
        let home = |path| tempfile::Builder::new().prefix("bench-").tempdir_in(path);
        let homes = [home(tmpfs)?, home(disk)?];
        let [tmpfs, disk] = [0, 1].map(|index: usize| homes[index].path().to_owned());
        let stopped = watch_signals(vec![tmpfs.clone(), disk.clone()])?;
        let cores = thread::available_parallelism()?.get();
        let from = env::var_os("BENCH_FROM").map(PathBuf::from);
        Ok(Self { bandog, rounds, only, tmpfs, disk, from, output, short, readme, cores, stopped, _homes: homes })
    }

    /// Whether this kind of work was asked for.
    pub fn wants(&self, work: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == work)
    }

    /// How long one contender has its turn, with so many clients at once: until each of them has had an answer or more,
    /// nothing is steady.
    pub fn window(&self, clients: usize) -> Window {
        let [warm, each, span] = if self.short { [20, 1, 200] } else { [80, 4, 500] }.map(Duration::from_millis);
        Window { warm: warm + each * u32::try_from(clients).unwrap_or(u32::MAX), span }
    }

    /// Whether [`Setting::disk`] is not on tmpfs, too.
    pub fn is_on_disk(&self) -> anyhow::Result<bool> {
        Ok(rustix::fs::statfs(&self.disk)?.f_type != TMPFS_MAGIC)
    }

    /// Fails once a signal has asked for the end: a caller that checks between two turns cleans up in time.
    pub fn check(&self) -> anyhow::Result<()> {
        ensure!(!self.stopped.load(Ordering::Relaxed), "ended by a signal");
        Ok(())
    }
}

/// Notes that a signal asked for the end, and ends the program if it still runs after [`GRACE`]; the kernel then ends
/// the contenders.
fn watch_signals(homes: Vec<PathBuf>) -> anyhow::Result<Arc<AtomicBool>> {
    let stopped = Arc::new(AtomicBool::new(false));
    let mut signals = Signals::new([consts::SIGINT, consts::SIGTERM, consts::SIGHUP])?;
    let noted = Arc::clone(&stopped);
    thread::spawn(move || {
        for signal in signals.forever() {
            // The second signal ends the program at once.
            if !noted.swap(true, Ordering::Relaxed) {
                let homes = homes.clone();
                thread::spawn(move || {
                    thread::sleep(GRACE);
                    end(signal, &homes);
                });
                continue;
            }
            end(signal, &homes);
        }
    });
    Ok(stopped)
}

/// Ends this program as a signal would, with its directories removed.
fn end(signal: i32, homes: &[PathBuf]) -> ! {
    for home in homes {
        // Those that run may be writing there still; what is left then is named by its prefix.
        let _ = fs::remove_dir_all(home);
    }
    std::process::exit(128 + signal);
}
