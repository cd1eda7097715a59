//! Actions that are done by a request to the service's own process.

use std::{
    fmt::Write as _,
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    time::Duration,
};

use serde_json::{Value, json};

use super::service;
use crate::harness::{Server, encode, eventually, noise, proc_status};

/// The most memory that a listener may hold, whatever passes through it; see the suite `memory`.
const PEAK_KIB: u64 = 24 * 1024;

/// A service with these actions, on one port.
fn with(actions: &str) -> Server {
    let file = format!("oms: 1\nlifecycle: {{startup: {{command: [python3, SERVER]}}}}\nactions:\n{actions}");
    service(&file).start()
}

/// Calls an action with arguments as JSON.
fn run(server: &Server, action: &str, arguments: &Value) -> crate::harness::Answer {
    server.request("POST", &format!("/run/{action}")).media("application/json").body(arguments.to_string()).send()
}

/// The values of a field that the service saw.
fn field(seen: &Value, name: &str) -> Vec<String> {
    let fields = seen["headers"].as_array().expect("fields").iter();
    fields.filter(|field| field[0] == name).map(|field| field[1].as_str().expect("text").to_owned()).collect()
}

#[test]
fn each_argument_arrives_where_it_belongs() {
    let types = ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"];
    let methods = ["get", "post", "put", "patch", "delete"];
    let mut actions = String::new();
    for method in methods {
        for (number, kind) in types.iter().enumerate() {
            let body = if method == "get" { "" } else { "      text: {type: string, in: requestBody}\n" };
            write!(
                actions,
                "  {method}{number}:\n    arguments:\n      item: {{type: string, in: path}}\n      \
                 q: {{type: any, in: query}}\n      Word: {{type: string, in: header}}\n{body}    \
                 output: {{type: object}}\n    \
                 http: {{port: PORT1, method: {method}, path: '/echo/{{item}}/{number}', contentType: {kind}}}\n"
            )
            .expect("written");
        }
    }
    let server = with(&actions);
    let item = "a/b%c d+e?f#é;.";
    for method in methods {
        for (number, kind) in types.iter().enumerate() {
            let text = "x=1&y \"é\"%\r\n+";
            let mut arguments = json!({"item": item, "q": [1, "&"], "Word": "tab\there"});
            if method != "get" {
                arguments["text"] = text.into();
            }
            let answer = run(&server, &format!("{method}{number}"), &arguments);
            assert_eq!(answer.wants("content-type"), "application/json");
            let seen = answer.expect(200).json();
            assert_eq!(seen["method"], method.to_uppercase());
            let target = format!("/echo/a%2Fb%25c%20d%2Be%3Ff%23%C3%A9%3B./{number}?q=%5B1%2C%22%26%22%5D");
            assert_eq!(seen["target"], target);
            assert_eq!(field(&seen, "word"), ["tab\there"]);
            assert_eq!(field(&seen, "accept"), ["application/json, text/plain, */*"]);
            let body: Vec<u8> = seen["body"].as_str().expect("text").chars().map(|byte| byte as u8).collect();
            let body = String::from_utf8(body).expect("UTF-8");
            if method == "get" {
                assert_eq!((body.as_str(), field(&seen, "content-type").len()), ("", 0));
                continue;
            }
            assert_eq!(field(&seen, "content-length"), [body.len().to_string()]);
            match number {
                0 => assert_eq!(serde_json::from_str::<Value>(&body).expect("JSON"), json!({"text": text})),
                1 => assert_eq!(body, "text=x%3D1%26y%20%22%C3%A9%22%25%0D%0A%2B"),
                _ => {
                    let sent = &field(&seen, "content-type")[0];
                    let boundary = sent.strip_prefix("multipart/form-data; boundary=").expect("a boundary");
                    let head = "Content-Disposition: form-data; name=\"text\"";
                    assert_eq!(body, format!("--{boundary}\r\n{head}\r\n\r\n{text}\r\n--{boundary}--\r\n"));
                    continue;
                }
            }
            assert_eq!(field(&seen, "content-type"), [*kind]);
        }
    }
}

