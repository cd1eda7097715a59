//! What passes through bandog on its way between a client and a server arrives as the specification says, whatever it is:
//! methods, targets, fields, statuses and bodies, made at random and compared byte for byte with what the other side got.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
};

use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use serde_json::{Value, json};

use crate::harness::{Answer, PATIENCE, Server, server::Builder};

/// A request or a response as it was on the wire.
#[derive(Debug, Clone)]
struct Message {
    start: String,
    /// Names in lower case, and values without blanks around.
    fields: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Message {
    /// Reads a message whose body has a length, or none; `None` on a connection that only looks whether the server is there.
    fn read(stream: &mut TcpStream) -> Option<Self> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            if stream.read(&mut byte).expect("a head") == 0 {
                assert!(head.is_empty(), "a head that is cut");
                return None;
            }
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).expect("UTF-8");
        let mut lines = head.trim_end_matches("\r\n").split("\r\n");
        let start = lines.next().expect("a line").to_owned();
        let fields: Vec<_> = lines.map(|line| line.split_once(':').expect("a field")).collect();
        let fields: Vec<(String, String)> =
            fields.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
        let length = fields.iter().find(|(name, _)| name == "content-length").map_or("0", |(_, length)| length);
        let mut body = vec![0; length.parse().expect("a length")];
        stream.read_exact(&mut body).expect("a body");
        Some(Self { start, fields, body })
    }

    fn values(&self, name: &str) -> Vec<&str> {
        self.fields.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str()).collect()
    }
}

/// A server that sends what it is told, and tells what it got.
struct Mirror {
    address: SocketAddr,
    responses: Sender<Vec<u8>>,
    requests: Receiver<Message>,
}

impl Mirror {
    /// Ends with the test.
    fn new() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("bound");
        let address = listener.local_addr().expect("an address");
        let (responses, to_send) = channel::<Vec<u8>>();
        let (told, requests) = channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                stream.set_read_timeout(Some(PATIENCE)).expect("settable");
                let Some(request) = Message::read(&mut stream) else { continue };
                let _ = told.send(request);
                let Ok(response) = to_send.recv() else { return };
                stream.write_all(&response).expect("sent");
            }
        });
        Self { address, responses, requests }
    }

    /// Has bandog make one call, for which this server sends `response`.
    fn exchange(&self, response: impl Into<Vec<u8>>, call: impl FnOnce() -> Answer) -> (Message, Answer) {
        self.responses.send(response.into()).expect("it listens");
        let answer = call();
        (self.requests.recv_timeout(PATIENCE).expect("a request"), answer)
    }
}

/// Runs a property a number of times that a start of a server is worth.
fn check<S: Strategy>(strategy: &S, property: impl Fn(S::Value)) {
    let mut runner = TestRunner::new(Config { cases: 150, failure_persistence: None, ..Config::default() });
    let run = runner.run(strategy, |value| {
        property(value);
        Ok(())
    });
    run.unwrap_or_else(|failure| panic!("{failure}"));
}

/// Names of fields: tokens (RFC 9110 §5.6.2) that bandog gives no meaning.
fn names() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "x-own",
        "X-Own",
        "x-OTHER",
        "Link",
        "Accept-Language",
        "ETag",
        "!#$%&'*+.^_`|~",
        "0",
        "Warning",
    ])
    .prop_map(str::to_owned)
}

/// Values of fields (RFC 9110 §5.5): visible characters, with blanks between them, and others than ASCII.
fn values() -> impl Strategy<Value = String> {
    "([!-~é\u{202e}\u{1f600}]([ \t!-~é\u{85}]{0,20}[!-~é])?)?"
}

fn fields() -> impl Strategy<Value = Vec<(String, String)>> {
    prop::collection::vec((names(), values()), 0..6)
}

fn lines(fields: &[(String, String)]) -> String {
    fields.iter().flat_map(|(name, value)| [name, ": ", value, "\r\n"]).collect()
}

