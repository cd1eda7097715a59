//! The chaos soak: one running bandog, mixed traffic of every kind, functions that misbehave, clients that leave,
//! random kills; and an oracle that knows of every answer what it must be, byte for byte.
//!
//! ```text
//! make soak                        two minutes against the release binary
//! SOAK_SECONDS=600 make soak       ten
//! SOAK_SEED=… make soak            the same plan again (when what happens is not in the plan)
//! SOAK_SEED=… SOAK_ONLY=17 …       case 17 of that plan alone, without chaos
//! SOAK_BINARY=PATH …               another binary
//! ```
//!
//! [`plan`] makes cases of the [`kind`]s, [`play`] plays them over [`wire`] and [`h2c`], [`oracle`] judges, [`chaos`]
//! kills, [`crowd`] knows when a 429 is due, [`census`] counts what bandog holds, [`table`] is what is printed, and
//! written to `target/soak/table.md`. The exit code is 0 only if every line of it is good.

mod bandog;
mod call;
mod census;
mod chance;
mod chaos;
mod crowd;
mod h2c;
mod kind;
mod oracle;
mod plan;
mod play;
mod shapes;
mod table;
mod wire;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use bandog::{Bandog, MAX_INFLIGHT, MAX_QUEUE};
use census::{Census, Peak};
use chance::Chance;
use chaos::Victims;
use crowd::Crowd;
use play::{Player, Verdict};
use table::Tally;

/// Clients at once: enough to fill places and queue and to have some turned away, few enough for two cores.
const WORKERS: usize = MAX_INFLIGHT + MAX_QUEUE + 3;

/// How often somebody who is turned away tries again.
const TRIES: usize = 20;

/// How much more memory than after the warm-up bandog may hold at the end, in KiB.
const GROWTH_KIB: u64 = 2 * 1024;

/// Wrong answers that are printed; after as many something is so broken that the rest says nothing new.
const MAX_PRINTED: usize = 30;

fn main() -> ExitCode {
    match soak() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("soak: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A number from the environment.
fn setting(name: &str) -> Result<Option<u64>, String> {
    let Ok(text) = env::var(name) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| format!("{name} is not a number: {text}"))
}

fn soak() -> Result<bool, String> {
    let seconds = setting("SOAK_SECONDS")?.unwrap_or(120).max(5);
    let seed = setting("SOAK_SEED")?.unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0);
    let binary = env::var_os("SOAK_BINARY").map_or_else(|| env!("CARGO_BIN_EXE_bandog").into(), PathBuf::from);
    let binary = fs::canonicalize(&binary).map_err(|error| format!("no binary {}: {error}", binary.display()))?;
    println!("soak: {} for {seconds} s, SOAK_SEED={seed}", binary.display());
    let mut bandog = Bandog::start(&binary)?;
    let run = Run::new(&bandog, seed);
    if let Some(index) = setting("SOAK_ONLY")? {
        run.case(index);
        println!("{}", run.tally().table());
        return Ok(run.tally().wrong() == 0);
    }
    // The first request opens what stays open.
    let start = Census::when_quiet(&bandog, &Census::of(&bandog));
    run.traffic(Duration::from_secs((seconds / 4).clamp(5, 30)));
    let warm = Census::when_quiet(&bandog, &start);
    let peak = run.traffic(Duration::from_secs(seconds));
    let end = Census::when_quiet(&bandog, &start);
    let report =
        run.report(&[("at the start", start), ("after the warm-up", warm), ("at most", peak.0), ("at the end", end)]);
    let mut faults = run.faults(&start, &warm, &end);
    drop(run);
    if let Err(why) = bandog.stop() {
        faults.push(why);
    }
    let (processes, workspaces) = (bandog.processes(), bandog.workspaces());
    if !processes.is_empty() || !workspaces.is_empty() {
        faults.push(format!("after the end of bandog there are left: {processes:?} {workspaces:?}"));
    }
    let log = bandog.log();
    if log.contains("panicked") || log.contains("this is a bug") {
        faults.push(format!("bandog's log: {log}"));
    }
    println!("\n{report}");
    for fault in &faults {
        println!("soak: BROKEN: {fault}");
    }
    println!("soak: {}", if faults.is_empty() { "every line is good" } else { "FAILED" });
    save(&report)?;
    Ok(faults.is_empty())
}

