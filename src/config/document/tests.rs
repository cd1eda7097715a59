//! Tests of configuration files.

use super::*;

fn parse(bytes: &[u8]) -> Result<Document, DocumentError> {
    Document::parse(bytes, None).map(|read| read.document)
}

fn document(name: &str, log_level: Option<&str>) -> Document {
    Document { name: Some(name.to_owned()), log_level: log_level.map(str::to_owned), ..Document::default() }
}

#[test]
fn other_keys_anchors_and_merge_keys_are_understood() {
    let text = "storage_providers:\n  minio:\n    default: &base\n      name: ignored\n      log_level: DEBUG\n\
                input: []\n<<: *base\nname: ocr\n";
    let found = parse(text.as_bytes()).expect("a document");
    #[cfg(feature = "storage")]
    assert_eq!(found.storage.providers.as_ref().map(Vec::len), Some(1));
    assert_eq!(Document { storage: StorageKeys::default(), ..found }, document("ocr", Some("DEBUG")));
    let anchored = "x: &level WARNING\nname: &n ocr\nlog_level: *level\nalias: *n\n";
    assert_eq!(parse(anchored.as_bytes()), Ok(document("ocr", Some("WARNING"))));
}

#[test]
fn an_empty_file_and_null_values_set_nothing() {
    for text in ["", "---\n", "# nothing\n", "name:\nlog_level: ~\n", "{}", "null"] {
        assert_eq!(parse(text.as_bytes()), Ok(Document::default()), "{text:?}");
    }
}

#[test]
fn a_numeric_name_is_its_text() {
    assert_eq!(parse(b"name: 123\n"), Ok(document("123", None)));
}

