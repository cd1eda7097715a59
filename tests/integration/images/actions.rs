//! Typed actions in an image: a file in `/`, bandog as process 1, and no need to look inside.

use std::{fs, process::Command};

use super::{Container, Image, Images, STOP_TIMEOUT, docker, images, name, succeed};
use crate::harness::{Request, eventually, shown};

/// A command and a request. The service's own server is another bandog, so that the image needs nothing but a shell.
const SERVICE: &str = r#"
oms: 1
info: {title: Words, version: 1.0.0, description: About words.}
lifecycle:
  startup:
    command:
      - bandog
      - serve
      - --actions=off
      - --listen=127.0.0.1:8700
      - --mode=stdio
      - --
      - sh
      - -c
      - tr a-z A-Z
  shutdown: {command: [sh, -c, 'echo "farewell of $GREETING"'], timeout: 10}
health: {http: {port: 8700, path: /_/ready}}
environment:
  GREETING: {type: string, default: Hello}
actions:
  greet:
    help: Greets somebody by name.
    format: {command: [sh, -c, 'echo "$GREETING, $1, from the child of $PPID"', sh, '{name}']}
    arguments: {name: {type: string, required: true, pattern: '^\w+$'}}
    output: {type: string}
  shout:
    help: Says it loudly.
    http: {port: 8700, method: post, path: /shout}
    arguments: {word: {type: string, required: true}}
    output: {type: object, properties: {WORD: {type: string, required: true}}}
"#;

/// The Dockerfile of a service's image. The user is one that the image does not know.
fn dockerfile(images: &Images) -> String {
    format!(
        "FROM {} AS bandog\nFROM {}\nCOPY --from=bandog /bandog /usr/local/bin/bandog\nCOPY oms.yml /\n\
         USER 12345:12345\nEXPOSE 8080\nENTRYPOINT [\"bandog\"]\n",
        images.alone.0, images.base
    )
}

#[test]
fn an_image_with_a_file_of_actions_answers_describes_itself_and_leaves_nothing() {
    let Some(images) = images() else { return };
    let context = tempfile::tempdir().expect("a temporary directory");
    fs::write(context.path().join("oms.yml"), SERVICE).expect("writable");
    fs::write(context.path().join("Dockerfile"), dockerfile(&images)).expect("writable");
    let image = Image(name("actions"));
    let context = context.path().to_str().expect("a path that is text");
    docker(["build", "--quiet", "--force-rm", "--tag", &image.0, context]);
    let container = Container::run("actions", &[], &image.0, &[]);
    eventually("a listener that is ready", || {
        assert_eq!(container.inspect("{{.State.Status}}"), "running", "{}", container.logs());
        container.logs().contains("the service at 127.0.0.1:8700 is ready").then_some(())
    });
    assert!(container.logs().contains("(2 actions of /oms.yml)"), "{}", container.logs());

    let run = |action: &str, body: &str| {
        Request::new(container.address(), "POST", &format!("/run/{action}")).media("application/json").body(body).send()
    };
    let greeted = run("greet", r#"{"name": "Ann"}"#).expect(200);
    assert_eq!(greeted.text(), "Hello, Ann, from the child of 1");
    let problem = run("greet", r#"{"name": "A B", "loud": true}"#).problem(400);
    assert_eq!(problem["errors"].as_array().map(Vec::len), Some(2), "{problem}");
    assert_eq!(run("shout", r#"{"word": "hello"}"#).expect(200).json()["WORD"], "HELLO");
    let own = Request::new(container.address(), "POST", "/shout").media("application/json").body(r#"{"word": "a"}"#);
    assert_eq!(own.send().expect(200).json()["WORD"], "A");
    let document = container.get("/_/openapi.json").expect(200).json();
    assert_eq!(document["info"]["title"], "Words", "{document}");
    for path in ["/run/greet", "/run/shout", "/shout"] {
        assert!(document["paths"][path]["post"].is_object(), "{path} of {document}");
    }
    container.get("/nowhere").problem(404);

    docker(["stop", "--time", STOP_TIMEOUT, &container.0]);
    // All of them, where messages have the beginning.
    let logs = succeed(Command::new("docker").args(["logs", &container.0]), b"").stderr;
    let logs = String::from_utf8(logs).expect("text");
    assert_eq!(container.inspect("{{.State.ExitCode}} {{.State.OOMKilled}}"), "0 false", "{logs}");
    assert!(logs.contains("farewell of Hello"), "{logs}");
    assert!(logs.contains("the service has ended: exit code 0"), "{logs}");
    // One directory of a listener's own may stay in /tmp; whatever a call had is below it.
    let changed = docker(["diff", &container.0]);
    let left: Vec<&str> = changed.lines().filter(|line| line.matches('/').count() > 2).collect();
    assert_eq!(left, [""; 0], "{}", shown(changed.as_bytes()));
}
