//! The number of processes in bandog's own cgroup that the kernel has killed because memory ran out.
//!
//! The count is in `memory.events` (cgroup v2) or `memory.oom_control` (v1, Linux 4.13); both have a line `oom_kill N`.
//! The file stays open, so that reading the count costs one system call.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use super::membership::Membership;

/// The size of the read buffer, in bytes; the file has about eighty.
const SIZE: usize = 1024;

/// The count of bandog's own cgroup.
#[derive(Debug)]
pub struct OutOfMemoryKills(File);

impl OutOfMemoryKills {
    /// Opens the count. `None` where it is not available: no memory controller, the root cgroup, or no /proc.
    #[must_use]
    pub fn of_own_cgroup() -> Option<Self> {
        let membership = Membership::read().ok()?;
        let file = files(&membership).into_iter().find_map(|path| File::open(path).ok())?;
        let kills = Self(file);
        kills.count().map(|_| kills)
    }

    /// Returns the number of processes killed so far.
    #[must_use]
    pub fn count(&self) -> Option<u64> {
        let mut text = [0; SIZE];
        let read = loop {
            match self.0.read_at(&mut text, 0) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other.ok()?,
            }
        };
        kills(str::from_utf8(&text[..read]).ok()?)
    }
}

/// Parses the line `oom_kill N`.
fn kills(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim_ascii().parse().ok())
}

/// Returns the files that may hold the count.
fn files(membership: &Membership) -> Vec<PathBuf> {
    [(None, "memory.events"), (Some("memory"), "memory.oom_control")]
        .into_iter()
        .filter_map(|(controller, name)| {
            let mount = membership.mounts(controller).next()?;
            // In a cgroup namespace both paths are relative to its root. Where they do not match, the mount shows
            // bandog's own cgroup, as with container engines.
            let rest = membership.cgroup(controller)?.strip_prefix(&mount.root).unwrap_or(Path::new(""));
            Some(mount.below(rest)?.join(name))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(cgroups: &str, mounts: &str) -> Vec<String> {
        files(&Membership::of(cgroups, mounts)).iter().map(|path| path.display().to_string()).collect()
    }

    const V1: &str = "9:name=systemd:/\n4:cpu,memory:/docker/abc\n0::/\n";

    #[test]
    fn the_count_is_found_in_both_versions() {
        assert_eq!(kills("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"), Some(3));
        assert_eq!(kills("low 0\nhigh 0\nmax 9\noom 2\noom_kill 12\noom_group_kill 1\n"), Some(12));
        assert_eq!(kills("oom_kill_disable 0\nunder_oom 0\n"), None, "Linux before 4.13");
        assert_eq!(kills(""), None);
    }

    #[test]
    fn the_own_cgroup_of_version_2_is_found() {
        let whole = "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
        assert_eq!(paths("0::/user.slice/a b\n", whole), ["/sys/fs/cgroup/user.slice/a b/memory.events"]);
        // A private cgroup namespace: all paths are relative to its root.
        assert_eq!(paths("0::/\n", whole), ["/sys/fs/cgroup/memory.events"]);
        // The host's namespace, but only the container's own part is mounted.
        let part = "31 23 0:28 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
        assert_eq!(paths("0::/docker/abc\n", part), ["/sys/fs/cgroup/memory.events"]);
        assert_eq!(paths("0::/docker/abc/inner\n", part), ["/sys/fs/cgroup/inner/memory.events"]);
        assert_eq!(paths("0::/../other\n", whole), [""; 0], "outside of what is mounted");
    }

    #[test]
    fn the_own_cgroup_of_version_1_is_found() {
        let mounts = "32 31 0:29 /docker/abc /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n\
                      35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
        assert_eq!(paths(V1, mounts), ["/sys/fs/cgroup/memory/memory.oom_control"]);
        let whole = "35 31 0:32 / /sys/fs/cgroup/mem\\040ory rw - cgroup cgroup rw,memory\n";
        assert_eq!(paths(V1, whole), ["/sys/fs/cgroup/mem ory/docker/abc/memory.oom_control"]);
        assert_eq!(paths("0::/\n", mounts), [""; 0]);
        assert_eq!(paths("", ""), [""; 0]);
    }
}
