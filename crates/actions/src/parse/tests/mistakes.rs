//! Tests of invalid files and their diagnostics.

use super::*;

/// The mistakes of a command action `a` with this body.
fn in_action(body: &str) -> Vec<String> {
    mistakes(&format!("oms: 1\nactions:\n  a:\n    format: {{command: x}}\n    {body}\n"))
}

#[test]
fn every_mistake_of_a_file_is_told_at_once_each_with_its_line() {
    let text = r"oms: 2
commands: {}
actions:
  count:
    format: {comand: x}
    arguments:
      word: {type: strng, pattern: '(?=x)'}
      size: {type: int, default: big, range: {min: 5, max: 1}}
      size: {type: int}
      tags: {type: list, list: {elements: {type: what}}, default: [1]}
      a-b: {type: int}
      where: {type: int, in: cookie}
      sure: {type: boolean, required: maybe}
      none: {typo: int}
      some: {type: map, default: {}}
      pick: {type: enum}
      ranged: {type: string, range: {min: 1}}
    outptu: {type: int}
  9lives: {format: {command: x}, http: {method: get, path: /x, port: 1}, output: {type: int}}
  nothing: {help: [a]}
  web:
    http: {method: fetch, port: 70000, path: 'relative', contentType: text/plain}
    output: {type: int}
  get:
    http: {method: get, port: 80, path: '/{here}/{gone}'}
    arguments:
      here: {type: int, in: query}
      lost: {type: int, in: path}
      body: {type: int, in: requestBody}
    output: {type: int}
  outside: {http: {method: get, url: 'ftp://x/y'}, output: {type: int}}
  run: {http: {method: post, port: 80, path: /run/x}, output: {type: int}}
  same: {http: {method: post, port: 80, path: '/s/{a}'}, arguments: {a: {type: int}}, output: {type: int}}
  like: {http: {method: post, port: 80, path: '/s/{b}'}, arguments: {b: {type: int}}, output: {type: int}}
  placed: {format: {command: ['{p}', x]}, arguments: {p: {type: int}}}
lifecycle: {startup: {command: ['', x]}, stop: x}
health: {http: {path: /h, port: no}}
environment: {1x: {type: int}, ok: {type: int, default: x}, OK: {type: int}}
forwards: {f: {http: {path: /_/x, port: 80}}}
";
    assert_eq!(
        mistakes(text),
        [
            "1: oms: \"2\": expected 1, the only version there is",
            "2: commands: means the same as actions; keep one of them",
            "5: actions.count.format.command: missing; expected a program and its arguments",
            "7: actions.count.arguments.word.type: \"strng\": expected one of int, float, string, boolean, list, map, object, enum, any, uuid, path, number, file; did you mean string?",
            "7: actions.count.arguments.word.pattern: \"(?=x)\": expected a regular expression: look-around is not supported",
            "8: actions.count.arguments.size.range.min: \"5\": is more than max, which is 1; no value is valid",
            "8: actions.count.arguments.size.default: \"big\": does not fit the type: expected a whole number from 5 to 1",
            "9: actions.count.arguments.size: given twice; keep one of them",
            "10: actions.count.arguments.tags.list.elements.type: \"what\": expected one of int, float, string, boolean, list, map, object, enum, any, uuid, path, number, file",
            "11: actions.count.arguments.a-b: expected an argument's name of letters, digits and underscores (of ASCII), with in: header also of hyphens",
            "12: actions.count.arguments.where.in: \"cookie\": expected one of query, requestBody, path, header, body",
            "13: actions.count.arguments.sure.required: \"maybe\": expected true or false",
            "14: actions.count.arguments.none.typo: unknown key; did you mean type?",
            "15: actions.count.arguments.some.default: an argument of type map cannot have a default; leave it out",
            "16: actions.count.arguments.pick.type: \"enum\": no choices; expected a list of values under enum",
            "17: actions.count.arguments.ranged.range: applies to type int and float only, but this is of type string",
            "18: actions.count.outptu: unknown key; did you mean output?",
            "19: actions.9lives: expected an action's name of letters, digits and underscores (of ASCII), that does not begin with a digit",
            "19: actions.9lives.format: format beside http; an action has exactly one of http, rpc, format and events",
            "20: actions.nothing.help: expected a string",
            "20: actions.nothing: no interface; expected exactly one of http, rpc, format and events",
            "22: actions.web.http.method: \"fetch\": expected one of get, post, put, delete, patch; did you mean patch?",
            "22: actions.web.http.contentType: \"text/plain\": expected one of application/json, application/x-www-form-urlencoded, multipart/form-data, application/octet-stream",
            "22: actions.web.http.port: \"70000\": expected a port number from 1 to 65535",
            "22: actions.web.http.path: \"relative\": expected a path that begins with a slash",
            "25: actions.get.http.path: \"/{here}/{gone}\": gone is in the path, but is not an argument of the action",
            "27: actions.get.arguments.here.in: \"query\": argument here is in the path /{here}/{gone}; expected in: path",
            "28: actions.get.arguments.lost.in: \"path\": argument lost is not in the path /{here}/{gone}",
            "31: actions.outside.http.url: \"ftp://x/y\": expected an absolute URL with http:// or https://",
            "35: actions.placed.format.command: the program is {p}; no argument can name it",
            "36: lifecycle.startup.command: the command is empty; expected a program, then its arguments",
            "36: lifecycle.stop: unknown key; expected one of startup, run, shutdown",
            "37: health.http.port: \"no\": expected a port number from 1 to 65535",
            "38: environment.1x: expected a variable's name of letters, digits and underscores (of ASCII), that does not begin with a digit",
            "38: environment.ok.default: \"x\": does not fit the type: expected a whole number",
            "38: environment.OK: another key already declares the variable OK",
            "39: forwards.f.http.path: \"/_/x\": paths below /_/ are bandog's own; choose another",
        ]
    );
}

