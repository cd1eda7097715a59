//! The chaos soak: three running bandogs (a function's, a server's, and typed actions'), mixed traffic of every kind over
//! HTTP/1 and HTTP/2, functions that misbehave, clients that leave or take nothing, random kills; and an oracle that
//! knows of every answer what it must be, byte for byte.
//!
//! ```text
//! make soak                        two minutes against the release binary
//! SOAK_SECONDS=600 make soak       ten
//! SOAK_SEED=… make soak            the same plan again (when what happens is not in the plan)
//! SOAK_SEED=… SOAK_ONLY=17 …       case 17 of that plan alone, without chaos
//! SOAK_BINARY=PATH …               another binary
//! ```
//!
//! [`plan`] makes cases of the [`kind`]s, [`run`] has workers take them, [`play`] plays them over [`wire`] and [`h2c`]
//! against one [`bandog`], [`oracle`] judges, [`chaos`] kills, [`crowd`] knows when a 429 is due, [`census`] counts what
//! each bandog holds and holds it against its limits, [`table`] is what is printed, and written to
//! `target/soak/table.md`. The exit code is 0 only if every line of it is good.

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
mod run;
mod shapes;
mod table;
mod wire;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
    time::Duration,
};

use bandog::Service;
use census::{Census, Course};
use run::Run;

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
    let mut run = Run::start(&binary, seed)?;
    if let Some(index) = setting("SOAK_ONLY")? {
        run.case(index);
        println!("{}", run.tally().table());
        return Ok(run.tally().wrong() == 0);
    }
    // The first request has opened what stays open; its connection is gone in a moment.
    thread::sleep(Duration::from_secs(1));
    let start = Service::ALL.map(|service| Census::of(run.bandog(service)));
    run.traffic(Duration::from_secs((seconds / 4).clamp(5, 30)));
    let warm = run.when_quiet(start);
    let most = run.traffic(Duration::from_secs(seconds));
    let end = run.when_quiet(start);
    let courses = Service::ALL.map(|service| {
        let place = service as usize;
        let course = Course { start: start[place], warm: warm[place], most: most[place].0, end: end[place] };
        (service, course)
    });
    let report = run.report(&courses);
    let mut faults = run.faults(&courses);
    faults.extend(run.stop());
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
