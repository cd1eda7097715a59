//! What a function is held to: limits, priority, user and sandbox. Prepared once, and taken on by the child itself
//! between clone and exec, step by step.
//!
//! A [`Step`] is one system call on plain numbers, made directly: the child shares its parent's memory, and the C
//! library's own functions allocate, lock, or (setuid(3)) signal every thread of the process.

use std::{
    fmt, fs, io,
    os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd, RawFd},
    path::PathBuf,
    sync::OnceLock,
    time::Duration,
};

use landlock::{
    ABI, AccessFs, CompatLevel, Compatible as _, PathBeneath, PathFd, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, Scope,
};
use libc::{c_int, rlimit64};
use rustix::process::Resource;

/// What is asked for; `None` is no limit.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    /// Bytes of private writable memory for each process (`RLIMIT_DATA`). Not of address space: many runtimes reserve
    /// gigabytes that they never touch.
    pub max_memory: Option<u64>,
    /// For each process; in whole seconds, rounded up, since the kernel counts those.
    pub max_cpu_time: Option<Duration>,
    /// Processes and threads of the function, itself included.
    pub max_processes: Option<u64>,
    /// For each process.
    pub max_open_files: Option<u64>,
    /// Bytes of any one file that is written.
    pub max_file: Option<u64>,
    /// The scheduling priority.
    pub nice: Option<i32>,
    /// User and group, if not bandog's own.
    pub user: Option<(u32, u32)>,
    /// Where else than in its workspace it may write; without it, everywhere.
    pub sandbox: Option<Vec<PathBuf>>,
}

/// Something the child does to itself before exec.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    /// prlimit(2): which resource, and its limits.
    Limit(Resource, rlimit64),
    Nice(c_int),
    DropGroups,
    Group(u32),
    /// A bandog that is not root hands its capabilities down this way (capabilities(7)).
    DropAmbient,
    /// Also clears the parent-death signal: set that later.
    User(u32),
    NoNewPrivileges,
    Sandbox(RawFd),
}

