//! `--output`: the result goes where it is wanted, or beside it, and nowhere else; and it is never lost.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
};

use crate::harness::{Command, bandog, listing, serve_command};

/// Leaves five files, one of them in a directory.
const FIVE: &str = "cd \"$TMP_OUTPUT_DIR\"; mkdir d; for n in 1 2 3 4; do printf $n >$n.jpg; done; printf 5 >d/5.jpg";

/// Leaves one file.
const ONE: &str = "printf one >\"$TMP_OUTPUT_DIR/one.txt\"";

fn run(output: &str, shell: &str) -> Command {
    let quiet = ["run", "--log-level", "CRITICAL", "-i", "", "-o", output];
    bandog(quiet).with_workspace().args(["--", "/bin/sh", "-c", shell])
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).expect("there").permissions().mode() & 0o777
}

#[test]
fn nothing_is_written_through_a_link_in_the_directory() {
    let command = run("out", FIVE);
    let at = |name: &str| command.home().join(name);
    for name in ["out", "outside"] {
        fs::create_dir(at(name)).expect("made");
    }
    fs::write(at("outside/file"), "before").expect("written");
    symlink("../outside/file", at("out/1.jpg")).expect("linked");
    symlink("../outside", at("out/d")).expect("linked");
    fs::write(at("out/2.jpg"), "before").expect("written");
    fs::set_permissions(at("out/2.jpg"), fs::Permissions::from_mode(0o600)).expect("set");
    let ran = command.run().expect(0);
    let found = listing(ran.home());
    assert_eq!(fs::read_to_string(ran.home().join("outside/file")).expect("content"), "before");
    assert_eq!(found.iter().filter(|path| path.starts_with("outside/")).count(), 1, "{found:?}");
    for (path, content) in [("out/1-1.jpg", "1"), ("out/2.jpg", "2"), ("out/4.jpg", "4"), ("out/d-1/5.jpg", "5")] {
        assert_eq!(
            fs::read_to_string(ran.home().join(path)).unwrap_or_else(|error| panic!("{path}: {error}: {ran}")),
            content
        );
    }
    assert_eq!(mode(&ran.home().join("out/2.jpg")), 0o600);
    assert!(ran.complaint().contains("written to out/1-1.jpg") && ran.complaint().contains("out/d-1/5.jpg"), "{ran}");
}

#[test]
fn one_file_in_a_directory_follows_no_link_either() {
    for is_served in [false, true] {
        let server = serve_command(ONE).start();
        let command = if is_served { bandog(["call", &server.url("/"), "-o", "out/"]) } else { run("out/", ONE) };
        fs::create_dir(command.home().join("out")).expect("made");
        fs::write(command.home().join("outside"), "before").expect("written");
        symlink("../outside", command.home().join("out/one.txt")).expect("linked");
        let ran = command.run().expect(0);
        assert_eq!(fs::read_to_string(ran.home().join("outside")).expect("content"), "before");
        assert_eq!(fs::read_to_string(ran.home().join("out/one-1.txt")).expect("content"), "one", "{ran}");
        assert!(ran.complaint().contains("written to out/one-1.txt (3 bytes)"), "{ran}");
    }
}

#[test]
fn a_link_to_a_file_is_kept_and_the_file_keeps_its_mode() {
    for is_served in [false, true] {
        let server = serve_command(ONE).start();
        let command = if is_served { bandog(["call", &server.url("/"), "-o", "link"]) } else { run("link", ONE) };
        fs::create_dir(command.home().join("elsewhere")).expect("made");
        fs::write(command.home().join("elsewhere/file"), "before").expect("written");
        fs::set_permissions(command.home().join("elsewhere/file"), fs::Permissions::from_mode(0o600)).expect("set");
        symlink("elsewhere/file", command.home().join("link")).expect("linked");
        let ran = command.run().expect(0);
        let file = ran.home().join("elsewhere/file");
        assert!(ran.home().join("link").is_symlink(), "{ran}");
        assert_eq!((fs::read_to_string(&file).expect("content").as_str(), mode(&file)), ("one", 0o600), "{ran}");
        assert_eq!(ran.complaint(), "", "it is where it was asked for");
    }
}

