//! A body becomes the input file that the table of docs/requests.md promises, however it is cut on its way; a bad one
//! starts nothing and leaves nothing.
//!
//! Rows of that table that need one request each stand in `fixtures/golden/own.jsonl`; here is what takes more.

use std::io::Write as _;

use crate::harness::{Answer, Request, Server, decode, encode, eventually, function, noise, serve, serve_command};

/// A server that prints its input.
fn echo() -> Server {
    serve(function("echo.sh")).quiet().start()
}

/// A server whose function leaves a sign that it was started.
fn sign() -> Server {
    serve(function("sign.sh")).start()
}

/// A server that tells name, size and hash of its input files.
fn inputs() -> Server {
    serve(function("inputs.sh")).quiet().start()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).expect("in memory");
    encoder.finish().expect("in memory")
}

/// Fails unless the function was not started and nothing is left.
#[track_caller]
fn nothing_happened(server: &Server) {
    server.is_clean();
    assert!(!server.has_sign("started"), "the function was started: {server}");
}

#[test]
fn cuts_between_chunks_make_no_difference() {
    let server = echo();
    let json = "{\"clé\": [1, 2.50, true, null, \"日本 \\u00e9\"]}\n";
    let base64 = "QUJD\r\nREVG\nR0hJ SktM\tTU4=\r\n";
    let multipart =
        "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\n\r\n--b \r\n--\r\n--b--\r\n";
    let cases: [(Option<&str>, &[u8], &[u8]); 7] = [
        (None, json.as_bytes(), json.as_bytes()),
        (None, b"\xef\xbb\xbf {\"a\":1}", b" {\"a\":1}"),
        (None, base64.as_bytes(), b"ABCDEFGHIJKLMN"),
        (Some("text/plain"), "QUJD not base64".as_bytes(), b"QUJD not base64"),
        (Some("text/plain"), "{\"a\": é}".as_bytes(), "{\"a\": é}".as_bytes()),
        (Some("image/png"), &[0, 255, 13, 10, 0], &[0, 255, 13, 10, 0]),
        (Some("multipart/form-data; boundary=b"), multipart.as_bytes(), b"\r\n--b \r\n--"),
    ];
    for (media, body, wanted) in cases {
        for sizes in [&[1][..], &[2], &[3, 1], &[1, 5], &[7], &[1, 4096]] {
            let mut request = server.post(body).chunked(sizes);
            if let Some(media) = media {
                request = request.media(media);
            }
            let answer = request.send();
            // A line of a multipart delimiter with blanks after it is a delimiter too; both readings are RFC 2046.
            if media.is_some_and(|media| media.starts_with("multipart")) && answer.status == 400 {
                continue;
            }
            assert_eq!(answer.expect(200).body, wanted, "{media:?} in {sizes:?}");
        }
    }
}

#[test]
fn a_bad_body_never_starts_the_function_and_leaves_nothing_behind() {
    let server = sign();
    let bad: [(Option<&str>, &[u8]); 9] = [
        (None, b"Hello World"),
        (None, b"SGVsbG8=junk"),
        (None, b"{\"a\":"),
        (None, b"[1,]"),
        (None, b"\"\xff\""),
        (Some("application/json"), b"neither, nor"),
        (Some("application/ld+json"), b"SGVsbG8="),
        (Some("multipart/form-data"), b"--b\r\n\r\n--b--"),
        (
            Some("multipart/form-data; boundary=b"),
            b"--b\r\nContent-Disposition: form-data; name=f; filename=f\r\n\r\ncut",
        ),
    ];
    for (media, body) in bad {
        for chunks in [None, Some([3])] {
            let mut request = server.post(body);
            if let Some(media) = media {
                request = request.media(media);
            }
            if let Some(sizes) = chunks {
                request = request.chunked(&sizes);
            }
            request.send().problem(400);
        }
    }
    nothing_happened(&server);
}