const ECHO: &str = "  echo:
    arguments:
      flag: {type: boolean, in: requestBody}
      number: {type: int, in: requestBody}
      text: {type: string, in: requestBody}
      q: {type: int, in: query}
      named: {type: string, in: path}
      Word: {type: string, in: header}
    http: {port: PORT1, method: post, path: '/echo/{named}'}
    output: {type: object}
";

#[test]
fn the_actions_own_path_takes_each_argument_from_its_place() {
    let server = with(ECHO);
    let request = server.request("POST", "/echo/a%2Fb?q=5").media("application/json");
    let request = request.header("Word", "by word").header("Cookie", "a=b").header("X-Own", "1");
    let seen = request.body(r#"{"number": 7}"#).send().expect(200).json();
    assert_eq!((&seen["target"], &seen["body"]), (&"/echo/a%2Fb?q=5".into(), &r#"{"number":7}"#.into()));
    assert_eq!(field(&seen, "word"), ["by word"], "which is declared");
    assert_eq!((field(&seen, "cookie").len(), field(&seen, "x-own").len()), (0, 0), "which are not");
    server.get("/echo/a").send().problem(405);
    server.get("/echo").send().problem(404);
}

#[test]
fn what_is_false_or_nothing_is_sent_and_what_is_not_given_is_not() {
    let server = with(ECHO);
    let falsy = json!({"flag": false, "number": 0, "text": "", "q": 0, "named": "0"});
    let seen = run(&server, "echo", &falsy).expect(200).json();
    assert_eq!(seen["target"], "/echo/0?q=0");
    assert_eq!(seen["body"], r#"{"flag":false,"number":0,"text":""}"#);
    let seen = run(&server, "echo", &json!({"flag": null, "named": "x"})).expect(200).json();
    assert_eq!((&seen["target"], &seen["body"]), (&"/echo/x".into(), &"{}".into()));
}

#[test]
fn the_service_learns_who_calls_and_by_which_id() {
    let server = with(ECHO);
    let request = server.request("POST", "/run/echo?named=x").header("X-Call-Id", "call-7");
    let request = request.header("traceparent", "00-a-b-01").header("X-Forwarded-For", "192.0.2.1");
    let answer = request.header("Host", "example.org").send().expect(200);
    assert_eq!(answer.wants("x-call-id"), "call-7");
    let seen = answer.json();
    for (name, wanted) in [
        ("x-call-id", "call-7"),
        ("traceparent", "00-a-b-01"),
        ("x-forwarded-for", "192.0.2.1, 127.0.0.1"),
        ("x-forwarded-host", "example.org"),
        ("x-forwarded-proto", "http"),
    ] {
        assert_eq!(field(&seen, name), [wanted], "{name}");
    }
}

#[test]
fn arguments_that_do_not_fit_or_cannot_be_sent_reach_nobody() {
    let server = with(&format!(
        "{ECHO}  framed:\n    arguments: {{Other: {{type: string, in: header}}, Word: {{type: string, in: header}}}}\n    \
         http: {{port: PORT1, method: get, path: /slow}}\n    output: {{type: none}}\n"
    ));
    for (action, arguments, flawed) in [
        ("echo", json!({"number": "x", "named": "a"}), vec!["number"]),
        ("echo", json!({"named": ".."}), vec!["named"]),
        ("echo", json!({"named": ""}), vec!["named"]),
        ("echo", json!({"named": "a/../b"}), vec!["named"]),
        ("echo", json!({"named": "..\\b"}), vec!["named"]),
        ("framed", json!({"Other": "a\nb", "Word": "a\r\nX-Own: 1"}), vec!["Other", "Word"]),
    ] {
        let problem = run(&server, action, &arguments).problem(400);
        assert_eq!(problem["type"], "urn:bandog:error:invalid-arguments", "{problem}");
        let errors = problem["errors"].as_array().expect("a list").iter();
        assert_eq!(errors.map(|error| error["argument"].as_str().expect("text")).collect::<Vec<_>>(), flawed);
    }
    assert!(!server.has_sign("slow"));
}

const RESULTS: &str = "  json: {arguments: {text: {type: string, in: query}, kind: {type: string, in: query}},
    http: {port: PORT1, method: post, path: /json}, output: {type: object, properties: {n: {type: int, required: true}}}}
  number: {arguments: {text: {type: string, in: query}, kind: {type: string, in: query}},
    http: {port: PORT1, method: post, path: /json/1}, output: {type: int}}
  words: {arguments: {text: {type: string, in: query}, kind: {type: string, in: query}},
    http: {port: PORT1, method: post, path: /json/2}, output: {type: string}}
  chosen: {arguments: {text: {type: string, in: query}, kind: {type: string, in: query}},
    http: {port: PORT1, method: post, path: /json/3}, output: {type: enum, enum: [red, green]}}
  nothing: {arguments: {text: {type: string, in: query}},
    http: {port: PORT1, method: post, path: /json/4}, output: {type: none}}
  bytes: {arguments: {text: {type: string, in: query}},
    http: {port: PORT1, method: post, path: /json/5}, output: {type: any, contentType: application/octet-stream}}
";

#[test]
fn a_result_is_what_the_action_says_it_gives() {
    let server = with(RESULTS);
    for (action, text, kind, wanted, wanted_type) in [
        ("json", r#"{"n": 5, "more": []}"#, "application/json; charset=utf-8", None, "application/json; charset=utf-8"),
        ("number", "5", "text/html", None, "text/html"),
        ("words", "a < b\n", "text/html", None, "text/html"),
        ("chosen", "red", "text/plain", None, "text/plain"),
        ("chosen", "\"red\"", "application/json", None, "application/json"),
        ("nothing", "whatever", "", Some(""), ""),
        ("bytes", "{", "", None, "application/octet-stream"),
    ] {
        let mut arguments = json!({"text": text});
        if !kind.is_empty() {
            arguments["kind"] = kind.into();
        }
        let answer = run(&server, action, &arguments).expect(200);
        assert_eq!(answer.text(), wanted.unwrap_or(text), "{action}");
        assert_eq!(answer.header("content-type").unwrap_or_default(), wanted_type, "{action}");
        assert!(answer.header("x-duration-seconds").is_some() && answer.header("server").is_none(), "{answer}");
    }
    for (action, text, kind, wanted) in [
        ("json", r#"{"n": "5"}"#, "application/json", "`n`"),
        ("json", "{", "application/json", "not JSON"),
        ("json", "{}", "application/json", "`n`"),
        ("number", "5.5", "text/plain", "5.5"),
        ("chosen", "blue", "text/plain", "blue"),
    ] {
        let problem = run(&server, action, &json!({"text": text, "kind": kind})).problem(500);
        assert_eq!(problem["type"], "urn:bandog:error:result-invalid", "{problem}");
        assert!(problem["detail"].as_str().expect("text").contains(wanted), "{problem}");
        assert_eq!((&problem["traceback"], &problem["upstream_status"]), (&text.into(), &200.into()));
    }
}

const STATUS: &str = "  status: {arguments: {code: {type: int, in: query}},
    http: {port: PORT1, method: post, path: /status}, output: {type: string}}
  moved: {http: {port: PORT1, method: get, path: /moved}, output: {type: string}}
  busy: {arguments: {times: {type: int, in: query}, code: {type: int, in: query, default: 503}},
    http: {port: PORT1, method: post, path: /busy}, output: {type: int}}
";

#[test]
fn a_status_that_is_no_success_says_why() {
    let server = with(STATUS);
    for (code, status, slug) in [
        (400, 422, "action-failed"),
        (404, 422, "action-failed"),
        (408, 503, "action-unavailable"),
        (425, 503, "action-unavailable"),
        (429, 503, "action-unavailable"),
        (503, 503, "action-unavailable"),
        (500, 502, "upstream-failed"),
        (304, 502, "upstream-failed"),
    ] {
        let answer = run(&server, "status", &json!({"code": code}));
        let problem = answer.problem(status);
        assert_eq!(problem["type"], format!("urn:bandog:error:{slug}"), "{code}");
        assert_eq!((&problem["upstream_status"], &problem["attempts"]), (&code.into(), &1.into()));
        assert_eq!(problem["traceback"], if code == 304 { "" } else { "short and stout" });
        assert_eq!(answer.header("retry-after").is_some(), status == 503, "{code}");
    }
    // bandog does not follow a redirection.
    let problem = server.get("/moved").send().problem(502);
    assert_eq!((&problem["upstream_status"], &problem["traceback"]), (&302.into(), &"elsewhere".into()));
    assert_eq!(server.get("/_/status").send().json()["totals"]["failed"], 9);
}

#[test]
fn what_may_help_is_tried_again_as_often_as_allowed() {
    let file = format!("oms: 1\nlifecycle: {{startup: {{command: [python3, SERVER]}}}}\nactions:\n{STATUS}");
    let server = service(&file).args(["--retries", "2"]).start();
    assert_eq!(run(&server, "busy", &json!({"times": 3})).expect(200).text(), "42");
    assert_eq!(server.sign("asked"), "xxx");
    let problem = run(&server, "busy", &json!({"times": 9})).problem(503);
    assert_eq!((&problem["attempts"], &problem["traceback"]), (&3.into(), &"come again".into()));
    assert_eq!(server.sign("asked"), "xxxxxx");
    run(&server, "busy", &json!({"times": 99, "code": 400})).problem(422);
    assert_eq!(server.sign("asked"), "xxxxxxx", "what failed for good is not tried again");
    for code in [408, 425, 429] {
        let before = server.sign("asked").len();
        let problem = run(&server, "busy", &json!({"times": 99, "code": code})).problem(503);
        assert_eq!((&problem["upstream_status"], server.sign("asked").len()), (&code.into(), before + 3), "{problem}");
    }
}

#[test]
fn tries_end_with_the_time_limit() {
    let file = format!("oms: 1\nlifecycle: {{startup: {{command: [python3, SERVER]}}}}\nactions:\n{STATUS}");
    let server = service(&file).args(["--retries", "1000", "--exec-timeout", "3s"]).start();
    // As those of a command do: what it has said is told, and not only that there was no time for more.
    let problem = run(&server, "busy", &json!({"times": 9999})).problem(503);
    assert_eq!(problem["type"], "urn:bandog:error:action-unavailable");
    assert_eq!(problem["traceback"], "come again", "{problem}");
    assert!(problem["attempts"].as_u64().is_some_and(|count| count > 1), "{problem}");
}

#[test]
fn two_ports_of_one_process_are_behind_the_one_of_bandog() {
    let server = service(
        "oms: 1\nlifecycle: {startup: {command: [sh, -c, SECOND_PORT=PORT2 exec python3 SERVER]}}\nactions:\n  \
         first: {http: {port: PORT1, method: get, path: /listens}, output: {type: int}}\n  \
         second: {http: {port: PORT2, method: get, path: /listens/2}, output: {type: int}}\n",
    );
    let server = server.start();
    let ports = ["/listens", "/listens/2"].map(|path| {
        // The second one listens first.
        server.get(path).send().expect(200).text().parse::<u16>().expect("a port")
    });
    assert_ne!(ports[0], ports[1]);
    assert_eq!(server.sign("starts").lines().count(), 1, "one process");
}

const FILES: &str =
    "  measure: {arguments: {file: {type: path, in: requestBody, required: true}, note: {type: string, in: query}},
    http: {port: PORT1, method: post, path: /measure, contentType: multipart/form-data}, output: {type: string}}
  raw: {arguments: {file: {type: path, in: requestBody, required: true}},
    http: {port: PORT1, method: post, path: /measure/1, contentType: application/octet-stream}, output: {type: string}}
  named: {arguments: {file: {type: path, in: requestBody, required: true}},
    http: {port: PORT1, method: post, path: /echo}, output: {type: object}}
  copy: {arguments: {file: {type: path, in: requestBody, required: true}},
    http: {port: PORT1, method: post, path: /copy, contentType: application/octet-stream},
    output: {type: any, contentType: application/octet-stream}}
";

#[test]
fn a_file_goes_from_the_workspace_which_lasts_as_long() {
    let server = with(FILES);
    let content = noise(100_000);
    let upload = |action: &str| server.request("POST", &format!("/run/{action}"));
    assert!(upload("raw").media("image/png").body(&content).send().expect(200).text().starts_with("100000 "));
    assert!(upload("copy").media("image/png").body(&content).send().expect(200).body == content);
    let in_json = json!({"file": encode(&content)});
    let answer = upload("copy").media("application/json").body(in_json.to_string()).send();
    assert!(answer.expect(200).body == content);
    let seen = upload("named").media("image/png").body("pixels").send().expect(200).json();
    let sent: Value = serde_json::from_str(seen["body"].as_str().expect("text")).expect("JSON");
    let path = std::path::Path::new(sent["file"].as_str().expect("a path")).to_owned();
    assert!(path.starts_with(server.workspace()), "{path:?}");
    eventually("the file is gone", || (!path.exists() && !path.parent()?.exists()).then_some(()));
}

const NAMES: &str = "  list: {arguments: {files: {type: list, list: {elements: {type: path}}, in: requestBody}},
    http: {port: PORT1, method: post, path: /read}, output: {type: string}}
  object: {arguments: {of: {type: object, properties: {file: {type: path}}, in: requestBody}},
    http: {port: PORT1, method: post, path: /read/1}, output: {type: string}}
";

/// A form with these files.
fn form(files: &[(&str, &str)]) -> String {
    let part = |(name, content): &(&str, &str)| {
        let head = format!("Content-Disposition: form-data; name=\"{name}\"; filename=\"x.txt\"");
        format!("--x\r\n{head}\r\n\r\n{content}\r\n")
    };
    files.iter().map(part).collect::<String>() + "--x--\r\n"
}

#[test]
fn files_in_a_list_and_in_an_object_are_there_for_as_long_too() {
    let server = with(NAMES);
    let upload = |action: &str, body: String| {
        let request = server.request("POST", &format!("/run/{action}"));
        request.media("multipart/form-data; boundary=x").body(body).send().expect(200)
    };
    assert_eq!(upload("list", form(&[("files", "one"), ("files", "two")])).text(), "one,two");
    assert_eq!(run(&server, "list", &json!({"files": [encode("one"), encode("two")]})).expect(200).text(), "one,two");
    assert_eq!(run(&server, "object", &json!({"of": {"file": encode("one")}})).expect(200).text(), "one");
}

/// A service with these actions that runs as another user; nothing where only root could do that.
fn as_user(actions: &str) -> Option<Server> {
    if !rustix::process::getuid().is_root() {
        crate::harness::did_not_run("--user", "only root may run functions as another user");
        return None;
    }
    let file = format!("oms: 1\nlifecycle: {{startup: {{command: [python3, SERVER]}}}}\nactions:\n{actions}");
    let server = service(&file).args(["--user", "54321:54322"]).start();
    let home = server.workspace();
    let home = home.parent().expect("a parent");
    // It cannot begin before, and is started again.
    for dir in [home, &server.workspace(), &server.scratch()] {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o777)).expect("chmod");
    }
    Some(server)
}

