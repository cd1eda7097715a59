use std::{
    ffi::OsStr,
    fs,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{PermissionsExt as _, symlink},
        net::UnixListener,
    },
};

use rustix::fs::{CWD, mkdirat, mknodat};

use super::*;
use crate::output::{
    OutputKind,
    testing::{collected, open, output_of, write},
};

fn names(output: &Output) -> Vec<String> {
    match output {
        Output::None | Output::Streamed(_) => Vec::new(),
        Output::File(file) => vec![file.path().to_str().expect("text").to_owned()],
        Output::Tree(tree) => tree.iter().map(|entry| entry.path().to_str().expect("text").to_owned()).collect(),
    }
}

#[test]
fn nothing_and_empty_directories_are_no_output() {
    let dir = tempfile::tempdir().expect("tempdir");
    assert_eq!(output_of(dir.path()).kind(), OutputKind::Logs);
    fs::create_dir_all(dir.path().join("a/b/c")).expect("directories");
    assert_eq!(output_of(dir.path()).kind(), OutputKind::Logs);
}

#[test]
fn one_file_is_found_wherever_it_is_and_stays_readable_without_its_name() {
    for name in ["f", ".hidden", "a/b/.c/d"] {
        let dir = tempfile::tempdir().expect("tempdir");
        write(dir.path(), name, "content");
        let output = output_of(dir.path());
        assert_eq!((output.kind(), output.files(), output.bytes()), (OutputKind::File, 1, 7));
        assert_eq!(names(&output), [name]);
        drop(dir);
        let Output::File(file) = output else { panic!("one file") };
        let mut whole = crate::output::buffer::GrowingBuf::default();
        file.write_to(&mut whole).expect("readable");
        assert_eq!(whole.0, b"content");
    }
}

#[test]
fn several_are_sorted_by_path_byte_by_byte() {
    let dir = tempfile::tempdir().expect("tempdir");
    for name in ["b", "a/b", "a.b", "a-b", "a/a/z", ".h", "B", "a/é"] {
        write(dir.path(), name, name);
    }
    let output = output_of(dir.path());
    assert_eq!(names(&output), [".h", "B", "a-b", "a.b", "a/a/z", "a/b", "a/é", "b"]);
    assert_eq!((output.kind(), output.bytes()), (OutputKind::Zip, 22));
}

#[test]
fn a_removed_or_replaced_directory_is_no_output() {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("out");
    fs::create_dir(&path).expect("directory");
    let fd = open(&path);
    fs::remove_dir(&path).expect("removed");
    let output = collect(fd.as_fd(), &path, None, &mut |_| ()).expect("nothing to read");
    assert_eq!(output.kind(), OutputKind::Logs);
    write(&path, "another", "x");
    let output = collect(fd.as_fd(), &path, None, &mut |_| ()).expect("nothing to read");
    assert_eq!(output.kind(), OutputKind::Logs);
}

#[test]
fn links_to_files_inside_count_under_their_own_name() {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().canonicalize().expect("real path");
    write(&path, "sub/file", "content");
    symlink("sub/file", path.join("relative")).expect("link");
    symlink(path.join("sub/file"), path.join("absolute")).expect("link");
    symlink("../relative", path.join("sub/chain")).expect("link");
    fs::hard_link(path.join("sub/file"), path.join("hard")).expect("hard link");
    let output = output_of(&path);
    assert_eq!(names(&output), ["absolute", "hard", "relative", "sub/chain", "sub/file"]);
    assert_eq!(output.bytes(), 5 * 7);
    let Output::Tree(tree) = output else { panic!("several") };
    let mut opener = tree.opener();
    for entry in tree.iter() {
        let mut whole = crate::output::buffer::GrowingBuf::default();
        opener.open(entry).expect("the same").write_to(&mut whole, &mut |_| ()).expect("readable");
        assert_eq!(whole.0, b"content", "{:?}", entry.path());
    }
}

#[test]
fn a_link_is_followed_although_the_directory_is_named_through_a_link() {
    let dir = tempfile::tempdir().expect("tempdir");
    write(dir.path(), "real/file", "content");
    symlink("real", dir.path().join("alias")).expect("link");
    symlink(dir.path().join("alias/file"), dir.path().join("real/link")).expect("link");
    assert_eq!(names(&output_of(&dir.path().join("alias"))), ["file", "link"]);
}

