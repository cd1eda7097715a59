//! The description is valid, and true: as a document to a validator of OpenAPI, and as promises to schemathesis, which
//! makes requests of it, fitting and unfitting ones, and holds the answers of a living bandog against it.

use std::{
    env, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Map, Value, json};

use crate::harness::{Command, Ran, Server, server::Builder};

/// The description.
const PAGE: &str = "/_/openapi.json";

/// A program of the Python environment with what checks the description.
fn tool(name: &str) -> Command {
    tool_of("venv-openapi", name)
}

/// A program of a Python environment that `scripts/setup.sh` makes.
pub(super) fn tool_of(environment: &str, name: &str) -> Command {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target directory").to_owned();
    let path: PathBuf = target.join(environment).join("bin").join(name);
    assert!(path.exists(), "{} is missing; scripts/setup.sh installs it", path.display());
    Command::new(&path)
}

/// Has a validator of OpenAPI look at a document.
#[track_caller]
fn validate(document: &Value) -> Ran {
    let command = tool("python").args(["-m", "openapi_spec_validator", "--schema", "3.1", "openapi.json"]);
    fs::write(command.home().join("openapi.json"), document.to_string()).expect("writable");
    command.run()
}

fn document(server: &Server) -> Value {
    let answer = server.get(PAGE).send().expect(200);
    assert_eq!(answer.wants("content-type"), "application/json");
    answer.json()
}

/// A service with every type in every place that takes it, each within a list, a map and an object as well, and with
/// texts that want to be escaped.
pub(super) fn of_everything() -> Value {
    let kinds = ["int", "float", "string", "boolean", "list", "map", "object", "enum", "any", "uuid", "path"];
    let help = "\"Quoted\", <b>bold</b>, {braced}, ünïcödé\n\n- and\n- a list: # no comment";
    let typed = |kind: &str| match kind {
        "enum" => json!({"type": kind, "enum": ["a b", 1, true, 2.5], "help": help}),
        "string" => json!({"type": kind, "pattern": "^[\\w/\"\\\\-]+$", "help": help}),
        "int" => json!({"type": kind, "range": {"min": -5, "max": 5}, "default": 3}),
        _ => json!({"type": kind, "help": help, "deprecated": true}),
    };
    let nested = |kind: &str| {
        let inner = typed(kind);
        let mut bare = inner.clone();
        // Only arguments have these.
        for word in ["default", "deprecated", "help"] {
            bare.as_object_mut().expect("an object").remove(word);
        }
        json!({
            format!("{kind}_list"): {"type": "list", "list": {"elements": bare}},
            format!("{kind}_map"): {"type": "map", "map": {"keys": {"type": "string"}, "values": bare}},
            format!("{kind}_object"): {"type": "object", "properties": {"a": bare, "b": {"type": "object", "properties": {"c": bare}}}},
            // A property named `int` hides the type of that name from the models that some programs generate.
            format!("one_{kind}"): inner,
        })
    };
    let all = kinds.iter().flat_map(|kind| nested(kind).as_object().expect("an object").clone());
    let all: Map<String, Value> = all.collect();
    let at = |place: &str, kinds: &[&str]| {
        let arguments = kinds.iter().map(|kind| {
            let mut argument = typed(kind);
            argument["in"] = place.into();
            (format!("{place}_{kind}"), argument)
        });
        arguments.collect::<Map<_, _>>()
    };
    let scalars = ["int", "float", "string", "boolean", "uuid"];
    let path: String = scalars.iter().flat_map(|kind| ["/{path_", kind, "}"]).collect();
    let mut located = at("query", &kinds[..10]);
    located.extend(at("header", &scalars));
    located.extend(at("path", &scalars));
    let mut actions = json!({
        "everything": {"help": help, "format": {"command": "true"}, "arguments": all, "output": {"type": "none"}},
        "places": {
            "http": {"method": "post", "port": 1, "path": format!("/places{path}")},
            "arguments": located,
            "output": {"type": "any"},
        },
        "first": {
            "http": {"method": "get", "port": 1, "path": "/one/{first}"},
            "arguments": {"first": {"type": "string", "in": "path", "required": true}},
            "output": {"type": "none"},
        },
        "second": {
            "http": {"method": "delete", "port": 1, "path": "/one/:second"},
            "arguments": {"second": {"type": "int", "in": "path", "required": true}},
            "output": {"type": "none"},
        },
        "open": {"format": {"command": "true"}, "arguments": {"variadic": true}, "output": {"type": "string"}},
    });
    for kind in kinds {
        let mut output = typed(kind);
        for word in ["default", "deprecated", "help"] {
            output.as_object_mut().expect("an object").remove(word);
        }
        actions[format!("gives_{kind}")] = json!({"format": {"command": "true"}, "output": output});
    }
    json!({"oms": 1, "info": {"description": help}, "actions": actions})
}

#[test]
fn every_description_is_a_valid_document() {
    for builder in [
        Builder::new().service("workshop"),
        Builder::new().service("counter"),
        Builder::new().file("oms.yml", &of_everything().to_string()),
    ] {
        let server = builder.start();
        let document = document(&server);
        validate(&document).expect(0);
    }
    // A validator that takes everything would prove nothing.
    let mut broken = of_everything();
    broken["openapi"] = "3.1.1".into();
    let ran = validate(&broken);
    assert_ne!(ran.code(), 0, "{ran}");
}