#[test]
fn a_late_error_in_a_large_body_starts_nothing() {
    let server = sign();
    let mut body = encode(noise(3_000_000)).into_bytes();
    let offset = body.len();
    body.extend_from_slice(b"\x07AAA");
    for request in [server.post(&body), server.post(&body).chunked(&[65_521])] {
        let problem = request.send().problem(400);
        let detail = problem["detail"].as_str().expect("text");
        assert!(detail.contains(&offset.to_string()), "{offset} is not in {detail:?}");
    }
    nothing_happened(&server);
}

#[test]
fn errors_name_the_byte_and_its_offset() {
    let server = echo();
    // Body, offset, one of the ways to name the byte.
    let cases: [(&[u8], usize, [&str; 2]); 5] = [
        (b"SGVs*G8=", 4, ["*", "2a"]),
        (b"SG Vs\n\x01", 6, ["\\x01", "01"]),
        (b"SGk=SGk=", 4, ["S", "53"]),
        (b"{\"a\" 1}", 5, ["1", "31"]),
        ("{\"a\":1}ñ".as_bytes(), 7, ["c3", "C3"]),
    ];
    for (body, offset, names) in cases {
        let problem = server.post(body).send().problem(400);
        let detail = problem["detail"].as_str().expect("text");
        assert!(detail.contains(&format!("offset {offset}")), "no offset {offset} in {detail:?}");
        assert!(names.iter().any(|name| detail.contains(name)), "none of {names:?} in {detail:?}");
    }
}

#[test]
fn a_large_body_in_lines_arrives_whole() {
    let server = inputs();
    let bytes = noise(8_000_000);
    let mut lines = Vec::new();
    for line in encode(&bytes).as_bytes().chunks(76) {
        lines.extend_from_slice(line);
        lines.extend_from_slice(b"\r\n");
    }
    let raw = server.post(&bytes).media("application/octet-stream").send().expect(200);
    let sum = raw.text().lines().last().expect("a line").split(' ').take(3).collect::<Vec<_>>().join(" ");
    assert!(sum.starts_with("file 8000000 "), "{sum}");
    for request in [server.post(&lines), server.post(&lines).chunked(&[1000, 65_536]), server.post(encode(&bytes))] {
        let answer = request.send().expect(200);
        assert!(answer.text().contains(&sum), "{answer}");
    }
}

#[test]
fn plain_text_that_begins_as_base64_or_json_is_kept_whole() {
    let server = inputs();
    let letters = "a".repeat(300_000);
    for text in [format!("{letters}."), format!("[\"{letters}\", and so on"), format!("{letters}é")] {
        let answer = server.post(&text).media("text/plain").send().expect(200);
        let raw = server.post(&text).media("application/octet-stream").send().expect(200);
        let sum = |answer: &Answer| answer.text().lines().nth(1).expect("a file").split(' ').nth(2).map(str::to_owned);
        assert_eq!(sum(&answer), sum(&raw), "{}", text.len());
    }
}

#[test]
fn gzip_is_undone_before_anything_else() {
    let server = echo();
    let json = br#"{"a": 1}"#;
    for (media, body, wanted) in [
        (None, &json[..], &json[..]),
        (None, b"SGVsbG8=", b"Hello"),
        (Some("application/octet-stream"), b"\0raw\xff", b"\0raw\xff"),
        (Some("text/plain"), b"plain text", b"plain text"),
    ] {
        for chunks in [&[1][..], &[1_000_000]] {
            let mut request = server.post(gzip(body)).header("Content-Encoding", "gzip").chunked(chunks);
            if let Some(media) = media {
                request = request.media(media);
            }
            assert_eq!(request.send().expect(200).body, wanted, "{media:?}");
        }
    }
    let members = [gzip(b"SGVs"), gzip(b"bG8=")].concat();
    assert_eq!(server.post(members).header("Content-Encoding", "GZIP").send().expect(200).body, b"Hello");
}

#[test]
fn broken_gzip_is_a_bad_body() {
    let server = sign();
    let whole = gzip(&noise(10_000));
    let mut changed = whole.clone();
    let last = changed.len() - 8;
    changed[last] ^= 1;
    for body in [&whole[..whole.len() - 1], &whole[..20], b"not gzip at all", &changed] {
        let answer = server.post(body).header("Content-Encoding", "gzip").media("application/octet-stream").send();
        answer.problem(400);
    }
    nothing_happened(&server);
}