impl Step {
    /// Takes it; whether that went well, with `errno` set if not.
    ///
    /// # Safety
    /// To be called in a child, which it changes for good.
    pub(super) unsafe fn take(&self) -> bool {
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

impl fmt::Display for Step {
    /// What could not be done, after "cannot".
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

/// What every function started by this bandog is held to.
#[derive(Debug, Default)]
pub struct Confinement {
    limits: Vec<Step>,
    max_processes: Option<u64>,
    /// Who runs it.
    uid: u32,
    identity: Vec<Step>,
    sandbox: Option<Sandbox>,
}

/// What one function is held to, ready for its child.
#[derive(Debug)]
pub struct Confined {
    pub(super) steps: Vec<Step>,
    /// Held open until the child has taken it on.
    _rules: Option<OwnedFd>,
}

impl Confinement {
    /// Prepares what is asked for. A limit is never raised above what bandog itself is held to.
    ///
    /// # Errors
    /// A path to write to cannot be opened.
    pub fn new(limits: &Limits) -> io::Result<Self> {
        let mut steps = Vec::new();
        let mut limit = |resource: Resource, soft: Option<u64>, margin: u64| {
            if let Some(soft) = soft {
                let most = own_limits(resource).rlim_max;
                let (soft, hard) = (soft.min(most), soft.saturating_add(margin).min(most));
                steps.push(Step::Limit(resource, rlimit64 { rlim_cur: soft, rlim_max: hard }));
            }
        };
        limit(Resource::Data, limits.max_memory, 0);
        // A second after SIGXCPU, which can be ignored, comes SIGKILL.
        limit(Resource::Cpu, limits.max_cpu_time.map(whole_seconds), 1);
        // One byte more than is allowed, so that a file cut off by the limit can be told from one that just fits.
        limit(Resource::Fsize, limits.max_file.map(|bytes| bytes.saturating_add(1)), 0);
        limit(Resource::Nofile, limits.max_open_files, 0);
        if limits.max_open_files.is_none()
            && let Some(before) = RAISED.get()
        {
            steps.push(Step::Limit(Resource::Nofile, *before));
        }
        steps.extend(limits.nice.map(Step::Nice));
        let mut identity = Vec::new();
        if let Some((uid, gid)) = limits.user {
            identity = vec![Step::DropGroups, Step::Group(gid), Step::DropAmbient, Step::User(uid)];
        }
        let sandbox = limits.sandbox.as_deref().map(Sandbox::new).transpose()?;
        if sandbox.is_some() {
            identity.push(Step::NoNewPrivileges);
        }
        let uid = limits.user.map_or_else(|| rustix::process::getuid().as_raw(), |(uid, _)| uid);
        Ok(Self { limits: steps, max_processes: limits.max_processes, uid, identity, sandbox })
    }

    /// For one function, which may write in `workspace`.
    ///
    /// # Errors
    /// The processes cannot be counted, or the kernel does not take the rules.
    pub fn of(&self, workspace: BorrowedFd<'_>) -> io::Result<Confined> {
        let mut steps = self.limits.clone();
        if let Some(most) = self.max_processes {
            // The kernel counts all that the user has.
            let limit = count_tasks(self.uid)?.saturating_add(most).min(own_limits(Resource::Nproc).rlim_max);
            steps.push(Step::Limit(Resource::Nproc, rlimit64 { rlim_cur: limit, rlim_max: limit }));
        }
        steps.extend_from_slice(&self.identity);
        let rules = self.sandbox.as_ref().map(|sandbox| sandbox.rules(workspace)).transpose()?;
        steps.extend(rules.as_ref().map(|rules| Step::Sandbox(rules.as_raw_fd())));
        Ok(Confined { steps, _rules: rules })
    }
}

fn whole_seconds(limit: Duration) -> u64 {
    limit.as_secs() + u64::from(limit.subsec_nanos() > 0)
}

/// How many tasks a user has: what `RLIMIT_NPROC` counts. What comes and goes meanwhile makes it inexact.
fn count_tasks(uid: u32) -> io::Result<u64> {
    let mut count = 0;
    for entry in fs::read_dir("/proc")? {
        let path = entry?.path();
        let is_process =
            path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.parse::<u32>().is_ok());
        // One that ends while we look is not counted.
        if is_process && let Ok(status) = fs::read_to_string(path.join("status")) {
            count += tasks_of(&status, uid);
        }
    }
    Ok(count)
}

/// The threads of a process by its `/proc/PID/status`, if its real user is `uid`.
fn tasks_of(status: &str, uid: u32) -> u64 {
    let field = |name: &str| {
        let rest = status.lines().find_map(|line| line.strip_prefix(name))?;
        rest.split_ascii_whitespace().next()?.parse::<u64>().ok()
    };
    if field("Uid:") == Some(uid.into()) { field("Threads:").unwrap_or(1) } else { 0 }
}

/// What this process itself is held to.
fn own_limits(resource: Resource) -> rlimit64 {
    let mut limits = rlimit64 { rlim_cur: libc::RLIM64_INFINITY, rlim_max: libc::RLIM64_INFINITY };
    // SAFETY: asks only, into a structure that is ours. A resource the kernel does not know leaves it as it is.
    unsafe { libc::syscall(libc::SYS_prlimit64, 0, resource as u32, std::ptr::null::<rlimit64>(), &raw mut limits) };
    limits
}

/// The limits on open files that bandog was started with, once it has raised its own.
static RAISED: OnceLock<rlimit64> = OnceLock::new();

/// Lets bandog itself open as many files as the system allows it; a client or a function takes several. The functions
/// keep the limit that bandog was started with: programs that use select(2), or close every number there may be,
/// count on a small one.
pub(super) fn raise_open_files() {
    let before = own_limits(Resource::Nofile);
    let raised = rlimit64 { rlim_cur: before.rlim_max, rlim_max: before.rlim_max };
    if before.rlim_cur >= before.rlim_max {
        return;
    }
    // SAFETY: reads a structure that is ours.
    let done = unsafe {
        libc::syscall(
            libc::SYS_prlimit64,
            0,
            Resource::Nofile as u32,
            &raw const raised,
            std::ptr::null_mut::<rlimit64>(),
        )
    };
    if done == 0 {
        let _ = RAISED.set(before);
    }
}

/// Files that programs write to without changing anything.
const HARMLESS: [&str; 4] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/tty"];

/// Where a function may write: the paths that are the same for all of them, held open.
#[derive(Debug)]
struct Sandbox {
    writable: Vec<PathFd>,
}

impl Sandbox {
    fn new(allowed: &[PathBuf]) -> io::Result<Self> {
        // An image need not have those.
        let mut writable: Vec<PathFd> = HARMLESS.iter().filter_map(|path| PathFd::new(path).ok()).collect();
        for path in allowed {
            writable.push(PathFd::new(path).map_err(io::Error::other)?);
        }
        Ok(Self { writable })
    }

    /// A rule set for one function.
    fn rules(&self, workspace: BorrowedFd<'_>) -> io::Result<OwnedFd> {
        let make = || {
            let mut rules = rule_set()?.create()?;
            rules = rules.add_rule(PathBeneath::new(workspace, writing_within()))?;
            for path in &self.writable {
                rules = rules.add_rule(PathBeneath::new(path, writing_to(path.as_fd())))?;
            }
            Ok(rules)
        };
        let rules = make().map_err(|error: landlock::RulesetError| io::Error::other(error))?;
        Option::from(rules).ok_or_else(|| io::ErrorKind::Unsupported.into())
    }
}

/// All that changes a file system: write, truncate, make, remove, link, rename.
fn writing() -> landlock::BitFlags<AccessFs> {
    // The third version is the first that can deny truncation. Later ones add device ioctls, which are no writing.
    AccessFs::from_write(ABI::V3)
}

/// What of it is granted somewhere. A device of one's own making would lead to disks that are elsewhere.
fn writing_within() -> landlock::BitFlags<AccessFs> {
    writing() & !(AccessFs::MakeChar | AccessFs::MakeBlock)
}

/// What of it makes sense for this file or directory.
fn writing_to(path: BorrowedFd<'_>) -> landlock::BitFlags<AccessFs> {
    let is_dir = rustix::fs::fstat(path)
        .is_ok_and(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::Directory);
    if is_dir { writing_within() } else { AccessFs::WriteFile | AccessFs::Truncate }
}

/// Denies all writing for a start; where the kernel can (Linux 6.12), signals to processes outside the sandbox too.
fn rule_set() -> Result<Ruleset, landlock::RulesetError> {
    Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(writing())?
        .set_compatibility(CompatLevel::BestEffort)
        .scope(Scope::Signal)
}

/// Whether the kernel can make the sandbox; else what to do.
pub(super) fn can_sandbox() -> Result<(), String> {
    let made = rule_set().and_then(Ruleset::create);
    let rules: Option<OwnedFd> = made.map_err(|error| error.to_string())?.into();
    rules.map(drop).ok_or_else(|| "it is switched off".to_owned())
}

#[cfg(test)]
mod tests {
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
                Step::Limit(resource, limits) => (*resource, limits.rlim_cur, limits.rlim_max),
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
        let confined = Confinement::new(&Limits::default()).expect("prepared").of(dir.as_fd()).expect("prepared");
        assert!(confined.steps.is_empty(), "{confined:?}");
    }

    #[test]
    fn the_tasks_of_a_user_are_counted_by_the_real_id() {
        let status = "Name:\tx\nUid:\t7\t8\t8\t8\nGid:\t8\t8\t8\t8\nThreads:\t3\n";
        assert_eq!((tasks_of(status, 7), tasks_of(status, 8), tasks_of("", 0)), (3, 0, 0));
        assert!(count_tasks(rustix::process::getuid().as_raw()).expect("counted") >= 2, "the test's own threads");
    }

    #[test]
    fn the_user_is_the_last_thing_that_needs_privileges() {
        let limits = Limits { user: Some((5, 6)), nice: Some(1), sandbox: Some(Vec::new()), ..Limits::default() };
        let dir = fs::File::open("/tmp").expect("open");
        let confined = Confinement::new(&limits).expect("prepared").of(dir.as_fd()).expect("prepared");
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
