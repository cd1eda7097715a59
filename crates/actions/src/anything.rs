//! Whatever a caller may send, bound to an action that takes everything: for fuzzing, and to show that nothing panics.

use std::{io, path::PathBuf};

use serde_json::Value;

use super::{
    Action, Argument, Arguments, BindError, Body, Budget, Content, Field, Interface, Location, Output, Pattern,
    Property, Range, Schema, Source, Text, Type, Way, pairs, read_json,
};

/// Binds bytes as a request: a line of a query, then a body, which is a JSON object if it can be, else a form.
///
/// # Panics
/// If a promise is broken: what was taken is taken again from the JSON that the action gets, and stays as it is.
#[doc(hidden)]
pub fn bind_anything(bytes: &[u8]) {
    let (query, body) = bytes.split_at(bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len()));
    let body = body.strip_prefix(b"\n").unwrap_or(body);
    let texts: Vec<_> = pairs(query).map(|(name, value)| Text { name, value, source: Source::Query }).collect();
    let body = if let Ok(Value::Object(members)) = read_json(body, &mut Budget::default()) {
        Body::Object(members)
    } else {
        let field = |(name, value)| Field { name, content: Content::Text(value) };
        Body::Fields(pairs(body).map(field).collect())
    };
    let everything = everything();
    for way in [Way::Any, Way::Declared] {
        // Files come out as paths, which are no content.
        let mut stored = 0;
        if let Some(arguments) = bound(&everything, way, &texts, body.clone(), &mut stored)
            && stored == 0
        {
            let json = arguments.to_json();
            let Ok(Value::Object(members)) = read_json(json.as_bytes(), &mut Budget::default()) else {
                panic!("{json} is no object");
            };
            let again = bound(&everything, Way::Any, &[], Body::Object(members), &mut stored);
            assert_eq!(again.map(|arguments| arguments.to_json()), Some(json), "taken again");
        }
    }
}

fn bound(action: &Action, way: Way, texts: &[Text], body: Body, stored: &mut usize) -> Option<Arguments> {
    let mut store = |_: &str, _: &[u8]| -> io::Result<PathBuf> {
        *stored += 1;
        Ok("/stored".into())
    };
    match action.bind(way, texts, body, &mut store) {
        Ok(arguments) => Some(arguments),
        Err(BindError::Flaws(flaws)) => {
            assert!(!flaws.is_empty() && !flaws.to_string().is_empty(), "what is refused has a reason");
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
