//! `--mode static`: the files of a directory as they are, in parts and only when they have changed, and nothing else.

use std::{
    ffi::OsStr,
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
    time::{Duration, SystemTime},
};

use crate::harness::{Server, bandog, decode, noise, proc_status, server::Builder};

/// The most memory that a listener may hold, whatever passes through it; see the suite `memory`.
const PEAK_KIB: u64 = 24 * 1024;

/// A directory with a few files, and beside it a file that must stay private.
fn site() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("tempdir");
    let root = dir.path().join("public");
    fs::create_dir_all(root.join("sub dir/empty")).expect("made");
    for (name, content) in [
        ("index.html", "<p>hello"),
        ("data.json", "{\"a\": 1}"),
        ("digits", "0123456789"),
        ("sub dir/index.html", "<p>sub"),
        ("sub dir/a b.txt", "blank"),
        ("%41", "percent"),
    ] {
        fs::write(root.join(name), content).expect("written");
    }
    fs::write(dir.path().join("secret"), "s3cr3t").expect("written");
    dir
}

fn serve(dir: &Path, flags: &[&str]) -> Server {
    listener(dir).args(flags).start()
}

fn listener(dir: &Path) -> Builder {
    Builder::new().args([OsStr::new("--mode"), OsStr::new("static"), dir.as_os_str()])
}

#[test]
fn a_file_is_sent_with_its_type_and_length() {
    let dir = site();
    let server = serve(&dir.path().join("public"), &[]);
    for (target, content, kind) in [
        ("/data.json", "{\"a\": 1}", "application/json"),
        ("/digits?x=1", "0123456789", "application/octet-stream"),
        ("/sub%20dir/a%20b.txt", "blank", "text/plain; charset=utf-8"),
        ("/%2541", "percent", "application/octet-stream"),
        ("/", "<p>hello", "text/html; charset=utf-8"),
        ("/sub%20dir/", "<p>sub", "text/html; charset=utf-8"),
        ("//sub%20dir//index.html", "<p>sub", "text/html; charset=utf-8"),
    ] {
        let answer = server.get(target).send().expect(200);
        assert_eq!((answer.text(), answer.wants("content-type")), (content, kind), "{target}");
        assert_eq!(answer.wants("content-length"), content.len().to_string());
        assert_eq!(answer.wants("x-content-type-options"), "nosniff");
        assert_eq!(answer.wants("accept-ranges"), "bytes");
        assert!(!answer.wants("x-call-id").is_empty());
    }
    let head = server.request("HEAD", "/digits").send().expect(200);
    assert_eq!((head.wants("content-length"), head.body.len()), ("10", 0));
    assert_eq!(server.get("/_/status").send().expect(200).json()["totals"]["done"], 8);
}

#[test]
fn a_directory_is_its_page_and_never_its_listing() {
    let dir = site();
    let server = serve(&dir.path().join("public"), &[]);
    let moved = server.get("/sub%20dir?x=1").send().expect(301);
    assert_eq!(moved.wants("location"), "./sub%20dir/?x=1");
    server.get("/sub%20dir/empty/").send().problem(404);
    server.get("/digits/").send().problem(404);
    // Neither is a way to another host.
    assert_eq!(server.get("//sub%20dir").send().expect(301).wants("location"), "./sub%20dir/");
}

#[test]
fn what_is_not_there_is_a_404_and_what_changes_things_a_405() {
    let dir = site();
    let server = serve(&dir.path().join("public"), &[]);
    let problem = server.get("/nothing").send().problem(404);
    assert_eq!(problem["type"], "urn:bandog:error:not-found");
    assert_eq!(server.request("HEAD", "/nothing").send().status, 404);
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let answer = server.request(method, "/digits").send();
        answer.problem(405);
        assert_eq!(answer.wants("allow"), "GET, HEAD", "{method}");
    }
}

