//! Whole services, called in every way that people call them: the workshop of `fixtures/services/` and, of the
//! specification's first generation, the counter; through HTTP, `curl` and `bandog run`.

use std::fs;

use base64::Engine as _;
use serde_json::{Value, json};

use crate::harness::{Command, Request, Server, bandog, encode, program, server::Builder};

/// A picture of 40 × 30.
pub(super) fn picture() -> Vec<u8> {
    let ran = program("convert").args(["-size", "40x30", "gradient:red-blue", "png:-"]).run().expect(0);
    ran.stdout
}

/// Each call: the action, its input as JSON, the type of the answer and the answer.
fn calls() -> Vec<(&'static str, Value, Option<&'static str>, Value)> {
    const TEXT: Option<&str> = Some("text/plain; charset=utf-8");
    const JSON: Option<&str> = Some("application/json");
    let id = "6ff7f276-75c2-466f-85a5-9b68b1348662";
    let parcel = json!({"id": id, "weight": 2, "to": {"city": "Rome", "express": true}});
    vec![
        ("statistics", json!({"text": "to be\nor  not"}), JSON, json!({"words": 4, "lines": 2, "characters": 13})),
        ("greet", json!({"name": "Ann", "loud": true, "times": 2}), TEXT, json!("HELLO, ANN! HELLO, ANN!")),
        ("greet", json!({"name": "Ann", "loud": null}), TEXT, json!("Hello, Ann!")),
        ("longest", json!({"words": ["a", "bcd", "ef"]}), TEXT, json!("bcd")),
        ("tally", json!({"counts": {"a": 2, "b": 40}}), JSON, json!(42)),
        ("tally", json!({}), JSON, json!(0)),
        ("label", json!({"parcel": parcel}), TEXT, json!("Rome")),
        ("label", json!({"parcel": parcel, "style": 3}), TEXT, json!("Rome Rome Rome")),
        ("echo", json!({"value": [1, {"a": null}]}), JSON, json!({"value": [1, {"a": null}]})),
        ("identify", json!({"id": id}), TEXT, json!(id)),
        ("is_even", json!({"number": 12}), JSON, json!(true)),
        ("half", json!({"number": 3}), JSON, json!(1.5)),
        ("forget", json!({"note": "secret"}), None, json!("")),
        ("measure", json!({"picture": encode(picture())}), JSON, json!({"width": 40, "height": 30, "format": "PNG"})),
        (
            "convert",
            json!({"from": "mile", "to": "metre", "amount": 2}),
            JSON,
            json!({"amount": 3218.688, "unit": "metre"}),
        ),
        ("add_unit", json!({"unit": "cubit", "metres": 0.45}), None, json!("")),
        ("sum_lengths", json!({"left": 1, "right": -0.5, "tags": [1, 2]}), JSON, json!(0.5)),
        ("weigh", json!({"file": encode("seven b")}), JSON, json!(7)),
    ]
}

fn is(body: &[u8], kind: Option<&str>, wanted: &Value) -> bool {
    match kind {
        Some("application/json") => serde_json::from_slice::<Value>(body).is_ok_and(|value| value == *wanted),
        _ => wanted.as_str().is_some_and(|wanted| wanted.as_bytes() == body),
    }
}

fn workshop() -> Server {
    Builder::new().service("workshop").start()
}

#[test]
fn every_action_answers_with_its_result_in_its_own_type() {
    let server = workshop();
    for (action, arguments, kind, wanted) in calls() {
        let target = format!("/run/{action}");
        let sent = arguments.to_string();
        for request in [
            server.request("POST", &target).media("application/json").body(&sent),
            server.request("POST", &target).body(encode(&sent)),
        ] {
            let answer = request.send().expect(200);
            assert_eq!(answer.header("content-type"), kind, "{action}: {answer}");
            assert!(is(&answer.body, kind, &wanted), "{action} {arguments}: wanted {wanted}, got {answer}");
            assert!(!answer.wants("x-call-id").is_empty(), "{answer}");
        }
    }
    let answer = server.request("POST", "/run/shrink?width=8").media("image/png").body(picture()).send().expect(200);
    assert_eq!(answer.wants("content-type"), "application/octet-stream");
    assert_eq!(size(&answer.body), "8x6 PNG");
    let ran = curl(&server, "/run/collage");
    fs::write(ran.home().join("a.png"), picture()).expect("writable");
    let ran = ran.args(["-F", "pictures=@a.png", "-F", "pictures=@a.png"]).run().expect(0);
    assert_eq!(size(&ran.stdout), "80x30 PNG");
}

fn size(picture: &[u8]) -> String {
    program("identify").args(["-format", "%wx%h %m", "-"]).stdin(picture).run().expect(0).text().to_owned()
}

