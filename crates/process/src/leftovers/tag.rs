//! What every process of an invocation carries, so that it is found wherever it went: the path of its workspace in its
//! environment, and a number of the invocation's own as RLIMIT_LOCKS.
//!
//! Linux has not looked at that limit since 2.4.25 (getrlimit(2)), but hands it down through fork and exec. A daemon
//! that starts with an empty environment loses the first; only who sets out to lose the second can.

use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt as _, sync::OnceLock};

use rustix::process::{Pid, Resource, getrlimit};

/// The variable whose value lies in the workspace, and so tells the invocations apart.
pub const TAG_VARIABLE: &str = "TMP_OUTPUT_DIR";

/// The upper 16 bits of every number, by which it is known for one of ours. The others are of the workspace's name.
const OURS: u64 = 0xbad0;

/// The tag of one invocation.
#[derive(Debug, Clone)]
pub struct InvocationTag {
    /// Name of the workspace, which no other bandog's has, wherever it runs.
    workspace: Vec<u8>,
    rlimit_locks: u64,
}

/// What a look at a process told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TagCheck {
    /// It carries the tag.
    Tagged,
    /// It does not.
    Untagged,
    /// It shows no environment, as in the middle of exec(2), and no number that would tell.
    Unknown,
}

impl InvocationTag {
    /// The tag of the invocation whose workspace has this name.
    #[must_use]
    pub fn of(workspace: &OsStr) -> Self {
        // FNV-1a. Two names alike in 48 bits would have to be in use at once on one machine.
        let hash = workspace
            .as_bytes()
            .iter()
            .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3));
        Self {
            workspace: workspace.as_bytes().to_vec(),
            rlimit_locks: OURS << 48 | (hash ^ hash >> 48) & 0xffff_ffff_ffff,
        }
    }

    /// What a process of the invocation gets as RLIMIT_LOCKS. `None` if this bandog is part of another one's function:
    /// what that one looks for is not to be overwritten.
    pub(crate) fn rlimit_locks(&self) -> Option<u64> {
        static INHERITED: OnceLock<bool> = OnceLock::new();
        let inherited = || getrlimit(Resource::Locks).maximum.is_some_and(is_ours);
        (!*INHERITED.get_or_init(inherited)).then_some(self.rlimit_locks)
    }

    fn is_path(&self, value: &[u8]) -> bool {
        let parent = value.iter().rposition(|byte| *byte == b'/').map_or(value, |slash| &value[..slash]);
        parent.strip_suffix(self.workspace.as_slice()).is_some_and(|above| above.last() == Some(&b'/'))
    }
}

fn is_ours(rlimit_locks: u64) -> bool {
    rlimit_locks >> 48 == OURS
}

/// Whether `process` carries one of `tags`.
pub(crate) fn check(process: Pid, tags: &[InvocationTag]) -> TagCheck {
    let number = number_of(process);
    if number.is_some_and(|number| tags.iter().any(|tag| tag.rlimit_locks == number)) {
        return TagCheck::Tagged;
    }
    match fs::read(format!("/proc/{process}/environ")) {
        Ok(environment) if environment.is_empty() && !number.is_some_and(is_ours) => TagCheck::Unknown,
        Ok(environment) => {
            let mut paths = environment.split(|byte| *byte == 0).filter_map(|variable| {
                variable.strip_prefix(TAG_VARIABLE.as_bytes()).and_then(|rest| rest.strip_prefix(b"="))
            });
            let ours = paths.any(|path| tags.iter().any(|tag| tag.is_path(path)));
            if ours { TagCheck::Tagged } else { TagCheck::Untagged }
        }
        // Another user's, and we have no right to look (ptrace(2)): only the number would tell.
        Err(_) => TagCheck::Untagged,
    }
}

/// Its RLIMIT_LOCKS. Unlike prlimit(2), the file may be read of any user's processes.
fn number_of(process: Pid) -> Option<u64> {
    let limits = fs::read_to_string(format!("/proc/{process}/limits")).ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max file locks"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_differ_and_are_known_for_ours() {
        let tags: std::collections::BTreeSet<u64> = (0..10_000)
            .map(|n| InvocationTag::of(OsStr::new(&format!("bandog-0123456789ab-{n}"))).rlimit_locks)
            .collect();
        assert_eq!(tags.len(), 10_000);
        assert!(tags.into_iter().all(is_ours));
        assert!(!is_ours(u64::MAX), "no limit is no number");
    }

    #[test]
    fn the_path_of_another_invocation_is_not_taken_for_this_one() {
        let tag = InvocationTag::of(OsStr::new("bandog-a-1"));
        assert!(tag.is_path(b"/tmp/bandog-a-1/out"));
        for other in
            ["/tmp/bandog-a-11/out", "/tmp/bandog-a-2/out", "/tmp/xbandog-a-1/out", "bandog-a-1", "", "/tmp/bandog-a-1"]
        {
            assert!(!tag.is_path(other.as_bytes()), "{other}");
        }
    }
}
