//! The cost of bandog when nothing happens, and whether it grows with running time and connections:
//! start, memory at rest, processor at rest, many requests, many idle connections.

mod client;
mod server;

use std::{
    fs,
    net::Ipv4Addr,
    thread,
    time::{Duration, Instant},
};

use anyhow::ensure;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use self::{
    client::{Client, get, load},
    server::Server,
};
use crate::{
    report::{Goal, Line, Report, Unit, median},
    setting::Setting,
};

/// The function: as little as a process can do, so that what is seen is bandog.
const FUNCTION: [&str; 1] = ["/bin/true"];

/// A start, from before `fork` to the first connection.
const START: Goal = Goal::AtMost(2000.0);

/// Resident memory at rest.
const AT_REST: Goal = Goal::AtMost(5.0 * 1024.0 * 1024.0);

/// Resident memory of one idle connection.
const CONNECTION: Goal = Goal::AtMost(8.0 * 1024.0);

/// How long bandog keeps a thread without work, and a little more.
const THREADS_GONE: Duration = Duration::from_secs(11);

/// How much is done.
struct Extent {
    starts: usize,
    /// Requests before memory at rest is looked at, of 8 clients and again of 64.
    before_rest: usize,
    /// Bytes of the body in before that.
    body: usize,
    /// How long nothing is to happen at rest.
    rest: Duration,
    /// Requests in the long run, in ten parts of which the first and the last are compared.
    run: usize,
    connections: usize,
    /// Rounds of clients beside idle connections, and their requests.
    rounds: usize,
    beside: usize,
}

impl Extent {
    /// Under fifteen seconds for a quick look (`BENCH_SHORT`), under three minutes else.
    fn of(setting: &Setting) -> Self {
        if setting.short {
            return Self {
                starts: 5,
                before_rest: 1000,
                body: 16 << 20,
                rest: Duration::from_secs(2),
                run: 4000,
                connections: 1000,
                rounds: 3,
                beside: 400,
            };
        }
        Self {
            starts: 4 * setting.rounds,
            before_rest: 10_000,
            body: 100 << 20,
            rest: Duration::from_secs(5),
            run: 100_000,
            connections: 10_000,
            rounds: setting.rounds.min(9),
            beside: 1000,
        }
    }
}

/// Measures all of it.
pub fn measure(setting: &Setting, report: &mut Report) -> anyhow::Result<()> {
    let extent = Extent::of(setting);
    let files = raise_open_files()?;
    start(setting, report, &extent)?;
    let resting = loaded(setting, report, &extent)?;
    let since = Instant::now();
    many_requests(setting, report, &extent)?;
    many_connections(setting, report, &extent, files)?;
    thread::sleep(THREADS_GONE.saturating_sub(since.elapsed()));
    rest(&resting, report, &extent)
}

fn figure(report: &mut Report, work: impl Into<String>, unit: Unit, rounds: Vec<f64>, goal: Option<Goal>) {
    report.add(Line::Figure { work: work.into(), unit, rounds, goal });
}

/// As many descriptors as may be had; each end of a connection is one.
fn raise_open_files() -> anyhow::Result<u64> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    Ok(limit.maximum.unwrap_or(u64::MAX))
}

fn serve(setting: &Setting) -> anyhow::Result<Server> {
    Server::start(&setting.bandog, &setting.tmpfs, &FUNCTION)
}

fn start(setting: &Setting, report: &mut Report, extent: &Extent) -> anyhow::Result<()> {
    let mut rounds = Vec::new();
    for number in 0..=extent.starts {
        let listening = serve(setting)?.listening;
        // The first reads the binary from disk.
        if number > 0 {
            rounds.push(listening.as_secs_f64() * 1e6);
        }
    }
    figure(report, "start to listening", Unit::Microseconds, rounds, Some(START));
    Ok(())
}

/// Memory after all kinds of load, of a bandog that is left to rest then.
fn loaded(setting: &Setting, report: &mut Report, extent: &Extent) -> anyhow::Result<Server> {
    let server = serve(setting)?;
    thread::sleep(Duration::from_millis(100));
    let early = server.resident()?;
    figure(report, "resident memory after the start", Unit::Bytes, vec![early.whole as f64], Some(AT_REST));
    figure(report, "of it not the binary's", Unit::Bytes, vec![early.own as f64], None);
    for clients in [8, 64] {
        load(server.address, clients, extent.before_rest)?;
    }
    let piece = vec![b'A'; 1 << 20];
    let head = format!(
        "POST / HTTP/1.1\r\nHost: bench\r\nContent-Type: application/octet-stream\r\nContent-Length: {}\r\n\r\n",
        extent.body
    );
    Client::connect(Ipv4Addr::LOCALHOST, server.address)?.exchange(&head, &piece, extent.body >> 20)?;
    thread::sleep(Duration::from_millis(100));
    let at_once = server.resident()?;
    figure(report, "resident memory right after load", Unit::Bytes, vec![at_once.whole as f64], None);
    figure(report, "of it not the binary's", Unit::Bytes, vec![at_once.own as f64], None);
    Ok(server)
}

