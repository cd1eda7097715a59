//! The resource limits of bandog itself, and the number of tasks that a user has.

use std::{fs, io, sync::OnceLock};

use libc::rlimit64;
use rustix::process::Resource;

/// Counts the tasks of a user, which is the number that `RLIMIT_NPROC` limits. Inexact while tasks start and end.
pub(super) fn count_tasks(uid: u32) -> io::Result<u64> {
    let mut count = 0;
    for entry in fs::read_dir("/proc")? {
        let path = entry?.path();
        let is_process =
            path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.parse::<u32>().is_ok());
        // A process that has ended in the meantime is not counted.
        if is_process && let Ok(status) = fs::read_to_string(path.join("status")) {
            count += tasks_of(&status, uid);
        }
    }
    Ok(count)
}

/// Returns the number of threads in a process's `/proc/PID/status` if its real user is `uid`, and 0 otherwise.
fn tasks_of(status: &str, uid: u32) -> u64 {
    let field = |name: &str| {
        let rest = status.lines().find_map(|line| line.strip_prefix(name))?;
        rest.split_ascii_whitespace().next()?.parse::<u64>().ok()
    };
    if field("Uid:") == Some(uid.into()) { field("Threads:").unwrap_or(1) } else { 0 }
}

/// Returns the limits of this process.
pub(super) fn own_limits(resource: Resource) -> rlimit64 {
    let mut limits = rlimit64 { rlim_cur: libc::RLIM64_INFINITY, rlim_max: libc::RLIM64_INFINITY };
    // SAFETY: asks only, into a structure that is ours. A resource the kernel does not know leaves it as it is.
    unsafe { libc::syscall(libc::SYS_prlimit64, 0, resource as u32, std::ptr::null::<rlimit64>(), &raw mut limits) };
    limits
}

/// The limits on open files that bandog was started with; set once it has raised its own.
pub(super) static ORIGINAL_OPEN_FILES: OnceLock<rlimit64> = OnceLock::new();

/// Raises bandog's own limit on open files to the maximum, because each client and each function takes several.
/// Functions keep the original limit: programs that use select(2), or that close every possible descriptor, rely on a
/// small one.
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