#[test]
fn several_files_go_beside_what_has_their_name() {
    let ran = run("frames.jpg", FIVE).run().expect(0);
    assert_eq!(fs::read_to_string(ran.home().join("frames.jpg/d/5.jpg")).expect("content"), "5");
    assert_eq!(ran.complaint(), "");
    for output in ["frames.jpg", "frames.jpg/"] {
        let ran = run(output, FIVE).file("frames.jpg", "before").file("frames-1.jpg", "").run().expect(0);
        assert_eq!(fs::read_to_string(ran.home().join("frames.jpg")).expect("content"), "before");
        assert_eq!(fs::read_to_string(ran.home().join("frames-2.jpg/d/5.jpg")).expect("content"), "5", "{ran}");
        assert!(ran.complaint().contains("written to frames-2.jpg/ (5 files, 5 bytes)"), "{ran}");
    }
    let ran = run("/dev/stdout", FIVE).run().expect(0);
    assert!(ran.stdout.starts_with(b"PK\x03\x04"), "a stream takes them as a zip: {ran}");
}

#[test]
fn a_place_that_takes_no_result_is_refused_before_the_run() {
    for output in ["none/new", "file/new", "file/new/"] {
        let ran = run(output, "touch \"$SCRATCH/ran\"").env("SCRATCH", "/nowhere").file("file", "").run().expect(78);
        assert!(ran.complaint().contains(output), "{ran}");
    }
}

#[test]
fn a_result_whose_place_has_gone_is_kept_elsewhere() {
    for (shell, name) in [(ONE, "one.txt"), (FIVE, "d/5.jpg")] {
        let command = run("gone/result", &format!("rmdir \"$HOME/gone\"; touch \"$HOME/gone\"; {shell}"));
        let home = command.home().to_owned();
        for name in ["gone", "tmp"] {
            fs::create_dir(home.join(name)).expect("made");
        }
        let ran = command.env("HOME", &home).env("TMPDIR", home.join("tmp")).run().expect(70);
        let kept = listing(&home.join("tmp"));
        let file = kept.iter().find(|path| path.ends_with(name)).unwrap_or_else(|| panic!("{kept:?}: {ran}"));
        let directory = home.join("tmp").join(&kept[0]);
        assert!(fs::metadata(home.join("tmp").join(file)).expect("there").len() > 0);
        assert_eq!(mode(&directory), 0o700, "a result may be private");
        assert!(ran.complaint().contains("cannot write --output gone/result"), "{ran}");
        assert!(ran.complaint().contains(&format!("the result is in {}", directory.display())), "{ran}");
    }
}

#[test]
fn run_and_call_give_the_same_names_and_messages() {
    for (shell, name) in [(ONE, "one.txt"), ("echo only logs", "logs.txt")] {
        let server = serve_command(shell).args(["--log-level", "CRITICAL"]).start();
        let ran = run("new/dir/", shell).run().expect(0);
        let called = bandog(["call", &server.url("/"), "-o", "new/dir/"]).run().expect(0);
        let path = format!("new/dir/{name}");
        let contents = [&ran, &called].map(|ran| fs::read(ran.home().join(&path)).expect("there"));
        assert_eq!(contents[0], contents[1]);
        assert_eq!(ran.complaint(), called.complaint());
        assert!(ran.complaint().starts_with(&format!("bandog: written to {path} (")), "{ran}");
    }
    let server = serve_command(FIVE).start();
    let ran = bandog(["call", &server.url("/"), "-o", "new/"]).run().expect(0);
    assert!(fs::read(ran.home().join("new/output.zip")).expect("there").starts_with(b"PK"), "{ran}");
}
