//! The decision tables of docs/requests.md, row by row, and what must hold for all of them.

use std::{
    fs,
    io::{self, Write as _},
    os::fd::AsFd as _,
};

use bytes::Bytes;
use flate2::{Compression, GzBuilder, write::GzEncoder};
use proptest::prelude::*;

use super::{
    chunkings::{ChunkedBody, ReceivedInput, check_envelope, received},
    *,
};

fn typed(content_type: &str) -> ContentHeaders {
    ContentHeaders {
        content_type: (!content_type.is_empty()).then(|| content_type.as_bytes().to_vec()),
        ..ContentHeaders::default()
    }
}

/// The same through [`check_envelope`], which tries other pieces too.
fn take(labels: &ContentHeaders, body: &[u8]) -> Result<ReceivedInput, (InputErrorKind, String)> {
    let line = |label: &Option<Vec<u8>>| label.clone().unwrap_or_default();
    let fields = [
        &labels.content_type,
        &labels.content_encoding,
        &labels.content_transfer_encoding,
        &labels.content_disposition,
    ];
    let header = fields.map(|field| [line(field), b"\n".to_vec()].concat()).concat();
    check_envelope(&[&header, body].concat());
    received(labels, body, &[])
}

fn stored(labels: &ContentHeaders, body: &[u8]) -> (InputKind, Vec<u8>) {
    let found = take(labels, body).unwrap_or_else(|error| panic!("{}: {error:?}", body.escape_ascii()));
    assert_eq!(found.files.len(), 1);
    (found.kind, found.files[0].1.clone())
}

fn refused(labels: &ContentHeaders, body: &[u8]) -> (InputErrorKind, String) {
    match take(labels, body) {
        Err(error) => error,
        Ok(found) => panic!("{} was taken: {found:?}", body.escape_ascii()),
    }
}

/// Types that say nothing about a body.
const UNTYPED: [&str; 5] = [
    "",
    "application/x-www-form-urlencoded",
    "application/base64",
    "Application/X-WWW-Form-URLencoded; charset=utf-8",
    " ; charset=utf-8",
];

#[test]
fn a_body_without_a_byte_is_an_empty_file_whatever_its_type() {
    let form = "multipart/form-data; boundary=b";
    for content_type in ["", "text/plain", "application/json", "application/problem+json", "image/png", "x/y", form] {
        assert_eq!(stored(&typed(content_type), b""), (InputKind::Empty, Vec::new()), "{content_type}");
    }
    let encoded = ContentHeaders { content_transfer_encoding: Some(b"base64".to_vec()), ..typed("image/png") };
    assert_eq!(stored(&encoded, b"").0, InputKind::Empty);
    let packed = ContentHeaders { content_encoding: Some(b"gzip".to_vec()), ..typed("") };
    assert_eq!(stored(&packed, b"").0, InputKind::Empty);
    assert_eq!(stored(&packed, &gzip(b"")).0, InputKind::Empty, "nothing, packed");
}

#[test]
fn without_a_telling_type_a_bracket_or_quote_is_json_and_all_else_base64() {
    for content_type in &UNTYPED[..4] {
        let labels = typed(content_type);
        for json in [" {\"b\":1,  \"a\" : [1,2.50,true,null]}\n", "{}", "[]", "\"hello\"", "\"aGVsbG8=\"", "\r\n\t[1]"]
        {
            assert_eq!(stored(&labels, json.as_bytes()), (InputKind::Json, json.as_bytes().to_vec()), "{content_type}");
        }
        for (base64, wanted) in [
            ("SGVsbG8=", &b"Hello"[..]),
            (" SGVs bG8= ", b"Hello"),
            ("\x0b\x0cSGVs\r\nbG8", b"Hello"),
            ("true", b"\xb6\xbb\x9e"),
            ("null", b"\x9e\xe9\x65"),
            ("1234", b"\xd7\x6d\xf8"),
            (" \r\n", b""),
        ] {
            assert_eq!(stored(&labels, base64.as_bytes()), (InputKind::Base64, wanted.to_vec()), "{base64:?}");
        }
        for bad in [
            &b"{\"a\":NaN}"[..],
            b"[1,]",
            b"\"open",
            b"Hello World",
            b"!!!!",
            b"a=b&c=d",
            b"\xc3\xb1",
            b"QQ=",
            b"\x0b{}",
        ] {
            assert_eq!(refused(&labels, bad).0, InputErrorKind::Bad, "{}", bad.escape_ascii());
        }
    }
}

#[test]
fn text_that_is_neither_json_nor_base64_is_the_text_itself() {
    let labels = typed("text/plain; charset=utf-8");
    assert_eq!(stored(&labels, b" {\"a\": 1}").0, InputKind::Json);
    assert_eq!(stored(&labels, b" SGVs\nbG8= "), (InputKind::Base64, b"Hello".to_vec()));
    for text in [
        &b"Hello World"[..],
        b"hello",
        b" {curly} prose",
        b"[1,",
        b"\"quoted\" prose",
        b"QQ=",
        b"\xffnot UTF-8",
        b"\n",
        b" \x0c",
        b"\xef\xbbx",
    ] {
        assert_eq!(stored(&labels, text), (InputKind::Text, text.to_vec()), "{}", text.escape_ascii());
    }
}

