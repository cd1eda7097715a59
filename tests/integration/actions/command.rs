//! The arguments and environment that the command of an action starts with, and the results of its ways to end.

use super::{json, serve};
use crate::harness::{Request, Server, encode, listing};

/// The longest word of a command.
const WORD: usize = 131_071;

/// The type of text.
const TEXT: &str = "text/plain; charset=utf-8";

/// The type of all that is neither text nor bytes.
const JSON: &str = "application/json";

/// Prints each argument behind its own name, a NUL behind each.
const SHOW: &str = r#"[sh, -c, 'for word do printf "%s\0" "$word"; done', sh]"#;

fn run(server: &Server, action: &str, arguments: impl AsRef<str>) -> Request {
    server.request("POST", &format!("/run/{action}")).media("application/json").body(arguments.as_ref())
}

/// The words that the process saw.
fn words(server: &Server, action: &str, arguments: impl AsRef<str>) -> Vec<String> {
    let answer = run(server, action, arguments).send().expect(200);
    answer.text().split_terminator('\0').map(str::to_owned).collect()
}

fn shows(arguments: &str, more: &str) -> String {
    let command = SHOW.replace(", sh]", &format!(", sh{more}]"));
    format!(
        "oms: 1\nactions:\n  show:\n    format: {{command: {command}}}\n    arguments: {arguments}\n    \
         output: {{type: string, contentType: application/octet-stream}}\n"
    )
}

