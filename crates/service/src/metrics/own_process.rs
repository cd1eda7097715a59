//! Metrics of bandog's own process, under the names that Prometheus' client libraries have for them.

use std::{fmt::Write as _, fs};

use rustix::process::{Resource, getrlimit};

/// The names, in the order of the page.
const FAMILIES: [(&str, &str, &str); 8] = [
    ("process_cpu_seconds_total", "counter", "CPU time of bandog, without that of functions, in seconds."),
    ("process_open_fds", "gauge", "Open file descriptors."),
    ("process_max_fds", "gauge", "The limit on open file descriptors."),
    ("process_virtual_memory_bytes", "gauge", "Virtual memory."),
    ("process_virtual_memory_max_bytes", "gauge", "The limit on virtual memory; -1 for none."),
    ("process_resident_memory_bytes", "gauge", "Resident memory."),
    ("process_start_time_seconds", "gauge", "The start, in seconds since 1970."),
    ("process_threads", "gauge", "Threads."),
];

/// Ticks of a second in `/proc`: `USER_HZ`, which is 100 on every architecture that Rust builds for.
const TICKS: f64 = 100.0;

/// The metrics, in the text format; those that the kernel does not tell (`/proc` is not mounted) are left out.
pub(super) fn render() -> String {
    let (times, status) = (Times::read(), fs::read_to_string("/proc/self/status").unwrap_or_default());
    let limit = |resource| getrlimit(resource).current;
    let kibibytes = |name| field(&status, name).map(|number| number * 1024.0);
    let values = [
        times.as_ref().map(|times| times.cpu),
        // One of them is that of the directory itself.
        fs::read_dir("/proc/self/fd").ok().map(|fds| float(fds.count().saturating_sub(1) as u64)),
        limit(Resource::Nofile).map(float).or(Some(f64::INFINITY)),
        kibibytes("VmSize"),
        limit(Resource::As).map(float).or(Some(-1.0)),
        kibibytes("VmRSS"),
        times.as_ref().and_then(|times| Some(times.started + boot_time()?)),
        field(&status, "Threads"),
    ];
    let mut page = String::new();
    for ((name, kind, help), value) in FAMILIES.into_iter().zip(values) {
        if let Some(value) = value {
            let value = if value.is_infinite() { "+Inf".to_owned() } else { value.to_string() };
            let _ = write!(page, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n");
        }
    }
    page
}

/// The number behind a name in `/proc/self/status`.
fn field(status: &str, name: &str) -> Option<f64> {
    let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    value.split_whitespace().next()?.parse().ok()
}

#[expect(clippy::cast_precision_loss, reason = "in the text format every value is a float")]
fn float(number: u64) -> f64 {
    number as f64
}

/// The times in `/proc/self/stat`, in seconds; see proc_pid_stat(5).
#[derive(Debug)]
struct Times {
    cpu: f64,
    /// Since the boot.
    started: f64,
}

impl Times {
    fn read() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/self/stat").ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        // The name of the program, between the parentheses, may hold anything.
        let (_, rest) = text.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        // The first one of the rest is field 3.
        let seconds = |number: usize| Some(float(fields.get(number - 3)?.parse().ok()?) / TICKS);
        Some(Self { cpu: seconds(14)? + seconds(15)?, started: seconds(22)? })
    }
}

/// The time of the boot, in seconds since 1970.
fn boot_time() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_program_may_look_like_fields() {
        let text = "7 (a) S 1 2) S 1 7 7 0 -1 0 0 0 0 0 150 50 9 9 20 0 3 0 1000 4096 2 0";
        let times = Times::parse(text).expect("whole");
        assert!((times.cpu - 2.0).abs() < 1e-9 && (times.started - 10.0).abs() < 1e-9, "{times:?}");
        assert!(Times::parse("7 (a) S 1").is_none());
    }
}
