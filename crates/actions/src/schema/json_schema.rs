//! Describes a schema as JSON Schema 2020-12. A value is valid for the description exactly if [`Schema::check`] accepts
//! it.

use serde_json::{Map, Value, json};

use super::{Schema, Type, check::Strictness, pattern::Pattern};

/// Base64 in one alphabet: blanks between the characters, padding or none, no spare bits in the last character.
macro_rules! base64_in {
    ($character:literal) => {
        concat!(
            r"(?:(?:",
            $character,
            r"[\t-\r ]*){4})*(?:",
            $character,
            r"[\t-\r ]*[AQgw][\t-\r ]*(?:=[\t-\r ]*=[\t-\r ]*)?|(?:",
            $character,
            r"[\t-\r ]*){2}[AEIMQUYcgkosw048][\t-\r ]*(?:=[\t-\r ]*)?)?"
        )
    };
}

/// Base64 as bandog accepts it: either alphabet, blanks anywhere, padding or none.
pub(super) const BASE64: &str =
    concat!(r"^[\t-\r ]*(?:", base64_in!("[A-Za-z0-9+/]"), "|", base64_in!("[A-Za-z0-9_-]"), ")$");

/// The text form of RFC 9562 §4.
const UUID: &str = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$";

/// A whole number as text, of any length.
const INT: &str = "^[-+]?[0-9]+$";

/// A number as text.
const FLOAT: &str = r"^(?:-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+)$";

/// Whether null may replace a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    /// It may not: null means no value, and one is required.
    Required,
    /// It may: null means no value.
    Optional,
    /// It may if it is a value in itself, as in a list of anything.
    Within,
}

/// The key and value that permit these values only. Programs that generate clients take an `enum` of strings or of
/// whole numbers, so others are alternatives, each with its type: some leave out an alternative without one.
fn one_of(choices: Vec<Value>) -> (&'static str, Value) {
    let is_whole = |value: &Value| value.is_i64() || value.is_u64();
    let all = |is_kind: &dyn Fn(&Value) -> bool| choices.iter().all(|choice| choice.is_null() || is_kind(choice));
    if all(&Value::is_string) || all(&is_whole) {
        return ("enum", choices.into());
    }
    let (texts, others): (Vec<_>, Vec<_>) = choices.into_iter().partition(Value::is_string);
    let (numbers, others): (Vec<_>, Vec<_>) = others.into_iter().partition(is_whole);
    let groups = [("string", texts), ("integer", numbers)].into_iter().filter(|(_, values)| !values.is_empty());
    let groups = groups.map(|(kind, values)| json!({"type": kind, "enum": values}));
    let single = others.into_iter().map(|value| match type_of(&value) {
        "null" => json!({"type": "null"}),
        kind => json!({"type": kind, "const": value}),
    });
    ("anyOf", groups.chain(single).collect())
}

/// The name of a value's type.
fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

impl Schema {
    /// For a required value.
    #[must_use]
    pub fn to_json_schema(&self) -> Value {
        self.described(Presence::Required, Strictness::Argument).into()
    }

    /// For an optional value, which may be null.
    #[must_use]
    pub fn to_nullable_json_schema(&self) -> Value {
        self.described(Presence::Optional, Strictness::Argument).into()
    }

    /// For a result: undeclared members are accepted, and files are paths.
    #[must_use]
    pub fn to_result_json_schema(&self) -> Value {
        self.described(Presence::Within, Strictness::Result).into()
    }

