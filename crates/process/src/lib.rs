//! Spawn · confine · supervise · terminate · reap: the only place that starts, waits for and signals processes.
//!
//! Linux 5.3 or later (pidfd_open(2), `CLONE_PIDFD`).

mod cgroup;
mod child;
mod exit;
pub mod ids;
mod leader;
mod leftovers;
mod privileges;
mod reaper;
mod sandbox;
mod signals;
mod spawn;
mod spawner;
mod supervise;
mod trim;

pub use cgroup::{CgroupLimits, Cgroups, CgroupsUnavailable, LimitEvents, oom_kills::OutOfMemoryKills};
pub use child::Child;
pub use exit::{Exit, signal_name};
pub use leftovers::{
    kill_leftovers,
    tag::{InvocationTag, TAG_VARIABLE},
};
pub use privileges::{is_own_user, may_become, may_limit_processes, may_sandbox, may_set_nice};
pub use reaper::run_with_reaper;
pub use sandbox::{Confinement, Limits};
pub use spawn::{
    Streams, empty_input,
    error::SpawnError,
    high_fds::{move_high, should_move_high},
    program::{Program, variable},
};
pub use spawner::{LocalSpawner, SpawnRequest, Spawner, SpawnerError};
pub use supervise::{
    End, Ended, Rules,
    cancel::{Cancel, Cause, WakeFd},
    output::{Capacity, Observer, Outputs, Progress, Stop, drain},
    supervise,
};
pub use trim::{give_back_all, give_back_heap};
