//! Actions that a server elsewhere carries out, over http and https.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fmt::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use super::{FILE, free_port, service};
use crate::harness::{Builder, Server, bandog, encode, eventually, fixture};

/// The file of a service that has nothing of its own.
fn file(origin: &str) -> String {
    format!(
        "oms: 1\nactions:\n  echo:\n    arguments: {{item: {{type: string, in: path}}, q: {{type: string, in: query}}}}\n    \
         http: {{url: '{origin}/echo/{{item}}', method: get}}\n    output: {{type: object}}\n"
    )
}

/// A foreign server on this port, behind a listener that starts and stops it.
fn other(port: u16, more: &[(&str, &Path)]) -> Server {
    let builder = Builder::new().args(["--mode", "http", "--upstream", &format!("http://127.0.0.1:{port}")]);
    let builder = more.iter().fold(builder, |builder, (name, value)| builder.env(name, value.as_os_str()));
    builder.command([OsStr::new("python3"), fixture("upstream/server.py").as_os_str()]).start()
}

/// Calls the action.
fn call(server: &Server) -> crate::harness::Answer {
    server.request("POST", "/run/echo?item=a%2Fb&q=1").header("X-Forwarded-For", "192.0.2.1").send()
}

#[test]
fn a_server_elsewhere_does_it_and_learns_nothing_of_the_caller() {
    let port = free_port();
    let other = other(port, &[]);
    other.get("/").send().expect(200);
    let server = service(&file(&format!("http://127.0.0.1:{port}"))).start();
    server.get("/_/ready").send().expect(200);
    let seen = call(&server).expect(200).json();
    assert_eq!(seen["target"], "/echo/a%2Fb?q=1");
    let names: Vec<&str> = seen["headers"].as_array().expect("fields").iter().filter_map(|it| it[0].as_str()).collect();
    assert!(names.contains(&"x-call-id") && !names.iter().any(|name| name.starts_with("x-forwarded")), "{names:?}");
    server.get("/echo/a").send().problem(404);
}

#[test]
fn nobody_there_is_a_bad_gateway() {
    let server = service(&file(&format!("http://127.0.0.1:{}", free_port()))).start();
    let problem = call(&server).problem(502);
    assert_eq!(problem["type"], "urn:bandog:error:upstream-failed");
    assert!(problem["detail"].as_str().expect("text").starts_with("the server cannot be reached at "), "{problem}");
}

#[test]
fn a_server_elsewhere_gets_files_as_their_content() {
    let port = free_port();
    let other = other(port, &[]);
    other.get("/").send().expect(200);
    let mut file = "oms: 1\nactions:\n".to_owned();
    for (name, kind) in
        [("json", "application/json"), ("form", "application/x-www-form-urlencoded"), ("parts", "multipart/form-data")]
    {
        write!(
            file,
            "  {name}:\n    arguments:\n      file: {{type: path}}\n      more: {{type: list, list: {{elements: {{type: \
             object, properties: {{file: {{type: path}}}}}}}}}}\n      each: {{type: map, map: {{values: {{type: path}}}}}}\n    \
             http: {{url: 'http://127.0.0.1:{port}/echo', method: post, contentType: {kind}}}\n    output: {{type: object}}\n"
        )
        .expect("written");
    }
    let server = service(&file).start();
    let (one, two, three) = (encode("one"), encode([0xff, 0]), encode(""));
    let arguments = json!({"file": one, "more": [{"file": two}], "each": {"a": three}});
    let sent = |action: &str| {
        let request = server.request("POST", &format!("/run/{action}")).media("application/json");
        let seen = request.body(arguments.to_string()).send().expect(200).json();
        seen["body"].as_str().expect("text").to_owned()
    };
    assert_eq!(serde_json::from_str::<Value>(&sent("json")).expect("JSON"), arguments);
    let form: BTreeMap<String, String> = form_urlencoded::parse(sent("form").as_bytes()).into_owned().collect();
    assert_eq!(form["file"], one);
    assert_eq!(form["more"], arguments["more"].to_string());
    let parts = sent("parts");
    assert!(parts.contains("\r\n\r\none\r\n"), "the file itself: {parts}");
    assert!(parts.contains(&format!("\r\n\r\n{}\r\n", arguments["more"])), "{parts}");
    // A caller that sends a file of its own sends that as any other.
    let upload = server.request("POST", "/run/json").media("image/png").body("pixels").send().expect(200).json();
    assert_eq!(upload["body"], json!({"file": encode("pixels")}).to_string());
    let large = vec![b'x'; 8 * 1024 * 1024 + 1];
    let problem = server.request("POST", "/run/json").media("image/png").body(large).send().problem(400);
    assert_eq!(problem["errors"][0]["argument"], "file", "{problem}");
}