#[test]
fn other_encodings_are_refused() {
    let server = sign();
    for encoding in ["br", "deflate", "zstd", "compress", "gzip, br", "x-unheard-of"] {
        server.post("SGVsbG8=").header("Content-Encoding", encoding).send().problem(415);
    }
    nothing_happened(&server);
}

#[test]
fn the_size_limit_holds_for_what_is_sent() {
    let server = serve(function("sign.sh")).args(["--max-body", "1KiB"]).start();
    let exact = "A".repeat(1024);
    let over = "A".repeat(1028);
    for request in [server.post(&over), server.post(&over).chunked(&[100]), server.post("A".repeat(3_000_000))] {
        request.send().problem(413);
    }
    nothing_happened(&server);
    for request in [server.post(&exact), server.post(&exact).chunked(&[100])] {
        request.send().expect(200);
    }
    assert!(server.has_sign("started"));
}

#[test]
fn a_length_over_the_limit_is_refused_before_the_body_is_sent() {
    let server = sign();
    let mut wire = server.connect();
    wire.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n");
    wire.answer().problem(413);
    nothing_happened(&server);
}

#[test]
fn a_gzip_bomb_meets_the_size_limit() {
    let server = serve(function("sign.sh")).args(["--max-body", "1MiB"]).start();
    let bomb = gzip(&vec![0; 64 << 20]);
    assert!(bomb.len() < 100_000, "small as sent: {}", bomb.len());
    for media in ["application/octet-stream", "text/plain"] {
        server.post(&bomb).header("Content-Encoding", "gzip").media(media).send().problem(413);
    }
    nothing_happened(&server);
}

/// A multipart body of parts with these names and contents.
fn form(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, content) in parts {
        let _ = write!(body, "--XyZ\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n");
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--XyZ--\r\n");
    body
}

fn send_form(server: &Server, parts: &[(&str, &[u8])]) -> Request {
    server.post(form(parts)).media("multipart/form-data; boundary=XyZ")
}

/// The names of the files that the function saw, and the path it was given.
fn seen(answer: &Answer) -> (String, Vec<String>) {
    let mut lines = answer.text().lines();
    let path = lines.next().and_then(|line| line.strip_prefix("path ")).expect("a path").to_owned();
    (path, lines.map(|line| line.splitn(4, ' ').nth(3).expect("a name").to_owned()).collect())
}

#[test]
fn one_part_is_the_input_file_and_keeps_its_name() {
    let server = inputs();
    let answer = send_form(&server, &[("picture one.png", b"\0\r\n--XyZ?\xff")]).send().expect(200);
    assert_eq!(seen(&answer), ("/picture one.png".to_owned(), vec!["picture one.png".to_owned()]), "{answer}");
    assert!(answer.text().contains("file 10 "), "{answer}");
}

#[test]
fn several_parts_are_files_in_the_input_directory() {
    let server = inputs();
    let content = noise(100_000);
    let request = send_form(&server, &[("b.bin", &content), ("a.txt", b"hello"), ("empty", b"")]);
    for request in [request.clone(), request.clone().chunked(&[1009]), request.chunked(&[65_536, 1])] {
        let answer = request.send().expect(200);
        let (path, names) = seen(&answer);
        assert_eq!(names, ["a.txt", "b.bin", "empty"], "{answer}");
        assert!(path.is_empty() || path == "/", "the directory itself: {path:?}");
        assert!(answer.text().contains("file 100000 ") && answer.text().contains("file 0 "), "{answer}");
    }
}

#[test]
fn parts_of_the_same_name_are_both_kept() {
    let server = inputs();
    let answer = send_form(&server, &[("a.txt", b"one"), ("a.txt", b"second")]).send().expect(200);
    let (_, names) = seen(&answer);
    assert_eq!(names.len(), 2, "{answer}");
    assert!(answer.text().contains("file 3 ") && answer.text().contains("file 6 "), "{answer}");
}