/// Memory and processor of a bandog that has had no request since its idle threads ended.
fn rest(server: &Server, report: &mut Report, extent: &Extent) -> anyhow::Result<()> {
    let late = server.resident()?;
    figure(report, "resident memory at rest after load", Unit::Bytes, vec![late.whole as f64], Some(AT_REST));
    figure(report, "of it not the binary's", Unit::Bytes, vec![late.own as f64], None);
    let before = server.activity()?;
    thread::sleep(extent.rest);
    let after = server.activity()?;
    let what = format!("clock ticks of CPU in {:?} at rest", extent.rest);
    figure(report, what, Unit::Count, vec![(after.ticks - before.ticks) as f64], Some(Goal::AtMost(0.0)));
    let what = format!("switches of threads in {:?} at rest", extent.rest);
    figure(report, what, Unit::Count, vec![(after.switches - before.switches) as f64], Some(Goal::AtMost(0.0)));
    Ok(())
}

/// Whether the last requests of many cost what the first ones did.
fn many_requests(setting: &Setting, report: &mut Report, extent: &Extent) -> anyhow::Result<()> {
    const PARTS: usize = 10;
    let server = serve(setting)?;
    let part = extent.run / PARTS;
    // Caches and threads first.
    load(server.address, 8, 200)?;
    let early = server.resident()?;
    let mut rates = vec![load(server.address, 8, part)?];
    let first = server.resident()?;
    for _ in 1..PARTS {
        rates.push(load(server.address, 8, part)?);
    }
    let late = server.resident()?;
    report.add(Line::Comparison {
        work: format!("requests a second, the last {part} of {}", extent.run),
        against: format!("the first {part}"),
        unit: Unit::PerSecond,
        ours: rates[PARTS - 3..].to_vec(),
        theirs: rates[..3].to_vec(),
        goal: Some(Goal::AtLeast(0.9)),
    });
    let mut memory = |against: String, theirs: f64, goal| {
        let work = format!("resident memory after {} requests", extent.run);
        let (ours, theirs) = (vec![late.whole as f64], vec![theirs]);
        report.add(Line::Comparison { work, against, unit: Unit::Bytes, ours, theirs, goal });
    };
    // The heap finds its shape in the first thousands: what must not be is that it goes on growing.
    memory("after 200".to_owned(), early.whole as f64, None);
    memory(format!("after {part}"), first.whole as f64, Some(Goal::AtMost(1.05)));
    Ok(())
}

/// The cost of idle connections, and how they slow the others.
fn many_connections(setting: &Setting, report: &mut Report, extent: &Extent, files: u64) -> anyhow::Result<()> {
    // Descriptors that both sides have open beside them.
    const OTHERS: u64 = 500;
    let count = extent.connections.min(usize::try_from(files.saturating_sub(OTHERS))?);
    ensure!(count > 0, "ulimit -n {files} leaves no room for connections");
    let mut after_request = Vec::new();
    let (mut silent, mut kernel, mut closed) = (Vec::new(), Vec::new(), Vec::new());
    let (mut beside, mut alone) = (Vec::new(), Vec::new());
    let server = serve(setting)?;
    load(server.address, 8, 200)?;
    for round in 0..extent.rounds {
        alone.push(load(server.address, 8, extent.beside)?);
        let source = Ipv4Addr::new(127, 0, 1, u8::try_from(round % 250)? + 1);
        let before = (server.resident()?, kernel_memory());
        let mut clients = (0..count).map(|_| Client::connect(source, server.address)).collect::<Result<Vec<_>, _>>()?;
        settle(&server)?;
        let each = |now: u64, before: u64| now.saturating_sub(before) as f64 / count as f64;
        silent.push(each(server.resident()?.whole, before.0.whole));
        let request = get("/_/ready");
        for client in &mut clients {
            client.ask(request.as_bytes())?;
        }
        settle(&server)?;
        after_request.push(each(server.resident()?.whole, before.0.whole));
        if let (Some(now), Some(before)) = (kernel_memory(), before.1) {
            // Both ends are here.
            kernel.push(each(now, before));
        }
        beside.push(load(server.address, 8, extent.beside)?);
        drop(clients);
        settle(&server)?;
        closed.push(server.resident()?.whole as f64);
    }
    let work = |what: &str| format!("resident memory of each of {count} idle connections, {what}");
    figure(report, work("before its first request"), Unit::Bytes, silent, Some(CONNECTION));
    figure(report, work("after a request"), Unit::Bytes, after_request, Some(CONNECTION));
    if !kernel.is_empty() {
        figure(report, work("both ends in the kernel"), Unit::Bytes, kernel, None);
    }
    figure(report, format!("resident memory after {count} connections"), Unit::Bytes, closed, None);
    let ratio = median(&beside) / median(&alone);
    report.add(Line::Comparison {
        work: format!("requests a second of 8 clients beside {count} idle connections"),
        against: "the same alone".to_owned(),
        unit: Unit::PerSecond,
        ours: beside,
        theirs: alone,
        goal: Some(Goal::AtLeast(0.95)),
    });
    ensure!(ratio.is_finite(), "no request was measured");
    Ok(())
}

/// Waits until the memory of the server does not change any more.
fn settle(server: &Server) -> anyhow::Result<()> {
    let mut before = server.resident()?.whole;
    for _ in 0..40 {
        thread::sleep(Duration::from_millis(50));
        let now = server.resident()?.whole;
        if now == before {
            return Ok(());
        }
        before = now;
    }
    Ok(())
}

/// Bytes that the kernel holds in its own tables (`Slab` of `/proc/meminfo`), of the whole machine; `None` if it does
/// not say.
fn kernel_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Slab:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}
