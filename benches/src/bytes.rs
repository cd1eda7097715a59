//! Large bodies, much output and many files, beside what coreutils, `cat` and `tar` need for the same bytes.
//!
//! The function of the large bodies is `mv`: what is measured is the way in and the way out, not a copy in between.

mod client;
mod content;
mod files;
mod output;
mod server;
mod transport;

pub use self::{files::measure as zip, output::measure as logs};

use std::{
    fs::File,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};

use self::{
    client::{Exchange, Expected, Thoroughness},
    content::Content,
    server::Server,
};
use crate::{
    report::{Goal, Line, Report, Unit},
    setting::Setting,
};

/// One megabyte, as the goals count.
const MB: u64 = 1_000_000;

/// Bytes that bandog may hold at its peak, however large the body.
const PEAK: f64 = (10 * 1024 * 1024) as f64;

/// The input file is the output file.
const MOVE: &str = r#"exec mv "$INPUT_FILE_PATH" "$TMP_OUTPUT_DIR/out.bin""#;

/// How bytes travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Base64,
    Raw,
}

/// A request whose answer is its own content.
fn there_and_back(server: &Server, content: &Content, form: Form, how: Thoroughness) -> anyhow::Result<Duration> {
    let (body, fields) = match form {
        Form::Base64 => (content.base64(), ""),
        Form::Raw => (content.raw(), "Content-Type: application/octet-stream\r\nAccept: application/octet-stream\r\n"),
    };
    Exchange { address: server.address, fields, body }.run(&Expected::Body(body), how)
}

/// Seconds that each of `N` ways takes, round by round; the first round does not count.
fn rounds<const N: usize>(
    setting: &Setting,
    mut take: impl FnMut(Thoroughness) -> anyhow::Result<[Duration; N]>,
) -> anyhow::Result<[Vec<f64>; N]> {
    let mut seen = [const { Vec::new() }; N];
    for round in 0..=setting.rounds {
        let times = take(Thoroughness::of(round))?;
        if round > 0 {
            seen.iter_mut().zip(times).for_each(|(seen, time)| seen.push(time.as_secs_f64()));
        }
    }
    Ok(seen)
}

fn beside(work: &str, ours: &[f64], against: &str, theirs: Vec<f64>, goal: Option<Goal>) -> Line {
    let (work, against) = (work.to_owned(), against.to_owned());
    Line::Comparison { work, against, unit: Unit::Seconds, ours: ours.to_vec(), theirs, goal }
}

/// The client's own part of a transfer.
fn client_alone(rounds: Vec<f64>) -> Line {
    let work = "the client of that alone, with a server that drops and makes up the bytes".to_owned();
    Line::Figure { work, unit: Unit::Seconds, rounds, goal: None }
}

/// `base64 -d > f; base64 f`, the same bytes from and to where nothing is lost: a file and `/dev/null` on tmpfs.
pub fn base64(setting: &Setting, report: &mut Report) -> anyhow::Result<()> {
    let content = Content::new(100 * MB);
    let directory = tempfile::tempdir_in(&setting.tmpfs)?;
    let (sent, decoded) = (directory.path().join("sent"), directory.path().join("decoded"));
    content.base64().write_to(&mut File::create(&sent)?)?;
    let server = Server::start(setting, &[], MOVE)?;
    let [theirs, ours, client] = rounds(setting, |how| {
        let coreutils = run("base64", &["-d"], File::open(&sent)?.into(), File::create(&decoded)?.into())?
            + run("base64", &[decoded.to_str().context("a path in UTF-8")?], Stdio::null(), Stdio::null())?;
        std::fs::remove_file(&decoded)?;
        let through = there_and_back(&server, &content, Form::Base64, how)?;
        Ok([coreutils, through, transport::store_nothing(content.base64())?])
    })?;
    let work = "100 MB file in and out as base64";
    report.add(beside(work, &ours, "base64 -d > f; base64 f", theirs, Some(Goal::AtMost(0.60))));
    report.add(client_alone(client));
    Ok(())
}

