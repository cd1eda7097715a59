//! Parses schemas: `type`, and the rules that narrow it.

use bandog_codec::yaml::Node;
use serde_json::{Number, Value};

use super::{
    cursor::{Cursor, Fields},
    report::Report,
};
use crate::schema::{Pattern, Property, Range, Schema, Type};

/// The names of types that have a newer name.
const ALIASES: [(&str, Type); 2] = [("number", Type::Float), ("file", Type::Path)];

/// The keys that belong to one type.
const RULES: [(&str, Type); 11] = [
    ("pattern", Type::String),
    ("range", Type::Float),
    ("list", Type::List),
    ("elements", Type::List),
    ("items", Type::List),
    ("map", Type::Map),
    ("keys", Type::Map),
    ("values", Type::Map),
    ("object", Type::Object),
    ("properties", Type::Object),
    ("enum", Type::Enum),
];

/// All types by name.
fn types() -> impl Iterator<Item = (&'static str, Option<Type>)> {
    let aliases = ALIASES.map(|(name, kind)| (name, Some(kind)));
    Type::ALL.into_iter().map(|kind| (kind.as_str(), Some(kind))).chain(aliases)
}

/// A schema that should have a type. The earliest files have none: it is the type that the rules belong to, otherwise
/// `usual`.
pub(super) fn required(fields: &mut Fields<'_>, usual: Type, report: &mut Report) -> Option<Schema> {
    let Some(cursor) = fields.take(report, &["type"]) else {
        let implied = RULES.into_iter().find(|(rule, _)| fields.has(rule)).map_or(usual, |(_, kind)| kind);
        report.warn(&fields.at().below("type"), format!("missing, so it is taken for {}", implied.as_str()));
        return rest(fields, Some(implied), None, report);
    };
    let kind = cursor.choice(types(), report).flatten();
    rest(fields, kind, Some(&cursor), report)
}

/// The schema of an output: any value if it has no type, `None` for the type `none`.
pub(super) fn output(fields: &mut Fields<'_>, report: &mut Report) -> Option<Schema> {
    let Some(cursor) = fields.take(report, &["type"]) else { return rest(fields, Some(Type::Any), None, report) };
    match cursor.choice(types().chain([("none", None)]), report) {
        Some(None) => {
            for (key, _) in RULES {
                if let Some(cursor) = fields.known(key) {
                    report.error(
                        &cursor.without_value(),
                        "type: none has no such rule; leave it out, or give another type",
                    );
                }
            }
            None
        }
        Some(kind) => rest(fields, kind, Some(&cursor), report),
        None => rest(fields, None, Some(&cursor), report),
    }
}

/// Parses the rules that narrow a type. If the type is unknown, whether they apply to it is not checked.
fn rest(
    fields: &mut Fields<'_>,
    kind: Option<Type>,
    cursor: Option<&Cursor<'_>>,
    report: &mut Report,
) -> Option<Schema> {
    let pattern = fields.take(report, &["pattern"]);
    only_of(kind, &[Type::String], pattern.as_ref(), report);
    let range = fields.take(report, &["range"]);
    only_of(kind, &[Type::Int, Type::Float], range.as_ref(), report);
    // `items` is the word of JSON Schema, which early files use.
    let list = group(fields, "list", &[&["elements", "items"]], kind, Type::List, report);
    let map = group(fields, "map", &[&["keys"], &["values"]], kind, Type::Map, report);
    let object = group(fields, "object", &[&["properties"]], kind, Type::Object, report);
    let below = |found: &[Option<Cursor<'_>>], at: usize, report: &mut Report| {
        found[at].as_ref().and_then(|cursor| nested(cursor, report)).map(Box::new)
    };
    let mut schema = Schema {
        kind: kind.unwrap_or_default(),
        pattern: pattern.and_then(|cursor| self::pattern(&cursor, report)),
        range: range.and_then(|cursor| self::range(&cursor, report)),
        elements: below(&list, 0, report),
        keys: below(&map, 0, report),
        values: below(&map, 1, report),
        properties: object[0].as_ref().map(|cursor| properties(cursor, report)).unwrap_or_default(),
        choices: None,
    };
    let choices = fields.take(report, &["enum"]);
    if let (Some(Type::Path), Some(cursor)) = (kind, &choices) {
        report.error(&cursor.without_value(), "the content of a file cannot be one of several choices; leave it out");
    }
    if let (Some(Type::Enum), None, Some(cursor)) = (kind, &choices, cursor) {
        report.error(cursor, "no choices; expected a list of values under enum");
    }
    schema.choices = choices.and_then(|cursor| self::choices(&cursor, kind.is_some().then_some(&schema), report));
    kind.map(|_| schema)
}

/// Takes the keys that a type has below a key of its own name or, in some files, beside it.
fn group<'a>(
    fields: &mut Fields<'a>,
    name: &'static str,
    keys: &[&[&'static str]],
    kind: Option<Type>,
    wanted: Type,
    report: &mut Report,
) -> Vec<Option<Cursor<'a>>> {
    let beside: Vec<_> = keys.iter().map(|names| fields.take(report, names)).collect();
    let whole = fields.take(report, &[name]);
    for cursor in beside.iter().flatten().chain(&whole) {
        only_of(kind, &[wanted], Some(cursor), report);
    }
    let Some(mut inner) = whole.as_ref().and_then(|cursor| Fields::of(cursor, report)) else { return beside };
    let below: Vec<_> = keys.iter().map(|names| inner.take(report, names)).collect();
    inner.end(report);
    let one = |(below, beside): (Option<Cursor<'a>>, Option<Cursor<'a>>)| {
        if let (Some(_), Some(beside)) = (&below, &beside) {
            report.error(&beside.without_value(), format!("also given below {name}; keep one of them"));
        }
        below.or(beside)
    };
    below.into_iter().zip(beside).map(one).collect()
}

