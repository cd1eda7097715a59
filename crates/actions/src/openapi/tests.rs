//! Tests of the OpenAPI document.

use std::{path::PathBuf, sync::Arc};

use http::Method;

use super::*;
use crate::{
    Action, Argument, Endpoint, Forward, HttpCall, Info, Interface, Location, MediaType, Output, Property, Schema, Type,
};

fn action(name: &str, interface: Interface, arguments: Vec<Argument>) -> Action {
    Action {
        name: name.to_owned(),
        help: None,
        deprecated: false,
        interface,
        arguments,
        variadic: false,
        output: Output::default(),
    }
}

fn argument(name: &str, kind: Type, location: Location) -> Argument {
    Argument {
        name: name.to_owned(),
        location,
        schema: Schema { kind, ..Schema::default() },
        required: false,
        default: None,
        deprecated: false,
        help: None,
    }
}

fn command() -> Interface {
    Interface::Command(vec![Template::parse("true", |_| false)])
}

fn own(method: Method, path: &str) -> Interface {
    let path = Template::parse(path, |_| true);
    Interface::Http(HttpCall { method, endpoint: Endpoint::Service { port: 1, path }, content_type: MediaType::Json })
}

fn described(actions: Vec<Action>) -> Value {
    let actions = actions.into_iter().map(Arc::new).collect();
    let service = Service { file: PathBuf::from("/oms.yml"), actions, ..Service::default() };
    document(&service, Authentication::None, Bodies::Every)
}

/// The media types of the body of `POST /run/a`.
fn media_types(document: &Value) -> Vec<&str> {
    let content = document["paths"]["/run/a"]["post"]["requestBody"]["content"].as_object().expect("a body");
    content.keys().map(String::as_str).collect()
}

#[test]
fn a_service_without_a_name_gets_one_since_the_document_needs_it() {
    let document = described(vec![]);
    assert_eq!(document["info"], json!({"title": "Actions of oms.yml", "version": "unknown"}));
    assert!(document.get("security").is_none());
    let info = Info {
        title: Some("Shop".to_owned()),
        version: Some("2".to_owned()),
        description: Some("Sells.".to_owned()),
        contact: [None, None, Some("a@shop.example".to_owned())],
        license: [None, Some("https://shop.example/terms".to_owned())],
    };
    let forward =
        Forward { name: "page".to_owned(), help: Some("The page.".to_owned()), port: 1, path: "/page".to_owned() };
    let service = Service { info, forwards: vec![forward], ..Service::default() };
    let document = super::document(&service, Authentication::None, Bodies::Every);
    let info = &document["info"];
    assert_eq!(info["contact"], json!({"email": "a@shop.example"}));
    assert_eq!(info["license"], json!({"name": "https://shop.example/terms", "url": "https://shop.example/terms"}));
    let description = info["description"].as_str().expect("text");
    assert!(description.starts_with("Sells.\n\n"), "{description}");
    assert!(description.ends_with("- `/page` and all paths below (page): The page."), "{description}");
}

#[test]
fn an_action_is_there_under_run_and_under_its_own_path_if_it_has_one() {
    let arguments = || vec![argument("id", Type::Int, Location::Path), argument("note", Type::String, Location::Body)];
    let elsewhere = Interface::Http(HttpCall {
        method: Method::GET,
        endpoint: Endpoint::External {
            origin: http::Uri::from_static("https://elsewhere.example"),
            path: Template::parse("/x", |_| true),
        },
        content_type: MediaType::Json,
    });
    let document = described(vec![
        action("a", command(), vec![]),
        action("b", own(Method::PUT, "/b/:id"), arguments()),
        action("c", elsewhere, vec![]),
        action("d", Interface::Rpc, vec![]),
    ]);
    let paths = document["paths"].as_object().expect("paths");
    assert_eq!(paths.keys().collect::<Vec<_>>(), ["/run/a", "/run/b", "/run/c", "/run/d", "/b/{id}"]);
    assert!(paths["/run/a"]["post"].get("requestBody").is_none());
    let operation = &paths["/b/{id}"]["put"];
    assert_eq!(operation["operationId"], "b-http");
    assert_eq!(operation["parameters"][0]["name"], "id");
    assert_eq!(operation["parameters"][0]["required"], true, "a path has all its segments");
    assert_eq!(operation["parameters"].as_array().map(Vec::len), Some(1));
    let json = &operation["requestBody"]["content"]["application/json"]["schema"];
    assert_eq!(json["properties"].as_object().map(Map::len), Some(1), "{json}");
    let json = &paths["/run/b"]["post"]["requestBody"]["content"]["application/json"]["schema"];
    assert_eq!(json["properties"].as_object().map(Map::len), Some(2), "{json}");
}

