//! A started process with all that it may start.

use rustix::process::Signal;

use crate::{
    cgroup::Cgroup,
    leader::Leader,
    leftovers::{self, tag::Mark},
};

/// What a process and all that it starts are found by.
#[derive(Debug)]
pub struct Ties {
    /// Inherited by all of them.
    pub mark: Mark,
    /// What they are born in, if there are cgroups to be had.
    pub cgroup: Option<Cgroup>,
}

/// A started process with all that it may start. Dropped, all of it is killed and it is reaped.
#[derive(Debug)]
pub struct Child {
    pub(crate) leader: Leader,
    pub(crate) ties: Ties,
}

impl Child {
    /// Its process id, which is its process group's too.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.leader.group.0.as_raw_nonzero().get()
    }

    /// Whether it has ended and left nobody in its cgroup. Its group can have no other members then but the dead, and
    /// who was allowed to move to another cgroup: nobody who has to be waited for once the group has been killed.
    pub(crate) fn is_alone(&mut self) -> bool {
        self.ties.cgroup.as_mut().is_some_and(Cgroup::is_empty)
    }

    /// Kills what it left running, once it is reaped; `was_alone` as [`Child::is_alone`] said when it had ended. What
    /// resists is named in the log.
    pub(crate) fn end_the_rest(&mut self, was_alone: bool) {
        leftovers::end_siblings();
        let left = if was_alone {
            leftovers::end_adopted(&self.ties.mark)
        } else {
            let left = self.ties.cgroup.as_mut().map(Cgroup::end_all).unwrap_or_default();
            [left, leftovers::end(self.leader.group, &self.ties.mark)].concat()
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
            self.end_the_rest(false);
        }
    }
}
