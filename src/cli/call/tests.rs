//! The client against a server that sends the bytes that a test gives it.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    thread::JoinHandle,
};

use ::base64::{Engine as _, prelude::BASE64_STANDARD};

use super::*;

/// A server for one connection.
struct Server {
    url: String,
    thread: JoinHandle<Request>,
}

/// The request that it got.
#[derive(Debug, Default)]
struct Request {
    head: String,
    body: Vec<u8>,
}

impl Request {
    fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            line.split_once(": ").filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
        })
    }
}

fn serve(handle: impl FnOnce(&mut BufReader<TcpStream>, &mut Request) + Send + 'static) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let url = format!("http://{}/run/test", listener.local_addr().expect("address"));
    let thread = std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("timeout");
        let mut reader = BufReader::new(stream);
        let mut request = Request::default();
        while !request.head.ends_with("\r\n\r\n") {
            assert!(reader.read_line(&mut request.head).expect("a line") > 0, "{}", request.head);
        }
        handle(&mut reader, &mut request);
        request
    });
    Server { url, thread }
}

/// Reads the whole body, then answers.
fn answering(answer: impl Into<Vec<u8>>) -> Server {
    let answer = answer.into();
    serve(move |stream, request| {
        read_body(stream, request);
        stream.get_mut().write_all(&answer).expect("answered");
    })
}

fn read_body(stream: &mut BufReader<TcpStream>, request: &mut Request) {
    if request.field("expect").is_some() {
        stream.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n").expect("continued");
    }
    if let Some(len) = request.field("content-length").and_then(|len| len.parse::<u64>().ok()) {
        stream.take(len).read_to_end(&mut request.body).expect("body");
        return;
    }
    assert_eq!(request.field("transfer-encoding"), Some("chunked"));
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).expect("size");
        let size = u64::from_str_radix(line.trim(), 16).expect("hexadecimal");
        stream.take(size).read_to_end(&mut request.body).expect("chunk");
        stream.read_line(&mut String::new()).expect("line end");
        if size == 0 {
            return;
        }
    }
}

fn ok(fields: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: {}\r\n\r\n{body}", body.len())
}

struct Caller {
    dir: tempfile::TempDir,
    flags: CallFlags,
    environment: Environment,
}

impl Caller {
    fn new(url: &str) -> Self {
        let dir = tempfile::tempdir().expect("tempdir");
        let flags = CallFlags {
            url: url.to_owned(),
            input: None,
            text_input: None,
            output: Some(dir.path().join("out")),
            token: None,
            header: Vec::new(),
            argument: Vec::new(),
            verbose: false,
            raw: false,
            timeout: Some("20s".to_owned()),
            ca_file: None,
        };
        Self { dir, flags, environment: Environment::new() }
    }

    fn sending(mut self, bytes: &[u8]) -> Self {
        let path = self.dir.path().join("in");
        fs::write(&path, bytes).expect("written");
        self.flags.input = Some(path);
        self
    }

    fn call(self) -> Result<Vec<u8>, String> {
        let result = Call::new(self.flags, &self.environment).and_then(|call| call.run());
        let path = self.dir.path().join("out");
        let mut others = fs::read_dir(self.dir.path()).expect("dir").map(|entry| entry.expect("entry").file_name());
        assert!(others.all(|name| name == "in" || name == "out"), "nothing temporary is left");
        match result {
            Ok(()) => Ok(fs::read(path).expect("output")),
            Err(error) => {
                assert!(!path.exists(), "no half answer");
                Err(error.to_string())
            }
        }
    }
}

// ---- what is sent ----

#[test]
fn a_file_is_sent_as_base64_with_its_length() {
    let content: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
    let server = answering(ok("", "fine!"));
    Caller::new(&server.url).sending(&content).call().expect("called");
    let request = server.thread.join().expect("served");
    assert!(request.head.starts_with("POST /run/test HTTP/1.1\r\n"), "{}", request.head);
    assert!(BASE64_STANDARD.decode(&request.body).expect("base64") == content);
    assert_eq!(request.field("content-length"), Some(request.body.len().to_string().as_str()));
    assert_eq!(request.field("expect"), Some("100-continue"));
    assert_eq!(request.field("content-type"), None);
}