#[test]
fn labelled_json_any_value_is_json_and_only_then_may_it_be_base64() {
    let labels = typed("application/json; charset=utf-8");
    for json in ["true", "null", "123", "-1.5e3", " \"x\" ", "[]", "1234567890"] {
        assert_eq!(stored(&labels, json.as_bytes()), (InputKind::Json, json.as_bytes().to_vec()), "{json}");
    }
    for (base64, wanted) in [
        ("SGVsbG8=", &b"Hello"[..]),
        ("1234QQ==", b"\xd7\x6d\xf8A"),
        ("12 34", b"\xd7\x6d\xf8"),
        ("0123", b"\xd3\x5d\xb7"),
        ("tru+", b"\xb6\xbb\xbe"),
        ("fals", b"\x7d\xa9\x6c"),
        ("-1e-", b"\xfb\x57\xbe"),
        ("\x0bQQ==", b"A"),
    ] {
        assert_eq!(stored(&labels, base64.as_bytes()), (InputKind::Base64, wanted.to_vec()), "{base64:?}");
    }
    let (_, message) = refused(&labels, b"{\"a\":}");
    assert_eq!(message, "the body is not JSON: byte 0x7d '}' at offset 5, expected a JSON value");
    let (_, message) = refused(&labels, b"12 34!");
    assert_eq!(
        message,
        "the body is neither JSON (byte 0x33 '3' at offset 3, expected nothing after the JSON value) nor base64 (byte \
         0x21 '!' at offset 5, expected a character of base64)"
    );
    for bad in [&b"1.5.5"[..], b"1.", b"hello", b"\x0b{}", b" ", b" \r\n", b"\t\x0c", b"\xef\xbb\xbf \n"] {
        assert_eq!(refused(&labels, bad).0, InputErrorKind::Bad, "{}", bad.escape_ascii());
    }
}

#[test]
fn a_form_with_another_label_is_called_one() {
    for form in ["key=", "a=1&b=x+y", "token=a&text=b", "message=Hello"] {
        let (kind, message) = refused(&typed("application/json"), form.as_bytes());
        assert_eq!(kind, InputErrorKind::Bad, "{form}");
        assert!(
            message.ends_with("; it looks like a form: send JSON, or label it as application/x-www-form-urlencoded"),
            "{message}"
        );
        let (kind, message) = refused(&typed("application/x-www-form-urlencoded"), form.as_bytes());
        assert_eq!(kind, InputErrorKind::Bad, "{form}");
        assert!(message.contains("--forms json") && message.contains("--forms raw or --mode stdio"), "{message}");
    }
    for other in ["Hello World", "QQ==QQ==", "a b=c", "===="] {
        for label in ["application/json", "application/x-www-form-urlencoded"] {
            let (_, message) = refused(&typed(label), other.as_bytes());
            assert!(!message.contains("a form"), "{message}");
        }
    }
}

#[test]
fn forms_are_stored_as_they_are_or_as_an_object_if_the_operator_says_so() {
    let stored = |labels: &ContentHeaders, forms: Forms, body: &[u8]| {
        let directory = tempfile::tempdir().expect("a directory");
        let fd = fs::File::open(directory.path()).expect("it opens");
        let dir = InputDir { fd: fd.as_fd(), path: directory.path() };
        let envelope = Envelope::parse(labels).expect("labels").with_forms(forms);
        let input = receive(&envelope, &mut ChunkedBody::new(body, &[]), dir, 0).expect("an input");
        (input.kind, fs::read(input.path.expect("a file")).expect("it is read"))
    };
    let form = typed("Application/X-WWW-Form-URLencoded; charset=utf-8");
    let body = b"token=a&text=b+%26&text=c";
    assert_eq!(stored(&form, Forms::Raw, body), (InputKind::Raw, body.to_vec()));
    let object = br#"{"token":"a","text":["b &","c"]}"#.to_vec();
    assert_eq!(stored(&form, Forms::Json, body), (InputKind::Json, object));
    for forms in [Forms::Raw, Forms::Json] {
        assert_eq!(stored(&form, forms, b"").0, InputKind::Empty);
        for other in ["", "application/json", "application/base64"] {
            assert_eq!(stored(&typed(other), forms, b"SGVsbG8=").1, b"Hello", "{other} is another label");
        }
    }
    assert_eq!(stored(&form, Forms::Detect, b"SGVsbG8=").1, b"Hello");
}

#[test]
fn a_type_that_ends_in_json_is_json_and_nothing_else() {
    for content_type in ["application/vnd.api+json", "application/cloudevents+JSON; charset=utf-8"] {
        assert_eq!(stored(&typed(content_type), b"123"), (InputKind::Json, b"123".to_vec()));
        for bad in [&b"SGVsbG8="[..], b" ", b"\xef\xbb\xbf", b"{", b"\x0c1"] {
            let (kind, message) = refused(&typed(content_type), bad);
            assert_eq!(kind, InputErrorKind::Bad, "{}", bad.escape_ascii());
            assert!(message.starts_with("the body is not JSON: "), "{message}");
        }
    }
}