#[test]
fn nothing_outside_of_the_directory_is_ever_sent() {
    let dir = site();
    let root = dir.path().join("public");
    symlink("../secret", root.join("relative")).expect("linked");
    symlink(dir.path().join("secret"), root.join("absolute")).expect("linked");
    symlink("..", root.join("up")).expect("linked");
    symlink("../../secret", root.join("sub dir/out")).expect("linked");
    symlink("loop", root.join("loop")).expect("linked");
    symlink("digits", root.join("inside")).expect("linked");
    rustix::fs::mkfifoat(rustix::fs::CWD, root.join("fifo"), 0o600.into()).expect("made");
    let server = serve(&root, &[]);
    for target in [
        "/../secret",
        "/%2e%2e/secret",
        "/sub%20dir/../../secret",
        "/sub%20dir/%2E%2E/%2E%2E/secret",
        "/..%2fsecret",
        "/sub%20dir%2f..%2f..%2fsecret",
        "/%2fetc%2fpasswd",
        "/etc/passwd",
        "/digits%00",
        "/relative",
        "/absolute",
        "/up/secret",
        "/sub%20dir/out",
        "/loop",
        "/fifo",
    ] {
        let answer = server.get(target).send();
        answer.problem(404);
        assert!(!answer.text().contains("s3cr3t"), "{target}: {answer}");
    }
    // A link within the directory is how a mounted ConfigMap is made.
    assert_eq!(server.get("/inside").send().expect(200).text(), "0123456789");
}

#[test]
fn a_file_that_may_not_be_read_is_not_there() {
    let dir = site();
    let root = dir.path().join("public");
    fs::set_permissions(root.join("digits"), fs::Permissions::from_mode(0o000)).expect("chmod");
    let mut server = listener(&root);
    if fs::read(root.join("digits")).is_ok() {
        // Root may read anything, unless it gives that up.
        server = server.under(&["setpriv", "--bounding-set=-dac_override,-dac_read_search"]);
    }
    server.start().get("/digits").send().problem(404);
}

#[test]
fn a_part_of_a_file_can_be_asked_for() {
    let dir = site();
    let server = serve(&dir.path().join("public"), &[]);
    let of = |range: &str| server.get("/digits").header("Range", range).send();
    for (range, part, place) in [
        ("bytes=2-5", "2345", "bytes 2-5/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=-2", "89", "bytes 8-9/10"),
        ("bytes=0-100", "0123456789", "bytes 0-9/10"),
    ] {
        let answer = of(range).expect(206);
        assert_eq!((answer.text(), answer.wants("content-range")), (part, place), "{range}");
    }
    let beyond = of("bytes=10-");
    beyond.problem(416);
    assert_eq!(beyond.wants("content-range"), "bytes */10");
    for whole in ["bytes=0-1,3-4", "chapters=1", "bytes=5-2"] {
        assert_eq!(of(whole).expect(200).text(), "0123456789", "{whole}");
    }
    let tag = server.get("/digits").send().expect(200).wants("etag").to_owned();
    let with = |tag: &str| server.get("/digits").header("Range", "bytes=0-0").header("If-Range", tag).send().status;
    assert_eq!((with(&tag), with("\"other\"")), (206, 200));
}

#[test]
fn who_has_the_file_already_is_not_sent_it_again_until_it_changes() {
    let dir = site();
    let file = dir.path().join("public/digits");
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_mins(25_000_000);
    fs::File::options().write(true).open(&file).expect("open").set_modified(long_ago).expect("set");
    let server = serve(&dir.path().join("public"), &[]);
    let first = server.get("/digits").send().expect(200);
    assert_eq!(first.wants("last-modified"), "Fri, 14 Jul 2017 02:40:00 GMT");
    let tag = first.wants("etag");
    for (name, value) in [("If-None-Match", tag), ("If-Modified-Since", first.wants("last-modified"))] {
        let again = server.get("/digits").header(name, value).send().expect(304);
        assert_eq!((again.body.len(), again.wants("etag")), (0, tag), "{name}");
    }
    fs::write(&file, "other bytes").expect("written");
    for (name, value) in [("If-None-Match", tag), ("If-Modified-Since", first.wants("last-modified"))] {
        assert_eq!(server.get("/digits").header(name, value).send().expect(200).text(), "other bytes", "{name}");
    }
}

