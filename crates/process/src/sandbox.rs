//! The limits, priority, user and sandbox of a function. Prepared once; the child applies them to itself between clone
//! and exec, step by step.
//!
//! A [`SetupStep`] is one direct system call on plain numbers: the child shares its parent's memory, and the functions
//! of the C library allocate, take locks, or (setuid(3)) signal every thread of the process.

pub(crate) mod rlimits;
pub(crate) mod step;
pub(crate) mod write_rules;

use std::{
    io,
    os::fd::{AsRawFd as _, BorrowedFd, OwnedFd},
    path::PathBuf,
    time::Duration,
};

use libc::rlimit64;
use rustix::{
    fs::{FileType, Gid, Uid, fchown, fstat},
    process::Resource,
};

use crate::spawn::Streams;
use rlimits::{ORIGINAL_OPEN_FILES, count_tasks, own_limits};
use step::SetupStep;
use write_rules::WritablePaths;

/// The configured confinement; `None` means no limit.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    /// Bytes of private writable memory of each process (`RLIMIT_DATA`). The address space is not limited: many
    /// runtimes reserve gigabytes that they never touch.
    pub max_memory: Option<u64>,
    /// CPU time of each process, rounded up to the kernel's unit of whole seconds.
    pub max_cpu_time: Option<Duration>,
    /// Processes and threads of the function, including itself.
    pub max_processes: Option<u64>,
    /// Open files of each process.
    pub max_open_files: Option<u64>,
    /// Bytes of each file that is written.
    pub max_file: Option<u64>,
    /// The scheduling priority.
    pub nice: Option<i32>,
    /// User and group, if not bandog's own.
    pub user: Option<(u32, u32)>,
    /// Paths outside the workspace that it may write to; `None` turns the sandbox off.
    pub sandbox: Option<Vec<PathBuf>>,
}

/// The confinement that applies to every function of this bandog.
#[derive(Debug, Default)]
pub struct Confinement {
    limits: Vec<SetupStep>,
    max_processes: Option<u64>,
    /// The user that functions run as.
    uid: u32,
    /// That user and its group, if they are not bandog's own.
    user: Option<(u32, u32)>,
    identity: Vec<SetupStep>,
    sandbox: Option<WritablePaths>,
}

/// The confinement of one process, ready to be applied by the child.
#[derive(Debug)]
pub(crate) struct PreparedConfinement {
    pub(crate) steps: Vec<SetupStep>,
    /// Kept open until the child has applied it.
    _rules: Option<OwnedFd>,
}

impl Confinement {
    /// Prepares the confinement. A limit is never raised above bandog's own.
    ///
    /// # Errors
    /// A writable path cannot be opened.
    pub fn new(limits: &Limits) -> io::Result<Self> {
        let mut steps = Vec::new();
        let mut limit = |resource: Resource, soft: Option<u64>, margin: u64| {
            if let Some(soft) = soft {
                let most = own_limits(resource).rlim_max;
                let (soft, hard) = (soft.min(most), soft.saturating_add(margin).min(most));
                steps.push(SetupStep::Limit(resource, rlimit64 { rlim_cur: soft, rlim_max: hard }));
            }
        };
        limit(Resource::Data, limits.max_memory, 0);
        // SIGXCPU can be ignored; SIGKILL follows one second later.
        limit(Resource::Cpu, limits.max_cpu_time.map(whole_seconds), 1);
        // Allows one byte more, so that a file that the limit has truncated can be told from one that just fits.
        limit(Resource::Fsize, limits.max_file.map(|bytes| bytes.saturating_add(1)), 0);
        limit(Resource::Nofile, limits.max_open_files, 0);
        if limits.max_open_files.is_none()
            && let Some(before) = ORIGINAL_OPEN_FILES.get()
        {
            steps.push(SetupStep::Limit(Resource::Nofile, *before));
        }
        steps.extend(limits.nice.map(SetupStep::Nice));
        let mut identity = Vec::new();
        if let Some((uid, gid)) = limits.user {
            identity = vec![SetupStep::DropGroups, SetupStep::Group(gid), SetupStep::DropAmbient, SetupStep::User(uid)];
        }
        let sandbox = limits.sandbox.as_deref().map(WritablePaths::new).transpose()?;
        if sandbox.is_some() {
            identity.push(SetupStep::NoNewPrivileges);
        }
        let uid = limits.user.map_or_else(|| rustix::process::getuid().as_raw(), |(uid, _)| uid);
        Ok(Self { limits: steps, max_processes: limits.max_processes, uid, user: limits.user, identity, sandbox })
    }

