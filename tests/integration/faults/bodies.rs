//! Bodies: cut, kept in memory, rewritten, taken for something else.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpStream},
};

use crate::harness::{PATIENCE, bandog, decode, encode, noise, proc_status, serve, serve_command};

/// With an end of the body (`Ok(None)`) in place of `SourceError::Gone` where `Incoming` is left without a word, the
/// function was run with 98,000 of 300,000 bytes, and answered with 200.
#[test]
fn f04_a_body_on_a_kept_connection_is_whole_or_refused() {
    let server = serve_command("cat").args(["--stdin", "input"]).quiet().start();
    let mut wire = server.connect();
    for round in 0..20 {
        let bytes = noise(300_000 + round);
        let request = server.post(&bytes).media("application/octet-stream");
        let request = if round % 2 == 0 { request } else { request.chunked(&[8191, 65_537]) };
        let answer = request.send_on(&mut wire).expect(200);
        assert!(answer.body == bytes, "round {round}: {} bytes", answer.body.len());
    }
    for framing in ["Content-Length: 300000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n493e0\r\n"] {
        let mut half = TcpStream::connect(server.address).expect("connected");
        half.set_read_timeout(Some(PATIENCE)).expect("a socket");
        let head = format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n{framing}");
        half.write_all(head.as_bytes()).expect("sent");
        half.write_all(&noise(98_000)).expect("sent");
        half.shutdown(Shutdown::Write).expect("shut down");
        let mut answer = Vec::new();
        half.read_to_end(&mut answer).expect("an answer");
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("body-incomplete"), "{framing:?}: {answer}");
    }
}

/// Without the flush of a full buffer (`Store::write`) the peak was over 200 MiB.
#[test]
fn f09_a_body_is_never_in_memory_and_has_a_limit() {
    const PIECE: usize = 1 << 20;
    const PIECES: usize = 200;
    let server = serve_command("wc -c").args(["--stdin", "input"]).quiet().start();
    let mut wire = server.connect();
    let head = format!("Host: x\r\nContent-Type: image/png\r\nContent-Length: {}\r\n\r\n", PIECE * PIECES);
    wire.write(format!("POST / HTTP/1.1\r\n{head}").as_bytes());
    let piece = noise(PIECE);
    for _ in 0..PIECES {
        wire.write(&piece);
    }
    assert_eq!(wire.answer().expect(200).text().trim(), (PIECE * PIECES).to_string());
    let peak = proc_status(server.pid(), "VmHWM").expect("it runs");
    assert!(peak < 24 * 1024, "{peak} KiB at the peak");
    let strict = serve_command("wc -c").args(["--max-body", "1MiB"]).start();
    strict.post(vec![b'A'; PIECE + 4]).send().problem(413);
}

/// With digits taken for the beginning of JSON (in `Text::decide`) they were not decoded. No code that rewrites JSON
/// is there to be taken out: with the checked bytes put through `serde_json`, `1.0e1` would come out as `10.0`.
#[test]
fn f19_json_is_not_rewritten_and_nothing_is_answered_with_a_traceback() {
    let server = serve_command("cat").args(["--stdin", "input"]).quiet().start();
    let json = [
        r#"{"float": 1.0, "exponent": 1.0e1, "long": 12345678901234567890.123456789}"#,
        r#"{ "escapes" : "\u00e9\/\ud83d\ude00é" ,"spacing":[ 1,2 , 3 ]}"#,
        r#"{"twice": 1, "twice": 2}"#,
        "[1, 2]\n",
        r#""a string""#,
    ];
    for body in json {
        for request in [server.post(body), server.post(body).media("application/json")] {
            assert_eq!(request.send().expect(200).text(), body);
        }
    }
    for scalar in ["1.0", "-0", "true", "null", "12345"] {
        assert_eq!(server.post(scalar).media("application/json").send().expect(200).text(), scalar);
    }
    assert_eq!(server.post("Hello, world!").media("text/plain").send().expect(200).text(), "Hello, world!");
    assert_eq!(server.post("12345678").send().expect(200).body, decode("12345678"));
    for bad in ["{\"a\":", "[1,]", "plain words", "\"\u{1}\""] {
        let answer = server.post(bad).send();
        let problem = answer.problem(400);
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("offset")), "{answer}");
        assert!(!answer.text().contains("Traceback") && !answer.text().contains("panicked"), "{answer}");
    }
}

