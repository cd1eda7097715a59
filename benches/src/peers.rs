//! Alternatives that a user could pick, at the same work on the same machine in the same rounds.
//!
//! "The same work" is: the six bytes of the body are written to a file by a script, and that file's content is the
//! answer. Where a peer leaves a part of it to the script, the script does it with as little as it can: no private
//! directory, no copy of the body beside it, a name made of the process id. Beside that each server is measured with a
//! script that only copies the body to the answer ("no file"), which is less than bandog does.

mod fcgiwrap;
pub(crate) mod kit;
mod lighttpd;
mod supervisor;
mod webhook;

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;

use crate::{
    child::Child,
    limit,
    load::Load,
    peers::kit::Kit,
    report::{Goal, Line, Report, Throughput, Unit},
    server::{START, Server},
    setting::Setting,
    small::{ANSWER, INPUT, TYPE, clients},
};

/// Clients at once.
const CLIENTS: [usize; 4] = [1, 2, 8, 64];

/// One of those is there for the plot alone.
const DRAWN: usize = 2;

/// At how many clients the servers' "no file" scripts are measured.
const LEAN: usize = 8;

/// A server that runs a script for each request.
struct Peer {
    /// Requests for the same work.
    same: Load,
    /// Requests for less work.
    lean: Load,
    _children: Vec<Child>,
}

/// Starts one of them.
type Start = fn(&Kit) -> anyhow::Result<Peer>;

/// The measurements of one contender.
struct Seen {
    name: String,
    /// For each number of clients, round by round: its own rates, and bandog's in those rounds.
    rates: Vec<Pairs>,
    lean: Pairs,
    /// Why it is not measured any more.
    failed: Option<anyhow::Error>,
}

#[derive(Default)]
struct Pairs {
    ours: Vec<f64>,
    theirs: Vec<f64>,
}

impl Pairs {
    fn push(&mut self, ours: f64, theirs: f64) {
        self.ours.push(ours);
        self.theirs.push(theirs);
    }
}

impl Seen {
    fn of(name: &str) -> Self {
        let rates = CLIENTS.iter().map(|_| Pairs::default()).collect();
        Self { name: name.into(), rates, lean: Pairs::default(), failed: None }
    }

    /// Notes the failure, if it is one.
    fn judge<T>(&mut self, result: anyhow::Result<T>) -> Option<T> {
        result.map_err(|error| self.failed = Some(error)).ok()
    }
}

pub fn measure(setting: &Setting, report: &mut Report) -> anyhow::Result<()> {
    let home = tempfile::tempdir_in(&setting.tmpfs)?;
    let script = limit::script(home.path())?;
    let workspace = home.path().join("work");
    fs::create_dir(&workspace)?;
    let server = Server::start(setting, &workspace, &[], &["/bin/sh", script.to_str().context("a path in UTF-8")?])?;
    let load = Load::post(server.address, "/", TYPE, INPUT, ANSWER);
    load.check().context("bandog")?;
    let kit = Kit::new(setting, home.path())?;

    // A peer that can't be had is a line of the report.
    let mut peers = Vec::new();
    let starts: [(&str, Start); 3] =
        [(webhook::NAME, webhook::start), (lighttpd::NAME, lighttpd::start), (fcgiwrap::NAME, fcgiwrap::start)];
    for (name, start) in starts {
        setting.check()?;
        let mut seen = Seen::of(name);
        let peer = start(&kit).and_then(|peer| {
            peer.answers()?;
            Ok(peer)
        });
        peers.push((seen.judge(peer), seen));
    }
    let mut supervisor = Seen::of(supervisor::NAME);
    let per_request = supervisor.judge(supervisor::Supervisor::find(&kit));

    for round in 0..=setting.rounds {
        let counts = round > 0;
        for (place, clients) in CLIENTS.into_iter().enumerate() {
            setting.check()?;
            let ours = load.run(clients, setting.window(clients)).context("bandog")?.rate;
            for (peer, seen) in &mut peers {
                let Some(peer) = peer.as_ref().filter(|_| seen.failed.is_none()) else { continue };
                let same = peer.same.run(clients, setting.window(clients));
                let same = seen.judge(same.with_context(|| format!("at {clients} clients")));
                if let Some(same) = same.filter(|_| counts) {
                    seen.rates[place].push(ours, same.rate);
                }
                if clients == LEAN && seen.failed.is_none() {
                    let lean = seen.judge(peer.lean.run(clients, setting.window(clients)));
                    if let Some(lean) = lean.filter(|_| counts) {
                        seen.lean.push(ours, lean.rate);
                    }
                }
            }
            if let Some(per_request) = per_request.as_ref().filter(|_| supervisor.failed.is_none())
                && supervisor::Supervisor::has_a_turn(setting, round, clients)
            {
                let rate = per_request.run(clients);
                if let Some(rate) = supervisor.judge(rate.with_context(|| format!("at {clients} clients"))) {
                    supervisor.rates[place].push(ours, rate);
                }
            }
        }
    }
    for (seen, goal) in [(supervisor, 150.0)].into_iter().chain(peers.into_iter().map(|(_, seen)| (seen, 1.0))) {
        tell(seen, goal, report);
    }
    Ok(())
}

fn tell(seen: Seen, goal: f64, report: &mut Report) {
    let Seen { name, rates, lean, failed } = seen;
    for (clients_at_once, Pairs { ours, theirs }) in CLIENTS.into_iter().zip(rates) {
        if theirs.is_empty() {
            continue;
        }
        report.throughput.push(Throughput {
            contender: name.clone(),
            clients: clients_at_once,
            rounds: theirs.clone(),
        });
        if clients_at_once == DRAWN {
            continue;
        }
        report.add(Line::Comparison {
            work: format!("script with one output file, {}", clients(clients_at_once)),
            against: name.clone(),
            unit: Unit::PerSecond,
            ours,
            theirs,
            goal: Some(Goal::AtLeast(goal)),
        });
    }
    if !lean.theirs.is_empty() {
        report.add(Line::Comparison {
            work: format!("script with one output file, {}", clients(LEAN)),
            against: format!("{name}, no file"),
            unit: Unit::PerSecond,
            ours: lean.ours,
            theirs: lean.theirs,
            goal: None,
        });
    }
    if let Some(error) = failed {
        report.add(Line::Absent { contender: name, why: format!("{error:#}") });
    }
}

impl Peer {
    /// Waits until it answers, and answers right.
    fn answers(&self) -> anyhow::Result<()> {
        let began = Instant::now();
        while let Err(error) = self.same.check() {
            if began.elapsed() > START {
                return Err(error.context(format!("no right answer in {START:?}")));
            }
            thread::sleep(Duration::from_millis(20));
        }
        self.lean.check().context("without a file")
    }
}
