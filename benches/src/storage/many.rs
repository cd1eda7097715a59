//! Many small output files, beside the reference and beside what the store takes at most.

use std::fs;

use super::{
    content::Files,
    function::Function,
    loader,
    reference::{self, Reference},
    rounds,
    store::Store,
};
use crate::{
    report::{Goal, Line, Report, Unit, median},
    setting::Setting,
};

/// How the loader is called in the report.
const BARE: &str = "16 bare connections";

/// The goals: of the two that is to be reached which asks for less.
const TIMES_REFERENCE: f64 = 8.0;
const TIMES_BARE: f64 = 0.7;

pub(super) fn measure(setting: &Setting, reference: Option<&Reference>, report: &mut Report) -> anyhow::Result<()> {
    let files = Files { count: if setting.short { 500 } else { 10_000 }, size: 10_000 };
    let home = tempfile::tempdir_in(&setting.tmpfs)?;
    let kept = home.path().join("files");
    files.write(&kept)?;
    let script = format!(r#"exec cp -r {}/. "$TMP_OUTPUT_DIR""#, kept.display());
    let rate = |seconds: f64| files.count as f64 / seconds;
    let (mut ours, mut bare, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds(setting) {
        setting.check()?;
        let store = filled(setting)?;
        let function = Function::start(setting, &store, &script)?;
        ours.push(rate(function.run(&store, 1, files.count)?.added().as_secs_f64()));
        files.check(&store.outputs()?)?;
        drop((function, store));

        setting.check()?;
        let store = filled(setting)?;
        bare.push(rate(loader::store(&store, files)?.as_secs_f64()));
        files.check(&store.outputs()?)?;
        drop(store);

        if let Some(reference) = reference {
            setting.check()?;
            let store = filled(setting)?;
            theirs.push(rate(reference.transfer(&store, Some(&kept))?.as_secs_f64()));
            files.check(&store.outputs()?)?;
        }
    }
    let bare_is_less = theirs.is_empty() || median(&bare) * TIMES_BARE <= median(&theirs) * TIMES_REFERENCE;
    let work = format!("{} output files of {} KB into a store", files.count, files.size / 1000);
    let mut compare = |against: &str, theirs: Vec<f64>, goal: Option<f64>| {
        let (work, against, ours, goal) = (work.clone(), against.to_owned(), ours.clone(), goal.map(Goal::AtLeast));
        report.add(Line::Comparison { work, against, unit: Unit::PerSecond, ours, theirs, goal });
    };
    if !theirs.is_empty() {
        compare(reference::NAME, theirs, (!bare_is_less).then_some(TIMES_REFERENCE));
    }
    compare(BARE, bare, bare_is_less.then_some(TIMES_BARE));
    Ok(())
}

/// A store with an input of a few bytes.
fn filled(setting: &Setting) -> anyhow::Result<Store> {
    let store = Store::start(setting)?;
    fs::write(store.input()?, "hello\n")?;
    Ok(store)
}