#[test]
fn actions_of_the_services_server_have_their_own_paths_too() {
    let server = workshop();
    let answer = server.get("/convert/foot/metre?amount=10&digits=1").send().expect(200);
    assert_eq!(answer.json(), json!({"amount": 3.0, "unit": "metre"}));
    server.request("PUT", "/units/cubit").media("application/json").body(r#"{"metres": 0.45}"#).send().expect(200);
    let form = server.request("POST", "/sum?tags=[1]").media("application/x-www-form-urlencoded").header("x_note", "n");
    assert_eq!(form.body("left=1.5&right=2").send().expect(200).json(), json!(3.5));
    let sent = server.request("POST", "/weigh").media("application/octet-stream").body([0xff; 9]).send().expect(200);
    assert_eq!(sent.json(), json!(9));

    let wrong = server.request("DELETE", "/convert/foot/metre").send();
    wrong.problem(405);
    assert_eq!(wrong.wants("allow"), "GET");
    let problem = server.get("/nowhere").send().problem(404);
    assert!(problem["detail"].as_str().expect("text").contains("/_/actions"), "{problem}");
}

#[test]
fn a_failure_is_told_in_the_same_way_by_whoever_does_the_action() {
    let server = workshop();
    let failed = server.request("POST", "/run/statistics").media("application/json").body(r#"{"text": " "}"#).send();
    let problem = failed.problem(422);
    assert_eq!(failed.wants("x-bandog-error"), "action-failed");
    assert!(problem["traceback"].as_str().expect("text").contains("a text has to have a word"), "{problem}");
    assert_eq!(problem["attempts"], 1, "{problem}");
    assert!(problem.get("logs").is_none(), "{problem}");

    let refused = server.request("PUT", "/units/mile").media("application/json").body(r#"{"metres": 1}"#).send();
    let problem = refused.problem(422);
    assert_eq!(problem["upstream_status"], 409, "{problem}");
    assert_eq!(problem["traceback"], "mile is there already", "{problem}");

    for action in ["translate", "watch"] {
        let answer = server.request("POST", &format!("/run/{action}")).media("application/json").body("{}").send();
        answer.problem(501);
        assert_eq!(answer.wants("x-bandog-error"), "interface-not-supported");
    }
}

#[test]
fn all_that_is_wrong_with_the_arguments_is_told_at_once_and_nothing_is_started() {
    let server = workshop();
    let body = json!({
        "parcel": {"id": "6ff7", "to": {"city": "New York", "express": "yes"}, "colour": "red"},
        "style": "round",
        "colour": "red",
    });
    let answer = server.request("POST", "/run/label").media("application/json").body(body.to_string()).send();
    let problem = answer.problem(400);
    assert_eq!(answer.wants("x-bandog-error"), "invalid-arguments");
    let errors = problem["errors"].as_array().expect("a list").iter();
    let mut errors: Vec<String> =
        errors.map(|error| format!("{} {}", error["argument"], error["problem"]).replace('"', "")).collect();
    errors.sort();
    let wanted = [
        "colour unexpected",
        "parcel.colour unexpected",
        "parcel.id invalid",
        "parcel.to.city invalid",
        "parcel.to.express invalid",
        "style invalid",
    ];
    assert_eq!(errors, wanted, "{problem}");
    let problem = server.get("/convert/ell/metre?digits=x").send().problem(400);
    let errors = problem["errors"].as_array().expect("a list").iter();
    let mut errors: Vec<String> =
        errors.map(|e| format!("{} {} {}", e["argument"], e["in"], e["problem"]).replace('"', "")).collect();
    errors.sort();
    assert_eq!(errors, ["amount query missing", "digits query invalid", "from path invalid"], "{problem}");
}

#[test]
fn what_is_no_action_goes_straight_to_the_service() {
    let server = workshop();
    let answer = server.get("/notes/on%20paper?x=1").send().expect(200);
    assert_eq!(answer.text(), "notes on on paper");
    let metrics = server.get("/_/metrics").send().expect(200);
    assert!(metrics.text().contains("\nworkshop_units "), "{metrics}");
    assert!(metrics.text().contains("bandog_"), "{metrics}");
}

fn curl(server: &Server, target: &str) -> Command {
    program("curl").args(["--silent", "--show-error", "--fail-with-body", "--url", &server.url(target)])
}

#[test]
fn curl_calls_actions_in_all_its_ways() {
    let server = workshop();
    let text =
        |target: &str, arguments: &[&str]| curl(&server, target).args(arguments).run().expect(0).text().to_owned();
    assert_eq!(text("/run/greet", &["-d", "name=Ann", "-d", "times=2"]), "Hello, Ann! Hello, Ann!");
    assert_eq!(text("/run/greet", &["--json", r#"{"name": "Ann"}"#]), "Hello, Ann!");
    assert_eq!(text("/run/greet", &["-F", "name=Ann", "-F", "loud=true"]), "HELLO, ANN!");
    assert_eq!(text("/run/greet", &["-d", &encode(r#"{"name": "Ann"}"#)]), "Hello, Ann!");
    assert_eq!(text("/run/greet?name=Ann", &["-X", "POST"]), "Hello, Ann!");
    assert_eq!(text("/run/longest", &["--data-urlencode", r#"words=["a", "bc"]"#]), "bc");
    assert_eq!(text("/convert/mile/foot?amount=1&digits=0", &[]), r#"{"amount": 5280.0, "unit": "foot"}"#);

    let send = |arguments: &[&str]| {
        let command = curl(&server, "/run/measure");
        fs::write(command.home().join("a.png"), picture()).expect("writable");
        let ran = command.args(arguments).run().expect(0);
        serde_json::from_slice::<Value>(&ran.stdout).expect("JSON")
    };
    let wanted = json!({"width": 40, "height": 30, "format": "PNG"});
    assert_eq!(send(&["-F", "picture=@a.png"]), wanted);
    assert_eq!(send(&["--data-binary", "@a.png", "-H", "Content-Type: image/png"]), wanted);
    assert_eq!(send(&["--data-binary", "@a.png", "-H", "Content-Type: application/octet-stream"]), wanted);
    assert_eq!(send(&["-d", &base64::engine::general_purpose::STANDARD.encode(picture())]), wanted);
    // Files on the server's own disk are not readable through it.
    let stolen = curl(&server, "/run/measure").args(["-d", "picture=/etc/passwd"]).run().expect(22);
    assert!(stolen.text().contains("invalid-arguments") || stolen.text().contains("action-failed"), "{stolen}");
    assert!(!stolen.text().contains("root:"), "{stolen}");
}

/// `bandog run` in the directory of a service.
fn run(service: &str, arguments: &[&str]) -> Command {
    bandog(["run"]).service(service).args(arguments).with_workspace()
}

#[test]
fn run_calls_the_same_actions_without_http() {
    for (action, arguments, kind, wanted) in calls() {
        let mut object = arguments.as_object().expect("an object").clone();
        // A file has a path here, and what a server does is done over HTTP.
        if object.contains_key("picture") || ["convert", "add_unit", "sum_lengths", "weigh"].contains(&action) {
            continue;
        }
        // There is no word for null.
        object.retain(|_, value| !value.is_null());
        let pairs = object.iter().map(|(name, value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            format!("{name}={text}")
        });
        let pairs: Vec<String> = pairs.collect();
        let pairs: Vec<&str> = pairs.iter().flat_map(|pair| ["-a", pair]).collect();
        let ran = run("workshop", &[&[action], &pairs[..]].concat()).run().expect(0);
        let printed = ran.stdout.strip_suffix(b"\n").unwrap_or(&ran.stdout);
        assert!(is(printed, kind, &wanted), "wanted {wanted}: {ran}");
    }
}

#[test]
fn run_takes_a_file_by_its_path() {
    let command = run("workshop", &["measure", "-a", "picture=a.png"]);
    fs::write(command.home().join("a.png"), picture()).expect("writable");
    let ran = command.run().expect(0);
    let size: Value = serde_json::from_slice(&ran.stdout).expect("JSON");
    assert_eq!(size["width"], 40, "{ran}");
    let ran = run("workshop", &["measure", "-a", "picture=none.png"]).run().expect(65);
    assert!(ran.complaint().contains("none.png"), "{ran}");
}

#[test]
fn run_ends_as_the_action_did() {
    let ran = run("workshop", &["statistics", "-a", "text= "]).run().expect(1);
    let problem: Value = serde_json::from_slice(&ran.stdout).expect("a problem, as over HTTP");
    assert!(problem["traceback"].as_str().is_some_and(|said| said.contains("a text has to have a word")), "{ran}");
    let ran = run("workshop", &["label", "-a", "style=round"]).run().expect(65);
    assert!(ran.complaint().contains("parcel") && ran.complaint().contains("style"), "{ran}");
}

#[test]
fn a_service_of_2018_works_in_the_same_ways() {
    let server = Builder::new().service("counter").start();
    let count = |request: Request| request.send().expect(200).json();
    assert_eq!(count(server.request("POST", "/run/count").media("application/json").body(r#"{"word": "hello"}"#)), 5);
    assert_eq!(count(server.request("POST", "/run/count").media("application/x-www-form-urlencoded").body("word=")), 0);
    let add = |target: &str, body: &str| count(server.request("POST", target).media("application/json").body(body));
    assert_eq!(add("/numbers/a?times=2", r#"{"number": 20}"#), 40.0);
    assert_eq!(add("/run/add", r#"{"name": "a", "number": 2}"#), 42.0);
    server.request("POST", "/run/listen").media("application/json").body("{}").send().problem(501);
    let problem = server.request("POST", "/numbers/A").media("application/json").body("{}").send().problem(400);
    assert_eq!(problem["errors"].as_array().map(Vec::len), Some(2), "{problem}");

    assert_eq!(run("counter", &["count", "-a", "word=hello"]).run().expect(0).text().trim_end(), "5");
    let ran = run("counter", &["add", "-a", "name=a", "-a", "number=-1"]).run().expect(0);
    assert_eq!(ran.text().trim_end(), "-1.0");
}
