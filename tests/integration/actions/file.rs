//! The file: where it is found, what is told of it, and what stops a start.

use std::{fs, path::Path};

use crate::harness::{Builder, Command, bandog, did_not_run, program, serve_command};

const SERVICE: &str = "oms: 1
info: {title: Words, version: 1.0.0, description: About words.}
actions:
  count:
    help: Counts the letters of a word.
    format: {command: [wc, -c]}
    arguments:
      word: {type: string, required: true, help: The word}
      blanks: {type: boolean, default: false}
    output: {type: int}
  look-up: &web
    http: {method: get, path: '/words/{word}', port: 9000}
    arguments: {word: {type: string, in: path}}
    output: {type: map, map: {values: {type: list, elements: {type: string}}}}
environment:
  LANGUAGE: {type: enum, enum: [en, de], default: de}
  KEY: {type: string, default: s3cr3t, sensitive: true}
";

/// The same with a name that is one.
fn service() -> String {
    SERVICE.replace("look-up", "look_up")
}

/// A command in a directory that has this file.
fn beside(name: &str, text: &str, arguments: &[&str]) -> Command {
    let command = bandog(arguments);
    fs::write(command.home().join(name), text).expect("writable");
    command
}

#[test]
fn actions_are_listed_as_text() {
    for name in ["oms.yml", "oms.yaml", "microservice.yml", "microservice.yaml"] {
        let ran = beside(name, &service(), &["actions"]).run().expect(0);
        assert_eq!(
            ran.text(),
            "count    command  POST /run/count
    Counts the letters of a word.
    word    string   required       The word
    blanks  boolean  default false
    -> int

look_up  http  POST /run/look_up, GET /words/{word}
    word  string  required
    -> map of list of string
",
            "{name}"
        );
    }
}

#[test]
fn actions_are_listed_as_json() {
    let ran = beside("any.yml", &service(), &["actions", "--actions", "any.yml", "--format", "json"]).run().expect(0);
    let listed: serde_json::Value = serde_json::from_str(ran.text()).expect("JSON");
    assert_eq!(listed["service"]["title"], "Words");
    assert_eq!(listed["actions"][0]["arguments"][1]["default"], false);
    assert_eq!(listed["actions"][1]["http"], serde_json::json!({"method": "GET", "path": "/words/{word}"}));
    assert_eq!(listed["actions"][1]["arguments"][0]["in"], "path");
}

#[test]
fn every_mistake_of_the_file_is_told_with_its_line_wherever_it_is_read() {
    let text = SERVICE.replace("type: int", "type: integer").replace("method: get", "method: got");
    let wanted = [
        "oms.yml:10: actions.count.output.type: \"integer\": expected one of",
        "oms.yml:11: actions.look-up: expected an action's name",
        "oms.yml:12: actions.look-up.http.method: \"got\": expected one of get, post, put, delete, patch; did you mean get?",
    ];
    for command in ["check", "serve", "run", "actions"] {
        let ran = beside("oms.yml", &text, &[command]);
        let ran = if command == "actions" { ran } else { ran.with_workspace() };
        let ran = ran.run().expect(78);
        let said = if command == "check" { ran.text() } else { ran.complaint() };
        let lines: Vec<&str> = said.lines().filter(|line| line.contains("oms.yml:")).collect();
        let lines: Vec<&&str> = lines.iter().filter(|line| line.contains(": actions.")).collect();
        assert_eq!(lines.len(), wanted.len(), "{ran}");
        for (line, wanted) in lines.iter().zip(wanted) {
            assert!(line.contains(wanted), "{wanted}: {ran}");
        }
        assert!(!said.contains("nothing to run"), "{ran}");
    }
}

#[test]
fn check_tells_where_the_file_is_and_what_is_in_it_and_hides_secrets() {
    let ran = beside("microservice.yml", &service(), &["check"]).with_workspace().run().expect(0);
    let has = |words: &[&str]| ran.text().lines().any(|line| words.iter().all(|word| line.contains(word)));
    assert!(has(&["--actions", "microservice.yml", "default"]), "{ran}");
    assert!(has(&["action count", "wc -c", "microservice.yml:4"]), "{ran}");
    assert!(has(&["action look_up", "GET /words/{word} on port 9000", "microservice.yml:11"]), "{ran}");
    assert!(has(&["variable LANGUAGE", "de"]) && has(&["variable KEY", "***"]), "{ran}");
    assert!(!ran.text().contains("s3cr3t"), "{ran}");
    let ran = beside("microservice.yml", &service(), &["check", "--format", "json"]).with_workspace().run().expect(0);
    let shown: serde_json::Value = serde_json::from_str(ran.text()).expect("JSON");
    let settings = shown["settings"].as_array().expect("a list");
    let count = settings.iter().find(|entry| entry["name"] == "action count").expect("there");
    assert_eq!(count["value"], "wc -c");
}

