//! The actions of a service as a list, for programs and for people.

use std::{collections::BTreeMap, fmt::Write as _};

use serde_json::{Map, Value, json};

use crate::{
    action::{Action, Argument, Output},
    schema::{Range, Schema},
    service::Service,
};

/// The list as a document: the response of `GET /_/actions`, and the output of `bandog actions --format json`.
#[must_use]
pub fn document(service: &Service) -> Value {
    let (info, own) = (&service.info, own_paths(service));
    json!({
        "service": members([
            ("title", info.title.clone().map(Value::from)),
            ("version", info.version.clone().map(Value::from)),
            ("description", info.description.clone().map(Value::from)),
        ]),
        "actions": service.actions.iter().map(|action| action_document(action, own.get(&*action.name))).collect::<Vec<_>>(),
    })
}

fn action_document(action: &Action, own: Option<&(String, String)>) -> Value {
    let own = own.map(|(method, path)| json!({"method": method, "path": path}));
    members([
        ("name", Some(action.name.as_str().into())),
        ("help", action.help.clone().map(Value::from)),
        ("deprecated", action.deprecated.then_some(true.into())),
        ("interface", Some(action.interface.name().into())),
        ("run", Some(json!({"method": "POST", "path": run(action)}))),
        ("http", own),
        ("arguments", Some(action.arguments.iter().map(argument_document).collect())),
        ("variadic", action.variadic.then_some(true.into())),
        ("output", Some(output_document(&action.output))),
    ])
}

fn argument_document(argument: &Argument) -> Value {
    let Value::Object(schema) = schema_document(&argument.schema) else { return Value::Null };
    let rest = members([
        ("in", Some(argument.location.as_str().into())),
        ("required", Some(argument.required.into())),
        ("default", argument.default.clone()),
        ("deprecated", argument.deprecated.then_some(true.into())),
        ("help", argument.help.clone().map(Value::from)),
    ]);
    let mut whole = Map::from_iter([("name".to_owned(), argument.name.as_str().into())]);
    whole.extend(schema);
    whole.extend(rest.as_object().cloned().unwrap_or_default());
    whole.into()
}

fn output_document(output: &Output) -> Value {
    let Output { schema, content_type, help } = output;
    let mut whole = match schema.as_ref().map(schema_document) {
        Some(Value::Object(schema)) => schema,
        _ => Map::from_iter([("type".to_owned(), "none".into())]),
    };
    let rest = members([
        ("contentType", content_type.map(|kind| kind.as_str().into())),
        ("help", help.clone().map(Value::from)),
    ]);
    whole.extend(rest.as_object().cloned().unwrap_or_default());
    whole.into()
}

/// A schema in the newest keys of the specification.
fn schema_document(schema: &Schema) -> Value {
    let Schema { kind, pattern, choices, range, elements, keys, values, properties } = schema;
    let below = |schema: &Option<Box<Schema>>| schema.as_ref().map(|schema| schema_document(schema));
    let map = members([("keys", below(keys)), ("values", below(values))]);
    let range = range.as_ref().map(|Range { min, max }| {
        members([("min", min.clone().map(Value::Number)), ("max", max.clone().map(Value::Number))])
    });
    let properties = properties.iter().map(|property| {
        let Value::Object(mut whole) = schema_document(&property.schema) else { return (String::new(), Value::Null) };
        whole.insert("required".to_owned(), property.required.into());
        whole.extend(property.help.clone().map(|help| ("help".to_owned(), help.into())));
        (property.name.clone(), whole.into())
    });
    let properties: Map<_, _> = properties.collect();
    members([
        ("type", Some(kind.as_str().into())),
        ("pattern", pattern.as_ref().map(|pattern| pattern.as_str().into())),
        ("enum", choices.clone().map(Value::Array)),
        ("range", range),
        ("list", below(elements).map(|elements| json!({"elements": elements}))),
        ("map", Some(map).filter(|map| map.as_object().is_some_and(|map| !map.is_empty()))),
        ("properties", (!properties.is_empty()).then(|| properties.into())),
    ])
}

