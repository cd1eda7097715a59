//! Files in the shapes that published services have: each starts, or says exactly why not.

use std::fs;

use serde_json::json;

use super::{filled, serve, service};
use crate::harness::{Command, bandog};

/// Files that start, by what is special about them; in each `ok` can be called, unless there is no action.
const STARTING: [(&str, &str); 19] = [
    (
        "two actions on one path",
        "oms: 1
lifecycle: {startup: {command: [python3, SERVER]}}
actions:
  ok: {http: {path: /insert, port: PORT1, method: post}, output: {type: any}}
  many: {http: {path: /insert, port: PORT1, method: post}, output: {type: any}}
",
    ),
    (
        "two paths that differ in the names of their parameters",
        "oms: 1
actions:
  ok: {format: {command: [echo, ok]}}
  one: {http: {path: '/item/{id}', port: PORT1, method: get}, arguments: {id: {type: int, in: path}}, output: {type: any}}
  two: {http: {path: '/item/:name', port: PORT1, method: get}, arguments: {name: {type: string, in: path}}, output: {type: any}}
",
    ),
    (
        "a path of bandog's",
        "oms: 1
actions:
  ok: {format: {command: [echo, ok]}}
  exec: {http: {path: /run, port: PORT1, method: post}, output: {type: any}}
",
    ),
    (
        "an action on a forwarded path",
        "oms: 1
actions:
  ok: {format: {command: [echo, ok]}}
  page: {http: {path: /page, port: PORT1, method: post}, output: {type: any}}
forwards: {page: {http: {path: /page, port: PORT1}}, again: {http: {path: /page/, port: PORT1}}}
",
    ),
    ("an empty list to start", "oms: 1\nlifecycle: {startup: {command: []}}\nactions: {ok: {format: {command: [echo, ok]}}}\n"),
    (
        "nothing to start or to stop",
        "oms: 1\nlifecycle: {startup: {command: ''}, shutdown: {command: [], timeout: 5}}\nactions: {ok: {format: {command: [echo, ok]}}}\n",
    ),
    (
        "the word run for startup",
        "omg: 1\nlifecycle: {run: {command: [python3, SERVER]}}\nactions: {ok: {http: {path: /x, method: post, port: PORT1}}}\n",
    ),
    (
        "forwards only",
        "oms: 1\nlifecycle: {startup: {command: [python3, SERVER]}}\nforwards: {all: {http: {path: /ui, port: PORT1}}}\n",
    ),
    (
        "exposed paths only",
        "omg: 1\nlifecycle: {startup: {command: [python3, SERVER]}}\nexpose: {hook: {http: {method: post, path: /hook, port: PORT1}}}\n",
    ),
    ("no actions in braces", "oms: 1\nactions: {}\n"),
    ("no actions", "oms: 1\ninfo: {title: x, version: 1, description: y}\nlifecycle: {startup: {command: [sleep, '600']}}\nactions:\n"),
    (
        "a GET with a body",
        "omg: 1
lifecycle: {startup: {command: [python3, SERVER]}}
health: {http: {path: /, port: PORT1}}
actions:
  ok:
    arguments: {url: {type: string, in: requestBody}, query: {type: map, in: requestBody}}
    http: {port: PORT1, path: /, method: get}
    output: {type: any}
",
    ),
    (
        "variables in lower case",
        "oms: 1
actions: {ok: {format: {command: [echo, ok]}}}
environment: {kubeconfig: {type: string, required: true}, Other: {type: int, required: true}}
",
    ),
    (
        "variables without a type",
        "omg: 1\ncommands: {ok: {format: {command: [echo, ok]}}}\nenvironment:\n  token:\n  name: {help: The name}\n",
    ),
    (
        "commands without a version, and env",
        "commands: {ok: {help: x, format: 'echo {word}', arguments: {word: {default: ok}}}}\nenv:\n  URL:\n",
    ),
    ("format as text", "omg: 1\ncommands: {'true': {format: \"text\"}, ok: {format: echo ok}}\n"),
    (
        "entries without a type",
        "omg: 1
commands:
  ok:
    format: {command: [echo, ok]}
    arguments: {a: , b: {}, c: {help: x}, d: {enum: [x, y]}, e: {pattern: '^a'}, f: {range: {min: 1}}, g: {items: {type: int}}}
    output: {help: y}
",
    ),
    (
        "files by their old name",
        "omg: 1\ncommands: {ok: {format: {command: [echo, ok]}, arguments: {before: {type: file}, after: {type: file}}}}\n",
    ),
    (
        "a header with hyphens",
        "oms: 1
lifecycle: {startup: {command: [python3, SERVER]}}
actions:
  ok:
    arguments: {X-Units: {type: string, in: header, default: metric}}
    http: {port: PORT1, path: /x, method: get}
    output: {type: any}
",
    ),
];