#[test]
fn a_byte_order_mark_is_dropped_from_text_and_kept_in_everything_else() {
    let marked = |body: &[u8]| [b"\xef\xbb\xbf", body].concat();
    assert_eq!(stored(&typed(""), &marked(b"{\"a\":1}")), (InputKind::Json, b"{\"a\":1}".to_vec()));
    assert_eq!(stored(&typed(""), &marked(b"SGVsbG8=")), (InputKind::Base64, b"Hello".to_vec()));
    assert_eq!(stored(&typed("application/json"), &marked(b"12QQ")), (InputKind::Base64, b"\xd7\x64\x10".to_vec()));
    assert_eq!(stored(&typed("text/plain"), &marked(b"Hello!")), (InputKind::Text, b"Hello!".to_vec()));
    assert_eq!(stored(&typed("text/csv"), &marked(b"a,b")), (InputKind::Raw, marked(b"a,b")));
    assert!(refused(&typed(""), &marked(b"QQ!")).1.contains("offset 5"), "offsets count it");
    assert!(refused(&typed("application/json"), &marked(b"[!")).1.contains("offset 4"), "offsets count it");
    assert!(refused(&typed(""), b"\xef\xbb").1.contains("byte 0xef at offset 0"), "half a mark is none");
}

#[test]
fn every_other_type_is_the_bytes_as_sent() {
    for content_type in ["application/octet-stream", "image/png", "audio/wav", "text/csv", "multipart/mixed", "x/y"] {
        let body = b"\x00SGVsbG8=\xff\r\n";
        assert_eq!(stored(&typed(content_type), body), (InputKind::Raw, body.to_vec()), "{content_type}");
    }
}

#[test]
fn a_transfer_encoding_of_base64_is_undone_for_every_type_but_a_form() {
    let encoded = |content_type: &str, encoding: &str| ContentHeaders {
        content_transfer_encoding: Some(encoding.as_bytes().to_vec()),
        ..typed(content_type)
    };
    for content_type in ["", "application/octet-stream", "image/png", "text/plain", "application/json", "a/b+json"] {
        assert_eq!(stored(&encoded(content_type, " BASE64 "), b"MTIz\n"), (InputKind::Base64, b"123".to_vec()));
        assert_eq!(refused(&encoded(content_type, "base64"), b"{}").0, InputErrorKind::Bad, "{content_type}");
    }
    for encoding in ["binary", "8bit", "7bit", "", "Binary"] {
        assert_eq!(stored(&encoded("image/png", encoding), b"MTIz").0, InputKind::Raw, "{encoding}");
    }
    for (content_type, encoding) in
        [("image/png", "quoted-printable"), ("", "x-uuencode"), ("multipart/form-data; boundary=b", "base64")]
    {
        let (kind, message) = refused(&encoded(content_type, encoding), b"MTIz");
        assert_eq!(kind, InputErrorKind::UnsupportedEncoding);
        assert!(message.contains(encoding) && message.contains("Content-Transfer-Encoding"), "{message}");
    }
}

#[test]
fn labels_that_no_body_can_make_good_are_refused_before_any_of_it_is_read() {
    let encoded = |encoding: &str| ContentHeaders {
        content_encoding: Some(encoding.as_bytes().to_vec()),
        ..ContentHeaders::default()
    };
    for encoding in ["br", "deflate", "gzip, gzip", "gzip, br", "zstd", "GZIP;q=1"] {
        let error = Envelope::parse(&encoded(encoding)).expect_err(encoding);
        assert_eq!(error.kind(), InputErrorKind::UnsupportedEncoding);
        assert!(error.to_string().contains(encoding), "{error}");
    }
    for encoding in ["", "identity", "gzip", "X-GZip", " identity , gzip ,", "identity,identity"] {
        assert!(Envelope::parse(&encoded(encoding)).is_ok(), "{encoding}");
    }
    for content_type in [
        "json",
        "/",
        "a/",
        "/b",
        "a/b/c",
        "a b/c",
        "text/plain, text/html",
        "multipart/form-data",
        "multipart/form-data; boundary",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"a \"",
        "multipart/form-data; boundary=\"a\tb\"",
        &format!("multipart/form-data; boundary={}", "x".repeat(71)),
        "multipart/form-data; boundary=\u{e9}",
    ] {
        let error = Envelope::parse(&typed(content_type)).expect_err(content_type);
        assert_eq!(error.kind(), InputErrorKind::Bad, "{content_type}");
        assert!(error.to_string().contains("Content-Type") || error.to_string().contains("boundary"), "{error}");
    }
    for content_type in [
        "text/plain;",
        "application/json;;",
        "TEXT/CSV ; header",
        "multipart/form-data; charset=x; boundary=\"a b\"",
        &format!("multipart/form-data; boundary={}", "x".repeat(70)),
    ] {
        assert!(Envelope::parse(&typed(content_type)).is_ok(), "{content_type}");
    }
}

