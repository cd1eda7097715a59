//! The schema of a value: its type, and the rules that narrow it. The submodules check values, read them from text, and
//! describe the schema as JSON Schema.

use serde_json::{Number, Value};

pub(crate) mod check;
mod json_schema;
pub(crate) mod number;
mod pattern;
mod text;

pub use pattern::Pattern;

/// The schema of a value.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    /// The type.
    pub kind: Type,
    /// For a string: a pattern that must match somewhere. `\d`, `\w` and `\s` are ASCII classes, as in ECMA-262.
    pub pattern: Option<Pattern>,
    /// The permitted values, whatever the type; `None` permits all.
    pub choices: Option<Vec<Value>>,
    /// The range of a number.
    pub range: Option<Range>,
    /// The schema of a list's elements.
    pub elements: Option<Box<Schema>>,
    /// The schema of a map's keys, which are read as text.
    pub keys: Option<Box<Schema>>,
    /// The schema of a map's values.
    pub values: Option<Box<Schema>>,
    /// The members of an object. If there are none, the object may have any members.
    pub properties: Vec<Property>,
}

/// A member of an object.
#[derive(Debug, Clone)]
pub struct Property {
    /// Its name.
    pub name: String,
    /// The schema of its value.
    pub schema: Schema,
    /// Whether it must be present.
    pub required: bool,
    /// A description for people.
    pub help: Option<String>,
}

/// Inclusive bounds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Range {
    /// The lower bound.
    pub min: Option<Number>,
    /// The upper bound.
    pub max: Option<Number>,
}

/// The type of a value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Type {
    /// A whole number, from -2⁶³ to 2⁶⁴ - 1.
    Int,
    /// A number (`float`, `number`).
    Float,
    /// A string.
    String,
    /// A boolean.
    Boolean,
    /// A list of values of one schema.
    List,
    /// An object with any keys, whose values have one schema.
    Map,
    /// An object with declared members.
    Object,
    /// One of the choices.
    Enum,
    /// Any value.
    #[default]
    Any,
    /// A UUID as a string (RFC 9562 §4).
    Uuid,
    /// A file: callers send its content, actions get its path.
    Path,
}

impl Type {
    /// All types.
    pub const ALL: [Self; 11] = [
        Self::Int,
        Self::Float,
        Self::String,
        Self::Boolean,
        Self::List,
        Self::Map,
        Self::Object,
        Self::Enum,
        Self::Any,
        Self::Uuid,
        Self::Path,
    ];

    /// The name of the type in the file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Int => "int",
            Self::Float => "float",
            Self::String => "string",
            Self::Boolean => "boolean",
            Self::List => "list",
            Self::Map => "map",
            Self::Object => "object",
            Self::Enum => "enum",
            Self::Any => "any",
            Self::Uuid => "uuid",
            Self::Path => "path",
        }
    }
}

#[cfg(test)]
mod tests;