#[test]
fn paths_that_differ_in_the_names_of_their_parameters_only_are_one() {
    let document = described(vec![
        action("get", own(Method::GET, "/x/{a}/y"), vec![argument("a", Type::Int, Location::Path)]),
        action("delete", own(Method::DELETE, "/x/{b}/y"), vec![argument("b", Type::Int, Location::Path)]),
        action("other", own(Method::PUT, "/x/{b}"), vec![argument("b", Type::Int, Location::Path)]),
    ]);
    let item = &document["paths"]["/x/{a}/y"];
    assert_eq!(item["get"]["parameters"][0]["name"], "a");
    assert_eq!(item["delete"]["parameters"][0]["name"], "a");
    assert_eq!(item["delete"]["parameters"][0]["description"], "The argument `b`.");
    assert_eq!(document["paths"]["/x/{b}"]["put"]["parameters"][0]["name"], "b");
}

#[test]
fn a_body_is_described_in_every_form_that_can_hold_the_arguments() {
    let of = |arguments: Vec<Argument>| described(vec![action("a", command(), arguments)]);
    let required = |mut argument: Argument| {
        argument.required = true;
        argument
    };
    let text = argument("text", Type::String, Location::Body);
    let list = argument("list", Type::List, Location::Body);
    let file = argument("file", Type::Path, Location::Body);
    let (json, form, multipart, bytes) =
        ("application/json", "application/x-www-form-urlencoded", "multipart/form-data", "application/octet-stream");
    assert_eq!(media_types(&of(vec![text.clone()])), [json, form, multipart]);
    assert_eq!(media_types(&of(vec![text.clone(), list.clone()])), [json]);
    let elements = Schema { kind: Type::Path, ..Schema::default() };
    let files = Argument { schema: Schema { elements: Some(Box::new(elements)), ..list.schema.clone() }, ..list };
    assert_eq!(media_types(&of(vec![text.clone(), files])), [json, multipart]);
    let map = argument("map", Type::Map, Location::Body);
    assert_eq!(media_types(&of(vec![text.clone(), map])), [json, multipart]);
    assert_eq!(media_types(&of(vec![text.clone(), file.clone()])), [json, form, multipart, bytes]);
    assert_eq!(media_types(&of(vec![required(text.clone()), file.clone()])), [json, form, multipart]);
    let other = Argument { name: "other".to_owned(), ..file.clone() };
    assert_eq!(media_types(&of(vec![file.clone(), other])), [json, form, multipart]);

    let document = of(vec![required(text), file]);
    let body = &document["paths"]["/run/a"]["post"]["requestBody"];
    assert_eq!(body["required"], true);
    let schema = &body["content"][json]["schema"];
    assert_eq!(schema["required"], json!(["text"]));
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["properties"]["file"]["type"][1], "null", "null is as good as nothing");
    let part = &body["content"][multipart]["schema"]["properties"]["file"];
    assert_eq!(part["format"], "binary", "{part}");
}

#[test]
fn what_goes_into_a_path_is_a_segment_of_it_wherever_it_comes_from() {
    let document = described(vec![action(
        "a",
        own(Method::GET, "/a/:word"),
        vec![argument("word", Type::String, Location::Path)],
    )]);
    let body = &document["paths"]["/run/a"]["post"]["requestBody"]["content"]["application/json"]["schema"];
    for schema in [&document["paths"]["/a/{word}"]["get"]["parameters"][0]["schema"], &body["properties"]["word"]] {
        assert_eq!(schema["minLength"], 1, "{schema}");
        let climbing = regex_lite::Regex::new(schema["not"]["pattern"].as_str().expect("text")).expect("a pattern");
        for (text, wanted) in [("a", false), ("..a", false), ("a.", false), (".", true), ("a/../b", true), ("..", true)]
        {
            assert_eq!(climbing.is_match(text), wanted, "{text}");
        }
    }
}