#[test]
fn a_program_or_variable_that_is_missing_stops_the_start_and_not_the_listing() {
    let text = service().replace("[wc, -c]", "[no-such-program]").replace("default: de", "required: true");
    for command in ["check", "serve"] {
        let ran = beside("oms.yml", &text, &[command]).with_workspace().run().expect(78);
        let said = format!("{}{}", ran.text(), ran.complaint());
        assert!(
            said.contains("oms.yml:6: actions.count.format.command: \"no-such-program\": not found in PATH"),
            "{ran}"
        );
        let variable = "environment.LANGUAGE: the variable LANGUAGE is not set; expected one of \"en\", \"de\"";
        assert!(said.contains(variable), "{ran}");
    }
    let ran = beside("oms.yml", &text, &["check"]).with_workspace().env("LANGUAGE", "fr").run().expect(78);
    assert!(ran.text().contains("\"fr\": the variable LANGUAGE does not fit"), "{ran}");
    beside("oms.yml", &text, &["actions"]).run().expect(0);
}

#[test]
fn off_looks_for_no_file() {
    let ran = beside("oms.yml", &service(), &["check", "--actions", "off"]).with_workspace().run().expect(78);
    assert!(ran.text().contains("nothing to run"), "{ran}");
    let ran = beside("oms.yml", &service(), &["actions", "--actions", "off"]).run().expect(78);
    assert!(ran.complaint().contains("no actions file"), "{ran}");
    let ran = beside("oms.yml", &service(), &["actions"]).env("BANDOG_ACTIONS", "off").run().expect(78);
    assert!(ran.complaint().contains("no actions file"), "{ran}");
}

#[test]
fn functions_find_the_defaults_of_the_files_variables() {
    let builder = serve_command("echo \"$LANGUAGE $KEY\"");
    let file = builder.workspace().parent().map(|home| home.join("own.yml")).expect("a home");
    fs::write(&file, service()).expect("writable");
    let server = builder.arg_path("--actions", &file).env("KEY", "own").quiet().start();
    assert_eq!(server.post("x").media("text/plain").send().expect(200).text(), "de own\n");
}

/// The one place that a test cannot write to, unless the root is another one.
#[test]
fn the_root_is_looked_at_before_the_working_directory() {
    let script = "set -e; PATH=$PATH:/usr/sbin:/sbin; cd \"$1\"; mkdir root; \
                  mount -t tmpfs tmpfs root; for dir in bin lib lib64 usr proc dev tmp; do \
                  if [ -L /$dir ]; then cp -P /$dir root/; elif [ -d /$dir ]; then mkdir root/$dir; mount --rbind /$dir root/$dir; fi; done; \
                  mkdir root/here; cp oms.yml root/microservice.yaml; printf 'oms: 1\\n' >root/here/oms.yml; cp \"$2\" root/here/bandog; \
                  exec chroot root /bin/sh -c 'cd /here && exec ./bandog actions'";
    let own_root = || program("unshare").args(["--user", "--map-root-user", "--mount"]);
    let tried = own_root().arg("true").run();
    if tried.code() != 0 {
        did_not_run("the file of actions in /", &format!("no root of one's own: {}", tried.complaint()));
        return;
    }
    let home = tempfile::tempdir().expect("a temporary directory");
    fs::write(home.path().join("oms.yml"), service()).expect("writable");
    let unshare = own_root().args(["sh", "-c", script, "sh"]);
    let ran = unshare.arg(home.path()).arg(Path::new(crate::harness::command::BINARY)).run().expect(0);
    assert!(ran.text().starts_with("count "), "{ran}");
}

#[test]
fn the_start_and_check_say_how_many_actions_there_are_of_which_file() {
    let started = |builder: Builder| {
        let server = builder.start();
        let line = server.log_line("where it listens", |line| line.contains("listening on"));
        let home = server.scratch().parent().expect("a parent").display().to_string();
        line.rsplit_once(" (").expect("who answers").1.replace(&home, "")
    };
    assert_eq!(started(Builder::new().file("oms.yml", &service())), "2 actions of /oms.yml)");
    let both = serve_command("true").file("oms.yml", &service());
    let said = started(both);
    assert!(said.starts_with("function from ") && said.ends_with("; 2 actions of /oms.yml)"), "{said}");
    let ran = beside("oms.yml", &service(), &["check"]).with_workspace().run().expect(0);
    let wanted = format!("2 actions of {}/oms.yml", ran.home().display());
    assert!(ran.text().lines().any(|line| line.starts_with("function ") && line.contains(&wanted)), "{ran}");
}

#[test]
fn a_file_without_info_costs_one_line() {
    let text = service().lines().filter(|line| !line.starts_with("info:")).collect::<Vec<_>>().join("\n");
    for arguments in [&["check"][..], &["run", "count", "-a", "word=x"]] {
        let ran = beside("oms.yml", &text, arguments).with_workspace().run();
        let said = format!("{}{}", ran.text(), ran.complaint());
        let warnings: Vec<&str> = said.lines().filter(|line| line.contains("warning: ")).collect();
        assert_eq!(warnings.len(), 1, "{ran}");
        assert!(warnings[0].contains("info: title, version, description missing"), "{ran}");
    }
}
