//! Tests of what published files have beside the specification's examples, and of leaving out bad actions.

use super::*;

fn warnings(text: &str) -> Vec<String> {
    let reading = reading(text);
    assert_eq!(reading.mistakes, [], "{text}");
    shown(&reading.warnings)
        .into_iter()
        .filter(|warning| !warning.contains("describes the service to people"))
        .collect()
}

fn routed(service: Service, method: &str, path: &str) -> String {
    let routes = crate::Routes::new(&Arc::new(service));
    match routes.find(&method.parse().expect("a method"), path) {
        Ok(Some(crate::RouteMatch::Own(action, _) | crate::RouteMatch::Run(action))) => action.name.clone(),
        Ok(Some(crate::RouteMatch::Forward(forward))) => format!("to {}", forward.name),
        Ok(None) => "-".to_owned(),
        Err(other) => format!("405 {}", other.allowed),
    }
}

#[test]
fn a_shared_path_is_the_first_actions_and_every_action_has_its_name() {
    let text = "oms: 1
actions:
  one: {http: {path: /insert, port: 1, method: post}, output: {type: int}}
  many: {http: {path: /insert, port: 1, method: post}, output: {type: map}}
  item: {http: {path: '/i/{a}', port: 1, method: get}, arguments: {a: {type: int}}, output: {type: int}}
  part: {http: {path: '/i/:b', port: 1, method: get}, arguments: {b: {type: int}}, output: {type: int}}
  run: {http: {path: /run, port: 1, method: post}, output: {type: int}}
  page: {http: {path: /page, port: 1, method: get}, output: {type: int}}
forwards:
  ui: {http: {path: /page, port: 2}}
  more: {http: {path: /page/, port: 3}}
";
    assert_eq!(
        warnings(text),
        [
            "4: actions.many.http.path: \"/insert\": action one has the same path on line 3, and its calls; call this action at POST /run/many",
            "6: actions.part.http.path: \"/i/:b\": action item has the same path on line 5, and its calls; call this action at POST /run/part",
            "7: actions.run.http.path: \"/run\": paths below /run/ are bandog's own; call the action at POST /run/run",
            "10: forwards.ui.http.path: \"/page\": action page has this path on line 8, and the calls with its method",
            "11: forwards.more.http.path: \"/page/\": forward ui has the same path on line 10, and its calls; choose another",
            "11: forwards.more.http.path: \"/page/\": action page has this path on line 8, and the calls with its method",
        ]
    );
    for (method, path, wanted) in [
        ("POST", "/insert", "one"),
        ("POST", "/run/many", "many"),
        ("GET", "/i/3", "item"),
        ("POST", "/run/part", "part"),
        ("POST", "/run", "-"),
        ("POST", "/run/run", "run"),
        ("GET", "/page", "page"),
        ("POST", "/page", "to ui"),
        ("GET", "/page/more", "to ui"),
    ] {
        assert_eq!(routed(service(text), method, path), wanted, "{method} {path}");
    }
    let described =
        crate::openapi::document(&service(text), crate::openapi::Authentication::None, crate::openapi::Bodies::Every);
    assert_eq!(described["paths"]["/insert"]["post"]["operationId"], "one-http");
    assert_eq!(described["paths"]["/i/{a}"]["get"]["operationId"], "item-http");
    assert!(described["paths"].get("/run").is_none() && described["paths"].get("/run/run").is_some(), "{described}");
    let listed = list::document(&service(text));
    assert!(listed["actions"][0].get("http").is_some() && listed["actions"][1].get("http").is_none(), "{listed}");
}

#[test]
fn an_empty_command_is_none() {
    for empty in ["[]", "''", "[\"\"]", "' '", "", "[~]"] {
        let text = format!(
            "oms: 1\nlifecycle:\n  startup:\n    command: {empty}\n  shutdown:\n    command: {empty}\nactions: {{a: {{format: {{command: a}}}}}}\n"
        );
        let lifecycle = service(&text).lifecycle;
        assert_eq!((lifecycle.startup, lifecycle.shutdown), (Vec::new(), None), "{empty}");
    }
}

#[test]
fn a_service_may_have_no_actions() {
    let head = "oms: 1\nlifecycle: {startup: {command: server, port: 8080}}\n";
    for forwards in ["forwards", "forward", "expose"] {
        let text = format!("{head}{forwards}: {{ui: {{http: {{path: /ui, method: post}}}}}}\n");
        assert_eq!(
            warnings(&text),
            [format!("3: {forwards}.ui.http.method: \"post\": no effect; all methods are forwarded")]
        );
        assert_eq!(service(&text).summary(), "1 forward of /srv/oms.yml");
        assert_eq!(routed(service(&text), "GET", "/ui/x"), "to ui");
    }
    for actions in ["", "actions: {}\n", "actions:\n", "commands: {}\n"] {
        let found = warnings(&format!("{head}{actions}"));
        assert!(found.len() == 1 && found[0].ends_with("there is nothing to call"), "{actions}: {found:#?}");
    }
    assert_eq!(list::text(&service(&format!("{head}actions: {{}}"))), "0 actions of /srv/oms.yml\n");
}

