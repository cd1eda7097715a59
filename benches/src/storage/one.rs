//! One large object that is fetched, and stored under another key.

use super::{
    content,
    function::Function,
    reference::{self, Reference},
    rounds,
    store::Store,
};
use crate::{
    report::{Goal, Line, Report, Unit},
    setting::Setting,
};

/// The input file is the output file.
const MOVE: &str = r#"exec mv "$INPUT_FILE_PATH" "$TMP_OUTPUT_DIR/out.bin""#;

/// Of the content.
const SEED: u64 = 1;

pub(super) fn measure(setting: &Setting, reference: Option<&Reference>, report: &mut Report) -> anyhow::Result<()> {
    let megabytes: u64 = if setting.short { 64 } else { 1000 };
    let size = megabytes * 1_000_000;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..rounds(setting) {
        setting.check()?;
        let store = filled(setting, size)?;
        let function = Function::start(setting, &store, MOVE)?;
        ours.push(function.run(&store, 1, 1)?.added().as_secs_f64());
        content::check(&store.outputs()?.join("out.bin"), size, SEED)?;
        if let Some(reference) = reference {
            setting.check()?;
            drop((function, store));
            let store = filled(setting, size)?;
            theirs.push(reference.transfer(&store, None)?.as_secs_f64());
            content::check(&store.outputs()?.join("out.bin"), size, SEED)?;
        }
    }
    let work = format!("one object of {megabytes} MB in and out of a store");
    report.add(if theirs.is_empty() {
        Line::Figure { work, unit: Unit::Seconds, rounds: ours, goal: None }
    } else {
        let (against, goal) = (reference::NAME.to_owned(), Some(Goal::AtMost(0.6)));
        Line::Comparison { work, against, unit: Unit::Seconds, ours, theirs, goal }
    });
    Ok(())
}

/// A store whose input has so many bytes.
fn filled(setting: &Setting, size: u64) -> anyhow::Result<Store> {
    let store = Store::start(setting)?;
    content::write(&store.input()?, size, SEED)?;
    Ok(store)
}
