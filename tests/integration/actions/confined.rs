//! Actions as another user, in the sandbox and within limits: what they are given they can read, and the service's own
//! process is held as they are.

use std::{fs, os::unix::fs::PermissionsExt as _};

use super::{free_port, json, serve};
use crate::harness::{Builder, Server, did_not_run, eventually, listing};

/// A user and a group that own nothing here.
const USER: &str = "54321:54322";

/// The ways to be held.
const WAYS: [&[&str]; 3] = [
    &["--user", USER],
    &["--sandbox", "--max-output", "4MB", "--max-open-files", "64"],
    &["--user", USER, "--sandbox", "--max-memory", "512MiB", "--max-output", "4MB", "--max-open-files", "64"],
];

/// The ways that this machine has.
fn ways() -> impl Iterator<Item = &'static [&'static str]> {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        did_not_run("actions as another user", "only root may run functions as another user");
    }
    WAYS.into_iter().filter(move |way| is_root || !way.contains(&"--user"))
}

/// A listener whose directories another user can walk through, and into whose scratch directory every user may write.
fn open_to_all(builder: Builder) -> Server {
    let scratch = builder.workspace().parent().expect("a parent").join("scratch");
    let server = builder.start();
    let home = server.workspace();
    let home = home.parent().expect("a parent");
    for (dir, mode) in [(home, 0o711), (&server.workspace(), 0o711), (&scratch, 0o777)] {
        fs::set_permissions(dir, fs::Permissions::from_mode(mode)).expect("chmod");
    }
    server
}

/// The effect of the flags on a process: its user, whether it may gain privileges, and how many files it may open.
fn wanted(way: &[&str], user: u32) -> serde_json::Value {
    let uid = if way.contains(&"--user") { 54321 } else { user };
    let files = way.contains(&"--max-open-files").then_some(64);
    serde_json::json!({"uid": uid, "sandboxed": way.contains(&"--sandbox"), "files": files})
}

#[test]
fn arguments_and_files_are_there_for_whoever_the_action_runs_as() {
    let file = r#"
oms: 1
actions:
  show:
    format:
      command: [sh, -c, 'set -e; id -u; wc -c; wc -c <"$ARGUMENTS_PATH"; wc -c <"$(head -c 400 "$ARGUMENTS_PATH" | sed "s/.*\"file\":\"\([^\"]*\)\".*/\1/")"', sh]
    arguments: {file: {type: path, required: true}, text: {type: string}}
    output: {type: string}
  size:
    format: {command: [sh, -c, 'cat "$1" && echo more >>"$1" && tail -n 1 "$1"', sh, '{file}']}
    arguments: {file: {type: path, required: true}}
    output: {type: string}
"#;
    for way in ways() {
        let server = open_to_all(serve(file).args(way));
        let text = "x".repeat(200_000);
        let part = |name: &str, more: &str, content: &str| {
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"{more}\r\n\r\n{content}\r\n")
        };
        let form = [part("file", "; filename=\"n.txt\"", "seven b"), part("text", "", &text), "--b--\r\n".to_owned()];
        let request = server.request("POST", "/run/show").media("multipart/form-data; boundary=b").body(form.concat());
        let answer = request.send().expect(200);
        let seen: Vec<usize> = answer.text().lines().map(|line| line.parse().expect("a number")).collect();
        let user = if way.contains(&"--user") { 54321 } else { rustix::process::geteuid().as_raw() as usize };
        assert_eq!((seen[0], seen[1], seen[3]), (user, seen[2], 7), "{way:?}: {answer}");
        assert!(seen[2] > 200_000, "{way:?}: {answer}");
        let raw = server.request("POST", "/run/size").media("image/png").body("content\n").send().expect(200);
        assert_eq!(raw.text(), "content\nmore", "{way:?}");
        server.is_clean();
    }
}

