//! Tests of the specification's own examples.

use super::*;

/// The interface page of 2019, verbatim, below the key that every file has.
const COUNT_2019: &str = r#"oms: 1
actions:
  count:
    format:
      command: ["/app/count.sh"]
    arguments:
      word:
        type: string
    output:
      type: int
"#;

const FETCH_2019: &str = "oms: 1
actions:
  fetch_usd:
    arguments:
      units:
        type: int
        in: query
      currency:
        type: string
        in: path
    output:
       type: int
    http:
      port: 8080
      method: get
      path: /fetch_usd/{currency}
";

const POST_2019: &str = "oms: 1
lifecycle: {startup: {command: server, port: 8080}}
actions:
  fetch_usd:
    arguments:
      units:
        type: int
        in: requestBody
      currency:
        type: string
        in: requestBody
    output:
      type: int
    http:
      contentType: application/json
      method: post
      path: /convert
";

const EITHER_2019: &str = "oms: 1
actions:
  convert:
    http:
      port: 8080
      method: get
      path: /convert
      url: https://example.com/api/full/path/without/query/parameters
";

const RPC: &str = "rpc:
  port: 8080
  framework:
    grpc:
      version: 2
      proto:
        path: git@github-server:project/repo.git/path/to/api.proto # Any valid URI path can be used
  client:
    endpoint: service
    port: 8080
    tls: true
";

/// The interface page of 2018.
const COUNT_2018: &str = "omg: 1
commands:
  count:
    arguments:
      word:
        type: string
";

const HTTP_2018: &str = r#"omg: 1
lifecycle:
  startup:
    command: ["/bin/server", "-p", "8080"]
    port: 8080
commands:
  foobar:
    arguments:
      isMale:
        type: boolean
        location: query
      person_id:
        type: int
        location: path
    http:
      method: get
      endpoint: /path/:person_id
"#;

const STARTUP_2018: &str = r#"omg: 1
commands:
  something:
    arguments:
      data:
        type: string
    startup:
      command: ["/bin/server", "--key", "{data}"]
      port: 8888
"#;

/// All examples, one after the other.
pub(super) const ALL: [&str; 8] =
    [COUNT_2019, FETCH_2019, POST_2019, EITHER_2019, RPC, COUNT_2018, HTTP_2018, STARTUP_2018];

#[test]
fn the_examples_of_2019_are_read() {
    let count = service(COUNT_2019);
    assert_eq!(words(&count, "count"), ["/app/count.sh"]);
    let action = count.action("count").expect("there");
    assert_eq!((action.arguments[0].name.as_str(), action.arguments[0].schema.kind), ("word", Type::String));
    assert!(!action.arguments[0].required && !action.variadic && !action.deprecated);
    assert_eq!(action.output.schema.as_ref().map(|schema| schema.kind), Some(Type::Int));

    let fetch = service(FETCH_2019);
    let action = fetch.action("fetch_usd").expect("there");
    assert_eq!(
        (call(&action.interface).method.as_str(), call(&action.interface).content_type),
        ("GET", MediaType::Json)
    );
    let Endpoint::Service { port: 8080, path } = &call(&action.interface).endpoint else { panic!("{action:?}") };
    assert_eq!(path.to_string(), "/fetch_usd/{currency}");
    let places: Vec<_> = action.arguments.iter().map(|argument| (argument.location, argument.required)).collect();
    // An argument in the path is required.
    assert_eq!(places, [(Location::Query, false), (Location::Path, true)]);

    let post = service(POST_2019);
    let action = post.action("fetch_usd").expect("there");
    assert!(matches!(call(&action.interface).endpoint, Endpoint::Service { port: 8080, .. }));
    assert!(action.arguments.iter().all(|argument| argument.location == Location::Body));

    assert_eq!(
        mistakes(EITHER_2019),
        [
            "3: actions.convert.output: missing; expected the type of the result, or type: none",
            "5: actions.convert.http.port: given together with url; keep one of them",
            "7: actions.convert.http.path: given together with url; keep one of them",
        ]
    );
    let url = "https://example.com/api/full/path/without/query/parameters";
    let elsewhere =
        service(&format!("oms: 1\nactions: {{a: {{http: {{method: get, url: '{url}'}}, output: {{type: none}}}}}}"));
    let Endpoint::External { origin, path } = &call(&elsewhere.actions[0].interface).endpoint else { panic!() };
    assert_eq!((origin.to_string().as_str(), path.to_string().as_str()), ("https://example.com/", &url[19..]));

    let rpc = service(&format!("oms: 1\n{RPC}actions: {{a: {{help: x}}, b: {{format: {{command: b}}}}}}"));
    assert_eq!(rpc.action("a").map(|action| action.interface.name()), Some("rpc"));
    assert_eq!(rpc.action("b").map(|action| action.interface.name()), Some("command"));
}

#[test]
fn the_examples_of_2018_are_read() {
    let count = service(COUNT_2018);
    assert_eq!(words(&count, "count"), ["count"]);
    // An output without a declaration may be any value.
    assert_eq!(count.actions[0].output.schema.as_ref().map(|schema| schema.kind), Some(Type::Any));

    let http = service(HTTP_2018);
    assert_eq!((http.lifecycle.startup.join(" ").as_str(), http.lifecycle.port), ("/bin/server -p 8080", Some(8080)));
    let action = http.action("foobar").expect("there");
    assert_eq!(action.output.schema.as_ref().map(|schema| schema.kind), Some(Type::Any));
    let Endpoint::Service { port: 8080, path } = &call(&action.interface).endpoint else { panic!("{action:?}") };
    assert_eq!(path.to_string(), "/path/{person_id}");
    let places: Vec<_> = action.arguments.iter().map(|argument| argument.location).collect();
    assert_eq!(places, [Location::Query, Location::Path]);
    let post = HTTP_2018.replace("location: query", "location: body").replace("get", "post");
    assert_eq!(service(&post).actions[0].arguments[0].location, Location::Body);

    assert_eq!(service(STARTUP_2018).actions[0].interface.name(), "events");
    let rpc = service(&format!("omg: 1\n{RPC}commands: {{a: {{help: x}}}}"));
    assert_eq!(rpc.actions[0].interface.name(), "rpc");
}
