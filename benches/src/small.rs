//! The small case: a script that copies six bytes into one output file. What is measured is the way there and back.

use std::{fs, path::Path};

use anyhow::Context as _;

use crate::{
    limit::{self, Bare},
    load::Load,
    report::{Goal, Line, Report, Throughput, Unit},
    responder::Responder,
    server::Server,
    setting::Setting,
};

/// The body of each request, as it is sent.
pub const INPUT: &[u8] = b"hello\n";

/// The body of each answer: the output file in base64.
pub const ANSWER: &[u8] = b"aGVsbG8K";

/// The type it is sent as: stored as it is.
pub const TYPE: &str = "application/octet-stream";

/// How bandog is called in the report.
pub const BANDOG: &str = "bandog";

/// Clients at once.
const CLIENTS: [usize; 4] = [1, 2, 8, 64];

/// Seen for each contender and number at once, round by round.
#[derive(Default)]
struct Rounds {
    limit: Vec<Vec<f64>>,
    bandog: Vec<Vec<f64>>,
    disk: Vec<f64>,
    added: Vec<f64>,
    added_at_worst: Vec<f64>,
    generator: Vec<f64>,
    busy: Vec<f64>,
}

pub fn measure(setting: &Setting, report: &mut Report) -> anyhow::Result<()> {
    let home = tempfile::tempdir_in(&setting.tmpfs)?;
    let script = limit::script(home.path())?;
    let function = ["/bin/sh", script.to_str().context("a path in UTF-8")?];
    // Names of one length: a path's length is part of what a script is started with. A listener clears what another
    // one left in its directory, so the loops have one of their own.
    let [workspace, beside] = ["work", "bare"].map(|name| home.path().join(name));
    fs::create_dir(&workspace)?;
    fs::create_dir(&beside)?;

    let mut at_once = vec![1, setting.cores, 8];
    at_once.sort_unstable();
    at_once.dedup();
    let bare = bare_loops(setting, &beside, &function, 8.max(setting.cores))?;
    let server = Server::start(setting, &workspace, &[], &function)?;
    let load = Load::post(server.address, "/", TYPE, INPUT, ANSWER);
    load.check().context("bandog")?;

    let slow = tempfile::tempdir_in(&setting.disk)?;
    let on_disk = if setting.is_on_disk()? { Some(Server::start(setting, slow.path(), &[], &function)?) } else { None };
    let responder = Responder::start()?;

    let mut rounds =
        Rounds { limit: vec![vec![]; at_once.len()], bandog: vec![vec![]; CLIENTS.len()], ..Rounds::default() };
    for round in 0..=setting.rounds {
        setting.check()?;
        let mut seen =
            Rounds { limit: vec![vec![]; at_once.len()], bandog: vec![vec![]; CLIENTS.len()], ..Rounds::default() };
        let mut alone = None;
        // Those that are compared with each other stand side by side.
        for place in 0..CLIENTS.len().max(at_once.len()) {
            if let Some(count) = at_once.get(place) {
                let outcome = limit::run(&bare[..*count], setting.window(*count))?;
                seen.limit[place].push(outcome.rate);
                alone = alone.or(Some(outcome));
            }
            if let Some(clients) = CLIENTS.get(place) {
                let outcome = load.run(*clients, setting.window(*clients))?;
                seen.bandog[place].push(outcome.rate);
                if let (1, Some(alone)) = (*clients, &alone) {
                    seen.added.push(outcome.quantile(0.5) - alone.quantile(0.5));
                    seen.added_at_worst.push(outcome.quantile(0.99) - alone.quantile(0.99));
                }
                if let (8, Some(on_disk)) = (*clients, &on_disk) {
                    seen.busy.push(outcome.busy);
                    seen.disk.push(
                        Load { address: on_disk.address, ..load.clone() }.run(*clients, setting.window(*clients))?.rate,
                    );
                }
            }
        }
        seen.generator.push(responder.load().run(8, setting.window(8))?.rate);
        // The first round warms caches and does not count.
        if round > 0 {
            rounds.extend(seen);
        }
    }
    rounds.tell(&at_once, report);
    if on_disk.is_none() {
        let why = format!("{} is not on a disk; BENCH_DISK=DIR names a directory that is", setting.disk.display());
        report.add(Line::Absent { contender: "bandog, workspace on the disk".into(), why });
    }
    Ok(())
}