#[test]
fn a_file_is_called_what_the_sender_calls_it_or_has_a_name_of_its_own() {
    let named = |content_type: &str, disposition: &str, body: &[u8]| {
        let labels =
            ContentHeaders { content_disposition: Some(disposition.as_bytes().to_vec()), ..typed(content_type) };
        let found = take(&labels, body).expect("a body");
        assert_eq!(found.input, found.files[0].0, "the input file is the file there is");
        found.input
    };
    assert_eq!(named("image/png", "attachment; filename=photo.jpeg", b"x"), "photo.jpeg");
    assert_eq!(named("", "inline; filename=\"../../a b.json\"", b"{}"), "a b.json");
    assert_eq!(named("", "attachment; filename=x; filename*=UTF-8''%E2%82%AC.bin", b"QQ=="), "€.bin");
    assert_eq!(named("text/plain", "attachment; filename=\"..\"", b"no base64"), "event-file-ID");
    assert_eq!(named("image/png", "attachment", b"x"), "event-file-ID.png");
    assert_eq!(named("image/jpeg; q=1", "", b"x"), "event-file-ID.jpg");
    assert_eq!(named("text/csv", "", b""), "event-file-ID.csv");
    for content_type in ["", "text/plain", "application/json", "application/octet-stream", "application/base64"] {
        assert_eq!(named(content_type, "", b"QUJD"), "event-file-ID", "{content_type}");
    }
    let encoded = ContentHeaders { content_transfer_encoding: Some(b"base64".to_vec()), ..typed("image/png") };
    assert_eq!(take(&encoded, b"QQ==").expect("a body").input, "event-file-ID.png");
}

/// A form with the boundary `b`: the disposition of each part, and its content.
fn form(parts: &[(&str, &str)]) -> Vec<u8> {
    let part = |(disposition, content): &(&str, &str)| {
        format!("--b\r\nContent-Disposition: form-data; {disposition}\r\n\r\n{content}\r\n")
    };
    (parts.iter().map(part).collect::<String>() + "--b--\r\n").into_bytes()
}

fn take_form(parts: &[(&str, &str)]) -> ReceivedInput {
    let found = take(&typed("multipart/form-data; boundary=b"), &form(parts)).expect("a form");
    assert_eq!(found.kind, InputKind::Multipart);
    found
}

fn names(found: &ReceivedInput) -> Vec<&str> {
    found.files.iter().map(|file| file.0.as_str()).collect()
}

#[test]
fn one_file_of_a_form_is_the_input_file_and_several_are_a_directory() {
    let one = take_form(&[("name=\"lang\"", "eng"), ("name=\"f\"; filename=\"scan.png\"", "PNG")]);
    assert_eq!((one.input.as_str(), names(&one)), ("scan.png", vec!["lang", "scan.png"]));
    assert_eq!(one.files, [("lang".into(), b"eng".to_vec()), ("scan.png".into(), b"PNG".to_vec())]);
    let two = take_form(&[("name=\"f\"; filename=\"a\"", "1"), ("name=\"f\"; filename=\"b\"", "")]);
    assert_eq!((two.input.as_str(), names(&two)), ("", vec!["a", "b"]));
    let field = take_form(&[("name=\"text\"", "hello")]);
    assert_eq!((field.input.as_str(), names(&field)), ("text", vec!["text"]));
    let fields = take_form(&[("name=\"x\"", "1"), ("name=\"y\"", "2")]);
    assert_eq!((fields.input.as_str(), names(&fields)), ("", vec!["x", "y"]));
}

#[test]
fn parts_of_a_form_never_overwrite_each_other_and_never_leave_the_directory() {
    let found = take_form(&[
        ("name=\"f\"; filename=\"a.txt\"", "1"),
        ("name=\"f\"; filename=\"a.txt\"", "2"),
        ("name=\"f\"; filename=\"a-2.txt\"", "3"),
        ("name=\"f\"; filename=\"../a.txt\"", "4"),
        ("name=\"f\"; filename=\"/etc/passwd\"", "5"),
        ("name=\"f\"; filename=\"..\"", "6"),
        ("name=\"../../x\"", "7"),
        ("x=\"y\"", "8"),
    ]);
    let all = ["a-2-2.txt", "a-2.txt", "a-3.txt", "a.txt", "event-file-ID", "event-file-ID", "passwd", "x"];
    assert_eq!(names(&found), all);
    assert_eq!(found.files[1].1, b"2");
    assert_eq!(found.files[3].1, b"1", "the first keeps its name");
    let taken = take_form(&[("filename=\"a-2\"", "1"), ("filename=\"a\"", "2"), ("filename=\"a\"", "3")]);
    assert_eq!(names(&taken), ["a", "a-2", "a-3"]);
}

#[test]
fn a_file_input_in_which_nothing_was_chosen_is_no_file() {
    let found = take_form(&[("name=\"f\"; filename=\"\"", ""), ("name=\"g\"; filename=\"real\"", "x")]);
    assert_eq!((found.input.as_str(), names(&found)), ("real", vec!["real"]));
    let nameless = take_form(&[("name=\"f\"; filename=\"\"", "content")]);
    assert_eq!(nameless.input, "event-file-ID");
    let labels = typed("multipart/form-data; boundary=b");
    assert_eq!(refused(&labels, &form(&[("name=\"f\"; filename=\"\"", "")])).0, InputErrorKind::Bad);
    assert_eq!(refused(&labels, &form(&[])).0, InputErrorKind::Bad);
}

