//! The cost of refusals: how long a refusal takes while 1,000 connections are open, and how much throughput accepted
//! work keeps while other requests are refused.
//!
//! Measured in turns, undisturbed and disturbed. The work is a function that waits, so that what is seen is bandog's
//! own part and not the intruders' share of the processors, and one that computes, where both compete for the same
//! ones.

use std::{
    fs,
    net::TcpStream,
    path::Path,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{bail, ensure};

use crate::{
    load::{Load, quantile},
    report::{Line, Report, Unit},
    server::{START, Server},
    setting::Setting,
    small::TYPE,
};

/// Connections that do nothing.
const OPEN: usize = 1000;

/// Refusals that are timed among them, in each round.
const TIMED: usize = 400;

/// How long one intruder comes after the other: 500 a second.
const APART: Duration = Duration::from_millis(2);

/// How long the work is watched in one turn.
const SPAN: Duration = Duration::from_secs(1);

pub fn measure(setting: &Setting, report: &mut Report) -> anyhow::Result<()> {
    let home = tempfile::tempdir_in(&setting.tmpfs)?;
    refusal(setting, home.path(), report)?;
    work(setting, home.path(), "waits 20 ms", "sleep 0.02", report)?;
    work(setting, home.path(), "computes", "cat /etc/passwd >\"$TMP_OUTPUT_DIR/x\"", report)
}

/// A request without a body.
fn load(server: &Server) -> Load {
    Load::post(server.address, "/", TYPE, b"", b"")
}

/// How long a refusal takes.
fn refusal(setting: &Setting, home: &Path, report: &mut Report) -> anyhow::Result<()> {
    let started = home.join("started");
    let script = format!(": >{}; sleep 60", started.display());
    let server = Server::start(setting, home, &["--max-inflight", "1"], &["sh", "-c", &script])?;
    let load = load(&server);
    let (mut usual, mut most) = (Vec::new(), Vec::new());
    thread::scope(|scope| {
        // The end of the listener ends this request; its answer does not matter.
        let busy = load.clone();
        scope.spawn(move || busy.once());
        let began = Instant::now();
        while !started.exists() {
            ensure!(began.elapsed() < START, "the function did not start in {START:?}");
            thread::sleep(Duration::from_millis(2));
        }
        let open = (0..OPEN).map(|_| TcpStream::connect(server.address)).collect::<Result<Vec<_>, _>>()?;
        for round in 0..=setting.rounds {
            setting.check()?;
            let mut took = Vec::with_capacity(TIMED);
            for _ in 0..TIMED {
                let began = Instant::now();
                let status = load.once()?.status;
                ensure!(status == 429, "a request too many was answered with {status}, not 429");
                took.push(began.elapsed());
            }
            took.sort();
            if round > 0 {
                usual.push(quantile(&took, 0.5));
                most.push(quantile(&took, 0.99));
            }
        }
        drop((open, server));
        Ok(())
    })?;
    fs::remove_file(started)?;
    for (part, rounds) in [("p50", usual), ("p99", most)] {
        report.add(Line::Figure {
            work: format!("a refusal on a new connection beside {OPEN} open ones, {part}"),
            unit: Unit::Microseconds,
            rounds,
            goal: None,
        });
    }
    Ok(())
}

/// The cost of refusals for accepted work.
fn work(setting: &Setting, home: &Path, kind: &str, script: &str, report: &mut Report) -> anyhow::Result<()> {
    let server = Server::start(setting, home, &["--max-inflight", "2", "--max-queue", "2"], &["sh", "-c", script])?;
    let (mut beside, mut alone, mut refused) = (Vec::new(), Vec::new(), 0);
    for round in 0..=setting.rounds {
        setting.check()?;
        let (undisturbed, _) = throughput(&server, false)?;
        let (disturbed, turned_away) = throughput(&server, true)?;
        if round > 0 {
            alone.push(undisturbed);
            beside.push(disturbed);
            refused += turned_away;
        }
    }
    ensure!(refused > 0, "none of the intruders was refused");
    report.add(Line::Comparison {
        work: format!("a function that {kind}, two at once, beside {} refusals a second", refused / setting.rounds),
        against: "the same, undisturbed".into(),
        unit: Unit::PerSecond,
        ours: beside,
        theirs: alone,
        goal: None,
    });
    Ok(())
}

/// Answers a second to four clients for two places and two turns, while intruders come one after the other; and how
/// many of those were refused.
fn throughput(server: &Server, disturbed: bool) -> anyhow::Result<(f64, usize)> {
    let (stop, done) = (AtomicBool::new(false), AtomicUsize::new(0));
    let load = load(server);
    // Whether it was done; else it was refused.
    let ask = || {
        anyhow::Ok(match load.once()?.status {
            200 => {
                done.fetch_add(1, Ordering::Relaxed);
                true
            }
            429 => false,
            status => bail!("status {status}, neither 200 nor 429"),
        })
    };
    let client = || {
        while !stop.load(Ordering::Relaxed) {
            if !ask()? {
                // An intruder was quicker.
                thread::sleep(Duration::from_millis(1));
            }
        }
        anyhow::Ok(())
    };
    let began = Instant::now();
    let refused = thread::scope(|scope| {
        let clients: Vec<_> = (0..4).map(|_| scope.spawn(client)).collect();
        let intrude = || {
            let (mut refused, mut due) = (0, Duration::ZERO);
            while disturbed && due < SPAN {
                thread::sleep(due.saturating_sub(began.elapsed()));
                refused += usize::from(!ask()?);
                due += APART;
            }
            thread::sleep(SPAN.saturating_sub(began.elapsed()));
            anyhow::Ok(refused)
        };
        let refused = intrude();
        stop.store(true, Ordering::Relaxed);
        clients.into_iter().try_for_each(|client| client.join().expect("no panic"))?;
        refused
    })?;
    #[expect(clippy::cast_precision_loss, reason = "a count of requests is far below 2^52")]
    let done = done.load(Ordering::Relaxed) as f64;
    Ok((done / began.elapsed().as_secs_f64(), refused))
}
