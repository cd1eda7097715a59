//! A started process together with its descendants.

use rustix::process::Signal;

use crate::{
    cgroup::Cgroup,
    leader::{Leader, pid_list},
    leftovers::{self, tag::InvocationTag},
};

/// The means by which a process and its descendants are found.
#[derive(Debug)]
pub(crate) struct Tracking {
    /// Inherited by all of them.
    pub(crate) tag: InvocationTag,
    /// The cgroup that they were started in, if cgroups are available.
    pub(crate) cgroup: Option<Cgroup>,
}

/// A started process together with its descendants. Drop kills all of them and reaps the process.
#[derive(Debug)]
pub struct Child {
    pub(crate) leader: Leader,
    pub(crate) tracking: Tracking,
}

impl Child {
    /// Returns the process id, which is also the id of its process group.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.leader.group.0.as_raw_nonzero().get()
    }

    /// Returns whether the process has ended and left its cgroup empty. The group can then contain only dead processes,
    /// and processes that were allowed to move to another cgroup. Neither has to be waited for once the group has been
    /// killed.
    pub(crate) fn has_left_nothing(&mut self) -> bool {
        self.tracking.cgroup.as_mut().is_some_and(Cgroup::is_empty)
    }

    /// Kills the descendants that are still running, after the process has been reaped. `left_nothing` is the result of
    /// [`Child::has_left_nothing`] at its end. The log names processes that cannot be killed.
    pub(crate) fn kill_the_rest(&mut self, left_nothing: bool) {
        leftovers::kill_siblings();
        let left = if left_nothing {
            leftovers::kill_adopted(&self.tracking.tag)
        } else {
            let left = self.tracking.cgroup.as_mut().map(Cgroup::kill_all).unwrap_or_default();
            [left, leftovers::kill_all(self.leader.group, &self.tracking.tag)].concat()
        };
        if !left.is_empty() {
            let left = pid_list(&left);
            tracing::error!("the function left processes that cannot be killed; see ps -o stat,wchan,user -p {left}");
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.leader.reaped {
            self.leader.signal(Signal::KILL);
            let _ = self.leader.reap();
            self.kill_the_rest(false);
        }
    }
}
