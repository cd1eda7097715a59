//! Removal of a tree whose owner may have made that hard: it follows no link, needs few descriptors however deep the
//! tree is, enters directories without permissions, and copes with processes that still write.

use std::{
    ffi::{CStr, CString, OsStr},
    mem::MaybeUninit,
    os::{
        fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
};

use rustix::{
    fs::{
        AtFlags, CWD, FileType, Mode, OFlags, RawDir, ResolveFlags, chmodat, fchmod, openat, openat2, renameat,
        unlinkat,
    },
    io::{Errno, Result},
    mount::UnmountFlags,
};
use uuid::Uuid;

use super::{OPEN_DIR, PRIVATE};
use crate::ids;

/// Levels of directories held open at once. Deeper directories are moved to the top of the tree first.
const MAX_DEPTH: usize = 32;

/// How often a directory is emptied anew because something appeared in it meanwhile that was not moved there.
const MAX_TRIES: usize = 100;

/// Removes the directory `name` in `parent`, with all that is in it. That it does not exist is not an error.
pub(super) fn remove(parent: BorrowedFd<'_>, name: impl AsRef<OsStr>) -> Result<()> {
    let name = CString::new(name.as_ref().as_bytes()).map_err(|_| Errno::INVAL)?;
    let mut removal = TreeRemover { prefix: None, moved: 0 };
    match removal.directory(parent, &name, None, 0) {
        Err(Errno::NOENT) => Ok(()),
        other => other,
    }
}

/// The names in a directory, without `.` and `..`.
pub(super) fn names(dir: BorrowedFd<'_>) -> Result<Vec<CString>> {
    Ok(entries(dir)?.into_iter().map(|(name, _)| name).collect())
}

fn entries(dir: BorrowedFd<'_>) -> Result<Vec<(CString, FileType)>> {
    // The offset belongs to the open directory, which may have been read before.
    rustix::fs::seek(dir, rustix::fs::SeekFrom::Start(0))?;
    let mut buffer = [MaybeUninit::uninit(); 8 * 1024];
    let mut entries = Vec::new();
    let mut reader = RawDir::new(dir, &mut buffer);
    while let Some(entry) = reader.next() {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            entries.push((entry.file_name().to_owned(), entry.file_type()));
        }
    }
    Ok(entries)
}

/// Directories that lie too deep are moved to the top of the tree: whatever interrupts the removal, all that is left is
/// still in the tree.
struct TreeRemover {
    /// The prefix of the names of moved directories; random, so that no process can predict it.
    prefix: Option<Uuid>,
    moved: usize,
}

impl TreeRemover {
    /// Removes the directory `name` in `parent`, which is part of the tree below `top`; or it is the top itself, at
    /// depth
    /// 0.
    fn directory(
        &mut self,
        parent: BorrowedFd<'_>,
        name: &CStr,
        top: Option<BorrowedFd<'_>>,
        depth: usize,
    ) -> Result<()> {
        if unlinkat(parent, name, AtFlags::REMOVEDIR) == Ok(()) {
            return Ok(());
        }
        let open = || open_within(parent, name, depth);
        let dir = match open() {
            Err(Errno::XDEV) => {
                unmount(parent, name)?;
                open()?
            }
            Err(Errno::ACCESS) => {
                repair(parent, depth)?;
                unlock(parent, name)?;
                open()?
            }
            other => other?,
        };
        let top = top.unwrap_or(dir.as_fd());
        let mut tries = 0;
        while tries < MAX_TRIES {
            let moved = self.moved;
            let mut resists = None;
            for (name, kind) in entries(dir.as_fd())? {
                match self.entry(dir.as_fd(), &name, kind, top, depth + 1) {
                    // Gone meanwhile, or something else by now: the next listing tells.
                    Ok(()) | Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                    // One that resists does not protect the others.
                    Err(error) => resists = Some(error),
                }
            }
            if let Some(error) = resists {
                return Err(error);
            }
            match repairing(parent, depth, || unlinkat(parent, name, AtFlags::REMOVEDIR)) {
                Err(Errno::NOTEMPTY | Errno::EXIST) => {}
                other => return other,
            }
            // A directory that was moved to the top is not a new entry, and may itself be deep.
            tries += usize::from(depth > 0 || self.moved == moved);
        }
        Err(Errno::NOTEMPTY)
    }

    /// Removes what stands in `dir`, which is part of the tree, `depth` levels below its top.
    fn entry(
        &mut self,
        dir: BorrowedFd<'_>,
        name: &CStr,
        kind: FileType,
        top: BorrowedFd<'_>,
        depth: usize,
    ) -> Result<()> {
        if kind != FileType::Directory {
            match repairing(dir, depth, || unlinkat(dir, name, AtFlags::empty())) {
                // Some file systems do not tell the kind of an entry.
                Err(Errno::ISDIR) => {}
                // A file can be a mount as well.
                Err(Errno::BUSY) => {
                    unmount(dir, name)?;
                    return unlinkat(dir, name, AtFlags::empty());
                }
                other => return other,
            }
        }
        if depth <= MAX_DEPTH {
            return self.directory(dir, name, Some(top), depth);
        }
        let prefix = self.prefix.get_or_insert_with(ids::random).simple();
        move_up(dir, name, top, &format!("{prefix}-{}", self.moved))?;
        self.moved += 1;
        Ok(())
    }
}

