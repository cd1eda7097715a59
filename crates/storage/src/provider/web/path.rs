//! The keys of stores that keep files: paths whose segments are names.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    error::{Error, ErrorKind},
    object::ObjectPath,
};

/// The bytes that are escaped: all but the unreserved ones (RFC 3986 §2.3), which no server reads in another way.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Bytes of the name of a part that come from the name of its file, at most: with the rest it stays below the 255 of a
/// file name.
const PART_NAME: usize = 180;

/// The words in the name of a part before its id.
const MARK: &str = ".bandog-";

/// The end of the name of a part.
const PART: &str = ".part";

/// The path of a file in a store, without a slash at its ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FilePath {
    path: String,
}

impl FilePath {
    /// The path of an object: its bucket, and its key below it.
    ///
    /// # Errors
    /// [`ErrorKind::Rejected`]: a file cannot have this name.
    pub(crate) fn of(object: &ObjectPath) -> Result<Self, Error> {
        let path = if object.bucket.is_empty() { object.key.clone() } else { object.to_string() };
        let is_kept = |segment: &str| !matches!(segment, "" | "." | "..") && !segment.contains('\0');
        if path.split('/').all(is_kept) {
            return Ok(Self { path });
        }
        let detail = format!(
            "{path:?}: a store of files cannot keep this key: a part of it is empty, '.' or '..', or contains NUL"
        );
        Err(Error::new(ErrorKind::Rejected, detail))
    }

    /// The name of the file.
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// The folder of the file; empty if it is the topmost one.
    pub(crate) fn folder(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(folder, _)| folder)
    }

    /// The folders that lead to the file, from the topmost one.
    pub(crate) fn folders(&self) -> impl Iterator<Item = &str> {
        self.path.match_indices('/').map(|(at, _)| &self.path[..at])
    }

    /// Another file of the same folder, which holds the content until it is whole.
    pub(crate) fn part(&self) -> Self {
        let mut length = self.name().len().min(PART_NAME);
        while !self.name().is_char_boundary(length) {
            length -= 1;
        }
        let id = bandog_process::ids::random().simple().to_string();
        let name = format!(".{}{MARK}{id}{PART}", &self.name()[..length]);
        let slash = if self.folder().is_empty() { "" } else { "/" };
        Self { path: format!("{}{slash}{name}", self.folder()) }
    }

    /// Whether the path contains one of these signs.
    pub(crate) fn has_any(&self, signs: &[char]) -> bool {
        self.path.contains(signs)
    }

    /// Whether the path is not the same in a URL.
    pub(crate) fn is_escaped(&self) -> bool {
        self.encoded().contains('%')
    }

    /// The name that belongs to this part alone for the file that it takes the place of.
    pub(crate) fn aside(&self) -> Self {
        Self { path: format!("{}.old{PART}", self.path.trim_end_matches(PART)) }
    }

    /// The path of a part, from a record of one.
    ///
    /// # Errors
    /// [`ErrorKind::Rejected`]: it is the name of no part.
    pub(crate) fn of_part(path: &str) -> Result<Self, Error> {
        let part = Self::of(&ObjectPath::new("", path))?;
        if part.name().starts_with('.') && part.name().contains(MARK) && part.name().ends_with(PART) {
            return Ok(part);
        }
        Err(Error::new(ErrorKind::Rejected, format!("{path:?} is no part of an upload")))
    }

    /// Two names that belong to `part` alone, in the deepest folder of this file without any of these signs: one, and the
    /// same with all of them behind it.
    pub(crate) fn trial(&self, part: &Self, signs: &[char]) -> (Self, Self) {
        let folder = self.folders().take_while(|folder| !folder.contains(signs)).last().unwrap_or_default();
        let slash = if folder.is_empty() { "" } else { "/" };
        let id = part.path.rsplit_once(MARK).map_or("", |(_, id)| id.trim_end_matches(PART));
        let name = format!("{folder}{slash}{MARK}{id}");
        let signs: String = signs.iter().collect();
        (Self { path: name.clone() }, Self { path: format!("{name}{signs}{PART}") })
    }

    /// The path in a URL, with its first slash.
    pub(crate) fn encoded(&self) -> String {
        encoded(&self.path)
    }
}