#[test]
fn a_large_file_goes_through_in_flat_memory_and_one_that_shrinks_is_broken_off() {
    let dir = site();
    let root = dir.path().join("public");
    let content = noise(64 << 20);
    fs::write(root.join("large"), &content).expect("written");
    let server = serve(&root, &[]);
    assert!(server.get("/large").send().expect(200).body == content);
    let mut wire = server.connect();
    wire.write(&server.get("/large").head());
    let head = wire.answer_head();
    fs::File::options().write(true).open(root.join("large")).expect("open").set_len(1000).expect("cut");
    let mut came = 0;
    let whole = wire.body_of(&head, |piece| came += piece.len());
    assert!(!whole && came < content.len(), "{came} bytes came, whole: {whole}");
    let peak = proc_status(server.pid(), "VmHWM").expect("it runs");
    assert!(peak < PEAK_KIB, "{peak} KiB");
}

#[test]
fn encoded_files_are_base64_of_the_whole() {
    let dir = site();
    let content = noise(300_001);
    fs::write(dir.path().join("public/noise"), &content).expect("written");
    let server = serve(&dir.path().join("public"), &["--encode"]);
    let answer = server.get("/noise").header("Range", "bytes=0-1").send().expect(200);
    assert!(decode(&answer.body) == content);
    assert_eq!(answer.wants("content-transfer-encoding"), "base64");
}

#[test]
fn the_directory_has_to_be_there_and_no_function_beside_it() {
    let dir = site();
    let place = dir.path().join("public");
    let check = |words: &[&OsStr]| bandog([OsStr::new("check")].iter().chain(words)).run();
    let (mode, how) = (OsStr::new("--mode"), OsStr::new("static"));
    check(&[mode, how, place.as_os_str()]).expect(0);
    check(&[mode, how, OsStr::new("--static-dir"), place.as_os_str()]).expect(0);
    for wrong in [
        vec![mode, how],
        vec![mode, how, OsStr::new("/nowhere/at/all")],
        vec![mode, how, place.as_os_str(), OsStr::new("--"), OsStr::new("/bin/true")],
        vec![mode, how, place.as_os_str(), OsStr::new("--static-dir"), place.as_os_str()],
    ] {
        check(&wrong).expect(78);
    }
}

#[test]
fn a_head_has_no_range() {
    let dir = site();
    let server = serve(&dir.path().join("public"), &[]);
    let answer = server.request("HEAD", "/digits").header("Range", "bytes=0-0").send();
    assert_eq!((answer.status, answer.wants("content-length")), (200, "10"));
    assert_eq!(answer.header("content-range"), None);
    let beyond = server.request("HEAD", "/digits").header("Range", "bytes=99-").send();
    assert_eq!(beyond.status, 200);
    assert_eq!(server.get("/digits").header("Range", "bytes=0-0").send().status, 206);
}

#[test]
fn a_directory_that_is_replaced_is_served_without_a_restart() {
    let dir = site();
    let at = |name: &str| dir.path().join(name);
    let server = serve(&at("public"), &[]);
    assert_eq!(server.get("/digits").send().expect(200).text(), "0123456789");
    fs::create_dir(at("next")).expect("made");
    fs::write(at("next/digits"), "9").expect("written");
    fs::rename(at("public"), at("old")).expect("moved");
    fs::rename(at("next"), at("public")).expect("moved");
    assert_eq!(server.get("/digits").send().expect(200).text(), "9");
    assert_eq!(server.get("/data.json").send().status, 404);
}

/// In a container whose root file system is read-only there may be no place to write at all.
#[test]
fn files_are_served_without_a_workspace() {
    let dir = site();
    let server = listener(&dir.path().join("public"))
        .without_workspace()
        .args(["--workspace", "/proc/nothing-can-be-made-here"])
        .start();
    assert_eq!(server.get("/digits").send().expect(200).text(), "0123456789");
    assert_eq!(server.get("/_/status").send().json()["workspaces"], 0);
}
