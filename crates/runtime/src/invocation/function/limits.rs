//! The limits of functions: a cgroup where one is available, and the limits that each process sets for itself.

use std::{ffi::CString, io, sync::Arc};

use super::super::{outcome::Failure, settings::Confinement};
use crate::{
    process::{
        self, CgroupLimits, Cgroups, Child, InvocationTag, LocalSpawner, OutOfMemoryKills, Program, SpawnRequest,
        Spawner, SpawnerError, Streams,
    },
    workspace::Workspace,
};

/// The limits of every invocation.
#[derive(Debug)]
pub(crate) struct FunctionLimits {
    /// The settings that these limits are made of.
    pub(crate) settings: Confinement,
    spawner: Spawner,
    /// `None` where the kernel does not count the kills.
    out_of_memory: Option<OutOfMemoryKills>,
}

impl FunctionLimits {
    /// Prepares the limits. Memory and processes are limited by a cgroup, for all processes of an invocation together;
    /// where no cgroup is available, each process limits itself.
    ///
    /// # Errors
    /// A path to write to cannot be opened, or the number of processes cannot be limited.
    pub(crate) fn new(settings: &Confinement) -> io::Result<Self> {
        // Without `..`, so that the compiler names this place for a new limit.
        let Confinement {
            max_memory,
            max_cpu_time,
            max_processes,
            max_open_files,
            max_output,
            nice,
            user,
            sandbox,
            allow_write,
        } = settings;
        // Opened before bandog moves to a cgroup of its own to make room for limits: the present cgroup counts the
        // kills of all cgroups below it.
        let out_of_memory = OutOfMemoryKills::of_own_cgroup();
        let wanted = CgroupLimits { memory: *max_memory, processes: *max_processes };
        let (cgroups, held) = find_cgroups(wanted);
        if wanted.processes.is_some() && held.processes.is_none() {
            process::may_limit_processes(user.as_ref().map(|user| user.uid), None)
                .map_err(|advice| io::Error::other(format!("--max-processes: {advice}")))?;
        }
        let confinement = process::Confinement::new(&process::Limits {
            max_memory: max_memory.filter(|_| held.memory.is_none()),
            max_cpu_time: *max_cpu_time,
            max_processes: max_processes.filter(|_| held.processes.is_none()),
            max_open_files: *max_open_files,
            max_file: *max_output,
            nice: *nice,
            user: user.as_ref().map(|user| (user.uid, user.gid)),
            sandbox: sandbox.then(|| allow_write.clone()),
        })?;
        let spawner = Spawner::Local(LocalSpawner::new(confinement, cgroups));
        Ok(Self { settings: settings.clone(), spawner, out_of_memory })
    }

    /// Gives a workspace to the user whose processes run in it. To be called once, before the first process.
    pub(crate) fn hand_over(&self, workspace: &Workspace) -> Result<(), Failure> {
        let Some(user) = &self.settings.user else { return Ok(()) };
        workspace.hand_over(user.uid, user.gid).map_err(Failure::Workspace)
    }

    /// Starts a process of an invocation, in a workspace that has been handed over.
    pub(crate) fn spawn(
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

    /// The number of processes that the kernel has killed because there was no memory left; `None` if it is unknown.
    pub(crate) fn count_killed(&self) -> Option<u64> {
        self.out_of_memory.as_ref().and_then(OutOfMemoryKills::count)
    }
}

/// Finds cgroups to run functions in, and returns the limits that they enforce: both; or the number of processes alone,
/// because the kernel does not apply the resource limit for processes to every user; or none.
fn find_cgroups(wanted: CgroupLimits) -> (Option<Arc<Cgroups>>, CgroupLimits) {
    let mut reasons = Vec::new();
    let mut ceilings = vec![wanted, CgroupLimits { memory: None, ..wanted }, CgroupLimits::default()];
    ceilings.dedup();
    for held in ceilings {
        match Cgroups::find(held) {
            Ok(cgroups) => {
                tracing::debug!("functions run in cgroups below {}, which enforce {held}", cgroups.path().display());
                return (Some(cgroups), held);
            }
            Err(reason) => reasons.push(reason.to_string()),
        }
    }
    reasons.dedup();
    tracing::debug!("functions run without cgroups: {}", reasons.join("; "));
    (None, CgroupLimits::default())
}
