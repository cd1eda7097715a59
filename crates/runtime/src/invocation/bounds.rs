//! What holds a function: a cgroup where one can be had, and what its processes take on themselves.

use std::{ffi::CString, io, sync::Arc};

use super::{Failure, settings::Confinement};
use crate::{
    process::{
        self, CgroupLimits, Cgroups, Child, InvocationTag, LocalSpawner, OutOfMemoryKills, Program, SpawnRequest,
        Spawner, SpawnerError, Streams,
    },
    workspace::Workspace,
};

/// The bounds of every invocation.
#[derive(Debug)]
pub(super) struct Bounds {
    /// What was asked for.
    pub(super) limits: Confinement,
    spawner: Spawner,
    /// `None` where nobody counts them.
    out_of_memory: Option<OutOfMemoryKills>,
}

impl Bounds {
    /// Prepares what is asked for. Memory and processes are limited by a cgroup, for all processes of an invocation
    /// together, or where there is none by each process itself.
    ///
    /// # Errors
    /// A path to write to cannot be opened, or nothing limits the processes.
    pub(super) fn new(limits: &Confinement) -> io::Result<Self> {
        // Looked for before bandog moves to make room for limits: here the kills of all that is below are counted.
        let out_of_memory = OutOfMemoryKills::of_own_cgroup();
        let wanted = CgroupLimits { memory: limits.max_memory, processes: limits.max_processes };
        let (cgroups, held) = find_cgroups(wanted);
        if wanted.processes.is_some() && held.processes.is_none() {
            process::may_limit_processes(limits.user.as_ref().map(|user| user.uid), None)
                .map_err(|advice| io::Error::other(format!("--max-processes: {advice}")))?;
        }
        let confinement = process::Confinement::new(&process::Limits {
            max_memory: limits.max_memory.filter(|_| held.memory.is_none()),
            max_cpu_time: limits.max_cpu_time,
            max_processes: limits.max_processes.filter(|_| held.processes.is_none()),
            max_open_files: limits.max_open_files,
            max_file: limits.max_output,
            nice: limits.nice,
            user: limits.user.as_ref().map(|user| (user.uid, user.gid)),
            sandbox: limits.sandbox.then(|| limits.allow_write.clone()),
        })?;
        let spawner = Spawner::Local(LocalSpawner::new(confinement, cgroups));
        Ok(Self { limits: limits.clone(), spawner, out_of_memory })
    }

    /// Makes a workspace that of the user whose processes run in it. To be called once, before the first of them.
    pub(super) fn hand_over(&self, workspace: &Workspace) -> Result<(), Failure> {
        let Some(user) = &self.limits.user else { return Ok(()) };
        workspace.hand_over(user.uid, user.gid).map_err(Failure::Workspace)
    }

    /// Starts a process of an invocation, in a workspace that has been handed over.
    pub(super) fn spawn(
        &self,
        workspace: &Workspace,
        program: &Program,
        arguments: &[CString],
        variables: &[CString],
        streams: Streams<'_>,
    ) -> Result<Child, Failure> {
        let (directory, tag) = (workspace.directory(), InvocationTag::of(workspace.name()));
        let request = SpawnRequest { program, arguments, variables, streams, workspace: directory, tag };
        self.spawner.spawn(request).map_err(|error| match error {
            SpawnerError::Prepare(error) => Failure::Confine(error),
            SpawnerError::Spawn(error) => Failure::Spawn(error),
        })
    }

    /// How many processes the kernel has killed for want of memory, as far as can be seen.
    pub(super) fn count_killed(&self) -> Option<u64> {
        self.out_of_memory.as_ref().and_then(OutOfMemoryKills::count)
    }
}

/// Cgroups to run functions in, and what of this ceiling they enforce: all of it, or the number of processes, which the
/// kernel holds not everybody to otherwise, or nothing.
fn find_cgroups(wanted: CgroupLimits) -> (Option<Arc<Cgroups>>, CgroupLimits) {
    let mut reasons = Vec::new();
    let mut ceilings = vec![wanted, CgroupLimits { memory: None, ..wanted }, CgroupLimits::default()];
    ceilings.dedup();
    for held in ceilings {
        match Cgroups::find(held) {
            Ok(cgroups) => {
                tracing::debug!("functions run in cgroups below {}, which enforce {held:?}", cgroups.path().display());
                return (Some(cgroups), held);
            }
            Err(reason) => reasons.push(reason.to_string()),
        }
    }
    reasons.dedup();
    tracing::debug!("functions run without cgroups: {}", reasons.join("; "));
    (None, CgroupLimits::default())
}