#[test]
fn a_part_in_base64_is_decoded_and_its_offsets_are_those_of_the_body() {
    let labels = typed("multipart/form-data; boundary=\"b\"");
    let body = |content: &str| {
        format!(
            "--b\r\nContent-Disposition: form-data; filename=f\r\nContent-Transfer-Encoding: base64\r\n\r\n{content}\r\n--b--"
        )
    };
    assert_eq!(stored(&labels, body("SGVs\r\nbG8=").as_bytes()), (InputKind::Multipart, b"Hello".to_vec()));
    let bad = body("SGVs\r\nbG!8");
    let (kind, message) = refused(&labels, bad.as_bytes());
    assert_eq!(kind, InputErrorKind::Bad);
    assert!(message.contains(&format!("'!' at offset {}", bad.find('!').expect("it is there"))), "{message}");
    assert_eq!(refused(&labels, body("QQ=").as_bytes()).0, InputErrorKind::Bad);
    let other = body("x").replace("base64", "quoted-printable");
    assert_eq!(refused(&labels, other.as_bytes()).0, InputErrorKind::UnsupportedEncoding);
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).expect("memory");
    encoder.finish().expect("memory")
}

#[test]
fn gzip_is_undone_before_all_else() {
    for encoding in ["gzip", "x-gzip", "identity, GZIP"] {
        let packed = |content_type: &str| ContentHeaders {
            content_encoding: Some(encoding.as_bytes().to_vec()),
            ..typed(content_type)
        };
        assert_eq!(stored(&packed(""), &gzip(b"{\"a\":1}")), (InputKind::Json, b"{\"a\":1}".to_vec()));
        assert_eq!(stored(&packed("image/png"), &gzip(b"raw")), (InputKind::Raw, b"raw".to_vec()));
        assert_eq!(stored(&packed(""), &[gzip(b"SGVs"), gzip(b""), gzip(b"bG8=")].concat()).1, b"Hello", "members");
        let form = gzip(&form(&[("name=\"f\"; filename=\"a\"", "1")]));
        assert_eq!(stored(&packed("multipart/form-data; boundary=b"), &form), (InputKind::Multipart, b"1".to_vec()));
    }
}

#[test]
fn gzip_that_was_cut_damaged_or_followed_by_something_is_refused() {
    let packed = ContentHeaders { content_encoding: Some(b"gzip".to_vec()), ..typed("image/png") };
    let plain = b"some bytes, some more bytes, and some more bytes";
    let mut encoder = GzBuilder::new()
        .extra(b"extra".to_vec())
        .filename("name")
        .comment("comment")
        .write(Vec::new(), Compression::default());
    encoder.write_all(plain).expect("memory");
    for whole in [gzip(plain), encoder.finish().expect("memory"), [gzip(b"a"), gzip(plain)].concat()] {
        assert!(take(&packed, &whole).is_ok());
        let member_end = gzip(b"a").len();
        for end in 1..whole.len() {
            match take(&packed, &whole[..end]) {
                Ok(found) => assert_eq!((end, found.files[0].1.as_slice()), (member_end, &b"a"[..]), "a whole member"),
                Err(error) => assert_eq!(error.0, InputErrorKind::Bad, "{error:?}"),
            }
        }
        let intact = stored(&packed, &whole).1;
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut damaged = whole.clone();
                damaged[at] ^= 1 << bit;
                // Time, system and names in a header are covered by no checksum, and change nothing.
                if let Ok(found) = received(&packed, &damaged, &[]) {
                    assert!(at < whole.len() - 8, "checksum and length are checked");
                    assert!(at != 3 || bit < 5, "a flag that means nothing yet may change everything");
                    assert_eq!(found.files[0].1, intact, "bit {bit} of byte {at}");
                }
            }
        }
        let (kind, message) = refused(&packed, &[&whole[..], b"x"].concat());
        assert_eq!(kind, InputErrorKind::Bad);
        assert!(message.contains(&format!("'x' at offset {}, expected another gzip member", whole.len())), "{message}");
    }
    assert_eq!(refused(&packed, b"plain").0, InputErrorKind::Bad);
    // The checksum of the header itself, which few senders add: flag 2, and the low half of the CRC-32 after it.
    let mut header = gzip(plain)[..10].to_vec();
    header[3] = 2;
    let [low, high, ..] = crc32fast::hash(&header).to_le_bytes();
    let with = |low, high| [&header[..], &[low, high], &gzip(plain)[10..]].concat();
    assert_eq!(stored(&packed, &with(low, high)).1, plain);
    assert_eq!(refused(&packed, &with(low ^ 1, high)).0, InputErrorKind::Bad);
    assert_eq!(refused(&packed, &with(low, high ^ 1)).0, InputErrorKind::Bad);
}