#[test]
fn every_action_is_listed_and_described() {
    let server = Builder::new().service("workshop").start();
    let document = document(&server);
    assert_eq!(document["info"]["title"], "Workshop");
    assert_eq!(document["servers"], json!([{"url": "/"}]));
    let paths = document["paths"].as_object().expect("paths");
    let list = server.get("/_/actions").send().expect(200).json();
    let actions = list["actions"].as_array().expect("a list");
    assert_eq!(actions.len(), 19, "{list}");
    for action in actions {
        let name = action["name"].as_str().expect("a name");
        let operation = &paths[&format!("/run/{name}")]["post"];
        assert_eq!(operation["operationId"], name, "{operation}");
        assert!(operation["summary"].is_string(), "{operation}");
    }
    let convert = &paths["/convert/{from}/{to}"]["get"];
    let places = convert["parameters"].as_array().expect("parameters").iter();
    let places: Vec<_> = places.map(|it| (it["in"].as_str(), it["name"].as_str(), it["required"].as_bool())).collect();
    assert_eq!(
        places,
        [
            (Some("path"), Some("from"), Some(true)),
            (Some("path"), Some("to"), Some(true)),
            (Some("query"), Some("amount"), Some(true)),
            (Some("query"), Some("digits"), Some(false)),
        ]
    );
    assert_eq!(paths["/run/echo"]["post"]["deprecated"], true);
    assert_eq!(paths["/run/statistics"]["post"]["summary"], "Counts words, lines and characters of a text.");
    assert!(document["info"]["description"].as_str().is_some_and(|text| text.contains("`/notes`")), "{document}");
}

#[test]
fn descriptions_are_for_those_who_may_call() {
    let server = Builder::new().service("counter").args(["--token", "t0ken"]).start();
    for page in [PAGE, "/_/actions"] {
        server.get(page).send().problem(401);
        let answer = server.get(page).header("Authorization", "Bearer t0ken").send().expect(200);
        let head = server.request("HEAD", page).header("Authorization", "Bearer t0ken").send().expect(200);
        assert_eq!(head.wants("content-length"), answer.wants("content-length"));
        assert_eq!(head.body, b"");
        server.request("POST", page).header("Authorization", "Bearer t0ken").send().problem(405);
    }
    let document = server.get(PAGE).header("X-Bandog-Token", "t0ken").send().expect(200).json();
    assert!(document["security"].is_array(), "{document}");
    validate(&document).expect(0);
}

#[test]
fn without_actions_the_pages_say_so() {
    let server = crate::harness::serve_command("true").start();
    for page in [PAGE, "/_/actions"] {
        let problem = server.get(page).send().problem(404);
        assert!(problem["detail"].as_str().expect("text").contains("oms.yml"), "{problem}");
    }
}

/// Facts about the workshop that schemathesis needs and that no document can state.
const SETTINGS: &str = r#"
# Every check there is, but for what is said here.
[checks.positive_data_acceptance]
# An action may fail for what it is given though the arguments are all that they should be: a text without a word, a
# picture that is none. That is 422, and arguments that are not what they should be are always 400.
expected-statuses = ["2xx", "404", "422"]

[checks.not_a_server_error]
expected-statuses = ["2xx", "4xx"]

# Promised to be 501, and nothing else, until such interfaces are spoken.
[[operations]]
include-operation-id = ["translate", "watch", "listen"]
checks.not_a_server_error.expected-statuses = ["4xx", "501"]
checks.positive_data_acceptance.expected-statuses = ["501"]
"#;

#[test]
fn schemathesis_finds_nothing() {
    for (service, examples) in [("workshop", "15"), ("counter", "30")] {
        let server = Builder::new().service(service).args(["--token", "t0ken", "--max-inflight", "8"]).start();
        let ran = schemathesis(&server, examples).run();
        let said = String::from_utf8_lossy(&ran.stdout);
        assert!(
            ran.code() == 0 && said.contains("No issues found"),
            "{said}\n{}",
            String::from_utf8_lossy(&ran.stderr)
        );
    }
}

/// A bounded run with a seed; `SCHEMATHESIS_SECONDS` makes it as long as wanted, with other requests each time.
fn schemathesis(server: &Server, examples: &str) -> Command {
    let command = tool("schemathesis").args(["--config-file", "schemathesis.toml", "run", &server.url(PAGE)]);
    fs::write(command.home().join("schemathesis.toml"), SETTINGS).expect("writable");
    let command = command
        // Two of them trip over each other in Python 3.11 ("AST constructor recursion depth mismatch").
        .args(["--header", "Authorization: Bearer t0ken", "--no-color", "--workers", "1"])
        .args(["--checks", "all", "--phases", "examples,coverage,fuzzing,stateful"])
        .args(["--generation-database", "none", "--warnings", "off", "--continue-on-failure"])
        .patience(Duration::from_mins(5));
    match env::var("SCHEMATHESIS_SECONDS").ok().and_then(|seconds| seconds.parse::<u64>().ok()) {
        Some(seconds) => command
            .args(["--max-time", &seconds.to_string(), "--max-examples", "1000"])
            .patience(Duration::from_secs(seconds * 2 + 300)),
        None => command.args(["--seed", "6", "--max-examples", examples]),
    }
}
