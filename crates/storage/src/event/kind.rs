//! The consequence of a record of an S3 store: the name of its event, and the folders that are no objects.

use super::notice::{NoticeKind, shown};

/// The types of content that mark a folder.
const FOLDER_TYPES: [&str; 2] = ["application/x-directory", "httpd/unix-directory"];

/// The consequence of an event of this name. Names come with `s3:` before them and without. An event without a name is about
/// a new object: some programs that pass events on leave it away.
pub(super) fn of_name(name: Option<&str>) -> NoticeKind {
    let Some(name) = name else { return NoticeKind::Created };
    let (group, detail) = split(name);
    let reason = match (group, detail) {
        // MinIO and RustFS send these to subscribers of `ObjectCreated:*`.
        ("ObjectCreated", "PutTagging" | "DeleteTagging") | ("ObjectTagging", _) => {
            "only the tags of the object changed"
        }
        ("ObjectCreated", "PutRetention") => "only the retention of the object changed",
        ("ObjectCreated", "PutLegalHold") => "only the legal hold of the object changed",
        ("ObjectCreated", "PutAcl") | ("ObjectAcl", _) => "only the access control of the object changed",
        // Ceph sends the second when an object has arrived from another zone.
        ("ObjectCreated", _) | ("ObjectSynced", "Create") => return NoticeKind::Created,
        ("ObjectRemoved" | "LifecycleExpiration", _) => "the object was removed",
        ("ObjectLifecycle", detail) if detail.starts_with("Expiration") => "the object was removed",
        ("TestEvent", _) => "this is a test event",
        _ => "it tells of no new object",
    };
    NoticeKind::Ignored(format!("{reason} ({})", shown(name)))
}

/// The two parts of a name, without `s3:`: `ObjectCreated` and `Put`.
fn split(name: &str) -> (&str, &str) {
    let name = name.strip_prefix("s3:").unwrap_or(name);
    name.split_once(':').unwrap_or((name, ""))
}

/// Whether the object stands for a folder: it is empty, and its key ends with a slash or its type says so.
pub(super) fn is_folder(key: &str, size: Option<u64>, content_type: Option<&str>) -> bool {
    let is_typed = content_type.is_some_and(|given| FOLDER_TYPES.contains(&given));
    (key.ends_with('/') && size == Some(0)) || (is_typed && size.unwrap_or(0) == 0)
}

/// The reason why a folder is no input.
pub(super) fn folder() -> NoticeKind {
    NoticeKind::Ignored("it marks a folder, and is no object of its own".to_owned())
}
