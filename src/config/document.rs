//! The content of the configuration file, OSCAR's `function_config.yaml`, of which a few keys are used.
//!
//! The file also contains passwords and keys of storage providers, so no message quotes it.

use bandog_codec::yaml::{LineColumn, Node, YamlError};

/// Bytes of a configuration file. A larger one is another file, and is refused.
pub const MAX_BYTES: u64 = 1024 * 1024;

/// The keys that are used. Other keys are ignored.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Document {
    /// `name`: the name of the service.
    pub name: Option<String>,
    /// `log_level`.
    pub log_level: Option<String>,
    /// `file_stage_in`: the function fetches its input itself.
    pub file_stage_in: bool,
    /// Whether `output` names a place to upload to.
    pub has_output: bool,
}

/// Why a configuration file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// More than [`MAX_BYTES`].
    #[error("a file of at most 1 MiB")]
    TooLarge,
    /// Bytes that are not UTF-8.
    #[error("YAML in UTF-8; byte {0} is not")]
    Encoding(usize),
    /// Not YAML, or not of the expected form.
    #[error(
        "YAML with text for the keys name and log_level, and true or false for file_stage_in; see line {line}, column \
         {column}"
    )]
    Yaml {
        /// The line, from 1.
        line: u64,
        /// The column, from 1.
        column: u64,
    },
}

impl From<LineColumn> for DocumentError {
    fn from(LineColumn { line, column }: LineColumn) -> Self {
        Self::Yaml { line, column }
    }
}

impl Document {
    /// Parses a configuration file. An empty one has no keys.
    ///
    /// # Errors
    /// It is too large, or not YAML of the expected form.
    pub fn parse(bytes: &[u8]) -> Result<Self, DocumentError> {
        if bytes.len() as u64 > MAX_BYTES {
            return Err(DocumentError::TooLarge);
        }
        let text = str::from_utf8(bytes).map_err(|error| DocumentError::Encoding(error.valid_up_to()))?;
        Ok(Self::read(text)?)
    }