#[test]
fn the_limit_counts_a_body_as_sent_and_as_unpacked() {
    let with_limit = |labels: &ContentHeaders, body: &[u8], limit: u64| {
        let directory = tempfile::tempdir().expect("a directory");
        let fd = fs::File::open(directory.path()).expect("a directory");
        let dir = InputDir { fd: fd.as_fd(), path: directory.path() };
        let envelope = Envelope::parse(labels).expect("labels");
        let result = receive(&envelope, &mut ChunkedBody::new(body, &[1]), dir, limit);
        assert_eq!(result.is_ok(), fs::read_dir(directory.path()).expect("a directory").count() == 1);
        result.map(|input| input.bytes)
    };
    let raw = typed("image/png");
    assert_eq!(with_limit(&raw, b"12345", 5).expect("as long as it may be"), 5);
    assert_eq!(with_limit(&raw, b"12345", 0).expect("no limit"), 5);
    assert!(matches!(with_limit(&raw, b"123456", 5), Err(InputError::TooLarge { limit: 5, form: BodyForm::Sent })));
    let packed = ContentHeaders { content_encoding: Some(b"gzip".to_vec()), ..raw };
    let bomb = gzip(&vec![0; 10_000_000]);
    assert!(matches!(
        with_limit(&packed, &bomb, 100_000),
        Err(InputError::TooLarge { limit: 100_000, form: BodyForm::Decompressed })
    ));
    assert_eq!(with_limit(&packed, &bomb, 10_000_000).expect("as long as it may be"), 10_000_000);
    let error = with_limit(&packed, &gzip(b"a"), 5).expect_err("the packed body is longer");
    assert_eq!(error.to_string(), "the body as sent is longer than 5 bytes; see --max-body");
    assert_eq!(error.kind(), InputErrorKind::TooLarge);
}

/// Says something, then fails.
struct Failing(Option<Bytes>, Option<BodyError>);

impl BodySource for Failing {
    fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        match self.0.take() {
            Some(piece) => Ok(Some(piece)),
            None => Err(self.1.take().expect("asked once")),
        }
    }
}

#[test]
fn a_body_that_does_not_arrive_leaves_nothing_behind() {
    let files = form(&[("name=\"f\"; filename=\"a\"", "1"), ("name=\"f\"; filename=\"b\"", &"2".repeat(300_000))]);
    let long = [b"{\"a\":\"".to_vec(), vec![b'x'; 300_000]].concat();
    for (content_type, body) in [
        ("image/png", vec![0; 300_000]),
        ("", long.clone()),
        ("text/plain", long),
        ("", b"QUJD".repeat(100_000)),
        ("multipart/form-data; boundary=b", files),
    ] {
        for (error, kind) in [
            (BodyError::Incomplete, InputErrorKind::Incomplete),
            (BodyError::TimedOut, InputErrorKind::TimedOut),
            (BodyError::Io(io::ErrorKind::IsADirectory.into()), InputErrorKind::ReadFailed),
        ] {
            let directory = tempfile::tempdir().expect("a directory");
            let fd = fs::File::open(directory.path()).expect("a directory");
            let dir = InputDir { fd: fd.as_fd(), path: directory.path() };
            let envelope = Envelope::parse(&typed(content_type)).expect("labels");
            let mut source = Failing(Some(body.clone().into()), Some(error));
            let error = receive(&envelope, &mut source, dir, 0).expect_err("it did not arrive");
            assert_eq!(error.kind(), kind);
            assert_eq!(fs::read_dir(directory.path()).expect("a directory").count(), 0, "{content_type}");
        }
    }
}

#[test]
fn a_directory_that_takes_no_file_is_our_fault_and_not_the_senders() {
    let directory = tempfile::tempdir().expect("a directory");
    let fd = fs::File::open(directory.path()).expect("a directory");
    let dir = InputDir { fd: fd.as_fd(), path: directory.path() };
    fs::remove_dir(directory.path()).expect("empty");
    let labels = typed("image/png");
    let envelope = Envelope::parse(&labels).expect("labels");
    let error = receive(&envelope, &mut ChunkedBody::new(b"x", &[]), dir, 0).expect_err("no directory");
    assert_eq!(error.kind(), InputErrorKind::Store);
}

#[test]
fn what_lies_in_the_directory_already_is_neither_followed_nor_overwritten() {
    let directory = tempfile::tempdir().expect("a directory");
    let outside = tempfile::tempdir().expect("a directory");
    std::os::unix::fs::symlink(outside.path().join("x"), directory.path().join("name")).expect("a link");
    let fd = fs::File::open(directory.path()).expect("a directory");
    let dir = InputDir { fd: fd.as_fd(), path: directory.path() };
    let labels =
        ContentHeaders { content_disposition: Some(b"attachment; filename=name".to_vec()), ..typed("image/png") };
    let envelope = Envelope::parse(&labels).expect("labels");
    let error = receive(&envelope, &mut ChunkedBody::new(b"x", &[]), dir, 0).expect_err("the name is taken");
    assert_eq!(error.kind(), InputErrorKind::Store);
    assert!(directory.path().join("name").is_symlink(), "what we did not make we do not remove");
    assert!(!outside.path().join("x").exists());
    fs::remove_file(directory.path().join("name")).expect("the link");
    fs::write(directory.path().join("name"), "there already").expect("a file");
    assert!(receive(&envelope, &mut ChunkedBody::new(b"x", &[]), dir, 0).is_err());
    assert_eq!(fs::read(directory.path().join("name")).expect("still there"), b"there already");
}

