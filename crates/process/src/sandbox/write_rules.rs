//! Where a function may write, as a Landlock rule set.

use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    path::PathBuf,
};

use landlock::{
    ABI, AccessFs, CompatLevel, Compatible as _, PathBeneath, PathFd, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, Scope,
};

/// Files that programs write to without changing anything.
const HARMLESS: [&str; 4] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/tty"];

/// Where a function may write: the paths that are the same for all of them, held open.
#[derive(Debug)]
pub(super) struct WritablePaths {
    writable: Vec<PathFd>,
}

impl WritablePaths {
    pub(super) fn new(allowed: &[PathBuf]) -> io::Result<Self> {
        // An image need not have those.
        let mut writable: Vec<PathFd> = HARMLESS.iter().filter_map(|path| PathFd::new(path).ok()).collect();
        for path in allowed {
            writable.push(PathFd::new(path).map_err(io::Error::other)?);
        }
        Ok(Self { writable })
    }

    /// A rule set for one function.
    pub(super) fn rules(&self, workspace: BorrowedFd<'_>) -> io::Result<OwnedFd> {
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
pub(crate) fn can_sandbox() -> Result<(), String> {
    let made = rule_set().and_then(Ruleset::create);
    let rules: Option<OwnedFd> = made.map_err(|error| error.to_string())?.into();
    rules.map(drop).ok_or_else(|| "it is switched off".to_owned())
}