#[test]
fn a_file_is_that_of_the_user_whom_the_service_runs_as() {
    let Some(server) = as_user(NAMES) else { return };
    let upload = server.request("POST", "/run/list").media("multipart/form-data; boundary=x");
    assert_eq!(upload.body(form(&[("files", "one")])).send().expect(200).text(), "one");
}

#[test]
fn a_file_that_is_sent_stays_out_of_the_services_reach() {
    let arguments = "arguments: {file: {type: path}}";
    let Some(server) = as_user(&format!(
        "  sent: {{{arguments}, output: {{type: string}},\n    \
         http: {{port: PORT1, method: post, path: /slow, contentType: multipart/form-data}}}}\n"
    )) else {
        return;
    };
    std::thread::scope(|scope| {
        let call = scope.spawn(|| run(&server, "sent", &json!({"file": encode("one")})).expect(200));
        eventually("the service has it", || server.scratch().join("slow").exists().then_some(()));
        // The other one is the service's own.
        let mut workspaces = fs::read_dir(server.workspace()).expect("listed").map(|entry| entry.expect("read").path());
        let is_of_a_call = |path: &std::path::PathBuf| !crate::harness::listing(&path.join("in")).is_empty();
        let workspace = workspaces.find(is_of_a_call).expect("a workspace with a file");
        let owners = [workspace.join("in"), workspace].map(|dir| fs::metadata(dir).expect("there").uid());
        assert_eq!(owners, [0, 0]);
        fs::write(server.scratch().join("go"), "").expect("written");
        assert_eq!(call.join().expect("answered").text(), "done");
    });
}

