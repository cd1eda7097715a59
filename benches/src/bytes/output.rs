//! The output of a function, kept as logs and sent as the answer, beside the same function with its output in a pipe
//! that is read and dropped.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};

use super::{
    MB, PEAK,
    client::{Exchange, Expected, Thoroughness},
    content::Content,
    server::Server,
};
use crate::{
    report::{Goal, Line, Report, Unit},
    setting::Setting,
};

/// Bytes read of a pipe at once: what it holds.
const READ: usize = 64 * 1024;

pub fn measure(setting: &Setting, report: &mut Report) -> anyhow::Result<()> {
    let directory = tempfile::tempdir_in(&setting.tmpfs)?;
    let (small, large) = (directory.path().join("5"), directory.path().join("64"));
    write_lines(&small, 5 * MB)?;
    write_lines(&large, 64 * MB)?;
    let all = format!("exec cat {}", large.display());
    let (ours, theirs, peak) = rounds(setting, &all, 64 * MB)?;
    report.add(Line::Comparison {
        work: "64 MB of output kept as logs".to_owned(),
        against: "the same into a pipe that is read and dropped".to_owned(),
        unit: Unit::Seconds,
        ours: ours.clone(),
        theirs,
        goal: None,
    });
    report.add(Line::Figure {
        work: "64 MB of output kept as logs".to_owned(),
        unit: Unit::BytesPerSecond,
        rounds: ours.iter().map(|seconds| (64 * MB) as f64 / seconds).collect(),
        goal: Some(Goal::AtLeast(500e6)),
    });
    report.add(Line::Figure {
        work: "peak RSS, 64 MB of output kept as logs".to_owned(),
        unit: Unit::Bytes,
        rounds: vec![peak as f64],
        goal: Some(Goal::AtMost(PEAK)),
    });
    for (how, command) in [
        ("", format!("exec cat {}", small.display())),
        (", written in 80-byte pieces", format!("exec dd bs=80 status=none if={}", small.display())),
    ] {
        let (ours, theirs, _) = rounds(setting, &command, 5 * MB)?;
        report.add(Line::Figure {
            work: format!("5 MB of output kept as logs{how}: time beyond the script's own"),
            unit: Unit::Seconds,
            rounds: ours.iter().zip(&theirs).map(|(ours, theirs)| ours - theirs).collect(),
            goal: Some(Goal::AtMost(0.050)),
        });
    }
    Ok(())
}

/// Lines of a usual length, `length` bytes of them.
fn write_lines(path: &Path, length: u64) -> anyhow::Result<()> {
    let mut text = Vec::new();
    let mut number = 0_u64;
    while (text.len() as u64) < length {
        writeln!(text, "{number:08} a line of output as a program might write it, not long and not short")?;
        number += 1;
    }
    text.truncate(length as usize);
    Ok(File::create(path)?.write_all(&text)?)
}

/// Seconds through bandog and into a pipe, and bandog's peak.
fn rounds(setting: &Setting, script: &str, length: u64) -> anyhow::Result<(Vec<f64>, Vec<f64>, u64)> {
    let server = Server::start(setting, &[], script)?;
    let nothing = Content::new(0);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..=setting.rounds {
        let bare = into_a_pipe(script, length)?;
        let exchange = Exchange { address: server.address, fields: "", body: nothing.raw() };
        let through = exchange.run(&Expected::AtLeast(length), Thoroughness::Sample)?;
        if round > 0 {
            ours.push(through.as_secs_f64());
            theirs.push(bare.as_secs_f64());
        }
    }
    Ok((ours, theirs, server.peak()?))
}

/// How long a line of shell takes that writes `length` bytes to a pipe.
pub(super) fn into_a_pipe(script: &str, length: u64) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let mut shell = Command::new("/bin/sh");
    let mut child = shell.args(["-c", script]).stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let mut output = child.stdout.take().context("a pipe was asked for")?;
    let mut buffer = vec![0; READ];
    let mut total = 0;
    loop {
        match output.read(&mut buffer)? {
            0 => break,
            read => total += read as u64,
        }
    }
    let status = child.wait()?;
    let taken = began.elapsed();
    ensure!(status.success() && total >= length, "{script}: {status}, {total} bytes");
    Ok(taken)
}