#[test]
fn a_mistake_within_an_action_names_what_was_expected() {
    for (body, wanted) in [
        ("arguments: {a: {type: string, pattern: '(a)\\1'}}", "backreferences are not supported"),
        ("arguments: {a: {type: int, pattern: a}}", "a.pattern: applies to type string only, but this is of type int"),
        (
            "arguments: {a: {type: int, enum: [1, x]}}",
            "a.enum[1]: \"x\": does not fit the type: expected a whole number",
        ),
        ("arguments: {a: {type: int, enum: []}}", "a.enum: expected at least one choice"),
        (
            "arguments: {a: {type: int, enum: [1, 2], default: 3}}",
            "a.default: \"3\": does not fit the type: expected one of 1, 2",
        ),
        ("arguments: {a: {type: string, default: 5}}", "a.default: \"5\": does not fit the type: expected a string"),
        ("arguments: {a: {type: boolean, default: yes}}", "expected true or false"),
        (
            "arguments: {a: {type: path, enum: [eA==]}}",
            "a.enum: the content of a file cannot be one of several choices",
        ),
        ("arguments: {a: {type: path, default: /x}}", "a file that the caller sends, so it cannot have a default"),
        (
            "arguments: {a: {type: list, elements: {type: path}, default: [/x]}}",
            "a.default: a value of type path is a file that the caller sends",
        ),
        (
            "arguments: {a: {type: list, elements: {type: int}, default: [1, b]}}",
            "a.default: does not fit the type: [1]: expected",
        ),
        ("arguments: {a: {type: list, elements: {type: int}, list: {elements: {type: int}}}}", "also given below list"),
        (
            "arguments: {a: {type: object, list: {elements: {type: int}}}}",
            "applies to type list only, but this is of type object",
        ),
        (
            "arguments: {a: {type: object, properties: {b: {type: map, map: {value: {type: int}}}}}}",
            "properties.b.map.value: unknown key; did you mean values?",
        ),
        ("arguments: {a: {type: int, range: {}}}", "a.range: expected min, max, or both"),
        ("arguments: {a: {type: int, range: {min: '1'}}}", "a.range.min: \"1\": expected a number"),
        ("arguments: {a: {type: int, in: query, location: query}}", "a.location: means the same as in"),
        ("arguments: [a]", "actions.a.arguments: expected a mapping of keys to values"),
        ("arguments: {host: {type: string, in: header}}", "this header is not the caller's to set"),
        ("output: {type: none, enum: [1]}", "output.enum: type: none has no such rule"),
        ("output: {type: int, contentType: json}", "output.contentType: \"json\": expected one of application/json"),
        ("<<: 5", "actions.a.<<: \"5\": expected a mapping, or a list of mappings"),
        ("~: 5", "actions.a: expected string keys"),
        ("deprecated: 1", "actions.a.deprecated: \"1\": expected true or false"),
    ] {
        let found = in_action(body);
        assert!(found.len() == 1 && found[0].contains(wanted), "{body}: {found:#?}");
    }
}

