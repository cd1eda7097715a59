//! The paths that a function may write to, as a Landlock rule set.

use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    path::PathBuf,
};

use landlock::{
    ABI, AccessFs, CompatLevel, Compatible as _, PathBeneath, PathFd, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, Scope,
};

/// Devices that can be written to without any effect.
const HARMLESS_DEVICES: [&str; 4] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/tty"];

/// The writable paths that all functions share, held open.
#[derive(Debug)]
pub(super) struct WritablePaths {
    writable: Vec<PathFd>,
}

impl WritablePaths {
    pub(super) fn new(allowed: &[PathBuf]) -> io::Result<Self> {
        // These devices may be missing from an image.
        let mut writable: Vec<PathFd> = HARMLESS_DEVICES.iter().filter_map(|path| PathFd::new(path).ok()).collect();
        for path in allowed {
            writable.push(PathFd::new(path).map_err(io::Error::other)?);
        }
        Ok(Self { writable })
    }

    /// Creates the rule set of one function.
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

/// All rights that change a file system: write, truncate, create, remove, link, rename.
fn writing() -> landlock::BitFlags<AccessFs> {
    // Version 3 is the first that can deny truncation. Later versions add device ioctls, which do not write.
    AccessFs::from_write(ABI::V3)
}

/// The rights granted below a writable directory. Creating device files is not among them: a device gives access to
/// disks.
fn writing_within() -> landlock::BitFlags<AccessFs> {
    writing() & !(AccessFs::MakeChar | AccessFs::MakeBlock)
}

/// The rights that apply to this file or directory.
fn writing_to(path: BorrowedFd<'_>) -> landlock::BitFlags<AccessFs> {
    let is_dir = rustix::fs::fstat(path)
        .is_ok_and(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::Directory);
    if is_dir { writing_within() } else { AccessFs::WriteFile | AccessFs::Truncate }
}

/// Starts with all writing denied; where the kernel can do it (Linux 6.12), also signals to processes outside the
/// sandbox.
fn rule_set() -> Result<Ruleset, landlock::RulesetError> {
    Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(writing())?
        .set_compatibility(CompatLevel::BestEffort)
        .scope(Scope::Signal)
}

/// Checks whether the kernel can enforce the sandbox.
///
/// # Errors
/// Says why not.
pub(crate) fn can_sandbox() -> Result<(), String> {
    let made = rule_set().and_then(Ruleset::create);
    let rules: Option<OwnedFd> = made.map_err(|error| error.to_string())?.into();
    rules.map(drop).ok_or_else(|| "Landlock is disabled".to_owned())
}
