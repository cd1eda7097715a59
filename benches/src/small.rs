//! The small case: a script that copies six bytes into one output file. It measures the way there and back.

mod rounds;

use std::{
    ffi::OsString,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use tempfile::TempDir;

use crate::{
    floor::Floor,
    limit::{self, Bare},
    load::Load,
    report::{Line, Report},
    responder::Responder,
    server::Server,
    setting::Setting,
};
use rounds::{Rounds, Seen, Turn};

/// The body of each request, as it is sent.
pub const INPUT: &[u8] = b"hello\n";

/// The body of each answer: the output file in base64.
pub const ANSWER: &[u8] = b"aGVsbG8K";

/// The type it is sent as: stored as it is.
pub const TYPE: &str = "application/octet-stream";

/// How bandog is called in the report.
pub const BANDOG: &str = "bandog";

pub fn measure(setting: &Setting, report: &mut Report) -> anyhow::Result<()> {
    let contenders = Contenders::start(setting)?;
    let turns = turns(setting.cores, contenders.on_disk.is_some());
    let mut rounds = Rounds::default();
    for round in 0..=setting.rounds {
        setting.check()?;
        for turn in &turns {
            let seen = contenders.measure(*turn, setting)?;
            // The first round warms caches and does not count.
            if round > 0 {
                rounds.add(*turn, seen);
            }
        }
    }
    rounds.tell(setting.cores, report);
    if contenders.on_disk.is_none() {
        let why = format!("{} is not on a disk; BENCH_DISK=DIR names a directory that is", setting.disk.display());
        report.add(Line::Absent { contender: "bandog, workspace on the disk".into(), why });
    }
    Ok(())
}

/// One round: those that are compared with each other stand side by side.
fn turns(cores: usize, has_disk: bool) -> Vec<Turn> {
    let mut turns = vec![Turn::Loops(1), Turn::Floor(1), Turn::Bandog(1), Turn::Bandog(2)];
    if ![1, 8].contains(&cores) {
        turns.push(Turn::Loops(cores));
    }
    turns.extend([Turn::Bandog(8), Turn::Floor(8), Turn::Loops(8)]);
    if has_disk {
        turns.push(Turn::Disk(8));
    }
    turns.extend([Turn::Bandog(64), Turn::Generator(8)]);
    turns
}

/// All contenders, ready.
struct Contenders {
    loops: Vec<Bare>,
    floor: Load,
    bandog: Load,
    /// bandog with its workspaces on a disk, where there is one.
    on_disk: Option<Load>,
    generator: Responder,
    _floor: Floor,
    _servers: Vec<Server>,
    /// Where they work; gone after them.
    _homes: [TempDir; 2],
}

impl Contenders {
    fn start(setting: &Setting) -> anyhow::Result<Self> {
        let home = tempfile::tempdir_in(&setting.tmpfs)?;
        let slow = tempfile::tempdir_in(&setting.disk)?;
        let script = limit::script(home.path())?;
        let function = ["/bin/sh", script.to_str().context("a path in UTF-8")?];
        let [workspace, beside, least] = directories(home.path())?;

        let told = environments(setting, &beside, 8.max(setting.cores))?;
        let least = Floor::start(&least, &told[0], &function)?;
        let floor = load(least.address).context("the floor")?;
        let loops = told.into_iter().map(|environment| Bare::new(&function, environment, INPUT, "out.bin"));
        let loops = loops.collect::<anyhow::Result<_>>()?;

        let mut servers = Vec::new();
        let mut start = |workspace: &Path| {
            let server = Server::start(setting, workspace, &[], &function)?;
            let load = load(server.address).context("bandog")?;
            servers.push(server);
            anyhow::Ok(load)
        };
        let bandog = start(&workspace)?;
        let on_disk = if setting.is_on_disk()? { Some(start(slow.path())?) } else { None };
        let generator = Responder::start()?;
        let homes = [home, slow];
        Ok(Self { loops, floor, bandog, on_disk, generator, _floor: least, _servers: servers, _homes: homes })
    }

    fn measure(&self, turn: Turn, setting: &Setting) -> anyhow::Result<Seen> {
        let ask = |load: &Load, clients| Ok(load.run(clients, setting.window(clients))?.into());
        match turn {
            Turn::Loops(count) => Ok(limit::run(&self.loops[..count], setting.window(count))?.into()),
            Turn::Floor(clients) => ask(&self.floor, clients).context("the floor"),
            Turn::Bandog(clients) => ask(&self.bandog, clients).context("bandog"),
            Turn::Disk(clients) => {
                let load = self.on_disk.as_ref().context("there is no disk")?;
                ask(load, clients).context("bandog, workspace on the disk")
            }
            Turn::Generator(clients) => ask(&self.generator.load(), clients),
        }
    }
}

/// Where bandog, the loops and the floor work. A listener clears what another one left in its directory, so that each
/// has one of its own; their names have one length, for a path's length is part of what a script is started with.
fn directories(home: &Path) -> anyhow::Result<[PathBuf; 3]> {
    let directories = ["work", "bare", "less"].map(|name| home.join(name));
    for directory in &directories {
        fs::create_dir(directory)?;
    }
    Ok(directories)
}

/// The request of the small case, to a contender that has answered it.
fn load(address: SocketAddr) -> anyhow::Result<Load> {
    let load = Load::post(address, "/", TYPE, INPUT, ANSWER);
    load.check()?;
    Ok(load)
}

/// The environment that bandog gives functions, `count` times, each with a workspace of its own.
fn environments(setting: &Setting, workspace: &Path, count: usize) -> anyhow::Result<Vec<Vec<OsString>>> {
    let home = tempfile::tempdir_in(&setting.tmpfs)?;
    let file = home.path().join("environment");
    let server = Server::start(setting, workspace, &[], &["/bin/sh", "-c", &limit::tell(&file)])?;
    let load = Load::post(server.address, "/", TYPE, INPUT, b"");
    (0..count).map(|_| limit::environment(&load, &file)).collect()
}

/// So many clients, in words.
pub fn clients(count: usize) -> String {
    format!("{count} client{}", if count == 1 { "" } else { "s" })
}
