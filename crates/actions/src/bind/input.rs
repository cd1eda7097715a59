//! I

use std::path::PathBuf;

use serde_json::{Map, Value};

use crate::location::Location;

/// By which way an action is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// `/run/ACTION` and `bandog run`: any argument may be in the body or the query, whatever its place.
    Any,
    /// The action's own path: each argument is in its own place.
    Declared,
}

/// Where a text came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextSource {
    /// The query.
    Query,
    /// The path.
    Path,
    /// A header field. Those that are no argument's are nobody's business.
    Header,
    /// `-a name=value`.
    CommandLine,
}

impl TextSource {
    /// The place that is meant, if it is one in a request.
    pub(super) fn location(self) -> Option<Location> {
        match self {
            Self::Query => Some(Location::Query),
            Self::Path => Some(Location::Path),
            Self::Header => Some(Location::Header),
            Self::CommandLine => None,
        }
    }
}

/// An argument that came as text, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextArgument {
    /// Its name.
    pub name: String,
    /// Its value; none if that is no UTF-8.
    pub value: Option<String>,
    /// Where it was.
    pub source: TextSource,
}

/// What the body holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Body {
    /// Nothing.
    #[default]
    None,
    /// An object: its members are arguments.
    Object(Map<String, Value>),
    /// A form: its fields are arguments.
    Fields(Vec<FormField>),
    /// A file, which is the one argument of type `path`.
    File(PathBuf),
}

impl Body {
    /// Whether there are files in it, which have to be there as long as the arguments are used.
    #[must_use]
    pub fn has_files(&self) -> bool {
        match self {
            Self::None | Self::Object(_) => false,
            Self::Fields(fields) => fields.iter().any(|field| matches!(field.content, FieldContent::File(_))),
            Self::File(_) => true,
        }
    }
}

/// A field of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormField {
    /// Its name.
    pub name: String,
    /// What is in it.
    pub content: FieldContent,
}

/// What is in a field of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldContent {
    /// Text; none if it is no UTF-8.
    Text(Option<String>),
    /// A file, stored here.
    File(PathBuf),
}