#[test]
fn a_list_of_files_is_sent_as_a_part_for_each() {
    let server = with(
        "  sent: {arguments: {files: {type: list, list: {elements: {type: path}}}}, output: {type: object},
    http: {port: PORT1, method: post, path: /echo, contentType: multipart/form-data}}\n",
    );
    let sent = run(&server, "sent", &json!({"files": [encode("one"), encode("three")]})).expect(200).json();
    let body = sent["body"].as_str().expect("text");
    assert_eq!(body.matches("name=\"files\"; filename=").count(), 2, "{body}");
    assert!(body.contains("\r\n\r\none\r\n") && body.contains("\r\n\r\nthree\r\n"), "{body}");
}

#[test]
fn a_body_of_bytes_is_sent_by_every_method_that_has_one() {
    let methods = ["post", "put", "patch", "delete"];
    let actions = methods.map(|method| {
        format!(
            "  {method}1: {{arguments: {{file: {{type: path, in: requestBody}}, q: {{type: int, in: query}}}},\n    http: \
             {{port: PORT1, method: {method}, path: /echo/1, contentType: application/octet-stream}}, output: {{type: \
             object}}}}\n"
        )
    });
    let server = with(&actions.concat());
    for method in methods {
        for target in [format!("/run/{method}1?q=7"), "/echo/1?q=7".to_owned()] {
            let verb = if target.starts_with("/run/") { "POST".to_owned() } else { method.to_uppercase() };
            let request = server.request(&verb, &target).media("application/octet-stream").body([0, 0xff, b'\n']);
            let seen = request.send().expect(200).json();
            assert_eq!((&seen["method"], &seen["target"]), (&method.to_uppercase().into(), &"/echo/1?q=7".into()));
            assert_eq!(seen["body"], "\0\u{ff}\n", "{method}");
            assert_eq!(field(&seen, "content-type"), ["application/octet-stream"]);
            assert_eq!(field(&seen, "content-length"), ["3"]);
        }
    }
}

