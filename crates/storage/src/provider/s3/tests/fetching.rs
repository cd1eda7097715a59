use super::{fake::etag, *};

const SIZE: usize = 3_000_000;

#[test]
fn a_fetch_that_breaks_off_is_resumed_by_range_and_etag() {
    for reset in [false, true] {
        for after in [0, 1, 65_536, SIZE - 1] {
            let object = content(SIZE);
            let whole = object.clone();
            let fake = Fake::with_object(&object, move |_, number| {
                let first = Reply::new(200, whole.as_slice()).with("ETag", etag(&whole));
                (number == 0).then(|| if reset { first.reset(after) } else { first.cut(after) })
            });
            assert!(get(&fake).expect("fetched") == object, "cut after {after}");
            let seen = fake.seen();
            assert_eq!(seen.len(), 2);
            assert_eq!((seen[0].header("range"), seen[0].header("if-match")), (None, None));
            if let Some(range) = seen[1].header("range") {
                let first: usize = range
                    .strip_prefix("bytes=")
                    .and_then(|range| range.strip_suffix('-'))
                    .and_then(|first| first.parse().ok())
                    .expect("a number");
                // A reset may take bytes with it that have arrived.
                assert!(if reset { first <= after } else { first == after }, "{range} after {after}");
                assert_eq!(seen[1].header("if-match"), Some(etag(&object).as_str()));
            } else {
                assert!(after == 0 || reset, "the bytes that came are kept");
            }
        }
    }
}

#[test]
fn a_part_with_status_200_is_a_part_and_one_that_is_whole_starts_again() {
    for is_part in [true, false] {
        let object = content(SIZE);
        let whole = object.clone();
        let fake = Fake::with_object(&object, move |request, number| {
            let reply = Reply::new(200, whole.as_slice()).with("ETag", etag(&whole));
            match request.seen.header("range") {
                None => (number == 0).then(|| reply.cut(1000)),
                Some(range) => {
                    assert_eq!(range, "bytes=1000-");
                    let range = format!("bytes 1000-{}/{}", SIZE - 1, SIZE);
                    let part = Reply::new(200, &whole[1000..]).with("ETag", etag(&whole)).with("Content-Range", range);
                    Some(if is_part { part } else { reply })
                }
            }
        });
        assert!(get(&fake).expect("fetched") == object);
        assert_eq!(fake.seen().len(), 2);
    }
}

#[test]
fn without_a_strong_etag_a_fetch_starts_again() {
    for tag in [None, Some("W/\"1\"")] {
        let object = content(SIZE);
        let whole = object.clone();
        let fake = Fake::start(move |_, number| {
            let reply = Reply::new(200, whole.as_slice());
            let reply = tag.map_or(reply.clone(), |tag| reply.with("ETag", tag));
            Some(if number == 0 { reply.cut(1000) } else { reply })
        });
        assert!(get(&fake).expect("fetched") == object);
        assert!(fake.seen().iter().all(|seen| seen.header("range").is_none()));
    }
}

#[test]
fn an_object_that_is_replaced_meanwhile_is_not_put_together_from_two() {
    let old = content(SIZE);
    let new: Vec<u8> = old.iter().map(|byte| byte ^ 1).collect();
    let seconds: [fn(&[u8]) -> Reply; 4] = [
        |_| Reply::error(412, "PreconditionFailed"),
        |_| Reply::error(416, "InvalidRange").with("Content-Range", "bytes */10"),
        // A server that does not know If-Match.
        |new| {
            let range = format!("bytes 1000-{}/{SIZE}", SIZE - 1);
            Reply::new(206, &new[1000..]).with("ETag", etag(new)).with("Content-Range", range)
        },
        // Nor ETags of parts.
        |new| Reply::new(206, &new[1000..2000]).with("Content-Range", "bytes 1000-1999/2000"),
    ];
    for second in seconds {
        let (old, new) = (old.clone(), new.clone());
        let fake = Fake::start(move |_, number| {
            Some(if number == 0 {
                Reply::new(200, old.as_slice()).with("ETag", etag(&old)).cut(1000)
            } else {
                second(&new)
            })
        });
        assert_eq!(get(&fake).expect_err("replaced").kind, ErrorKind::Changed);
        assert_eq!(fake.seen().len(), 2);
    }
}

#[test]
fn another_part_than_the_one_asked_for_is_not_written() {
    let object = content(SIZE);
    let whole = object.clone();
    let fake = Fake::start(move |_, number| {
        let reply = Reply::new(200, whole.as_slice()).with("ETag", etag(&whole));
        let range = format!("bytes 2000-{}/{SIZE}", SIZE - 1);
        Some(match number {
            0 => reply.cut(1000),
            1 => Reply::new(206, &whole[2000..]).with("ETag", etag(&whole)).with("Content-Range", range),
            _ => reply,
        })
    });
    assert!(get(&fake).expect("fetched") == object);
    assert_eq!(fake.seen().iter().map(|seen| seen.header("range").is_some()).collect::<Vec<_>>(), [false, true, false]);
}

#[test]
fn a_body_without_a_length_is_compared_with_the_size_that_head_tells() {
    for sent in [SIZE, 1000] {
        let object = content(SIZE);
        let whole = object.clone();
        let fake = Fake::with_object(&object, move |request, number| {
            let reply = Reply::new(200, &whole[..sent]).with("ETag", etag(&whole)).until_closed();
            (number == 0 && request.seen.method == "GET").then_some(reply)
        });
        assert!(get(&fake).expect("fetched") == object, "{sent}");
        let methods: Vec<String> = fake.seen().into_iter().map(|seen| seen.method).collect();
        assert_eq!(methods, if sent == SIZE { vec!["GET", "HEAD"] } else { vec!["GET", "HEAD", "GET"] });
    }
}

