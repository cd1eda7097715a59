//! The clients that people have: curl in all its ways, OSCAR's Python client, Python's own, and one of 1996.

use std::{fs, path::PathBuf, process::Stdio};

use crate::harness::{
    Command, Ran, Server, decode, encode, eventually, fixture, function, noise, program, serve, serve_command,
};

/// `curl` that fails on an error status, and says nothing else.
fn curl(server: &Server) -> Command {
    program("curl").args(["--silent", "--show-error", "--fail-with-body", "--url", &server.url("/run/named")])
}

fn echo() -> Server {
    serve(function("echo.sh")).quiet().start()
}

#[test]
fn curl_d_strips_line_breaks_and_sends_a_form_type() {
    let server = echo();
    let bytes = noise(10_000);
    let mut lines = String::new();
    for line in encode(&bytes).as_bytes().chunks(76) {
        lines.push_str(std::str::from_utf8(line).expect("ASCII"));
        lines.push('\n');
    }
    assert!(curl(&server).args(["-d", "@-"]).stdin(&lines).run().expect(0).stdout == bytes);
    assert!(curl(&server).args(["--data-binary", "@-"]).stdin(&lines).run().expect(0).stdout == bytes);
    let json = "{\"a\": 1}";
    assert_eq!(curl(&server).args(["-d", json]).run().expect(0).text(), json);
    // This one asks for JSON, too.
    let ran = curl(&server).args(["--json", json]).run().expect(0);
    let answer: serde_json::Value = serde_json::from_slice(&ran.stdout).expect("JSON");
    assert_eq!(answer["logs"], json, "{ran}");
    let ran = curl(&server).args(["-d", "message=Hello"]).run().expect(22);
    assert!(ran.text().contains("\"status\":400") || ran.text().contains("\"status\": 400"), "{ran}");
}

#[test]
fn the_documented_pipeline_works() {
    let server = serve(function("copy.sh")).args(["--token", "t0ken", "--service", "named"]).start();
    let home = tempfile::tempdir().expect("a temporary directory");
    let input = home.path().join("input.png");
    let bytes = noise(50_000);
    fs::write(&input, &bytes).expect("writable");
    let pipeline = format!(
        "base64 '{}' | curl -s -X POST -H 'Authorization: Bearer t0ken' -d @- {} | base64 -d",
        input.display(),
        server.url("/run/named"),
    );
    assert!(program("sh").args(["-c", &pipeline]).run().expect(0).stdout == bytes);
}

#[test]
fn curl_uploads_raw_files() {
    let server = serve(function("inputs.sh")).quiet().start();
    let bytes = noise(30_000);
    for arguments in [
        &["-T", "-", "-H", "Content-Type: image/png"][..],
        &["--data-binary", "@-", "-H", "Content-Type: image/png"],
        &["-T", "-", "-X", "POST", "-H", "Content-Type: image/png", "-H", "Expect: 100-continue"],
        &["--data-binary", "@-", "-H", "Content-Type: image/png", "--http1.0"],
        &["--data-binary", "@-", "-H", "Content-Type: image/png", "-H", "Transfer-Encoding: chunked"],
    ] {
        let ran = curl(&server).args(arguments).stdin(&bytes).run().expect(0);
        assert!(ran.text().contains("file 30000 ") && ran.text().contains(".png"), "{ran}");
    }
    let ran = curl(&server).args(["-T", "-"]).stdin(encode(&bytes)).run().expect(0);
    assert!(ran.text().contains("file 30000 "), "without a type it is base64: {ran}");
}

#[test]
fn curl_sends_forms() {
    let server = serve(function("inputs.sh")).quiet().start();
    let send = |names: &[&str]| {
        let command = curl(&server);
        for name in names {
            fs::write(command.home().join(name), format!("content of {name}")).expect("writable");
        }
        names.iter().fold(command, |command, name| command.args(["-F", &format!("file=@{name}")])).run().expect(0)
    };
    let one = send(&["one.txt"]);
    assert!(one.text().starts_with("path /one.txt\nfile 18 "), "{one}");
    let two = send(&["one.txt", "two.txt"]);
    assert!(two.text().contains(" one.txt\n") && two.text().ends_with(" two.txt\n"), "{two}");
}

