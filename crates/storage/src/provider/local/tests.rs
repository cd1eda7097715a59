use std::{fs, os::unix::fs::symlink};

use super::*;
use crate::testing::{Received, source, suite};

struct Store {
    dir: tempfile::TempDir,
    provider: Local,
}

fn store() -> Store {
    let dir = tempfile::tempdir().expect("a directory");
    let provider = Local::new("local".parse().expect("a name"), dir.path().to_owned());
    Store { dir, provider }
}

impl Store {
    fn put(&self, key: &str, content: &[u8]) -> Result<(), Error> {
        self.provider.store(&source(content), &ObjectPath::new("out", key), &Control::default())
    }

    fn get(&self, key: &str) -> Result<Vec<u8>, Error> {
        Received::default().fetch(&self.provider, &ObjectPath::new("out", key))
    }

    /// The names of everything below the directory.
    fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut open = vec![self.dir.path().to_owned()];
        while let Some(dir) = open.pop() {
            for entry in fs::read_dir(dir).expect("a directory") {
                let path = entry.expect("an entry").path();
                let name = path.strip_prefix(self.dir.path()).expect("below").to_string_lossy().into_owned();
                if path.is_dir() {
                    open.push(path);
                } else {
                    names.push(name);
                }
            }
        }
        names.sort();
        names
    }
}

#[test]
fn an_object_is_stored_whole_below_its_bucket_and_fetched_again() {
    let store = store();
    for key in ["a", "folder/b c", "folder/deep/+%20?#&=~ü", "-", "\n"] {
        store.put(key, key.as_bytes()).expect("stored");
        assert_eq!(store.get(key).expect("fetched"), key.as_bytes(), "{key:?}");
    }
    store.put("a", b"another").expect("stored");
    assert_eq!(store.get("a").expect("fetched"), b"another");
    assert_eq!(store.names().len(), 5, "nothing is left of the writing: {:?}", store.names());
}

#[test]
fn a_file_that_is_written_to_while_it_is_fetched_is_no_input() {
    use std::{
        io::Write as _,
        sync::atomic::{AtomicBool, Ordering},
    };

    let store = store();
    store.put("log", b"begun").expect("stored");
    let mut log = File::options().append(true).open(store.dir.path().join("out/log")).expect("open");
    log.set_len(u64::from(u32::MAX) / 256).expect("longer");
    let is_over = AtomicBool::new(false);
    let error = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                log.write_all(b"more").expect("written");
            }
        });
        // Until one of them meets a write.
        let error = (0..20).find_map(|_| store.get("log").err());
        is_over.store(true, Ordering::Relaxed);
        error
    });
    assert_eq!(error.expect("a fetch that fails").kind, ErrorKind::Changed);
}

#[test]
fn no_key_leads_out_of_the_directory() {
    let store = store();
    let elsewhere = tempfile::tempdir().expect("a directory");
    fs::write(elsewhere.path().join("secret"), "x").expect("written");
    fs::create_dir(store.dir.path().join("out")).expect("made");
    symlink(elsewhere.path(), store.dir.path().join("out/link")).expect("linked");
    for key in ["../x", "a/../../x", "..", "a//b", "", "/etc/passwd", "./a", "a/.", "a\0b"] {
        assert_eq!(store.put(key, b"x").expect_err(key).kind, ErrorKind::Rejected, "{key:?}");
        assert_eq!(store.get(key).expect_err(key).kind, ErrorKind::Rejected, "{key:?}");
    }
    assert_eq!(store.get("link/secret").expect_err("a link").kind, ErrorKind::Denied);
    assert_eq!(store.put("link/new", b"x").expect_err("a link").kind, ErrorKind::Denied);
    assert_eq!(fs::read_dir(elsewhere.path()).expect("a directory").count(), 1);
}

#[test]
fn failures_have_names_and_leave_nothing() {
    let store = store();
    assert_eq!(store.get("missing").expect_err("no file").kind, ErrorKind::NotFound);
    store.put("folder/file", b"x").expect("stored");
    assert_eq!(store.get("folder").expect_err("a directory").kind, ErrorKind::NotFound);
    // A folder is in the way of the file.
    assert_eq!(store.put("folder", b"x").expect_err("a directory").kind, ErrorKind::Rejected);
    assert_eq!(store.names(), ["out/folder/file"]);
    let gone = Local::new("local".parse().expect("a name"), store.dir.path().join("gone"));
    let error = gone.check(None, &Control::default()).expect_err("no directory");
    assert_eq!(error.kind, ErrorKind::Unreachable);
    assert!(error.to_string().contains("gone"), "{error}");
}

#[test]
fn an_object_over_the_limit_is_not_fetched() {
    let store = store();
    store.put("large", &[0; 1000]).expect("stored");
    let received = Received::limited(999);
    let from = ObjectPath::new("out", "large");
    assert_eq!(received.fetch(&store.provider, &from).expect_err("too large").kind, ErrorKind::TooLarge);
    assert_eq!(received.names(), [""; 0]);
    assert!(Received::limited(1000).fetch(&store.provider, &from).is_ok());
}

#[test]
fn a_file_that_grows_is_not_stored() {
    let store = store();
    let source = source(b"before");
    std::io::Write::write_all(&mut &**source.file(), b"after!").expect("written");
    std::io::Write::write_all(&mut &**source.file(), b"more").expect("written");
    let stored = store.provider.store(&source, &ObjectPath::new("out", "x"), &Control::default());
    assert_eq!(stored.expect_err("it grew").kind, ErrorKind::Rejected);
    assert_eq!(store.names(), [""; 0]);
}

#[test]
fn the_file_that_a_killed_process_left_is_discarded_and_nothing_else() {
    let store = store();
    store.put("folder/whole", b"x").expect("stored");
    fs::write(store.dir.path().join("out/folder/.bandog-1.part"), "half").expect("written");
    let entry = |part: &str| Entry {
        provider: store.provider.name().clone(),
        object: ObjectPath::new("out", "folder/whole"),
        part: part.to_owned(),
    };
    for left in ["out/folder/.bandog-1.part", "out/folder/.bandog-1.part", "out/gone/.bandog-1.part", ".bandog-2.part"]
    {
        store.provider.discard(&entry(left), &Control::default()).expect(left);
        assert_eq!(store.names(), ["out/folder/whole"]);
    }
    for other in ["out/folder/whole", "../.bandog-1.part"] {
        store.provider.discard(&entry(other), &Control::default()).expect_err(other);
    }
    assert_eq!(store.names(), ["out/folder/whole"]);
}

#[test]
fn a_stored_file_is_recorded_only_while_it_is_written() {
    let (store, dir) = (store(), tempfile::tempdir().expect("a directory"));
    let journal = crate::Journal::open(&dir.path().join("journal")).expect("a journal");
    let source = source(b"content").recorded_in(&journal);
    store.provider.store(&source, &ObjectPath::new("out", "a"), &Control::default()).expect("stored");
    assert_eq!(fs::read_dir(dir.path().join("journal")).expect("a directory").count(), 0);
    // The record comes first: without one there is no file.
    fs::remove_dir(dir.path().join("journal")).expect("removed");
    let stored = store.provider.store(&source, &ObjectPath::new("out", "b"), &Control::default());
    assert_eq!(stored.expect_err("no journal").kind, ErrorKind::File);
    assert_eq!(store.names(), ["out/a"]);
}

#[test]
fn it_passes_the_suite() {
    let store = store();
    let abilities = suite::Abilities { without: &[], keeps_object_keys: false };
    suite::run(&store.provider, "out", "", abilities);
    suite::run(&store.provider, "out", "folder/", abilities);
}
