use std::{fs, os::unix::fs::PermissionsExt as _};

use super::{removal::tests::as_nobody, *};

fn root(dir: &Path) -> Arc<WorkspaceRoot> {
    Arc::new(WorkspaceRoot::open(dir).expect("open"))
}

fn count(dir: &Path) -> usize {
    fs::read_dir(dir).expect("list").count()
}

#[test]
fn a_dropped_workspace_leaves_nothing() {
    let dir = tempfile::tempdir().expect("tempdir");
    let root = root(dir.path());
    let workspace = root.workspace().expect("made");
    fs::write(workspace.output_path().join("x"), b"x").expect("write");
    fs::write(workspace.headers_path(), b"x").expect("write");
    assert_eq!((count(dir.path()), root.open_workspaces()), (1, 1));
    drop(workspace);
    assert_eq!((count(dir.path()), root.open_workspaces()), (0, 0));
}

/// Makes a workspace that cannot be removed for a while.
fn stuck(root: &Arc<WorkspaceRoot>, dir: &Path) {
    let stuck = root.workspace().expect("made");
    fs::set_permissions(dir, fs::Permissions::from_mode(0o500)).expect("chmod");
    drop(stuck);
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).expect("chmod");
    assert_eq!(count(dir), 1, "it could not be removed");
}

#[test]
fn what_could_not_be_removed_is_removed_at_the_end() {
    as_nobody(|| {
        let dir = tempfile::tempdir().expect("tempdir");
        let root = root(dir.path());
        stuck(&root, dir.path());
        drop(root);
        assert_eq!(count(dir.path()), 0);
    });
}

#[test]
fn what_could_not_be_removed_is_removed_after_a_later_invocation() {
    as_nobody(|| {
        let dir = tempfile::tempdir().expect("tempdir");
        let root = root(dir.path());
        stuck(&root, dir.path());
        drop(root.workspace().expect("made"));
        assert_eq!(count(dir.path()), 0);
    });
}

/// Removes a workspace whose place `prepare` has changed: it is given the workspace's path and another one beside.
fn removed_after(prepare: impl FnOnce(&Path, &Path)) {
    let (dir, outside) = (tempfile::tempdir().expect("tempdir"), tempfile::tempdir().expect("tempdir"));
    fs::write(outside.path().join("precious"), b"x").expect("write");
    let workspace = root(dir.path()).workspace().expect("made");
    fs::write(workspace.output_path().join("x"), b"x").expect("write");
    std::os::unix::fs::symlink(outside.path(), dir.path().join("link")).expect("symlink");
    prepare(&workspace.path, &dir.path().join("away"));
    drop(workspace);
    let left: Vec<_> = fs::read_dir(dir.path()).expect("list").map(|entry| entry.expect("entry").path()).collect();
    assert_eq!(left, [dir.path().join("link")], "nothing is left but what was there before");
    assert_eq!(fs::read(outside.path().join("precious")).expect("still there"), b"x");
}

#[test]
fn a_workspace_is_removed_under_whatever_name_it_has_now() {
    removed_after(|path, away| fs::rename(path, away).expect("rename"));
}

#[test]
fn a_link_in_the_place_of_a_workspace_is_removed_and_not_followed() {
    removed_after(|path, away| {
        fs::rename(path, away).expect("rename");
        fs::rename(away.with_file_name("link"), path).expect("rename");
        std::os::unix::fs::symlink(fs::read_link(path).expect("a link"), away.with_file_name("link")).expect("symlink");
    });
}

#[test]
fn a_file_or_a_directory_in_the_place_of_a_workspace_is_removed() {
    removed_after(|path, away| {
        fs::rename(path, away).expect("rename");
        fs::write(path, b"x").expect("write");
    });
    removed_after(|path, away| {
        fs::rename(path, away).expect("rename");
        fs::create_dir_all(path.join("other/tree")).expect("mkdir");
    });
}

#[test]
fn a_workspace_that_its_function_removed_is_no_trouble() {
    removed_after(|path, _| fs::remove_dir_all(path).expect("remove"));
}

#[test]
fn the_living_are_left_alone_and_the_dead_are_removed() {
    let dir = tempfile::tempdir().expect("tempdir");
    let living = root(dir.path()).workspace().expect("made");
    let dead = dir.path().join("bandog-0123456789ab-1");
    fs::create_dir_all(dead.join("in")).expect("mkdir");
    fs::create_dir(dir.path().join("bandog-0123456789ab-2")).expect("mkdir");
    fs::create_dir(dir.path().join("another-program")).expect("mkdir");
    fs::write(dir.path().join("bandog-file"), b"x").expect("write");
    assert_eq!(root(dir.path()).remove_leftovers(|_| ()).expect("removed"), 1);
    assert!(!dead.exists());
    assert!(living.output_path().exists());
    assert_eq!(count(dir.path()), 4);
}

#[test]
fn a_directory_of_the_user_that_is_only_called_alike_is_left_alone() {
    let dir = tempfile::tempdir().expect("tempdir");
    let names = [
        "bandog-src",
        "bandog-demo-1",
        "bandog-0123456789ab",
        "bandog-0123456789ab-",
        "bandog-0123456789ab-x",
        "bandog-0123456789abc-1",
        "bandog-0123456789AB-1",
        "bandog-0123456789ab-1-2",
    ];
    for name in names {
        fs::create_dir_all(dir.path().join(name).join("work")).expect("mkdir");
    }
    assert_eq!(root(dir.path()).remove_leftovers(|names| assert!(names.is_empty())).expect("read"), 0);
    assert!(names.iter().all(|name| dir.path().join(name).join("work").exists()));
}

#[test]
fn a_place_that_is_replaced_by_another_of_its_name_is_found_again() {
    let dir = tempfile::tempdir().expect("tempdir");
    let place = dir.path().join("place");
    fs::create_dir(&place).expect("made");
    let root = root(&place);
    let before = root.workspace().expect("made");
    // A volume that is mounted again: the old one lives on elsewhere.
    fs::rename(&place, dir.path().join("old")).expect("moved");
    fs::create_dir(&place).expect("made");
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let after = root.workspace().expect("made in the new one");
    assert!(after.output_path().exists() && after.output_path().starts_with(&place));
    assert_eq!(count(&place), 1);
    drop((before, after));
    assert_eq!((count(&place), count(&dir.path().join("old"))), (0, 0), "nothing is left in either");
    // A directory that was removed, and made again.
    fs::remove_dir(&place).expect("removed");
    let error = root.workspace().expect_err("there is none");
    assert!(error.to_string().contains("make it again"), "{error}");
    fs::create_dir(&place).expect("made");
    drop(root.workspace().expect("made"));
    assert_eq!(count(&place), 0);
}

#[test]
fn a_place_is_not_looked_for_before_it_is_needed() {
    let dir = tempfile::tempdir().expect("tempdir");
    let place = dir.path().join("place");
    let root = Arc::new(WorkspaceRoot::unopened(&place, None));
    assert_eq!(root.workspace().expect_err("there is none").kind(), std::io::ErrorKind::NotFound);
    fs::create_dir(&place).expect("made");
    assert!(root.workspace().expect("made").output_path().starts_with(&place));
}