#[test]
fn another_try_finds_what_the_first_one_found() {
    let file = r#"
oms: 1
actions:
  insist:
    format:
      command: [sh, -c, 'printf "X-Try: %s\n" "$$" >"$RESPONSE_HEADERS_PATH"; echo "$$" >>"$SCRATCH/tries"; wc -c; wc -c <"$ARGUMENTS_PATH"; id -u; test "$(wc -l <"$SCRATCH/tries")" = 3 || exit 2', sh]
    arguments: {text: {type: string}}
    output: {type: string}
"#;
    for way in ways() {
        let builder = serve(file).args(way).args(["--retries", "2"]);
        let scratch = builder.workspace().parent().expect("a parent").join("scratch");
        let builder = if way.contains(&"--sandbox") { builder.arg_path("--allow-write", &scratch) } else { builder };
        let server = open_to_all(builder);
        let sent = format!(r#"{{"text":"{}"}}"#, "x".repeat(200_000 - r#"{"text":""}"#.len()));
        let answer = server.request("POST", "/run/insist").media("application/json").body(sent).send().expect(200);
        let user = if way.contains(&"--user") { 54321 } else { rustix::process::geteuid().as_raw() };
        assert_eq!(answer.text(), format!("200000\n200000\n{user}"), "{way:?}");
        let last = server.sign("tries").lines().last().expect("a try").to_owned();
        assert_eq!(answer.wants("x-try"), last, "{way:?}");
        server.is_clean();
    }
}

#[test]
fn an_action_is_ended_at_its_limits() {
    let file = r"
oms: 1
actions:
  write: {format: {command: [sh, -c, 'head -c 3000000 /dev/zero']}, output: {type: string}}
";
    let server = serve(file).args(["--max-output", "2MB", "--retries", "3"]).start();
    let answer = server.request("POST", "/run/write").send();
    let problem = answer.problem(500);
    assert_eq!(answer.wants("x-bandog-error"), "output-too-large", "{answer}");
    assert_eq!(problem["attempts"], 1, "{problem}");
    server.is_clean();
}

/// Answers every request with what it is, as JSON.
const TELLS: &str = r#"
import json, os, resource, tempfile
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            open(os.path.join(os.environ["SCRATCH"], "outside"), "w").close()
            sandboxed = False
        except OSError:
            sandboxed = True
        with tempfile.TemporaryFile() as file:
            file.write(b"x")
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        names = ["GREETING", "KEY", "HOME"]
        self.tell({"uid": os.getuid(), "sandboxed": sandboxed, "files": files if files == 64 else None,
                   "found": {name: os.environ.get(name) for name in names}})

    def do_POST(self):
        self.tell(len(self.rfile.read(int(self.headers["Content-Length"]))))

    def tell(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"#;

/// A service that is the program above.
fn tells() -> Builder {
    let port = free_port();
    let file = format!(
        "oms: 1\nlifecycle: {{startup: {{command: [python3, -c, {TELLS:?}]}}}}\n\
         environment:\n  GREETING: {{type: string, default: Hello}}\n  \
         KEY: {{type: string, default: s3cr3t, sensitive: true}}\n\
         actions:\n  self: {{http: {{port: {port}, method: get, path: /self}}, output: {{type: object}}}}\n  \
         weigh:\n    http: {{port: {port}, method: post, path: /weigh, contentType: application/octet-stream}}\n    \
         arguments: {{file: {{type: path, required: true}}}}\n    output: {{type: int}}\n"
    );
    serve(&file)
}

#[test]
fn the_services_own_process_is_held_as_functions_are() {
    let own = rustix::process::geteuid().as_raw();
    for way in [&[][..]].into_iter().chain(ways()) {
        let server = open_to_all(tells().args(way));
        let told = server.get("/self").send().expect(200).json();
        let wanted = wanted(way, own);
        for name in ["uid", "sandboxed", "files"] {
            assert_eq!(told[name], wanted[name], "{way:?}: {name} of {told}");
        }
        // A file goes to it by its content, so that it need not be able to read bandog's.
        let sent = server.request("POST", "/weigh").media("image/png").body(vec![7_u8; 70_000]).send().expect(200);
        assert_eq!(json(sent.text()), 70_000, "{way:?}");
        // Its own workspace lives as long as it does.
        eventually("no other workspace", || {
            let dirs = listing(&server.workspace()).into_iter().filter(|path| !path.contains('/'));
            (dirs.count() == 1).then_some(())
        });
    }
}

#[test]
fn the_services_own_process_finds_the_defaults_of_the_files_variables() {
    let found = |builder: Builder| builder.start().get("/self").send().expect(200).json()["found"].clone();
    let home = std::env::temp_dir();
    let builder = tells().env("HOME", &home);
    assert_eq!(found(builder), serde_json::json!({"GREETING": "Hello", "KEY": "s3cr3t", "HOME": home}));
    let set = found(tells().env("GREETING", "Ahoy").env("KEY", ""));
    assert_eq!(set, serde_json::json!({"GREETING": "Ahoy", "KEY": "", "HOME": null}));
}
