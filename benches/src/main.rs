//! Measures bandog beside the limit and beside what a user could pick instead, in one run on one machine.
//!
//! Contenders take turns (A B A B …) in rounds, so that a busy machine slows all of them; what counts is the ratio of
//! the medians. Everything is on loopback and in temporary directories, bounded in count and time, and gone at the end.

use std::{fs, time::Instant};

mod answer;
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "sizes of files, on 64 bits")]
mod bytes;
mod child;
mod floor;
#[expect(clippy::cast_precision_loss, reason = "bytes and counts far below 2^52")]
mod growth;
mod limit;
mod load;
mod machine;
mod peers;
mod plot;
mod readme;
mod refusals;
mod report;
mod responder;
mod server;
mod setting;
mod small;
#[expect(clippy::cast_precision_loss, reason = "counts and sizes far below 2^52")]
mod storage;
mod table;

use anyhow::Context as _;
use machine::Machine;
use report::Report;
use setting::Setting;

/// A kind of work: the name that `BENCH_ONLY` knows it by, and what measures it.
type Work = (&'static str, fn(&Setting, &mut Report) -> anyhow::Result<()>);

/// All of them, in the order of the table.
const WORK: [Work; 11] = [
    ("small", small::measure),
    ("peers", peers::measure),
    ("refusals", refusals::measure),
    ("base64", bytes::base64),
    ("raw", bytes::raw),
    ("peak", bytes::peak),
    ("logs", bytes::logs),
    ("zip", bytes::zip),
    ("linear", bytes::linear),
    ("growth", growth::measure),
    ("storage", storage::measure),
];

fn main() -> anyhow::Result<()> {
    if let Some(arguments) = floor::asked_for() {
        return floor::serve(&arguments);
    }
    let setting = Setting::from_environment()?;
    let report = match &setting.from {
        Some(path) => serde_json::from_slice(&fs::read(path)?)?,
        None => measure(&setting)?,
    };
    let text = table::markdown(&report);
    print!("{text}");
    fs::write(setting.output.join("report.md"), &text)?;
    fs::write(setting.output.join("report.json"), serde_json::to_vec_pretty(&report)?)?;
    // The figures are there without a picture of them, so what hinders that is only told.
    if let Err(error) = plot::write(&report, &setting.output) {
        eprintln!("bench: no plots: {error:#}");
    }
    if setting.readme {
        readme::refresh(&setting, &report, &text)?;
    }
    eprintln!("bench: the report is in {}", setting.output.display());
    Ok(())
}

fn measure(setting: &Setting) -> anyhow::Result<Report> {
    let (rounds, short) = (setting.rounds, setting.short);
    let mut report = Report { machine: Machine::of(setting)?, rounds, short, ..Report::default() };
    for (name, measure) in WORK {
        if setting.wants(name) {
            setting.check()?;
            let began = Instant::now();
            measure(setting, &mut report).with_context(|| format!("{name} could not be measured"))?;
            eprintln!("bench: {name} measured in {:.0?}", began.elapsed());
        }
    }
    Ok(report)
}
