mod server;

use std::{
    sync::{Arc, Mutex},
    time::Instant,
};

use bandog_process::{Cancel, Cause};

use self::server::{Files, Server, answer, decoded, empty, server};
use super::*;
use crate::{
    journal::Journal,
    provider::web::fake::{Reply, Seen},
    testing::{Received, source, suite},
};

fn is_part(seen: &Seen) -> bool {
    seen.target.contains(".bandog-")
}

#[test]
fn it_passes_the_suite() {
    let server = server(|_, _| None);
    suite::run(&server.dav, "bucket", "folder/", suite::Abilities { without: &[], keeps_object_keys: false });
    assert!(server.files().iter().all(|path| !path.contains("bandog")), "{:?}", server.files());
    assert!(
        !server.fake.seen().iter().any(|seen| seen.method == "PUT" && !is_part(seen)),
        "no file is written in place"
    );
}

#[test]
fn an_object_is_sent_under_another_name_compared_and_renamed() {
    let server = server(|_, _| None);
    server.put("deep/a", b"one").expect("stored");
    assert_eq!(server.methods(), ["MKCOL", "MKCOL", "PUT", "HEAD", "MOVE"]);
    let seen = server.fake.seen();
    assert_eq!((seen[0].target.as_str(), seen[1].target.as_str()), ("/b/", "/b/deep/"));
    assert!(seen[2].target.starts_with("/b/deep/.a.bandog-") && is_part(&seen[2]), "{}", seen[2].target);
    assert_eq!(seen[4].header("destination"), Some(format!("{}/b/deep/a", server.fake.url()).as_str()));
    assert_eq!(seen[4].header("overwrite"), Some("F"));
    // The folders are known, and what is there is looked at before it is replaced.
    server.put("deep/a", b"two").expect("stored");
    assert_eq!(server.methods()[5..], ["PUT", "HEAD", "MOVE", "PROPFIND", "MOVE"]);
    assert_eq!(server.fake.seen()[9].header("overwrite"), Some("T"));
    assert_eq!((server.content("/b/deep/a"), server.files().len()), (Some(b"two".to_vec()), 1));
    // Another folder of a known one is made alone.
    server.put("other/a", b"three").expect("stored");
    let made: Vec<String> = server.fake.lines().into_iter().filter(|line| line.starts_with("MKCOL")).collect();
    assert_eq!(made, ["MKCOL /b/", "MKCOL /b/deep/", "MKCOL /b/other/"]);
}

#[test]
fn a_folder_is_not_replaced_by_a_file_of_its_name() {
    let server = server(|_, _| None);
    server.put("folder/a", b"one").expect("stored");
    let error = server.put("folder", b"two").expect_err("a folder");
    assert_eq!(error.kind, ErrorKind::Rejected, "{error}");
    assert_eq!(server.files(), ["/b/folder/a"]);
    assert!(server.fake.seen().iter().all(|seen| seen.header("overwrite") != Some("T")));
}

#[test]
fn a_server_that_does_not_rename_gets_files_under_their_own_names() {
    for status in [405, 501] {
        let server = server(move |seen, _| (seen.method == "MOVE").then(|| empty(status)));
        server.put("a", b"one").expect("stored");
        assert_eq!(server.methods(), ["MKCOL", "PUT", "HEAD", "MOVE", "DELETE", "PUT", "HEAD"]);
        server.put("b", b"two").expect("stored");
        assert_eq!(server.methods()[7..], ["PUT", "HEAD"], "it is known");
        assert_eq!(server.files(), ["/b/a", "/b/b"]);
    }
}

#[test]
fn a_folder_that_was_removed_meanwhile_is_made_again() {
    let server = server(|_, _| None);
    server.put("f/a", b"one").expect("stored");
    server.files.lock().expect("no panic").clear();
    server.put("f/b", b"two").expect("stored");
    assert_eq!(server.files(), ["/b/f/b"]);
}

