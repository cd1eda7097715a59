//! Tests of binding, with both placements.

use std::fs;

use serde_json::json;

use super::*;
use crate::{Interface, Output, decode_pairs};

fn schema(kind: Type) -> Schema {
    Schema { kind, ..Schema::default() }
}

fn argument(name: &str, kind: Type, location: Location) -> Argument {
    let schema = schema(kind);
    Argument { name: name.to_owned(), location, schema, required: false, default: None, deprecated: false, help: None }
}

fn action(arguments: Vec<Argument>) -> Action {
    Action {
        name: "act".to_owned(),
        help: None,
        deprecated: false,
        interface: Interface::Command(Vec::new()),
        arguments,
        variadic: false,
        output: Output::default(),
    }
}

fn text(source: TextSource, name: &str, value: &str) -> TextArgument {
    TextArgument { name: name.to_owned(), value: Some(value.to_owned()), source }
}

fn query(query: &str) -> Vec<TextArgument> {
    decode_pairs(query.as_bytes())
        .map(|(name, value)| TextArgument { name, value, source: TextSource::Query })
        .collect()
}

fn object(value: &Value) -> Body {
    Body::Object(value.as_object().cloned().expect("an object"))
}

fn field(name: &str, value: &str) -> FormField {
    FormField { name: name.to_owned(), content: FieldContent::Text(Some(value.to_owned())) }
}

fn file(name: &str, path: &str) -> FormField {
    FormField { name: name.to_owned(), content: FieldContent::File(path.into()) }
}

/// The JSON of the arguments, or `path in location: problem` for each error. A file is stored under its own content.
fn bound(action: &Action, placement: Placement, texts: &[TextArgument], body: Body) -> Result<String, Vec<String>> {
    let mut store = |_: &str, content: &[u8]| Ok(PathBuf::from(format!("/stored/{}", content.escape_ascii())));
    match action.bind(placement, texts, body, &mut store) {
        Ok(arguments) => Ok(arguments.to_json()),
        Err(BindError::Invalid(errors)) => Err(errors
            .listed()
            .iter()
            .map(|error| {
                let place = error.location.map_or("-", Location::as_str);
                format!("{} in {place}: {}", error.argument, error.kind.as_str())
            })
            .collect()),
        Err(BindError::Store(error)) => panic!("{error}"),
    }
}

fn converter() -> Action {
    let mut action = action(vec![
        argument("units", Type::Int, Location::Query),
        argument("currency", Type::String, Location::Path),
        argument("note", Type::String, Location::Body),
        argument("trace", Type::Boolean, Location::Header),
    ]);
    action.arguments[0].required = true;
    action.arguments[2].default = Some(json!("none"));
    action
}

