//! The most memory that bandog holds while objects come and go.

use std::{fs, thread};

use anyhow::ensure;

use super::{content, content::Files, function::Function, store::Store};
use crate::{
    report::{Goal, Line, Report, Unit},
    setting::Setting,
};

/// Bytes that bandog may hold.
const PEAK: f64 = (16 * 1024 * 1024) as f64;

/// Transfers at once.
const TRANSFERS: usize = 16;

/// The first bytes of the input are the output, under a name that no other run has at this time.
const BEGINNING: &str = r#"exec head -c 6 "$INPUT_FILE_PATH" > "$TMP_OUTPUT_DIR/$$.bin""#;

/// The input file is the output file, under a name that no other run has at this time.
const MOVE: &str = r#"exec mv "$INPUT_FILE_PATH" "$TMP_OUTPUT_DIR/$$.bin""#;

const MB: u64 = 1_000_000;

pub(super) fn measure(setting: &Setting, report: &mut Report) -> anyhow::Result<()> {
    let mut add = |work: String, bytes: u64, goal: Option<f64>| {
        let goal = goal.map(Goal::AtMost);
        report.add(Line::Figure { work, unit: Unit::Bytes, rounds: vec![bytes as f64], goal });
    };
    // Over the size from which objects are sent in parts.
    let (single, each): (u64, u64) = if setting.short { (64, 20) } else { (1000, 64) };
    for megabytes in [10, single] {
        let size = megabytes * MB;
        let peak = of_events(setting, MOVE, (size, size), 1)?;
        add(format!("peak RSS, {megabytes} MB in and out of a store"), peak, Some(PEAK));
    }
    let size = each * MB;
    let peak = of_events(setting, BEGINNING, (size, 6), TRANSFERS)?;
    add(format!("peak RSS, {TRANSFERS} events at once, each {each} MB out of a store"), peak, Some(PEAK));
    add(
        format!("peak RSS, {TRANSFERS} output files of {each} MB at once into a store"),
        of_files(setting, size)?,
        Some(PEAK),
    );
    // The outputs are in the responses as well, which are on their way while others are stored.
    let peak = of_events(setting, MOVE, (size, size), TRANSFERS)?;
    add(format!("peak RSS, {TRANSFERS} events at once, each {each} MB in and out, and in the response"), peak, None);
    Ok(())
}

/// Several events at once about one object, whose output is its beginning.
fn of_events(setting: &Setting, script: &str, (input, output): (u64, u64), events: usize) -> anyhow::Result<u64> {
    setting.check()?;
    let store = Store::start(setting)?;
    content::write(&store.input()?, input, 1)?;
    let function = Function::start(setting, &store, script)?;
    thread::scope(|scope| {
        let (store, function) = (&store, &function);
        let runs: Vec<_> = (0..events).map(|number| scope.spawn(move || function.run(store, number, 1))).collect();
        runs.into_iter().try_for_each(|run| {
            run.join().map_err(|_| anyhow::anyhow!("a client panicked"))??;
            anyhow::Ok(())
        })
    })?;
    let mut found = 0;
    for object in fs::read_dir(store.outputs()?)? {
        content::check(&object?.path(), output, 1)?;
        found += 1;
    }
    ensure!(found == events, "{found} objects were stored, not {events}");
    function.peak()
}

/// One event whose function writes several large files.
fn of_files(setting: &Setting, size: u64) -> anyhow::Result<u64> {
    setting.check()?;
    let home = tempfile::tempdir_in(&setting.tmpfs)?;
    let kept = home.path().join("files");
    let files = Files { count: TRANSFERS, size: usize::try_from(size)? };
    files.write(&kept)?;
    let store = Store::start(setting)?;
    content::write(&store.input()?, 6, 1)?;
    let script = format!(r#"exec mv {}/* "$TMP_OUTPUT_DIR""#, kept.display());
    let function = Function::start(setting, &store, &script)?;
    function.run(&store, 1, TRANSFERS)?;
    files.check(&store.outputs()?)?;
    function.peak()
}
