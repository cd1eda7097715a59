//! The provider against a scripted server.

mod fake;
mod fetching;
mod mending;
mod parts;
mod storing;
mod tls;

use std::num::NonZeroUsize;

pub(super) use self::fake::{Fake, Reply};
use super::*;
use crate::testing::Received;

/// The settings of a store at `endpoint`.
pub(super) fn settings(endpoint: &Endpoint) -> Settings {
    Settings {
        endpoint: Some(endpoint.clone()),
        region: None,
        credentials: Credentials::Keys {
            access_key: Secret::Value("access".to_owned()),
            secret_key: Secret::Value("secret".to_owned()),
            session_token: None,
        },
        addressing: Addressing::Path,
        trust: Trust::default(),
    }
}

fn s3(fake: &Fake) -> S3 {
    S3::new("s3.test".parse().expect("a name"), settings(fake.endpoint())).expect("a store")
}

fn at(key: &str) -> ObjectPath {
    ObjectPath::new("bucket", key)
}

fn get(fake: &Fake) -> Result<Vec<u8>, Error> {
    let received = Received::default();
    let result = received.fetch(&s3(fake), &at("key"));
    assert_eq!(received.names(), [""; 0], "nothing is left");
    result
}

fn put(fake: &Fake, content: &[u8]) -> Result<(), Error> {
    s3(fake).store(&crate::testing::source(content), &at("key"), &Control::default())
}

/// Bytes of a pattern whose length divides that of no part.
fn content(size: usize) -> Vec<u8> {
    let pattern: Vec<u8> =
        (0..64_251_usize).map(|at| u8::try_from((at / 251 + at) % 256).unwrap_or_default()).collect();
    let mut content = pattern.repeat(size.div_ceil(pattern.len()));
    content.truncate(size);
    content
}

#[test]
fn a_place_without_a_bucket_or_a_key_is_refused_before_any_request() {
    let fake = Fake::start(|_, _| None);
    for (place, kind) in [(ObjectPath::new("", "key"), ErrorKind::NoBucket), (at(""), ErrorKind::Rejected)] {
        assert_eq!(Received::default().fetch(&s3(&fake), &place).expect_err("no object").kind, kind);
        let stored = s3(&fake).store(&crate::testing::source(b"x"), &place, &Control::default());
        assert_eq!(stored.expect_err("no object").kind, kind);
    }
    assert_eq!(fake.seen().len(), 0);
}

#[test]
fn a_check_lists_the_bucket_and_takes_a_refused_list_of_buckets_for_known_keys() {
    let check = |reply: fn() -> Reply, bucket: &str| {
        let fake = Fake::start(move |_, _| Some(reply()));
        let place = Some(ObjectPath::new(bucket, "")).filter(|at| !at.bucket.is_empty());
        let checked = s3(&fake).check(place.as_ref(), &Control::default());
        (checked.map_err(|error| error.kind), fake.seen()[0].target.clone())
    };
    let bucket_list = "/bucket?list-type=2&max-keys=1".to_owned();
    assert_eq!(check(|| Reply::new(200, "<x/>"), "bucket"), (Ok(()), bucket_list.clone()));
    assert_eq!(check(|| Reply::new(200, "<x/>"), ""), (Ok(()), "/".to_owned()));
    assert_eq!(check(|| Reply::error(403, "AccessDenied"), ""), (Ok(()), "/".to_owned()));
    let (elsewhere, _) = check(|| Reply::new(301, "").with("Location", "http://127.0.0.1:9/"), "");
    assert_eq!(elsewhere, Err(ErrorKind::Rejected));
    let failed = |kind| (Err(kind), bucket_list.clone());
    assert_eq!(check(|| Reply::error(403, "AccessDenied"), "bucket"), failed(ErrorKind::Denied));
    assert_eq!(check(|| Reply::error(404, "NoSuchBucket"), "bucket"), failed(ErrorKind::NoBucket));
    let unknown = check(|| Reply::error(403, "InvalidAccessKeyId"), "");
    assert_eq!(unknown, (Err(ErrorKind::Credentials), "/".to_owned()));
}

#[test]
fn a_server_that_is_not_there_is_unreachable() {
    let fake = Fake::start(|_, _| None);
    let endpoint = fake.endpoint().clone();
    drop(fake);
    let store = S3::new("s3.test".parse().expect("a name"), settings(&endpoint)).expect("a store");
    let error = store.check(None, &Control::default()).expect_err("no server");
    assert_eq!(error.kind, ErrorKind::Unreachable);
    assert!(error.detail.contains(&endpoint.authority()) && error.detail.contains("5 attempts"), "{error}");
}

#[test]
fn the_number_of_parts_at_once_is_a_setting() {
    let fake = Fake::start(|_, _| None);
    let store = s3(&fake).parts_at_once(NonZeroUsize::MIN);
    assert_eq!((s3(&fake).parts_at_once.get(), store.parts_at_once.get()), (4, 1));
}