#[test]
fn a_file_that_could_be_sent_nowhere_is_a_mistake() {
    let file = "oms: 1\nactions:\n  a:\n    arguments:\n      x: {type: path, in: query}\n      y: {type: list, in: header, \
                list: {elements: {type: path}}}\n      z: {type: path, in: path}\n      body: {type: path, in: requestBody}\n    \
                http: {method: post, url: 'http://example.org/{z}'}\n    output: {type: none}\n";
    let ran = bandog(["check"]).file(FILE, file).run().expect(78);
    for (line, name, place) in [(5, "x", "the query"), (6, "y", "a header field"), (7, "z", "the path")] {
        let wanted = format!("a file cannot be sent in {place} to a server elsewhere");
        let found = format!("{ran}").lines().any(|told| {
            told.contains(&format!("oms.yml:{line}"))
                && told.contains(&format!("a.arguments.{name}"))
                && told.contains(&wanted)
        });
        assert!(found, "{name}: {ran}");
    }
    assert!(!format!("{ran}").contains("arguments.body"), "{ran}");
}

#[test]
fn https_is_spoken_to_whom_the_certificate_is_of_and_to_nobody_else() {
    let dir = tempfile::tempdir().expect("a directory");
    let of_a_server = ["subjectAltName=DNS:localhost", "basicConstraints=critical,CA:FALSE"];
    let (certificate, key) = self_signed(dir.path(), &of_a_server);
    let port = free_port();
    let _other = other(port, &[("CERTIFICATE", &certificate), ("KEY", &key)]);
    eventually("a port that listens", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
    let trusting = |host: &str| {
        let file = file(&format!("https://{host}:{port}"));
        service(&file).env("SSL_CERT_FILE", certificate.as_os_str())
    };
    let seen = call(&trusting("localhost").start()).expect(200).json();
    assert_eq!(seen["target"], "/echo/a%2Fb?q=1");
    // The certificate is of another host, or of an authority that is not trusted.
    for server in [trusting("127.0.0.1"), service(&file(&format!("https://localhost:{port}")))] {
        let problem = call(&server.start()).problem(502);
        assert!(problem["detail"].as_str().expect("text").contains("certificate"), "{problem}");
    }
}

/// A certificate that signs itself, and its key. Without `extensions` it is as the manuals of openssl make one: it may
/// sign others, and names its host in the subject alone.
fn self_signed(dir: &Path, extensions: &[&str]) -> (PathBuf, PathBuf) {
    let (certificate, key) = (dir.join("certificate.pem"), dir.join("key.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=localhost"])
        .args(extensions.iter().flat_map(|extension| ["-addext", extension]))
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .expect("openssl runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    (certificate, key)
}

#[test]
fn a_certificate_that_signs_itself_is_trusted_where_it_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let (certificate, key) = self_signed(dir.path(), &[]);
    let port = free_port();
    let _other = other(port, &[("CERTIFICATE", &certificate), ("KEY", &key)]);
    eventually("a port that listens", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
    let url = format!("https://localhost:{port}");
    // An action's server, by the flag and by the variable.
    let actions = || service(&file(&url));
    for server in
        [actions().arg_path("--ca-file", &certificate), actions().env("SSL_CERT_FILE", certificate.as_os_str())]
    {
        assert_eq!(call(&server.start()).expect(200).json()["target"], "/echo/a%2Fb?q=1");
    }
    // The client.
    let called = |flags: &[&OsStr]| {
        let run =
            crate::harness::bandog([OsStr::new("call"), OsStr::new(&url), OsStr::new("--text-input"), OsStr::new("x")]);
        run.args(flags).run()
    };
    called(&[OsStr::new("--ca-file"), certificate.as_os_str()]).expect(0);
    assert!(called(&[]).expect(1).complaint().contains("certificate"));
    // A provider of tokens, whose documents are none here.
    let guarded = |flags: &[&OsStr]| {
        let serve = [
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--jwt-issuer",
            &url,
            "--jwt-function",
            "a:b",
            "--script",
            "/bin/true",
        ];
        format!("{}", crate::harness::bandog(serve).args(flags).run().expect(70))
    };
    let reached = guarded(&[OsStr::new("--ca-file"), certificate.as_os_str()]);
    assert!(reached.contains("issuer") && !reached.contains("certificate:"), "{reached}");
    assert!(guarded(&[]).contains("certificate"), "a stranger's certificate is not trusted");
    // The same subject, another key.
    let other_dir = tempfile::tempdir().expect("a directory");
    let (stranger, _) = self_signed(other_dir.path(), &[]);
    assert!(called(&[OsStr::new("--ca-file"), stranger.as_os_str()]).expect(1).complaint().contains("certificate"));
}

#[test]
fn a_file_without_certificates_is_a_mistake_at_start() {
    let dir = tempfile::tempdir().expect("a directory");
    let empty = dir.path().join("empty.pem");
    std::fs::write(&empty, "nothing\n").expect("written");
    for (path, wanted) in [(empty.as_path(), "found none"), (Path::new("/missing.pem"), "No such file")] {
        let ran = crate::harness::bandog(["check", "--script", "/bin/true"])
            .args([OsStr::new("--ca-file"), path.as_os_str()]);
        let ran = ran.run().expect(78);
        assert!(ran.text().contains("--ca-file") && ran.text().contains(wanted), "{ran}");
    }
}
