//! The tag that every process of an invocation carries, so that it can be found wherever it has moved: the path of its
//! workspace in its environment, and a number unique to the invocation as RLIMIT_LOCKS.
//!
//! Linux has not enforced that limit since 2.4.25 (getrlimit(2)), but fork and exec pass it on. A daemon that starts
//! with an empty environment loses the first part; only a process that deliberately changes its limits loses the
//! second.

use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt as _, sync::OnceLock};

use rustix::process::{Pid, Resource, getrlimit};

/// The variable whose value is a path in the workspace, which differs between invocations.
pub const TAG_VARIABLE: &str = "TMP_OUTPUT_DIR";

/// The upper 16 bits of every number, which mark it as bandog's. The lower bits are a hash of the workspace's name.
const OURS: u64 = 0xbad0;

/// The tag of one invocation.
#[derive(Debug, Clone)]
pub struct InvocationTag {
    /// The name of the workspace. No other bandog uses it, on any machine.
    workspace: Vec<u8>,
    rlimit_locks: u64,
}

/// The result of looking for a tag in a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TagCheck {
    /// The process carries the tag.
    Tagged,
    /// The process does not carry the tag.
    Untagged,
    /// The process shows no environment, as in the middle of exec(2), and no number that would decide it.
    Unknown,
}

impl InvocationTag {
    /// Returns the tag of the invocation whose workspace has this name.
    #[must_use]
    pub fn of(workspace: &OsStr) -> Self {
        // FNV-1a. A collision would take two names with the same 48 bits in use at once on one machine.
        let hash = workspace
            .as_bytes()
            .iter()
            .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3));
        Self {
            workspace: workspace.as_bytes().to_vec(),
            rlimit_locks: OURS << 48 | (hash ^ hash >> 48) & 0xffff_ffff_ffff,
        }
    }

    /// Returns the RLIMIT_LOCKS for the processes of the invocation. `None` if this bandog is itself part of another
    /// bandog's function: the number that the other one looks for must not be overwritten.
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

/// Looks for one of `tags` in `process`.
pub(crate) fn check(process: Pid, tags: &[InvocationTag]) -> TagCheck {
    let number = rlimit_locks_of(process);
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
        // The process belongs to another user, and bandog may not read its environment (ptrace(2)): only the number can
        // tell.
        Err(_) => TagCheck::Untagged,
    }
}

/// Returns the RLIMIT_LOCKS of a process. Unlike with prlimit(2), the file is readable for processes of every user.
fn rlimit_locks_of(process: Pid) -> Option<u64> {
    let limits = fs::read_to_string(format!("/proc/{process}/limits")).ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max file locks"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_differ_and_are_recognised() {
        let tags: std::collections::BTreeSet<u64> = (0..10_000)
            .map(|n| InvocationTag::of(OsStr::new(&format!("bandog-0123456789ab-{n}"))).rlimit_locks)
            .collect();
        assert_eq!(tags.len(), 10_000);
        assert!(tags.into_iter().all(is_ours));
        assert!(!is_ours(u64::MAX), "no limit is not a tag");
    }

    #[test]
    fn a_path_of_another_invocation_does_not_match() {
        let tag = InvocationTag::of(OsStr::new("bandog-a-1"));
        assert!(tag.is_path(b"/tmp/bandog-a-1/out"));
        for other in
            ["/tmp/bandog-a-11/out", "/tmp/bandog-a-2/out", "/tmp/xbandog-a-1/out", "bandog-a-1", "", "/tmp/bandog-a-1"]
        {
            assert!(!tag.is_path(other.as_bytes()), "{other}");
        }
    }
}