#[test]
fn a_setting_of_bandog_is_no_variable_of_a_service() {
    let found = mistakes(
        "oms: 1\nactions: {a: {format: {command: a}}}\nenvironment:\n  bandog_token: {type: string, default: secret}\n",
    );
    assert!(
        found.len() == 1 && found[0].starts_with("4: environment.bandog_token: this is a setting of bandog"),
        "{found:#?}"
    );
}

#[test]
fn a_mistake_in_a_request_names_what_was_expected() {
    for (http, wanted) in [
        ("method: get", "http.path: missing; expected a path such as /convert, or a url"),
        ("path: /x, method: [get]", "http.method: expected one of get, post"),
        ("path: '/x?y', method: get", "declare parts of the query as arguments with in: query"),
        ("path: '/é', method: get", "write other letters as %XX"),
        ("path: '/x/{y', method: get", "unpaired brace"),
        ("path: '/x/:y', method: get", "y is in the path, but is not an argument"),
        ("path: '/{p}/{p}', method: get", "argument p is in the path twice"),
        ("url: 'https://', method: get", "expected a URL with a host"),
        ("url: 'https://a@b/', method: get", "expected a URL with a host"),
        ("url: 'https://a:0/', method: get", "expected a URL with a host"),
        ("url: 'https://{p}/', method: get", "expected a URL with a host"),
        ("url: 'https://a/?x', method: get", "declare parts of the query"),
        ("url: '/x', method: get", "expected an absolute URL"),
    ] {
        let places = if http.contains("{p}/{p}") { "arguments: {p: {type: int}}, " } else { "" };
        let head = "oms: 1\nforwards: {f: {http: {path: /page/, port: 80}}}\nactions:\n";
        let found = mistakes(&format!("{head}  a: {{{places}http: {{{http}}}, output: {{type: none}}}}\n"));
        assert!(found.len() == 1, "{http}: {found:#?}");
        assert!(found[0].contains(wanted), "{http}: {found:#?}");
    }
    // A colon in a path is literal, unless an argument follows.
    let text = "oms: 1\nactions: {a: {http: {path: '/v1/models:predict', method: post, port: 1}, output: {type: any}}}";
    let Endpoint::Service { path, .. } = &call(&service(text).actions[0].interface).endpoint.clone() else { panic!() };
    assert_eq!(path.to_string(), "/v1/models:predict");
    let two = "oms: 1\nactions:\n  a: {http: {path: /a, method: get, port: 1}, output: {type: any}}\n  \
               b: {http: {path: /b, method: get, port: 2}, output: {type: any}}\n  \
               c: {http: {path: /c, method: get}, output: {type: any}}\n";
    assert!(mistakes(two)[0].contains("c.http.port: missing; expected the port that the service listens on"));
}

#[test]
fn a_body_that_is_one_value_takes_one_argument() {
    let file = |a: &str, b: &str| {
        mistakes(&format!(
            "oms: 1\nactions:\n  a:\n    http: {{method: put, port: 80, path: /x, contentType: application/octet-stream}}\n    \
             arguments:\n      a: {{type: path{a}}}\n      b: {{type: string{b}}}\n    output: {{type: none}}\n"
        ))
    };
    assert_eq!(file("", ", in: query"), Vec::<String>::new());
    let wanted = "7: actions.a.arguments.b: a body of application/octet-stream holds a single argument; expected another \
                  location, or another contentType";
    assert_eq!(file("", ""), [wanted]);
}

