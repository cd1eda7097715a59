//! A [`Schema`] as JSON Schema (2020-12, as OpenAPI 3.1 has it): what is taken as JSON, or promised of a result.

use regex_lite::Regex;
use serde_json::{Map, Value, json};

use crate::actions::{Property, Schema, Type};

/// Which way a value goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// What is sent: all that is checked.
    In,
    /// What comes back: it may hold more than is declared, and the file of a `path` is text like any other.
    Out,
}

/// The numbers that an `int` can be.
const LEAST: i64 = i64::MIN;
const MOST: u64 = u64::MAX;

/// Standard base64. More than that is taken, but this is what to send.
const BASE64: &str = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$";

/// What fits a schema, as JSON Schema.
pub(super) fn json_schema(schema: &Schema, way: Way) -> Value {
    let mut object = Map::new();
    let mut set = |name: &str, value: Value| {
        object.insert(name.to_owned(), value);
    };
    if let Some(name) = type_name(schema.kind) {
        set("type", name.into());
    }
    match schema.kind {
        Type::Int => {
            set("minimum", LEAST.into());
            set("maximum", MOST.into());
        }
        Type::Uuid => set("format", "uuid".into()),
        Type::Path if way == Way::In => {
            set("contentEncoding", "base64".into());
            set("pattern", BASE64.into());
        }
        Type::List => {
            if let Some(elements) = &schema.elements {
                set("items", json_schema(elements, way));
            }
        }
        Type::Map => {
            if let Some(keys) = schema.keys.as_deref().and_then(of_names) {
                set("propertyNames", keys);
            }
            if let Some(values) = &schema.values {
                set("additionalProperties", json_schema(values, way));
            }
        }
        Type::Object if !schema.properties.is_empty() => {
            let properties = schema.properties.iter().map(|property| (property.name.clone(), member(property, way)));
            set("properties", Value::Object(properties.collect()));
            let required: Vec<_> = schema.properties.iter().filter(|property| property.required).collect();
            if !required.is_empty() {
                set("required", required.iter().map(|property| property.name.as_str()).collect());
            }
            if way == Way::In {
                set("additionalProperties", false.into());
            }
        }
        Type::Float | Type::String | Type::Boolean | Type::Object | Type::Enum | Type::Any | Type::Path => {}
    }
    if let Some(choices) = &schema.choices {
        set("enum", choices.clone().into());
    }
    if let Some(range) = &schema.range {
        for (name, bound) in [("minimum", &range.min), ("maximum", &range.max)] {
            if let Some(bound) = bound {
                set(name, bound.clone().into());
            }
        }
    }
    if let Some(pattern) = schema.pattern.as_ref().filter(|_| schema.kind != Type::Path).and_then(ecma) {
        set("pattern", pattern.into());
    }
    Value::Object(object)
}

/// The type in JSON, if it has but one.
fn type_name(kind: Type) -> Option<&'static str> {
    match kind {
        Type::Int => Some("integer"),
        Type::Float => Some("number"),
        Type::String | Type::Uuid | Type::Path => Some("string"),
        Type::Boolean => Some("boolean"),
        Type::List => Some("array"),
        Type::Map | Type::Object => Some("object"),
        Type::Enum | Type::Any => None,
    }
}

/// A member of an object: null is as good as nothing, where nothing will do.
fn member(property: &Property, way: Way) -> Value {
    let schema = json_schema(&property.schema, way);
    let mut schema = if property.required { given(schema, &property.schema) } else { or_null(schema) };
    if let (Some(help), Some(schema)) = (&property.help, schema.as_object_mut()) {
        schema.insert("description".to_owned(), help.as_str().into());
    }
    schema
}

/// A schema that lets null through as well.
pub(super) fn or_null(schema: Value) -> Value {
    match &schema {
        // Whatever is taken anyway.
        Value::Object(object) if !object.contains_key("type") && !object.contains_key("enum") => schema,
        _ => json!({"anyOf": [schema, {"type": "null"}]}),
    }
}

/// A schema that does not let null through, which is the same as nothing.
pub(super) fn given(mut schema: Value, of: &Schema) -> Value {
    let is_open = matches!(of.kind, Type::Any | Type::Enum) && of.choices.is_none();
    if let (true, Some(object)) = (is_open, schema.as_object_mut()) {
        object.insert("type".to_owned(), json!(["string", "number", "boolean", "array", "object"]));
    }
    schema
}

/// What the keys of a map have to be, which are read as text; `None` where JSON Schema has no word for it.
fn of_names(keys: &Schema) -> Option<Value> {
    match keys.kind {
        Type::String | Type::Uuid => Some(json_schema(keys, Way::Out)),
        Type::Boolean => Some(json!({"enum": ["true", "false"]})),
        Type::Int => Some(json!({"pattern": "^[-+]?[0-9]+$"})),
        Type::Enum => keys.choices.as_deref().map(|choices| json!({"enum": texts(choices)})),
        Type::Float | Type::List | Type::Map | Type::Object | Type::Any | Type::Path => None,
    }
}

/// Choices as text.
pub(super) fn texts(choices: &[Value]) -> Vec<String> {
    choices.iter().map(|choice| choice.as_str().map_or_else(|| choice.to_string(), str::to_owned)).collect()
}