/// A service of one action, with arguments in its path and body, as generators of clients get it.
fn for_generators(path: &str, arguments: Vec<Argument>, bodies: Bodies) -> Value {
    let actions = vec![Arc::new(action("a", own(Method::POST, path), arguments))];
    document(&Service { actions, ..Service::default() }, Authentication::None, bodies)
}

#[test]
fn a_segment_of_a_path_has_no_default() {
    let id = Argument { default: Some(3.into()), ..argument("id", Type::Int, Location::Path) };
    let page = Argument { default: Some(4.into()), ..argument("page", Type::Int, Location::Query) };
    let document = for_generators("/a/{id}", vec![id, page], Bodies::Every);
    let parameters = &document["paths"]["/a/{id}"]["post"]["parameters"];
    assert_eq!(parameters[0]["schema"].get("default"), None);
    assert_eq!(parameters[1]["schema"]["default"], 4);
    let body = &document["paths"]["/run/a"]["post"]["requestBody"]["content"]["application/json"]["schema"];
    assert_eq!(body["properties"]["id"]["default"], 3, "there it may be missing");
}

#[test]
fn the_pattern_of_base64_is_not_for_generators_of_clients() {
    let within = |kind, name: &str| {
        let path = Schema { kind: Type::Path, ..Schema::default() };
        let mut argument = argument(name, kind, Location::Body);
        match kind {
            Type::List => argument.schema.elements = Some(Box::new(path)),
            Type::Map => argument.schema.values = Some(Box::new(path)),
            _ => {
                let property = Property { name: "file".to_owned(), schema: path, required: false, help: None };
                argument.schema.properties = vec![property];
            }
        }
        argument
    };
    let default = json!({"contentEncoding": "base64", "pattern": "a value, and no schema"});
    let any = Argument { default: Some(default.clone()), ..argument("any", Type::Any, Location::Body) };
    let arguments = vec![
        argument("one", Type::Path, Location::Body),
        within(Type::List, "list"),
        within(Type::Map, "map"),
        within(Type::Object, "object"),
        any,
    ];
    for (bodies, wanted) in [(Bodies::Every, true), (Bodies::Json, false)] {
        let document = for_generators("/a", arguments.clone(), bodies);
        let body = &document["paths"]["/run/a"]["post"]["requestBody"]["content"]["application/json"]["schema"];
        let properties = &body["properties"];
        for schema in [
            &properties["one"],
            &properties["list"]["items"],
            &properties["map"]["additionalProperties"],
            &properties["object"]["properties"]["file"],
        ] {
            assert_eq!(schema["contentEncoding"], "base64", "{body}");
            assert_eq!(schema.get("pattern").is_some(), wanted, "{body}");
        }
        assert_eq!(properties["any"]["default"], default);
    }
}

#[test]
fn every_list_says_of_what_and_every_single_choice_its_type() {
    let mut choice = argument("choice", Type::Enum, Location::Body);
    choice.schema.choices = Some(vec![json!("a"), json!(true), json!(2.5), json!([1]), json!({"b": 1}), json!(null)]);
    let document = for_generators("/a", vec![argument("list", Type::List, Location::Body), choice], Bodies::Json);
    let body = &document["paths"]["/run/a"]["post"]["requestBody"]["content"]["application/json"]["schema"];
    assert_eq!(body["properties"]["list"]["items"], json!({}));
    let wanted = json!([
        {"type": "string", "enum": ["a"]},
        {"type": "boolean", "const": true},
        {"type": "number", "const": 2.5},
        {"type": "array", "const": [1]},
        {"type": "object", "const": {"b": 1}},
        {"type": "null"},
    ]);
    assert_eq!(body["properties"]["choice"]["anyOf"], wanted);
}

#[test]
fn variadic_actions_take_more_than_is_described() {
    let document = described(vec![Action { variadic: true, ..action("a", command(), vec![]) }]);
    assert_eq!(media_types(&document), ["application/json"], "in a form they could come twice");
    let body = &document["paths"]["/run/a"]["post"]["requestBody"];
    assert_eq!(body["required"], false);
    assert_eq!(body["content"]["application/json"]["schema"]["additionalProperties"], true);
}

