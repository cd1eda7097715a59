//! Storage events: is a JSON body the notification that an object store sends?
//!
//! Users' own JSON comes in by the same door, so nothing less than the exact shape counts: the first record names a
//! store that sends such events, a bucket and an object. One key that happens to have a telling name changes nothing.

use std::borrow::Cow;

use memchr::memmem;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, de::IgnoredAny};

use super::{
    StorageEvent,
    shape::{First, MaybeText, Text},
};

/// The longest body in bytes that is looked at. An event is handed over as an environment variable, and Linux takes
/// 131,072 bytes for one (`MAX_ARG_STRLEN`), of which `EVENT=` and the final zero are seven; a longer body is an
/// ordinary one. Real notifications have a few thousand.
pub(super) const MAX_BYTES: usize = 128 * 1024 - 7;

/// `eventSource` of Amazon S3, of MinIO, and of Ceph's object gateway, which sends the same records.
const SOURCES: [&str; 3] = ["aws:s3", "minio:s3", "ceph:s3"];

/// The event for the function, if `json` has the shape of a notification of an S3 store.
#[must_use]
pub(super) fn recognised(json: &[u8]) -> Option<StorageEvent> {
    if json.len() > MAX_BYTES {
        return None;
    }
    storage_notification(json).filter(|notice| notice.store == S3).and_then(|notice| notice.event)
}

/// A notification about an object in a store.
#[derive(Debug, PartialEq, Eq)]
pub struct StorageNotification {
    /// The kind of store, for messages.
    pub store: &'static str,
    /// The event for the function; `None` where no environment variable can hold it.
    pub event: Option<StorageEvent>,
}

const S3: &str = "an S3 store";

/// Reads `json` if it has the exact shape of a notification by S3, OneData or dCache.
#[must_use]
pub fn storage_notification(json: &[u8]) -> Option<StorageNotification> {
    // Most bodies are not events. Searching for a key avoids parsing those a second time.
    let has = |key: &str| memmem::find(json, key.as_bytes()).is_some();
    if has("\"subscription\"") && serde_json::from_slice::<DCache<'_>>(json).is_ok() {
        return Some(StorageNotification { store: "dCache", event: None });
    }
    if !has("\"Records\"") {
        return None;
    }
    let notification: Notification<'_> = serde_json::from_slice(json).ok()?;
    let record = notification.records.0?;
    let (time, source) = (record.time.text(), record.source.text()?);
    let (store, object_key) = if SOURCES.contains(&source) {
        record.s3.as_ref()?.bucket.name.text()?;
        (S3, decoded(record.s3.as_ref()?.object.key.text()?))
    } else if source == "OneTrigger" {
        record.object_key.text().and(time)?;
        ("OneData", notification.key.text().filter(|key| key.starts_with('/'))?.to_owned())
    } else {
        return None;
    };
    let time = time.unwrap_or_default().to_owned();
    // No environment variable can have a zero in it.
    let possible = json.len() <= MAX_BYTES && !object_key.is_empty() && !object_key.contains('\0');
    let json = std::str::from_utf8(json).ok().filter(|_| possible && !time.contains('\0'));
    Some(StorageNotification {
        store,
        event: json.map(|json| StorageEvent { object_key, time, json: json.to_owned() }),
    })
}

/// A notification of an S3 store or of OneData. Only the first record counts.
#[derive(Deserialize)]
struct Notification<'a> {
    #[serde(borrow, rename = "Records")]
    records: First<Record<'a>>,
    #[serde(borrow, default, rename = "Key")]
    key: MaybeText<'a>,
}

#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow, default, rename = "eventSource")]
    source: MaybeText<'a>,
    #[serde(borrow, default, rename = "eventTime")]
    time: MaybeText<'a>,
    #[serde(borrow, default, rename = "objectKey")]
    object_key: MaybeText<'a>,
    #[serde(borrow, default)]
    s3: Option<S3Entity<'a>>,
}

#[derive(Deserialize)]
struct S3Entity<'a> {
    #[serde(borrow)]
    bucket: Bucket<'a>,
    #[serde(borrow)]
    object: Object<'a>,
}

#[derive(Deserialize)]
struct Bucket<'a> {
    #[serde(borrow)]
    name: MaybeText<'a>,
}

#[derive(Deserialize)]
struct Object<'a> {
    #[serde(borrow)]
    key: MaybeText<'a>,
}

/// The envelope of dCache's storage events.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DCache<'a> {
    #[serde(borrow, rename = "event")]
    _event: DCacheEvent<'a>,
    #[serde(borrow, rename = "subscription")]
    _subscription: Text<'a>,
}

#[derive(Deserialize)]
struct DCacheEvent<'a> {
    #[serde(borrow, rename = "name")]
    _name: Text<'a>,
    #[serde(rename = "mask")]
    _mask: First<IgnoredAny>,
}

/// Stores send keys as in the query of a URL: blanks as `+`, the rest percent-encoded. A key that does not decode to
/// UTF-8 was not encoded, and stays as it is.
fn decoded(key: &str) -> String {
    let spaced = key.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().map_or_else(|_| key.to_owned(), Cow::into_owned)
}