#[test]
fn the_earliest_files_are_read() {
    let text = "commands:
  compare:
    format: compare {before} {after}
    arguments:
      before: {type: file, required: true}
      after: {type: file, required: true}
      most: {range: {max: 1}}
      mode: {enum: [a, b]}
      name: {pattern: '^x'}
      rest:
  say:
    format: text
    arguments: {words: {help: The words, items: {type: string}}}
env:
  token:
  agent: {default: Undefined}
";
    let service = service(text);
    assert_eq!(service.generation, Generation::Omg);
    assert_eq!(words(&service, "compare"), ["compare", "{before}", "{after}"]);
    assert_eq!(words(&service, "say"), ["say"]);
    let kinds = |name: &str| {
        let arguments = &service.action(name).expect("there").arguments;
        arguments.iter().map(|argument| argument.schema.kind.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(kinds("compare"), ["path", "path", "float", "enum", "string", "any"]);
    assert_eq!(kinds("say"), ["list"]);
    let variables: Vec<_> = service
        .environment
        .iter()
        .map(|variable| (&*variable.name, variable.schema.kind.as_str(), variable.default.as_deref()))
        .collect();
    assert_eq!(variables, [("TOKEN", "string", None), ("AGENT", "string", Some("Undefined"))]);
    assert_eq!(
        warnings(text),
        [
            "1: omg: missing; taken for omg: 1, since there are commands",
            "3: commands.compare.format: \"compare {before} {after}\": an early form, taken for the command; newer files have format: {command: …}",
            "7: commands.compare.arguments.most.type: missing, so it is taken for float",
            "8: commands.compare.arguments.mode.type: missing, so it is taken for enum",
            "9: commands.compare.arguments.name.type: missing, so it is taken for string",
            "10: commands.compare.arguments.rest.type: missing, so it is taken for any",
            "12: commands.say.format: \"text\": an early form, for an action that is run by its name; newer files have format: {command: …}",
            "13: commands.say.arguments.words.type: missing, so it is taken for list",
            "15: env.token.type: missing, so it is taken for string",
            "16: env.agent.type: missing, so it is taken for string",
        ]
    );
}

#[test]
fn a_header_has_hyphens_and_a_get_has_a_body() {
    let text = "oms: 1
actions:
  a:
    http: {method: get, path: /a, port: 1}
    arguments:
      X-Units: {type: string, in: header}
      word: {type: string, in: requestBody}
    output: {type: int}
";
    let places: Vec<_> = service(text).actions[0].arguments.iter().map(|argument| argument.location).collect();
    assert_eq!(places, [Location::Header, Location::Body]);
    let found = mistakes(&text.replace("X-Units", "Content-Length"));
    assert!(found.len() == 1 && found[0].contains("this header is not the caller's to set"), "{found:#?}");
    let found = mistakes(&text.replace("in: header", "in: query"));
    assert!(found.len() == 1 && found[0].contains("with in: header also of hyphens"), "{found:#?}");
}

#[test]
fn a_bad_action_is_left_out_if_that_is_asked_for() {
    let text = "oms: 1
info: {title: t, version: 1, description: d}
actions:
  good: {format: {command: x}}
  bad: {format: {command: x}, arguments: {a: {type: what}, b: {type: int, default: x}}, output: {typo: 1}}
  good: {format: {command: y}}
  taken: {http: {path: /x, port: 1, method: post, typo: 1}, output: {type: int}}
  free: {http: {path: /x, port: 1, method: post}, output: {type: int}}
";
    assert_eq!(mistakes(text).len(), 5);
    let reading = Service::read_leniently(Path::new("/srv/oms.yml"), text.as_bytes());
    assert_eq!(reading.mistakes, []);
    assert!(reading.has_left_out);
    let names: Vec<_> = reading.service.expect("no mistake").actions.iter().map(|action| action.name.clone()).collect();
    assert_eq!(names, ["good", "free"]);
    let found = shown(&reading.warnings);
    assert_eq!(found.len(), 5, "{found:#?}");
    assert_eq!(
        found[1],
        "5: actions.bad.arguments.b.default: \"x\": does not fit the type: expected a whole number; the action bad is left out"
    );
    assert_eq!(found[3], "6: actions.good: given twice; keep one of them; left out");

    // What concerns the whole service stays a mistake.
    for other in ["lifecycle: {startup: {command: [a], typo: 1}}", "environment: {a: {type: what}}", "health: {}"] {
        let reading = Service::read_leniently(Path::new("x"), format!("{text}{other}\n").as_bytes());
        assert_eq!((reading.mistakes.len(), reading.service.is_none()), (1, true), "{other}");
    }
}
