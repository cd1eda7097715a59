//! Storage events: is a JSON body the notification that an object store sends?
//!
//! Users' own JSON comes in by the same door, so nothing less than the exact shape counts: the first record names a
//! store that sends such events, a bucket and an object. One key that happens to have a telling name changes nothing.

use std::borrow::Cow;

use memchr::memmem;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::StorageEvent;

/// The longest body in bytes that is looked at. An event is handed over as an environment variable, and Linux takes
/// 131,072 bytes for one (`MAX_ARG_STRLEN`), of which `EVENT=` and the final zero are seven; a longer body is an
/// ordinary one. Real notifications have a few thousand.
pub(super) const MAX_BYTES: usize = 128 * 1024 - 7;

/// `eventSource` of Amazon S3, of MinIO, and of Ceph's object gateway, which sends the same records.
const SOURCES: [&str; 3] = ["aws:s3", "minio:s3", "ceph:s3"];

/// What the function is told if `json` has the shape of a storage event.
#[must_use]
pub(super) fn recognised(json: &[u8]) -> Option<StorageEvent> {
    // Most bodies are not events; this finds out without parsing them a second time.
    if json.len() > MAX_BYTES || memmem::find(json, b"\"Records\"").is_none() {
        return None;
    }
    let json = std::str::from_utf8(json).ok()?;
    let body: Value = serde_json::from_str(json).ok()?;
    let record = body.get("Records")?.get(0)?;
    let text = |pointer| record.pointer(pointer).and_then(Value::as_str);
    SOURCES.contains(&text("/eventSource")?).then_some(())?;
    text("/s3/bucket/name")?;
    let object_key = decoded(text("/s3/object/key")?);
    let time = text("/eventTime").unwrap_or_default().to_owned();
    // No environment variable can have a zero in it.
    let possible = !object_key.is_empty() && !object_key.contains('\0') && !time.contains('\0');
    possible.then(|| StorageEvent { object_key, time, json: json.to_owned() })
}

/// Stores send keys as in the query of a URL: blanks as `+`, the rest percent-encoded. A key that does not decode to
/// UTF-8 was not encoded, and stays as it is.
fn decoded(key: &str) -> String {
    let spaced = key.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().map_or_else(|_| key.to_owned(), Cow::into_owned)
}
