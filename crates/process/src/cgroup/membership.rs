//! The cgroups that bandog itself is in and the paths under which they are visible, from `/proc/self/cgroup`
//! (cgroups(7)) and `/proc/self/mountinfo` (proc(5)).

use std::{
    fs, io,
    path::{Component, Path, PathBuf},
};

/// The content of the two files.
pub(crate) struct Membership {
    cgroups: String,
    mounts: String,
}

/// A mount that shows a part of a cgroup hierarchy.
pub(crate) struct CgroupMount {
    /// The path of the cgroup that is the mount's root.
    pub(crate) root: PathBuf,
    point: PathBuf,
}

impl Membership {
    /// Reads both files.
    ///
    /// # Errors
    /// There is no `/proc`.
    pub(crate) fn read() -> io::Result<Self> {
        Ok(Self {
            cgroups: fs::read_to_string("/proc/self/cgroup")?,
            mounts: fs::read_to_string("/proc/self/mountinfo")?,
        })
    }

    #[cfg(test)]
    pub(crate) fn of(cgroups: &str, mounts: &str) -> Self {
        Self { cgroups: cgroups.into(), mounts: mounts.into() }
    }

    /// Returns bandog's own cgroup in the hierarchy with this controller (version 1), or in that of version 2 for
    /// `None`.
    pub(crate) fn cgroup(&self, controller: Option<&str>) -> Option<&Path> {
        self.cgroups.lines().find_map(|line| {
            let (_, rest) = line.split_once(':')?;
            let (controllers, path) = rest.split_once(':')?;
            let is_wanted = match controller {
                Some(controller) => controllers.split(',').any(|name| name == controller),
                None => controllers.is_empty(),
            };
            is_wanted.then_some(Path::new(path))
        })
    }

    /// Returns the mounts of the hierarchy with this controller, or of that of version 2 for `None`.
    pub(crate) fn mounts(&self, controller: Option<&str>) -> impl Iterator<Item = CgroupMount> {
        self.mounts.lines().filter_map(move |line| CgroupMount::of(line, controller))
    }
}

impl CgroupMount {
    /// Parses a line of mountinfo: "36 35 98:0 ROOT MOUNT-POINT options… - TYPE source options". `None` if it is
    /// another mount.
    fn of(line: &str, controller: Option<&str>) -> Option<Self> {
        let (mount, file_system) = line.split_once(" - ")?;
        let mut fields = mount.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        let mut file_system = file_system.split(' ');
        let kind = file_system.next()?;
        let is_wanted = match controller {
            Some(controller) => {
                kind == "cgroup" && file_system.next_back()?.split(',').any(|option| option == controller)
            }
            None => kind == "cgroup2",
        };
        is_wanted.then(|| Self { root: unescaped(root).into(), point: unescaped(point).into() })
    }

    /// Returns the directory at `rest` below the mount's root; `None` if that leads out of the mount.
    pub(crate) fn below(&self, rest: &Path) -> Option<PathBuf> {
        rest.components().all(|part| matches!(part, Component::Normal(_))).then(|| self.point.join(rest))
    }
}

/// Decodes `\040` (a blank) and the like.
fn unescaped(field: &str) -> String {
    [(r"\040", " "), (r"\011", "\t"), (r"\012", "\n"), (r"\134", r"\")]
        .iter()
        .fold(field.to_owned(), |text, (code, letter)| text.replace(code, letter))
}