/// `cat` through a socket, which stores nothing, and `cat` that stores the bytes as bandog has to.
pub fn raw(setting: &Setting, report: &mut Report) -> anyhow::Result<()> {
    let content = Content::new(100 * MB);
    let directory = tempfile::tempdir_in(&setting.tmpfs)?;
    let server = Server::start(setting, &[], MOVE)?;
    let [cat, ours, file, client] = rounds(setting, |how| {
        let echoed = transport::through("exec cat", directory.path(), content.raw(), how)?;
        let through = there_and_back(&server, &content, Form::Raw, how)?;
        let stored = transport::through("cat > f; cat f; rm f", directory.path(), content.raw(), how)?;
        Ok([echoed, through, stored, transport::store_nothing(content.raw())?])
    })?;
    let work = "100 MB file in and out as it is";
    report.add(beside(work, &ours, "cat behind a loopback socket", cat, Some(Goal::AtMost(1.3))));
    report.add(beside(work, &ours, "cat > f; cat f behind a loopback socket", file, None));
    report.add(client_alone(client));
    Ok(())
}

/// The most memory a fresh server has held, for bodies of two sizes and for several at once.
pub fn peak(setting: &Setting, report: &mut Report) -> anyhow::Result<()> {
    for form in [Form::Base64, Form::Raw] {
        for megabytes in sizes(setting, &[100, 1000]) {
            let content = Content::new(megabytes * MB);
            let server = Server::start(setting, &["--max-body", "0"], MOVE)?;
            for _ in 0..2 {
                there_and_back(&server, &content, form, Thoroughness::Sample)?;
            }
            report.add(Line::Figure {
                work: format!("peak RSS, {megabytes} MB in and out, {form:?}"),
                unit: Unit::Bytes,
                rounds: vec![server.peak()? as f64],
                goal: Some(Goal::AtMost(PEAK)),
            });
        }
    }
    let content = Content::new(50 * MB);
    for clients in [1, 4, 16] {
        let server = Server::start(setting, &[], MOVE)?;
        std::thread::scope(|scope| {
            let ask = || there_and_back(&server, &content, Form::Base64, Thoroughness::Sample);
            let asking: Vec<_> = (0..clients).map(|_| scope.spawn(ask)).collect();
            asking.into_iter().try_for_each(|thread| {
                thread.join().map_err(|_| anyhow::anyhow!("a client panicked"))??;
                anyhow::Ok(())
            })
        })?;
        report.add(Line::Figure {
            work: format!("peak RSS, 50 MB in and out as base64, {clients} at once"),
            unit: Unit::Bytes,
            rounds: vec![server.peak()? as f64],
            goal: None,
        });
    }
    Ok(())
}

/// Bytes a second at four sizes: the same if the cost is linear.
pub fn linear(setting: &Setting, report: &mut Report) -> anyhow::Result<()> {
    let server = Server::start(setting, &["--max-body", "0"], MOVE)?;
    for megabytes in sizes(setting, &[1, 10, 100, 1000]) {
        let content = Content::new(megabytes * MB);
        // The largest takes seconds.
        let rounds = if megabytes == 1000 { setting.rounds.div_ceil(3) } else { setting.rounds };
        let mut speeds = Vec::new();
        for round in 0..=rounds {
            let taken = there_and_back(&server, &content, Form::Base64, Thoroughness::of(round))?;
            if round > 0 {
                speeds.push((megabytes * MB) as f64 / taken.as_secs_f64());
            }
        }
        report.add(Line::Figure {
            work: format!("{megabytes} MB file in and out as base64"),
            unit: Unit::BytesPerSecond,
            rounds: speeds,
            goal: None,
        });
    }
    Ok(())
}

/// These sizes, in megabytes; without the largest if all that is asked is that everything works.
fn sizes(setting: &Setting, all: &[u64]) -> Vec<u64> {
    all.iter().copied().filter(|megabytes| !setting.short || *megabytes < 1000).collect()
}

/// How long a program takes.
fn run(program: &str, arguments: &[&str], stdin: Stdio, stdout: Stdio) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let status = Command::new(program).args(arguments).stdin(stdin).stdout(stdout).status();
    let taken = began.elapsed();
    ensure!(status.with_context(|| format!("cannot start {program}"))?.success(), "{program} failed");
    Ok(taken)
}
