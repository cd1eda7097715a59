use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::{
    http::Trust,
    object::ObjectPath,
    provider::{
        web::fake::{Fake, Reply, Seen},
        webdav::{Auth, WebDav, WebDavSettings},
    },
    secret::Secret,
    testing::Received,
};

const BODY: &[u8] = b"0123456789";

fn store(fake: &Fake, auth: Auth) -> WebDav {
    let settings = WebDavSettings { endpoint: fake.endpoint(), auth, trust: Trust::default() };
    WebDav::new("webdav".parse().expect("a name"), settings).expect("a provider")
}

fn get_into(received: &Received, fake: &Fake) -> Result<Vec<u8>, Error> {
    let result = received.fetch(&store(fake, Auth::None), &ObjectPath::new("b", "key"));
    assert_eq!(received.names(), Vec::<String>::new(), "nothing is left of a failed transfer");
    result
}

fn get(fake: &Fake) -> Result<Vec<u8>, Error> {
    get_into(&Received::default(), fake)
}

/// Answers the requests one after the other.
fn script(replies: Vec<Reply>) -> Fake {
    let next = AtomicUsize::new(0);
    Fake::start(move |_| {
        let at = next.fetch_add(1, Ordering::SeqCst);
        replies.get(at).cloned().unwrap_or_else(|| Reply::new(500, &[("Retry-After", "0")], "no more"))
    })
}

fn whole(etag: &str) -> Reply {
    Reply::new(200, &[("ETag", etag)], BODY)
}

fn part(status: u16, range: &str, body: &[u8]) -> Reply {
    Reply::new(status, &[("ETag", "\"one\""), ("Content-Range", range)], body)
}

fn ranges(fake: &Fake) -> Vec<Option<String>> {
    fake.seen().iter().map(|seen| seen.header("range").map(str::to_owned)).collect()
}

#[test]
fn a_download_that_breaks_off_goes_on_where_it_was() {
    for status in [206, 200] {
        let fake = script(vec![whole("\"one\"").without(4), part(status, "bytes 6-9/10", &BODY[6..])]);
        assert_eq!(get(&fake).expect("fetched"), BODY, "{status}");
        assert_eq!(ranges(&fake), [None, Some("bytes=6-".to_owned())]);
        assert_eq!(fake.seen()[1].header("if-match"), Some("\"one\""));
    }
}

#[test]
fn a_server_that_sends_all_again_is_read_from_the_start() {
    let fake = script(vec![whole("\"one\"").without(4), whole("\"two\"")]);
    assert_eq!(get(&fake).expect("fetched"), BODY);
    assert_eq!(ranges(&fake).len(), 2);
}

#[test]
fn without_a_strong_etag_a_download_begins_again() {
    for etag in ["W/\"one\"", ""] {
        let first = if etag.is_empty() { Reply::new(200, &[], BODY) } else { whole(etag) };
        let fake = script(vec![first.without(4), whole("\"two\"")]);
        assert_eq!(get(&fake).expect("fetched"), BODY);
        assert_eq!(ranges(&fake), [None, None], "{etag}");
    }
}

#[test]
fn an_object_that_is_replaced_meanwhile_is_an_error() {
    let other = Reply::new(206, &[("ETag", "\"two\""), ("Content-Range", "bytes 6-9/10")], &BODY[6..]);
    for second in [Reply::new(412, &[], ""), other] {
        let fake = script(vec![whole("\"one\"").without(4), second, whole("\"two\"")]);
        assert_eq!(get(&fake).expect_err("replaced").kind, ErrorKind::Changed);
        assert_eq!(fake.seen().len(), 2);
    }
}

#[test]
fn a_part_that_was_not_asked_for_is_not_taken() {
    for second in [part(206, "bytes 5-8/10", b"5678"), Reply::new(206, &[], b"6789"), part(416, "bytes */10", b"")] {
        let fake = script(vec![whole("\"one\"").without(4), second, whole("\"one\"")]);
        assert_eq!(get(&fake).expect("fetched"), BODY);
        assert_eq!(ranges(&fake), [None, Some("bytes=6-".to_owned()), None]);
    }
}

#[test]
fn a_part_that_is_shorter_than_announced_is_completed() {
    let fake = script(vec![
        whole("\"one\"").without(8),
        part(206, "bytes 2-4/10", b"234"),
        part(206, "bytes 5-9/10", b"56789"),
    ]);
    assert_eq!(get(&fake).expect("fetched"), BODY);
    assert_eq!(ranges(&fake)[2].as_deref(), Some("bytes=5-"));
}

#[test]
fn a_body_without_a_length_is_compared_with_the_size_that_is_known() {
    let closed = || Reply::raw("HTTP/1.1 200 x\r\nConnection: close\r\n\r\n0123456789");
    let chunks = Reply::raw(
        "HTTP/1.1 200 x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n",
    );
    let head = |size: &str| Reply::new(200, &[("Content-Length", size)], "");
    let silent = || Reply::raw("HTTP/1.1 200 x\r\nConnection: close\r\n\r\n");
    let told = |size| {
        let mut received = Received::default();
        received.size = Some(size);
        received
    };
    // The event tells the size, or HEAD does.
    assert_eq!(get_into(&told(10), &script(vec![closed()])).expect("fetched"), BODY);
    assert_eq!(get(&script(vec![closed(), head("10")])).expect("fetched"), BODY);
    assert_eq!(get_into(&told(7), &script(vec![closed(), head("10")])).expect("HEAD is newer"), BODY);
    assert_eq!(get(&script(vec![chunks.clone(), silent()])).expect("chunks have an end"), BODY);
    // One tells another size.
    for (received, first) in [(told(11), closed()), (told(11), chunks.clone())] {
        let fake = script(vec![first.clone(), silent(), first.clone(), head("10")]);
        assert_eq!(get_into(&received, &fake).expect("the second attempt"), BODY);
        assert_eq!(fake.seen().len(), 4);
    }
    // None tells it: the end of the connection may be anything.
    let error = get(&Fake::start(|seen: &Seen| {
        Reply::raw(if seen.method == "GET" {
            "HTTP/1.1 200 x\r\nConnection: close\r\n\r\n0123"
        } else {
            "HTTP/1.1 404 x\r\nConnection: close\r\n\r\n"
        })
    }));
    assert_eq!(error.expect_err("cut off").kind, ErrorKind::Truncated);
}

