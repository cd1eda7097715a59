use std::{
    sync::{Arc, mpsc},
    thread,
};

use super::*;
use crate::event::{EventSource, NoticeKind, parse};

/// Longer than anything takes on a machine that is busy.
const LONG: Duration = Duration::from_secs(30);

/// A watch that runs on a thread of its own.
struct Running {
    dir: tempfile::TempDir,
    files: mpsc::Receiver<FoundFile>,
    stop: Arc<WakeFd>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Running {
    /// Watches a directory in which `prepare` has made files.
    fn new(prepare: impl FnOnce(&Path), lists: bool) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        prepare(dir.path());
        let root = WatchedDir { path: dir.path().to_owned(), place: ObjectPath::new("in", "") };
        let mut watch = Watch::new(vec![root]).expect("a watch");
        let (send, files) = mpsc::channel();
        let stop = Arc::new(WakeFd::new().expect("a descriptor"));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut found = |file| send.send(file).expect("the test lives");
            if lists {
                watch.list(&mut found);
            }
            watch.run(&stopped, &mut found).expect("watched");
        });
        Self { dir, files, stop, thread: Some(thread) }
    }

    fn next(&self) -> String {
        self.files.recv_timeout(LONG).expect("a file").object.to_string()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.wake();
        self.thread.take().expect("a thread").join().expect("it ends");
    }
}

/// A file that was written an hour ago.
fn old(path: &Path) {
    fs::write(path, "x").expect("written");
    let file = fs::File::options().write(true).open(path).expect("open");
    file.set_modified(SystemTime::now() - Duration::from_hours(1)).expect("set");
}

#[test]
fn a_file_is_found_when_it_is_closed_or_renamed_in() {
    let running = Running::new(|_| (), true);
    let path = running.dir.path();
    let mut file = fs::File::create(path.join("written")).expect("created");
    io::Write::write_all(&mut file, b"one").expect("written");
    fs::write(path.join(".hidden"), "x").expect("written");
    fs::write(path.join("first"), "x").expect("written");
    assert_eq!(running.next(), "in/first", "the other one is still open");
    io::Write::write_all(&mut file, b"two").expect("written");
    drop(file);
    let found = running.files.recv_timeout(LONG).expect("a file");
    assert_eq!((found.object.to_string().as_str(), found.size), ("in/written", 6));
    fs::rename(path.join(".hidden"), path.join("shown")).expect("renamed");
    assert_eq!(running.next(), "in/shown");
}

#[test]
fn directories_below_are_watched_too_with_what_came_into_them_before() {
    let running = Running::new(|path| fs::create_dir(path.join("a")).expect("made"), true);
    let path = running.dir.path();
    fs::create_dir_all(path.join("b/c")).expect("made");
    old(&path.join("b/c/file"));
    assert_eq!(running.next(), "in/b/c/file");
    fs::write(path.join("a/later"), "x").expect("written");
    // The old file may be found twice: when it is closed, and when its directory is listed.
    while running.next() != "in/a/later" {}
}

#[test]
fn directories_that_are_there_at_the_start_are_watched_though_their_files_are_not_listed() {
    let running = Running::new(|path| fs::create_dir_all(path.join("a/b")).expect("made"), false);
    fs::write(running.dir.path().join("a/b/new"), "x").expect("written");
    assert_eq!(running.next(), "in/a/b/new");
}

#[test]
fn a_directory_that_is_gone_is_watched_again_once_there_is_one() {
    let running = Running::new(|path| fs::create_dir(path.join("sub")).expect("made"), true);
    let path = running.dir.path();
    let elsewhere = tempfile::tempdir().expect("a directory");
    fs::remove_dir_all(path).expect("removed");
    fs::create_dir_all(path.join("sub")).expect("made");
    fs::write(path.join("sub/removed"), "x").expect("written");
    assert_eq!(running.next(), "in/sub/removed");
    fs::rename(path, elsewhere.path().join("moved")).expect("renamed");
    fs::create_dir_all(path.join("sub")).expect("made");
    fs::write(path.join("sub/renamed"), "x").expect("written");
    // The first file may be found twice: when it is closed, and when its directory is listed.
    while running.next() != "in/sub/renamed" {}
}

#[test]
fn files_that_lie_there_are_found_only_if_that_is_wanted() {
    let prepare = |path: &Path| {
        old(&path.join("b"));
        old(&path.join("a"));
        fs::create_dir(path.join("sub")).expect("made");
        old(&path.join("sub/c"));
        std::os::unix::fs::symlink("a", path.join("link")).expect("linked");
    };
    let running = Running::new(prepare, true);
    assert_eq!([running.next(), running.next(), running.next()], ["in/a", "in/b", "in/sub/c"]);
    drop(running);
    let running = Running::new(prepare, false);
    fs::write(running.dir.path().join("new"), "x").expect("written");
    assert_eq!(running.next(), "in/new");
}

#[test]
fn a_file_that_was_written_a_moment_ago_waits_until_it_is_settled() {
    let running = Running::new(|path| fs::write(path.join("fresh"), "x").expect("written"), true);
    let found = running.files.recv_timeout(LONG).expect("a file");
    assert!(found.age() >= SETTLED && found.object.key == "fresh", "{found:?}");
}

#[test]
fn its_event_is_one_that_is_read_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("a+b %20");
    fs::write(&path, "x").expect("written");
    let object = ObjectPath::new("in", "folder/a+b %20");
    let found = FoundFile::of(&path, object.clone()).expect("a file");
    let notices = parse(found.event().as_bytes(), &[]).expect("an event");
    let [notice] = notices.as_slice() else { panic!("{notices:?}") };
    assert_eq!((notice.source, &notice.object, &notice.kind), (EventSource::Local, &object, &NoticeKind::Created));
    assert_eq!((notice.size, notice.sequencer.as_ref()), (Some(1), Some(&found.sequencer)));
}

#[test]
fn a_directory_that_does_not_exist_is_named() {
    let root = WatchedDir { path: "/proc/none".into(), place: ObjectPath::new("in", "") };
    let error = Watch::new(vec![root]).expect_err("no directory").to_string();
    assert!(error.contains("cannot watch /proc/none"), "{error}");
}
