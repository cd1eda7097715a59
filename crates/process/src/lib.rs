//! The processes of functions: spawn, confine, supervise, terminate, reap. No other crate starts, signals or waits for
//! a process.
//!
//! # Layers
//!
//! Imports go down only.
//!
//! ```text
//! reaper       the process's first thread: takes signals, reaps orphans
//! spawner      the one way to start a process; Spawner::Local makes it a child of this one
//! privileges   whether the kernel allows a setting, checked at start
//! supervise    one poll(2) loop for each child: output, exit, deadline, cancellation
//! child        a started process and what identifies its descendants
//! cgroup       one cgroup for each invocation, where bandog may create them
//! spawn        clone and exec at the cost of vfork(2)
//! leftovers    finds and kills descendants that left the process group
//! sandbox      limits, user and sandbox, applied by the child itself before exec
//! leader       the started process, its process group and its pidfd
//! exit · ids · inherited · refusal · room · signals · trim
//! ```
//!
//! Requires Linux 5.3 or later (pidfd_open(2), `CLONE_PIDFD`). The only crate with `unsafe` code.

mod cgroup;
mod child;
mod exit;
pub mod ids;
mod inherited;
mod leader;
mod leftovers;
mod privileges;
mod reaper;
mod refusal;
mod room;
mod sandbox;
mod signals;
mod spawn;
mod spawner;
mod supervise;
mod trim;

pub use cgroup::{CgroupLimits, Cgroups, CgroupsUnavailable, LimitEvents, oom_kills::OutOfMemoryKills};
pub use child::Child;
pub use exit::{Exit, Usage, signal_name};
pub use inherited::{reset_inherited_state, was_closed};
pub use leader::pid_list;
pub use leftovers::{
    kill_leftovers,
    tag::{InvocationTag, TAG_VARIABLE},
};
pub use privileges::{is_own_user, may_become, may_limit_processes, may_sandbox, may_set_nice};
pub use reaper::run_with_reaper;
pub use room::{memory_left, most_calls, too_small_limits};
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
