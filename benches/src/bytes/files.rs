//! Many small output files as a zip, beside `tar`.
//!
//! The function moves a prepared tree into its output directory, which takes no time; bandog also removes the tree,
//! which `tar` does not.

use std::{fs, path::Path};

use super::{
    PEAK,
    client::{Exchange, Expected, Thoroughness},
    content::Content,
    output::into_a_pipe,
    server::Server,
};
use crate::{
    report::{Goal, Line, Report, Unit},
    setting::Setting,
};

const DIRECTORIES: usize = 100;
const FILES: usize = 100;
/// Bytes of each file.
const SIZE: usize = 1024;

pub fn measure(setting: &Setting, report: &mut Report) -> anyhow::Result<()> {
    let directory = tempfile::tempdir_in(&setting.tmpfs)?;
    let (kept, next) = (directory.path().join("kept"), directory.path().join("next"));
    make_tree(&kept)?;
    // A pipe, as tar(1) reads no file at all if its archive is /dev/null.
    let tar = format!("exec tar c -C {} .", kept.display());
    let script = format!(r#"exec mv {} "$TMP_OUTPUT_DIR/tree""#, next.display());
    let server = Server::start(setting, &[], &script)?;
    let (total, nothing) = ((DIRECTORIES * FILES * SIZE) as u64, Content::new(0));
    let (mut theirs, mut zip, mut base64, mut remove) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..=setting.rounds {
        let archived = into_a_pipe(&tar, total)?;
        let ask = |fields| {
            make_tree(&next)?;
            let exchange = Exchange { address: server.address, fields, body: nothing.raw() };
            anyhow::Ok(exchange.run(&Expected::AtLeast(total), Thoroughness::Sample)?.as_secs_f64())
        };
        let (as_zip, as_base64) = (ask("Accept: application/zip\r\n")?, ask("")?);
        make_tree(&next)?;
        let began = std::time::Instant::now();
        fs::remove_dir_all(&next)?;
        let removed = began.elapsed().as_secs_f64();
        if round > 0 {
            theirs.push(archived.as_secs_f64());
            zip.push(as_zip);
            base64.push(as_base64);
            remove.push(removed);
        }
    }
    let speed = |seconds: &[f64]| -> Vec<f64> {
        seconds.iter().map(|seconds| (DIRECTORIES * FILES) as f64 / seconds).collect()
    };
    for (work, ours) in [("zip", &zip), ("base64 of a zip", &base64)] {
        report.add(Line::Comparison {
            work: format!("10,000 output files as {work}"),
            against: "tar c".to_owned(),
            unit: Unit::PerSecond,
            ours: speed(ours),
            theirs: speed(&theirs),
            goal: Some(Goal::AtLeast(0.7)),
        });
    }
    let both: Vec<f64> = theirs.iter().zip(&remove).map(|(archived, removed)| archived + removed).collect();
    report.add(Line::Comparison {
        work: "10,000 output files as zip".to_owned(),
        against: "tar c, then removing the files as bandog has".to_owned(),
        unit: Unit::PerSecond,
        ours: speed(&zip),
        theirs: speed(&both),
        goal: None,
    });
    report.add(Line::Figure {
        work: "peak RSS, 10,000 output files".to_owned(),
        unit: Unit::Bytes,
        rounds: vec![server.peak()? as f64],
        goal: Some(Goal::AtMost(PEAK)),
    });
    Ok(())
}

fn make_tree(root: &Path) -> anyhow::Result<()> {
    for directory in 0..DIRECTORIES {
        let directory = root.join(format!("directory-{directory:03}"));
        fs::create_dir_all(&directory)?;
        for file in 0..FILES {
            fs::write(directory.join(format!("file-{file:03}.txt")), vec![b'0' + (file % 10) as u8; SIZE])?;
        }
    }
    Ok(())
}