#[test]
fn all_arguments_are_one_json_object_behind_the_command_in_the_order_declared() {
    let file = shows("{word: {type: string}, many: {type: int, default: 3}, list: {type: list}}", ", fixed");
    let server = serve(&file).start();
    assert_eq!(
        words(&server, "show", r#"{"list": [1, {"b": 2, "a": 1}], "word": "é"}"#),
        ["fixed", r#"{"word":"é","many":3,"list":[1,{"b":2,"a":1}]}"#]
    );
    assert_eq!(words(&server, "show", "{}"), ["fixed", r#"{"many":3}"#]);
    let query = server.request("POST", "/run/show?word=from+query&many=7").send().expect(200);
    assert_eq!(query.text(), "fixed\0{\"word\":\"from query\",\"many\":7}\0");
    let base64 = server.request("POST", "/run/show").body(encode(r#"{"many": 1}"#)).send().expect(200);
    assert_eq!(base64.text(), "fixed\0{\"many\":1}\0");
}

#[test]
fn what_is_no_utf8_starts_nothing_and_is_told_for_each_argument() {
    let file = "oms: 1\nactions:\n  echo:\n    format: {command: [printf, '%s', '{s}']}\n    arguments: {s: {type: \
                string}, h: {type: string, in: header}, q: {type: string}}\n    output: {type: string}\n";
    let server = serve(file).start();
    let form =
        |path: &str, body: &[u8]| server.request("POST", path).media("application/x-www-form-urlencoded").body(body);
    assert_eq!(form("/run/echo?q=%c3%a9", b"s=%c3%a9").header("h", "\u{e9}").send().expect(200).text(), "\u{e9}");
    let answer = form("/run/echo?q=%ff", b"s=%ff").send().expect(400).json();
    let errors = answer["errors"].as_array().expect("errors").iter().map(|error| {
        assert_eq!((&error["problem"], &error["detail"]), (&"invalid".into(), &"expected text in UTF-8".into()));
        format!("{} in {}", error["argument"].as_str().expect("a name"), error["in"].as_str().expect("a place"))
    });
    assert_eq!(errors.collect::<Vec<_>>(), ["s in requestBody", "q in query"], "{answer}");
    let part = b"--b\r\nContent-Disposition: form-data; name=\"s\"\r\n\r\n\xff\r\n--b--";
    let parts = server.request("POST", "/run/echo").media("multipart/form-data; boundary=b").body(part);
    assert_eq!(parts.send().expect(400).json()["errors"][0]["argument"], "s");
}

#[test]
fn without_arguments_nothing_follows_the_command() {
    let server = serve(&shows("{}", ", fixed")).start();
    assert_eq!(words(&server, "show", ""), ["fixed"]);
}

#[test]
fn no_shell_sees_what_is_sent_and_a_value_stays_one_word() {
    let file = shows("{a: {type: string}, b: {type: list}}", ", '{a}', 'x-{{a}}-:b'");
    let server = serve(&file).start();
    for text in ["$(id)", "; echo no", "`id`", "a b\\tc", "'\"", "line\nline", "*", "{b}", ":b", "-rf", "é"] {
        let sent = serde_json::json!({"a": text, "b": [1, "x y"]}).to_string();
        assert_eq!(words(&server, "show", sent), [text, &format!("x-{text}-[1,\"x y\"]")], "{text:?}");
    }
    assert_eq!(words(&server, "show", "{}"), ["", "x--"], "what is not given is nothing, and a word all the same");
}

#[test]
fn arguments_too_long_for_a_word_are_on_stdin_and_in_a_file() {
    let file = r#"
oms: 1
actions:
  show:
    format:
      command: [sh, -c, 'printf "%s " "$#"; printf "%s" "$1" | wc -c; wc -c; test -z "$ARGUMENTS_PATH" || wc -c < "$ARGUMENTS_PATH"; head -c 8 "${ARGUMENTS_PATH-/dev/null}"', sh]
    arguments: {text: {type: string}}
    output: {type: string}
"#;
    let server = serve(file).start();
    let json = |length: usize| format!(r#"{{"text":"{}"}}"#, "x".repeat(length - r#"{"text":""}"#.len()));
    let seen = |length: usize| {
        let answer = run(&server, "show", json(length)).send().expect(200);
        answer.text().split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(seen(WORD), "1 131071 0");
    assert_eq!(seen(WORD + 1), r#"0 0 131072 131072 {"text":"#);
    assert_eq!(seen(5_000_000), r#"0 0 5000000 5000000 {"text":"#);
    server.is_clean();
}

#[test]
fn a_word_with_a_value_that_no_process_could_be_given_is_a_mistake_of_the_caller() {
    let file = shows("{a: {type: string}, b: {type: string}}", ", 'a={a}', '{b}', '{b}{b}'");
    let server = serve(&file).start();
    let longest = "x".repeat(WORD - 2);
    assert_eq!(words(&server, "show", format!(r#"{{"a":"{longest}"}}"#))[0], format!("a={longest}"));
    let half = "x".repeat(WORD / 2 + 1);
    for (sent, argument) in [
        (format!(r#"{{"a":"{longest}x"}}"#), "a"),
        (format!(r#"{{"b":"{half}"}}"#), "b"),
        (r#"{"a":"x\u0000y"}"#.to_owned(), "a"),
    ] {
        let answer = run(&server, "show", sent).send();
        let problem = answer.problem(400);
        assert_eq!(answer.wants("x-bandog-error"), "invalid-arguments");
        assert_eq!(problem["errors"][0]["argument"], argument, "{problem}");
    }
    let many = shows("{b: {type: string}}", &", '{b}'".repeat(20));
    let server = serve(&many).start();
    let problem = run(&server, "show", format!(r#"{{"b":"{}"}}"#, "x".repeat(100_000))).send().problem(400);
    assert_eq!(problem["errors"][0]["argument"], "b", "{problem}");
}

#[test]
fn the_process_finds_its_action_and_all_that_every_function_finds() {
    let file = r#"
oms: 1
actions:
  show:
    format: {command: [sh, -c, 'printf "%s %s %s" "$ACTION" "$CALL_ID" "$Http_Path"; cd "$TMP_OUTPUT_DIR" && pwd; cat']}
    arguments: {ACTION: {type: string}}
    output: {type: string}
"#;
    let server = serve(file).start();
    let answer = run(&server, "show", r#"{"ACTION":"forged"}"#).header("X-Call-Id", "me").header("Action", "forged");
    let answer = answer.send().expect(200);
    assert!(answer.text().starts_with("show me /run/show/"), "{answer}");
    assert_eq!(answer.wants("x-call-id"), "me");
    assert_eq!(answer.wants("x-exit-code"), "0");
    server.is_clean();
}

#[test]
fn a_result_is_answered_bare_in_its_type_whoever_asks_and_checked() {
    let file = r#"
oms: 1
actions:
  text: {format: {command: [echo, '  some text ']}, output: {type: string}}
  quoted: {format: {command: [echo, text]}, output: {type: string, contentType: application/json}}
  number: {format: {command: [echo, ' 42 ']}, output: {type: int}}
  map: {format: {command: [echo, '{"a": [1, null]}']}, output: {type: map}}
  any: {format: {command: [echo, '[1]']}, output: {type: any}}
  words: {format: {command: [echo, 'no JSON']}, output: {type: any}}
  bytes: {format: {command: [printf, ' \377\000 ']}, output: {type: any, contentType: application/octet-stream}}
  none: {format: {command: [echo, ignored]}, output: {type: none}}
  own: {format: {command: [sh, -c, 'echo X-Own:1 > "$RESPONSE_HEADERS_PATH"; echo 1; echo noise >&2']}, output: {type: int}}
  lie: {format: {command: [echo, twelve]}, output: {type: int}}
  broken: {format: {command: [echo, '{"a": ']}, output: {type: object}}
  missing: {format: {command: [echo, '{}']}, output: {type: object, properties: {a: {type: int, required: true}}}}
  large: {format: {command: [sh, -c, 'head -c 8388609 /dev/zero | tr "\0" x']}, output: {type: string}}
"#;
    let server = serve(file).start();
    for (action, kind, body) in [
        ("text", Some(TEXT), &b"some text"[..]),
        ("quoted", Some(JSON), b"\"text\""),
        ("number", Some(JSON), b"42"),
        ("map", Some(JSON), b"{\"a\": [1, null]}"),
        ("any", Some(JSON), b"[1]"),
        ("words", Some(TEXT), b"no JSON"),
        ("bytes", Some("application/octet-stream"), b" \xff\x00 "),
        ("none", None, b""),
        ("own", Some(JSON), b"1"),
    ] {
        for accept in ["*/*", "text/event-stream", "application/json", "image/png"] {
            let answer = server.request("POST", &format!("/run/{action}")).accept(accept).send().expect(200);
            assert_eq!((answer.header("content-type"), &*answer.body), (kind, body), "{action} for {accept}: {answer}");
            assert_eq!(answer.header("content-disposition"), None, "{answer}");
            assert_eq!(answer.header("x-own"), (action == "own").then_some("1"), "{answer}");
        }
    }
    for (action, words) in [("lie", "twelve"), ("broken", "JSON"), ("missing", "`a`"), ("large", "8388608")] {
        let answer = server.request("POST", &format!("/run/{action}")).send();
        let problem = answer.problem(500);
        assert_eq!(answer.wants("x-bandog-error"), "result-invalid", "{action}");
        assert!(problem["detail"].as_str().expect("text").contains(words), "{action}: {problem}");
    }
    server.is_clean();
}

#[test]
fn a_failure_ignores_what_was_printed_and_shows_what_was_complained_of() {
    let file = r#"
oms: 1
actions:
  end: {format: {command: [sh, -c, 'echo half a result; printf "  what\nwent \377wrong\n" >&2; {how}', sh]}, arguments: {how: {type: string}}, output: {type: string}}
  long: {format: {command: [sh, -c, 'head -c 200000 /dev/zero | tr "\0" a >&2; echo end >&2; exit 1']}, output: {type: none}}
"#;
    // The only action here whose author lets its caller write shell.
    let server = serve(file).start();
    for (how, status, word) in [
        ("exit 1", 422, "action-failed"),
        ("exit 2", 503, "action-unavailable"),
        ("exit 3", 500, "function-failed"),
        ("exit 255", 500, "function-failed"),
        ("kill -9 $$", 500, "function-killed"),
    ] {
        let answer = run(&server, "end", serde_json::json!({"how": how}).to_string()).send();
        let problem = answer.problem(status);
        assert_eq!(answer.wants("x-bandog-error"), word, "{how}");
        assert_eq!(problem["traceback"], "  what\nwent \u{fffd}wrong\n", "{how}: {problem}");
        assert_eq!((&problem["attempts"], problem.get("logs")), (&1.into(), None), "{how}: {problem}");
        assert!(!problem.to_string().contains("half a result"), "{how}: {problem}");
        assert_eq!(answer.header("retry-after").is_some(), status == 503, "{how}");
    }
    let problem = server.request("POST", "/run/long").send().problem(422);
    let traceback = problem["traceback"].as_str().expect("text");
    assert!(traceback.len() == 65_536 && traceback.ends_with("aend\n"), "{} bytes", traceback.len());
}

#[test]
fn a_command_that_takes_too_long_is_ended_as_every_function_is() {
    let file = "oms: 1\nactions:\n  sleep: {format: {command: [sh, -c, 'echo slow >&2; exec sleep 1000']}, output: {type: none}}\n";
    let server = serve(file).args(["--exec-timeout", "300ms"]).start();
    let problem = server.request("POST", "/run/sleep").send().problem(504);
    assert_eq!((&problem["traceback"], &problem["attempts"]), (&"slow\n".into(), &1.into()), "{problem}");
    server.is_clean();
}

#[test]
fn wrong_arguments_start_nothing_and_all_of_them_are_told() {
    let file = r#"
oms: 1
actions:
  strict:
    format: {command: [sh, -c, 'touch "$SCRATCH/started"', sh]}
    arguments:
      count: {type: int, required: true}
      kind: {type: enum, enum: [a, b]}
      token: {type: string, in: header}
    output: {type: none}
"#;
    let server = serve(file).start();
    let answer = run(&server, "strict", r#"{"kind": "c", "extra": 1}"#).to("/run/strict?injected=1").send();
    let problem = answer.problem(400);
    assert_eq!(answer.wants("x-bandog-error"), "invalid-arguments");
    let mut seen: Vec<String> = problem["errors"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|error| {
            format!("{} {}", error["argument"].as_str().expect("text"), error["problem"].as_str().expect("text"))
        })
        .collect();
    seen.sort();
    assert_eq!(seen, ["count missing", "extra unexpected", "injected unexpected", "kind invalid"], "{problem}");
    run(&server, "strict", r#"{"count": 1}"#).to("/run/strict?count=2").send().problem(400);
    run(&server, "strict", "[1]").send().problem(400);
    run(&server, "strict", r#"{"count": 1"#).send().problem(400);
    run(&server, "strict", r#"{"count": 1, "count": 1}"#).send().problem(400);
    server.is_clean();
    assert!(!server.has_sign("started"));
    // A header that is no argument is ignored.
    run(&server, "strict", r#"{"count": 1}"#).header("kind", "c").header("token", "x").send().expect(200);
    assert!(server.has_sign("started"));
}

#[test]
fn a_file_is_its_content_over_http_and_never_a_name_on_the_server() {
    let file = r"
oms: 1
actions:
  size: {format: {command: [wc, -c, '{file}']}, arguments: {file: {type: path, required: true}}, output: {type: string}}
";
    let server = serve(file).start();
    let size = |request: Request| {
        let answer = request.send().expect(200);
        answer.text().split(' ').next().expect("a number").to_owned()
    };
    let post = || server.request("POST", "/run/size");
    assert_eq!(size(post().media("image/png").body([0_u8; 7])), "7");
    assert_eq!(size(post().media("application/octet-stream").body(vec![1_u8; 3_000_000])), "3000000");
    assert_eq!(size(post().body(encode([9_u8; 10]))), "10");
    let form =
        "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"../../etc/passwd\"\r\n\r\nabcd\r\n--x--\r\n";
    assert_eq!(size(post().media("multipart/form-data; boundary=x").body(form)), "4");
    assert_eq!(size(run(&server, "size", serde_json::json!({"file": encode("five!")}).to_string())), "5");
    // It is base64 that is wrong, or content: what it never is, is the file of that name.
    for name in ["/etc/passwd", "file:///etc/passwd", "../../../../etc/passwd", "oms.yml"] {
        run(&server, "size", serde_json::json!({"file": name}).to_string()).send().problem(400);
    }
    let query = server.request("POST", "/run/size?file=%2Fetc%2Fpasswd").send();
    query.problem(400);
    server.is_clean();
}

#[test]
fn a_body_over_the_limits_starts_nothing() {
    let file = "oms: 1\nactions:\n  echo: {format: {command: [sh, -c, 'touch \"$SCRATCH/started\"', sh]}, arguments: {a: {type: string}}, output: {type: none}}\n";
    let server = serve(file).args(["--max-body", "20MB"]).start();
    let sent = |length: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(length));
    run(&server, "echo", sent(9 * 1024 * 1024)).send().problem(413);
    run(&server, "echo", sent(21_000_000)).send().problem(413);
    let many = format!("{{\"a\":\"\",\"b\":[{}1]}}", "1,".repeat(200_000));
    run(&server, "echo", many).send().problem(400);
    server.is_clean();
    assert!(!server.has_sign("started"));
}

#[test]
fn actions_run_side_by_side_each_with_its_own_arguments() {
    let file = shows("{number: {type: int}}", "");
    let server = serve(&file).args(["--max-inflight", "8", "--max-queue", "100"]).start();
    std::thread::scope(|scope| {
        for number in 0..32 {
            let server = &server;
            scope.spawn(move || {
                let seen = words(server, "show", format!("{{\"number\":{number}}}"));
                assert_eq!(seen, [format!("{{\"number\":{number}}}")]);
            });
        }
    });
    server.is_clean();
    assert_eq!(listing(&server.workspace()), [""; 0]);
}

#[test]
fn undeclared_arguments_of_a_variadic_action_follow_those_declared() {
    let file = r#"
oms: 1
actions:
  all:
    format: {command: [sh, -c, 'printf %s "$1"', sh]}
    arguments: {first: {type: int}, variadic: true}
    output: {type: object}
"#;
    let server = serve(file).start();
    let seen = run(&server, "all", r#"{"z": [1], "first": 1}"#).send().expect(200);
    assert_eq!(json(seen.text()), serde_json::json!({"first": 1, "z": [1]}));
    assert!(seen.text().starts_with(r#"{"first":"#), "{seen}");
}

#[test]
fn an_action_that_gives_nothing_may_print_as_much_as_it_likes() {
    let file =
        "oms: 1\nactions:\n  talk: {format: {command: [head, -c, '9000000', /dev/zero]}, output: {type: none}}\n";
    let answer = run(&serve(file).start(), "talk", "{}").send().expect(200);
    assert_eq!((answer.body.len(), answer.header("content-type")), (0, None), "{answer}");
}

/// As floats of 64 bits they came out rounded, and with another spelling.
#[test]
fn a_number_reaches_the_action_as_it_was_written() {
    let file = shows("{anything: {type: any}, map: {type: map}, real: {type: float}, whole: {type: int}}", "");
    let server = serve(&file).start();
    for number in
        ["340282366920938463463374607431768211455", "1.10", "1E5", "-0", "1e400", "0.1000000000000000055511151231"]
    {
        let sent = format!(r#"{{"anything":{number},"map":{{"n":[{number}]}}}}"#);
        assert_eq!(words(&server, "show", &sent), [sent], "{number}");
    }
    let sent = r#"{"real":1.10,"whole":5.0}"#;
    assert_eq!(words(&server, "show", sent), [r#"{"real":1.10,"whole":5}"#]);
    run(&server, "show", r#"{"real":1e400}"#).send().problem(400);
    let query = server.request("POST", "/run/show?anything=1E5&map=%7B%22n%22%3A1.50%7D").send().expect(200);
    assert_eq!(query.text(), "{\"anything\":1E5,\"map\":{\"n\":1.50}}\0");
}

/// Read as a form, it was quoted at length in a hundred errors.
#[test]
fn bytes_under_the_label_of_forms_are_one_error_that_names_the_type() {
    let server = serve(&shows("{word: {type: string}}", "")).start();
    let picture = [&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..], &crate::harness::noise(40_000)].concat();
    for media in ["application/x-www-form-urlencoded", ""] {
        let request = server.request("POST", "/run/show").body(&picture);
        let answer = if media.is_empty() { request.send() } else { request.media(media).send() };
        assert!(answer.body.len() < 1000, "{media}: {} bytes", answer.body.len());
        let problem = answer.problem(400);
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("Content-Type")), "{media}: {problem}");
    }
}
