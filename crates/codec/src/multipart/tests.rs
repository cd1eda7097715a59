//! Tests of the form parser, also against a parser of whole bodies.

use proptest::{collection::vec, prelude::*, sample::select};

use super::*;
use crate::chunkings::check_multipart;

/// The name, file name and content of each part.
type Seen = Vec<(Option<String>, Option<String>, Vec<u8>)>;

#[derive(Default)]
struct Gathered(Seen);

impl PartSink for Gathered {
    type Error = ParseError;

    fn begin(&mut self, part: Part) -> Result<(), ParseError> {
        self.0.push((part.name, part.file_name, Vec::new()));
        Ok(())
    }

    fn data(&mut self, bytes: &[u8]) -> Result<(), ParseError> {
        self.0.last_mut().expect("a part").2.extend_from_slice(bytes);
        Ok(())
    }

    fn end(&mut self) -> Result<(), ParseError> {
        Ok(())
    }
}

fn parsed(boundary: &str, body: &[u8]) -> Result<Seen, String> {
    let mut gathered = Gathered::default();
    let mut parser = Parser::new(boundary.as_bytes());
    parser.push(body, &mut gathered).map_err(|error| error.to_string())?;
    parser.finish().map_err(|error| error.to_string())?;
    if boundary == "b" {
        check_multipart(body);
    }
    Ok(gathered.0)
}

fn contents(body: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    Ok(parsed("b", body)?.into_iter().map(|(_, _, content)| content).collect())
}

#[test]
fn a_form_as_curl_sends_it() {
    let body = b"--------------------------d74496d66958873e\r\n\
        Content-Disposition: form-data; name=\"x\"\r\n\r\n1\r\n\
        --------------------------d74496d66958873e\r\n\
        Content-Disposition: form-data; name=\"file\"; filename=\"a \\\"b\\\".png\"\r\n\
        Content-Type: image/png\r\n\r\n\x89PNG\r\n\x1a\n\0\r\n\
        --------------------------d74496d66958873e--\r\n";
    assert_eq!(
        parsed("------------------------d74496d66958873e", body),
        Ok(vec![
            (Some("x".into()), None, b"1".to_vec()),
            (Some("file".into()), Some("a \"b\".png".into()), b"\x89PNG\r\n\x1a\n\0".to_vec()),
        ])
    );
}

#[test]
fn names_are_read_from_every_form_of_header() {
    for (header, name, file_name) in [
        ("Content-Disposition: form-data; name=plain; filename=also plain.txt", Some("plain"), Some("also plain.txt")),
        ("content-disposition:form-data;NAME=\"n\";FileName=\"f\"", Some("n"), Some("f")),
        ("Content-Disposition: form-data; name=\"a;b=c\"; filename=\"x;y\"", Some("a;b=c"), Some("x;y")),
        ("Content-Disposition: form-data; filename=\"C:\\dir\\f.txt\"", None, Some("C:\\dir\\f.txt")),
        ("Content-Disposition: form-data; filename=\"a\\\\b\"", None, Some("a\\b")),
        ("Content-Disposition: form-data; filename=\"old\"; filename*=UTF-8''na%C3%AFve", None, Some("naïve")),
        ("Content-Disposition: form-data; filename*=utf-8'en'%e2%82%ac.txt", None, Some("€.txt")),
        ("Content-Disposition: form-data; filename*=iso-8859-1''%e9", None, Some("é")),
        ("Content-Disposition: form-data; filename=\"f\"; filename*=koi8-r''%e9", None, Some("f")),
        ("Content-Disposition: form-data; filename=\"f\"; filename*=UTF-8''%ff", None, Some("f")),
        ("Content-Disposition: form-data; filename=\"\"", None, Some("")),
        ("Content-Disposition: form-data;\r\n name=\"folded\"", Some("folded"), None),
        ("Content-Disposition: form-data; name=\"open", Some("open"), None),
        ("Content-Type: text/plain", None, None),
        ("X: y", None, None),
    ] {
        let body = format!("--b\r\n{header}\r\n\r\n--b--");
        let wanted = vec![(name.map(str::to_owned), file_name.map(str::to_owned), Vec::new())];
        assert_eq!(parsed("b", body.as_bytes()), Ok(wanted), "{header}");
    }
    let latin = parsed("b", b"--b\r\nContent-Disposition: form-data; filename=\"\xe9\"\r\n\r\n--b--");
    assert_eq!(latin, Ok(vec![(None, Some("é".into()), Vec::new())]), "bytes that are not UTF-8 are ISO 8859-1");
}

#[test]
fn content_is_what_lies_between_the_line_breaks_of_the_boundaries() {
    for (body, wanted) in [
        (&b"--b\r\n\r\nx\r\n--b--"[..], &[&b"x"[..]][..]),
        (b"--b\r\n\r\n--b--", &[b""]),
        (b"--b\r\n\r\n\r\n--b--", &[b""]),
        (b"--b\r\n\r\n\r\n\r\n--b--", &[b"\r\n"]),
        (b"preamble\r\n--b \t\r\n\r\nx\r\n--b\r\n\r\ny\r\n--b--\r\nepilogue\r\n--b\r\n", &[b"x", b"y"]),
        (b"pre --b\r\n--bb\r\n--b\r\n\r\nx\r\n--b--", &[b"x"]),
        (b"--b\n\nx\n--b\n\ny\r\n--b--", &[b"x", b"y\r"]),
        (b"--b\r\n\r\nx\n--b\r\n--b--", &[b"x\n--b"]),
        (b"--b\r\n\r\n\r\r\n\r\n-\r\n--\r\n--bx\r\n--b-x\r\n--b--", &[b"\r\r\n\r\n-\r\n--\r\n--bx\r\n--b-x"]),
        (b"--b\r\n\r\n--bx\r\n--b--", &[b"--bx"]),
    ] {
        let wanted: Vec<Vec<u8>> = wanted.iter().map(|content| content.to_vec()).collect();
        assert_eq!(contents(body), Ok(wanted), "{}", body.escape_ascii());
    }
}