/// Writes the table to `target/soak/table.md`.
fn save(report: &str) -> Result<(), String> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap_or(Path::new("target")).join("soak");
    let write = || {
        fs::create_dir_all(&target)?;
        fs::write(target.join("table.md"), report)
    };
    write().map_err(|error| format!("cannot write {}: {error}", target.join("table.md").display()))
}

/// Everything that the workers share.
struct Run<'b> {
    bandog: &'b Bandog,
    seed: u64,
    next: AtomicU64,
    crowd: Crowd,
    victims: Victims,
    tally: Mutex<Tally>,
    printed: AtomicUsize,
}

impl<'b> Run<'b> {
    fn new(bandog: &'b Bandog, seed: u64) -> Self {
        Self {
            bandog,
            seed,
            next: AtomicU64::new(0),
            crowd: Crowd::default(),
            victims: Victims::default(),
            tally: Mutex::new(Tally::new()),
            printed: AtomicUsize::new(0),
        }
    }

    fn tally(&self) -> std::sync::MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Traffic for so long, and until its last case has ended.
    fn traffic(&self, length: Duration) -> Peak {
        let until = Instant::now() + length;
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let peak = scope.spawn(|| Peak::watch(self.bandog.pid(), &stop));
            let killer = scope.spawn(|| self.victims.make(self.bandog, self.seed, &stop));
            let workers: Vec<_> = (0..WORKERS).map(|number| scope.spawn(move || self.work(number, until))).collect();
            for worker in workers {
                worker.join().expect("a worker panicked");
            }
            stop.store(true, Ordering::Relaxed);
            killer.join().expect("the killer panicked");
            peak.join().expect("the watch panicked")
        })
    }

    fn work(&self, number: usize, until: Instant) {
        let mut chance = Chance::of(self.seed, u64::MAX - 1 - number as u64);
        while Instant::now() < until {
            self.case(self.next.fetch_add(1, Ordering::Relaxed));
            thread::sleep(Duration::from_millis(chance.below(20) as u64));
        }
    }

    /// Plays one case; if there was no place, again after a while.
    fn case(&self, index: u64) {
        let case = plan::case(self.seed, index);
        let player = Player { bandog: self.bandog, crowd: &self.crowd, victims: &self.victims };
        for _ in 0..TRIES {
            let verdicts = player.play(&case);
            for verdict in &verdicts {
                self.tally().count(case.kind, verdict);
                if let Verdict::Wrong(why) = verdict
                    && self.printed.fetch_add(1, Ordering::Relaxed) < MAX_PRINTED
                {
                    println!("soak: WRONG: case {} ({:?}): {why}", case.index, case.kind);
                }
            }
            if !verdicts.iter().all(|verdict| matches!(verdict, Verdict::TurnedAway)) {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    fn report(&self, lines: &[(&str, Census)]) -> String {
        let tally = self.tally();
        format!("{}\nFunctions killed at random: {}.\n\n{}", tally.table(), self.victims.count(), table::census(lines))
    }

    /// What is not as promised.
    fn faults(&self, start: &Census, warm: &Census, end: &Census) -> Vec<String> {
        let tally = self.tally();
        let mut faults = Vec::new();
        let mut hold = |good: bool, fault: String| {
            if !good {
                faults.push(fault);
            }
        };
        hold(tally.wrong() == 0, format!("{} of {} answers were wrong", tally.wrong(), tally.sent()));
        hold(tally.unseen().is_empty(), format!("nothing was shown of: {}", tally.unseen().join("; ")));
        hold(tally.turned_away() > 0, "nobody was turned away: the queue was not tried".to_owned());
        hold(end.processes == 0, format!("{} processes are left: {:?}", end.processes, self.bandog.processes()));
        hold(end.workspaces == 0, format!("workspaces are left: {:?}", self.bandog.workspaces()));
        let (was, is) = (start.descriptors, end.descriptors);
        hold(was == is, format!("{is} descriptors are open, {was} were at the start"));
        let (was, is) = (start.threads, end.threads);
        hold(was == is, format!("{is} threads run, {was} did at the start"));
        let (was, is) = (warm.rss_kib, end.rss_kib);
        hold(is <= was + GROWTH_KIB, format!("bandog holds {is} KiB of memory, after the warm-up it was {was}"));
        faults
    }
}