#[test]
fn curl_sends_chunked_base64_without_a_type_as_oscar_cli_does() {
    let server = serve(function("copy.sh")).start();
    let bytes = noise(300_000);
    let ran = curl(&server)
        .args(["-X", "POST", "-H", "Transfer-Encoding: chunked", "-H", "Content-Type:", "--data-binary", "@-"])
        .stdin(encode(&bytes))
        .run()
        .expect(0);
    // It decodes strictly, after dropping CR and LF.
    assert!(decode(&ran.stdout) == bytes);
}

#[test]
fn curl_says_what_it_accepts() {
    let server = serve_command(r#"printf raw >"$TMP_OUTPUT_DIR/a.bin""#).quiet().start();
    let ran = curl(&server).args(["-H", "Accept: application/octet-stream", "-OJ"]).run().expect(0);
    assert_eq!(fs::read(ran.home().join("a.bin")).expect("saved under its own name"), b"raw", "{ran}");
    let ran = curl(&server).args(["-N", "-H", "Accept: text/event-stream"]).run().expect(0);
    assert!(ran.text().contains("event: result") || ran.text().contains("event:result"), "{ran}");
    let ran = curl(&server).args(["-I"]).run().expect(22);
    assert!(ran.text().contains("405"), "{ran}");
    assert_eq!(curl(&server).args(["--compressed"]).run().expect(0).text(), encode("raw"));
}

#[test]
fn curl_speaks_http_2_without_tls() {
    let server = echo();
    let bytes = noise(200_000);
    let ran =
        curl(&server).args(["--http2-prior-knowledge", "--data-binary", "@-"]).stdin(encode(&bytes)).run().expect(0);
    assert!(ran.stdout == bytes, "{ran}");
}

#[test]
fn a_large_body_that_is_refused_early_is_still_told_why() {
    let server = serve(function("sign.sh")).args(["--max-body", "1MiB"]).start();
    let ran = curl(&server).args(["--data-binary", "@-"]).stdin(vec![b'A'; 20 << 20]).run();
    assert!(ran.text().contains("413"), "{ran}");
}

#[test]
fn pythons_own_client_works() {
    let server = serve(function("copy.sh")).start();
    let script = r#"
import base64, json, sys, urllib.error, urllib.request
url = sys.argv[1]
data = bytes(range(256)) * 100
with urllib.request.urlopen(url, data=base64.b64encode(data), timeout=60) as answer:
    assert answer.status == 200 and base64.b64decode(answer.read()) == data
request = urllib.request.Request(url, data=data, method="PUT",
    headers={"Content-Type": "application/octet-stream", "Accept": "application/octet-stream"})
with urllib.request.urlopen(request, timeout=60) as answer:
    assert answer.read() == data
with urllib.request.urlopen(urllib.request.Request(url, data=iter([b"eyJh", b"IjoxfQ=="]), headers={"Content-Type": "application/base64"}, method="POST"), timeout=60) as answer:
    assert json.loads(base64.b64decode(answer.read())) == {"a": 1}
try:
    urllib.request.urlopen(url, data=b"no!", timeout=60)
    raise SystemExit("no error")
except urllib.error.HTTPError as error:
    assert error.code == 400 and json.load(error)["status"] == 400
print("fine")
"#;
    let ran = program("python3").args(["-c", script, &server.url("/")]).run().expect(0);
    assert_eq!(ran.text(), "fine\n", "{ran}");
}

#[test]
fn a_client_of_http_1_0_is_answered_and_closed() {
    let server = echo();
    let mut wire = server.connect();
    wire.write(b"POST / HTTP/1.0\r\nContent-Length: 8\r\n\r\nSGVsbG8=");
    let answer = wire.answer();
    assert_eq!((answer.status, answer.text()), (200, "Hello"), "{answer}");
    assert_eq!(answer.header("transfer-encoding"), None, "{answer}");
    assert_eq!(wire.line(), None, "the connection is closed");
    let mut wire = server.connect();
    wire.write(b"GET / HTTP/1.0\r\n\r\n");
    assert_eq!(wire.answer().status, 200);
    let mut wire = server.connect();
    wire.write(b"complete nonsense\r\n\r\n");
    let line = wire.line();
    assert!(line.as_deref().is_none_or(|line| line.contains(" 400 ")), "{line:?}");
    server.get("/_/health").send().expect(200);
}

/// Python with OSCAR's client, in an environment that is made if it is not there.
fn oscar_python() -> PathBuf {
    static MAKING: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _one_at_a_time = MAKING.lock();
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target directory").to_owned();
    let venv = target.join("venv");
    let python = venv.join("bin/python");
    let has_it = || {
        let probe =
            || std::process::Command::new(&python).args(["-c", "import oscar_python"]).stderr(Stdio::null()).status();
        python.exists() && probe().is_ok_and(|status| status.success())
    };
    if !has_it() {
        let run = |what: &str, command: &mut std::process::Command| {
            let done = command.output().unwrap_or_else(|error| panic!("cannot {what}: {error}"));
            let said = String::from_utf8_lossy(&done.stderr);
            assert!(done.status.success(), "cannot {what} (`make setup` does it, with access to PyPI): {said}");
        };
        run(
            "make a Python environment",
            std::process::Command::new("/usr/bin/python3").args(["-m", "venv"]).arg(&venv),
        );
        let mut pip = std::process::Command::new(&python);
        run("install oscar-python", pip.args(["-m", "pip", "install", "--quiet", "oscar-python==2.2.0"]));
        assert!(has_it(), "oscar-python is installed and cannot be imported");
    }
    python
}

/// Runs a script of OSCAR's client; its arguments are the endpoint, the token and a directory.
fn oscar(script: &str, endpoint: &str) -> Ran {
    let command = Command::new(&oscar_python());
    let home = command.home().to_owned();
    command.args(["-c", script, endpoint, "t0ken"]).arg(&home).env("HOME", &home).run().expect(0)
}

#[test]
fn oscars_python_client_invokes_with_a_token() {
    let server = serve(function("copy.sh")).args(["--token", "t0ken", "--service", "copier"]).start();
    let script = r#"
import sys, requests
from oscar_python.client import Client
from oscar_python.client_anon import AnonymousClient
endpoint, token, home = sys.argv[1:]
options = {"cluster_id": "c", "endpoint": endpoint, "ssl": "True"}
picture = bytes(range(256)) * 300
with open(home + "/in.png", "wb") as file:
    file.write(picture)
for client in (AnonymousClient(options), Client({**options, "oidc_token": token})):
    answer = client.run_service("copier", token=token, input=home + "/in.png", output=home + "/out.png")
    assert answer.status_code == 200, answer.text
    with open(home + "/out.png", "rb") as file:
        assert file.read() == picture
    client.run_service("copier", token=token, input="plain words", output=home + "/out.txt")
    with open(home + "/out.txt") as file:
        assert file.read() == "plain words"
    client.run_service("copier", token=token, input='{"message": "Hi"}', output=home + "/out.json")
    with open(home + "/out.json") as file:
        assert file.read() == '{"message": "Hi"}'
    assert client.run_service("copier", token=token).status_code == 200
    for name, key in (("copier", "wrong"), ("other", token)):
        try:
            client.run_service(name, token=key, input="x")
            raise SystemExit("no error")
        except requests.HTTPError as error:
            assert error.response.status_code == (401 if key == "wrong" else 404), error
print("fine")
"#;
    let ran = oscar(script, &server.url(""));
    assert_eq!(ran.text(), "fine\n", "{ran}");
}

/// A process that is ended when it is dropped.
struct Ended(std::process::Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn oscars_python_client_invokes_through_a_cluster_that_tells_it_the_token() {
    let server = serve(function("cowsay.sh")).quiet().args(["--token", "t0ken", "--service", "cowsay"]).start();
    let home = tempfile::tempdir().expect("a temporary directory");
    let port = home.path().join("port");
    let _gateway = Ended(
        std::process::Command::new("/usr/bin/python3")
            .arg(fixture("clients/gateway.py"))
            .args([server.url("").as_str()])
            .arg(&port)
            .arg("t0ken")
            .spawn()
            .expect("python3"),
    );
    let port = eventually("the gateway", || fs::read_to_string(&port).ok());
    let script = r#"
import sys
from oscar_python.client import Client
endpoint, token, home = sys.argv[1:]
client = Client({"cluster_id": "c", "endpoint": endpoint, "user": "oscar", "password": "secret", "ssl": "True"})
print(client.run_service("cowsay", input='{"message": "Hello there"}').text)
"#;
    let ran = oscar(script, &format!("http://127.0.0.1:{port}"));
    assert!(ran.text().contains("< Hello there >"), "{ran}");
}