#[test]
fn a_body_that_was_cut_is_never_a_shorter_form() {
    let body = b"pre\r\n--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n--b\r\n\r\nyy\r\n--b--";
    assert_eq!(contents(body).map(|parts| parts.len()), Ok(2));
    for end in 0..body.len() {
        let error = contents(&body[..end]).expect_err("cut");
        assert!(error.contains(&format!("the body ends at offset {end}")), "{error}");
        check_multipart(&body[..end]);
    }
}

#[test]
fn what_is_no_form_says_so() {
    for (body, wanted) in [
        (&b""[..], "the body ends at offset 0, expected a line with the boundary that Content-Type names"),
        (b"a=b&c=d", "the body ends at offset 7, expected a line with the boundary that Content-Type names"),
        (b"--b--", "the form has no file and no field"),
        (b"--b\r\n\r\nx\r\n--b x\r\n", "byte 0x78 'x' at offset 14, expected a line break after the boundary"),
        (b"--b\rx", "byte 0x78 'x' at offset 4, expected a line break after the boundary"),
        (b"--b\r\nno colon\r\n\r\n", "the headers of the part at offset 5 have a line without a colon"),
        (b"--b\r\n--b--", "the body ends at offset 10, expected the closing boundary"),
    ] {
        let error = contents(body).expect_err("no form");
        assert!(error.ends_with(wanted), "{}: {error}", body.escape_ascii());
        check_multipart(body);
    }
}

#[test]
fn headers_and_parts_are_limited() {
    let headers = |length: usize| [b"--b\r\nX:", &b"y".repeat(length - 6)[..], b"\r\n\r\nx\r\n--b--"].concat();
    assert!(contents(&headers(MAX_HEADERS)).is_ok());
    let error = contents(&headers(MAX_HEADERS + 1)).expect_err("too long");
    assert!(error.contains("longer than 16384 bytes"), "{error}");
    let parts = |count: u32| [&b"--b\r\n\r\nx\r\n".repeat(count as usize)[..], b"--b--"].concat();
    let mut parser = Parser::new(b"b");
    parser.push(&parts(MAX_PARTS), &mut Gathered::default()).expect("as many as there may be");
    let mut parser = Parser::new(b"b");
    let error = parser.push(&parts(MAX_PARTS + 1), &mut Gathered::default()).expect_err("one more").to_string();
    assert!(error.contains("more than 10000 parts"), "{error}");
}

/// For each part, whether it is base64.
struct Encoded(Vec<bool>);
impl PartSink for Encoded {
    type Error = ParseError;

    fn begin(&mut self, part: Part) -> Result<(), ParseError> {
        self.0.push(part.base64);
        Ok(())
    }
    fn data(&mut self, _: &[u8]) -> Result<(), ParseError> {
        Ok(())
    }
    fn end(&mut self) -> Result<(), ParseError> {
        Ok(())
    }
}

#[test]
fn a_part_has_an_encoding_of_its_own() {
    let body = |encoding: &str| format!("--b\r\nContent-Transfer-Encoding: {encoding}\r\n\r\nQQ==\r\n--b--");
    for (encoding, wanted) in [("base64", true), ("BASE64", true), ("binary", false), ("8bit", false), ("", false)] {
        let mut seen = Encoded(Vec::new());
        Parser::new(b"b").push(body(encoding).as_bytes(), &mut seen).expect("a form");
        assert_eq!(seen.0, [wanted], "{encoding}");
    }
    let error = contents(body("quoted-printable").as_bytes()).expect_err("not supported");
    assert!(error.contains("quoted-printable"), "{error}");
}

proptest! {
    #[test]
    fn anything_is_taken_apart_as_the_reference_does_at_every_cut(
        tokens in vec(select(&["\r\n--b\r\n", "\r\n--b--", "--b", "--b\n", "\n--b", "\r\n", "\n", "\r", "-", "--", "b", "x",
            " ", ":", "a:b\r\n", "\r\n\r\n", "\r\n\r\n--b\r\n"][..]), 0..24),
        formed in any::<bool>(),
    ) {
        let body = if formed { format!("--b\r\n\r\n{}\r\n--b--", tokens.concat()) } else { tokens.concat() };
        check_multipart(body.as_bytes());
    }

    #[test]
    fn any_content_comes_out_as_it_went_in(parts in vec(vec(any::<u8>(), 0..200), 1..4), lf in any::<bool>()) {
        let line_break: &[u8] = if lf { b"\n" } else { b"\r\n" };
        let mut body = Vec::new();
        for content in &parts {
            body.extend([b"--longer-boundary", line_break, b"A: b", line_break, line_break, content, line_break].concat());
        }
        body.extend_from_slice(b"--longer-boundary--");
        let seen: Vec<Vec<u8>> =
            parsed("longer-boundary", &body).expect("a form").into_iter().map(|part| part.2).collect();
        prop_assert_eq!(seen, parts);
    }
}