/// With any `eventSource` taken for an object store's, the second last was a storage event.
#[test]
fn f20_a_key_with_a_telling_name_makes_no_event() {
    let command = r#"printf '%s|%s|' "${EVENT-none}" "${STORAGE_OBJECT_KEY-none}"; cat "$INPUT_FILE_PATH""#;
    let server = serve_command(command).quiet().start();
    let object = r#""s3": {"bucket": {"name": "in"}, "object": {"key": "a/b.png"}}"#;
    for body in [
        r#"{"event": "{\"Records\": []}"}"#.to_owned(),
        r#"{"httpMethod": "POST", "body": "eA==", "isBase64Encoded": true}"#.to_owned(),
        r#"{"event_type": "storage", "Key": "in/a.png"}"#.to_owned(),
        r#"{"Records": []}"#.to_owned(),
        r#"{"Records": {"0": {"eventSource": "aws:s3"}}}"#.to_owned(),
        r#"{"Records": [{"eventSource": "aws:s3", "s3": {"object": {"key": "a"}}}]}"#.to_owned(),
        format!(r#"{{"Records": [{{"eventSource": "mine", {object}}}]}}"#),
        format!(r#"{{"event": {{"Records": [{{"eventSource": "aws:s3", {object}}}]}}}}"#),
    ] {
        assert_eq!(server.post(&body).send().expect(200).text(), format!("none|none|{body}"));
    }
    let event = format!(r#"{{"Records": [{{"eventSource": "minio:s3", {object}}}]}}"#);
    assert_eq!(server.post(&event).send().expect(200).text(), format!("{event}|a/b.png|{event}"));
}

/// As a form, the key of Ceph lost its plus sign; the other stores encode theirs.
#[test]
fn the_key_of_a_storage_event_is_the_name_of_the_object() {
    let server = serve_command(r#"printf '%s' "$STORAGE_OBJECT_KEY""#).quiet().start();
    for (source, key, wanted) in [
        ("ceph:s3", "in/my pic+1.jpg", "in/my pic+1.jpg"),
        ("rustfs:s3", "in%2Fmy+pic%2B1.jpg", "in/my pic+1.jpg"),
        ("aws:s3", "in/my+pic%ZZ.jpg", "in/my pic%ZZ.jpg"),
    ] {
        let event = format!(
            r#"{{"Records": [{{"eventSource": "{source}", "s3": {{"bucket": {{"name": "b"}}, "object": {{"key": "{key}"}}}}}}]}}"#
        );
        assert_eq!(server.post(&event).send().expect(200).text(), wanted, "{source}");
    }
}

/// With blanks taken for base64 of nothing, the function got an empty file; with spare bits ignored behind padding, a
/// form became two odd bytes.
#[test]
fn what_only_looks_like_base64_is_refused_with_the_way_out() {
    let server = serve_command("cat").args(["--stdin", "input"]).quiet().start();
    let detail = |media: &str, body: &str| {
        let answer = server.post(body).media(media).send();
        let problem = answer.problem(400);
        problem["detail"].as_str().expect("a detail").to_owned()
    };
    assert!(detail("application/json", " \r\n").starts_with("the body is not JSON: the body ends at offset 3"));
    assert!(detail("application/json", "key=").contains("it looks like a form"));
    let form = detail("application/x-www-form-urlencoded", "token=a&text=b");
    assert!(form.contains("--forms json") && form.contains("--forms raw or --mode stdio"), "{form}");
    let hello = detail("application/x-www-form-urlencoded", "hello");
    let line =
        format!("curl -H 'Content-Type: application/octet-stream' --data-binary 'hello' http://{}/", server.address);
    assert!(hello.ends_with(&line), "{hello}");
    assert_eq!(server.post("hello").media("application/octet-stream").send().expect(200).text(), "hello");
}

#[test]
fn a_form_reaches_the_function_as_the_operator_asks_for_it() {
    let form = "token=a&text=b+%26&text=c";
    for (forms, wanted) in [("raw", form), ("json", r#"{"token":"a","text":["b &","c"]}"#)] {
        let server = serve_command("cat").args(["--stdin", "input", "--forms", forms]).quiet().start();
        let answer = server.post(form).media("application/x-www-form-urlencoded").send();
        assert_eq!(answer.expect(200).text(), wanted, "{forms}");
        let ran = bandog([
            "run",
            "--log-level",
            "CRITICAL",
            "--forms",
            forms,
            "--content-type",
            "application/x-www-form-urlencoded",
        ]);
        let ran = ran.with_workspace().stdin(form).args(["--", "/bin/sh", "-c", "cat \"$INPUT_FILE_PATH\""]).run();
        assert_eq!(ran.expect(0).text(), wanted, "run, {forms}");
    }
}

/// With only the first piece read of what `bandog run` is given (`Waited::next`), the long body was refused.
#[test]
fn f26_no_shell_stands_between_a_job_and_its_body() {
    let blanks = r#"{"two":  "blanks  and   more", "glob": "* ~ /etc/*", "line": "a\nb\\n", "shell": "$(id) `id` ;"}"#;
    let long = format!("[{}0]", "\"  *  \", ".repeat(200_000 / 10 * 2));
    assert!(long.len() > 128 * 1024, "longer than one variable may be");
    for body in [blanks, &long] {
        let run = bandog(["run", "--log-level", "CRITICAL"]).with_workspace().stdin(body);
        let ran = run.args(["--", "/bin/sh", "-c", "cat \"$INPUT_FILE_PATH\""]).run().expect(0);
        assert!(ran.text() == body, "{ran}");
    }
    // An event as a variable is the body, byte for byte, too.
    let event =
        r#"{"Records":  [{"eventSource": "aws:s3", "s3": {"bucket": {"name": "*"}, "object": {"key": "a+%2A"}}}]}"#;
    let server = serve_command(r#"printf '%s' "$EVENT"; printf ' %s' "$STORAGE_OBJECT_KEY" >&2"#).quiet().start();
    assert_eq!(server.post(event).send().expect(200).text(), format!("{event} a *"));
    let encoded = serve(crate::harness::function("echo.sh")).quiet().start();
    assert_eq!(encoded.post(encode(blanks)).send().expect(200).text(), blanks);
}