#[test]
fn what_cannot_be_sent_is_left_out_and_named() {
    let dir = tempfile::tempdir().expect("tempdir");
    let outside = tempfile::tempdir().expect("tempdir");
    let path = dir.path();
    write(outside.path(), "secret", "x");
    write(path, "sub/kept", "x");
    symlink(outside.path().join("secret"), path.join("leaves")).expect("link");
    symlink("../../../../../../../etc/hostname", path.join("climbs")).expect("link");
    symlink("nowhere", path.join("dangles")).expect("link");
    symlink("loop", path.join("loop")).expect("link");
    symlink("sub", path.join("to-directory")).expect("link");
    symlink("/etc", path.join("sub/to-etc")).expect("link");
    symlink("pipe", path.join("to-pipe")).expect("link");
    symlink("/dev/zero", path.join("to-device")).expect("link");
    symlink("/proc/self/environ", path.join("to-proc")).expect("link");
    mknodat(CWD, path.join("pipe"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("FIFO");
    let _socket = UnixListener::bind(path.join("socket\nwith a line break")).expect("socket");
    let (output, warnings) = collected(path);
    assert_eq!(names(&output.expect("readable")), ["sub/kept"]);
    for (name, why) in [
        ("\"leaves\"", "leaves the output directory"),
        ("\"climbs\"", "symbolic link"),
        ("\"dangles\"", "leads nowhere"),
        ("\"loop\"", "leads nowhere"),
        ("\"to-directory\"", "a symbolic link to a directory"),
        ("\"sub/to-etc\"", "a symbolic link to a directory"),
        ("\"to-pipe\"", "a symbolic link to a FIFO"),
        ("\"to-device\"", "a symbolic link to a device"),
        ("\"to-proc\"", "leaves the output directory"),
        ("\"pipe\"", "a FIFO"),
        ("\"socket\\nwith a line break\"", "a socket"),
    ] {
        let found = warnings.iter().filter(|warning| warning.contains(name) && warning.contains(why)).count();
        assert_eq!(found, 1, "{name}: {why}: {warnings:#?}");
    }
    assert_eq!(warnings.len(), 11, "{warnings:#?}");
}

#[test]
fn a_name_may_hold_any_byte() {
    let dir = tempfile::tempdir().expect("tempdir");
    let name = OsStr::from_bytes(b"\xFF\xFE\n\\\"");
    write(dir.path(), name, "x");
    let Output::File(file) = output_of(dir.path()) else { panic!("one file") };
    assert_eq!(file.path().as_os_str(), name);
}

/// Makes directories below each other without a path longer than the kernel takes.
fn nest(dir: &Path, name: &str, depth: usize) {
    let mut at = open(dir);
    for _ in 0..depth {
        mkdirat(&at, name, Mode::RWXU).expect("directory");
        at = openat(&at, name, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).expect("open");
    }
    openat(&at, "file", OFlags::CREATE | OFlags::WRONLY, Mode::RUSR | Mode::WUSR).expect("file");
}

#[test]
fn too_deep_is_an_error_and_not_a_silent_omission() {
    let dir = tempfile::tempdir().expect("tempdir");
    nest(dir.path(), "d", DEPTH_LIMIT);
    assert_eq!(output_of(dir.path()).files(), 1, "as deep as may be");
    nest(&dir.path().join("d"), "e", DEPTH_LIMIT);
    let (output, _) = collected(dir.path());
    assert!(matches!(output, Err(OutputError::TooDeep { .. })), "{output:?}");
}

#[test]
fn a_path_too_long_for_any_program_is_an_error() {
    let dir = tempfile::tempdir().expect("tempdir");
    nest(dir.path(), &"n".repeat(255), 16);
    let (output, _) = collected(dir.path());
    assert!(matches!(output, Err(OutputError::PathTooLong { .. })), "{output:?}");
}

/// Runs on a thread to which permissions apply, even if the tests run as root.
fn without_privileges<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            if rustix::process::geteuid().is_root() {
                let nobody = rustix::thread::Uid::from_raw(65534);
                // Only this thread changes (setresuid(2) as the kernel has it, not as the C library does).
                rustix::thread::set_thread_res_uid(nobody, nobody, nobody).expect("dropped");
            }
            work()
        });
        thread.join().expect("no panic")
    })
}

#[test]
fn an_unreadable_file_or_directory_is_an_error_that_names_it() {
    for name in ["file", "directory", "link"] {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("mode");
        write(path, "readable", "x");
        write(path, "directory/file", "x");
        let closed = path.join(if name == "directory" { "directory" } else { "file" });
        if name != "directory" {
            write(path, "file", "x");
        }
        if name == "link" {
            symlink("file", path.join("link")).expect("link");
        }
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).expect("mode");
        let fd = open(path);
        let output = without_privileges(|| collect(fd.as_fd(), path, None, &mut |_| ()));
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).expect("mode");
        let Err(OutputError::Read { path: named, source }) = output else { panic!("{output:?}") };
        assert_eq!(source.kind(), io::ErrorKind::PermissionDenied);
        assert!(named.starts_with(path) && named != path, "{named:?}");
    }
}

#[test]
fn a_hundred_thousand_files_take_little_memory() {
    assert!(size_of::<crate::output::tree::FileRecord>() <= 56);
}
