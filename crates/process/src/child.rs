//! A started process with all that it may start.

use rustix::process::Signal;

use crate::{
    cgroup::Cgroup,
    leader::Leader,
    leftovers::{self, tag::InvocationTag},
};

/// What a process and all that it starts are found by.
#[derive(Debug)]
pub(crate) struct Tracking {
    /// Inherited by all of them.
    pub(crate) tag: InvocationTag,
    /// What they are born in, if there are cgroups to be had.
    pub(crate) cgroup: Option<Cgroup>,
}

/// A started process with all that it may start. Dropped, all of it is killed and it is reaped.
#[derive(Debug)]
pub struct Child {
    pub(crate) leader: Leader,
    pub(crate) tracking: Tracking,
}

impl Child {
    /// Its process id, which is its process group's too.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.leader.group.0.as_raw_nonzero().get()
    }

    /// Whether it has ended and left nobody in its cgroup. Its group can have no other members then but the dead, and
    /// who was allowed to move to another cgroup: nobody who has to be waited for once the group has been killed.
    pub(crate) fn has_left_nothing(&mut self) -> bool {
        self.tracking.cgroup.as_mut().is_some_and(Cgroup::is_empty)
    }

    /// Kills what it left running, once it is reaped; `was_alone` as [`Child::has_left_nothing`] said when it had ended. What
    /// resists is named in the log.
    pub(crate) fn kill_the_rest(&mut self, was_alone: bool) {
        leftovers::kill_siblings();
        let left = if was_alone {
            leftovers::kill_adopted(&self.tracking.tag)
        } else {
            let left = self.tracking.cgroup.as_mut().map(Cgroup::kill_all).unwrap_or_default();
            [left, leftovers::kill_all(self.leader.group, &self.tracking.tag)].concat()
        };
        if !left.is_empty() {
            let left: Vec<_> = left.iter().map(|pid| pid.as_raw_nonzero().get()).collect();
            tracing::error!("the function left processes that cannot be killed; see ps -o stat,wchan,user -p {left:?}");
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