/// Opens the directory `name` in `dir`, but not one that a function has mounted there: what is in that is not ours to
/// remove, and lies somewhere else as well.
fn open_within(dir: BorrowedFd<'_>, name: &CStr, depth: usize) -> Result<OwnedFd> {
    if depth > 0 {
        match openat2(dir, name, OPEN_DIR, Mode::empty(), ResolveFlags::NO_XDEV) {
            // Linux before 5.6, or a filter.
            Err(Errno::NOSYS | Errno::PERM) => {}
            other => return other,
        }
    }
    openat(dir, name, OPEN_DIR, Mode::empty())
}

/// Unmounts the file system at `name` in `dir`. Only root can have mounted it.
fn unmount(dir: BorrowedFd<'_>, name: &CStr) -> Result<()> {
    let path = [format!("/proc/self/fd/{}/", dir.as_raw_fd()).as_bytes(), name.to_bytes()].concat();
    rustix::mount::unmount(path, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW)
}

/// Moves the directory `name` in `dir` to the top of the tree.
fn move_up(dir: BorrowedFd<'_>, name: &CStr, top: BorrowedFd<'_>, target: &str) -> Result<()> {
    let rename = || renameat(dir, name, top, target);
    match rename() {
        // A directory is moved by writing to both parents and, as its `..` changes, to itself.
        Err(Errno::ACCESS | Errno::PERM) => {
            fchmod(dir, PRIVATE)?;
            fchmod(top, PRIVATE)?;
            unlock(dir, name)?;
            rename()
        }
        other => other,
    }
}

/// Gives the directory `name` in `dir` its permissions back. chmod(2) would follow a link that has taken its place;
/// this opens the directory itself, for which no permission is needed (open(2), `O_PATH`), and goes by the descriptor.
fn unlock(dir: BorrowedFd<'_>, name: &CStr) -> Result<()> {
    let itself = openat(dir, name, OPEN_DIR.difference(OFlags::RDONLY).union(OFlags::PATH), Mode::empty())?;
    chmodat(CWD, format!("/proc/self/fd/{}", itself.as_raw_fd()), PRIVATE, AtFlags::empty())
}

/// Does `change` in `dir`, if need be with the permissions that a function took away from its own directory. Once, and
/// at the level where they are missing only: a level that tried all below it again would double the work of each.
fn repairing(dir: BorrowedFd<'_>, depth: usize, change: impl Fn() -> Result<()>) -> Result<()> {
    match change() {
        Err(Errno::ACCESS | Errno::PERM) => {
            repair(dir, depth)?;
            change()
        }
        other => other,
    }
}

/// Gives `dir` its permissions back, unless it is the one that the tree is in.
fn repair(dir: BorrowedFd<'_>, depth: usize) -> Result<()> {
    if depth == 0 { Ok(()) } else { fchmod(dir, PRIVATE) }
}

