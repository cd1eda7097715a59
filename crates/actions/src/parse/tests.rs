//! Tests of valid files; `examples.rs` has the specification's own, `mistakes.rs` the invalid ones.

use std::{fmt::Write as _, path::Path};

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{Endpoint, HttpCall, Interface, Location, MediaType, Type, list};

mod examples;
mod mistakes;
mod published;

fn reading(text: &str) -> ParsedFile {
    Service::read(Path::new("/srv/oms.yml"), text.as_bytes())
}

fn service(text: &str) -> Service {
    let reading = reading(text);
    assert_eq!(reading.mistakes, [], "{text}");
    reading.service.expect("no mistake")
}

fn shown(diagnostics: &[Diagnostic]) -> Vec<String> {
    diagnostics.iter().map(|diagnostic| format!("{}: {diagnostic}", diagnostic.line)).collect()
}

fn mistakes(text: &str) -> Vec<String> {
    let reading = reading(text);
    assert!(reading.service.is_none() || reading.mistakes.is_empty());
    shown(&reading.mistakes)
}

/// The request of an action.
fn call(interface: &Interface) -> &HttpCall {
    match interface {
        Interface::Http(call) => call,
        Interface::Command(_) | Interface::Rpc | Interface::Events => panic!("{interface:?}"),
    }
}

fn words(service: &Service, name: &str) -> Vec<String> {
    match &service.action(name).expect("an action").interface {
        Interface::Command(words) => words.iter().map(ToString::to_string).collect(),
        other @ (Interface::Http(_) | Interface::Rpc | Interface::Events) => panic!("{other:?}"),
    }
}

#[test]
fn anchors_and_merge_keys_resolve_and_the_platforms_keys_are_let_through() {
    let text = "oms: 1
x-http: &http {method: get, port: 80}
x-id: &id
  id: &text {type: string, in: path, pattern: '^[a-z]+$'}
scale: {metrics: {}}
system: [a]
auth: 1
volumes:
hostedExternally: true
source: x
fromOpenAPIVersion: 3
whatever: *id
actions:
  one: &one
    http: {<<: *http, path: '/one/{id}'}
    arguments: {<<: *id}
    output: &output {type: int}
  two:
    <<: [*one]
    http:
      <<: [*http, {port: 90, contentType: multipart/form-data}]
      path: /two/:id
    arguments:
      <<: *id
      more: {<<: *text, in: query}
";
    let service = service(text);
    let of = |name| {
        let action = service.action(name).expect("there");
        let Endpoint::Service { port, path } = &call(&action.interface).endpoint else { panic!("{action:?}") };
        let names: Vec<_> = action.arguments.iter().map(|argument| argument.name.clone()).collect();
        (*port, path.to_string(), names.join(" "), call(&action.interface).content_type)
    };
    assert_eq!(of("one"), (80, "/one/{id}".into(), "id".into(), MediaType::Json));
    assert_eq!(of("two"), (80, "/two/{id}".into(), "more id".into(), MediaType::Multipart));
    assert_eq!(service.action("two").map(|action| action.arguments[0].location), Some(Location::Query));
}

