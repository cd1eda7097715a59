//! The parameters and bodies of the document.

use serde_json::{Map, Value, json};

use super::Bodies;
use crate::{
    action::{Action, Argument, MediaType},
    location::Location,
    schema::{Schema, Type},
};

/// An argument in the query, the path or a header field; `None` if it is in the body. The path may use another name for
/// it.
pub(super) fn parameter(argument: &Argument, renamed: Option<&str>) -> Option<Value> {
    let place = match argument.location {
        Location::Query | Location::Path | Location::Header => argument.location.as_str(),
        Location::Body => return None,
    };
    let mut parameter = Map::new();
    parameter.insert("name".to_owned(), renamed.unwrap_or(&argument.name).into());
    parameter.insert("in".to_owned(), place.into());
    let name = renamed.filter(|name| *name != argument.name).map(|_| format!("The argument `{}`.", argument.name));
    let texts: Vec<String> = argument.help.clone().into_iter().chain(name).collect();
    if !texts.is_empty() {
        parameter.insert("description".to_owned(), texts.join(" ").into());
    }
    // A path without one of its segments is another path.
    let is_path = argument.location == Location::Path;
    parameter.insert("required".to_owned(), (is_needed(argument) || is_path).into());
    if argument.deprecated {
        parameter.insert("deprecated".to_owned(), true.into());
    }
    let shape = shape(&argument.schema);
    let mut schema = match shape {
        Shape::Json if !is_needed(argument) && !is_path => argument.schema.to_nullable_json_schema(),
        Shape::Json | Shape::Text => argument.schema.to_json_schema(),
    };
    as_segment(&mut schema, argument);
    // A segment is always there, so a default has no meaning; of one some programs generate modules that are not valid.
    annotate(&mut schema, "default", argument.default.clone().filter(|_| !is_path));
    match shape {
        Shape::Text => parameter.insert("schema".to_owned(), schema),
        Shape::Json => parameter.insert("content".to_owned(), json!({"application/json": {"schema": schema}})),
    };
    Some(Value::Object(parameter))
}

/// The body in these encodings; `None` if no argument is in it.
pub(super) fn body(action: &Action, arguments: &[&Argument], bodies: Bodies) -> Option<Value> {
    if arguments.is_empty() && !action.variadic {
        return None;
    }
    let mut content = Map::new();
    let mut add = |media: MediaType, schema: Value| {
        content.insert(media.as_str().to_owned(), json!({"schema": schema}));
    };
    let required = arguments.iter().any(|argument| is_needed(argument));
    let mut json = object(action, arguments, MediaType::Json);
    match bodies {
        Bodies::Json => {
            remove_base64_patterns(&mut json);
            add(MediaType::Json, json);
            return Some(json!({"required": required, "content": content}));
        }
        Bodies::Every => add(MediaType::Json, json),
    }
    // A schema cannot forbid that an undeclared field occurs twice in a form. An urlencoded form carries lists and
    // objects as JSON, which OpenAPI cannot express.
    let is_closed = !action.variadic;
    let all = |fit: &dyn Fn(&Schema) -> bool| arguments.iter().all(|argument| fit(&argument.schema));
    if is_closed && all(&|schema| shape(schema) == Shape::Text) {
        add(MediaType::Form, object(action, arguments, MediaType::Form));
    }
    // In OpenAPI a list in a multipart form is one part for each element, so any text would be an element; only lists
    // of files fit.
    if is_closed && all(&|schema| schema.kind != Type::List || is_list_of_files(schema)) {
        add(MediaType::Multipart, object(action, arguments, MediaType::Multipart));
    }
    let files = action.arguments.iter().filter(|argument| argument.schema.kind == Type::Path);
    let needs_more = arguments.iter().any(|argument| is_needed(argument) && argument.schema.kind != Type::Path);
    if files.count() == 1 && arguments.iter().any(|argument| argument.schema.kind == Type::Path) && !needs_more {
        content.insert(MediaType::Bytes.as_str().to_owned(), json!({"schema": binary()}));
    }
    Some(json!({"required": required, "content": content}))
}