#[test]
fn files_in_the_shapes_of_published_ones_start() {
    for (shape, file) in STARTING {
        let server = service(file).env("kubeconfig", "here").env("OTHER", "7").start();
        if file.contains(" ok:") || file.contains("{ok:") {
            let answer = server.request("POST", "/run/ok").media("application/json").body("{}").send();
            assert_eq!(answer.status, 200, "{shape}: {answer:?}");
        } else {
            server.get("/run/ok").send().problem(404);
        }
    }
}

/// A check of a file that cannot be served.
fn check(file: &str, flags: &[&str]) -> Command {
    let command = bandog(&["check"]).args(flags).with_workspace();
    fs::write(command.home().join("oms.yml"), filled(file)).expect("writable");
    command
}

#[test]
fn files_that_cannot_be_served_say_exactly_why() {
    let rest = "oms: 1\nactions: {ok: {format: {command: [echo, ok]}}}\n";
    for (file, wanted) in [
        (
            "commands: {a: {format: no-such-program x}}\n".to_owned(),
            "1: commands.a.format: \"no-such-program\": not found in PATH",
        ),
        (
            "omg: 1\nactions:\n  add:\n  \thelp: Adds\n".to_owned(),
            "4: the line begins with a tab; YAML is indented with spaces",
        ),
        (
            "omg: 1\ncommands: {a: {format: echo, arguments: {a: {type: int, default: 0.01}}}}\n".to_owned(),
            "2: commands.a.arguments.a.default: \"0.01\": does not fit the type: expected a whole number",
        ),
        (
            format!("{rest}environment: {{kubeconfig: {{type: string, required: true}}}}\n"),
            "3: environment.KUBECONFIG: the variable KUBECONFIG is not set; expected a string",
        ),
        (
            format!("{rest}lifecycle: {{startup: {{command: ['', x]}}}}\n"),
            "3: lifecycle.startup.command: the command is empty; expected a program, then its arguments",
        ),
        (
            format!("{rest}forwards: {{x: {{http: {{path: /run/x, port: 1}}}}}}\n"),
            "3: forwards.x.http.path: \"/run/x\": paths below /run/ are bandog's own; choose another",
        ),
    ] {
        let ran = check(&file, &[]).run().expect(78);
        let mistakes: Vec<&str> = ran.text().lines().filter(|line| line.starts_with("mistake: ")).collect();
        assert!(mistakes.len() == 1 && mistakes[0].contains(&format!("oms.yml:{wanted}")), "{wanted}: {ran}");
    }
}

#[test]
fn a_variable_counts_in_any_case_and_its_own_case_first() {
    let file = "oms: 1
actions: {tell: {format: {command: [sh, -c, 'echo $KEY $OTHER']}, output: {type: string}}}
environment: {key: {type: string, required: true}, Other: {type: string, default: unset}}
";
    let told = |variables: &[(&str, &str)]| {
        let builder = variables.iter().fold(serve(file), |builder, (name, value)| builder.env(name, value));
        builder.start().post("").to("/run/tell").send().expect(200).text().to_owned()
    };
    assert_eq!(told(&[("key", "low"), ("oTHER", "mixed")]), "low mixed");
    assert_eq!(told(&[("Key", "mixed"), ("KEY", "own")]), "own unset");
    let ran = check(file, &[]).env("Key", "x").run().expect(0);
    assert!(ran.text().lines().any(|line| line.starts_with("variable KEY") && line.ends_with(" Key")), "{ran}");
}

