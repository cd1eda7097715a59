//! The input of a call, before it is bound. The crate's users fill these types from a request or a command line.

use std::path::PathBuf;

use serde_json::{Map, Value};

use crate::location::Location;

/// Where the arguments of a call may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// A call of `/run/ACTION` or `bandog run`: any argument may be in the body or the query.
    Any,
    /// A call of the action's own path: each argument must be in its declared location.
    Declared,
}

/// The origin of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextSource {
    /// The query.
    Query,
    /// The path.
    Path,
    /// A header field. Fields that are not arguments are ignored.
    Header,
    /// `-a name=value`.
    CommandLine,
}

impl TextSource {
    /// The location in the request; `None` for the command line.
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
    /// Its value; `None` if it is not UTF-8.
    pub value: Option<String>,
    /// Its origin.
    pub source: TextSource,
}

/// The body of a call.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Body {
    /// No body.
    #[default]
    None,
    /// A JSON object whose members are arguments.
    Object(Map<String, Value>),
    /// A form whose fields are arguments.
    Fields(Vec<FormField>),
    /// A file, the value of the only argument of type `path`.
    File(PathBuf),
}

impl Body {
    /// Whether it holds files, which must exist as long as the arguments are used.
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
    /// Its content.
    pub content: FieldContent,
}

/// The content of a form field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldContent {
    /// Text; `None` if it is not UTF-8.
    Text(Option<String>),
    /// The path of a stored file.
    File(PathBuf),
}