#[test]
fn on_its_own_path_each_argument_is_taken_from_its_own_place() {
    let mut texts = query("units=5");
    texts.push(text(TextSource::Path, "currency", "eur"));
    texts.push(text(TextSource::Header, "Trace", "true"));
    texts.push(text(TextSource::Header, "User-Agent", "curl"));
    let taken = bound(&converter(), Placement::Declared, &texts, object(&json!({"note": "n"})));
    assert_eq!(taken, Ok(r#"{"units":5,"currency":"eur","note":"n","trace":true}"#.to_owned()));
    let misplaced = bound(&converter(), Placement::Declared, &query("note=n"), object(&json!({"units": 5, "x": 1})));
    let wanted = ["note in query: unexpected", "units in requestBody: unexpected", "x in requestBody: unexpected"];
    assert_eq!(misplaced.expect_err("refused"), [&wanted[..], &["units in query: missing"]].concat());
}

#[test]
fn by_its_name_an_action_takes_every_argument_from_body_or_query() {
    let all = r#"{"units":5,"currency":"eur","note":"none","trace":false}"#;
    let body = json!({"trace": false, "currency": "eur", "units": 5});
    assert_eq!(bound(&converter(), Placement::Any, &[], object(&body)).as_deref(), Ok(all));
    assert_eq!(
        bound(&converter(), Placement::Any, &query("units=5&currency=eur&trace=false"), Body::None).as_deref(),
        Ok(all)
    );
    let fields = Body::Fields(vec![field("currency", "eur"), field("units", "5"), field("trace", "false")]);
    assert_eq!(bound(&converter(), Placement::Any, &[], fields).as_deref(), Ok(all));
    let mut texts = query("units=5&currency=eur");
    texts.push(text(TextSource::Header, "TRACE", "false"));
    assert_eq!(bound(&converter(), Placement::Any, &texts, Body::None).as_deref(), Ok(all));
    // The header field counts only if there is no other value.
    texts[2].value = Some("nonsense".to_owned());
    assert_eq!(bound(&converter(), Placement::Any, &texts, object(&json!({"trace": false}))).as_deref(), Ok(all));
}

#[test]
fn an_argument_that_is_given_twice_is_a_mistake_and_null_is_nothing_given() {
    let twice = bound(&converter(), Placement::Any, &query("units=5"), object(&json!({"units": 5})));
    assert_eq!(twice, Err(vec!["units in requestBody: repeated".to_owned()]));
    let twice = bound(&converter(), Placement::Any, &query("units=5&units=5"), Body::None);
    assert_eq!(twice, Err(vec!["units in query: repeated".to_owned()]));
    let once = bound(&converter(), Placement::Any, &query("units=5"), object(&json!({"units": null, "note": null})));
    assert_eq!(once.as_deref(), Ok(r#"{"units":5,"note":"none"}"#), "null has the default");
    let missing = bound(&converter(), Placement::Any, &[], object(&json!({"units": null})));
    assert_eq!(missing, Err(vec!["units in requestBody: missing".to_owned()]));
}

#[test]
fn a_missing_argument_has_its_default_and_falsy_values_are_values() {
    let mut falsy = action(vec![
        argument("n", Type::Int, Location::Body),
        argument("s", Type::String, Location::Body),
        argument("b", Type::Boolean, Location::Body),
        argument("o", Type::Object, Location::Body),
    ]);
    for (argument, default) in falsy.arguments.iter_mut().zip([json!(7), json!("d"), json!(true), json!({})]) {
        argument.default = Some(default);
        argument.required = true;
    }
    assert_eq!(bound(&falsy, Placement::Any, &[], Body::None).as_deref(), Ok(r#"{"n":7,"s":"d","b":true,"o":{}}"#));
    let zeros = object(&json!({"n": 0, "s": "", "b": false}));
    assert_eq!(bound(&falsy, Placement::Any, &[], zeros).as_deref(), Ok(r#"{"n":0,"s":"","b":false,"o":{}}"#));
    assert_eq!(
        bound(&falsy, Placement::Any, &query("o=null"), Body::None).as_deref(),
        Ok(r#"{"n":7,"s":"d","b":true,"o":{}}"#)
    );
}

#[test]
fn what_nobody_has_declared_is_a_mistake_unless_the_action_is_variadic() {
    let mut action = action(vec![argument("a", Type::Int, Location::Body)]);
    let texts = query("zip=01234&a=1");
    let body = || object(&json!({"more": {"b": 1}, "nothing": null}));
    assert_eq!(
        bound(&action, Placement::Any, &texts, body()).expect_err("refused"),
        ["zip in query: unexpected", "more in requestBody: unexpected", "nothing in requestBody: unexpected"]
    );
    action.variadic = true;
    assert_eq!(
        bound(&action, Placement::Any, &texts, body()).as_deref(),
        Ok(r#"{"a":1,"zip":"01234","more":{"b":1}}"#)
    );
    assert_eq!(
        bound(&action, Placement::Any, &query("x=1&x=2"), Body::None),
        Err(vec!["x in query: repeated".to_owned()])
    );
}

#[test]
fn a_list_is_given_as_json_or_one_value_each() {
    let mut action = action(vec![argument("tag", Type::List, Location::Query)]);
    action.arguments[0].schema.elements = Some(Box::new(schema(Type::String)));
    for (texts, wanted) in [
        ("tag=a&tag=b", r#"{"tag":["a","b"]}"#),
        ("tag=a", r#"{"tag":["a"]}"#),
        ("tag=", r#"{"tag":[""]}"#),
        ("tag=[\"a\",\"b\"]", r#"{"tag":["a","b"]}"#),
        ("tag=[]", r#"{"tag":[]}"#),
        ("tag=null", "{}"),
        ("", "{}"),
    ] {
        assert_eq!(bound(&action, Placement::Declared, &query(texts), Body::None).as_deref(), Ok(wanted), "{texts}");
    }
    action.arguments[0].schema.elements = Some(Box::new(schema(Type::Int)));
    assert_eq!(bound(&action, Placement::Any, &query("tag=1&tag=2"), Body::None).as_deref(), Ok(r#"{"tag":[1,2]}"#));
    let wrong = bound(&action, Placement::Any, &query("tag=1&tag=x&tag="), Body::None);
    assert_eq!(wrong.expect_err("refused"), ["tag[1] in query: invalid", "tag[2] in query: invalid"]);
    let both = bound(&action, Placement::Any, &query("tag=1"), object(&json!({"tag": [2]})));
    assert_eq!(both.expect_err("refused"), ["tag in requestBody: repeated"]);
}

#[test]
fn a_file_is_an_upload_the_whole_body_or_base64_and_always_a_path_for_the_action() {
    let mut action =
        action(vec![argument("image", Type::Path, Location::Body), argument("width", Type::Int, Location::Body)]);
    let uploaded = Body::Fields(vec![file("image", "/in/a.png"), field("width", "5")]);
    assert_eq!(bound(&action, Placement::Declared, &[], uploaded).as_deref(), Ok(r#"{"image":"/in/a.png","width":5}"#));
    let whole = Body::File("/in/b".into());
    assert_eq!(
        bound(&action, Placement::Any, &query("width=5"), whole).as_deref(),
        Ok(r#"{"image":"/in/b","width":5}"#)
    );
    let stored = Ok(r#"{"image":"/stored/Hello"}"#);
    for body in [object(&json!({"image": "SGVsbG8="})), Body::Fields(vec![field("image", "SGVs\r\nbG8")])] {
        assert_eq!(bound(&action, Placement::Any, &[], body).as_deref(), stored);
    }
    let name = bound(&action, Placement::Any, &[], object(&json!({"image": "/etc/passwd!"})));
    assert_eq!(name.expect_err("a name is no content"), ["image in requestBody: invalid"]);
    let two = Body::Fields(vec![file("image", "/in/a"), file("image", "/in/b")]);
    assert_eq!(bound(&action, Placement::Any, &[], two).expect_err("refused"), ["image in requestBody: repeated"]);
    action.arguments[0].schema = Schema { elements: Some(Box::new(schema(Type::Path))), ..schema(Type::List) };
    let two = Body::Fields(vec![file("image", "/in/a"), field("image", "SGVsbG8=")]);
    assert_eq!(bound(&action, Placement::Any, &[], two).as_deref(), Ok(r#"{"image":["/in/a","/stored/Hello"]}"#));
    let nobodys = bound(&action, Placement::Any, &[], Body::File("/in/a".into()));
    assert_eq!(nobodys.expect_err("no argument is a file"), [" in requestBody: unexpected"]);
}

#[test]
fn every_file_that_is_none_is_told() {
    let files = Schema { elements: Some(Box::new(schema(Type::Path))), ..schema(Type::List) };
    let action = action(vec![Argument { schema: files, ..argument("files", Type::List, Location::Body) }]);
    let told = bound(&action, Placement::Any, &[], object(&json!({"files": ["!", "aGk=", "?"]})));
    let told = told.expect_err("two are no base64");
    assert!(told.len() == 2 && told[0].starts_with("files[0]") && told[1].starts_with("files[2]"), "{told:?}");
}

#[test]
fn nothing_is_stored_if_anything_is_wrong() {
    let action = action(vec![argument("a", Type::Path, Location::Body), argument("b", Type::Int, Location::Body)]);
    let mut store = |_: &str, _: &[u8]| panic!("it was stored");
    let body = object(&json!({"a": "SGVsbG8=", "b": "x"}));
    assert!(matches!(action.bind(Placement::Any, &[], body, &mut store), Err(BindError::Invalid(_))));
    let mut full = |_: &str, _: &[u8]| Err(io::ErrorKind::StorageFull.into());
    let body = object(&json!({"a": "SGVsbG8="}));
    assert!(matches!(action.bind(Placement::Any, &[], body, &mut full), Err(BindError::Store(_))));
}

#[test]
fn on_the_command_line_a_file_is_named_and_has_to_be_there() {
    let action = action(vec![argument("image", Type::Path, Location::Body)]);
    let directory = tempfile::tempdir().expect("a directory");
    let there = directory.path().join("a.png");
    fs::write(&there, "x").expect("a file");
    let there = there.to_str().expect("UTF-8");
    let given =
        |name: &str| bound(&action, Placement::Any, &[text(TextSource::CommandLine, "image", name)], Body::None);
    assert_eq!(given(there), Ok(json!({"image": there}).to_string()));
    for missing in ["/nowhere/a.png", directory.path().to_str().expect("UTF-8")] {
        assert_eq!(given(missing), Err(vec!["image in -: invalid".to_owned()]), "{missing}");
    }
    let relative = action.bind(
        Placement::Any,
        &[text(TextSource::CommandLine, "image", "Cargo.toml")],
        Body::None,
        &mut |_: &str, _: &[u8]| panic!("it is there already"),
    );
    let path = relative.expect("it is there").text("image").expect("given").into_owned();
    assert!(std::path::Path::new(&path).is_absolute() && path.ends_with("/Cargo.toml"), "{path}");
}

#[test]
fn arguments_as_text_are_what_a_shell_would_expect() {
    let action = action(vec![
        argument("s", Type::String, Location::Body),
        argument("n", Type::Int, Location::Body),
        argument("l", Type::List, Location::Body),
    ]);
    let body = object(&json!({"s": "two words", "n": 5.0, "l": [1, "a"]}));
    let arguments = action.bind(Placement::Any, &[], body, &mut |_: &str, _: &[u8]| panic!()).expect("it fits");
    let texts = ["s", "n", "l", "none"].map(|name| arguments.text(name).map(Cow::into_owned));
    let wanted = [Some("two words"), Some("5"), Some("[1,\"a\"]"), None].map(|text| text.map(str::to_owned));
    assert_eq!(texts, wanted);
    assert_eq!(arguments.get("n"), Some(&json!(5)));
    assert_eq!(arguments.iter().map(|bound| bound.name.as_str()).collect::<Vec<_>>(), ["s", "n", "l"]);
}

#[test]
fn a_flaw_says_where_what_and_why() {
    let refused = converter().bind(Placement::Any, &query("units=x"), Body::None, &mut |_: &str, _: &[u8]| panic!());
    let Err(BindError::Invalid(errors)) = refused else { panic!("{refused:?}") };
    assert_eq!(errors.to_string(), "`units` is \"x\", expected a whole number");
    let listed = json!([{"argument": "units", "in": "query", "problem": "invalid", "value": "x",
        "detail": "expected a whole number"}]);
    assert_eq!(errors.to_json(), listed);
}

#[test]
fn what_is_no_utf8_is_a_flaw_of_its_argument_wherever_it_was() {
    let mut action = action(vec![
        argument("word", Type::String, Location::Query),
        argument("tags", Type::List, Location::Query),
        argument("note", Type::Any, Location::Body),
        argument("trace", Type::String, Location::Header),
    ]);
    let mut texts = query("word=%ff&tags=a&tags=%c3&x=%ff");
    texts.push(TextArgument { name: "trace".to_owned(), value: None, source: TextSource::Header });
    texts.push(TextArgument { name: "user-agent".to_owned(), value: None, source: TextSource::Header });
    let note = || Body::Fields(vec![FormField { name: "note".to_owned(), content: FieldContent::Text(None) }]);
    let refused = bound(&action, Placement::Declared, &texts, note()).expect_err("refused");
    let declared = ["word in query: invalid", "tags[1] in query: invalid", "note in requestBody: invalid"];
    let declared = [&declared[..], &["trace in header: invalid"]].concat();
    assert_eq!(refused, [&["x in query: unexpected"][..], &declared].concat());
    action.variadic = true;
    let refused = bound(&action, Placement::Declared, &texts, note()).expect_err("refused");
    assert_eq!(refused, [&declared[..], &["x in query: invalid"]].concat());
}

#[test]
fn a_value_without_a_name_is_told_as_that() {
    let action = action(vec![argument("word", Type::String, Location::Body)]);
    let told =
        |texts: &[TextArgument], body| match action.bind(Placement::Any, texts, body, &mut |_, _| panic!("no file")) {
            Err(BindError::Invalid(errors)) => errors.to_string(),
            other => panic!("{other:?}"),
        };
    assert_eq!(told(&[], Body::Fields(vec![field("", "x")])), "the body is invalid, expected a name for each value");
    assert_eq!(told(&query("=x"), Body::None), "the query is invalid, expected a name for each value");
}
