//! The cgroup of one running bandog, which contains those of its functions.

use std::{
    ffi::CString,
    io,
    os::fd::{AsFd as _, OwnedFd},
};

use rustix::{
    fs::{Access, AtFlags, FlockOperation, Mode, accessat, flock, fstat, mkdirat, openat, unlinkat},
    io::Errno,
};

use super::{Cgroups, MODE, OPEN_DIR, dir};
use crate::{ids, leader::pid_list};

/// The prefix of the cgroup that each bandog creates for itself.
const PREFIX: &str = "bandog-";

/// The cgroup that bandog moves itself into, so that limits can be set beside it.
const LEAF: &str = "bandog";

/// The cgroup of this bandog, below the one it was started in.
#[derive(Debug)]
pub(super) struct InstanceCgroup {
    name: String,
    /// Locked by flock(2).
    pub(super) dir: OwnedFd,
    /// Whether bandog has moved into the cgroup below it.
    moved: bool,
}

impl Cgroups {
    pub(super) fn make_instance(&self) -> io::Result<InstanceCgroup> {
        loop {
            let name = format!("{PREFIX}{}", ids::instance());
            mkdirat(&self.parent, name.as_str(), MODE)?;
            let locked = openat(&self.parent, name.as_str(), OPEN_DIR, Mode::empty())
                .and_then(|dir| flock(&dir, FlockOperation::NonBlockingLockExclusive).map(|()| dir));
            let dir = match locked {
                // Until it was locked, another bandog that is just starting may have taken it for a leftover and
                // removed it.
                Ok(_) | Err(Errno::NOENT | Errno::WOULDBLOCK) if !still_there(&self.parent, &name) => continue,
                Ok(dir) => dir,
                Err(error) => {
                    let _ = unlinkat(&self.parent, name.as_str(), AtFlags::REMOVEDIR);
                    return Err(error.into());
                }
            };
            let mut instance = InstanceCgroup { name, dir, moved: false };
            if let Err(error) = self.enable(&mut instance) {
                self.remove_instance(&instance);
                return Err(error);
            }
            return Ok(instance);
        }
    }

    /// Enables the controllers that the limits need in the functions' cgroups.
    fn enable(&self, instance: &mut InstanceCgroup) -> io::Result<()> {
        let controllers = self.limits.controllers();
        if controllers.is_empty() {
            return Ok(());
        }
        let there = dir::read(self.parent.as_fd(), "cgroup.controllers")?;
        for controller in &controllers {
            if !there.split_ascii_whitespace().any(|name| name == *controller) {
                return Err(io::Error::other(format!("the {controller} controller is not available there")));
            }
        }
        // Only the root of all cgroups may have both processes and limits below it; it has no type.
        if accessat(&self.parent, "cgroup.type", Access::EXISTS, AtFlags::empty()).is_ok() {
            self.move_self_to_leaf(instance)?;
        }
        let wanted = controllers.iter().map(|name| format!("+{name}")).collect::<Vec<_>>().join(" ");
        dir::write(self.parent.as_fd(), "cgroup.subtree_control", &wanted)?;
        Ok(dir::write(instance.dir.as_fd(), "cgroup.subtree_control", &wanted)?)
    }

    /// Moves bandog itself out of the parent, which must not contain processes. The kernel does not always reject them:
    /// it enables some controllers nevertheless, but makes all cgroups below unusable (cgroups(7), "thread mode").
    fn move_self_to_leaf(&self, instance: &mut InstanceCgroup) -> io::Result<()> {
        mkdirat(&instance.dir, LEAF, MODE)?;
        let leaf = openat(&instance.dir, LEAF, OPEN_DIR, Mode::empty())?;
        dir::write(leaf.as_fd(), "cgroup.procs", "0")?;
        instance.moved = true;
        if dir::read(self.parent.as_fd(), "cgroup.procs")?.is_empty() {
            return Ok(());
        }
        Err(io::Error::other("it contains processes other than bandog, so that nothing below it can be limited"))
    }

    pub(super) fn remove_instance(&self, instance: &InstanceCgroup) {
        if instance.moved {
            // A cgroup that enables controllers must not contain processes.
            for controller in self.limits.controllers() {
                let _ = dir::write(instance.dir.as_fd(), "cgroup.subtree_control", &format!("-{controller}"));
                let _ = dir::write(self.parent.as_fd(), "cgroup.subtree_control", &format!("-{controller}"));
            }
            let _ = dir::write(self.parent.as_fd(), "cgroup.procs", "0");
        }
        dir::remove_below(instance.dir.as_fd());
        if let Err(error) = unlinkat(&self.parent, instance.name.as_str(), AtFlags::REMOVEDIR) {
            tracing::warn!("cannot remove the cgroup {}: {error}", self.path.join(&instance.name).display());
        }
    }

    /// Kills the processes that dead predecessors of the same user left running, and removes their cgroups.
    pub(super) fn remove_leftovers(&self) {
        let names = dir::directories(self.parent.as_fd());
        let is_ours = |name: &&CString| name.to_bytes().strip_prefix(PREFIX.as_bytes()).is_some_and(ids::is_instance);
        for name in names.iter().filter(is_ours) {
            let Ok(dir) = openat(&self.parent, name, OPEN_DIR, Mode::empty()) else { continue };
            let ours = fstat(&dir).is_ok_and(|stat| stat.st_uid == rustix::process::geteuid().as_raw());
            if !ours || flock(&dir, FlockOperation::NonBlockingLockExclusive).is_err() {
                continue;
            }
            let left = dir::kill_all(dir.as_fd());
            dir::remove_below(dir.as_fd());
            let path = self.path.join(name.to_string_lossy().as_ref());
            match unlinkat(&self.parent, name, AtFlags::REMOVEDIR) {
                Ok(()) => tracing::info!("removed the cgroup {} of a dead predecessor", path.display()),
                Err(Errno::NOENT) => {}
                Err(error) => tracing::warn!(
                    "cannot remove the cgroup {} of a dead predecessor: {error} (processes left: {})",
                    path.display(),
                    pid_list(&left)
                ),
            }
        }
    }
}

fn still_there(parent: &OwnedFd, name: &str) -> bool {
    accessat(parent, name, Access::EXISTS, AtFlags::empty()).is_ok()
}