#[test]
fn a_secret_default_is_never_shown() {
    let found = mistakes(
        "oms: 1\nactions: {a: {format: {command: a}}}\nenvironment: {KEY: {type: int, sensitive: true, default: s3cr3t}}",
    );
    assert_eq!(found, ["3: environment.KEY.default: does not fit the type: expected a whole number"]);
}

#[test]
fn a_file_that_is_none_says_what_one_has() {
    for (text, wanted) in [
        ("", "1: the file is empty; expected oms: 1, info and actions"),
        ("- a", "1: expected a mapping of keys to values"),
        ("oms: [", "1: cannot be read as YAML from column"),
        ("a: 1\n\tb: 2", "2: the line begins with a tab; YAML is indented with spaces"),
        ("a: *b", "1: *b refers to &b, which is not defined above it"),
        ("a: [&b 1, *c, 2]", "1: *c refers to &c, which is not defined above it"),
        ("a: 1\n---\nb: 2", "2: a second document begins; a file of actions has one"),
        ("a: 1\n\0: 2", "2: the line contains a NUL byte; expected YAML in UTF-8"),
    ] {
        let found = mistakes(text);
        assert!(
            found.len() == 1 && found[0].contains(wanted.split_once(": ").expect("a line").1),
            "{text:?}: {found:?}"
        );
    }
    assert_eq!(
        mistakes("info: {title: x}\nactoins: {}"),
        [
            "1: oms: missing; expected oms: 1 (omg: 1 in files of 2018)",
            "1: actions: missing; expected the actions of the service; did you mean actoins?",
        ]
    );
    assert_eq!(
        mistakes("oms: 1\nactoins: {}"),
        ["1: actions: missing; expected the actions of the service; did you mean actoins?"]
    );
}

#[test]
fn a_file_that_is_too_large_or_no_text_or_a_bomb_is_refused() {
    let of = |bytes: &[u8]| shown(&Service::read(Path::new("x"), bytes).mistakes);
    let large = vec![b' '; 1024 * 1024 + 1];
    assert_eq!(of(&large), ["1: expected a file of at most 1 MiB"]);
    assert_eq!(of(b"oms: 1\n\xff"), ["2: expected YAML in UTF-8; byte 7 of the file is not"]);
    let mut bomb = "oms: 1\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for number in 1..12 {
        let before = vec![format!("*a{}", number - 1); 10].join(", ");
        let _ = writeln!(bomb, "a{number}: &a{number} [{before}]");
    }
    assert_eq!(of(bomb.as_bytes()).len(), 1);
    // A few bytes that stand for very many mistakes.
    let keys: Vec<_> = (0..100).map(|number| format!("k{number}: 1")).collect();
    let wrong = format!("oms: 1\nx: &x {{{}}}\nactions:\n", keys.join(", "));
    let wrong = (0..100).fold(wrong, |text, number| text + &format!("  a{number}: *x\n"));
    let found = mistakes(&wrong);
    assert_eq!(found.len(), 1001);
    assert!(found[1000].ends_with("there are 9100 more mistakes"), "{}", found[1000]);
}

#[test]
fn what_is_too_large_or_too_deep_is_told_as_that() {
    let deep = format!("oms: 1\nx: {}{}\n", "[".repeat(70), "]".repeat(70));
    let told = mistakes(&deep);
    assert!(
        told.len() == 1 && told[0].starts_with("2: ") && told[0].contains("too deeply, expected at most 64"),
        "{told:?}"
    );
    let lines = (1..10).map(|level| format!("a{level}: &a{level} [{}]\n", format!("*a{},", level - 1).repeat(9)));
    let many = format!("oms: 1\na0: &a0 [1]\n{}", lines.collect::<String>());
    let told = mistakes(&many);
    assert!(told.len() == 1 && told[0].contains("too large, expected fewer than 250000 values"), "{told:?}");
}
