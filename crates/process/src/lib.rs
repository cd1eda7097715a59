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

pub use cgroup::{Ceiling, Cgroup, Cgroups, Toll, Unusable, oom_kills::OutOfMemoryKills};
pub use child::{Child, Ties};
pub use exit::{Exit, signal_name};
pub use leftovers::{
    end_leftovers,
    tag::{Mark, VARIABLE as MARK},
};
pub use privileges::{is_own_user, may_become, may_limit_processes, may_sandbox, may_set_nice};
pub use reaper::attend;
pub use sandbox::{Confined, Confinement, Limits};
pub use spawn::{
    Streams, empty_input,
    error::SpawnError,
    high_fds::{is_in_the_way, put_aside},
    program::{Program, variable},
};
pub use spawner::spawn;
pub use supervise::{
    End, Ended, Rules,
    cancel::{Bell, Cancel, Cause},
    output::{Observer, Outputs, Pace, Room, Stop, drain},
    supervise,
};
pub use trim::{give_back_all, give_back_heap};