/// The values of each name are the same, in the same order (RFC 9110 §5.3).
#[track_caller]
fn assert_arrived(sent: &[(String, String)], came: &[(String, String)]) {
    for (name, _) in sent {
        let of = |fields: &[(String, String)]| -> Vec<String> {
            let fields = fields.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
            fields.map(|(_, value)| value.clone()).collect()
        };
        assert_eq!(of(came), of(sent), "{name}");
    }
}

fn proxy(mirror: &Mirror) -> Server {
    let url = format!("http://{}", mirror.address);
    Builder::new().quiet().args(["--mode", "http", "--upstream", &url]).start()
}

/// RFC 9110 §7.6: an intermediary changes neither status nor content, and takes away only the fields of the connection:
/// those that `Connection` names, and those of §7.6.1.
#[test]
fn any_response_of_a_server_reaches_the_client_as_it_is() {
    let mirror = Mirror::new();
    let server = proxy(&mirror);
    let strategy = (200_u16..=999, "[ -~]{0,20}", fields(), prop::collection::vec(any::<u8>(), 0..40));
    check(&strategy, |(status, reason, fields, content)| {
        let has_content = !matches!(status, 204 | 304);
        let content = if has_content { content } else { Vec::new() };
        let length = if has_content { format!("Content-Length: {}\r\n", content.len()) } else { String::new() };
        let head = format!(
            "HTTP/1.1 {status} {reason}\r\n{}Connection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n{length}\r\n",
            lines(&fields)
        );
        let (_, answer) = mirror.exchange([head.as_bytes(), &content].concat(), || server.get("/").send());
        assert_eq!((answer.status, &answer.body, answer.whole), (status, &content, true), "{answer}");
        assert_arrived(&fields, &answer.headers);
        for name in ["x-hop", "keep-alive", "transfer-encoding"] {
            assert_eq!(answer.header(name), None, "{answer}");
        }
        let length = answer.header("content-length").map(str::to_owned);
        assert_eq!(length, has_content.then(|| content.len().to_string()), "{answer}");
    });
}

/// The same for requests (RFC 9110 §7.6), with their methods (§9.1: any token) and targets (RFC 9112 §3.2.1).
#[test]
fn any_request_of_a_client_reaches_the_server_as_it_is() {
    let mirror = Mirror::new();
    let server = proxy(&mirror);
    let strategy = (
        prop_oneof![Just("GET".to_owned()), "[A-Z][A-Za-z!#$%&'*+.^_`|~-]{0,8}"],
        // pchar, `/` and `?` of RFC 3986 §3.3 and §3.4; a path of bandog's own begins with `/_/`.
        "/([a-zA-Z0-9.~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2}){0,20}(\\?([a-z0-9.~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2}){0,20})?",
        fields(),
        prop::collection::vec(any::<u8>(), 0..40),
    );
    check(&strategy, |(method, target, fields, content)| {
        if ["HEAD", "CONNECT", "TRACE"].contains(&method.as_str()) {
            return;
        }
        let mut request =
            server.request(&method, &target).body(&content).header("Connection", "X-Hop").header("X-Hop", "1");
        for (name, value) in &fields {
            request = request.header(name, value);
        }
        let response = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        let (seen, _) = mirror.exchange(response, || request.send().expect(200));
        assert_eq!(seen.start, format!("{method} {target} HTTP/1.1"));
        assert_eq!(seen.body, content);
        assert_arrived(&fields, &seen.fields);
        assert_eq!(seen.values("x-hop"), [""; 0]);
        assert_eq!(seen.values("x-forwarded-for"), ["127.0.0.1"]);
    });
}

/// A service whose only action is done by the mirror.
fn action(mirror: &Mirror, http: &str, arguments: &str) -> Server {
    let file = format!(
        "oms: 1\nactions:\n  act:\n    arguments: {{{arguments}}}\n    output: {{type: string}}\n    \
         http: {{url: 'http://{}/a/{{item}}', {http}}}\n",
        mirror.address
    );
    Builder::new().quiet().file("oms.yml", &file).args(["--retries", "0"]).start()
}

