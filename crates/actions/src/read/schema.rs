//! What a value has to be: `type`, and what narrows it.

use bandog_codec::yaml::Node;
use serde_json::{Number, Value};

use super::walk::{Fields, Notes, Spot};
use crate::{Pattern, Property, Range, Schema, Type};

/// Every type by its name; `number` is another one for `float`.
fn types() -> impl Iterator<Item = (&'static str, Option<Type>)> {
    Type::ALL.into_iter().map(|kind| (kind.as_str(), Some(kind))).chain([("number", Some(Type::Float))])
}

/// A schema whose type has to be there.
pub(super) fn required(fields: &mut Fields<'_>, notes: &mut Notes) -> Option<Schema> {
    let Some(spot) = fields.take(notes, &["type"]) else {
        let names: Vec<_> = types().map(|(name, _)| name).collect();
        let advice = format!("missing; expected one of {}", names.join(", "));
        notes.wrong(&fields.at().below("type"), advice);
        rest(fields, None, None, notes);
        return None;
    };
    let kind = spot.choice(types(), notes).flatten();
    rest(fields, kind, Some(&spot), notes)
}

/// The schema of an output: anything if it has no type, nothing if that is `none`.
pub(super) fn output(fields: &mut Fields<'_>, notes: &mut Notes) -> Option<Schema> {
    let Some(spot) = fields.take(notes, &["type"]) else { return rest(fields, Some(Type::Any), None, notes) };
    match spot.choice(types().chain([("none", None)]), notes) {
        Some(None) => {
            for key in ["pattern", "enum", "range", "list", "elements", "map", "keys", "values", "properties", "object"]
            {
                if let Some(spot) = fields.known(key) {
                    notes.wrong(&spot.unquoted(), "nothing has no such rule; leave it out, or give another type");
                }
            }
            None
        }
        Some(kind) => rest(fields, kind, Some(&spot), notes),
        None => rest(fields, None, Some(&spot), notes),
    }
}

/// What narrows a type; whether it does is not asked if the type is not known.
fn rest(fields: &mut Fields<'_>, kind: Option<Type>, spot: Option<&Spot<'_>>, notes: &mut Notes) -> Option<Schema> {
    let pattern = fields.take(notes, &["pattern"]);
    only_of(kind, &[Type::String], pattern.as_ref(), notes);
    let range = fields.take(notes, &["range"]);
    only_of(kind, &[Type::Int, Type::Float], range.as_ref(), notes);
    let list = group(fields, "list", &["elements"], kind, Type::List, notes);
    let map = group(fields, "map", &["keys", "values"], kind, Type::Map, notes);
    let object = group(fields, "object", &["properties"], kind, Type::Object, notes);
    let below = |found: &[Option<Spot<'_>>], at: usize, notes: &mut Notes| {
        found[at].as_ref().and_then(|spot| nested(spot, notes)).map(Box::new)
    };
    let mut schema = Schema {
        kind: kind.unwrap_or_default(),
        pattern: pattern.and_then(|spot| self::pattern(&spot, notes)),
        range: range.and_then(|spot| self::range(&spot, notes)),
        elements: below(&list, 0, notes),
        keys: below(&map, 0, notes),
        values: below(&map, 1, notes),
        properties: object[0].as_ref().map(|spot| properties(spot, notes)).unwrap_or_default(),
        choices: None,
    };
    let choices = fields.take(notes, &["enum"]);
    if let (Some(Type::Path), Some(spot)) = (kind, &choices) {
        notes.wrong(&spot.unquoted(), "a file is its content, of which there is nothing to choose; leave it out");
    }
    if let (Some(Type::Enum), None, Some(spot)) = (kind, &choices, spot) {
        notes.wrong(spot, "no values to choose from; expected them in a list under enum");
    }
    schema.choices = choices.and_then(|spot| self::choices(&spot, kind.is_some().then_some(&schema), notes));
    kind.map(|_| schema)
}

/// What a type has below a key of its own name, or, in some files, beside it.
fn group<'a>(
    fields: &mut Fields<'a>,
    name: &'static str,
    keys: &[&'static str],
    kind: Option<Type>,
    wanted: Type,
    notes: &mut Notes,
) -> Vec<Option<Spot<'a>>> {
    let beside: Vec<_> = keys.iter().map(|key| fields.take(notes, &[key])).collect();
    let whole = fields.take(notes, &[name]);
    for spot in beside.iter().flatten().chain(&whole) {
        only_of(kind, &[wanted], Some(spot), notes);
    }
    let Some(mut inner) = whole.as_ref().and_then(|spot| Fields::of(spot, notes)) else { return beside };
    let below: Vec<_> = keys.iter().map(|key| inner.take(notes, &[key])).collect();
    inner.end(notes);
    let one = |(below, beside): (Option<Spot<'a>>, Option<Spot<'a>>)| {
        if let (Some(_), Some(beside)) = (&below, &beside) {
            notes.wrong(&beside.unquoted(), format!("stands below {name} too; keep one of them"));
        }
        below.or(beside)
    };
    below.into_iter().zip(beside).map(one).collect()
}

