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

/// The stores that send records of S3's shape.
const SOURCES: [Source; 5] = [
    Source { name: "aws:s3", key: KeyForm::Encoded, has_path: false },
    Source { name: "minio:s3", key: KeyForm::Encoded, has_path: true },
    // MinIO's protocol, spoken by another program.
    Source { name: "rustfs:s3", key: KeyForm::Encoded, has_path: true },
    // NetApp's StorageGRID.
    Source { name: "sgws:s3", key: KeyForm::Encoded, has_path: false },
    // The object gateway of Ceph.
    Source { name: "ceph:s3", key: KeyForm::Verbatim, has_path: false },
];

/// A store that sends records of S3's shape.
#[derive(Debug)]
struct Source {
    /// Its `eventSource`.
    name: &'static str,
    /// The form of the key in a record.
    key: KeyForm,
    /// Whether a notification also has the member `Key`: the bucket, `/`, and the key without encoding.
    has_path: bool,
}

/// The form of an object's key in a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyForm {
    /// Encoded as in a form: a blank is `+`, other characters are percent-encoded.
    Encoded,
    /// As the object is named. A `+` or `%` is part of the name.
    Verbatim,
}

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
    let (store, object_key) = if let Some(source) = SOURCES.iter().find(|known| known.name == source) {
        let S3Entity { bucket, object } = record.s3.as_ref()?;
        (S3, source.object_key(bucket.name.text()?, object.key.text()?, notification.key.text())?)
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

impl Source {
    /// The key of the object. `None` if the notification names two different objects, which no store does.
    fn object_key(&self, bucket: &str, key: &str, path: Option<&str>) -> Option<String> {
        let key = match self.key {
            KeyForm::Encoded => decoded(key),
            KeyForm::Verbatim => key.to_owned(),
        };
        let named = path.filter(|_| self.has_path);
        let agrees = named
            .is_none_or(|path| path.strip_prefix(bucket).and_then(|rest| rest.strip_prefix('/')) == Some(key.as_str()));
        agrees.then_some(key)
    }
}

/// Undoes the encoding of a form. A `%` without two digits stays, and so does a key that does not decode to UTF-8: it was
/// not encoded.
fn decoded(key: &str) -> String {
    let spaced = key.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().map_or_else(|_| key.to_owned(), Cow::into_owned)
}

#[cfg(test)]
mod tests;
