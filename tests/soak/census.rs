//! What bandog holds: memory, descriptors, threads, processes, workspaces.

use std::{
    fmt, fs,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use crate::bandog::Bandog;

/// How long bandog may take to become quiet: its idle threads go after 10 s, and an idle HTTP/2 connection is noticed
/// when its client is gone, which is at once here.
const QUIET: Duration = Duration::from_secs(40);

/// Between two looks.
const GLANCE: Duration = Duration::from_millis(250);

/// One look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Census {
    pub(crate) rss_kib: u64,
    pub(crate) descriptors: u64,
    pub(crate) threads: u64,
    pub(crate) processes: usize,
    pub(crate) workspaces: usize,
}

impl Census {
    pub(crate) fn of(bandog: &Bandog) -> Self {
        let held = Self::held(bandog.pid());
        Self { processes: bandog.processes().len(), workspaces: bandog.workspaces().len(), ..held }
    }

    /// What is cheap to know.
    fn held(pid: u32) -> Self {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
        };
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, |open| open.count() as u64);
        Self { rss_kib: field("VmRSS"), threads: field("Threads"), descriptors, ..Self::default() }
    }

    /// Waits until bandog holds no more than at its start, or patience is over; what it holds then.
    pub(crate) fn when_quiet(bandog: &Bandog, start: &Self) -> Self {
        let begun = Instant::now();
        loop {
            let now = Self::of(bandog);
            let quiet = Self { rss_kib: 0, ..now } == Self { rss_kib: 0, ..*start };
            if quiet || begun.elapsed() > QUIET {
                return now;
            }
            thread::sleep(GLANCE);
        }
    }
}

/// The most that was held of each at any moment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Peak(pub(crate) Census);

impl Peak {
    /// Looks until told to stop.
    pub(crate) fn watch(pid: u32, stop: &AtomicBool) -> Self {
        let mut peak = Census::default();
        while !stop.load(Ordering::Relaxed) {
            let now = Census::held(pid);
            peak.rss_kib = peak.rss_kib.max(now.rss_kib);
            peak.descriptors = peak.descriptors.max(now.descriptors);
            peak.threads = peak.threads.max(now.threads);
            thread::sleep(GLANCE);
        }
        Self(peak)
    }
}

impl fmt::Display for Census {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rss_kib, descriptors, threads, processes, workspaces } = self;
        write!(f, "| {rss_kib} | {descriptors} | {threads} | {processes} | {workspaces} |")
    }
}