#[test]
fn hostile_names_stay_in_the_input_directory() {
    let server = inputs();
    let long = "n".repeat(400);
    let names =
        ["../../../etc/passwd", "/etc/passwd", "..", ".", "", "C:\\temp\\x.txt", "a/../../b", "...", &long, "~", "-rf"];
    for name in names {
        let answer = send_form(&server, &[(name, b"content")]).send();
        // To refuse a name is as good as to tame it.
        if answer.status == 400 {
            continue;
        }
        let (path, names) = seen(&answer.expect(200));
        assert_eq!(names.len(), 1, "{name:?}");
        assert!(!names[0].contains(['/', '\\']) && names[0] != "..", "{name:?} became {names:?}");
        assert_eq!(path, format!("/{}", names[0]), "{name:?}");
    }
    let answer = send_form(&server, &[("../up", b"1"), ("/abs", b"2"), ("in/side", b"3")]).send().expect(200);
    assert_eq!(seen(&answer).1, ["abs", "side", "up"], "{answer}");
}

#[test]
fn a_body_with_a_file_name_keeps_it() {
    let server = inputs();
    for (disposition, name) in [
        ("attachment; filename=report.pdf", "report.pdf"),
        ("attachment; filename=\"two words.txt\"", "two words.txt"),
        ("attachment; filename=\"../../sneaky.sh\"", "sneaky.sh"),
        ("attachment; filename=\"/etc/shadow\"", "shadow"),
        ("attachment; filename*=UTF-8''na%C3%AFve%20one.txt", "naïve one.txt"),
    ] {
        for media in ["application/octet-stream", "image/png", "application/json"] {
            let request = server.post(encode("x")).media(media).header("Content-Disposition", disposition);
            let answer = request.send().expect(200);
            assert_eq!(seen(&answer).1, [name], "{disposition} as {media}");
        }
    }
}

#[test]
fn a_raw_body_of_a_known_type_gets_its_extension() {
    let server = inputs();
    for (media, extension) in [
        ("image/png", "png"),
        ("image/gif", "gif"),
        ("application/pdf", "pdf"),
        ("text/csv", "csv"),
        ("video/mp4", "mp4"),
        ("image/png; name=x", "png"),
    ] {
        let (_, names) = seen(&server.post("x").media(media).send().expect(200));
        let id = names[0].strip_prefix("event-file-").and_then(|name| name.strip_suffix(&format!(".{extension}")));
        let id = id.unwrap_or_else(|| panic!("{media} became {names:?}"));
        assert_eq!(uuid::Uuid::parse_str(id).expect("a uuid").get_version_num(), 4, "{names:?}");
    }
    let (_, names) = seen(&server.post("x").media("application/octet-stream").send().expect(200));
    assert!(names[0].starts_with("event-file-") && names[0].len() == "event-file-".len() + 36, "{names:?}");
}

#[test]
fn a_client_that_leaves_in_mid_body_leaves_nothing_and_starts_nothing() {
    let server = sign();
    let half = encode(noise(1_500_000));
    for head in [
        "Content-Length: 4000000",
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Type: image/png",
    ] {
        let mut wire = server.connect();
        wire.write(format!("POST / HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n").as_bytes());
        if head.starts_with("Content") {
            wire.write(half.as_bytes());
        } else {
            wire.chunk(half.as_bytes());
        }
        eventually("the body is stored while it arrives", || (!server.open().is_empty()).then_some(()));
        wire.leave();
        nothing_happened(&server);
    }
}

#[test]
fn a_transfer_coding_that_is_not_undone_is_refused() {
    let server = sign();
    for coding in ["gzip, chunked", "chunked, chunked"] {
        let mut wire = server.connect();
        let head =
            format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nTransfer-Encoding: {coding}\r\n\r\n");
        wire.write(head.as_bytes());
        wire.chunk(&gzip(b"a picture"));
        wire.chunk(b"");
        let answer = wire.answer().expect(415);
        assert_eq!(answer.wants("X-Bandog-Error"), "unsupported-encoding");
        nothing_happened(&server);
    }
}

