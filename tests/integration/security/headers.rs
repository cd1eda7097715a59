//! Whatever header is sent, it becomes the variable of its own name or none.

use std::collections::BTreeMap;

use crate::harness::{Answer, Request, Server, server::Builder};

/// A function that is its own environment: no shell between, which would drop what is there twice.
fn server() -> Server {
    Builder::new().quiet().args(["--service", "named", "--", "/usr/bin/env", "-0"]).start()
}

/// Every variable, with all its values.
#[track_caller]
fn variables(answer: &Answer) -> BTreeMap<String, Vec<Vec<u8>>> {
    let mut found: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    for variable in answer.body.split(|byte| *byte == 0).filter(|variable| !variable.is_empty()) {
        let at = variable.iter().position(|byte| *byte == b'=').expect("a name and a value");
        let name = String::from_utf8(variable[..at].to_vec()).expect("a name in UTF-8");
        found.entry(name).or_default().push(variable[at + 1..].to_vec());
    }
    found
}

/// `Http_X_Two` for `x-TWO`; `None` where no variable may be.
fn canonical(header: &str) -> Option<String> {
    let plain = header.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let word = |word: &str| {
        let word = word.to_ascii_lowercase();
        let (first, rest) = word.split_at(word.len().min(1));
        format!("_{}{rest}", first.to_ascii_uppercase())
    };
    plain.then(|| format!("Http{}", header.split('-').map(word).collect::<String>()))
}

/// Headers that could pose as something: what bandog sets, what shells and loaders obey, what other headers become.
const POSERS: &[&str] = &[
    "Query",
    "Path",
    "Method",
    "ContentLength",
    "Content_Length",
    "Content_Type",
    "Transfer_Encoding",
    "X_Call_Id",
    "X-Call_Id",
    "Call-Id",
    "Call_Id",
    "CALL_ID",
    "Http-Query",
    "Http_Query",
    "HTTP_QUERY",
    "Http-Http-Query",
    "Http_Path",
    "Proxy",
    "Http-Proxy",
    "HTTP_PROXY",
    "Http_Proxy",
    "Https-Proxy",
    "PATH",
    "LD_PRELOAD",
    "LD-PRELOAD",
    "BASH_ENV",
    "BASH_FUNC_x%%",
    "IFS",
    "ENV",
    "PS4",
    "HOME",
    "TMPDIR",
    "INPUT_FILE_PATH",
    "TMP_OUTPUT_DIR",
    "TMP-OUTPUT-DIR",
    "RESPONSE_HEADERS_PATH",
    "STORAGE_OBJECT_KEY",
    "EVENT",
    "TRACE_PARENT",
    "-Query",
    "Query-",
    "--",
    "X--Y",
    "x.y",
    "a$b",
    "a'b",
    "a`id`b",
    "a!b",
    "1",
];

/// The same request without and with the header; what is different.
#[track_caller]
fn difference(server: &Server, header: &str, with: impl Fn(Request) -> Request) -> BTreeMap<String, Vec<Vec<u8>>> {
    let request = || server.request("POST", "/run/named?real=1").header("X-Call-Id", "the-call").media("image/png");
    let plain = variables(&request().body("12345").send().expect(200));
    let answer = with(request().body("12345")).send().expect(200);
    let mut seen = variables(&answer);
    for (name, values) in &seen {
        assert_eq!(values.len(), 1, "{header}: {name} is there twice");
    }
    for (name, wanted) in [
        ("Http_Method", "POST"),
        ("Http_Path", "/run/named"),
        ("Http_Query", "real=1"),
        ("Http_Host", server.address.to_string().as_str()),
        ("Http_Content_Length", "5"),
        ("Http_ContentLength", "5"),
        ("Http_Transfer_Encoding", ""),
        ("Http_Content_Type", "image/png"),
        ("CALL_ID", "the-call"),
    ] {
        assert_eq!(String::from_utf8_lossy(&seen[name][0]), wanted, "{header}: {name}");
    }
    for (name, values) in &plain {
        let path =
            ["INPUT_FILE_PATH", "TMP_INPUT_DIR", "TMP_OUTPUT_DIR", "RESPONSE_HEADERS_PATH"].contains(&name.as_str());
        let now = seen.remove(name).unwrap_or_else(|| panic!("{header}: {name} is gone"));
        assert!(path || now == *values, "{header}: {name} was {values:?} and is {now:?}");
        assert!(!now[0].windows(5).any(|part| part == b"posed"), "{header}: {name} is {now:?}");
    }
    seen
}

/// With every sign taken in `request::variables::variable_name` there was an `Http_Content_length`.
#[test]
fn no_header_can_pose_as_another_variable() {
    let server = server();
    let hidden = ["Http_Query", "Http_Path", "Http_Method", "Http_Contentlength", "Http_Proxy"];
    for header in POSERS {
        let wanted = canonical(header).filter(|name| !hidden.contains(&name.as_str()));
        let seen = difference(&server, header, |request| request.header(header, "posed"));
        let names: Vec<&String> = seen.keys().collect();
        assert_eq!(names, wanted.as_ref().into_iter().collect::<Vec<_>>(), "{header}");
        // Twice, in two cases: one variable, of one name.
        let seen = difference(&server, header, |request| {
            request.header(header, "posed").header(&header.to_ascii_uppercase(), "again")
        });
        let values: Vec<_> = seen.into_iter().collect();
        let wanted: Vec<_> = wanted.map(|name| (name, vec![b"posed, again".to_vec()])).into_iter().collect();
        assert_eq!(values, wanted, "{header}");
    }
    let all = difference(&server, "all of them", |request| {
        POSERS.iter().fold(request, |request, header| request.header(header, "posed"))
    });
    for name in all.keys() {
        let rest = name.strip_prefix("Http_").unwrap_or_else(|| panic!("{name} is no variable of a header"));
        assert!(rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'), "{name}");
        assert!(!hidden.contains(&name.as_str()), "{name}");
    }
}

#[test]
fn a_value_stays_a_value() {
    let server = server();
    for value in ["() { :; }; echo posed", "$(id)", "a=b\tc", "%0aPATH=/evil", "\u{e9}\u{202e}", "'\"`"] {
        let seen = difference(&server, value, |request| request.header("X-Value", value));
        let values: Vec<_> = seen.into_iter().collect();
        assert_eq!(values, [("Http_X_Value".to_owned(), vec![value.as_bytes().to_vec()])]);
    }
}

#[test]
fn a_name_that_is_none_is_refused_and_starts_nothing() {
    let server = server();
    for head in
        [&b"X-\xc3\xa9: x\r\n"[..], b"X Y: x\r\n", b": x\r\n", b"X\x00Y: x\r\n", b"X: a\x00b\r\n", b"X\x7f: x\r\n"]
    {
        let mut wire = server.connect();
        wire.write(b"GET / HTTP/1.1\r\nHost: x\r\n");
        wire.write(head);
        wire.write(b"\r\n");
        let line = wire.line();
        assert!(line.as_deref().is_none_or(|line| line.contains(" 400 ")), "{}: {line:?}", head.escape_ascii());
    }
    server.is_clean();
}
