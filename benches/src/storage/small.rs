//! An event about an object of six bytes, which a script copies to an output: the time beside that of the script.

use std::fs;

use anyhow::ensure;

use super::{
    function::Function,
    reference::{self, Reference, bare_script},
    rounds,
    store::Store,
};
use crate::{
    report::{Goal, Line, Report, Unit, median},
    setting::Setting,
};

const COPY: &str = r#"cat "$INPUT_FILE_PATH" > "$TMP_OUTPUT_DIR/out.bin""#;

const CONTENT: &str = "hello\n";

/// Events of bandog, and of the reference, in a round. The first one of bandog, which opens its connection to the store,
/// does not count; the reference opens one each time, as it is started for each event.
const EVENTS: usize = 50;
const REFERENCE_EVENTS: usize = 3;

pub(super) fn measure(setting: &Setting, reference: Option<&Reference>, report: &mut Report) -> anyhow::Result<()> {
    let home = tempfile::tempdir_in(&setting.tmpfs)?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..rounds(setting) {
        setting.check()?;
        let store = Store::start(setting)?;
        fs::write(store.input()?, CONTENT)?;
        let function = Function::start(setting, &store, COPY)?;
        let (mut whole, mut script) = (Vec::new(), Vec::new());
        for number in 0..=EVENTS {
            let bare = bare_script(COPY, &store.input()?, &home.path().join("out"))?;
            let event = function.run(&store, number, 1)?.whole;
            check(&store)?;
            if number > 0 {
                script.push(bare.as_secs_f64());
                whole.push(event.as_secs_f64());
            }
        }
        ours.push(median(&whole) - median(&script));
        let Some(reference) = reference else { continue };
        let mut whole = Vec::new();
        for _ in 0..REFERENCE_EVENTS {
            setting.check()?;
            store.forget_outputs()?;
            whole.push(reference.invoke(&store, COPY)?.as_secs_f64());
            check(&store)?;
        }
        theirs.push(median(&whole) - median(&script));
    }
    let work = "time that an event about an object of six bytes adds to its script".to_owned();
    report.add(if theirs.is_empty() {
        Line::Figure { work, unit: Unit::Seconds, rounds: ours, goal: None }
    } else {
        let (against, goal) = (format!("{}, started for each event", reference::NAME), Some(Goal::AtMost(0.05)));
        Line::Comparison { work, against, unit: Unit::Seconds, ours, theirs, goal }
    });
    Ok(())
}

fn check(store: &Store) -> anyhow::Result<()> {
    let found = fs::read_to_string(store.outputs()?.join("out.bin"))?;
    ensure!(found == CONTENT, "the object is {found:?}");
    Ok(())
}