/// Undoes percent-encoding (RFC 3986 §2.1); what stands for itself must be unreserved (§2.3).
fn decoded(text: &str) -> String {
    let (mut bytes, mut chars) = (Vec::new(), text.chars());
    while let Some(char) = chars.next() {
        if char == '%' {
            let digits: String = chars.by_ref().take(2).collect();
            bytes.push(u8::from_str_radix(&digits, 16).expect("hexadecimal"));
        } else {
            assert!(char.is_ascii_alphanumeric() || "-._~".contains(char), "{char:?} in {text}");
            bytes.push(u8::try_from(char).expect("ASCII"));
        }
    }
    String::from_utf8(bytes).expect("UTF-8")
}

#[test]
fn any_argument_of_an_action_reaches_its_server_as_it_is() {
    let odd = || "[ -~é\u{0}\u{1}\r\n\t\u{7f}\u{202e}\u{1f600}]{0,12}";
    let strategy = ("[ -~é]{1,8}", odd(), values(), odd(), any::<i64>());
    for kind in ["application/x-www-form-urlencoded", "application/json"] {
        let mirror = Mirror::new();
        let arguments = "item: {type: string, in: path}, query: {type: string, in: query}, word: {type: string, in: header}, \
                         text: {type: string, in: requestBody}, number: {type: int, in: requestBody}";
        let server = action(&mirror, &format!("method: post, contentType: {kind}"), arguments);
        check(&strategy, |(item, query, word, text, number)| {
            let given = json!({"item": item, "query": query, "word": word, "text": text, "number": number});
            let call = server.request("POST", "/run/act").media("application/json").body(given.to_string());
            if item == "." || item.split(['/', '\\']).any(|part| part == "..") {
                call.send().problem(400);
                return;
            }
            let response = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
            let (seen, answer) = mirror.exchange(response, || call.send().expect(200));
            assert_eq!(answer.text(), "ok");
            let target = seen.start.strip_prefix("POST /a/").and_then(|rest| rest.strip_suffix(" HTTP/1.1"));
            let (path, sent) = target.and_then(|target| target.split_once("?query=")).expect("path and query");
            assert_eq!((decoded(path), decoded(sent)), (item, query));
            assert_eq!(seen.values("word"), [word]);
            assert_eq!(seen.values("content-type"), [kind]);
            let body = String::from_utf8(seen.body).expect("UTF-8");
            if kind == "application/json" {
                assert_eq!(
                    serde_json::from_str::<Value>(&body).expect("JSON"),
                    json!({"text": text, "number": number})
                );
            } else {
                let pairs: Vec<_> = body.split('&').map(|pair| pair.split_once('=').expect("a pair")).collect();
                let pairs: Vec<_> = pairs.into_iter().map(|(name, value)| (decoded(name), decoded(value))).collect();
                let wanted = [("text", text), ("number", number.to_string())];
                assert_eq!(pairs, wanted.map(|(name, value)| (name.to_owned(), value)));
            }
        });
    }
}

/// The table of docs/actions.md, for every status.
#[test]
fn any_status_of_an_actions_server_has_its_meaning() {
    let mirror = Mirror::new();
    let server = action(&mirror, "method: get", "item: {type: string, in: path}");
    for status in 200_u16..=999 {
        let content = if matches!(status, 204 | 304) { "" } else { "Content-Length: 2\r\n\r\nno" };
        let response = format!("HTTP/1.1 {status} Words\r\nConnection: close\r\n{content}\r\n");
        let (_, answer) = mirror.exchange(response, || server.request("POST", "/run/act?item=x").send());
        let wanted = match status {
            200..=299 => 200,
            408 | 425 | 429 | 503 => 503,
            400..=499 => 422,
            _ => 502,
        };
        assert_eq!(answer.status, wanted, "{status}: {answer}");
        if wanted != 200 {
            assert_eq!(answer.problem(wanted)["upstream_status"], status, "{answer}");
        }
    }
}
