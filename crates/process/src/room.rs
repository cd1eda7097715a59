//! The room that the limits of bandog's own process leave: for memory, and for open files.

use rustix::process::{Resource, getrlimit};

/// Bytes that bandog needs in addition to what it has mapped when it looks: threads, buffers of connections, and one
/// call. With less an allocation would fail, which ends the process.
const LEAST_MEMORY: u64 = 32 * 1024 * 1024;

/// Open files that bandog needs whatever it does, and the fewest with which it can serve.
const OWN_FILES: u64 = 48;
const LEAST_FILES: u64 = 40;

/// Returns the bytes that may still be mapped (`RLIMIT_AS`, `RLIMIT_DATA`); `None` without a limit.
#[must_use]
pub fn memory_left() -> Option<u64> {
    let limits = [Resource::As, Resource::Data].map(|resource| getrlimit(resource).current);
    if limits == [None; 2] {
        return None;
    }
    let used = used_memory()?;
    limits.into_iter().zip(used).filter_map(|(limit, used)| Some(limit?.saturating_sub(used))).min()
}

/// The bytes that are mapped, and those of them that are private and writable (proc_pid_status(5)).
fn used_memory() -> Option<[u64; 2]> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kibibytes = |name: &str| {
        let rest = status.lines().find_map(|line| line.strip_prefix(name))?;
        rest.split_ascii_whitespace().next()?.parse::<u64>().ok()
    };
    Some([kibibytes("VmSize:")? * 1024, kibibytes("VmData:")? * 1024])
}

/// Whether memory is limited, so that little of it may be reserved beforehand.
#[cfg(target_env = "gnu")]
pub(crate) fn is_memory_limited() -> bool {
    [Resource::As, Resource::Data].iter().any(|resource| getrlimit(*resource).current.is_some())
}

/// Returns the most calls that can have their files open at once, where each takes `files`; at least one.
#[must_use]
pub fn most_calls(files: u64) -> usize {
    // bandog raises its own limit up to this one.
    let limit = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    usize::try_from(limit.saturating_sub(OWN_FILES) / files).unwrap_or(usize::MAX).max(1)
}

/// Checks whether bandog can work within its limits. Returns for each that is too small its name, its value, and the
/// least that is needed.
#[must_use]
pub fn too_small_limits() -> Vec<(&'static str, u64, u64)> {
    let files = getrlimit(Resource::Nofile).maximum.filter(|limit| *limit < LEAST_FILES);
    let mut found: Vec<_> = files.map(|limit| ("ulimit -n", limit, LEAST_FILES)).into_iter().collect();
    let used = used_memory().unwrap_or_default();
    for ((name, resource), used) in [("ulimit -v", Resource::As), ("ulimit -d", Resource::Data)].into_iter().zip(used) {
        let needed = used + LEAST_MEMORY;
        if let Some(limit) = getrlimit(resource).current.filter(|limit| *limit < needed) {
            // The shell's unit.
            found.push((name, limit / 1024, needed.div_ceil(1024)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_in_use_is_known() {
        let [mapped, private] = used_memory().expect("readable");
        assert!(mapped > private && private > 0, "{mapped} {private}");
    }

    #[test]
    fn a_call_is_possible_whatever_it_takes() {
        assert_eq!(most_calls(u64::MAX), 1);
        assert!(most_calls(1) > 1);
        assert_eq!(too_small_limits(), []);
    }
}