#[test]
fn what_has_no_length_is_sent_in_chunks() {
    let server = answering(ok("", "fine!"));
    let mut caller = Caller::new(&server.url);
    caller.flags.input = Some("/proc/self/status".into());
    caller.call().expect("called");
    let request = server.thread.join().expect("served");
    assert_eq!(request.field("content-length"), None);
    assert!(BASE64_STANDARD.decode(&request.body).expect("base64").starts_with(b"Name:"));
}

#[test]
fn a_text_is_encoded_too_and_nothing_is_an_empty_body() {
    let server = answering(ok("", "fine!"));
    let mut caller = Caller::new(&server.url);
    caller.flags.text_input = Some("{\"a\": 1}".to_owned());
    caller.flags.header = vec!["Accept: application/json".to_owned(), "X-A: 1".to_owned()];
    caller.environment.insert("BANDOG_TOKEN".into(), "s3cr3t\n".into());
    caller.call().expect("called");
    let request = server.thread.join().expect("served");
    assert_eq!(request.body, BASE64_STANDARD.encode("{\"a\": 1}").as_bytes());
    assert_eq!(request.field("expect"), None, "a short input is just sent");
    assert_eq!(request.field("authorization"), Some("Bearer s3cr3t"));
    assert_eq!((request.field("accept"), request.field("x-a")), (Some("application/json"), Some("1")));

    let server = answering(ok("", "fine!"));
    Caller::new(&server.url).call().expect("called");
    let request = server.thread.join().expect("served");
    assert_eq!(request.field("content-length"), Some("0"));
}

#[test]
fn a_file_that_becomes_shorter_is_an_error_and_not_a_wait() {
    let mut upload = Base64Upload::new(Box::new(std::io::Cursor::new(b"abc")), Some(100), StopFlag::default());
    assert!(upload.read(&mut [0; 100]).is_err());
    assert!(upload.error.expect("kept").to_string().contains("shorter"));
}

// ---- responses ----

#[test]
fn what_says_that_it_is_base64_is_decoded() {
    let encoded = BASE64_STANDARD.encode([0, 1, 2, 255]);
    for fields in [
        "Content-Transfer-Encoding: BASE64\r\n",
        "X-Output-Kind: file\r\nContent-Type: text/plain; charset=utf-8\r\n",
        "X-Output-Kind: zip\r\nContent-Type: text/plain\r\n",
        "",
    ] {
        let server = answering(ok(fields, &encoded));
        assert_eq!(Caller::new(&server.url).call(), Ok(vec![0, 1, 2, 255]), "{fields}");
    }
}

#[test]
fn logs_raw_files_and_text_are_kept_as_they_are() {
    for (fields, body) in [
        ("X-Output-Kind: logs\r\nContent-Type: text/plain\r\n", "done"),
        ("X-Output-Kind: file\r\nContent-Type: image/png\r\n", "AAAA"),
        ("", "done.\n"),
        ("", ""),
        ("Content-Type: application/json\r\n", "{}"),
    ] {
        let server = answering(ok(fields, body));
        assert_eq!(Caller::new(&server.url).call(), Ok(body.as_bytes().to_vec()), "{fields}");
    }
    let server = answering(ok("Content-Transfer-Encoding: base64\r\n", "AAAA"));
    let mut caller = Caller::new(&server.url);
    caller.flags.raw = true;
    assert_eq!(caller.call(), Ok(b"AAAA".to_vec()));
}

#[test]
fn base64_that_is_none_is_an_error() {
    for body in ["AAA", "AA==AAAA", "{}"] {
        let server = answering(ok("Content-Transfer-Encoding: base64\r\n", body));
        let error = Caller::new(&server.url).call().expect_err("not base64");
        assert!(error.contains("not valid base64"), "{error}");
    }
}