    fn read(text: &str) -> Result<Self, LineColumn> {
        let root = Node::parse(text).map_err(YamlError::position)?;
        let text = |key| -> Result<_, LineColumn> {
            Ok(root.get(key)?.map(Node::text).transpose()?.flatten().map(str::to_owned))
        };
        Ok(Self {
            name: text("name")?,
            log_level: text("log_level")?,
            file_stage_in: root.get("file_stage_in")?.map(Node::boolean).transpose()?.unwrap_or_default(),
            has_output: root.get("output")?.is_some_and(Node::is_filled_list),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(name: &str, log_level: Option<&str>) -> Document {
        Document { name: Some(name.to_owned()), log_level: log_level.map(str::to_owned), ..Document::default() }
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
    fn file_stage_in_is_true_or_false_and_an_output_is_a_list_with_something_in_it() {
        for (text, file_stage_in, has_output) in [
            ("file_stage_in: true\n", true, false),
            ("file_stage_in: True\noutput: []\n", true, false),
            ("file_stage_in: false\noutput:\n", false, false),
            ("file_stage_in:\noutput:\n- storage_provider: minio.default\n  path: out\n", false, true),
            ("output: none\n", false, false),
        ] {
            let found = Document::parse(text.as_bytes());
            assert_eq!(found, Ok(Document { file_stage_in, has_output, ..Document::default() }), "{text:?}");
        }
        for text in ["file_stage_in: yes\n", "file_stage_in: 1\n", "file_stage_in: [true]\n"] {
            assert!(matches!(Document::parse(text.as_bytes()), Err(DocumentError::Yaml { line: 1, .. })), "{text:?}");
        }
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
            assert!(matches!(error, DocumentError::Yaml { line: found, .. } if found == line), "{text:?}: {error:?}");
            assert!(!error.to_string().contains("s3cr3t"));
        }
        assert_eq!(Document::parse(b"name: \xff\n"), Err(DocumentError::Encoding(6)));
        assert_eq!(Document::parse(&vec![b' '; 1024 * 1024 + 1]), Err(DocumentError::TooLarge));
    }

    /// A crate that fills types from YAML, with far more code than this needs.
    #[test]
    fn what_is_read_is_what_serde_saphyr_reads() {
        #[derive(serde::Deserialize)]
        struct Reference {
            #[serde(default)]
            name: Option<String>,
            #[serde(default)]
            log_level: Option<String>,
        }
        let deep = format!("name: a\nx: {}{}\n", "[".repeat(40), "]".repeat(40));
        let too_deep = format!("name: a\nx: {}{}\n", "[".repeat(400), "]".repeat(400));
        for text in [
            "",
            "{}",
            "null",
            "~",
            "--- # nothing\n...\n",
            "%YAML 1.2\n---\nname: ocr\n",
            "name: ocr\n---\nname: other\n",
            "\u{feff}name: ocr\n",
            "name: 010\nlog_level: 1.50\n",
            "name: true\nlog_level: 2026-11-20\n",
            "name: 'null'\nlog_level: \"~\"\n",
            "name: Null\nlog_level: NULL\n",
            "name: !!str null\nlog_level: !!str 12\n",
            "name: \"a\\u00e9\\tb\"\nlog_level: 'it''s'\n",
            "name: |\n  two\n  lines\nlog_level: >-\n  folded\n  text\n",
            "name: several words # and a comment\n",
            "{name: ocr, log_level: INFO, input: [{path: /x}]}",
            "{\"name\": \"ocr\", \"log_level\": \"INFO\"}",
            "name: ocr\r\nlog_level: INFO\r\n",
            "\"name\": ocr\n? log_level\n: INFO\n",
            "name: a\nname: b\n",
            "input:\n- storage_provider: minio.default\n  path: in\n  suffix: ['*.png']\nname: ocr\n",
            "a: &a {name: x, log_level: INFO}\nb: &b {name: y}\n<<: [*b, *a]\n",
            "a: &a {name: x}\nb: &b {<<: *a, log_level: INFO}\n<<: *b\n",
            "a: &a {name: x}\n<<: *a\nname: own\n",
            "a: &a {name: x}\nname: own\n<<: *a\n",
            "a: &a x\n<<: *a\n",
            "<<: {name: inline}\n",
            "a: &a {b: *a}\n",
            "a: &a x\nb: &a y\nname: *a\n",
            "name: *nowhere\n",
            "name:\n  nested: 1\n",
            "- name\n",
            "name",
            "name: [\n",
            "name: \"open\n",
            "name: @at\n",
            "\tname: tab\n",
            "name: x\n  y: z\n",
            &deep,
            &too_deep,
        ] {
            let options = serde_saphyr::options! { with_snippet: false };
            let reference = serde_saphyr::from_str_with_options::<Option<Reference>>(text, options).map(|found| {
                found.map_or_else(Document::default, |Reference { name, log_level }| Document {
                    name,
                    log_level,
                    ..Document::default()
                })
            });
            let found = Document::parse(text.as_bytes());
            match (&found, &reference) {
                (Ok(found), Ok(reference)) => assert_eq!(found, reference, "{text:?}"),
                (Err(_), Err(_)) => {}
                _ => panic!("{text:?}: {found:?}, {reference:?}"),
            }
        }
    }

    #[test]
    fn a_bomb_of_anchors_ends_in_an_error_not_in_memory() {
        use std::fmt::Write as _;
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for number in 1..12 {
            let before = vec![format!("*a{}", number - 1); 10].join(", ");
            let _ = writeln!(text, "a{number}: &a{number} [{before}]");
        }
        assert!(matches!(Document::parse(text.as_bytes()), Err(DocumentError::Yaml { .. })));

        // A chain is as deep as it is long.
        let mut text = "a0: &a0 x\n".to_owned();
        for number in 1..100_000 {
            let _ = writeln!(text, "a{number}: &a{number} [*a{}]", number - 1);
        }
        text.truncate(text[..1024 * 1024].rfind('\n').expect("lines are shorter") + 1);
        assert!(matches!(Document::parse(text.as_bytes()), Err(DocumentError::Yaml { .. })));
        let nested = "[".repeat(1024 * 1024);
        assert!(matches!(Document::parse(nested.as_bytes()), Err(DocumentError::Yaml { .. })));
    }
}
