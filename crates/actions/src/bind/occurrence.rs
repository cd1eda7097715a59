//! One value that a caller gave for an argument, not yet checked.

use std::{borrow::Cow, path::PathBuf};

use serde_json::Value;

use crate::{
    argument_error::{ArgumentError, ArgumentErrorKind, shortened},
    location::Location,
};

/// A value as it was sent.
#[derive(Debug)]
pub(super) enum RawValue<'a> {
    /// Text, to be parsed.
    Text(Cow<'a, str>),
    /// Text that is not UTF-8.
    NoText,
    /// A JSON value.
    Value(Value),
    /// The path of a stored file.
    File(PathBuf),
}

impl<'a> RawValue<'a> {
    pub(super) fn text(text: Option<Cow<'a, str>>) -> Self {
        text.map_or(Self::NoText, Self::Text)
    }
}

/// One value and the name it was sent under.
#[derive(Debug)]
pub(super) struct Occurrence<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) raw: RawValue<'a>,
    /// The location in the request; `None` for the command line.
    pub(super) location: Option<Location>,
}

impl Occurrence<'_> {
    /// Whether it comes from the command line, where files are given by name.
    pub(super) fn is_local(&self) -> bool {
        self.location.is_none()
    }

    /// An error about the value as a whole.
    pub(super) fn error(&self, kind: ArgumentErrorKind, expected: String) -> ArgumentError {
        let value = match &self.raw {
            RawValue::Text(text) => Some(Value::from(text.as_ref())),
            RawValue::Value(value) => Some(value.clone()),
            RawValue::NoText | RawValue::File(_) => None,
        };
        ArgumentError {
            location: self.location,
            ..ArgumentError::new(&shortened(&self.name), kind, value.as_ref(), expected)
        }
    }
}
