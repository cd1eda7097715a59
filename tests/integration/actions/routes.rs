//! The requests that are an action's, those that are the function's, and the answer to all others.

use super::{FILE, json, serve};
use crate::harness::serve_command;

/// A command, and what is described only.
const ACTIONS: &str = r"
oms: 1
actions:
  greet:
    format: {command: [echo, hello]}
    output: {type: string}
  other:
    rpc: {port: 9000}
    output: {type: none}
";

#[test]
fn an_action_is_called_by_its_name_and_by_post_alone() {
    let server = serve(ACTIONS).start();
    assert_eq!(server.request("POST", "/run/greet").send().expect(200).text(), "hello");
    assert_eq!(server.request("POST", "/run/gr%65et").send().expect(200).text(), "hello");
    for method in ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let answer = server.request(method, "/run/greet").send();
        answer.problem(405);
        assert_eq!(answer.wants("allow"), "POST", "{method}");
    }
}

#[test]
fn with_actions_alone_everything_else_is_not_found_and_says_where_they_are() {
    let server = serve(ACTIONS).start();
    for (method, target) in
        [("POST", "/"), ("GET", "/run/none"), ("POST", "/run/greet/x"), ("POST", "/run/"), ("PUT", "/a")]
    {
        let problem = server.request(method, target).send().problem(404);
        assert!(problem["detail"].as_str().expect("text").contains("/_/actions"), "{method} {target}: {problem}");
    }
}

#[test]
fn an_interface_that_is_not_spoken_is_501() {
    let server = serve(ACTIONS).start();
    let answer = server.request("POST", "/run/other").send();
    let problem = answer.problem(501);
    assert_eq!(answer.wants("x-bandog-error"), "interface-not-supported");
    assert_eq!(problem["interface"], "rpc", "{problem}");
    assert!(server.workspace().read_dir().expect("there").next().is_none(), "nothing was made for it");
}

#[test]
fn what_is_no_actions_goes_to_the_function_as_before() {
    let server = serve_command("cat \"$INPUT_FILE_PATH\" > \"$TMP_OUTPUT_DIR/out\"").file(FILE, ACTIONS).start();
    assert_eq!(server.post("body").media("application/octet-stream").send().expect(200).decoded(), b"body");
    let answer = server.request("POST", "/run/any").media("application/octet-stream").body("x").send();
    assert_eq!(answer.expect(200).decoded(), b"x");
    assert_eq!(server.request("POST", "/run/greet").send().expect(200).text(), "hello");
    server.get("/run/greet").send().problem(405);
}

#[test]
fn the_name_of_the_service_does_not_stand_in_the_way_of_its_actions() {
    let function = serve_command("printf function > \"$TMP_OUTPUT_DIR/out\"").file(FILE, ACTIONS);
    let server = function.args(["--service", "shop"]).start();
    assert_eq!(server.request("POST", "/run/shop").send().expect(200).decoded(), b"function");
    assert_eq!(server.request("POST", "/run/greet").send().expect(200).text(), "hello");
    assert!(server.request("POST", "/run/none").send().problem(404)["detail"].as_str().expect("text").contains("shop"));
}

#[test]
fn who_may_not_call_learns_of_no_action() {
    let server = serve(ACTIONS).args(["--token", "s3cret"]).start();
    for target in ["/run/greet", "/run/none", "/run/other"] {
        server.request("POST", target).send().problem(401);
    }
    let allowed = server.request("POST", "/run/greet").header("Authorization", "Bearer s3cret");
    assert_eq!(allowed.send().expect(200).text(), "hello");
}

#[test]
fn the_metrics_and_totals_count_what_becomes_of_actions() {
    let server = serve(
        r#"
oms: 1
actions:
  fail: {format: {command: [sh, -c, "exit 1"]}, output: {type: none}}
  later: {format: {command: [sh, -c, "exit 2"]}, output: {type: none}}
  lie: {format: {command: [echo, x]}, output: {type: int}}
  strict: {format: {command: [echo]}, arguments: {a: {type: int, required: true}}, output: {type: none}}
"#,
    )
    .start();
    for (action, status) in [("fail", 422), ("later", 503), ("lie", 500), ("strict", 400)] {
        server.request("POST", &format!("/run/{action}")).send().problem(status);
    }
    let page = server.get("/_/metrics").send().expect(200);
    for outcome in ["action-failed", "action-unavailable", "result-invalid", "invalid-arguments"] {
        let line = format!("bandog_function_outcomes_total{{outcome=\"{outcome}\"}} 1");
        assert!(page.text().lines().any(|have| have == line), "{line} is missing in {page}");
    }
    let status = json(server.get("/_/status").send().expect(200).text());
    assert_eq!((&status["totals"]["failed"], &status["totals"]["bad_input"]), (&3.into(), &1.into()), "{status}");
}
