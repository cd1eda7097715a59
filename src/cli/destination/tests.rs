use std::{
    ffi::OsStr,
    os::unix::fs::{PermissionsExt as _, symlink},
};

use super::*;

fn write(mut file: Destination, content: &str) -> PathBuf {
    file.send(Bytes::copy_from_slice(content.as_bytes())).expect("sent");
    file.finish().expect("finished")
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).expect("there").permissions().mode() & 0o7777
}

fn content(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).expect("readable")
}

fn count(dir: &Path) -> usize {
    fs::read_dir(dir).expect("a directory").count()
}

#[test]
fn an_unfinished_file_changes_nothing() {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("result");
    fs::write(&path, "before").expect("write");
    let mut unfinished = Destination::open(&path).expect("open");
    unfinished.send(Bytes::from_static(b"half")).expect("sent");
    drop(unfinished);
    assert_eq!(content(&path), "before");
    assert_eq!(write(Destination::open(&path).expect("open"), "after"), path);
    assert_eq!(content(&path), "after");
    assert_eq!(count(dir.path()), 1, "nothing is left beside it");
}

#[test]
fn a_device_is_written_to_and_not_replaced() {
    let null = Destination::open(Path::new("/dev/null")).expect("open");
    assert!(!null.is_hidden());
    write(null, "x");
    assert!(!fs::metadata("/dev/null").expect("still there").is_file());
}

#[test]
fn a_descriptor_is_written_to_and_not_replaced() {
    use std::os::fd::AsRawFd as _;
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("redirected");
    let mut file = File::create(&path).expect("created");
    file.write_all(b"before\n").expect("written");
    let name = format!("/proc/self/fd/{}", file.as_raw_fd());
    write(Destination::open(Path::new(&name)).expect("open"), "result\n");
    assert_eq!(content(&path), "before\nresult\n");
}

#[test]
fn a_directory_is_refused() {
    let dir = tempfile::tempdir().expect("tempdir");
    assert_eq!(Destination::open(dir.path()).expect_err("refused").kind(), io::ErrorKind::IsADirectory);
}

#[test]
fn a_file_keeps_its_mode_and_is_private_from_the_beginning() {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("result");
    fs::write(&path, "before").expect("write");
    for wanted in [0o600, 0o444, 0o755] {
        fs::set_permissions(&path, fs::Permissions::from_mode(wanted)).expect("set");
        let mut file = Destination::open(&path).expect("open");
        assert_eq!(file.file().metadata().expect("metadata").permissions().mode() & 0o777, wanted);
        write(file, "after");
        assert_eq!(mode(&path), wanted);
    }
}

#[test]
fn a_link_stays_one_and_its_target_is_written() {
    let dir = tempfile::tempdir().expect("tempdir");
    let at = |name: &str| dir.path().join(name);
    fs::create_dir(at("elsewhere")).expect("made");
    fs::write(at("elsewhere/file"), "before").expect("written");
    fs::set_permissions(at("elsewhere/file"), fs::Permissions::from_mode(0o600)).expect("set");
    symlink("elsewhere/file", at("link")).expect("linked");
    symlink("link", at("second")).expect("linked");
    symlink("elsewhere/new", at("dangling")).expect("linked");
    for (name, target) in [("second", "elsewhere/file"), ("dangling", "elsewhere/new")] {
        write(Destination::open(&at(name)).expect("open"), name);
        assert!(at(name).is_symlink() && at("link").is_symlink());
        assert_eq!(content(at(target)), name);
    }
    assert_eq!(mode(&at("elsewhere/file")), 0o600);
    symlink("circle", at("circle")).expect("linked");
    assert!(Destination::open(&at("circle")).is_err());
}

#[test]
fn nothing_is_written_through_a_link_in_a_directory() {
    let dir = tempfile::tempdir().expect("tempdir");
    let at = |name: &str| dir.path().join(name);
    fs::create_dir(at("outside")).expect("made");
    fs::create_dir(at("out")).expect("made");
    fs::write(at("outside/file"), "before").expect("written");
    symlink("../outside/file", at("out/a.txt")).expect("linked");
    symlink("../outside", at("out/sub")).expect("linked");
    symlink("../outside/none", at("out/dangling")).expect("linked");
    fs::write(at("out/file"), "in the way").expect("written");
    fs::create_dir(at("out/directory")).expect("made");
    fs::write(at("out/kept"), "").expect("written");
    fs::set_permissions(at("out/kept"), fs::Permissions::from_mode(0o600)).expect("set");
    let mut directory = Directory::open(&at("out")).expect("opened");
    for (asked, place) in [
        ("a.txt", "a-1.txt"),
        ("dangling", "dangling-1"),
        ("directory", "directory-1"),
        ("file/below", "file-1/below"),
        ("kept", "kept"),
        ("new/deep/er", "new/deep/er"),
        ("sub/one", "sub-1/one"),
        ("sub/two", "sub-1/two"),
        ("a.txt", "a-2.txt"),
    ] {
        let written = write(directory.create(Path::new(asked), Some(0o640)).expect("created"), asked);
        assert_eq!(written, at("out").join(place), "{asked}");
        assert_eq!(content(&written), asked);
        assert_eq!(mode(&written), if asked == "kept" { 0o600 } else { 0o640 }, "{asked}");
    }
    assert_eq!((content(at("outside/file")).as_str(), count(&at("outside"))), ("before", 1));
    assert!(at("out/a.txt").is_symlink() && at("out/sub").is_symlink());
    assert_eq!(content(at("out/file")), "in the way");
    for path in ["../x", "/x", "a/../../x", ".."] {
        assert!(directory.create(Path::new(path), None).is_err(), "{path}");
    }
}