#[test]
fn file_stage_in_is_true_or_false_and_an_output_is_a_list_of_mappings() {
    for (text, file_stage_in, outputs) in [
        ("file_stage_in: true\n", true, 0),
        ("file_stage_in: True\noutput: []\n", true, 0),
        ("file_stage_in: false\noutput:\n", false, 0),
        ("file_stage_in:\noutput:\n- storage_provider: minio.default\n  path: out\n", false, 1),
    ] {
        let found = parse(text.as_bytes()).expect(text);
        assert_eq!(found.file_stage_in, file_stage_in, "{text:?}");
        #[cfg(feature = "storage")]
        assert_eq!((found.storage.outputs.len(), found.storage.mistakes.len()), (outputs, 0), "{text:?}");
        #[cfg(not(feature = "storage"))]
        let _ = outputs;
    }
    let found = parse(b"output: none\n").expect("a document");
    assert!(!found.file_stage_in);
    #[cfg(feature = "storage")]
    assert_eq!(found.storage.mistakes, ["line 1, column 9: expected a list for output"]);
    for text in ["file_stage_in: yes\n", "file_stage_in: 1\n", "file_stage_in: [true]\n"] {
        assert!(matches!(parse(text.as_bytes()), Err(DocumentError::Yaml { line: 1, .. })), "{text:?}");
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
        let error = parse(text.as_bytes()).expect_err(text);
        assert!(matches!(error, DocumentError::Yaml { line: found, .. } if found == line), "{text:?}: {error:?}");
        assert!(!error.to_string().contains("s3cr3t"));
    }
    assert_eq!(parse(b"name: \xff\n"), Err(DocumentError::Encoding(6)));
    assert_eq!(parse(&vec![b' '; 1024 * 1024 + 1]), Err(DocumentError::TooLarge));
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
        let found = parse(text.as_bytes());
        match (&found, &reference) {
            (Ok(found), Ok(reference)) => {
                // The reference knows nothing of storage.
                let found = Document { storage: StorageKeys::default(), ..found.clone() };
                assert_eq!(found, *reference, "{text:?}");
            }
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
    assert!(matches!(parse(text.as_bytes()), Err(DocumentError::Yaml { .. })));

    // A chain is as deep as it is long.
    let mut text = "a0: &a0 x\n".to_owned();
    for number in 1..100_000 {
        let _ = writeln!(text, "a{number}: &a{number} [*a{}]", number - 1);
    }
    text.truncate(text[..1024 * 1024].rfind('\n').expect("lines are shorter") + 1);
    assert!(matches!(parse(text.as_bytes()), Err(DocumentError::Yaml { .. })));
    let nested = "[".repeat(1024 * 1024);
    assert!(matches!(parse(nested.as_bytes()), Err(DocumentError::Yaml { .. })));
}

const FDL: &str = "functions:
  oscar:
  - cluster:
      name: grey
      image: ghcr.io/x/imagemagick
      memory: 1Gi
      script: script.sh
      log_level: DEBUG
      environment: {Variables: {MODE: fast, EMPTY: , NUMBER: 1.10}, Secrets: {KEY: s3cr3t}}
      scrpt: x
      input: [{storage_provider: minio.default, path: in}]
  - other: {name: ocr, script: \"#!/bin/sh\\necho hi\\n\"}
  aws: []
clusters: {cluster: {endpoint: x}}
storage_providers: {minio: {default: {secret_key: s3cr3t}}}
";

#[test]
fn a_function_of_an_fdl_file_is_read_by_its_name() {
    let ReadDocument { document, warnings } = Document::parse(FDL.as_bytes(), Some("grey")).expect("FDL");
    assert_eq!((document.name.as_deref(), document.log_level.as_deref()), (Some("grey"), Some("DEBUG")));
    assert_eq!(document.script.as_deref(), Some("script.sh"));
    let variables = [("MODE", "fast"), ("EMPTY", ""), ("NUMBER", "1.10"), ("KEY", "s3cr3t")];
    assert_eq!(document.variables, variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(
        warnings,
        [
            "unknown key \"scrpt\", ignored; did you mean script?",
            "bandog does not use image, memory, clusters, functions.aws; OSCAR does",
        ]
    );
    let other = Document::parse(FDL.as_bytes(), Some("ocr")).expect("FDL").document;
    assert_eq!(other.script.as_deref(), Some("#!/bin/sh\necho hi\n"));
}

#[test]
fn an_fdl_file_without_one_function_is_a_mistake_that_says_how_to_choose() {
    for service in [None, Some("else")] {
        let error = Document::parse(FDL.as_bytes(), service).expect_err("several");
        let wanted = "one function, but there are several (grey, ocr); choose one with --service NAME";
        assert_eq!(error.to_string(), wanted);
    }
    for text in ["functions:\n", "functions: {}\n", "functions: {oscar: []}\n", "functions: {oscar: [~]}\n"] {
        assert_eq!(parse(text.as_bytes()), Err(DocumentError::NoFunction), "{text}");
    }
    for text in ["functions: [x]", "functions: {oscar: x}", "functions: {oscar: [{c: x}]}"] {
        assert!(matches!(parse(text.as_bytes()), Err(DocumentError::Yaml { .. })), "{text}");
    }
    let twice = "functions: {oscar: [{a: {name: x, script: s}}, {b: {name: x, script: s}}]}";
    assert_eq!(parse(twice.as_bytes()).expect("one").name.as_deref(), Some("x"));
    let mapping = "functions: {oscar: {a: {name: x}}}";
    assert_eq!(parse(mapping.as_bytes()).expect("one").name.as_deref(), Some("x"));
}

#[test]
fn an_unknown_key_is_a_warning_without_its_value() {
    let text = "naem: s3cr3t\nlog-level: DEBUG\nimage: x\nwhatever: 1\nx-mine: 1\nFunctions: {}\n";
    assert_eq!(
        Document::parse(text.as_bytes(), None).expect("YAML").warnings,
        [
            "unknown key \"naem\", ignored; did you mean name?",
            "unknown key \"log-level\", ignored; did you mean log_level?",
            "unknown key \"whatever\", ignored",
            "unknown key \"Functions\", ignored; did you mean functions?",
        ]
    );
}
