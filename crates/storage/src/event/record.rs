//! Notifications with records: those of S3 stores, and of Onedata.

use bandog_runtime::input::shape::MaybeText;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    key::KeyForm,
    kind,
    notice::{EventSource, Notice, NoticeKind, for_environment},
};
use crate::object::ObjectPath;

/// Records of one event, at most. Stores send one, or a few; an event with more is an ordinary body.
const MAX_RECORDS: usize = 1000;

/// The stores that send records of S3's shape.
const DIALECTS: [Dialect; 6] = [
    Dialect { source: EventSource::Aws, key: KeyForm::Encoded, has_path: false },
    Dialect { source: EventSource::Minio, key: KeyForm::Encoded, has_path: true },
    Dialect { source: EventSource::RustFs, key: KeyForm::Encoded, has_path: true },
    Dialect { source: EventSource::StorageGrid, key: KeyForm::Encoded, has_path: false },
    Dialect { source: EventSource::Ceph, key: KeyForm::Verbatim, has_path: false },
    Dialect { source: EventSource::Local, key: KeyForm::Verbatim, has_path: false },
];

/// The way in which a store writes records.
#[derive(Debug)]
struct Dialect {
    /// The store. Its name is the `eventSource`.
    source: EventSource,
    /// The form of the key in a record.
    key: KeyForm,
    /// Whether a notification also has the member `Key`: the bucket, `/`, and the key without encoding.
    has_path: bool,
}

#[derive(Deserialize)]
struct Notification<'a> {
    #[serde(borrow, rename = "Records")]
    records: Vec<&'a RawValue>,
    #[serde(borrow, default, rename = "Key")]
    path: MaybeText<'a>,
    #[serde(borrow, default, rename = "EventName")]
    name: MaybeText<'a>,
}

#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow, default, rename = "eventSource")]
    source: MaybeText<'a>,
    #[serde(borrow, default, rename = "eventTime")]
    time: MaybeText<'a>,
    #[serde(borrow, default, rename = "eventName")]
    name: MaybeText<'a>,
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
    #[serde(borrow, default)]
    size: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "eTag")]
    etag: MaybeText<'a>,
    #[serde(borrow, default, rename = "versionId")]
    version: MaybeText<'a>,
    #[serde(borrow, default)]
    sequencer: MaybeText<'a>,
    #[serde(borrow, default, rename = "contentType")]
    content_type: MaybeText<'a>,
}

/// The notices of a notification with records. The first must have the exact shape; a later one that has not is ignored.
pub(super) fn notices(json: &str) -> Option<Vec<Notice>> {
    let notification: Notification<'_> = serde_json::from_str(json).ok()?;
    let records = &notification.records;
    if records.len() > MAX_RECORDS {
        return None;
    }
    // The members beside the records are about the first.
    let mut first = notice(records.first()?, &notification.path, &notification.name)?;
    first.event = if records.len() > 1 { alone(records[0]) } else { for_environment(json.to_owned()) };
    let source = first.source;
    let mut notices = vec![first];
    for record in &records[1..] {
        let none = MaybeText::default();
        let notice = notice(record, &none, &none).unwrap_or_else(|| {
            let kind = NoticeKind::Ignored("the record is none about an object".to_owned());
            Notice::new(source, "", ObjectPath::new("", ""), kind)
        });
        notices.push(Notice { event: alone(record), ..notice });
    }
    join_uploads(&mut notices);
    Some(notices)
}

/// The event with this record alone.
fn alone(record: &RawValue) -> Option<String> {
    for_environment(format!("{{\"Records\":[{}]}}", record.get()))
}

/// Ignores the second of two notices of one upload: some stores send one for the parts and one for the whole.
fn join_uploads(notices: &mut [Notice]) {
    for later in 1..notices.len() {
        let (earlier, rest) = notices.split_at_mut(later);
        let this = &mut rest[0];
        if this.kind != NoticeKind::Created || this.etag.is_none() || this.time.is_none() {
            continue;
        }
        let is_same = |that: &&mut Notice| {
            that.kind == NoticeKind::Created
                && (&that.object, &that.etag, &that.time) == (&this.object, &this.etag, &this.time)
        };
        if earlier.iter_mut().any(|that| is_same(&that)) {
            this.kind = NoticeKind::Ignored("an earlier record is about the same upload".to_owned());
        }
    }
}

fn notice(json: &RawValue, path: &MaybeText<'_>, name: &MaybeText<'_>) -> Option<Notice> {
    let record: Record<'_> = serde_json::from_str(json.get()).ok()?;
    let source = record.source.text()?;
    let notice = match DIALECTS.iter().find(|known| known.source.as_str() == source) {
        Some(dialect) => dialect.notice(&record, path.text(), name.text())?,
        None if source == EventSource::Onedata.as_str() => onedata(&record, path.text())?,
        None => return None,
    };
    // No environment variable can have a zero in it.
    let time = record.time.text().filter(|time| !time.contains('\0')).map(str::to_owned);
    Some(Notice { time, ..notice }.checked())
}

impl Dialect {
    /// The notice of a record. `None` if the notification names two different objects, which no store does.
    fn notice(&self, record: &Record<'_>, path: Option<&str>, name: Option<&str>) -> Option<Notice> {
        let S3Entity { bucket, object } = record.s3.as_ref()?;
        let (bucket, sent_key) = (bucket.name.text().filter(|bucket| !bucket.is_empty())?, object.key.text()?);
        let key = self.key.decode(sent_key);
        let agrees = |path: &str| path.strip_prefix(bucket).and_then(|rest| rest.strip_prefix('/')) == Some(&key);
        if path.is_some_and(|path| self.has_path && !agrees(path)) {
            return None;
        }
        let size = object.size.and_then(|size| size.get().parse().ok());
        let mut kind = kind::of_name(record.name.text().or(name));
        if kind == NoticeKind::Created && kind::is_folder(&key, size, object.content_type.text()) {
            kind = kind::folder();
        }
        let text = |member: &MaybeText<'_>| member.text().filter(|text| !text.is_empty()).map(str::to_owned);
        let etag = object.etag.text().map(|etag| etag.trim_matches('"')).filter(|etag| !etag.is_empty());
        Some(Notice {
            sent_key: sent_key.to_owned(),
            size,
            etag: etag.map(str::to_owned),
            version: text(&object.version),
            sequencer: text(&object.sequencer),
            ..Notice::new(self.source, "", ObjectPath::new(bucket, key), kind)
        })
    }
}

/// The notice of Onedata, which names the object by its path beside the records: the first segment is the space. It sends
/// one for a folder too.
fn onedata(record: &Record<'_>, path: Option<&str>) -> Option<Notice> {
    record.object_key.text().and(record.time.text())?;
    let object = ObjectPath::parse(path.filter(|path| path.starts_with('/'))?);
    let kind = if object.key.ends_with('/') { kind::folder() } else { NoticeKind::Created };
    Some(Notice::new(EventSource::Onedata, "", object, kind))
}