#[test]
fn a_body_without_a_length_of_an_object_that_was_replaced_is_no_object() {
    let fake = Fake::with_object(b"another", |request, _| {
        let old = || Reply::new(200, "content").with("ETag", etag(b"content")).until_closed();
        (request.seen.method == "GET").then(old)
    });
    assert_eq!(get(&fake).expect_err("replaced").kind, ErrorKind::Changed);
    assert_eq!(fake.seen().last().and_then(|seen| seen.header("if-match")), Some(etag(b"content").as_str()));
}

#[test]
fn where_head_tells_nothing_the_event_does_or_the_framing() {
    let fetch = |size: Option<u64>, reply: fn() -> Reply| {
        let fake = Fake::start(move |request, _| {
            Some(if request.seen.method == "HEAD" { Reply::new(405, "") } else { reply() })
        });
        let mut received = Received::default();
        received.size = size;
        received.fetch(&s3(&fake), &at("key")).map_err(|error| error.kind)
    };
    let closed = || Reply::new(200, "content").until_closed();
    let chunked = || Reply::new(200, "content").chunked();
    assert_eq!(fetch(Some(7), closed), Ok(b"content".to_vec()));
    assert_eq!(fetch(Some(8), closed), Err(ErrorKind::Truncated));
    assert_eq!(fetch(Some(6), closed), Err(ErrorKind::Truncated));
    assert_eq!(fetch(None, closed), Err(ErrorKind::Truncated));
    assert_eq!(fetch(None, chunked), Ok(b"content".to_vec()));
}

#[test]
fn an_object_over_the_limit_is_refused_before_its_body() {
    // The body never comes, so that a client which waits for it fails otherwise.
    let fake = Fake::start(|_, _| Some(Reply::new(200, "").with("Content-Length", "1000001").cut(0)));
    let received = Received::limited(1_000_000);
    let error = received.fetch(&s3(&fake), &at("key")).expect_err("too large");
    assert_eq!((error.kind, fake.seen().len()), (ErrorKind::TooLarge, 1));
    assert_eq!(received.names(), [""; 0]);
    // Without an announced length as soon as it is seen.
    let fake = Fake::start(|_, _| Some(Reply::new(200, content(1001)).chunked()));
    let received = Received::limited(1000);
    let error = received.fetch(&s3(&fake), &at("key")).expect_err("too large");
    assert_eq!((error.kind, fake.seen().len()), (ErrorKind::TooLarge, 1));
    assert_eq!(received.names(), [""; 0]);
}

#[test]
fn more_bytes_than_the_object_has_are_no_object() {
    let fake =
        Fake::start(|_, _| Some(Reply::new(200, content(1000)).with("Content-Range", "bytes 0-998/999").chunked()));
    assert_eq!(get(&fake).expect_err("too long").kind, ErrorKind::Truncated);
}

#[test]
fn breaks_after_progress_are_no_failed_attempts() {
    let object = content(12_000_000);
    let whole = object.clone();
    let fake = Fake::with_object(&object, move |request, _| {
        let first = request
            .seen
            .header("range")
            .map_or(0, |range| range.trim_start_matches("bytes=").trim_end_matches('-').parse().expect("a number"));
        let range = format!("bytes {first}-{}/{}", whole.len() - 1, whole.len());
        let reply = Reply::new(206, &whole[first..]).with("ETag", etag(&whole)).with("Content-Range", range);
        Some(reply.cut(1_200_000))
    });
    assert!(get(&fake).expect("fetched") == object);
    assert_eq!(fake.seen().len(), 10);
}

#[test]
fn a_store_that_starts_again_each_time_is_given_up() {
    let object = content(SIZE);
    let fake = Fake::start(move |_, _| Some(Reply::new(200, object.as_slice()).cut(2_000_000)));
    let error = get(&fake).expect_err("never whole");
    assert_eq!(error.kind, ErrorKind::Unreachable, "{error}");
    // Those after the first make no progress.
    assert_eq!(fake.seen().len(), 6);
}

#[test]
fn a_store_that_is_busy_for_a_while_is_asked_again() {
    let fake = Fake::with_object(b"content", |_, number| {
        (number < 4).then(|| Reply::error(503, "SlowDown").with("Retry-After", "0"))
    });
    assert_eq!(get(&fake).expect("fetched"), b"content");
    assert_eq!(fake.seen().len(), 5);
    let fake = Fake::start(|_, _| Some(Reply::error(503, "SlowDown").with("Retry-After", "0")));
    let error = get(&fake).expect_err("busy");
    assert_eq!((error.kind, fake.seen().len()), (ErrorKind::Unreachable, 5));
    assert!(error.detail.contains("SlowDown") && error.detail.contains("5 attempts"), "{error}");
}

#[test]
fn refusals_have_names() {
    for (status, code, kind) in [
        (404, "NoSuchKey", ErrorKind::NotFound),
        (404, "NoSuchBucket", ErrorKind::NoBucket),
        (403, "AccessDenied", ErrorKind::Denied),
        (403, "SignatureDoesNotMatch", ErrorKind::Credentials),
    ] {
        let fake = Fake::start(move |_, _| Some(Reply::error(status, code)));
        let error = get(&fake).expect_err(code);
        assert_eq!((error.kind, fake.seen().len()), (kind, 1), "{error}");
        assert!(error.detail.contains(code) && error.detail.contains("words"), "{error}");
    }
}