impl std::fmt::Display for FilePath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.path)
    }
}

/// A path in a URL, escaped segment by segment, with its first slash.
pub(crate) fn encoded(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len() + 8);
    for segment in path.split('/') {
        encoded.push('/');
        encoded.extend(utf8_percent_encode(segment, ESCAPED));
    }
    encoded
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;

    use super::*;

    fn path(bucket: &str, key: &str) -> Result<FilePath, Error> {
        FilePath::of(&ObjectPath::new(bucket, key))
    }

    #[test]
    fn a_key_that_no_file_can_have_is_refused_with_the_reason() {
        for key in ["", "a//b", "/a", "a/", ".", "a/..", "../a", "a/./b", "a\0b"] {
            let error = path("b", key).expect_err(key);
            assert_eq!(error.kind, ErrorKind::Rejected, "{key:?}");
            assert!(error.detail.contains("cannot keep this key"), "{error}");
        }
        assert_eq!(path("", "a").expect("a path").encoded(), "/a");
        assert!(path("..", "a").is_err() && path("", "").is_err());
    }

    #[test]
    fn a_path_is_taken_apart() {
        let file = path("top", "a b/c").expect("a path");
        assert_eq!((file.folder(), file.name()), ("top/a b", "c"));
        assert_eq!(file.folders().collect::<Vec<_>>(), ["top", "top/a b"]);
        assert_eq!(file.encoded(), "/top/a%20b/c");
        assert_eq!(path("", "c").expect("a path").folders().count(), 0);
    }

    #[test]
    fn a_part_lies_beside_its_file_and_has_a_name_of_its_own() {
        for (bucket, key) in [("b", "x.txt"), ("", "x.txt"), ("b", "f/x.txt")] {
            let file = path(bucket, key).expect("a path");
            let (one, other) = (file.part(), file.part());
            assert_eq!(one.folder(), file.folder());
            assert!(one.name().starts_with(".x.txt.bandog-") && one.name().ends_with(PART), "{one}");
            assert_ne!(one, other);
        }
        let file = path("b?", "f/x;y").expect("a path");
        let part = file.part();
        assert_eq!(FilePath::of_part(&part.to_string()).expect("a part"), part);
        for other in ["x", "f/.x.part", ".x.bandog-1", "../.x.bandog-1.part", ""] {
            assert!(FilePath::of_part(other).is_err(), "{other:?}");
        }
        let (misread, read) = file.trial(&part, &['?', ';']);
        assert_eq!(read.to_string(), format!("{misread}?;.part"));
        assert!(misread.folder().is_empty() && part.to_string().contains(misread.name()), "{misread} of {part}");
        let long = path("b", &"\u{fc}".repeat(127)).expect("a path");
        assert!(long.part().name().len() <= 255 && long.part().name().contains('\u{fc}'));
    }

    proptest! {
        /// Every key that a file can have arrives as it is, whatever else a server takes for a separator.
        #[test]
        fn a_key_is_the_same_after_a_server_has_decoded_it(key in "[^\0]{1,24}(/[^\0]{1,12}){0,3}") {
            if let Ok(file) = path("b", &key) {
                let encoded = file.encoded();
                prop_assert!(encoded.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-._~%".contains(&byte)));
                let decoded: Vec<String> = encoded[1..]
                    .split('/')
                    .map(|segment| percent_decode_str(segment).decode_utf8().expect("UTF-8").into_owned())
                    .collect();
                prop_assert_eq!(decoded.join("/"), format!("b/{key}"));
                prop_assert!(encoded.parse::<http::Uri>().is_ok());
            }
        }
    }
}