#[test]
fn folders_that_may_not_be_made_may_be_there() {
    let top = server(|seen, files| {
        files.lock().expect("no panic").insert("/b/".to_owned(), Vec::new());
        (seen.line() == "MKCOL /b/").then(|| empty(403))
    });
    top.put("f/a", b"one").expect("stored below it");
    let all = server(|seen, _| (seen.method == "MKCOL").then(|| empty(403)));
    let error = all.put("f/a", b"one").expect_err("no folder");
    assert_eq!(error.kind, ErrorKind::Denied, "{error}");
    assert!(error.detail.contains("MKCOL gave 403") && error.detail.contains("PUT gave 409"), "{error}");
    let exists = server(|seen, files| {
        files.lock().expect("no panic").insert("/b/".to_owned(), Vec::new());
        (seen.method == "MKCOL").then(|| Reply::new(301, &[("Location", "/b/")], ""))
    });
    exists.put("a", b"one").expect("stored");
}

#[test]
fn a_failed_upload_leaves_the_object_before_and_no_part() {
    for (status, kind) in [
        (401, ErrorKind::Credentials),
        (403, ErrorKind::Denied),
        (413, ErrorKind::Rejected),
        (415, ErrorKind::Rejected),
        (422, ErrorKind::Rejected),
        (507, ErrorKind::Rejected),
    ] {
        for method in ["PUT", "MOVE"] {
            let is_bad = Arc::new(AtomicBool::new(false));
            let bad = Arc::clone(&is_bad);
            let server = server(move |seen, files| {
                let fails = bad.load(std::sync::atomic::Ordering::SeqCst) && seen.method == method;
                fails.then(|| {
                    // Some servers keep a part of what they refuse.
                    if method == "PUT" {
                        files.lock().expect("no panic").insert(decoded(&seen.target), b"o".to_vec());
                    }
                    empty(status)
                })
            });
            server.put("a", b"before").expect("stored");
            is_bad.store(true, std::sync::atomic::Ordering::SeqCst);
            let error = server.put("a", b"after").expect_err("refused");
            assert_eq!(error.kind, kind, "{method} {status}: {error}");
            assert!(error.detail.contains(&format!("{method} gave {status}")), "{error}");
            assert_eq!((server.files(), server.content("/b/a")), (vec!["/b/a".to_owned()], Some(b"before".to_vec())));
        }
    }
}

#[test]
fn a_file_that_the_server_has_not_whole_is_an_error() {
    for target in [".part", "/b/a%20b"] {
        let short = server(move |seen, _| {
            let is_short = seen.method == "HEAD" && seen.target.ends_with(target);
            is_short.then(|| Reply::new(200, &[("Content-Length", "2")], ""))
        });
        let error = short.put("a b", b"one").expect_err("short");
        assert_eq!(error.kind, ErrorKind::Unverified, "{error}");
        assert!(error.detail.contains("3 bytes were sent, and the server has 2"), "{error}");
        assert!(short.files().iter().all(|path| !path.contains(".bandog-")));
    }
    let lost = server(|seen, _| (seen.method == "PUT").then(|| empty(201)));
    assert_eq!(lost.put("a", b"one").expect_err("lost").kind, ErrorKind::Unverified);
    // A server that may not tell is believed.
    let silent = server(|seen, _| (seen.method == "HEAD").then(|| empty(403)));
    silent.put("a", b"one").expect("stored");
}

#[test]
fn what_passes_is_sent_again() {
    for method in ["MKCOL", "PUT", "HEAD", "MOVE"] {
        let count = Mutex::new(0);
        let server = server(move |seen, _| {
            let mut count = count.lock().expect("no panic");
            *count += usize::from(seen.method == method);
            (seen.method == method && *count < 3).then(|| Reply::new(503, &[("Retry-After", "0")], ""))
        });
        server.put("a", b"one").unwrap_or_else(|error| panic!("{method}: {error}"));
        assert_eq!(
            (server.files(), server.content("/b/a")),
            (vec!["/b/a".to_owned()], Some(b"one".to_vec())),
            "{method}"
        );
    }
}

