//! The configuration file: OSCAR's `function_config.yaml`, of which only a few keys are used here.
//!
//! The file also holds passwords and keys of storage providers, so no message of this module quotes it.

use serde::Deserialize;

/// Bytes of a configuration file. One that is larger is some other file, and is refused unread.
pub const MAX_BYTES: u64 = 1024 * 1024;

/// The keys that are used; all others may be there.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
pub struct Document {
    /// `name`: the service.
    #[serde(default)]
    pub name: Option<String>,
    /// `log_level`.
    #[serde(default)]
    pub log_level: Option<String>,
}

/// Why a configuration file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// More than [`MAX_BYTES`].
    #[error("a file of at most 1 MiB")]
    TooLarge,
    /// Bytes that are not UTF-8.
    #[error("YAML in UTF-8; byte {0} is not")]
    Encoding(usize),
    /// Not YAML, or not of the expected form.
    #[error("YAML with text for the keys name and log_level; see line {line}, column {column}")]
    Yaml {
        /// Where, from 1.
        line: u64,
        /// Where, from 1.
        column: u64,
    },
}

impl Document {
    /// Reads the text of a configuration file. An empty one has no keys.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() as u64 > MAX_BYTES {
            return Err(Error::TooLarge);
        }
        let text = str::from_utf8(bytes).map_err(|error| Error::Encoding(error.valid_up_to()))?;
        // Snippets would quote the file.
        let options = serde_saphyr::options! { with_snippet: false };
        let document: Option<Self> = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
            let location = error.location();
            Error::Yaml {
                line: location.map_or(1, |location| location.line()),
                column: location.map_or(1, |location| location.column()),
            }
        })?;
        Ok(document.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(name: &str, log_level: Option<&str>) -> Document {
        Document { name: Some(name.to_owned()), log_level: log_level.map(str::to_owned) }
    }

    #[test]
    fn other_keys_anchors_and_merge_keys_are_understood() {
        let text = "storage_providers:\n  minio:\n    default: &base\n      name: ignored\n      log_level: DEBUG\n\
                    input: []\n<<: *base\nname: ocr\n";
        assert_eq!(Document::parse(text.as_bytes()), Ok(document("ocr", Some("DEBUG"))));
        let anchored = "x: &level WARNING\nname: &n ocr\nlog_level: *level\nalias: *n\n";
        assert_eq!(Document::parse(anchored.as_bytes()), Ok(document("ocr", Some("WARNING"))));
    }

    #[test]
    fn an_empty_file_and_null_values_set_nothing() {
        for text in ["", "---\n", "# nothing\n", "name:\nlog_level: ~\n", "{}", "null"] {
            assert_eq!(Document::parse(text.as_bytes()), Ok(Document::default()), "{text:?}");
        }
    }

    #[test]
    fn a_numeric_name_is_its_text() {
        assert_eq!(Document::parse(b"name: 123\n"), Ok(document("123", None)));
    }

    #[test]
    fn a_mistake_names_the_line_and_never_quotes_the_file() {
        for (text, line) in [
            ("name: ocr\nsecret: *s3cr3t\n", 2),
            ("name: ocr\nkey: [s3cr3t\n", 2),
            ("a: 1\nname: [s3cr3t]\n", 2),
            ("name: {s3cr3t: 1}\n", 1),
            ("- s3cr3t\n", 1),
            ("s3cr3t", 1),
            ("a: s3cr3t\n\tb: 1\n", 1),
        ] {
            let error = Document::parse(text.as_bytes()).expect_err(text);
            assert!(matches!(error, Error::Yaml { line: found, .. } if found == line), "{text:?}: {error:?}");
            assert!(!error.to_string().contains("s3cr3t"));
        }
        assert_eq!(Document::parse(b"name: \xff\n"), Err(Error::Encoding(6)));
        assert_eq!(Document::parse(&vec![b' '; 1024 * 1024 + 1]), Err(Error::TooLarge));
    }

    #[test]
    fn a_bomb_of_anchors_ends_in_an_error_not_in_memory() {
        use std::fmt::Write as _;
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for number in 1..12 {
            let before = vec![format!("*a{}", number - 1); 10].join(", ");
            let _ = writeln!(text, "a{number}: &a{number} [{before}]");
        }
        assert!(matches!(Document::parse(text.as_bytes()), Err(Error::Yaml { .. })));
    }
}