/// All arguments of the body as one object, in the encoding `media`.
fn object(action: &Action, arguments: &[&Argument], media: MediaType) -> Value {
    let mut properties = Map::new();
    for argument in arguments {
        let mut schema = match (media, argument.schema.kind) {
            (MediaType::Multipart, Type::Path) => binary(),
            (MediaType::Multipart, Type::List) if is_list_of_files(&argument.schema) => {
                json!({"type": "array", "items": binary(), "minItems": 1})
            }
            // Null means no value, where the encoding has null.
            (MediaType::Json, _) if !is_needed(argument) => argument.schema.to_nullable_json_schema(),
            _ => argument.schema.to_json_schema(),
        };
        as_segment(&mut schema, argument);
        annotate(&mut schema, "description", argument.help.clone());
        annotate(&mut schema, "default", argument.default.clone());
        annotate(&mut schema, "deprecated", argument.deprecated.then_some(true));
        properties.insert(argument.name.clone(), schema);
    }
    let required: Vec<&str> =
        arguments.iter().filter(|argument| is_needed(argument)).map(|it| it.name.as_str()).collect();
    let mut object = json!({"type": "object", "properties": properties, "additionalProperties": action.variadic});
    // A form needs at least one part.
    annotate(&mut object, "minProperties", (media == MediaType::Multipart).then_some(1));
    annotate(&mut object, "required", (!required.is_empty()).then_some(required));
    object
}

/// Removes the pattern of base64 from the schema of arguments. Generated clients check it with expressions that backtrack,
/// which takes 200 bytes of memory for each character of a file.
fn remove_base64_patterns(schema: &mut Value) {
    let Some(schema) = schema.as_object_mut() else { return };
    if schema.get("contentEncoding").is_some_and(|coding| coding == "base64") {
        schema.remove("pattern");
    }
    for within in ["items", "additionalProperties"] {
        if let Some(within) = schema.get_mut(within) {
            remove_base64_patterns(within);
        }
    }
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    properties.into_iter().flat_map(Map::values_mut).for_each(remove_base64_patterns);
}

/// Segments that some servers resolve to another path.
const CLIMBING: &str = r"^\.$|(^|[/\\])\.\.([/\\]|$)";

/// A value that is inserted into a path must be one segment: not empty, and neither `.` nor `..`.
fn as_segment(schema: &mut Value, argument: &Argument) {
    if argument.location == Location::Path && argument.schema.kind == Type::String {
        annotate(schema, "minLength", Some(1));
        annotate(schema, "not", Some(json!({"pattern": CLIMBING})));
    }
}

/// The bytes of a file: a part of a form, a body or a result. OpenAPI 3.1 needs no schema for a body of bytes, but
/// programs that generate clients take a body without one for none.
pub(super) fn binary() -> Value {
    json!({"type": "string", "format": "binary"})
}

fn is_list_of_files(schema: &Schema) -> bool {
    schema.kind == Type::List && schema.elements.as_ref().is_some_and(|elements| elements.kind == Type::Path)
}

/// Whether the argument must be given: one with a default need not be.
fn is_needed(argument: &Argument) -> bool {
    argument.required && argument.default.is_none()
}

/// Adds a member to a schema, if there is a value.
fn annotate(schema: &mut Value, name: &str, value: Option<impl Into<Value>>) {
    if let (Some(value), Some(schema)) = (value, schema.as_object_mut()) {
        schema.insert(name.to_owned(), value.into());
    }
}

/// How a value is written in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// As its own text.
    Text,
    /// As JSON.
    Json,
}

fn shape(schema: &Schema) -> Shape {
    match schema.kind {
        Type::Int | Type::Float | Type::String | Type::Boolean | Type::Enum | Type::Uuid | Type::Path => Shape::Text,
        Type::List | Type::Map | Type::Object | Type::Any => Shape::Json,
    }
}