#[test]
fn a_service_of_2018_has_a_connection_for_each_request_of_an_action() {
    let actions = "  echo: {http: {port: PORT1, method: get, path: /echo}, output: {type: object}}
  peer: {http: {port: PORT1, method: get, path: /peer}, output: {type: int}}\n";
    let of = |generation: &str| {
        let start = "lifecycle: {startup: {command: [python3, SERVER]}}";
        service(&format!("{generation}: 1\n{start}\nactions:\n{actions}")).start()
    };
    let (old, new) = (of("omg"), of("oms"));
    assert_eq!(field(&run(&old, "echo", &json!({})).expect(200).json(), "connection"), ["close"]);
    assert_eq!(field(&run(&new, "echo", &json!({})).expect(200).json(), "connection"), [""; 0]);
    let peers = [(); 3].map(|()| run(&old, "peer", &json!({})).expect(200).text().to_owned());
    assert!(peers[0] != peers[1] && peers[1] != peers[2], "{peers:?}");
}

#[test]
fn large_files_pass_in_flat_memory() {
    const BYTES: usize = 100 * 1024 * 1024;
    let server = with(FILES);
    let content = noise(BYTES);
    let mut form = b"--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\n\r\n".to_vec();
    form.extend(&content);
    form.extend(b"\r\n--x--\r\n");
    let upload = |action: &str, kind: &str, body: &[u8]| {
        server.request("POST", &format!("/run/{action}")).media(kind).body(body).send().expect(200)
    };
    let measured = upload("raw", "multipart/form-data; boundary=x", &form);
    assert!(measured.text().starts_with(&format!("{BYTES} ")), "{measured}");
    assert_eq!(upload("raw", "image/png", &content).text(), measured.text());
    let parts = upload("measure", "multipart/form-data; boundary=x", &form);
    let count: usize = parts.text().split(' ').next().expect("a number").parse().expect("a number");
    assert!(count > BYTES && count < BYTES + 1000, "{parts}");
    assert!(upload("copy", "image/png", &content).body == content);
    let peak = proc_status(server.pid(), "VmHWM").expect("it runs");
    assert!(peak < PEAK_KIB, "{peak} KiB");
}