    fn described(&self, presence: Presence, strictness: Strictness) -> Map<String, Value> {
        let mut schema = Map::new();
        let mut set = |name: &str, value: Value| drop(schema.insert(name.to_owned(), value));
        let kind = match self.kind {
            Type::Int => Some("integer"),
            Type::Float => Some("number"),
            Type::String | Type::Uuid | Type::Path => Some("string"),
            Type::Boolean => Some("boolean"),
            Type::List => Some("array"),
            Type::Map | Type::Object => Some("object"),
            Type::Enum | Type::Any => None,
        };
        match (kind, presence) {
            (Some(kind), Presence::Optional) => set("type", json!([kind, "null"])),
            (Some(kind), Presence::Required | Presence::Within) => set("type", kind.into()),
            (None, Presence::Required) if self.choices.is_none() => {
                set("type", json!(["string", "number", "boolean", "array", "object"]));
            }
            (None, Presence::Required | Presence::Optional | Presence::Within) => {}
        }
        if let Some(choices) = &self.choices {
            let mut choices = choices.clone();
            match presence {
                Presence::Required => choices.retain(|choice| !choice.is_null()),
                Presence::Optional if !choices.contains(&Value::Null) => choices.push(Value::Null),
                Presence::Optional | Presence::Within => {}
            }
            let (key, value) = one_of(choices);
            set(key, value);
        }
        let (min, max) = self.bounds();
        if let Some(min) = min {
            set("minimum", min);
        }
        if let Some(max) = max {
            set("maximum", max);
        }
        let pattern = self.pattern.as_ref().and_then(Pattern::to_ecma_262).map(Value::from);
        match self.kind {
            Type::Uuid => {
                set("format", "uuid".into());
                set("pattern", UUID.into());
                // In some regex dialects `$` also matches before a final line break.
                set("minLength", 36.into());
                set("maxLength", 36.into());
                if let Some(pattern) = pattern {
                    set("allOf", json!([{ "pattern": pattern }]));
                }
            }
            Type::Path if strictness == Strictness::Argument => {
                set("contentEncoding", "base64".into());
                set("pattern", BASE64.into());
            }
            Type::List => {
                // Some programs that generate clients take no array without the key.
                let elements = self.elements.as_ref().map(|elements| elements.described(Presence::Within, strictness));
                set("items", elements.unwrap_or_default().into());
            }
            Type::Map => {
                if let Some(keys) = &self.keys {
                    set("propertyNames", keys.described_as_key());
                }
                if let Some(values) = &self.values {
                    set("additionalProperties", values.described(Presence::Within, strictness).into());
                }
            }
            Type::Object if !self.properties.is_empty() => self.describe_members(strictness, &mut schema),
            Type::Path | Type::Object => {}
            Type::Int | Type::Float | Type::String | Type::Boolean | Type::Enum | Type::Any => {
                if let Some(pattern) = pattern {
                    set("pattern", pattern);
                }
            }
        }
        schema
    }

    /// The bounds of a number.
    fn bounds(&self) -> (Option<Value>, Option<Value>) {
        let (least, most) = match self.kind {
            Type::Int => (Some(i64::MIN.into()), Some(u64::MAX.into())),
            Type::Float => (Some(f64::MIN.into()), Some(f64::MAX.into())),
            Type::String
            | Type::Boolean
            | Type::List
            | Type::Map
            | Type::Object
            | Type::Enum
            | Type::Any
            | Type::Uuid
            | Type::Path => (None, None),
        };
        let range = self.range.clone().unwrap_or_default();
        (range.min.map(Value::Number).or(least), range.max.map(Value::Number).or(most))
    }

    fn describe_members(&self, strictness: Strictness, schema: &mut Map<String, Value>) {
        let mut properties = Map::new();
        let mut required = Vec::new();
        for property in &self.properties {
            let presence = if property.required { Presence::Required } else { Presence::Optional };
            let mut described = property.schema.described(presence, strictness);
            if let Some(help) = &property.help {
                described.insert("description".to_owned(), help.as_str().into());
            }
            properties.insert(property.name.clone(), described.into());
            required.extend(property.required.then(|| Value::from(property.name.as_str())));
        }
        schema.insert("properties".to_owned(), properties.into());
        if !required.is_empty() {
            schema.insert("required".to_owned(), required.into());
        }
        if strictness == Strictness::Argument {
            schema.insert("additionalProperties".to_owned(), false.into());
        }
    }

    /// The schema of a map's keys. JSON Schema cannot express a range of numbers, or choices among them, for strings,
    /// so this accepts more than [`Schema::check`].
    fn described_as_key(&self) -> Value {
        let mut schema = Map::new();
        match self.kind {
            Type::Int => drop(schema.insert("pattern".to_owned(), INT.into())),
            Type::Float => drop(schema.insert("pattern".to_owned(), FLOAT.into())),
            Type::Boolean => drop(schema.insert("enum".to_owned(), json!(["true", "false"]))),
            Type::Uuid => schema = self.described(Presence::Within, Strictness::Argument),
            Type::String | Type::List | Type::Map | Type::Object | Type::Enum | Type::Any | Type::Path => {
                if let Some(choices) = &self.choices {
                    let names =
                        choices.iter().map(|choice| choice.as_str().map_or_else(|| choice.to_string(), str::to_owned));
                    schema.insert("enum".to_owned(), names.collect());
                }
                if let Some(pattern) = self.pattern.as_ref().and_then(Pattern::to_ecma_262) {
                    schema.insert("pattern".to_owned(), pattern.into());
                }
            }
        }
        schema.into()
    }
}