#[test]
fn bodies_longer_than_every_buffer_come_out_whole() {
    let plain: Vec<u8> = (0..250_000_u32).flat_map(u32::to_le_bytes).collect();
    let line = base64_simd::STANDARD.encode_to_string(&plain).into_bytes();
    let lines = line.chunks(76).collect::<Vec<_>>().join(&b'\n');
    // Digits and nothing else for longer than memory holds, so that what is on disk has to be decoded in place.
    let digits = [b"1234".repeat(100_000), b"QUJD".to_vec()].concat();
    let digits_plain = [b"\xd7\x6d\xf8".repeat(100_000), b"ABC".to_vec()].concat();
    let blanks = [b" ".repeat(300_000), b"QUJD".to_vec()].concat();
    let cuts: Vec<usize> = (7..line.len()).step_by(16_384).collect();
    // Large pieces with small ones between them, some as long as a buffer.
    let lengths = [131_072, 100, 40_000, 3, 131_072, 131_072, 32_768, 32_767, 131_073, 1];
    let mixed: Vec<usize> = lengths.iter().scan(0, |at, length| Some(std::mem::replace(at, *at + length))).collect();
    for cuts in [&cuts[..], &mixed[1..], &[]] {
        let cuts = |body: &[u8]| cuts.iter().copied().filter(|at| *at < body.len()).collect::<Vec<_>>();
        let content = |content_type: &str, body: &[u8]| {
            let found = received(&typed(content_type), body, &cuts(body)).expect("a body");
            (found.kind, found.files[0].1.clone())
        };
        for body in [&line, &lines] {
            for content_type in ["", "text/plain", "application/json"] {
                let (kind, content) = content(content_type, body);
                assert!(kind == InputKind::Base64 && content == plain, "{content_type}");
            }
        }
        assert!(content("image/png", &plain) == (InputKind::Raw, plain.clone()));
        assert!(content("application/json", &digits) == (InputKind::Base64, digits_plain.clone()));
        assert!(content("text/plain", &digits) == (InputKind::Base64, digits_plain.clone()));
        assert!(content("application/json", &digits[..400_000]).0 == InputKind::Json);
        assert!(content("", &blanks) == (InputKind::Base64, b"ABC".to_vec()));
        assert!(content("application/json", &blanks) == (InputKind::Base64, b"ABC".to_vec()));
        let text = [digits.clone(), b"!".to_vec()].concat();
        assert!(content("text/plain", &text) == (InputKind::Text, text.clone()));
        let json = [b"[".to_vec(), b"1,".repeat(200_000), b"2]".to_vec()].concat();
        assert!(content("", &json) == (InputKind::Json, json.clone()));
        let error = received(&typed("application/json"), &text, &cuts(&text)).expect_err("neither");
        assert!(error.1.contains("offset 400004"), "{error:?}");
    }
}

const EVENT: &str = r#"{"EventName":"s3:ObjectCreated:Put","Key":"images/in/a bé.png","Records":[{"eventVersion":"2.0",
"eventSource":"minio:s3","eventTime":"2026-11-20T14:49:56.867Z","s3":{"bucket":{"name":"images"},
"object":{"key":"in%2Fa+b%C3%A9.png","size":1}}}]}"#;

#[test]
fn a_storage_event_is_recognised_by_its_whole_shape() {
    let event = |json: &str| event::recognised(json.as_bytes());
    let found = event(EVENT).expect("an event");
    assert_eq!(found.object_key, "in/a bé.png");
    assert_eq!(found.time, "2026-11-20T14:49:56.867Z");
    assert_eq!(found.json, EVENT, "verbatim");
    assert!(event(&EVENT.replace("minio:s3", "aws:s3")).is_some());
    assert_eq!(event(&EVENT.replace("eventTime", "x")).expect("an event").time, "");
    let keyless = EVENT.replace("\"Key\"", "\"Path\"");
    assert_eq!(event(&keyless.replace("in%2Fa+b%C3%A9.png", "100%25+%ff")).expect("an event").object_key, "100%25+%ff");
    for (part, other) in [
        ("Records", "records"),
        ("minio:s3", "OneTrigger"),
        ("\"minio:s3\"", "1"),
        ("eventSource", "source"),
        ("\"bucket\"", "\"b\""),
        ("\"name\":\"images\"", "\"name\":1"),
        ("\"key\"", "\"k\""),
        ("\"in%2Fa+b%C3%A9.png\"", "null"),
        ("in%2Fa+b%C3%A9.png", ""),
        ("in%2Fa+b%C3%A9.png", "a%00b"),
        ("in%2Fa+b%C3%A9.png", "a\\u0000b"),
        ("\"s3\"", "\"s4\""),
        ("2026", "\\u0000"),
    ] {
        assert_eq!(event(&EVENT.replacen(part, other, 1)), None, "{other} for {part}");
    }
    for json in [
        "{\"event\":{\"a\":1}}",
        "{\"Records\":[]}",
        "{\"Records\":\"abc\"}",
        "{\"Records\":[{\"a\":1}]}",
        "[\"Records\"]",
        "{\"Records\":{\"0\":{}}}",
        "{\"httpMethod\":\"GET\"}",
        "\"Records\"",
    ] {
        assert_eq!(event(json), None, "{json}");
    }
}