#[test]
fn a_rename_whose_answer_is_lost_is_not_sent_again() {
    let count = Mutex::new(0);
    let server = server(move |seen, files| {
        if seen.method != "MOVE" {
            return None;
        }
        let mut count = count.lock().expect("no panic");
        *count += 1;
        assert_eq!(*count, 1, "the second one would remove the object on some servers");
        let _ = answer(seen, files);
        Some(Reply::cut())
    });
    server.put("a", b"one").expect("stored");
    assert_eq!((server.files(), server.content("/b/a")), (vec!["/b/a".to_owned()], Some(b"one".to_vec())));
}

/// WsgiDAV: the escapes of `Destination` are removed before it is taken apart.
fn misreads(seen: &Seen, files: &Files) -> Option<Reply> {
    let destination = seen.header("destination").filter(|_| seen.method == "MOVE")?;
    let read = decoded(&destination.replace("http://", ""));
    let path = &read[read.find('/').expect("a path")..];
    let cut = path.find(['?', ';']).unwrap_or(path.len());
    let content = files.lock().expect("no panic").remove(&decoded(&seen.target)).expect("a part");
    files.lock().expect("no panic").insert(path[..cut].to_owned(), content);
    Some(empty(201))
}

#[test]
fn a_server_that_misreads_the_new_name_overwrites_no_other_file() {
    let server = server(misreads);
    server.put("question", b"other").expect("stored");
    server.put("question?mark", b"one").expect("stored");
    server.put("semi;colon/x", b"two").expect("stored");
    assert_eq!(server.files(), ["/b/question", "/b/question?mark", "/b/semi;colon/x"]);
    assert_eq!(server.content("/b/question"), Some(b"other".to_vec()));
}

#[test]
fn a_cancelled_upload_removes_its_part() {
    let cancel = Cancel::new();
    let other = cancel.clone();
    let server = server(move |seen, files| {
        (seen.method == "PUT").then(|| {
            files.lock().expect("no panic").insert(decoded(&seen.target), b"o".to_vec());
            other.cancel(Cause::ClientGone);
            Reply::cut()
        })
    });
    let control = Control { deadline: None, cancel: Some(&cancel) };
    let error = server.dav.store(&source(b"one"), &ObjectPath::new("b", "a"), &control).expect_err("cancelled");
    assert_eq!(error.kind, ErrorKind::Stopped, "{error}");
    assert_eq!(server.files(), Vec::<String>::new());
}

#[test]
fn a_part_that_appears_late_is_removed() {
    // The server sees the end of a broken upload only after the first DELETE.
    let server = server(|seen, files| match seen.method.as_str() {
        "PUT" => Some(Reply::cut()),
        "DELETE" => {
            let reply = answer(seen, files);
            files.lock().expect("no panic").entry(decoded(&seen.target)).or_default();
            Some(reply)
        }
        _ => None,
    });
    let started = Instant::now();
    let control = Control { deadline: Some(started + std::time::Duration::from_secs(20)), cancel: None };
    server.dav.store(&source(b"one"), &ObjectPath::new("b", "a"), &control).expect_err("broken");
    let deletes = server.methods().iter().filter(|method| *method == "DELETE").count();
    assert_eq!(deletes, 2, "until there was one to remove");
}

