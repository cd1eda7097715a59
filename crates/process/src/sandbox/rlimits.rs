//! What bandog itself is held to, and how many tasks a user has.

use std::{fs, io, sync::OnceLock};

use libc::rlimit64;
use rustix::process::Resource;

/// How many tasks a user has: what `RLIMIT_NPROC` counts. What comes and goes meanwhile makes it inexact.
pub(super) fn count_tasks(uid: u32) -> io::Result<u64> {
    let mut count = 0;
    for entry in fs::read_dir("/proc")? {
        let path = entry?.path();
        let is_process =
            path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.parse::<u32>().is_ok());
        // One that ends while we look is not counted.
        if is_process && let Ok(status) = fs::read_to_string(path.join("status")) {
            count += tasks_of(&status, uid);
        }
    }
    Ok(count)
}

/// The threads of a process by its `/proc/PID/status`, if its real user is `uid`.
fn tasks_of(status: &str, uid: u32) -> u64 {
    let field = |name: &str| {
        let rest = status.lines().find_map(|line| line.strip_prefix(name))?;
        rest.split_ascii_whitespace().next()?.parse::<u64>().ok()
    };
    if field("Uid:") == Some(uid.into()) { field("Threads:").unwrap_or(1) } else { 0 }
}

/// What this process itself is held to.
pub(super) fn own_limits(resource: Resource) -> rlimit64 {
    let mut limits = rlimit64 { rlim_cur: libc::RLIM64_INFINITY, rlim_max: libc::RLIM64_INFINITY };
    // SAFETY: asks only, into a structure that is ours. A resource the kernel does not know leaves it as it is.
    unsafe { libc::syscall(libc::SYS_prlimit64, 0, resource as u32, std::ptr::null::<rlimit64>(), &raw mut limits) };
    limits
}

/// The limits on open files that bandog was started with, once it has raised its own.
pub(super) static ORIGINAL_OPEN_FILES: OnceLock<rlimit64> = OnceLock::new();

/// Lets bandog itself open as many files as the system allows it; a client or a function takes several. The functions
/// keep the limit that bandog was started with: programs that use select(2), or close every number there may be,
/// count on a small one.
pub(crate) fn raise_open_file_limit() {
    let before = own_limits(Resource::Nofile);
    let raised = rlimit64 { rlim_cur: before.rlim_max, rlim_max: before.rlim_max };
    if before.rlim_cur >= before.rlim_max {
        return;
    }
    // SAFETY: reads a structure that is ours.
    let done = unsafe {
        libc::syscall(
            libc::SYS_prlimit64,
            0,
            Resource::Nofile as u32,
            &raw const raised,
            std::ptr::null_mut::<rlimit64>(),
        )
    };
    if done == 0 {
        let _ = ORIGINAL_OPEN_FILES.set(before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tasks_of_a_user_are_counted_by_the_real_id() {
        let status = "Name:\tx\nUid:\t7\t8\t8\t8\nGid:\t8\t8\t8\t8\nThreads:\t3\n";
        assert_eq!((tasks_of(status, 7), tasks_of(status, 8), tasks_of("", 0)), (3, 0, 0));
        assert!(count_tasks(rustix::process::getuid().as_raw()).expect("counted") >= 2, "the test's own threads");
    }
}