#[test]
fn a_download_that_breaks_off_each_time_is_truncated() {
    let fake = Fake::start(|_| Reply::new(200, &[], BODY).without(1));
    let error = get(&fake).expect_err("truncated");
    assert_eq!((error.kind, fake.seen().len()), (ErrorKind::Truncated, 5), "{error}");
}

#[test]
fn an_object_over_the_limit_is_refused_before_or_while_it_is_read() {
    let fake = script(vec![whole("\"one\"")]);
    let error = get_into(&Received::limited(9), &fake).expect_err("too large");
    assert_eq!(error.kind, ErrorKind::TooLarge);
    let fake = script(vec![Reply::raw("HTTP/1.1 200 x\r\n\r\n0123456789")]);
    let error = get_into(&Received::limited(9), &fake).expect_err("too large");
    assert_eq!((error.kind, fake.seen().len()), (ErrorKind::TooLarge, 1));
    assert_eq!(get_into(&Received::limited(10), &script(vec![whole("\"one\"")])).expect("fetched"), BODY);
}

#[test]
fn statuses_are_errors_and_some_pass() {
    for (status, kind) in [
        (401, ErrorKind::Credentials),
        (403, ErrorKind::Denied),
        (404, ErrorKind::NotFound),
        (405, ErrorKind::NotFound),
        (410, ErrorKind::NotFound),
        (400, ErrorKind::Rejected),
    ] {
        let fake = script(vec![Reply::new(status, &[], "")]);
        assert_eq!(get(&fake).expect_err("an error").kind, kind, "{status}");
        assert_eq!(fake.seen().len(), 1, "{status}");
    }
    let busy = |status| Reply::new(status, &[("Retry-After", "0")], "");
    let fake = script(vec![busy(503), busy(429), busy(408), busy(500), whole("\"one\"")]);
    assert_eq!(get(&fake).expect("the fifth attempt"), BODY);
}

#[test]
fn a_redirect_is_followed_and_credentials_stay_with_their_server() {
    for (status, auth) in [
        (302, Auth::Basic { login: Secret::Value("me".into()), password: Secret::Value("secret".into()) }),
        (307, Auth::Bearer(Secret::Value("token".into()))),
    ] {
        let pool = Fake::start(|_| whole("\"one\""));
        let location = format!("{}/pool?dcache-http-uuid=1", pool.url());
        let door = Fake::start(move |seen: &Seen| {
            let to = if seen.target == "/b/key" { "/again" } else { location.as_str() };
            Reply::new(status, &[("Location", to)], "")
        });
        let fetched = Received::default().fetch(&store(&door, auth), &ObjectPath::new("b", "key"));
        assert_eq!(fetched.expect("fetched"), BODY);
        assert_eq!(door.lines(), ["GET /b/key", "GET /again"]);
        assert!(door.seen().iter().all(|seen| seen.header("authorization").is_some()), "the same server");
        assert_eq!(pool.lines(), ["GET /pool?dcache-http-uuid=1"]);
        assert_eq!(pool.seen()[0].header("authorization"), None, "another server");
        assert_eq!(pool.seen()[0].header("host"), Some(pool.url().trim_start_matches("http://")));
    }
}

#[test]
fn a_circle_of_redirects_ends() {
    let fake = Fake::start(|_| Reply::new(302, &[("Location", "/b/key")], ""));
    let error = get(&fake).expect_err("a circle");
    assert!(error.kind == ErrorKind::Unreachable && error.detail.contains("redirects"), "{error}");
    assert_eq!(fake.seen().len(), 5);
}

#[test]
fn the_page_of_a_folder_is_no_object() {
    let html = |fields: &[(&str, &str)]| Reply::new(200, &[&[("Content-Type", "text/html")], fields].concat(), BODY);
    let multistatus = |of: &str| {
        Reply::new(207, &[], format!("<multistatus xmlns='DAV:'><resourcetype>{of}</resourcetype></multistatus>"))
    };
    let fake = script(vec![html(&[]), multistatus("<collection/>")]);
    assert_eq!(get(&fake).expect_err("a page").kind, ErrorKind::NotFound);
    assert_eq!(fake.lines(), ["GET /b/key", "PROPFIND /b/key"]);
    // A file may be a page as well.
    assert_eq!(get(&script(vec![html(&[]), multistatus("")])).expect("fetched"), BODY);
    let fake = script(vec![html(&[("Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT")])]);
    assert_eq!(get(&fake).expect("fetched"), BODY);
    assert_eq!(fake.lines(), ["GET /b/key"]);
    // The address of a folder has a slash at its end.
    let fake = script(vec![Reply::new(301, &[("Location", "/b/key/")], "")]);
    let error = get(&fake).expect_err("a folder");
    assert!(error.kind == ErrorKind::NotFound && error.detail.contains("folder"), "{error}");
    assert_eq!(fake.lines(), ["GET /b/key"]);
}