fn only_of(kind: Option<Type>, wanted: &[Type], spot: Option<&Spot<'_>>, notes: &mut Notes) {
    let (Some(kind), Some(spot)) = (kind, spot) else { return };
    if !wanted.contains(&kind) {
        let wanted: Vec<_> = wanted.iter().map(|kind| kind.as_str()).collect();
        let advice = format!("is of type {} only, and this is of type {}", wanted.join(" and "), kind.as_str());
        notes.wrong(&spot.unquoted(), advice);
    }
}

fn nested(spot: &Spot<'_>, notes: &mut Notes) -> Option<Schema> {
    let mut fields = Fields::of(spot, notes)?;
    let schema = required(&mut fields, notes);
    fields.text(notes, "help");
    fields.end(notes);
    schema
}

fn properties(spot: &Spot<'_>, notes: &mut Notes) -> Vec<Property> {
    let Some(fields) = Fields::of(spot, notes) else { return Vec::new() };
    let mut properties = Vec::new();
    for (name, spot) in fields.members() {
        let Some(mut fields) = Fields::of(&spot, notes) else { continue };
        let schema = required(&mut fields, notes);
        let (is_required, help) = (fields.switch(notes, "required"), fields.text(notes, "help"));
        fields.switch(notes, "deprecated");
        fields.end(notes);
        let schema = schema.unwrap_or_default();
        properties.push(Property { name: name.to_owned(), schema, required: is_required, help });
    }
    properties
}

fn pattern(spot: &Spot<'_>, notes: &mut Notes) -> Option<Pattern> {
    let text = spot.text(notes)?;
    Pattern::new(text).map_err(|error| notes.wrong(spot, format!("expected a regular expression: {error}"))).ok()
}

fn range(spot: &Spot<'_>, notes: &mut Notes) -> Option<Range> {
    let mut fields = Fields::of(spot, notes)?;
    let (min, max) = (fields.take(notes, &["min"]), fields.take(notes, &["max"]));
    fields.end(notes);
    if min.is_none() && max.is_none() {
        notes.wrong(spot, "expected min, max, or both");
        return None;
    }
    let mut number = |spot: Option<&Spot<'_>>| -> Option<Number> {
        let spot = spot?;
        if let Ok(Value::Number(number)) = spot.node()?.value() {
            Some(number)
        } else {
            notes.wrong(spot, "expected a number");
            None
        }
    };
    let range = Range { min: number(min.as_ref()), max: number(max.as_ref()) };
    if let (Some(least), Some(most), Some(spot)) = (&range.min, &range.max, &min) {
        // Whether the most is within a range that begins with the least is asked of who compares values too.
        let from_least = Range { min: Some(least.clone()), max: None };
        let schema = Schema { kind: Type::Float, range: Some(from_least), ..Schema::default() };
        if schema.check(Value::Number(most.clone())).is_err() {
            notes.wrong(spot, format!("is more than max, which is {most}; no value can be right"));
        }
    }
    Some(range)
}

/// The values to choose from, each of which has to be right by itself.
fn choices(spot: &Spot<'_>, schema: Option<&Schema>, notes: &mut Notes) -> Option<Vec<Value>> {
    let items = spot.items(notes);
    if items.is_empty() && spot.node().and_then(Node::items).is_some() {
        notes.wrong(spot, "expected at least one value to choose");
    }
    let choices: Vec<_> = items.iter().filter_map(|item| value(item, schema, notes)).collect();
    (!choices.is_empty()).then_some(choices)
}

/// The value of what has none.
pub(super) fn default(spot: &Spot<'_>, schema: Option<&Schema>, notes: &mut Notes) -> Option<Value> {
    let schema = schema?;
    if matches!(schema.kind, Type::Map | Type::Object) {
        let advice = format!("an argument of type {} has no default; leave it out", schema.kind.as_str());
        notes.wrong(&spot.unquoted(), advice);
        return None;
    }
    let is_empty = spot.node().and_then(Node::items).is_some_and(|mut items| items.next().is_none());
    if takes_files(schema) && !is_empty {
        notes.wrong(spot, "a value of type path is a file that is sent, which has no default; leave it out");
        return None;
    }
    value(spot, Some(schema), notes)
}

/// Whether a file may be in a value, or be all of it.
pub(super) fn takes_files(schema: &Schema) -> bool {
    let Schema { kind, elements, values, properties, .. } = schema;
    let below = [elements, values].into_iter().flatten().map(|schema| &**schema);
    let mut below = below.chain(properties.iter().map(|property| &property.schema));
    *kind == Type::Path || below.any(takes_files)
}

/// What stands somewhere as JSON, if that is right.
fn value(spot: &Spot<'_>, schema: Option<&Schema>, notes: &mut Notes) -> Option<Value> {
    let Ok(value) = spot.node()?.value() else {
        notes.wrong(spot, "expected a value that JSON can have");
        return None;
    };
    let Some(schema) = schema else { return Some(value) };
    match schema.check(value) {
        Ok(value) => Some(value),
        Err(flaws) => {
            for flaw in flaws.listed() {
                let within = if flaw.argument.is_empty() { String::new() } else { format!("{}: ", flaw.argument) };
                notes.wrong(spot, format!("does not fit the type: {within}expected {}", flaw.expected));
            }
            None
        }
    }
}