/// Loops with the environment that bandog gives its function, in directories of the same names.
fn bare_loops(setting: &Setting, workspace: &Path, function: &[&str], count: usize) -> anyhow::Result<Vec<Bare>> {
    let home = tempfile::tempdir_in(&setting.tmpfs)?;
    let file = home.path().join("environment");
    let told = {
        let server = Server::start(setting, workspace, &[], &["/bin/sh", "-c", &limit::tell(&file)])?;
        let load = Load::post(server.address, "/", TYPE, INPUT, b"");
        (0..count).map(|_| limit::environment(&load, &file)).collect::<anyhow::Result<Vec<_>>>()?
    };
    told.into_iter().map(|environment| Bare::new(function, environment, INPUT, "out.bin")).collect()
}

impl Rounds {
    fn extend(&mut self, other: Self) {
        let pairs = self.limit.iter_mut().zip(other.limit).chain(self.bandog.iter_mut().zip(other.bandog));
        pairs.for_each(|(mine, theirs)| mine.extend(theirs));
        self.disk.extend(other.disk);
        self.added.extend(other.added);
        self.added_at_worst.extend(other.added_at_worst);
        self.generator.extend(other.generator);
        self.busy.extend(other.busy);
    }

    fn tell(self, at_once: &[usize], report: &mut Report) {
        let eight = CLIENTS.iter().position(|clients| *clients == 8).expect("eight clients are measured");
        for (place, count) in at_once.iter().enumerate() {
            let cores = at_once.len() > 1 && place == 1;
            let (ours, goal) = match count {
                1 => (0, None),
                8 => (eight, Some(Goal::AtLeast(0.92))),
                _ if cores => (eight, Some(Goal::AtLeast(0.88))),
                _ => continue,
            };
            report.add(Line::Comparison {
                work: format!("script with one output file, {}", clients(CLIENTS[ours])),
                against: format!("bare posix_spawn, {count} at a time"),
                unit: Unit::PerSecond,
                ours: self.bandog[ours].clone(),
                theirs: self.limit[place].clone(),
                goal,
            });
        }
        report.add(Line::Figure {
            work: "time added to a bare spawn, 1 client, p50".into(),
            unit: Unit::Microseconds,
            rounds: self.added,
            goal: Some(Goal::AtMost(120.0)),
        });
        report.add(Line::Figure {
            work: "time added to a bare spawn, 1 client, p99".into(),
            unit: Unit::Microseconds,
            rounds: self.added_at_worst,
            goal: None,
        });
        if !self.disk.is_empty() {
            report.add(Line::Comparison {
                work: "same, 8 clients, workspace on the disk".into(),
                against: "bandog, workspace on tmpfs".into(),
                unit: Unit::PerSecond,
                ours: self.disk,
                theirs: self.bandog[eight].clone(),
                goal: Some(Goal::AtLeast(0.90)),
            });
        }
        report.add(Line::Figure {
            work: "the load generator against a responder that runs nothing, 8 clients".into(),
            unit: Unit::PerSecond,
            rounds: self.generator,
            goal: None,
        });
        report.add(Line::Figure {
            work: "the load generator's share of one processor, bandog, 8 clients".into(),
            unit: Unit::Share,
            rounds: self.busy,
            goal: None,
        });
        for (count, rates) in at_once.iter().zip(self.limit) {
            report.throughput.push(Throughput { contender: limit::NAME.into(), clients: *count, rounds: rates });
        }
        for (clients, rates) in CLIENTS.iter().zip(self.bandog) {
            report.throughput.push(Throughput { contender: BANDOG.into(), clients: *clients, rounds: rates });
        }
    }
}

/// So many clients, in words.
pub fn clients(count: usize) -> String {
    format!("{count} client{}", if count == 1 { "" } else { "s" })
}
