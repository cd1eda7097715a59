use std::{
    fs,
    path::Path,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bandog_process::{Cancel, Cause};

use super::{
    super::{
        digest::{Digests, md5_of},
        sign::hex,
    },
    fake::Seen,
    *,
};
use crate::{Journal, testing::source};

const MIB: usize = 1024 * 1024;

/// Three parts.
const SIZE: usize = 20 * MIB;

fn is_part(seen: &Seen) -> bool {
    seen.method == "PUT" && seen.query("partNumber").is_some()
}

fn is_complete(seen: &Seen) -> bool {
    seen.method == "POST" && seen.query("uploadId").is_some()
}

fn aborts(fake: &Fake) -> usize {
    fake.seen().iter().filter(|seen| seen.method == "DELETE").count()
}

#[test]
fn a_large_object_is_sent_in_parts_with_their_digests() {
    let fake = Fake::start(|_, _| None);
    let object = content(SIZE);
    put(&fake, &object).expect("stored");
    fake.store(|store| assert!(store.objects["/bucket/key"] == object && store.uploads.is_empty()));
    let seen = fake.seen();
    let parts: Vec<&Seen> = seen.iter().filter(|seen| is_part(seen)).collect();
    assert_eq!(parts.len(), 3);
    for part in parts {
        let digests = Digests::of_bytes(&part.body, true);
        assert_eq!(part.header("content-md5"), Some(digests.content_md5().as_str()));
        assert_eq!(part.header("x-amz-content-sha256"), digests.sha256.as_deref());
    }
    assert_eq!(aborts(&fake), 0);
    let last = seen.last().expect("a request");
    assert!(is_complete(last) && last.target.contains("uploadId=id%2F%2B1"), "{}", last.target);
}

#[test]
fn parts_are_sent_at_once() {
    // No part is answered before there are two.
    let both = Arc::new((Mutex::new(0), Condvar::new()));
    let fake = Fake::start(move |request, _| {
        if is_part(&request.seen) {
            let (count, changed) = &*both;
            let mut count = count.lock().expect("a lock");
            *count += 1;
            changed.notify_all();
            let waited = changed.wait_timeout_while(count, Duration::from_mins(1), |count| *count < 2);
            if waited.expect("a lock").1.timed_out() {
                return Some(Reply::error(400, "OneByOne"));
            }
        }
        None
    });
    put(&fake, &content(SIZE)).expect("stored");
}

#[test]
fn a_part_that_fails_aborts_the_upload() {
    let fake = Fake::start(|request, _| {
        (request.seen.query("partNumber").as_deref() == Some("2")).then(|| Reply::error(403, "AccessDenied"))
    });
    let error = put(&fake, &content(SIZE)).expect_err("refused");
    assert_eq!(error.kind, ErrorKind::Denied, "{error}");
    fake.store(|store| assert!(store.objects.is_empty() && store.uploads.is_empty()));
    assert_eq!(aborts(&fake), 1);
}

#[test]
fn after_a_part_that_fails_no_more_are_begun() {
    const PARTS: u64 = 20;
    let refused = Arc::new((Mutex::new(false), Condvar::new()));
    let fake = Fake::start(move |request, _| {
        let number = request.seen.query("partNumber")?;
        let (is_refused, changed) = &*refused;
        if number == "1" {
            *is_refused.lock().expect("a lock") = true;
            changed.notify_all();
            return Some(Reply::error(403, "AccessDenied"));
        }
        let is_refused = is_refused.lock().expect("a lock");
        drop(changed.wait_timeout_while(is_refused, Duration::from_mins(1), |is_refused| !*is_refused));
        request.read_body();
        Some(Reply::new(200, "").with("ETag", "\"x\""))
    });
    let file = tempfile::tempfile().expect("a file");
    file.set_len(PARTS * 8 * MIB as u64).expect("long");
    let source = Source::new(file.into()).expect("a source");
    let error = s3(&fake).store(&source, &at("key"), &Control::default()).expect_err("refused");
    assert_eq!(error.kind, ErrorKind::Denied);
    let parts = fake.seen().iter().filter(|seen| is_part(seen)).count();
    assert!(parts < usize::try_from(PARTS).expect("small"), "{parts}");
}

#[test]
fn a_part_that_fails_for_a_while_is_sent_again() {
    let first = Mutex::new(3);
    let fake = Fake::start(move |request, _| {
        let mut left = first.lock().expect("a lock");
        (is_part(&request.seen) && *left > 0).then(|| {
            *left -= 1;
            match *left {
                2 => Reply::error(503, "SlowDown").with("Retry-After", "0"),
                1 => Reply::new(200, "").reset(0).with("Content-Length", "5"),
                _ => Reply::new(200, "").with("ETag", "\"00000000000000000000000000000000\""),
            }
        })
    });
    let object = content(SIZE);
    put(&fake, &object).expect("stored");
    fake.store(|store| assert!(store.objects["/bucket/key"] == object));
}

#[test]
fn an_upload_whose_call_is_cancelled_is_aborted() {
    let cancel = Arc::new(Cancel::new());
    let canceller = Arc::clone(&cancel);
    let fake = Fake::start(move |request, _| {
        if is_part(&request.seen) {
            canceller.cancel(Cause::ClientGone);
        }
        None
    });
    let control = Control { deadline: None, cancel: Some(&cancel) };
    let error = s3(&fake).store(&source(&content(40 * MIB)), &at("key"), &control).expect_err("cancelled");
    assert_eq!(error.kind, ErrorKind::Stopped);
    fake.store(|store| assert!(store.objects.is_empty() && store.uploads.is_empty()));
    assert_eq!(aborts(&fake), 1);
}

#[test]
fn an_error_in_a_success_is_a_failure() {
    let hidden = || Reply::new(200, " \n \n<?xml version=\"1.0\"?><Error><Code>InternalError</Code></Error>");
    // At first, and then no longer.
    let left = Mutex::new(1);
    let fake = Fake::start(move |request, _| {
        let mut left = left.lock().expect("a lock");
        (is_complete(&request.seen) && *left > 0).then(|| {
            *left -= 1;
            request.read_body();
            hidden()
        })
    });
    put(&fake, &content(SIZE)).expect("stored");
    fake.store(|store| assert_eq!((store.objects.len(), store.uploads.len()), (1, 0)));
    let fake = Fake::start(move |request, _| {
        is_complete(&request.seen).then(|| {
            request.read_body();
            hidden()
        })
    });
    let error = put(&fake, &content(SIZE)).expect_err("never complete");
    assert_eq!(error.kind, ErrorKind::Unreachable, "{error}");
    assert_eq!(fake.seen().iter().filter(|seen| is_complete(seen)).count(), 5);
    fake.store(|store| assert!(store.objects.is_empty() && store.uploads.is_empty()));
}

/// Stores an object by a server that completes the upload, loses the response, and answers a later HEAD with `head`.
fn put_unheard(head: impl Fn(Reply) -> Reply + Send + Sync + 'static) -> (Result<(), Error>, Vec<String>) {
    let is_first = Mutex::new(true);
    let fake = Fake::start(move |request, _| {
        if request.seen.method == "HEAD" {
            return Some(head(Reply::new(200, "")));
        }
        let is_lost = is_complete(&request.seen) && std::mem::replace(&mut *is_first.lock().expect("a lock"), false);
        is_lost.then(|| {
            request.perform();
            Reply::new(200, "").with("Content-Length", "5").reset(0)
        })
    });
    let stored = put(&fake, &content(SIZE));
    fake.store(|store| assert_eq!((store.objects.len(), store.uploads.len()), (1, 0)));
    (stored, fake.seen().into_iter().map(|seen| seen.method).rev().take(3).collect())
}

#[test]
fn a_lost_response_to_the_last_request_is_made_up_by_a_look_at_the_object() {
    let digests: Vec<u8> = content(SIZE).chunks(8 * MIB).flat_map(md5_of).collect();
    let composite = format!("\"{}-3\"", hex(&md5_of(&digests)));
    let length = |size: usize| move |reply: Reply| reply.with("Content-Length", size.to_string());
    let (same, longer) = (length(SIZE), length(SIZE + 1));
    let later = "Tue, 31 Dec 2999 00:00:00 GMT";
    let earlier = "Wed, 21 Oct 2015 07:28:00 GMT";
    let etag = composite.clone();
    let (stored, methods) = put_unheard(move |reply| same(reply).with("ETag", etag.as_str()));
    stored.expect("stored");
    assert_eq!(methods, ["HEAD", "POST", "POST"]);
    let (stored, _) = put_unheard(move |reply| same(reply).with("ETag", "\"x\"").with("Last-Modified", later));
    stored.expect("stored");
    let others: [Box<dyn Fn(Reply) -> Reply + Send + Sync>; 5] = [
        Box::new(move |reply| same(reply).with("ETag", "\"x\"").with("Last-Modified", earlier)),
        Box::new(move |reply| same(reply).with("ETag", "\"x\"")),
        Box::new(move |reply| {
            same(reply).with("ETag", "\"00000000000000000000000000000000-3\"").with("Last-Modified", later)
        }),
        Box::new(move |reply| longer(reply).with("ETag", composite.as_str()).with("Last-Modified", later)),
        Box::new(|_| Reply::new(404, "")),
    ];
    for other in others {
        let error = put_unheard(other).0.expect_err("another object");
        assert_eq!(error.kind, ErrorKind::Unverified, "{error}");
        assert!(error.detail.contains("NoSuchUpload"), "{error}");
    }
}

fn entries(dir: &Path) -> usize {
    fs::read_dir(dir).expect("a directory").count()
}

#[test]
fn an_upload_is_recorded_before_its_first_part_and_until_it_has_ended() {
    let dir = tempfile::tempdir().expect("a directory");
    let journal = Journal::open(dir.path()).expect("a journal");
    for is_refused in [false, true] {
        let place = dir.path().to_owned();
        let fake = Fake::start(move |request, _| {
            let is_wrong = entries(&place) != usize::from(request.seen.query("uploadId").is_some());
            let is_last = is_refused && is_complete(&request.seen);
            (is_wrong || is_last).then(|| Reply::error(400, if is_wrong { "Unrecorded" } else { "InvalidPart" }))
        });
        let stored = s3(&fake).store(&source(&content(SIZE)).recorded_in(&journal), &at("key"), &Control::default());
        match stored {
            Ok(()) => assert!(!is_refused),
            Err(error) => assert!(is_refused && error.detail.contains("InvalidPart"), "{error}"),
        }
        assert_eq!(entries(dir.path()), 0);
    }
}

#[test]
fn an_upload_that_cannot_be_aborted_is_aborted_by_the_next_sweep_and_no_other_is() {
    let dir = tempfile::tempdir().expect("a directory");
    let journal = Journal::open(dir.path()).expect("a journal");
    let is_down = Arc::new(Mutex::new(true));
    let down = Arc::clone(&is_down);
    let fake = Fake::start(move |request, _| {
        let is_down = *down.lock().expect("a lock");
        match request.seen.method.as_str() {
            "PUT" => Some(Reply::error(403, "AccessDenied")),
            "DELETE" if is_down => Some(Reply::error(403, "AccessDenied")),
            _ => None,
        }
    });
    let foreign = ("/bucket/key".to_owned(), std::collections::BTreeMap::new());
    fake.store(|store| store.uploads.insert("foreign".to_owned(), foreign));
    let store = s3(&fake);
    store.store(&source(&content(SIZE)).recorded_in(&journal), &at("key"), &Control::default()).expect_err("refused");
    assert_eq!((entries(dir.path()), fake.store(|store| store.uploads.len())), (1, 2));
    let sweep = || journal.sweep(|entry| store.discard(entry, &Control::default())).expect("swept");
    assert_eq!((sweep().failed.len(), entries(dir.path())), (1, 1));
    *is_down.lock().expect("a lock") = false;
    assert_eq!((sweep().discarded, entries(dir.path())), (1, 0));
    fake.store(|store| assert_eq!(store.uploads.keys().collect::<Vec<_>>(), ["foreign"]));
}

#[test]
fn an_upload_that_is_gone_counts_as_aborted() {
    let fake = Fake::start(|_, _| None);
    let entry = Entry { provider: "s3.test".parse().expect("a name"), object: at("key"), part: "gone".to_owned() };
    s3(&fake).discard(&entry, &Control::default()).expect("discarded");
    assert_eq!(aborts(&fake), 1);
}

#[test]
fn a_file_that_changes_between_its_parts_is_no_object() {
    let growing = source(&content(SIZE));
    let file = Arc::clone(growing.file());
    let count = AtomicUsize::new(0);
    let fake = Fake::start(move |request, _| {
        // All parts are on their way, so that none of them finds it out.
        if is_part(&request.seen) && count.fetch_add(1, Ordering::SeqCst) == 2 {
            file.set_len(SIZE as u64 + 1).expect("longer");
        }
        None
    });
    let error = s3(&fake).store(&growing, &at("key"), &Control::default()).expect_err("it grew");
    assert_eq!(error.kind, ErrorKind::Rejected, "{error}");
    fake.store(|store| assert!(store.objects.is_empty() && store.uploads.is_empty()));
}