#[test]
fn who_sends_part_of_a_body_and_still_listens_is_told_so() {
    let server = sign();
    for broken in ["4\r\nYWJj\r\nno size\r\n", "4\r\nYWJjXX0\r\n\r\n", "no size\r\n"] {
        let mut wire = server.connect();
        wire.write(format!("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{broken}").as_bytes());
        let answer = wire.answer().expect(400);
        assert_eq!(answer.wants("X-Bandog-Error"), "body-incomplete");
        nothing_happened(&server);
    }
}

#[test]
fn a_body_that_stalls_is_given_up() {
    let server = serve(function("sign.sh")).args(["--read-timeout", "1s"]).start();
    let mut wire = server.connect();
    wire.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nSGVs");
    // An answer or the end of the connection: either, but no silence, and never 408, which clients repeat.
    if let Some(line) = wire.line() {
        let status = line.split(' ').nth(1).unwrap_or_default();
        assert!(status.starts_with(['4', '5']) && status != "408", "{line}");
    }
    nothing_happened(&server);
}

#[test]
fn the_go_ahead_is_given_to_clients_that_wait_for_it() {
    let server = echo();
    let mut wire = server.connect();
    wire.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(wire.line().as_deref(), Some("HTTP/1.1 100 Continue"));
    assert_eq!(wire.line().as_deref(), Some(""));
    wire.write(b"SGVsbG8=");
    assert_eq!(wire.answer().expect(200).body, b"Hello");
}

#[test]
fn five_methods_invoke_the_function_on_any_path() {
    let server = serve_command(r#"printf '%s %s' "$Http_Method" "$(cat "$INPUT_FILE_PATH")""#).quiet().start();
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
        for path in ["/", "/run/anything", "/a/b.c?d=e", "/_", "/_x/y", "/health"] {
            let answer = server.request(method, path).body(encode("body")).send().expect(200);
            assert_eq!(answer.text(), format!("{method} body"), "{method} {path}");
        }
    }
}

#[test]
fn a_get_without_a_body_has_an_empty_input_file() {
    let server = inputs();
    for method in ["GET", "DELETE", "POST"] {
        let answer = server.request(method, "/").send().expect(200);
        assert!(answer.text().lines().nth(1).is_some_and(|line| line.starts_with("file 0 ")), "{method}: {answer}");
    }
    // Without any framing a request has no body either.
    let answer = server.request("POST", "/").unframed().send().expect(200);
    assert!(answer.text().contains("file 0 "), "{answer}");
}

#[test]
fn other_methods_are_told_which_there_are() {
    let server = sign();
    for method in ["HEAD", "OPTIONS", "TRACE", "PROPFIND", "BREW"] {
        let answer = server.request(method, "/").send();
        assert_eq!(answer.status, 405, "{answer}");
        let mut allowed: Vec<&str> = answer.wants("allow").split(',').map(str::trim).collect();
        allowed.sort_unstable();
        assert_eq!(allowed, ["DELETE", "GET", "PATCH", "POST", "PUT"], "{answer}");
        assert!(!answer.wants("x-bandog-error").is_empty());
    }
    nothing_happened(&server);
}

#[test]
fn fields_that_are_too_large_are_refused() {
    let server = sign();
    let answer = server.get("/").header("X-Large", "x".repeat(2_000_000)).send();
    assert_eq!(answer.status, 431, "{answer}");
    nothing_happened(&server);
}

#[test]
fn what_a_client_sends_comes_back_unchanged() {
    let server = serve(function("copy.sh")).start();
    let bytes = noise(1_000_003);
    for (media, body) in [(None, encode(&bytes).into_bytes()), (Some("application/octet-stream"), bytes.clone())] {
        let mut request = server.post(body).chunked(&[10_007]);
        if let Some(media) = media {
            request = request.media(media);
        }
        assert!(decode(request.send().expect(200).body) == bytes, "{media:?}");
    }
}
