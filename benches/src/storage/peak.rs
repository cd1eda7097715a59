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

/// The input file is the output file, under a name that no other run has at this time.
const MOVE: &str = r#"exec mv "$INPUT_FILE_PATH" "$TMP_OUTPUT_DIR/$$.bin""#;

const MB: u64 = 1_000_000;

pub(super) fn measure(setting: &Setting, report: &mut Report) -> anyhow::Result<()> {
    let mut add = |work: String, bytes: u64| {
        let goal = Some(Goal::AtMost(PEAK));
        report.add(Line::Figure { work, unit: Unit::Bytes, rounds: vec![bytes as f64], goal });
    };
    // Over the size from which objects are sent in parts.
    let (single, each): (u64, u64) = if setting.short { (64, 20) } else { (1000, 64) };
    for megabytes in [10, single] {
        setting.check()?;
        add(format!("peak RSS, {megabytes} MB in and out of a store"), of_events(setting, megabytes * MB, 1)?);
    }
    setting.check()?;
    let work = format!("peak RSS, {TRANSFERS} events at once, each {each} MB in and out of a store");
    add(work, of_events(setting, each * MB, TRANSFERS)?);
    setting.check()?;
    add(format!("peak RSS, {TRANSFERS} output files of {each} MB at once into a store"), of_files(setting, each * MB)?);
    Ok(())
}

/// Several events at once about one object.
fn of_events(setting: &Setting, size: u64, events: usize) -> anyhow::Result<u64> {
    let store = Store::start(setting)?;
    content::write(&store.input()?, size, 1)?;
    let function = Function::start(setting, &store, MOVE)?;
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
        content::check(&object?.path(), size, 1)?;
        found += 1;
    }
    ensure!(found == events, "{found} objects were stored, not {events}");
    function.peak()
}

/// One event whose function writes several large files.
fn of_files(setting: &Setting, size: u64) -> anyhow::Result<u64> {
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