#[test]
fn an_answer_that_breaks_off_is_an_error_and_no_file() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nAAAA",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nAAAA\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nAAAA",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nAAAA",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "",
    ] {
        let server = answering(answer);
        let error = Caller::new(&server.url).call().expect_err(answer);
        assert!(error.contains(&server.url), "{error}");
    }
}

#[test]
fn a_chunked_answer_is_read_to_its_end() {
    let server = answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nQUJ\r\n1\r\nD\r\n0\r\n\r\n");
    assert_eq!(Caller::new(&server.url).call(), Ok(b"ABC".to_vec()));
}

#[test]
fn what_was_there_is_replaced_only_by_a_whole_answer() {
    let server = answering("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nAAAA");
    let caller = Caller::new(&server.url);
    let path = caller.dir.path().join("out");
    fs::write(&path, "before").expect("written");
    let call = Call::new(caller.flags, &caller.environment).expect("fine");
    call.run().expect_err("too short");
    assert_eq!(fs::read_to_string(path).expect("content"), "before");
}

#[test]
fn into_a_directory_the_answer_goes_under_its_own_name_and_nowhere_else() {
    for (fields, name) in [
        ("X-Output-Kind: file\r\nX-Output-Name: caf%C3%A9.txt\r\n", "caf\u{e9}.txt"),
        ("X-Output-Kind: file\r\nX-Output-Name: ..%2F..%2Fetc%2Fpasswd\r\n", "passwd"),
        ("X-Output-Kind: file\r\nX-Output-Name: ..\r\n", "output"),
        ("X-Output-Kind: file\r\nX-Output-Name: .bashrc\r\n", "output"),
        ("X-Output-Kind: zip\r\n", "output.zip"),
        ("X-Output-Kind: logs\r\n", "logs.txt"),
        ("X-Output-Kind: stdout\r\n", "stdout"),
        ("", "output"),
    ] {
        let server = answering(ok(fields, "AAAA"));
        let mut caller = Caller::new(&server.url);
        let directory = caller.dir.path().join("new");
        caller.flags.output = Some(format!("{}/", directory.display()).into());
        Call::new(caller.flags, &caller.environment).and_then(|call| call.run()).expect("called");
        let names: Vec<_> =
            fs::read_dir(directory).expect("made").map(|entry| entry.expect("entry").file_name()).collect();
        assert_eq!(names, [name], "{fields}");
    }
}

#[test]
fn a_device_is_written_to_and_not_replaced() {
    let server = answering(ok("", "AAAA"));
    let mut caller = Caller::new(&server.url);
    caller.flags.output = Some("/dev/null".into());
    Call::new(caller.flags, &caller.environment).and_then(|call| call.run()).expect("called");
    assert!(!fs::metadata("/dev/null").expect("there").is_file());
}

// ---- when it goes wrong ----

#[test]
fn a_problem_is_told_in_words() {
    let body = r#"{"title":"Bad","status":500,"detail":"the function exited with code 3","call_id":"c-1","logs":"one\ntwo\u001b[2J\n"}"#;
    let head = "HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/problem+json\r\n";
    let server = answering(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()));
    let url = server.url.clone();
    assert_eq!(
        Caller::new(&server.url).call().expect_err("failed"),
        format!(
            "{url} answered 500 Internal Server Error: the function exited with code 3\ncall id: c-1\n\
             logs of the function:\none\ntwo\u{fffd}[2J"
        )
    );
    let server = answering("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 6\r\n\r\nnginx\n");
    let error = Caller::new(&server.url).call().expect_err("failed");
    assert!(error.ends_with("answered 502 Bad Gateway:\nnginx"), "{error}");
}

#[test]
fn a_redirection_is_not_followed_but_named() {
    let server =
        answering("HTTP/1.1 307 Temporary Redirect\r\nLocation: https://else.where/\r\nContent-Length: 0\r\n\r\n");
    let error = Caller::new(&server.url).sending(b"x").call().expect_err("not followed");
    assert!(error.contains("it is at https://else.where/; call that"), "{error}");
}