#[test]
fn a_directory_is_made_beside_what_has_its_name() {
    let dir = tempfile::tempdir().expect("tempdir");
    let at = |name: &str| dir.path().join(name);
    fs::write(at("frames.jpg"), "a file").expect("written");
    fs::create_dir(at("frames-1.jpg")).expect("made");
    for path in [at("frames.jpg"), at("frames.jpg").join("")] {
        let directory = Directory::open(&path).expect("opened");
        assert!(directory.path().starts_with(dir.path()));
        assert!(!directory.path().ends_with("frames.jpg") && !directory.path().ends_with("frames-1.jpg"));
        assert_eq!(count(directory.path()), 0, "nothing else is in it");
    }
    assert_eq!(content(at("frames.jpg")), "a file");
    assert_eq!(Directory::open(&at("new/directory/")).expect("made").path(), at("new/directory"));
}

#[test]
fn a_directory_that_another_program_made_beside_a_link_is_not_written_into() {
    let dir = tempfile::tempdir().expect("tempdir");
    let at = |name: &str| dir.path().join(name);
    fs::create_dir_all(at("out/sub-1")).expect("made");
    fs::create_dir(at("outside")).expect("made");
    symlink("../outside", at("out/sub")).expect("linked");
    let mut directory = Directory::open(&at("out")).expect("opened");
    for name in ["one", "two"] {
        let written = write(directory.create(&Path::new("sub").join(name), None).expect("created"), name);
        assert_eq!(written, at("out/sub-2").join(name));
    }
    assert_eq!([count(&at("out/sub-1")), count(&at("outside"))], [0, 0]);
}

#[test]
fn a_directory_that_takes_the_name_meanwhile_stays_and_the_file_is_beside_it() {
    let dir = tempfile::tempdir().expect("tempdir");
    let at = |name: &str| dir.path().join(name);
    let file = Destination::open(&at("result.txt")).expect("open");
    fs::create_dir(at("result.txt")).expect("made");
    fs::write(at("result.txt/theirs"), "").expect("written");
    assert_eq!(write(file, "ours"), at("result-1.txt"));
    assert_eq!((content(at("result-1.txt")).as_str(), count(&at("result.txt"))), ("ours", 1));
}

/// Only root can give a file to another user; the owner of all others is the one that replaces them.
#[test]
fn a_file_keeps_its_owner() {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("result");
    fs::write(&path, "before").expect("written");
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&path, Some(54790), Some(54791)).expect("given");
    }
    let owner = || fs::metadata(&path).map(|found| (found.uid(), found.gid())).expect("there");
    let before = owner();
    write(Destination::open(&path).expect("open"), "after");
    assert_eq!((content(&path).as_str(), owner()), ("after", before));
}

#[test]
fn a_number_stands_before_the_extension() {
    let numbered = |name: &str| temporary::numbered(OsStr::new(name), 7).into_string().expect("text");
    for (name, wanted) in [("a.txt", "a-7.txt"), ("a", "a-7"), (".hidden", ".hidden-7"), ("a.tar.gz", "a.tar-7.gz")] {
        assert_eq!(numbered(name), wanted);
    }
    assert_eq!(numbered(&"x".repeat(255)).len(), 255);
}

#[test]
fn what_cannot_be_written_is_known_before() {
    let dir = tempfile::tempdir().expect("tempdir");
    let at = |name: &str| dir.path().join(name);
    fs::write(at("file"), "").expect("written");
    for good in ["file", "new", "file/", "new/", "new/deep/", "."] {
        assert!(check(&at(good)).is_ok(), "{good}");
    }
    for bad in ["none/new", "file/new", "file/new/"] {
        assert!(check(&at(bad)).is_err(), "{bad}");
    }
    assert!(check(Path::new("/dev/null")).is_ok());
}