#[test]
fn only_json_that_fits_an_environment_variable_is_an_event() {
    let of = |content_type: &str, body: &[u8]| {
        let found = received(&typed(content_type), body, &[body.len() / 2]).expect("a body");
        assert_eq!(found.files[0].1.len() as u64, found.bytes);
        found.object_key
    };
    let padded = |length: usize| [EVENT.as_bytes(), &b" ".repeat(length - EVENT.len())].concat();
    let key = Some("in/a bé.png".to_owned());
    for content_type in ["", "application/json", "application/cloudevents+json", "text/plain"] {
        assert_eq!(of(content_type, EVENT.as_bytes()), key, "{content_type}");
    }
    assert_eq!(of("application/octet-stream", EVENT.as_bytes()), None, "bytes as sent are bytes");
    assert_eq!(of("", base64_simd::STANDARD.encode_to_string(EVENT).as_bytes()), None);
    assert_eq!(of("", &padded(131_065)), key, "with `EVENT=` and a zero this is the most that Linux takes");
    assert_eq!(of("", &padded(131_066)), None);
    assert_eq!(of("", &padded(300_000)), None);
}

/// The bodies of the golden cases; `fixtures/golden` holds the results of the program that they were measured on.
#[test]
fn the_golden_bodies_come_out_as_expected() {
    let labels = ContentHeaders::default();
    for json in [
        "{\"message\": \"Hi there\"}",
        " {\"b\":1,  \"a\" : [1,2.50,true,null]}\n",
        "{\"a\":1.0,\"b\":1e5,\"c\":1E-7,\"d\":1.10,\"e\":-0.0,\"f\":1e400,\"g\":12345678901234567890}",
        "{}",
        "[]",
        "\"hello\"",
        "\"aGVsbG8=\"",
        "{\"event\":{\"a\":1}}",
        "{\"storage_provider\":\"minio.x\",\"event\":{\"a\":1}}",
        "{\"Records\":[]}",
        "{\"Records\":[{\"a\":1}]}",
        "{\"Records\":\"abc\"}",
    ] {
        let found = take(&labels, json.as_bytes()).expect("JSON");
        assert_eq!((found.kind, found.files[0].1.as_slice()), (InputKind::Json, json.as_bytes()));
        assert_eq!(found.object_key, None);
    }
    let line = base64_simd::STANDARD.encode_to_string("x".repeat(100));
    for (base64, wanted) in [
        ("SGVsbG8=", "Hello".to_owned()),
        (" SGVs bG8= ", "Hello".to_owned()),
        ("SGVsbG8", "Hello".to_owned()),
        (&format!("{}\n{}\n", &line[..76], &line[76..]), "x".repeat(100)),
        ("eyJhIjoxLCAgImIiOjJ9", "{\"a\":1,  \"b\":2}".to_owned()),
    ] {
        assert_eq!(stored(&labels, base64.as_bytes()), (InputKind::Base64, wanted.into_bytes()), "{base64}");
    }
    assert_eq!(base64_simd::STANDARD.encode_to_string(stored(&labels, b"true").1), "true");
    assert_eq!(base64_simd::STANDARD.encode_to_string(stored(&labels, b"+/+/").1), "+/+/");
    for bad in [&b"{\"a\":NaN,\"b\":Infinity}"[..], b"!!!!", b"Hello World", "ñandú".as_bytes()] {
        assert_eq!(refused(&labels, bad).0, InputErrorKind::Bad);
    }
    let (_, message) = refused(&labels, b"Hello World!");
    assert_eq!(
        message,
        "the body is neither JSON, which begins with '{', '[' or '\"', nor base64: byte 0x21 '!' at offset 11, expected \
         a character of base64; send other bytes as they are with Content-Type: application/octet-stream"
    );
}

#[test]
fn an_envelope_can_be_sent_to_the_thread_that_reads_the_body() {
    fn is_send<T: Send>(_: &T) {}
    is_send(&Envelope::parse(&ContentHeaders::default()).expect("no labels"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_labels_and_any_body_come_out_the_same_at_every_cut(
        content_type in prop_oneof![
            Just(String::new()), Just("text/plain".into()), Just("application/json".into()), Just("a/b+json".into()),
            Just("multipart/form-data;boundary=b".into()), Just("image/png".into()),
        ],
        packed in any::<bool>(),
        encoded in any::<bool>(),
        body in "(\\x{feff})?[ \n\x0c]{0,3}([{\\[\"]|)([-0-9a-zA-Z+/= \n]|true|,|:|\"|\\]|\\}|!|\r\n--b|--b--){0,30}",
    ) {
        let body = if packed { gzip(body.as_bytes()) } else { body.into_bytes() };
        let labels = [
            content_type, (if packed { "gzip" } else { "" }).into(), (if encoded { "base64" } else { "" }).into(),
            String::new(), String::new(),
        ].join("\n");
        check_envelope(&[labels.as_bytes(), &body].concat());
    }
}
