//! The place of an object in a store.

use std::fmt;

/// Bytes of a file name, at most (`NAME_MAX` of limits.h(0p) on Linux).
const NAME_LIMIT: usize = 255;

/// The place of an object: a bucket, and the key within it, byte for byte as the store knows them. A store without
/// buckets has its first directory in that place: the space of Onedata, the scope of Rucio.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectPath {
    /// The bucket.
    pub bucket: String,
    /// The key. It may begin with a slash, or have several in a row.
    pub key: String,
}

impl ObjectPath {
    /// The object `key` of `bucket`.
    pub fn new(bucket: impl Into<String>, key: impl Into<String>) -> Self {
        Self { bucket: bucket.into(), key: key.into() }
    }

    /// Splits `BUCKET/KEY` at the first slash. A leading slash is ignored.
    #[must_use]
    pub fn parse(path: &str) -> Self {
        let path = path.strip_prefix('/').unwrap_or(path);
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        Self::new(bucket, key)
    }

    /// The name of the file that the object is fetched into: the last segment of its key. `None` where that cannot be a
    /// file name: it is empty, `.` or `..`, contains NUL, or is too long.
    #[must_use]
    pub fn file_name(&self) -> Option<&str> {
        let name = self.key.rsplit('/').next().unwrap_or_default();
        let is_name = !matches!(name, "" | "." | "..") && !name.contains('\0') && name.len() <= NAME_LIMIT;
        is_name.then_some(name)
    }
}

impl fmt::Display for ObjectPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.bucket, self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_split_at_its_first_slash_and_the_rest_stays() {
        for (path, bucket, key) in [
            ("in/a.png", "in", "a.png"),
            ("/in/a.png", "in", "a.png"),
            ("in//a//b", "in", "/a//b"),
            ("in", "in", ""),
            ("in/", "in", ""),
            ("", "", ""),
        ] {
            assert_eq!(ObjectPath::parse(path), ObjectPath::new(bucket, key), "{path}");
        }
    }

    #[test]
    fn the_file_name_is_the_last_segment_if_that_can_be_one() {
        let long = "x".repeat(255);
        for name in ["a.png", "a b+%20?#&=.png", "-rf", "\n", "..a", long.as_str()] {
            for folder in ["", "folder/", "/", "../../"] {
                assert_eq!(ObjectPath::new("b", format!("{folder}{name}")).file_name(), Some(name));
            }
        }
        for key in ["", "folder/", ".", "..", "a/..", "a\0b", &"x".repeat(256)] {
            assert_eq!(ObjectPath::new("b", key).file_name(), None, "{key:?}");
        }
    }
}