const ENDS: &str = "  die: {arguments: {chunked: {type: string, in: query}},
    http: {port: PORT1, method: post, path: /die}, output: {type: string}}
  number: {http: {port: PORT1, method: post, path: /die/1}, output: {type: int}}
  slow: {http: {port: PORT1, method: post, path: /slow}, output: {type: string}}
  starts: {http: {port: PORT1, method: get, path: /port}, output: {type: object}}
";

#[test]
fn a_service_that_dies_in_the_middle_leaves_no_answer_that_looks_whole() {
    let server = with(ENDS);
    let answer = run(&server, "die", &json!({}));
    assert!(!answer.whole, "{answer}");
    let problem = run(&server, "number", &json!({})).problem(502);
    assert_eq!(problem["type"], "urn:bandog:error:upstream-failed");
    server.get("/port").send().expect(200);
    assert_eq!(server.sign("starts").lines().count(), 3, "and it is started again");
}

#[test]
fn who_hangs_up_ends_the_call() {
    let file = format!("oms: 1\nlifecycle: {{startup: {{command: [python3, SERVER]}}}}\nactions:\n{ENDS}");
    let server = service(&file).args(["--max-inflight", "1", "--max-queue", "0"]).start();
    let mut wire = server.connect();
    wire.write(&server.request("POST", "/run/slow").body("").head());
    server.sign("slow");
    server.get("/port").send().problem(429);
    wire.leave();
    eventually("a free place", || (server.get("/port").send().status == 200).then_some(()));
    server.give("go");
    let totals = || server.get("/_/status").send().json()["totals"]["cancelled"].clone();
    eventually("it is counted", || (totals() == 1).then_some(()));
}

