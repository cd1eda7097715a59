//! `bandog run ACTION`: the same checks and the same result as over HTTP.

use std::fs;

use super::{FILE, json};
use crate::harness::{Command, bandog, encode};

const ACTIONS: &str = r#"
oms: 1
actions:
  show:
    format: {command: [sh, -c, 'printf %s "$1"', sh]}
    arguments: {text: {type: string, required: true}, number: {type: int, default: 1}, tags: {type: list}}
    output: {type: object}
  size: {format: {command: [wc, -c, '{file}']}, arguments: {file: {type: path, required: true}}, output: {type: string}}
  end: {format: {command: [sh, -c, 'echo why >&2; exit {code}']}, arguments: {code: {type: int}}, output: {type: none}}
  lie: {format: {command: [echo, x]}, output: {type: int}}
  other: {rpc: {port: 9000}, output: {type: none}}
"#;

fn run<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    bandog(["run"]).args(arguments.into_iter().map(str::to_owned)).with_workspace().file(FILE, ACTIONS)
}

#[test]
fn arguments_are_typed_by_the_file_and_the_result_is_printed_bare() {
    let ran =
        run(["show", "-a", "text=to be = not", "--argument", "tags=[1, \"b\"]", "-a", "number=7"]).run().expect(0);
    assert_eq!(json(ran.text()), serde_json::json!({"text": "to be = not", "number": 7, "tags": [1, "b"]}));
    let ran = run(["show", "-a", "text="]).run().expect(0);
    assert_eq!(ran.text(), r#"{"text":"","number":1}"#);
}

#[test]
fn the_standard_input_is_read_only_if_it_is_named() {
    let ran = run(["show", "-a", "text=x"]).stdin("not read").run().expect(0);
    assert_eq!(ran.text(), r#"{"text":"x","number":1}"#);
    let body = r#"{"text": "stdin", "number": 2}"#;
    for (flags, stdin) in [(["-f", "-"], body.to_owned()), (["-f", "-"], encode(body)), (["-i", body], String::new())] {
        let ran = run(["show"]).args(flags).stdin(stdin).run().expect(0);
        assert_eq!(ran.text(), r#"{"text":"stdin","number":2}"#, "{flags:?}");
    }
    run(["show", "-a", "text=x", "-i", body]).run().expect(65);
}

#[test]
fn a_file_is_named_or_the_whole_input() {
    let command = run(["size", "-a", "file=picture.png"]).file("picture.png", "12345");
    assert!(command.run().expect(0).text().starts_with("5 /"), "the path is absolute");
    assert!(run(["size", "-f", "picture.png"]).file("picture.png", "1234").run().expect(0).text().starts_with("4 /"));
    let ran = run(["size", "-a", "file=none.png"]).run().expect(65);
    assert!(ran.complaint().contains("`file`") && ran.complaint().contains("none.png"), "{ran}");
}

#[test]
fn an_argument_in_a_header_is_given_as_one() {
    let file = "oms: 1\nactions:\n  say:\n    format: {command: [sh, -c, 'printf %s \"$1\"', sh]}\n    arguments: {Word: \
                {type: string, in: header, required: true}}\n    output: {type: object}\n";
    let say = || bandog(["run", "say"]).with_workspace().file(FILE, file);
    for given in [["--header", "Word: hi"], ["-a", "Word=hi"]] {
        assert_eq!(say().args(given).run().expect(0).text(), r#"{"Word":"hi"}"#, "{given:?}");
    }
    let ran = say().run().expect(65);
    assert!(ran.complaint().contains("`Word`"), "{ran}");
}

#[test]
fn every_flaw_is_told_with_65_and_nothing_is_started() {
    let ran = run(["show", "-a", "number=x", "-a", "extra=1"]).run().expect(65);
    for name in ["text", "number", "extra"] {
        assert!(ran.complaint().lines().any(|line| line.contains(&format!("`{name}`"))), "{name} is missing: {ran}");
    }
}

#[test]
fn the_exit_code_is_the_actions_own() {
    for code in [1, 2, 3, 77] {
        let ran = run(["end", "-a", &format!("code={code}"), "-o", "out"]).run().expect(code);
        assert!(ran.complaint().contains("why"), "{ran}");
    }
    let ran = run(["lie"]).run().expect(70);
    assert!(ran.complaint().contains("result"), "{ran}");
}

#[test]
fn the_result_goes_where_it_is_wanted() {
    let ran = run(["show", "-a", "text=x", "-o", "out.json"]).run().expect(0);
    assert_eq!(fs::read_to_string(ran.home().join("out.json")).expect("there"), r#"{"text":"x","number":1}"#);
    assert_eq!(ran.text(), "");
}

#[test]
fn a_word_that_is_nothing_names_the_actions_and_a_script_is_still_a_script() {
    let ran = run(["shwo"]).run().expect(78);
    assert!(ran.complaint().contains("show, size, end, lie, other"), "{ran}");
    let ran = run(["-a", "text=x", "--", "/bin/true"]).run().expect(78);
    assert!(ran.complaint().contains("--argument text=x"), "{ran}");
    let ran = run(["show", "-a", "text"]).run().expect(78);
    assert!(ran.complaint().contains("NAME=VALUE"), "{ran}");
    let ran = run(["./show"]).file("show", "#!/bin/sh\necho script").run().expect(0);
    assert!(ran.text().contains("script"), "{ran}");
    let ran = run(["other"]).run().expect(78);
    assert!(ran.complaint().contains("rpc"), "{ran}");
}
