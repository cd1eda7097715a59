use std::fs;

use super::*;

/// The scope of the signature of a request: day, region, service.
fn scope(seen: &super::fake::Seen) -> (String, String) {
    let value = seen.header("authorization").expect("signed");
    let mut parts = value.split("Credential=access/").nth(1).expect("a scope").split('/');
    (parts.next().expect("a day").to_owned(), parts.next().expect("a region").to_owned())
}

#[test]
fn a_clock_that_is_wrong_is_mended_once_and_remembered() {
    let date = "Wed, 21 Oct 2015 07:28:00 GMT";
    let fake = Fake::with_object(b"content", move |_, number| {
        (number == 0).then(|| Reply::error(403, "RequestTimeTooSkewed").with("Date", date))
    });
    let store = s3(&fake);
    for _ in 0..2 {
        assert_eq!(Received::default().fetch(&store, &at("key")).expect("fetched"), b"content");
    }
    let dates: Vec<String> =
        fake.seen().iter().map(|seen| seen.header("x-amz-date").expect("a date")[..8].to_owned()).collect();
    assert_ne!(dates[0], "20151021");
    assert_eq!(dates[1..], ["20151021", "20151021"]);
    assert_eq!(scope(&fake.seen()[1]).0, "20151021");
    // A store whose date does not help.
    let fake = Fake::start(move |_, _| Some(Reply::error(403, "RequestTimeTooSkewed").with("Date", date)));
    assert_eq!((get(&fake).expect_err("skewed").kind, fake.seen().len()), (ErrorKind::Clock, 2));
    let fake = Fake::start(|_, _| Some(Reply::error(403, "RequestTimeTooSkewed")));
    assert_eq!((get(&fake).expect_err("skewed").kind, fake.seen().len()), (ErrorKind::Clock, 1));
}

#[test]
fn a_bucket_of_another_region_is_signed_for_that_once_and_remembered() {
    let replies: [fn() -> Reply; 4] = [
        || {
            Reply::error(301, "PermanentRedirect")
                .with("x-amz-bucket-region", "eu-west-3")
                .with("Location", "http://127.0.0.1:9/")
        },
        || Reply::new(307, "").with("x-amz-bucket-region", "eu-west-3").with("Location", "http://127.0.0.1:9/"),
        || Reply::error(400, "AuthorizationHeaderMalformed").with("x-amz-bucket-region", "eu-west-3"),
        || Reply::new(400, "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-3</Region></Error>"),
    ];
    for reply in replies {
        let fake = Fake::with_object(b"content", move |_, number| (number == 0).then(reply));
        let store = s3(&fake);
        for _ in 0..2 {
            assert_eq!(Received::default().fetch(&store, &at("key")).expect("fetched"), b"content");
        }
        let regions: Vec<String> = fake.seen().iter().map(|seen| scope(seen).1).collect();
        assert_eq!(regions, ["us-east-1", "eu-west-3", "eu-west-3"]);
        // Other buckets stay where they are.
        let _ = store.check(Some(&ObjectPath::new("other", "")), &Control::default());
        assert_eq!(fake.seen().last().map(|seen| scope(seen).1).as_deref(), Some("us-east-1"));
        let fake = Fake::start(move |_, _| Some(reply()));
        get(&fake).expect_err("never right");
        assert_eq!(fake.seen().len(), 2);
    }
}

#[test]
fn a_bucket_of_this_region_is_not_signed_for_again() {
    let fake = Fake::start(|_, _| Some(Reply::new(301, "").with("x-amz-bucket-region", "us-east-1")));
    get(&fake).expect_err("a redirect");
    assert_eq!(fake.seen().len(), 1);
}

#[test]
fn a_redirect_is_not_followed() {
    let other = Fake::with_object(b"content", |_, _| None);
    let location = format!("{}/bucket/key", other.endpoint());
    for status in [301, 302, 307, 308] {
        let location = location.clone();
        let fake = Fake::start(move |_, _| Some(Reply::new(status, "").with("Location", location.as_str())));
        let error = get(&fake).expect_err("a redirect");
        assert_eq!((error.kind, fake.seen().len()), (ErrorKind::Rejected, 1));
        assert!(error.detail.contains("redirects are not followed"), "{error}");
    }
    assert_eq!(other.seen().len(), 0);
}

#[test]
fn secrets_are_read_again_when_a_token_is_over_and_at_each_use() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("sessionToken");
    fs::write(&file, "first\n").expect("written");
    let renewed = file.clone();
    let fake = Fake::with_object(b"content", move |request, _| {
        let is_over = request.seen.header("x-amz-security-token") == Some("first");
        is_over.then(|| {
            fs::write(&renewed, "second").expect("written");
            Reply::error(400, "ExpiredToken")
        })
    });
    let credentials = Credentials::Keys {
        access_key: Secret::Value("access".to_owned()),
        secret_key: Secret::Value("secret".to_owned()),
        session_token: Some(Secret::File(file.clone())),
    };
    let settings = Settings { credentials, ..settings(fake.endpoint()) };
    let store = S3::new("s3.test".parse().expect("a name"), settings).expect("a store");
    let fetch = || Received::default().fetch(&store, &at("key"));
    assert_eq!(fetch().expect("fetched"), b"content");
    fs::write(&file, "third").expect("written");
    assert_eq!(fetch().expect("fetched"), b"content");
    let seen = fake.seen();
    let tokens: Vec<_> = seen.iter().map(|seen| seen.header("x-amz-security-token").unwrap_or_default()).collect();
    assert_eq!(tokens, ["first", "second", "third"]);
    assert!(seen[0].header("authorization").expect("signed").contains("x-amz-date;x-amz-security-token,"));
    fs::remove_file(&file).expect("removed");
    let error = fetch().expect_err("no token");
    assert_eq!((error.kind, fake.seen().len()), (ErrorKind::Credentials, 3));
    assert!(error.detail.contains("sessionToken"), "{error}");
}

#[test]
fn keys_that_the_store_calls_expired_are_lent_again() {
    let lender = Fake::start(|_, number| {
        let keys = format!("\"AccessKeyId\":\"access\",\"SecretAccessKey\":\"s\",\"Token\":\"token-{number}\"");
        Some(Reply::new(200, format!("{{{keys},\"Expiration\":\"2999-01-01T00:00:00Z\"}}")))
    });
    let fake = Fake::with_object(b"content", |request, _| {
        let is_over = request.seen.header("x-amz-security-token") == Some("token-0");
        is_over.then(|| Reply::error(400, "ExpiredToken"))
    });
    let address = ("AWS_CONTAINER_CREDENTIALS_FULL_URI".to_owned(), lender.endpoint().to_string());
    let credentials = Credentials::Chain([address].into_iter().collect());
    let settings = Settings { credentials, ..settings(fake.endpoint()) };
    let store = S3::new("s3.test".parse().expect("a name"), settings).expect("a store");
    for _ in 0..2 {
        assert_eq!(Received::default().fetch(&store, &at("key")).expect("fetched"), b"content");
    }
    assert_eq!((fake.seen().len(), lender.seen().len()), (3, 2));
}

#[test]
fn a_token_that_stays_expired_is_an_error() {
    let fake = Fake::start(|_, _| Some(Reply::error(400, "ExpiredToken")));
    assert_eq!((get(&fake).expect_err("expired").kind, fake.seen().len()), (ErrorKind::Credentials, 2));
}