#[test]
fn what_a_service_has_answered_without_reading_is_read_no_more() {
    let deaf = "  deaf: {arguments: {file: {type: path, in: requestBody}},
    http: {port: PORT1, method: post, path: /deaf, contentType: application/octet-stream}, output: {type: string}}\n";
    let server = with(deaf);
    let content = noise(20 * 1024 * 1024);
    server.request("POST", "/run/deaf").media("image/png").body(&content).send().problem(422);
    let inputs = server.workspace();
    eventually("the file is closed, though the connection is not", || {
        let open = fs::read_dir(format!("/proc/{}/fd", server.pid())).ok()?.flatten();
        let mut open = open.filter_map(|fd| fs::read_link(fd.path()).ok());
        let is_input = |path: &std::path::Path| path.to_string_lossy().ends_with(" (deleted)");
        (!open.any(|path| path.starts_with(&inputs) && is_input(&path))).then_some(())
    });
    server.give("go");
}

#[test]
fn an_action_has_the_time_of_a_function() {
    let file = format!("oms: 1\nlifecycle: {{startup: {{command: [python3, SERVER]}}}}\nactions:\n{ENDS}");
    let server = service(&file).args(["--exec-timeout", "500ms"]).start();
    let begun = std::time::Instant::now();
    assert_eq!(run(&server, "slow", &json!({})).problem(504)["type"], "urn:bandog:error:function-timeout");
    assert!(begun.elapsed() < Duration::from_secs(20));
    server.give("go");
}