fn only_of(kind: Option<Type>, wanted: &[Type], cursor: Option<&Cursor<'_>>, report: &mut Report) {
    let (Some(kind), Some(cursor)) = (kind, cursor) else { return };
    if !wanted.contains(&kind) {
        let wanted: Vec<_> = wanted.iter().map(|kind| kind.as_str()).collect();
        let advice = format!("applies to type {} only, but this is of type {}", wanted.join(" and "), kind.as_str());
        report.error(&cursor.without_value(), advice);
    }
}

fn nested(cursor: &Cursor<'_>, report: &mut Report) -> Option<Schema> {
    let mut fields = Fields::of(cursor, report)?;
    let schema = required(&mut fields, Type::Any, report);
    fields.text(report, "help");
    fields.end(report);
    schema
}

fn properties(cursor: &Cursor<'_>, report: &mut Report) -> Vec<Property> {
    let Some(fields) = Fields::of(cursor, report) else { return Vec::new() };
    let mut properties = Vec::new();
    for (name, cursor) in fields.members() {
        let Some(mut fields) = Fields::of(&cursor, report) else { continue };
        let schema = required(&mut fields, Type::Any, report);
        let (is_required, help) = (fields.boolean(report, "required"), fields.text(report, "help"));
        fields.boolean(report, "deprecated");
        fields.end(report);
        let schema = schema.unwrap_or_default();
        properties.push(Property { name: name.to_owned(), schema, required: is_required, help });
    }
    properties
}

fn pattern(cursor: &Cursor<'_>, report: &mut Report) -> Option<Pattern> {
    let text = cursor.text(report)?;
    Pattern::new(text).map_err(|error| report.error(cursor, format!("expected a regular expression: {error}"))).ok()
}

fn range(cursor: &Cursor<'_>, report: &mut Report) -> Option<Range> {
    let mut fields = Fields::of(cursor, report)?;
    let (min, max) = (fields.take(report, &["min"]), fields.take(report, &["max"]));
    fields.end(report);
    if min.is_none() && max.is_none() {
        report.error(cursor, "expected min, max, or both");
        return None;
    }
    let mut number = |cursor: Option<&Cursor<'_>>| -> Option<Number> {
        let cursor = cursor?;
        if let Ok(Value::Number(number)) = cursor.node()?.value() {
            Some(number)
        } else {
            report.error(cursor, "expected a number");
            None
        }
    };
    let range = Range { min: number(min.as_ref()), max: number(max.as_ref()) };
    if let (Some(least), Some(most), Some(cursor)) = (&range.min, &range.max, &min) {
        // Compare the bounds by checking one against the range of the other, which compares exactly.
        let from_least = Range { min: Some(least.clone()), max: None };
        let schema = Schema { kind: Type::Float, range: Some(from_least), ..Schema::default() };
        if schema.check(Value::Number(most.clone())).is_err() {
            report.error(cursor, format!("is more than max, which is {most}; no value is valid"));
        }
    }
    Some(range)
}

/// The permitted values, each of which must be valid.
fn choices(cursor: &Cursor<'_>, schema: Option<&Schema>, report: &mut Report) -> Option<Vec<Value>> {
    let items = cursor.items(report);
    if items.is_empty() && cursor.node().and_then(Node::items).is_some() {
        report.error(cursor, "expected at least one choice");
    }
    let choices: Vec<_> = items.iter().filter_map(|item| value(item, schema, report)).collect();
    (!choices.is_empty()).then_some(choices)
}

/// The default of an argument.
pub(super) fn default(cursor: &Cursor<'_>, schema: Option<&Schema>, report: &mut Report) -> Option<Value> {
    let schema = schema?;
    if matches!(schema.kind, Type::Map | Type::Object) {
        let advice = format!("an argument of type {} cannot have a default; leave it out", schema.kind.as_str());
        report.error(&cursor.without_value(), advice);
        return None;
    }
    let is_empty = cursor.node().and_then(Node::items).is_some_and(|mut items| items.next().is_none());
    if takes_files(schema) && !is_empty {
        report.error(
            cursor,
            "a value of type path is a file that the caller sends, so it cannot have a default; leave it out",
        );
        return None;
    }
    value(cursor, Some(schema), report)
}

/// Whether a value may be a file or contain one.
pub(super) fn takes_files(schema: &Schema) -> bool {
    let Schema { kind, elements, values, properties, .. } = schema;
    let below = [elements, values].into_iter().flatten().map(|schema| &**schema);
    let mut below = below.chain(properties.iter().map(|property| &property.schema));
    *kind == Type::Path || below.any(takes_files)
}

/// The value at a position as JSON, if it is valid.
fn value(cursor: &Cursor<'_>, schema: Option<&Schema>, report: &mut Report) -> Option<Value> {
    let Ok(value) = cursor.node()?.value() else {
        report.error(cursor, "expected a value that JSON can represent");
        return None;
    };
    let Some(schema) = schema else { return Some(value) };
    match schema.check(value) {
        Ok(value) => Some(value),
        Err(errors) => {
            for error in errors.listed() {
                let within = if error.argument.is_empty() { String::new() } else { format!("{}: ", error.argument) };
                report.error(cursor, format!("does not fit the type: {within}expected {}", error.expected));
            }
            None
        }
    }
}
