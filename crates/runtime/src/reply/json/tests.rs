use base64::{Engine as _, prelude::BASE64_STANDARD};
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::{
    output::testing::{MemorySink, noise},
    reply::tests::{files, run},
};

fn document(report: &Report, output: &Output, call_id: &str) -> (Value, String) {
    let mut sink = MemorySink::default();
    let document = JsonDocument::new(report, output, call_id);
    let mut writer = ChunkWriter::new(&mut sink, document.expected_len());
    document.write(&mut writer).expect("written");
    writer.finish().expect("sent");
    let text = sink.text();
    (serde_json::from_str(&text).expect("JSON"), text)
}

#[test]
fn it_is_the_documented_shape_in_one_line() {
    let (_dir, output) = files(&[("a.png", b"abc")]);
    let (_, text) = document(&run(Some(Exit::Code(0)), "line\n\"quoted\"\n"), &output, "id");
    assert_eq!(
        text,
        "{\"files\":[{\"name\":\"a.png\",\"type\":\"image/png\",\"size\":3,\"data\":\"YWJj\"}],\
         \"logs\":\"line\\n\\\"quoted\\\"\\n\",\"exit_code\":0,\"duration_seconds\":1.234567,\"call_id\":\"id\"}"
    );
    let (_, text) = document(&run(Some(Exit::Code(0)), ""), &Output::None, "id");
    assert!(text.starts_with("{\"files\":[],\"logs\":\"\",") && !text.contains('\n'));
}

#[test]
fn files_of_every_size_and_name_come_back() {
    use std::os::unix::ffi::OsStrExt as _;
    let dir = tempfile::tempdir().expect("tempdir");
    let sizes = [0, 1, 2, 3, 98_303, 98_304, 98_305, 400_000];
    for size in sizes {
        crate::output::testing::write(dir.path(), format!("sub/{size:06}"), noise(size));
    }
    crate::output::testing::write(dir.path(), std::ffi::OsStr::from_bytes(b"\"\n\xFF"), "x");
    let output = crate::output::testing::output_of(dir.path());
    let (value, _) = document(&run(Some(Exit::Code(0)), ""), &output, "id");
    let files = value["files"].as_array().expect("list");
    assert_eq!(files[0]["name"], "\"\n\u{FFFD}");
    for (file, size) in files[1..].iter().zip(sizes) {
        assert_eq!((&file["name"], &file["size"]), (&format!("sub/{size:06}").into(), &size.into()));
        let data = BASE64_STANDARD.decode(file["data"].as_str().expect("text")).expect("base64");
        assert!(data == noise(size), "{size} bytes");
    }
}

#[test]
fn logs_larger_than_every_buffer_come_back() {
    let text = "\u{e9}\u{1F600}\u{0}\u{7f}\r\n".repeat(40_000);
    let (value, _) = document(&run(Some(Exit::Code(0)), &text), &Output::None, "id");
    assert!(value["logs"] == text);
}

proptest! {
    #[test]
    fn any_logs_are_a_valid_string(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let (value, _) = document(&run(Some(Exit::Code(0)), &bytes), &Output::None, "id");
        prop_assert_eq!(value["logs"].as_str(), Some(&*String::from_utf8_lossy(&bytes)));
    }

    #[test]
    fn escaping_is_undone_by_a_parser(text: String) {
        let mut escaped = b"\"".to_vec();
        escape(&text, &mut escaped);
        escaped.push(b'"');
        prop_assert_eq!(serde_json::from_slice::<String>(&escaped).ok(), Some(text));
    }
}