/// A pattern in the words of ECMA-262, in which JSON Schema has them; `None` if there are no such words.
///
/// The classes are spelled out, since many a reader takes them for those of Unicode.
fn ecma(pattern: &Regex) -> Option<String> {
    let mut spelled = String::new();
    let mut in_class = false;
    let mut letters = pattern.as_str().chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match (letters.next()?, in_class) {
                ('w', false) => spelled.push_str("[A-Za-z0-9_]"),
                ('W', false) => spelled.push_str("[^A-Za-z0-9_]"),
                ('d', false) => spelled.push_str("[0-9]"),
                ('D', false) => spelled.push_str("[^0-9]"),
                ('w', true) => spelled.push_str("A-Za-z0-9_"),
                ('d', true) => spelled.push_str("0-9"),
                ('s', true) => spelled.push_str(r"\t\n\v\f\r "),
                ('s', false) => spelled.push_str(r"[\t\n\v\f\r ]"),
                ('S', false) => spelled.push_str(r"[^\t\n\v\f\r ]"),
                ('A', false) => spelled.push('^'),
                ('z', false) => spelled.push('$'),
                // The ends of words are told apart by letters of ASCII in both.
                (other, _) if other.is_ascii_punctuation() || "bBnrtfv".contains(other) => {
                    spelled.push('\\');
                    spelled.push(other);
                }
                _ => return None,
            },
            '[' if in_class => return None,
            '[' => {
                in_class = true;
                spelled.push('[');
                // A bracket right at the beginning is one of the class.
                for first in ['^', ']'] {
                    if letters.next_if_eq(&first).is_some() {
                        spelled.push_str(if first == ']' { r"\]" } else { "^" });
                    }
                }
            }
            ']' => {
                in_class = false;
                spelled.push(']');
            }
            '(' if !in_class && letters.next_if_eq(&'?').is_some() => {
                // Flags and names are written in other ways.
                letters.next_if_eq(&':')?;
                spelled.push_str("(?:");
            }
            // There it takes no part of a character, and no line break.
            other => spelled.push(other),
        }
    }
    Some(spelled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::Range;

    fn of(kind: Type) -> Schema {
        Schema { kind, ..Schema::default() }
    }

    #[test]
    fn every_type_says_what_fits_it() {
        for (kind, wanted) in [
            (Type::Int, json!({"type": "integer", "minimum": i64::MIN, "maximum": u64::MAX})),
            (Type::Float, json!({"type": "number"})),
            (Type::String, json!({"type": "string"})),
            (Type::Boolean, json!({"type": "boolean"})),
            (Type::List, json!({"type": "array"})),
            (Type::Map, json!({"type": "object"})),
            (Type::Object, json!({"type": "object"})),
            (Type::Enum, json!({})),
            (Type::Any, json!({})),
            (Type::Uuid, json!({"type": "string", "format": "uuid"})),
            (Type::Path, json!({"type": "string", "contentEncoding": "base64", "pattern": BASE64})),
        ] {
            assert_eq!(json_schema(&of(kind), Way::In), wanted, "{kind:?}");
        }
        assert_eq!(json_schema(&of(Type::Path), Way::Out), json!({"type": "string"}));
    }

    #[test]
    fn bounds_choices_and_what_is_within_are_said_too() {
        let range = Range { min: Some(1.into()), max: None };
        let int = Schema { range: Some(range), ..of(Type::Int) };
        assert_eq!(json_schema(&int, Way::In), json!({"type": "integer", "minimum": 1, "maximum": u64::MAX}));
        let choices = Schema { choices: Some(vec![json!("a"), json!(3)]), ..of(Type::Enum) };
        assert_eq!(json_schema(&choices, Way::In), json!({"enum": ["a", 3]}));
        let list = Schema { elements: Some(Box::new(choices.clone())), ..of(Type::List) };
        assert_eq!(json_schema(&list, Way::In), json!({"type": "array", "items": {"enum": ["a", 3]}}));
        let map = Schema { keys: Some(Box::new(choices)), values: Some(Box::new(of(Type::Boolean))), ..of(Type::Map) };
        let wanted = json!({
            "type": "object",
            "propertyNames": {"enum": ["a", "3"]},
            "additionalProperties": {"type": "boolean"},
        });
        assert_eq!(json_schema(&map, Way::In), wanted);
    }

    #[test]
    fn members_may_be_null_where_they_may_be_left_out() {
        let property = |name: &str, kind, required| Property {
            name: name.to_owned(),
            schema: of(kind),
            required,
            help: Some("It.".to_owned()),
        };
        let properties = vec![
            property("a", Type::Boolean, true),
            property("b", Type::Boolean, false),
            property("c", Type::Any, true),
            property("d", Type::Any, false),
        ];
        let object = Schema { properties, ..of(Type::Object) };
        let schema = json_schema(&object, Way::In);
        assert_eq!(schema["required"], json!(["a", "c"]));
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(schema["properties"]["a"], json!({"type": "boolean", "description": "It."}));
        assert_eq!(
            schema["properties"]["b"],
            json!({"anyOf": [{"type": "boolean"}, {"type": "null"}], "description": "It."})
        );
        let types = schema["properties"]["c"]["type"].as_array().expect("types");
        assert!(!types.contains(&json!("null")), "{schema}");
        assert_eq!(schema["properties"]["d"], json!({"description": "It."}));
        assert!(json_schema(&object, Way::Out).get("additionalProperties").is_none(), "a result may hold more");
    }

    #[test]
    fn patterns_are_said_in_words_that_mean_the_same_to_everybody() {
        for (pattern, wanted) in [
            (r"^\w{1,3}-\d+$", Some("^[A-Za-z0-9_]{1,3}-[0-9]+$")),
            (r"[\w.-]\.\S", Some(r"[A-Za-z0-9_.-]\.[^\t\n\v\f\r ]")),
            (r"[^]x]", Some(r"[^\]x]")),
            (r"\A(?:a|b)\z", Some("^(?:a|b)$")),
            ("(?i)abc", None),
            ("(?P<a>b)", None),
            (r"[a\W]", None),
        ] {
            let regex = Regex::new(pattern).expect("a pattern");
            assert_eq!(ecma(&regex).as_deref(), wanted, "{pattern}");
        }
    }
}
