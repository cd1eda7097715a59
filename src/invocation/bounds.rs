//! What holds a function: a cgroup where one can be had, and what its processes take on themselves.

use std::{io, sync::Arc};

use super::Failure;
use crate::{
    config::Confinement,
    process::{self, Ceiling, Cgroups, Confined, Mark, OutOfMemoryKills, Ties},
    workspace::Workspace,
};

/// The bounds of every invocation.
#[derive(Debug)]
pub(super) struct Bounds {
    /// What was asked for.
    pub(super) limits: Confinement,
    confinement: process::Confinement,
    /// What it runs in; `None` where no cgroups are to be had.
    cgroups: Option<Arc<Cgroups>>,
    /// `None` where nobody counts them.
    out_of_memory: Option<OutOfMemoryKills>,
}

impl Bounds {
    /// Prepares what is asked for. Memory and processes are limited by a cgroup, for all processes of an invocation
    /// together, or where there is none by each process itself.
    ///
    /// # Errors
    /// A path to write to cannot be opened.
    pub(super) fn new(limits: &Confinement) -> io::Result<Self> {
        let ceiling = Ceiling { memory: limits.max_memory, processes: limits.max_processes };
        let (cgroups, held) = find_cgroups(ceiling);
        let confinement = process::Confinement::new(&process::Limits {
            max_memory: limits.max_memory.filter(|_| !held),
            max_cpu_time: limits.max_cpu_time,
            max_processes: limits.max_processes.filter(|_| !held),
            max_open_files: limits.max_open_files,
            max_file: limits.max_output,
            nice: limits.nice,
            user: limits.user.as_ref().map(|user| (user.uid, user.gid)),
            sandbox: limits.sandbox.then(|| limits.allow_write.clone()),
        })?;
        // A cgroup of its own counts better: there no other invocation's are among them.
        let out_of_memory = if held && limits.max_memory.is_some() { None } else { OutOfMemoryKills::of_own_cgroup() };
        Ok(Self { limits: limits.clone(), confinement, cgroups, out_of_memory })
    }

    /// For one invocation, whose workspace becomes its user's from here on.
    pub(super) fn of(&self, workspace: &Workspace) -> Result<(Confined, Ties), Failure> {
        let confined = self.confinement.of(workspace.directory()).map_err(Failure::Confine)?;
        if let Some(user) = &self.limits.user {
            workspace.hand_over(user.uid, user.gid).map_err(Failure::Workspace)?;
        }
        let cgroup = self.cgroups.as_ref().map(Cgroups::take).transpose().map_err(Failure::Confine)?.flatten();
        Ok((confined, Ties { mark: Mark::of(workspace.name()), cgroup }))
    }

    /// How many processes the kernel has killed for want of memory, as far as can be seen.
    pub(super) fn count_killed(&self) -> Option<u64> {
        self.out_of_memory.as_ref().and_then(OutOfMemoryKills::count)
    }
}

/// Cgroups to run functions in, and whether they enforce this ceiling.
fn find_cgroups(ceiling: Ceiling) -> (Option<Arc<Cgroups>>, bool) {
    let wanted = ceiling != Ceiling::default();
    let found = Cgroups::find(ceiling).map(|cgroups| (cgroups, wanted)).or_else(|reason| {
        if !wanted {
            return Err(reason);
        }
        tracing::debug!("cgroups limit nothing here: {reason}");
        Cgroups::find(Ceiling::default()).map(|cgroups| (cgroups, false))
    });
    match found {
        Ok((cgroups, held)) => {
            tracing::debug!("functions run in cgroups below {}", cgroups.path().display());
            (Some(cgroups), held)
        }
        Err(reason) => {
            tracing::debug!("functions run without cgroups: {reason}");
            (None, false)
        }
    }
}