#[cfg(test)]
pub(super) mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

    use super::*;

    fn open(path: &Path) -> rustix::fd::OwnedFd {
        rustix::fs::open(path, OPEN_DIR, Mode::empty()).expect("open")
    }

    #[test]
    fn a_tree_deeper_than_the_descriptor_limit_is_removed() {
        let base = tempfile::tempdir().expect("tempdir");
        let mut dir = open(base.path());
        for _ in 0..3000 {
            rustix::fs::mkdirat(&dir, "d", PRIVATE).expect("mkdir");
            fs::write(format!("/proc/self/fd/{}/f", std::os::fd::AsRawFd::as_raw_fd(&dir)), b"x").expect("write");
            dir = openat(&dir, "d", OPEN_DIR, Mode::empty()).expect("open");
        }
        remove(open(base.path()).as_fd(), "d").expect("removed");
        assert_eq!(fs::read_dir(base.path()).expect("list").count(), 1, "only the file beside it is left");
    }

    /// A tree of directories in directories, deeper than is held open at once.
    fn deep(path: &Path) {
        fs::create_dir_all(path.join("d/".repeat(3 * MAX_DEPTH))).expect("mkdir");
    }

    #[test]
    fn a_tree_in_which_somebody_swaps_directories_for_links_is_removed() {
        let outside = tempfile::tempdir().expect("tempdir");
        fs::write(outside.path().join("precious"), b"x").expect("write");
        for _ in 0..100 {
            let base = tempfile::tempdir().expect("tempdir");
            let tree = base.path().join("w");
            for name in 0..10 {
                fs::create_dir_all(tree.join(format!("{name}/d"))).expect("mkdir");
            }
            let begun = std::sync::Barrier::new(2);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    begun.wait();
                    for name in (0..10).rev() {
                        let (dir, aside) = (tree.join(name.to_string()), base.path().join("aside"));
                        // Both fail once it is removed.
                        if fs::rename(&dir, &aside).is_ok() {
                            let _ = std::os::unix::fs::symlink(outside.path(), &dir);
                            let _ = fs::remove_dir_all(&aside);
                        }
                    }
                });
                begun.wait();
                remove(open(base.path()).as_fd(), "w").expect("removed");
            });
            assert!(!tree.exists() && outside.path().join("precious").exists());
        }
    }

    #[test]
    fn nothing_beside_the_tree_is_in_the_way_or_touched() {
        let base = tempfile::tempdir().expect("tempdir");
        deep(&base.path().join("w"));
        // As an earlier attempt may have left it, or a neighbour made it.
        fs::create_dir_all(base.path().join("w.deep-0/not/empty")).expect("mkdir");
        remove(open(base.path()).as_fd(), "w").expect("removed");
        assert!(base.path().join("w.deep-0/not/empty").exists());
        assert_eq!(fs::read_dir(base.path()).expect("list").count(), 1);
    }

    #[test]
    fn permissions_are_given_back_to_the_directory_and_never_to_where_a_link_leads() {
        let base = tempfile::tempdir().expect("tempdir");
        let outside = tempfile::tempdir().expect("tempdir");
        fs::set_permissions(outside.path(), fs::Permissions::from_mode(0o711)).expect("chmod");
        std::os::unix::fs::symlink(outside.path(), base.path().join("link")).expect("symlink");
        fs::create_dir(base.path().join("dir")).expect("mkdir");
        fs::set_permissions(base.path().join("dir"), fs::Permissions::from_mode(0o000)).expect("chmod");
        let parent = open(base.path());
        assert!(unlock(parent.as_fd(), c"link").is_err());
        unlock(parent.as_fd(), c"dir").expect("unlocked");
        let mode = |path: &Path| fs::metadata(path).expect("metadata").permissions().mode() & 0o777;
        assert_eq!((mode(outside.path()), mode(&base.path().join("dir"))), (0o711, 0o700));
    }

    #[test]
    fn a_link_is_removed_and_not_followed() {
        let base = tempfile::tempdir().expect("tempdir");
        let outside = tempfile::tempdir().expect("tempdir");
        fs::write(outside.path().join("precious"), b"x").expect("write");
        fs::create_dir(base.path().join("w")).expect("mkdir");
        std::os::unix::fs::symlink(outside.path(), base.path().join("w/link")).expect("symlink");
        remove(open(base.path()).as_fd(), "w").expect("removed");
        assert!(outside.path().join("precious").exists());
        assert!(!base.path().join("w").exists());
    }

    #[test]
    fn the_tree_itself_being_a_link_is_an_error_and_nothing_behind_it_is_touched() {
        let base = tempfile::tempdir().expect("tempdir");
        let outside = tempfile::tempdir().expect("tempdir");
        fs::write(outside.path().join("precious"), b"x").expect("write");
        std::os::unix::fs::symlink(outside.path(), base.path().join("w")).expect("symlink");
        assert!(remove(open(base.path()).as_fd(), "w").is_err());
        assert!(outside.path().join("precious").exists());
    }

    #[test]
    fn directories_without_permissions_are_removed() {
        let base = tempfile::tempdir().expect("tempdir");
        let locked = base.path().join("w/locked");
        fs::create_dir_all(locked.join("inner")).expect("mkdir");
        fs::write(locked.join("file"), b"x").expect("write");
        fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).expect("chmod");
        remove(open(base.path()).as_fd(), "w").expect("removed");
        assert!(!base.path().join("w").exists());
    }

    /// Runs `test` as a user that permissions apply to, even where the tests run as root.
    pub(in super::super) fn as_nobody(test: impl FnOnce() + Send) {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                if rustix::process::geteuid().is_root() {
                    // Of this thread alone, which ends with the test.
                    let nobody = rustix::process::Uid::from_raw(65534);
                    rustix::thread::set_thread_res_uid(nobody, nobody, nobody).expect("another user");
                }
                test();
            });
        });
    }

    #[test]
    fn a_deep_tree_without_permissions_is_removed() {
        as_nobody(remove_deep_trees_without_permissions);
    }

    fn remove_deep_trees_without_permissions() {
        for mode in [0o000, 0o500, 0o300] {
            let base = tempfile::tempdir().expect("tempdir");
            let mut dirs = vec![open(base.path())];
            for _ in 0..100 {
                let last = dirs.last().expect("never empty");
                rustix::fs::mkdirat(last, "d", PRIVATE).expect("mkdir");
                dirs.push(openat(last, "d", OPEN_DIR, Mode::empty()).expect("open"));
            }
            for dir in dirs.iter().skip(1) {
                fchmod(dir, Mode::from_raw_mode(mode)).expect("chmod");
            }
            remove(open(base.path()).as_fd(), "d").expect("removed");
            assert_eq!(fs::read_dir(base.path()).expect("list").count(), 0, "{mode:o}");
        }
    }

    #[test]
    fn what_is_not_there_needs_no_removal() {
        let base = tempfile::tempdir().expect("tempdir");
        remove(open(base.path()).as_fd(), "w").expect("nothing to do");
    }
}
