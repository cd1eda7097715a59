//! A file that was found, and the event that tells of it.

use std::{
    fs::{self, Metadata},
    os::unix::fs::MetadataExt as _,
    path::Path,
    time::{Duration, SystemTime},
};

use jiff::Timestamp;
use serde_json::json;

use crate::{event::EventSource, object::ObjectPath};

/// A file that is there and whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundFile {
    /// Its place in the store.
    pub object: ObjectPath,
    /// Its size in bytes.
    pub size: u64,
    /// When it was last written.
    modified: Option<SystemTime>,
    /// A text that is another for each content of the file.
    pub(super) sequencer: String,
}

impl FoundFile {
    /// The regular file at `path`; `None` if there is none.
    pub(super) fn of(path: &Path, object: ObjectPath) -> Option<Self> {
        let metadata = fs::symlink_metadata(path).ok().filter(Metadata::is_file)?;
        let (inode, seconds, nanoseconds) = (metadata.ino(), metadata.mtime(), metadata.mtime_nsec());
        Some(Self {
            object,
            size: metadata.size(),
            modified: metadata.modified().ok(),
            sequencer: format!("{inode:x}-{seconds:x}-{nanoseconds:x}-{:x}", metadata.size()),
        })
    }

    /// How long ago it was written.
    pub(super) fn age(&self) -> Duration {
        // A time to come is as good as any old one: it says nothing.
        self.modified.and_then(|modified| modified.elapsed().ok()).unwrap_or(Duration::MAX)
    }

    /// The event, in the shape of a notification of S3.
    #[must_use]
    pub fn event(&self) -> String {
        let time = self.modified.and_then(|time| Timestamp::try_from(time).ok()).unwrap_or_else(Timestamp::now);
        json!({"Records": [{
            "eventSource": EventSource::Local.as_str(),
            "eventName": "ObjectCreated:Put",
            "eventTime": time.to_string(),
            "s3": {
                "bucket": {"name": self.object.bucket},
                "object": {"key": self.object.key, "size": self.size, "sequencer": self.sequencer},
            },
        }]})
        .to_string()
    }
}

/// Whether a file was written, created or renamed at `since` or later.
pub(super) fn changed_since(metadata: &Metadata, since: SystemTime) -> bool {
    let Ok(since) = since.duration_since(SystemTime::UNIX_EPOCH) else { return true };
    let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    metadata.ctime() >= seconds - 1
}
