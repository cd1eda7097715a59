//! What the kernel lets this process do to its functions: asked at start, so that nothing which was asked for fails
//! with every request, or is silently left out.

use std::{io, thread};

use rustix::{
    process::{getegid, geteuid, getgid, getgroups, getuid},
    thread::{CapabilitySet, capabilities, capability_is_in_ambient_set},
};

use crate::{
    cgroup::{CgroupLimits, Cgroups},
    sandbox::{step::SetupStep, write_rules},
};

/// What becoming another user takes: the change itself, handing the workspace over, reading and removing what the
/// function leaves, and signalling it.
const NEEDED: [(CapabilitySet, &str); 6] = [
    (CapabilitySet::SETUID, "CAP_SETUID"),
    (CapabilitySet::SETGID, "CAP_SETGID"),
    (CapabilitySet::CHOWN, "CAP_CHOWN"),
    (CapabilitySet::DAC_OVERRIDE, "CAP_DAC_OVERRIDE"),
    (CapabilitySet::FOWNER, "CAP_FOWNER"),
    (CapabilitySet::KILL, "CAP_KILL"),
];

/// Whether these are the ids that this process has, and no others.
#[must_use]
pub fn is_own_user(uid: u32, gid: u32) -> bool {
    let users = [getuid().as_raw(), geteuid().as_raw()];
    let groups = [getgid().as_raw(), getegid().as_raw()];
    let others = getgroups().unwrap_or_default();
    users == [uid; 2] && groups == [gid; 2] && others.iter().all(|group| group.as_raw() == gid)
}

/// Whether functions can run as this user; else what is missing.
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
    // A user namespace may not know the id at all.
    attempt(vec![SetupStep::DropGroups, SetupStep::Group(gid), SetupStep::User(uid)])
}

/// Whether functions can have this priority; else what is missing.
pub fn may_set_nice(nice: i32) -> Result<(), String> {
    attempt(vec![SetupStep::Nice(nice)])
        .map_err(|error| format!("{error}; start bandog with CAP_SYS_NICE, or give a number not below its own"))
}

/// Whether a limit on processes holds for functions; else what to do. `uid` is theirs, if not bandog's own. Where they
/// are exempt as who they are, a cgroup with this limit can hold them to it, if one is to be tried.
pub fn may_limit_processes(uid: Option<u32>, limit: Option<u64>) -> Result<(), String> {
    let exempt = [CapabilitySet::SYS_ADMIN, CapabilitySet::SYS_RESOURCE];
    let obstacle = if uid.unwrap_or_else(|| getuid().as_raw()) == 0 {
        "the kernel does not hold root to it; add --user, or start bandog as another user"
    } else if uid.is_none() && exempt.iter().any(|set| capability_is_in_ambient_set(*set).unwrap_or(false)) {
        "the kernel does not hold those to it who have CAP_SYS_ADMIN or CAP_SYS_RESOURCE; start bandog without, or add \
         --user"
    } else {
        return Ok(());
    };
    match limit.map(|limit| Cgroups::find(CgroupLimits { processes: Some(limit), memory: None })) {
        None => Err(obstacle.to_owned()),
        Some(Ok(_)) => Ok(()),
        Some(Err(reason)) => Err(format!("{obstacle} (nor can a cgroup of its own do it: {reason})")),
    }
}

/// Whether the kernel can make the sandbox; else what to do.
pub fn may_sandbox() -> Result<(), String> {
    write_rules::can_sandbox().map_err(|error| {
        format!("this kernel cannot make it ({error}); it takes Linux 6.2 or later with Landlock, and a container engine whose filter lets it through")
    })
}

/// Takes the steps on a thread that ends with it: to the kernel, ids and priorities are a thread's own.
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