#[test]
fn a_get_sends_its_body_and_headers_with_hyphens() {
    let file = "oms: 1
lifecycle: {startup: {command: [python3, SERVER]}}
actions:
  a:
    arguments:
      X-Units: {type: string, in: header}
      word: {type: string, in: requestBody}
    http: {port: PORT1, path: /echo/a, method: get}
    output: {type: object}
";
    let server = service(file).start();
    let by_name = server.request("POST", "/run/a").media("application/json").body(r#"{"word": "x", "X-Units": "cm"}"#);
    let own =
        server.request("GET", "/echo/a").media("application/json").header("X-Units", "cm").body(r#"{"word": "x"}"#);
    for request in [by_name, own] {
        let seen = request.send().expect(200).json();
        assert_eq!((&seen["method"], &seen["body"]), (&json!("GET"), &json!(r#"{"word":"x"}"#)), "{seen}");
        let fields = seen["headers"].as_array().expect("fields");
        assert!(fields.contains(&json!(["x-units", "cm"])), "{seen}");
    }
    let ran = bandog(&["run", "a", "-a", "word=x", "-a", "X-Units=cm"]).with_workspace();
    let scratch = ran.home().to_owned();
    let ran = ran.env("SCRATCH", scratch);
    fs::write(ran.home().join("oms.yml"), filled(file)).expect("writable");
    let ran = ran.run().expect(0);
    assert!(ran.text().contains(r#"{\"word\":\"x\"}"#), "{ran}");
}

const PARTLY_BAD: &str = "oms: 1
actions:
  ok: {format: {command: [echo, ok]}, output: {type: string}}
  bad: {format: {command: [echo, no]}, arguments: {a: {type: what}}}
  gone: {format: {command: [no-such-program]}}
";

#[test]
fn bad_actions_are_left_out_if_the_operator_says_so() {
    check(PARTLY_BAD, &[]).run().expect(78);
    let ran = check(PARTLY_BAD, &["--actions-lenient"]).run().expect(0);
    for wanted in [
        "oms.yml:4: actions.bad.arguments.a.type: \"what\": expected one of",
        "; the action bad is left out",
        "oms.yml:5: actions.gone.format.command: \"no-such-program\": not found in PATH",
        "install it in the image or give its path; the action gone is left out",
    ] {
        assert!(
            ran.text().lines().any(|line| line.starts_with("warning: ") && line.contains(wanted)),
            "{wanted}: {ran}"
        );
    }
    let server = serve(PARTLY_BAD).env("BANDOG_ACTIONS_LENIENT", "true").start();
    assert_eq!(server.post("").to("/run/ok").send().expect(200).text(), "ok");
    server.post("").to("/run/bad").send().problem(404);
    server.post("").to("/run/gone").send().problem(404);
    server.log_line("the mistake", |line| line.contains("WARNING") && line.contains("the action bad is left out"));

    let listed = bandog(&["actions", "--actions-lenient"]);
    fs::write(listed.home().join("oms.yml"), PARTLY_BAD).expect("writable");
    let ran = listed.run().expect(0);
    assert!(ran.text().contains("/run/ok") && !ran.text().contains("/run/bad"), "{ran}");
    assert!(ran.complaint().contains("the action bad is left out"), "{ran}");

    let one = bandog(&["run", "gone", "--actions-lenient"]).with_workspace();
    fs::write(one.home().join("oms.yml"), PARTLY_BAD).expect("writable");
    let ran = one.run().expect(78);
    assert!(ran.complaint().contains("the action gone is left out; bandog check names its mistake"), "{ran}");

    let none = PARTLY_BAD.lines().filter(|line| !line.contains("  ok:")).collect::<Vec<_>>().join("\n");
    let ran = check(&none, &["--actions-lenient"]).run().expect(78);
    assert!(ran.text().contains("every action is left out, so there is nothing to call"), "{ran}");
}