#[test]
fn a_part_is_recorded_until_it_is_gone() {
    let dir = tempfile::tempdir().expect("a directory");
    let journal = Journal::open(&dir.path().join("journal")).expect("a journal");
    let kept = server(|seen, _| matches!(seen.method.as_str(), "MOVE" | "DELETE").then(|| empty(403)));
    let recorded = source(b"one").recorded_in(&journal);
    kept.dav.store(&recorded, &ObjectPath::new("b", "a?b"), &Control::default()).expect_err("refused");
    assert_eq!(kept.files().len(), 1, "the part stays");
    // The next process discards it, and nothing else.
    let again = server(|_, _| None);
    again.files.lock().expect("no panic").extend(kept.files.lock().expect("no panic").clone());
    again.files.lock().expect("no panic").insert("/b/a".to_owned(), Vec::new());
    let swept = journal.sweep(|entry| again.dav.discard(entry, &Control::default())).expect("swept");
    assert_eq!((swept.discarded, again.files()), (1, vec!["/b/a".to_owned()]));
    // Nothing is recorded of an upload that has ended.
    again
        .dav
        .store(&source(b"one").recorded_in(&journal), &ObjectPath::new("b", "c"), &Control::default())
        .expect("stored");
    let swept = journal.sweep(|entry| panic!("{entry:?}")).expect("swept");
    assert_eq!(swept.discarded, 0);
    let entry = Entry { provider: again.dav.name.clone(), object: ObjectPath::new("b", "a"), part: "b/a".to_owned() };
    assert_eq!(again.dav.discard(&entry, &Control::default()).expect_err("no part").kind, ErrorKind::Rejected);
}

#[test]
fn a_file_that_grows_while_it_is_sent_is_an_error() {
    let source = source(b"one");
    let file = Arc::clone(source.file());
    let server = server(move |seen, _| {
        if seen.method == "PUT" {
            std::os::unix::fs::FileExt::write_all_at(&*file, b"more", 3).expect("written");
        }
        None
    });
    let error = server.dav.store(&source, &ObjectPath::new("b", "a"), &Control::default()).expect_err("it grows");
    assert_eq!(error.kind, ErrorKind::Rejected, "{error}");
    assert!(error.detail.contains("while it was sent"), "{error}");
    assert_eq!(server.files(), Vec::<String>::new());
}

#[test]
fn an_upload_follows_a_redirect_with_its_body() {
    let pool = server(|_, files| {
        files.lock().expect("no panic").insert("/b/".to_owned(), Vec::new());
        None
    });
    let to = pool.fake.url();
    let door = server(move |seen, _| match seen.method.as_str() {
        "PUT" | "GET" => Some(Reply::new(307, &[("Location", &format!("{to}{}", seen.target))], "")),
        "HEAD" => Some(empty(403)),
        _ => Some(empty(201)),
    });
    door.put("a", b"one").expect("stored");
    let sent = pool.fake.seen();
    assert_eq!((sent.len(), sent[0].body.as_slice(), sent[0].header("content-length")), (1, &b"one"[..], Some("3")));
}

#[test]
fn keys_that_no_file_can_have_are_refused_before_anything_is_sent() {
    let server = server(|_, _| None);
    for key in ["a//b", "../a", "a/", "", "a/./b"] {
        assert_eq!(server.put(key, b"").expect_err(key).kind, ErrorKind::Rejected);
        let error = Received::default().fetch(&server.dav, &ObjectPath::new("b", key)).expect_err(key);
        assert_eq!(error.kind, ErrorKind::Rejected);
    }
    assert_eq!(server.fake.lines(), Vec::<String>::new());
}

#[test]
fn a_check_says_why_a_server_cannot_be_used() {
    let at = ObjectPath::new("b", "");
    let check = |server: &Server, at| server.dav.check(at, &Control::default());
    let good = server(|_, _| None);
    check(&good, None).expect("it answers");
    check(&good, Some(&at)).expect("its folders are made when they are needed");
    assert_eq!(good.fake.lines(), ["PROPFIND /", "PROPFIND /", "PROPFIND /b"]);
    for (reply, kind) in [
        (empty(401), ErrorKind::Credentials),
        (empty(403), ErrorKind::Denied),
        (empty(404), ErrorKind::NotFound),
        (Reply::new(200, &[], "<html>no WebDAV</html>"), ErrorKind::Unreachable),
        (empty(405), ErrorKind::Rejected),
    ] {
        let bad = server(move |_, _| Some(reply.clone()));
        assert_eq!(check(&bad, None).expect_err("an error").kind, kind);
    }
}
