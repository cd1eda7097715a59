//! Checks at start whether the kernel lets bandog apply the configured user, priority, limits and sandbox. Otherwise
//! every request would fail, or a setting would have no effect.

use std::{io, thread};

use rustix::{
    process::{getegid, geteuid, getgid, getgroups, getuid},
    thread::{CapabilitySet, capabilities, capability_is_in_ambient_set},
};

use crate::{
    cgroup::{CgroupLimits, Cgroups},
    sandbox::{step::SetupStep, write_rules},
};

/// The capabilities needed to run functions as another user: to change the user, to hand over the workspace, to read
/// and remove the files that the function leaves, and to signal it.
const NEEDED: [(CapabilitySet, &str); 6] = [
    (CapabilitySet::SETUID, "CAP_SETUID"),
    (CapabilitySet::SETGID, "CAP_SETGID"),
    (CapabilitySet::CHOWN, "CAP_CHOWN"),
    (CapabilitySet::DAC_OVERRIDE, "CAP_DAC_OVERRIDE"),
    (CapabilitySet::FOWNER, "CAP_FOWNER"),
    (CapabilitySet::KILL, "CAP_KILL"),
];

/// Returns whether this process runs as exactly this user and group, with no other ids.
#[must_use]
pub fn is_own_user(uid: u32, gid: u32) -> bool {
    let users = [getuid().as_raw(), geteuid().as_raw()];
    let groups = [getgid().as_raw(), getegid().as_raw()];
    let others = getgroups().unwrap_or_default();
    users == [uid; 2] && groups == [gid; 2] && others.iter().all(|group| group.as_raw() == gid)
}

/// Checks whether functions can run as this user.
///
/// # Errors
/// Says what is missing.
pub fn may_become(uid: u32, gid: u32) -> Result<(), String> {
    let have = capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.effective);
    let missing: Vec<&str> =
        NEEDED.iter().filter(|(capability, _)| !have.contains(*capability)).map(|(_, name)| *name).collect();
    if !missing.is_empty() {
        return Err(format!(
            "bandog may not run functions as another user: it lacks {}; start it as root with these capabilities, or start \
             it as that user",
            missing.join(", ")
        ));
    }
    // The id may not exist in this user namespace.
    attempt(vec![SetupStep::DropGroups, SetupStep::Group(gid), SetupStep::User(uid)])
}

/// Checks whether functions can run with this priority.
///
/// # Errors
/// Says what is missing.
pub fn may_set_nice(nice: i32) -> Result<(), String> {
    attempt(vec![SetupStep::Nice(nice)])
        .map_err(|error| format!("{error}; start bandog with CAP_SYS_NICE, or give a number not below its own"))
}

/// Checks whether a limit on processes is enforced for functions that run as `uid` (`None`: as bandog's own user). If
/// the kernel exempts that user and `limit` is given, tries whether a cgroup with this limit can enforce it.
///
/// # Errors
/// Says what to change.
pub fn may_limit_processes(uid: Option<u32>, limit: Option<u64>) -> Result<(), String> {
    let exempt = [CapabilitySet::SYS_ADMIN, CapabilitySet::SYS_RESOURCE];
    let obstacle = if uid.unwrap_or_else(|| getuid().as_raw()) == 0 {
        "the kernel exempts root from it; add --user, or start bandog as another user"
    } else if uid.is_none() && exempt.iter().any(|set| capability_is_in_ambient_set(*set).unwrap_or(false)) {
        "the kernel exempts processes with CAP_SYS_ADMIN or CAP_SYS_RESOURCE from it; start bandog without them, or add \
         --user"
    } else {
        return Ok(());
    };
    match limit.map(|limit| Cgroups::find(CgroupLimits { processes: Some(limit), memory: None })) {
        None => Err(obstacle.to_owned()),
        Some(Ok(_)) => Ok(()),
        Some(Err(reason)) => Err(format!("{obstacle} (a cgroup of its own cannot enforce it either: {reason})")),
    }
}

/// Checks whether the kernel can enforce the sandbox.
///
/// # Errors
/// Says what to change.
pub fn may_sandbox() -> Result<(), String> {
    write_rules::can_sandbox().map_err(|error| {
        format!("this kernel cannot enforce it ({error}); it needs Linux 6.2 or later with Landlock, and a container engine whose seccomp filter allows it")
    })
}

/// Takes the steps on a thread of their own, which ends afterwards: in the kernel, ids and priorities belong to a
/// thread.
fn attempt(steps: Vec<SetupStep>) -> Result<(), String> {
    let thread = thread::Builder::new().spawn(move || {
        for step in steps {
            // SAFETY: changes this thread only, which does nothing else any more.
            if !unsafe { step.take() } {
                return Err(format!("cannot {step}: {}", io::Error::last_os_error()));
            }
        }
        Ok(())
    });
    match thread.map(thread::JoinHandle::join) {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err("cannot try it".to_owned()),
        Err(error) => Err(format!("cannot try it: {error}")),
    }
}