#[test]
fn a_whole_service_is_read_as_it_is_listed() {
    let text = r"
oms: 1
info:
  title: Pictures
  version: 1.10
  description: Makes them smaller.
  contact: {name: A, url: https://a.example, email: a@a.example}
  license: {name: MIT}
actions:
  resize:
    help: Makes a picture smaller.
    format: {command: resize --to {width} {{height}}x:image}
    arguments:
      variadic: true
      image: {type: path, required: true, help: The picture}
      width: {type: int, default: 100, range: {min: 1, max: 5e3}}
      height: {type: number, default: 5}
      mode: {type: enum, enum: [fast, 2, true, null, '2'], default: 2}
      name: {type: string, pattern: '^[\w.]+$', deprecated: true}
      tags: {type: list, list: {elements: {type: string, enum: [a, b]}}, default: [a]}
      sizes: {type: map, map: {keys: {type: string}, values: {type: list, elements: {type: int}}}}
      size: {type: object, properties: {w: {type: int, required: true, help: Wide}, h: {type: object, properties: {}}}}
      id: {type: uuid}
      rest: {type: any, default: {a: [1, 2.5, 'x']}}
    output: {type: none, contentType: application/octet-stream, help: The picture}
lifecycle:
  startup: {command: server -p 80}
  shutdown: {command: [stop, 9], timeout: 2.5}
health: {http: {path: /healthy, port: 80}}
environment:
  api_key: {type: string, required: true, sensitive: true, help: Of the account}
  LEVEL: {type: int, default: 010}
  LIST: {type: list, default: [1, a]}
forwards:
  ui: {help: The page, http: {path: /ui}}
metrics: {prometheus: {tls: false, port: 81, uri: /prometheus}}
";
    let text = text.replace("resize --to {width} {{height}}x:image", "'resize --to {width} {{height}}x:image'");
    let service = service(&text);
    assert_eq!(words(&service, "resize"), ["resize", "--to", "{width}", "{height}x{image}"]);
    assert_eq!(service.info.contact[2].as_deref(), Some("a@a.example"));
    assert_eq!(service.info.license, [Some("MIT".to_owned()), None]);
    assert_eq!(service.lifecycle.startup, ["server", "-p", "80"]);
    let shutdown = service.lifecycle.shutdown.clone().expect("there");
    assert_eq!(
        (shutdown.command.join(" "), shutdown.timeout),
        ("stop 9".into(), Some(std::time::Duration::from_millis(2500)))
    );
    assert_eq!(service.health.as_ref().map(|health| (health.port, health.path.as_str())), Some((80, "/healthy")));
    let variables: Vec<_> =
        service.environment.iter().map(|variable| (variable.name.as_str(), variable.default.as_deref())).collect();
    assert_eq!(variables, [("API_KEY", None), ("LEVEL", Some("010")), ("LIST", Some("[1,\"a\"]"))]);
    assert!(service.environment[0].sensitive && service.environment[0].required);
    assert_eq!((service.forwards[0].port, service.forwards[0].path.as_str()), (80, "/ui"));
    assert_eq!(service.metrics.as_ref().map(|scrape| (scrape.port, scrape.path.as_str())), Some((81, "/prometheus")));
    assert_eq!(
        list::document(&service),
        json!({
            "service": {"title": "Pictures", "version": "1.10", "description": "Makes them smaller."},
            "actions": [{
                "name": "resize", "help": "Makes a picture smaller.", "interface": "command",
                "run": {"method": "POST", "path": "/run/resize"},
                "arguments": [
                    {"name": "image", "type": "path", "in": "requestBody", "required": true, "help": "The picture"},
                    {"name": "width", "type": "int", "range": {"min": 1, "max": "5e3".parse::<serde_json::Number>().expect("a number")}, "in": "requestBody",
                     "required": false, "default": 100},
                    {"name": "height", "type": "float", "in": "requestBody", "required": false, "default": 5},
                    {"name": "mode", "type": "enum", "enum": ["fast", 2, true, null, "2"], "in": "requestBody",
                     "required": false, "default": 2},
                    {"name": "name", "type": "string", "pattern": "^[\\w.]+$", "in": "requestBody",
                     "required": false, "deprecated": true},
                    {"name": "tags", "type": "list", "list": {"elements": {"type": "string", "enum": ["a", "b"]}},
                     "in": "requestBody", "required": false, "default": ["a"]},
                    {"name": "sizes", "type": "map", "in": "requestBody", "required": false, "map": {
                        "keys": {"type": "string"}, "values": {"type": "list", "list": {"elements": {"type": "int"}}}}},
                    {"name": "size", "type": "object", "in": "requestBody", "required": false, "properties": {
                        "w": {"type": "int", "required": true, "help": "Wide"},
                        "h": {"type": "object", "required": false}}},
                    {"name": "id", "type": "uuid", "in": "requestBody", "required": false},
                    {"name": "rest", "type": "any", "in": "requestBody", "required": false,
                     "default": {"a": [1, 2.5, "x"]}},
                ],
                "variadic": true,
                "output": {"type": "none", "contentType": "application/octet-stream", "help": "The picture"},
            }],
        })
    );
    let listed = list::text(&service);
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!(lines[0], "resize  command  POST /run/resize");
    assert_eq!(lines[1], "    Makes a picture smaller.");
    assert_eq!(lines[2], "    image   path                    required       The picture");
    assert_eq!(lines[5], "    mode    \"fast\"|2|true|null|\"2\"  default 2");
    assert_eq!(lines.last(), Some(&"    -> none as application/octet-stream  The picture"));
}

#[test]
fn what_only_people_miss_is_a_warning() {
    let reading = reading(
        "oms: 1\nactions: {a: {format: {command: a}}}\ninfo:\n  titel: x\n  version: 2\nenviroment: {}\nelse: {}\n",
    );
    assert!(reading.service.is_some());
    assert_eq!(
        shown(&reading.warnings),
        [
            "3: info: title, description missing; it describes the service to people",
            "4: info.titel: unknown key; did you mean title?",
            "6: enviroment: unknown key; did you mean environment?",
        ]
    );
}

#[test]
fn a_value_within_a_shells_script_is_warned_of() {
    for (command, is_odd) in [
        ("[sh, -c, 'echo {word}']", true),
        ("[/bin/bash, -e, -c, 'echo ${word}', bash, more]", true),
        ("[busybox, sh, -euc, 'echo :word']", true),
        ("[sh, -c, 'echo \"$1\"', sh, '{word}']", false),
        ("[sh, '{word}']", false),
        ("[grep, -c, '{word}']", false),
    ] {
        let info = "info: {title: a, version: '1', description: a}";
        let text = format!(
            "oms: 1\n{info}\nactions:\n  a:\n    format: {{command: {command}}}\n    arguments: {{word: {{type: string}}}}\n"
        );
        let reading = reading(&text);
        assert!(reading.service.is_some(), "{command}");
        let warnings = shown(&reading.warnings);
        assert_eq!(warnings.len(), usize::from(is_odd), "{command}: {warnings:?}");
        let place = "5: actions.a.format.command: ";
        assert!(
            warnings
                .iter()
                .all(|it| it.starts_with(place) && it.contains("the callers' word becomes part of the script")),
            "{warnings:?}"
        );
    }
}

#[test]
fn a_misspelt_argument_in_a_command_is_warned_of() {
    for (command, near) in [
        ("[echo, 'x{wrod}']", Some("{wrod} is not an argument and is passed unchanged; did you mean {word}?")),
        ("[echo, '{{wor}}', '{word}']", Some("{wor} is not an argument and is passed unchanged; did you mean {word}?")),
        ("[awk, '{print}', '{word}']", None),
        ("[echo, 'host:8080', ':wrod']", None),
    ] {
        let info = "info: {title: a, version: '1', description: a}";
        let format = format!("{{format: {{command: {command}}}, arguments: {{word: {{type: string}}}}}}");
        let reading = reading(&format!("oms: 1\n{info}\nactions: {{a: {format}}}\n"));
        assert!(reading.service.is_some(), "{command}");
        let wanted = near.map(|near| format!("3: actions.a.format.command: {near}"));
        assert_eq!(shown(&reading.warnings), Vec::from_iter(wanted), "{command}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(text in "\\PC{0,200}") {
        let _ = reading(&text);
    }

    /// Lines of the whole example in any order and with any ending.
    #[test]
    fn no_shuffled_file_panics(picks in prop::collection::vec((0..60usize, 0..80usize, 0..8usize), 0..40)) {
        let all = examples::ALL.concat();
        let lines: Vec<&str> = all.lines().collect();
        let mut text = String::new();
        for (line, end, indent) in picks {
            let line = lines[line % lines.len()];
            let _ = writeln!(text, "{}{}", " ".repeat(indent), line.get(..end).unwrap_or(line));
        }
        if let Some(service) = reading(&text).service {
            let _ = (list::document(&service), list::text(&service));
        }
    }
}
