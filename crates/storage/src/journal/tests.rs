use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    thread,
};

use super::*;

fn entry(key: &str) -> Entry {
    Entry {
        provider: "s3.other".parse().expect("a name"),
        object: ObjectPath::new("bucket", key),
        part: "VXBsb2FkIElE".to_owned(),
    }
}

fn journal() -> (tempfile::TempDir, Journal) {
    let dir = tempfile::tempdir().expect("a directory");
    let journal = Journal::open(&dir.path().join("journal")).expect("a journal");
    (dir, journal)
}

fn names(dir: &tempfile::TempDir) -> usize {
    fs::read_dir(dir.path().join("journal")).expect("a directory").count()
}

#[test]
fn an_entry_that_ended_leaves_nothing() {
    let (dir, journal) = journal();
    let open = journal.begin(&entry("a")).expect("begun");
    assert_eq!(names(&dir), 1);
    open.end();
    assert_eq!(names(&dir), 0);
}

#[test]
fn an_entry_that_was_left_is_discarded_once_and_one_that_is_open_is_not() {
    let (dir, journal) = journal();
    let open = journal.begin(&entry("open")).expect("begun");
    drop(journal.begin(&entry("left/\n\u{fc}\"")).expect("begun"));
    // As another process would.
    let other = Journal::open(&dir.path().join("journal")).expect("a journal");
    let mut seen = Vec::new();
    let discard = |entry: &Entry| {
        seen.push(entry.clone());
        Ok(())
    };
    assert_eq!(other.sweep(discard).expect("swept").discarded, 1);
    assert_eq!(seen, [entry("left/\n\u{fc}\"")]);
    assert_eq!(names(&dir), 1);
    open.end();
    let nothing = other.sweep(|_| unreachable!("there is none")).expect("swept");
    assert_eq!((nothing.discarded, nothing.failed.len()), (0, 0));
}

#[test]
fn an_entry_that_ends_while_a_sweep_opens_it_is_not_swept() {
    let (dir, journal) = journal();
    let path =
        || fs::read_dir(dir.path().join("journal")).expect("a directory").next().expect("a file").expect("one").path();
    let open = journal.begin(&entry("a")).expect("begun");
    let opened = File::open(path()).expect("open");
    assert!(lock(opened.try_clone().expect("open").into()).is_none(), "it is open");
    open.end();
    assert!(lock(opened.into()).is_none(), "it has ended");
    drop(journal.begin(&entry("b")).expect("begun"));
    assert!(lock(File::open(path()).expect("open").into()).is_some());
}

#[test]
fn an_entry_that_cannot_be_discarded_stays() {
    let (dir, journal) = journal();
    drop(journal.begin(&entry("a")).expect("begun"));
    let swept = journal.sweep(|_| Err(Error::new(ErrorKind::Unreachable, "down"))).expect("swept");
    assert_eq!((swept.discarded, swept.failed.len()), (0, 1));
    assert_eq!(swept.failed[0].0, entry("a"));
    assert_eq!(names(&dir), 1);
    assert_eq!(journal.sweep(|_| Ok(())).expect("swept").discarded, 1);
    assert_eq!(names(&dir), 0);
}

#[test]
fn unfinished_and_foreign_files_are_no_entries() {
    let (dir, journal) = journal();
    let place = dir.path().join("journal");
    fs::write(place.join("0.new"), "{").expect("written");
    fs::write(place.join("1.json"), "{}").expect("written");
    fs::write(place.join("2.txt"), "x").expect("written");
    fs::create_dir(place.join("3.json")).expect("made");
    let swept = journal.sweep(|_| unreachable!("there is none")).expect("swept");
    assert_eq!((swept.discarded, swept.failed.len()), (0, 0));
    assert!(!place.join("0.new").exists());
    assert_eq!(names(&dir), 3);
}

#[test]
fn sweeps_beside_beginnings_lose_no_entry() {
    let (dir, journal) = journal();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for number in 0..300 {
                    journal.begin(&entry(&number.to_string())).expect("begun").end();
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..300 {
                journal.sweep(|entry| unreachable!("{entry:?} is open")).expect("swept");
            }
        });
    });
    assert_eq!(names(&dir), 0);
}

#[test]
fn a_directory_that_others_can_write_to_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    fs::set_permissions(dir.path(), Permissions::from_mode(0o777)).expect("changed");
    let error = Journal::open(dir.path()).expect_err("open to all").to_string();
    assert!(error.contains(&dir.path().display().to_string()) && error.contains("other users"), "{error}");
}
