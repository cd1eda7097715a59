//! What a value has to be.

use serde_json::{Number, Value};

pub(crate) mod check;
mod json_schema;
mod number;
mod pattern;
mod text;

pub use pattern::Pattern;

/// What a value has to be.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    /// Its type.
    pub kind: Type,
    /// Of a text: what has to be found somewhere in it. `\d`, `\w` and `\s` are of ASCII, as in ECMA-262.
    pub pattern: Option<Pattern>,
    /// The values that are allowed, whatever their type; `None` for all.
    pub choices: Option<Vec<Value>>,
    /// Of a number.
    pub range: Option<Range>,
    /// Of a list: what each element has to be.
    pub elements: Option<Box<Schema>>,
    /// Of a map: what each key has to be, read as text.
    pub keys: Option<Box<Schema>>,
    /// Of a map: what each value has to be.
    pub values: Option<Box<Schema>>,
    /// Of an object: what has to be in it. Without any, whatever is in it is let through.
    pub properties: Vec<Property>,
}

/// A member of an object.
#[derive(Debug, Clone)]
pub struct Property {
    /// Its name.
    pub name: String,
    /// What it has to be.
    pub schema: Schema,
    /// It must be there.
    pub required: bool,
    /// What it is for.
    pub help: Option<String>,
}

/// Bounds that belong to what is allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Range {
    /// The least.
    pub min: Option<Number>,
    /// The most.
    pub max: Option<Number>,
}

/// The type of a value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Type {
    /// A whole number, from -2⁶³ to 2⁶⁴ - 1.
    Int,
    /// A number (`float`, `number`).
    Float,
    /// A text.
    String,
    /// True or false.
    Boolean,
    /// A sequence of values.
    List,
    /// Names with values of one kind.
    Map,
    /// Names with values of their own kinds.
    Object,
    /// One of the choices.
    Enum,
    /// Anything.
    #[default]
    Any,
    /// A UUID as text (RFC 9562 §4).
    Uuid,
    /// A file: its content as it is sent, its path for who does the action.
    Path,
}

impl Type {
    /// All of them.
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

    /// As in the file.
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
