//! Measures bandog beside the limit and beside what a user could pick instead, in one run on one machine.
//!
//! Contenders take turns (A B A B …) in rounds, so that a busy machine slows all of them; what counts is the ratio of
//! the medians. Everything is on loopback and in temporary directories, bounded in count and time, and gone at the end.

use std::fs;

mod answer;
mod child;
mod limit;
mod load;
mod machine;
mod report;
mod responder;
mod server;
mod setting;
mod small;
mod table;

use machine::Machine;
use report::Report;
use setting::Setting;

/// A kind of work: the name that `BENCH_ONLY` knows it by, and what measures it.
type Work = (&'static str, fn(&Setting, &mut Report) -> anyhow::Result<()>);

/// All of them, in the order of the table.
const WORK: [Work; 1] = [("small", small::measure)];

fn main() -> anyhow::Result<()> {
    let setting = Setting::from_environment()?;
    let machine = Machine::of(&setting)?;
    let mut report = Report::default();
    for (name, measure) in WORK {
        if setting.wants(name) {
            setting.check()?;
            measure(&setting, &mut report)?;
        }
    }
    let text = table::markdown(&report, &machine, setting.rounds);
    print!("{text}");
    fs::write(setting.output.join("report.md"), text)?;
    let everything = serde_json::json!({ "machine": machine, "lines": report.lines, "throughput": report.throughput });
    fs::write(setting.output.join("report.json"), serde_json::to_vec_pretty(&everything)?)?;
    Ok(())
}