/// An object of the members that have a value.
fn members<const N: usize>(all: [(&str, Option<Value>); N]) -> Value {
    let there = all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(there.collect())
}

/// The path that every action is called at.
fn run(action: &Action) -> String {
    format!("/run/{}", action.name)
}

/// The methods and paths of the actions' own requests, by the names of the actions.
fn own_paths(service: &Service) -> BTreeMap<&str, (String, String)> {
    let own = service.own_paths();
    own.map(|(action, call, path)| (&*action.name, (call.method.to_string(), path.to_string()))).collect()
}

/// The greatest width of a column, in characters.
const WIDEST: usize = 24;

/// The list as text, a paragraph for each action.
#[must_use]
pub fn text(service: &Service) -> String {
    if service.actions.is_empty() {
        return format!("{}\n", service.summary());
    }
    let own = own_paths(service);
    let names = service.actions.iter().map(|action| action.name.len()).max().unwrap_or_default();
    let mut text = String::new();
    for action in &service.actions {
        let own = own.get(&*action.name).map(|(method, path)| format!(", {method} {path}")).unwrap_or_default();
        let deprecated = if action.deprecated { ", deprecated" } else { "" };
        let head =
            format!("{:names$}  {}{deprecated}  POST {}{own}", action.name, action.interface.name(), run(action));
        let _ = writeln!(text, "{head}");
        for line in action.help.iter().flat_map(|help| help.lines()).filter(|line| !line.trim().is_empty()) {
            let _ = writeln!(text, "    {}", plain(line));
        }
        let mut rows: Vec<[String; 4]> = action.arguments.iter().map(row).collect();
        if action.variadic {
            rows.push(["…".into(), "any".into(), "and others".into(), String::new()]);
        }
        // A long cell does not widen its column.
        let widths = |column: usize| rows.iter().map(move |row| row[column].chars().count());
        let width = |column: usize| widths(column).filter(|width| *width <= WIDEST).max().unwrap_or_default();
        let (first, second, third) = (width(0), width(1), width(2));
        for [name, kind, need, help] in &rows {
            let line = format!("    {name:first$}  {kind:second$}  {need:third$}  {help}");
            let _ = writeln!(text, "{}", line.trim_end());
        }
        let kind = action.output.schema.as_ref().map_or("none".to_owned(), shown);
        let sent_as = action.output.content_type.map(|kind| format!(" as {}", kind.as_str())).unwrap_or_default();
        let help = action.output.help.as_ref().map(|help| format!("  {}", plain(help))).unwrap_or_default();
        let _ = writeln!(text, "    -> {kind}{sent_as}{help}");
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

fn row(argument: &Argument) -> [String; 4] {
    let need = match (&argument.default, argument.required) {
        (Some(default), _) => format!("default {default}"),
        (None, true) => "required".to_owned(),
        (None, false) => String::new(),
    };
    let need = if argument.deprecated { format!("{need} deprecated").trim_start().to_owned() } else { need };
    let help = argument.help.as_deref().map(plain).unwrap_or_default();
    [argument.name.clone(), shown(&argument.schema), plain(&need), help]
}

/// A type, with the types of its elements.
fn shown(schema: &Schema) -> String {
    let kind = schema.kind.as_str();
    let below = |schema: &Option<Box<Schema>>| schema.as_ref().map_or("any".to_owned(), |schema| shown(schema));
    if schema.elements.is_some() {
        return format!("{kind} of {}", below(&schema.elements));
    }
    if schema.values.is_some() {
        return format!("{kind} of {}", below(&schema.values));
    }
    match &schema.choices {
        Some(choices) => choices.iter().map(|choice| plain(&choice.to_string())).collect::<Vec<_>>().join("|"),
        None => kind.to_owned(),
    }
}

/// A text without line breaks and other control characters.
fn plain(text: &str) -> String {
    text.trim().chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}