#[test]
fn an_answer_before_the_upload_is_heard_without_one() {
    let server = serve(|stream, request| {
        assert!(request.field("expect").is_some());
        let answer = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 5\r\nConnection: close\r\n\r\ntoken";
        stream.get_mut().write_all(answer.as_bytes()).expect("answered");
    });
    let error = Caller::new(&server.url).sending(&vec![0; 1 << 20]).call().expect_err("refused");
    assert!(error.ends_with("answered 401 Unauthorized:\ntoken"), "{error}");
}

#[test]
fn an_answer_in_the_middle_of_the_upload_is_heard() {
    for has_length in [true, false] {
        let server = serve(|stream, _| {
            stream.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n").expect("continued");
            stream.read_exact(&mut [0; 1000]).expect("the beginning");
            let answer = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig";
            stream.get_mut().write_all(answer.as_bytes()).expect("answered");
            // With the rest unread this is a reset.
        });
        let mut caller = Caller::new(&server.url).sending(&vec![0; 32 << 20]);
        if !has_length {
            let fifo = caller.dir.path().join("in");
            let content = fs::read(&fifo).expect("content");
            fs::remove_file(&fifo).expect("removed");
            rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).expect("fifo");
            caller.flags.input = Some(fifo.clone());
            std::thread::spawn(move || fs::write(fifo, content));
        }
        let error = caller.call().expect_err("refused");
        assert!(error.ends_with("answered 413 Payload Too Large:\nbig"), "{error}");
    }
}

#[test]
fn a_server_that_goes_away_in_the_middle_of_the_upload_is_named() {
    let server = serve(|stream, _| {
        stream.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n").expect("continued");
        stream.read_exact(&mut [0; 1000]).expect("the beginning");
    });
    let error = Caller::new(&server.url).sending(&vec![0; 32 << 20]).call().expect_err("gone");
    assert!(error.contains("closed the connection while the input was being sent"), "{error}");
}

#[test]
fn an_answer_that_does_not_come_in_time_is_an_error() {
    let server = serve(|stream, request| {
        read_body(stream, request);
        let _ = stream.read(&mut [0; 1]);
    });
    let mut caller = Caller::new(&server.url);
    caller.flags.timeout = Some("200ms".to_owned());
    let error = caller.call().expect_err("late");
    assert!(error.contains("within 200ms; see --timeout"), "{error}");
}

#[test]
fn nobody_there_is_an_error_that_names_the_address() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = listener.local_addr().expect("address").to_string();
    drop(listener);
    let error = Caller::new(&address).call().expect_err("nobody");
    assert!(error.contains(&format!("cannot call http://{address}/")), "{error}");
}

#[test]
fn every_wrong_flag_is_named_and_no_token() {
    let mut caller = Caller::new("ftp://x");
    caller.flags.header = vec!["nonsense".to_owned()];
    caller.flags.timeout = Some("soon".to_owned());
    caller.flags.token = Some("s3cr\n3t".to_owned());
    let error = Call::new(caller.flags, &caller.environment).expect_err("wrong").to_string();
    assert_eq!(error.lines().count(), 4, "{error}");
    assert!(!error.contains("s3cr"), "{error}");
    let mut empty = Caller::new("localhost");
    empty.environment.insert("BANDOG_TOKEN".into(), OsStr::new("").into());
    assert!(Call::new(empty.flags, &empty.environment).expect_err("empty").to_string().contains("BANDOG_TOKEN"));
}

#[test]
fn a_url_needs_no_scheme_and_takes_no_password() {
    assert_eq!(parse_url("localhost:8080").expect("fine").to_string(), "http://localhost:8080/");
    assert_eq!(parse_url("https://a.b/c?d=e").expect("fine").to_string(), "https://a.b/c?d=e");
    for text in ["", "http://", "ftp://a", "/path", "a b"] {
        assert!(parse_url(text).is_err(), "{text}");
    }
    let error = parse_url("http://me:s3cr3t@host/").expect_err("a password");
    assert!(!error.contains("s3cr3t"), "{error}");
}
