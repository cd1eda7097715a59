//! The resources that a bandog holds: memory, descriptors, threads, processes, workspaces; and a connection's memory.

use std::{
    fmt, fs,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use crate::bandog::{Bandog, MAX_INFLIGHT, MAX_QUEUE};

/// How long bandog may take to become quiet: its idle threads go after 10 s, and an idle HTTP/2 connection is noticed
/// when its client is gone, which is at once here.
const QUIET: Duration = Duration::from_secs(40);

/// How much more memory than after the warm-up a bandog may hold at the end, in KiB.
const GROWTH_KIB: u64 = 2 * 1024;

/// How much more than at rest it may hold for each open connection, in KiB, while it has [`FEW`] or more.
const CONNECTION_KIB: u64 = 3 * 1024;

/// Fewer connections say little of one: what the allocator keeps is shared among them.
const FEW: u64 = 3;

/// How many threads more than at the start it may have: one for each call that runs, or that has waited and begins, and
/// as many that have just ended their call and are not yet idle.
const THREADS: u64 = 2 * (MAX_INFLIGHT + MAX_QUEUE) as u64;

/// Between two looks.
const GLANCE: Duration = Duration::from_millis(250);

/// One look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Census {
    pub(crate) rss_kib: u64,
    /// The part of it that no file is behind: pages of the program come and go as it is used.
    pub(crate) own_kib: u64,
    pub(crate) descriptors: u64,
    pub(crate) threads: u64,
    pub(crate) processes: usize,
    pub(crate) workspaces: usize,
    /// Growth of its own memory (no pages of files) for each open connection; 0 where that was not measured.
    pub(crate) connection_kib: u64,
}

impl Census {
    pub(crate) fn of(bandog: &Bandog) -> Self {
        let held = Self::held(bandog.pid());
        Self { processes: bandog.processes().len(), workspaces: bandog.workspaces().len(), ..held }
    }

    /// The figures that are cheap to read.
    fn held(pid: u32) -> Self {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let field = |name| field(&status, name);
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, |open| open.count() as u64);
        Self {
            rss_kib: field("VmRSS"),
            own_kib: field("RssAnon"),
            threads: field("Threads"),
            descriptors,
            ..Self::default()
        }
    }

    /// Waits until bandog holds no more than at its start, or patience is over; what it holds then.
    pub(crate) fn when_quiet(bandog: &Bandog, start: &Self) -> Self {
        let begun = Instant::now();
        loop {
            let now = Self::of(bandog);
            let quiet = Self { rss_kib: 0, own_kib: 0, ..now } == Self { rss_kib: 0, own_kib: 0, ..*start };
            if quiet || begun.elapsed() > QUIET {
                return now;
            }
            thread::sleep(GLANCE);
        }
    }
}

/// A number of `/proc/PID/status`.
fn field(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

/// The most that was held of each at any moment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Peak(pub(crate) Census);

impl Peak {
    /// Looks until told to stop.
    pub(crate) fn watch(bandog: &Bandog, stop: &AtomicBool) -> Self {
        let before = Census::held(bandog.pid()).own_kib;
        let mut peak = Census::default();
        while !stop.load(Ordering::Relaxed) {
            let now = Census::held(bandog.pid());
            let open = connections(bandog.address.port());
            peak.rss_kib = peak.rss_kib.max(now.rss_kib);
            peak.own_kib = peak.own_kib.max(now.own_kib);
            peak.descriptors = peak.descriptors.max(now.descriptors);
            peak.threads = peak.threads.max(now.threads);
            if open >= FEW {
                peak.connection_kib = peak.connection_kib.max(now.own_kib.saturating_sub(before) / open);
            }
            thread::sleep(GLANCE / 2);
        }
        Self(peak)
    }
}

/// The connections that a listener at `port` has and has not closed: established, or closed by the client alone.
fn connections(port: u16) -> u64 {
    let table = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let local = format!(":{port:04X}");
    let is_open = |line: &&str| {
        let mut columns = line.split_whitespace().skip(1);
        let is_local = columns.next().is_some_and(|address| address.ends_with(&local));
        is_local && matches!(columns.nth(1), Some("01" | "08"))
    };
    table.lines().filter(is_open).count() as u64
}

/// The resources of one bandog in the course of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Course {
    pub(crate) start: Census,
    pub(crate) warm: Census,
    pub(crate) most: Census,
    pub(crate) end: Census,
}

impl Course {
    /// The figures that are above their limits.
    pub(crate) fn faults(&self, bandog: &Bandog) -> Vec<String> {
        let Self { start, warm, most, end } = self;
        let (was, is) = (start.processes, end.processes);
        let growth = warm.own_kib + GROWTH_KIB;
        let threads = start.threads + THREADS;
        let limits = [
            (was == is, format!("{is} processes are there, {was} were at the start: {:?}", bandog.processes())),
            (start.workspaces == end.workspaces, format!("workspaces are left: {:?}", bandog.workspaces())),
            (
                end.descriptors == start.descriptors,
                format!("{} descriptors are open, {} were at the start", end.descriptors, start.descriptors),
            ),
            (
                end.threads <= start.threads,
                format!("{} threads run, {} did at the start: idle ones are kept", end.threads, start.threads),
            ),
            (most.threads <= threads, format!("{} threads ran at once, wanted {threads} at most", most.threads)),
            (end.own_kib <= growth, format!("it holds {} KiB of its own, wanted {growth} at most", end.own_kib)),
            (
                most.connection_kib <= CONNECTION_KIB,
                format!("it grew by {} KiB for each connection, wanted {CONNECTION_KIB} at most", most.connection_kib),
            ),
        ];
        limits.into_iter().filter(|(holds, _)| !holds).map(|(_, fault)| fault).collect()
    }

    pub(crate) fn lines(&self) -> [(&'static str, &Census); 4] {
        let Self { start, warm, most, end } = self;
        [("at the start", start), ("after the warm-up", warm), ("at most", most), ("at the end", end)]
    }
}

impl fmt::Display for Census {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rss_kib, own_kib, descriptors, threads, processes, workspaces, connection_kib } = self;
        let connection = if *connection_kib == 0 { String::new() } else { connection_kib.to_string() };
        write!(f, "| {rss_kib} | {own_kib} | {descriptors} | {threads} | {processes} | {workspaces} | {connection} |")
    }
}
