//! The steps by which a child confines itself before exec.

use std::{fmt, os::fd::RawFd};

use libc::{c_int, rlimit64};
use rustix::process::Resource;

/// One change that the child makes to itself before exec.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SetupStep {
    /// prlimit(2): the resource and its limits.
    Limit(Resource, rlimit64),
    Nice(c_int),
    DropGroups,
    Group(u32),
    /// Drops the ambient capabilities, which a bandog that is not root would pass on (capabilities(7)).
    DropAmbient,
    /// Also clears the parent-death signal, which must be set afterwards.
    User(u32),
    NoNewPrivileges,
    Sandbox(RawFd),
}

impl SetupStep {
    /// Takes the step. Returns whether it succeeded; if not, `errno` is set.
    ///
    /// # Safety
    /// Must be called in a child, which it changes permanently.
    pub(crate) unsafe fn take(&self) -> bool {
        const NONE: usize = 0;
        // SAFETY: system calls on numbers, and on a structure that lives as long as `self`.
        let result = unsafe {
            match *self {
                Self::Limit(resource, ref limits) => {
                    libc::syscall(libc::SYS_prlimit64, NONE, resource as u32, std::ptr::from_ref(limits), NONE)
                }
                Self::Nice(nice) => libc::syscall(libc::SYS_setpriority, libc::PRIO_PROCESS, NONE, nice),
                Self::DropGroups => libc::syscall(libc::SYS_setgroups, NONE, NONE),
                Self::Group(gid) => libc::syscall(libc::SYS_setresgid, gid, gid, gid),
                Self::DropAmbient => {
                    let (set, clear) = (libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL);
                    libc::syscall(libc::SYS_prctl, set, clear, NONE, NONE, NONE)
                }
                Self::User(uid) => libc::syscall(libc::SYS_setresuid, uid, uid, uid),
                Self::NoNewPrivileges => {
                    libc::syscall(libc::SYS_prctl, libc::PR_SET_NO_NEW_PRIVS, 1_usize, NONE, NONE, NONE)
                }
                Self::Sandbox(rules) => libc::syscall(libc::SYS_landlock_restrict_self, rules, NONE),
            }
        };
        result == 0
    }
}

impl fmt::Display for SetupStep {
    /// Describes the failed step; to be printed after "cannot".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limit(resource, limits) => {
                let what = match resource {
                    Resource::Data => "memory",
                    Resource::Cpu => "CPU time",
                    Resource::Nproc => "processes",
                    Resource::Nofile => "open files",
                    _ => "file size",
                };
                write!(f, "limit its {what} to {}", limits.rlim_cur)
            }
            Self::Nice(nice) => write!(f, "set its priority to {nice}"),
            Self::DropGroups => f.write_str("give up its supplementary groups"),
            Self::Group(gid) => write!(f, "become group {gid}"),
            Self::DropAmbient => f.write_str("give up its capabilities"),
            Self::User(uid) => write!(f, "become user {uid}"),
            Self::NoNewPrivileges => f.write_str("give up gaining privileges"),
            Self::Sandbox(_) => f.write_str("enter its sandbox"),
        }
    }
}
