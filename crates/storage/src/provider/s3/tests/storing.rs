use std::{
    io::Write as _,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use bandog_process::{Cancel, Cause};

use super::{super::digest::Digests, *};
use crate::testing::source;

#[test]
fn an_object_goes_out_with_its_length_and_digests_and_nothing_else() {
    for size in [0, 1, 100_000] {
        let fake = Fake::start(|_, _| None);
        let object = content(size);
        put(&fake, &object).expect("stored");
        fake.store(|store| assert!(store.objects["/bucket/key"] == object));
        let seen = fake.seen();
        let [seen] = seen.as_slice() else { panic!("one request: {seen:?}") };
        let digests = Digests::of_bytes(&object, true);
        assert_eq!(seen.header("content-length"), Some(size.to_string().as_str()));
        assert_eq!(seen.header("content-md5"), Some(digests.content_md5().as_str()));
        assert_eq!(seen.header("x-amz-content-sha256"), digests.sha256.as_deref());
        assert!(
            seen.header("authorization")
                .expect("signed")
                .contains("SignedHeaders=content-md5;host;x-amz-content-sha256;x-amz-date,")
        );
        for absent in [
            "transfer-encoding",
            "content-encoding",
            "expect",
            "x-amz-checksum-crc32",
            "x-amz-sdk-checksum-algorithm",
            "x-amz-trailer",
        ] {
            assert_eq!(seen.header(absent), None, "{absent}");
        }
    }
}

#[test]
fn without_keys_nothing_is_signed() {
    let fake = Fake::start(|_, _| None);
    let settings = Settings { credentials: Credentials::Anonymous, ..settings(fake.endpoint()) };
    let store = S3::new("s3.test".parse().expect("a name"), settings).expect("a store");
    store.store(&source(b"x"), &at("key"), &Control::default()).expect("stored");
    let seen = fake.seen();
    for absent in ["authorization", "x-amz-date", "x-amz-content-sha256"] {
        assert_eq!(seen[0].header(absent), None, "{absent}");
    }
}

#[test]
fn an_answer_that_comes_before_the_body_is_read_is_not_lost() {
    for (status, code, kind) in [(403, "AccessDenied", ErrorKind::Denied), (400, "EntityTooLarge", ErrorKind::Rejected)]
    {
        let fake = Fake::start(move |_, _| Some(Reply::error(status, code)));
        let error = put(&fake, &content(8_000_000)).expect_err("refused");
        assert_eq!(error.kind, kind, "{error}");
    }
    let fake = Fake::start(|_, number| (number < 2).then(|| Reply::error(503, "SlowDown").with("Retry-After", "0")));
    let object = content(8_000_000);
    put(&fake, &object).expect("stored");
    fake.store(|store| assert!(store.objects["/bucket/key"] == object));
}

#[test]
fn other_bytes_in_the_store_are_no_success() {
    let wrong = "\"00000000000000000000000000000000\"";
    let fake = Fake::start(move |request, _| {
        request.read_body();
        Some(Reply::new(200, "").with("ETag", wrong))
    });
    let error = put(&fake, b"content").expect_err("other bytes");
    assert_eq!((error.kind, fake.seen().len()), (ErrorKind::Unverified, 5), "{error}");
    let fake = Fake::start(|request, _| {
        request.read_body();
        Some(Reply::error(400, "BadDigest"))
    });
    let error = put(&fake, b"content").expect_err("other bytes");
    assert_eq!((error.kind, fake.seen().len()), (ErrorKind::Unverified, 5), "{error}");
    // The ETag of an object that is encrypted with a key of KMS is no digest.
    let fake = Fake::start(move |request, _| {
        request.read_body();
        Some(Reply::new(200, "").with("ETag", wrong).with("x-amz-server-side-encryption", "aws:kms"))
    });
    put(&fake, b"content").expect("stored");
}

#[test]
fn an_object_whose_key_ends_with_a_slash_is_looked_at_again() {
    for is_kept in [true, false] {
        let fake = Fake::start(move |request, _| {
            let is_emptied = !is_kept && request.seen.method == "HEAD";
            is_emptied.then(|| Reply::new(200, "").with("ETag", super::fake::etag(b"content")))
        });
        let stored = s3(&fake).store(&source(b"content"), &at("folder/"), &Control::default());
        assert_eq!(stored.map_err(|error| error.kind), if is_kept { Ok(()) } else { Err(ErrorKind::Unverified) });
        // A folder marker has no bytes to lose.
        s3(&fake).store(&source(b""), &at("folder/"), &Control::default()).expect("stored");
        assert_eq!(fake.seen().len(), 3);
    }
}

#[test]
fn a_missing_bucket_is_named_with_and_without_a_document() {
    for reply in [Reply::error(404, "NoSuchBucket"), Reply::new(404, "")] {
        let fake = Fake::start(move |request, _| {
            request.read_body();
            Some(reply.clone())
        });
        assert_eq!(put(&fake, b"x").expect_err("no bucket").kind, ErrorKind::NoBucket);
    }
}

#[test]
fn a_file_that_grows_while_it_is_sent_is_no_object() {
    let growing = source(&content(8_000_000));
    let file = Arc::clone(growing.file());
    let fake = Fake::start(move |_, _| {
        // Before the client has sent all of it.
        (&*file).write_all(b"more").expect("written");
        None
    });
    let error = s3(&fake).store(&growing, &at("key"), &Control::default()).expect_err("it grew");
    assert_eq!(error.kind, ErrorKind::Rejected, "{error}");
    fake.store(|store| assert_eq!(store.objects.len(), 0));
}

#[test]
fn a_small_file_that_is_written_to_between_two_attempts_is_no_object() {
    let growing = source(b"small");
    let file = Arc::clone(growing.file());
    let fake = Fake::start(move |request, number| {
        request.read_body();
        (&*file).write_all(b"more").expect("written");
        (number == 0).then(|| Reply::error(503, "SlowDown"))
    });
    let error = s3(&fake).store(&growing, &at("key"), &Control::default()).expect_err("it grew");
    assert_eq!(error.kind, ErrorKind::Rejected, "{error}");
    fake.store(|store| assert_eq!(store.objects.len(), 0));
}

#[test]
fn a_small_file_that_became_shorter_is_not_sent() {
    let shrunk = source(b"small");
    shrunk.file().set_len(2).expect("cut");
    let fake = Fake::start(|_, _| None);
    let error = s3(&fake).store(&shrunk, &at("key"), &Control::default()).expect_err("it is shorter");
    assert_eq!(error.kind, ErrorKind::Rejected, "{error}");
    assert_eq!(fake.seen().len(), 0);
}

#[test]
fn a_call_that_is_cancelled_ends_soon() {
    let (asked, was_asked) = mpsc::channel();
    let (end, ended) = mpsc::channel::<()>();
    let ended = std::sync::Mutex::new(ended);
    let fake = Fake::start(move |_, _| {
        asked.send(()).expect("heard");
        // Until the test is over.
        let _ = ended.lock().expect("a lock").recv();
        None
    });
    let cancel = Cancel::new();
    let stored = thread::scope(|scope| {
        let cancel = &cancel;
        scope.spawn(move || {
            was_asked.recv().expect("a request");
            cancel.cancel(Cause::ClientGone);
        });
        let control = Control { deadline: None, cancel: Some(cancel) };
        s3(&fake).store(&source(b"x"), &at("key"), &control)
    });
    assert_eq!(stored.expect_err("cancelled").kind, ErrorKind::Stopped);
    let control = Control { deadline: Some(Instant::now() + Duration::from_millis(300)), cancel: None };
    let stored = s3(&fake).store(&source(b"x"), &at("key"), &control);
    assert_eq!(stored.expect_err("too late").kind, ErrorKind::Stopped);
    drop(end);
}
