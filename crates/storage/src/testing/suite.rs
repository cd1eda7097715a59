//! The suite that every provider passes against every server it can speak to.

use super::{Received, source};
use crate::{control::Control, error::ErrorKind, object::ObjectPath, provider::Provider};

/// Keys that a store keeps byte for byte, if it is one for objects and not for files.
pub const OBJECT_KEYS: [&str; 12] = [
    "a//b",
    "/leading",
    "folder//",
    "a/../b",
    "../b",
    "./b",
    "a/./b",
    "new\nline",
    "tab\there",
    "back\\slash",
    "trailing/",
    " blank ",
];

/// Keys that every store keeps byte for byte.
pub const KEYS: [&str; 22] = [
    "plain.txt",
    "deep/er/file.bin",
    "with blank.txt",
    "plus+sign",
    "per%cent",
    "encoded%20blank",
    "encoded%2Fslash",
    "tilde~.txt",
    "question?mark",
    "hash#mark",
    "amp&ersand",
    "equals=sign",
    "semi;colon,comma",
    "quote's \"both\"",
    "(brackets)[square]{curly}",
    "at@colon:",
    "dollar$!*",
    "composed-\u{fc}",
    "decomposed-u\u{308}",
    "\u{65e5}\u{672c}\u{8a9e}/\u{1f415}",
    "less<more>",
    "pipe|caret^grave`",
];

/// The abilities of a server that not all servers have.
#[derive(Debug, Clone, Copy)]
pub struct Abilities<'a> {
    /// Keys that it does not keep, with the reason in the test that says so.
    pub without: &'a [&'a str],
    /// Whether it keeps [`OBJECT_KEYS`], except for those that it is without.
    pub keeps_object_keys: bool,
}

/// Stores and fetches objects of many names and sizes in `bucket`, below `folder`.
pub fn run(provider: &dyn Provider, bucket: &str, folder: &str, abilities: Abilities<'_>) {
    keys(provider, bucket, folder, abilities);
    sizes(provider, bucket, folder);
    replacing(provider, bucket, folder);
    missing(provider, bucket, folder);
}

/// Every key is another object, and comes back with its own content.
fn keys(provider: &dyn Provider, bucket: &str, folder: &str, abilities: Abilities<'_>) {
    let object_keys = if abilities.keeps_object_keys { OBJECT_KEYS.as_slice() } else { &[] };
    let keys: Vec<&str> =
        KEYS.iter().chain(object_keys).copied().filter(|key| !abilities.without.contains(key)).collect();
    for key in &keys {
        let to = ObjectPath::new(bucket, format!("{folder}{key}"));
        let stored = provider.store(&source(key.as_bytes()), &to, &Control::default());
        stored.unwrap_or_else(|error| panic!("{key:?} is not stored: {error:?}"));
    }
    for key in &keys {
        let from = ObjectPath::new(bucket, format!("{folder}{key}"));
        let fetched = Received::default().fetch(provider, &from);
        let fetched = fetched.unwrap_or_else(|error| panic!("{key:?} is not fetched: {error:?}"));
        assert_eq!(fetched, key.as_bytes(), "{key:?} has its own content");
    }
}

/// Sizes around the bounds of pieces, parts and buffers.
fn sizes(provider: &dyn Provider, bucket: &str, folder: &str) {
    const MIB: usize = 1024 * 1024;
    for size in [0, 1, 1023, 65_536, 65_537, MIB - 1, 5 * MIB, 16 * MIB, 16 * MIB + 1, 40 * MIB + 7] {
        let content: Vec<u8> = (0..size).map(|at| u8::try_from((at / 251 + at) % 256).unwrap_or_default()).collect();
        let at = ObjectPath::new(bucket, format!("{folder}size-{size}"));
        let stored = provider.store(&source(&content), &at, &Control::default());
        stored.unwrap_or_else(|error| panic!("{size} bytes are not stored: {error:?}"));
        let fetched = Received::default().fetch(provider, &at);
        let fetched = fetched.unwrap_or_else(|error| panic!("{size} bytes are not fetched: {error:?}"));
        assert!(fetched == content, "{size} bytes come back as they were");
    }
}

/// A second object of a key takes the place of the first.
fn replacing(provider: &dyn Provider, bucket: &str, folder: &str) {
    let at = ObjectPath::new(bucket, format!("{folder}replaced"));
    for content in [&b"the first, which is longer"[..], b"the second", b""] {
        provider.store(&source(content), &at, &Control::default()).expect("stored");
        assert_eq!(Received::default().fetch(provider, &at).expect("fetched"), content);
    }
}

/// Failures have names, and leave nothing.
fn missing(provider: &dyn Provider, bucket: &str, folder: &str) {
    let received = Received::default();
    let error = received.fetch(provider, &ObjectPath::new(bucket, format!("{folder}missing"))).expect_err("no object");
    assert_eq!(error.kind, ErrorKind::NotFound, "{error:?}");
    let at = ObjectPath::new(bucket, format!("{folder}limited"));
    provider.store(&source(&[7; 1000]), &at, &Control::default()).expect("stored");
    let received_less = Received::limited(999);
    let error = received_less.fetch(provider, &at).expect_err("too large");
    assert_eq!(error.kind, ErrorKind::TooLarge, "{error:?}");
    assert_eq!((received.names(), received_less.names()), (Vec::new(), Vec::new()));
    assert_eq!(Received::limited(1000).fetch(provider, &at).expect("fetched").len(), 1000);
}