#[test]
fn what_is_text_only_says_how_a_structure_is_written_in_it() {
    let arguments = vec![argument("n", Type::Int, Location::Query), argument("l", Type::List, Location::Query)];
    let document = described(vec![action("a", own(Method::GET, "/a"), arguments)]);
    let parameters = &document["paths"]["/a"]["get"]["parameters"];
    assert!(parameters[0].get("schema").is_some() && parameters[0].get("content").is_none(), "{parameters}");
    assert!(parameters[1]["content"]["application/json"]["schema"].is_object(), "{parameters}");
    assert!(parameters[1].get("schema").is_none(), "{parameters}");
}

#[test]
fn results_are_described_by_type() {
    let output = |kind, content_type| Output {
        schema: Some(Schema { kind, ..Schema::default() }),
        content_type,
        help: Some("It.".to_owned()),
    };
    for (output, wanted) in [
        (Output::default(), vec![]),
        (output(Type::Int, None), vec!["application/json"]),
        (output(Type::String, None), vec!["text/plain"]),
        (output(Type::String, Some(MediaType::Json)), vec!["application/json"]),
        (output(Type::Any, None), vec!["application/json", "text/plain"]),
        (output(Type::Path, Some(MediaType::Bytes)), vec!["application/octet-stream"]),
    ] {
        let document = described(vec![Action { output: output.clone(), ..action("a", command(), vec![]) }]);
        let success = &document["paths"]["/run/a"]["post"]["responses"]["200"];
        let types: Vec<_> = success["content"].as_object().into_iter().flat_map(Map::keys).collect();
        assert_eq!(types, wanted, "{output:?}");
    }
}

#[test]
fn each_action_has_the_failures_that_it_can_have() {
    let statuses = |interface: Interface, authentication: Authentication| {
        let service = Service { actions: vec![Arc::new(action("a", interface, vec![]))], ..Service::default() };
        let document = document(&service, authentication, Bodies::Every);
        let responses = document["paths"]["/run/a"]["post"]["responses"].as_object().expect("responses").clone();
        for response in responses.values().filter_map(|response| response["$ref"].as_str()) {
            let pointer = response.strip_prefix('#').expect("a reference to here");
            assert!(document.pointer(pointer).is_some(), "nothing at {response}");
        }
        responses.keys().filter_map(|status| status.parse().ok()).collect::<Vec<u16>>()
    };
    let has = |statuses: &[u16], wanted: &[u16]| wanted.iter().all(|status| statuses.contains(status));
    let lacks = |statuses: &[u16], wanted: &[u16]| wanted.iter().all(|status| !statuses.contains(status));
    let by_command = statuses(command(), Authentication::None);
    assert!(has(&by_command, &[200, 400, 422, 429, 500, 503, 504]), "{by_command:?}");
    assert!(lacks(&by_command, &[401, 403, 501, 502]), "{by_command:?}");
    let by_http = statuses(own(Method::GET, "/a"), Authentication::Token);
    assert!(has(&by_http, &[200, 401, 422, 502]) && lacks(&by_http, &[403, 501]), "{by_http:?}");
    let by_rpc = statuses(Interface::Rpc, Authentication::Jwt);
    assert!(has(&by_rpc, &[401, 403, 501]) && lacks(&by_rpc, &[200, 422, 502]), "{by_rpc:?}");
}

#[test]
fn whoever_has_to_show_a_token_is_told_how() {
    let shown = |authentication| {
        let document = document(&Service::default(), authentication, Bodies::Every);
        let schemes = document["components"]["securitySchemes"].as_object().cloned().unwrap_or_default();
        let alternatives = document["security"].as_array().cloned().unwrap_or_default();
        for name in alternatives.iter().filter_map(Value::as_object).flat_map(Map::keys) {
            assert!(schemes.contains_key(name), "{name}");
        }
        alternatives.len()
    };
    assert_eq!(shown(Authentication::None), 0);
    assert_eq!(shown(Authentication::Token), 2);
    assert_eq!(shown(Authentication::Jwt), 1);
}
