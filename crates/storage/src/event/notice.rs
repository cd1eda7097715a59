//! A notice: one object that an event tells of.

use std::fmt;

use crate::{name::ProviderType, object::ObjectPath};

/// Bytes of an event, at most, that a function finds in its environment. Linux takes 131,072 for one variable
/// (`MAX_ARG_STRLEN`), of which `EVENT=` and the final zero are seven.
pub const ENVIRONMENT_LIMIT: usize = 128 * 1024 - 7;

/// The kinds of store and service that send events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventSource {
    /// Amazon S3, or a store that names itself so.
    Aws,
    /// MinIO.
    Minio,
    /// RustFS, which speaks the protocol of MinIO.
    RustFs,
    /// The object gateway of Ceph.
    Ceph,
    /// StorageGRID of NetApp.
    StorageGrid,
    /// dCache.
    DCache,
    /// Onedata.
    Onedata,
    /// Rucio.
    Rucio,
    /// A directory of this machine.
    Local,
}

/// One object that an event tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The sender.
    pub source: EventSource,
    /// The event with this record alone, as it was sent: the whole event where it has one record. `None` where it is longer
    /// than [`ENVIRONMENT_LIMIT`].
    pub event: Option<String>,
    /// The object, with its key decoded by the rule of the source.
    pub object: ObjectPath,
    /// The key as it was sent.
    pub sent_key: String,
    /// The size in bytes.
    pub size: Option<u64>,
    /// The ETag, without quotes.
    pub etag: Option<String>,
    /// The version; never empty.
    pub version: Option<String>,
    /// The text that is another for each change of the object.
    pub sequencer: Option<String>,
    /// The time, as it was sent.
    pub time: Option<String>,
    /// The consequence.
    pub kind: NoticeKind,
}

/// The consequence of a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoticeKind {
    /// An object is there: it is fetched, and the function runs.
    Created,
    /// Nothing is run, for this reason.
    Ignored(String),
}

/// Characters of a text from an event, at most, that a reason repeats.
const SHOWN: usize = 128;

/// A text from an event, as a reason repeats it.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(SHOWN).collect::<String>().escape_debug().to_string()
}

/// The event, unless it is too long for a variable.
pub(super) fn for_environment(event: String) -> Option<String> {
    (event.len() <= ENVIRONMENT_LIMIT).then_some(event)
}

impl EventSource {
    /// The name of the source, as most write it into their events.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws:s3",
            Self::Minio => "minio:s3",
            Self::RustFs => "rustfs:s3",
            Self::Ceph => "ceph:s3",
            Self::StorageGrid => "sgws:s3",
            Self::DCache => "dcache",
            Self::Onedata => "OneTrigger",
            Self::Rucio => "rucio",
            Self::Local => "local",
        }
    }

    /// Whether it is a store that speaks S3, and so has buckets.
    #[must_use]
    pub fn speaks_s3(self) -> bool {
        matches!(self, Self::Aws | Self::Minio | Self::RustFs | Self::Ceph | Self::StorageGrid)
    }

    /// Whether a provider of this type can serve its events.
    #[must_use]
    pub fn is_served_by(self, provider: ProviderType) -> bool {
        if self.speaks_s3() { provider.speaks_s3() } else { self.own_type() == Some(provider) }
    }

    /// The type of provider made for it. Ceph and StorageGRID have none: `s3` serves them as well as `minio`.
    #[must_use]
    pub fn own_type(self) -> Option<ProviderType> {
        match self {
            Self::Aws => Some(ProviderType::S3),
            Self::Minio | Self::RustFs => Some(ProviderType::Minio),
            Self::Ceph | Self::StorageGrid => None,
            Self::DCache => Some(ProviderType::WebDav),
            Self::Onedata => Some(ProviderType::Onedata),
            Self::Rucio => Some(ProviderType::Rucio),
            Self::Local => Some(ProviderType::Local),
        }
    }
}

impl fmt::Display for EventSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Notice {
    /// A notice about an object of which nothing else is known.
    #[must_use]
    pub fn new(source: EventSource, event: &str, object: ObjectPath, kind: NoticeKind) -> Self {
        Self {
            source,
            event: for_environment(event.to_owned()),
            sent_key: object.key.clone(),
            object,
            size: None,
            etag: None,
            version: None,
            sequencer: None,
            time: None,
            kind,
        }
    }

    /// The key as functions know it: with its space, where that is a part of it; with its folder, for dCache.
    #[must_use]
    pub fn object_key(&self) -> String {
        match self.source {
            EventSource::Onedata => format!("/{}", self.object),
            EventSource::DCache if !self.object.bucket.is_empty() => self.object.to_string(),
            _ => self.object.key.clone(),
        }
    }

    /// The key as it was sent, if that is another than the decoded one. It is tried where there is no object of the decoded
    /// key.
    #[must_use]
    pub fn other_key(&self) -> Option<ObjectPath> {
        let is_other = self.sent_key != self.object.key;
        is_other.then(|| ObjectPath::new(self.object.bucket.clone(), self.sent_key.clone()))
    }

    /// Ignores a created object that no run can be for.
    pub(super) fn checked(mut self) -> Self {
        let reason = if self.kind != NoticeKind::Created {
            return self;
        } else if self.object.key.is_empty() {
            "it names no object"
        } else if self.object.key.contains('\0') {
            "its key contains NUL, which neither a file name nor a variable can hold"
        } else {
            return self;
        };
        self.kind = NoticeKind::Ignored(reason.to_owned());
        self
    }
}
