//! Checks that accept any bytes and panic if a contract is broken, for tests and fuzz targets.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{
    action::{Action, Argument, Interface, Output},
    bind::{Arguments, BindError, Body, FieldContent, FormField, Placement, TextArgument, TextSource},
    json::{Budget, read_json},
    list,
    location::Location,
    parse::ParsedFile,
    query::decode_pairs,
    schema::{Pattern, Property, Range, Schema, Type},
    service::Service,
};

/// Binds bytes as a request: a line of a query, then a body, which is a JSON object if it parses as one, else a form.
///
/// # Panics
///
/// If binding the JSON of the bound arguments again gives another result, or an error has no description.
pub fn check_arguments(bytes: &[u8]) {
    let (query, body) = bytes.split_at(bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len()));
    let body = body.strip_prefix(b"\n").unwrap_or(body);
    let texts: Vec<_> =
        decode_pairs(query).map(|(name, value)| TextArgument { name, value, source: TextSource::Query }).collect();
    let body = if let Ok(Value::Object(members)) = read_json(body, &mut Budget::default()) {
        Body::Object(members)
    } else {
        let field = |(name, value)| FormField { name, content: FieldContent::Text(value) };
        Body::Fields(decode_pairs(body).map(field).collect())
    };
    let everything = everything();
    for placement in [Placement::Any, Placement::Declared] {
        // A stored file is a path from then on, which would not bind again as content.
        let mut stored = 0;
        if let Some(arguments) = bound(&everything, placement, &texts, body.clone(), &mut stored)
            && stored == 0
        {
            let json = arguments.to_json();
            let Ok(Value::Object(members)) = read_json(json.as_bytes(), &mut Budget::default()) else {
                panic!("{json} is no object");
            };
            let again = bound(&everything, Placement::Any, &[], Body::Object(members), &mut stored);
            assert_eq!(again.map(|arguments| arguments.to_json()), Some(json), "taken again");
        }
    }
}

fn bound(
    action: &Action,
    placement: Placement,
    texts: &[TextArgument],
    body: Body,
    stored: &mut usize,
) -> Option<Arguments> {
    let mut store = |_: &str, _: &[u8]| -> io::Result<PathBuf> {
        *stored += 1;
        Ok("/stored".into())
    };
    match action.bind(placement, texts, body, &mut store) {
        Ok(arguments) => Some(arguments),
        Err(BindError::Invalid(errors)) => {
            assert!(!errors.is_empty() && !errors.to_string().is_empty(), "what is refused has a reason");
            None
        }
        Err(BindError::Store(error)) => panic!("{error}"),
    }
}

/// An action with an argument of each type, in the query and in the body.
fn everything() -> Action {
    let of = |kind| Schema { kind, ..Schema::default() };
    let property =
        |name: &str, kind, required| Property { name: name.to_owned(), schema: of(kind), required, help: None };
    let bounds = Range { min: Some((-5).into()), max: Some(5.into()) };
    let schemas = Type::ALL.map(|kind| match kind {
        Type::Int => Schema { range: Some(bounds.clone()), ..of(kind) },
        Type::String => Schema { pattern: Pattern::new("^[a-z]*").ok(), ..of(kind) },
        Type::List => Schema { elements: Some(Box::new(of(Type::Float))), ..of(kind) },
        Type::Map => {
            Schema { keys: Some(Box::new(of(Type::Int))), values: Some(Box::new(of(Type::Boolean))), ..of(kind) }
        }
        Type::Object => {
            Schema { properties: vec![property("a", Type::Int, true), property("b", Type::Any, false)], ..of(kind) }
        }
        Type::Enum => Schema { choices: Some(vec!["red".into(), 5.into(), true.into()]), ..of(kind) },
        Type::Float | Type::Boolean | Type::Any | Type::Uuid | Type::Path => of(kind),
    });
    let argument = |(number, schema): (usize, Schema)| Argument {
        name: schema.kind.as_str().to_owned(),
        location: if number % 2 == 0 { Location::Query } else { Location::Body },
        schema,
        required: false,
        default: None,
        deprecated: false,
        help: None,
    };
    Action {
        name: "everything".to_owned(),
        help: None,
        deprecated: false,
        interface: Interface::Command(Vec::new()),
        arguments: schemas.into_iter().enumerate().map(argument).collect(),
        variadic: true,
        output: Output::default(),
    }
}

/// Parses any bytes as a file of actions.
///
/// # Panics
///
/// If there are both a service and mistakes, or neither; if a name occurs twice; if a default does not satisfy its
/// schema.
pub fn check_file(bytes: &[u8]) {
    let ParsedFile { service, mistakes, .. } = Service::read(Path::new("oms.yml"), bytes);
    assert_eq!(service.is_none(), !mistakes.is_empty());
    let Some(service) = service else { return };
    let _ = (list::document(&service), list::text(&service));
    for (number, action) in service.actions.iter().enumerate() {
        assert!(service.actions[..number].iter().all(|other| other.name != action.name), "{} twice", action.name);
        for argument in &action.arguments {
            let default = argument.default.clone();
            let again = default.clone().map(|default| argument.schema.check(default).ok());
            assert!(again.is_none() || again == Some(default), "the default of {} fits", argument.name);
        }
    }
}