    /// Gives the pipes that the process writes to, to the user that it becomes. To open them again by name
    /// (`/dev/stdout`, `/proc/self/fd/2`) it needs the permissions of the file, although they are open already.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub(crate) fn hand_over(&self, streams: Streams<'_>) -> io::Result<()> {
        let Some((uid, gid)) = self.user else { return Ok(()) };
        for stream in [streams.stdout, streams.stderr] {
            // A stream of any other kind has an owner already, who keeps it.
            if FileType::from_raw_mode(fstat(stream)?.st_mode) == FileType::Fifo {
                fchown(stream, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
            }
        }
        Ok(())
    }

    /// Prepares the confinement of one process, which may write in `workspace`.
    ///
    /// # Errors
    /// The user's processes cannot be counted, or the kernel rejects the sandbox's rules.
    pub(crate) fn prepare(&self, workspace: BorrowedFd<'_>) -> io::Result<PreparedConfinement> {
        let mut steps = self.limits.clone();
        if let Some(most) = self.max_processes {
            // The kernel counts all processes of the user, not only those of this function.
            let limit = count_tasks(self.uid)?.saturating_add(most).min(own_limits(Resource::Nproc).rlim_max);
            steps.push(SetupStep::Limit(Resource::Nproc, rlimit64 { rlim_cur: limit, rlim_max: limit }));
        }
        steps.extend_from_slice(&self.identity);
        let rules = self.sandbox.as_ref().map(|sandbox| sandbox.rules(workspace)).transpose()?;
        steps.extend(rules.as_ref().map(|rules| SetupStep::Sandbox(rules.as_raw_fd())));
        Ok(PreparedConfinement { steps, _rules: rules })
    }
}

fn whole_seconds(limit: Duration) -> u64 {
    limit.as_secs() + u64::from(limit.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::fd::AsFd as _};

    use super::*;

    #[test]
    fn limits_are_in_the_units_of_the_kernel() {
        let limits = Limits {
            max_memory: Some(1 << 20),
            max_cpu_time: Some(Duration::from_millis(1500)),
            max_file: Some(10),
            max_open_files: Some(16),
            ..Limits::default()
        };
        let confinement = Confinement::new(&limits).expect("prepared");
        let steps: Vec<_> = confinement
            .limits
            .iter()
            .map(|step| match step {
                SetupStep::Limit(resource, limits) => (*resource, limits.rlim_cur, limits.rlim_max),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(
            steps,
            [
                (Resource::Data, 1 << 20, 1 << 20),
                (Resource::Cpu, 2, 3),
                (Resource::Fsize, 11, 11),
                (Resource::Nofile, 16, 16)
            ]
        );
    }

    #[test]
    fn without_limits_a_child_has_nothing_to_do() {
        let dir = fs::File::open("/tmp").expect("open");
        let confined = Confinement::new(&Limits::default()).expect("prepared").prepare(dir.as_fd()).expect("prepared");
        assert!(confined.steps.is_empty(), "{confined:?}");
    }

    #[test]
    fn the_user_is_the_last_thing_that_needs_privileges() {
        let limits = Limits { user: Some((5, 6)), nice: Some(1), sandbox: Some(Vec::new()), ..Limits::default() };
        let dir = fs::File::open("/tmp").expect("open");
        let confined = Confinement::new(&limits).expect("prepared").prepare(dir.as_fd()).expect("prepared");
        let steps: Vec<_> = confined.steps.iter().map(ToString::to_string).collect();
        assert_eq!(
            steps,
            [
                "set its priority to 1",
                "give up its supplementary groups",
                "become group 6",
                "give up its capabilities",
                "become user 5",
                "give up gaining privileges",
                "enter its sandbox",
            ]
        );
    }
}
