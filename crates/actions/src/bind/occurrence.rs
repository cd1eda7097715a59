//! O

use std::{borrow::Cow, path::PathBuf};

use serde_json::Value;

use crate::{
    argument_error::{ArgumentError, ArgumentErrorKind, shortened},
    location::Location,
};

/// A value as it came.
#[derive(Debug)]
pub(super) enum RawValue<'a> {
    /// To be read.
    Text(Cow<'a, str>),
    /// What should be text, and is no UTF-8.
    NoText,
    /// As JSON has it.
    Value(Value),
    /// A file that is there.
    File(PathBuf),
}

impl<'a> RawValue<'a> {
    pub(super) fn text(text: Option<Cow<'a, str>>) -> Self {
        text.map_or(Self::NoText, Self::Text)
    }
}

/// One giving of an argument.
#[derive(Debug)]
pub(super) struct Occurrence<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) raw: RawValue<'a>,
    /// Where it was, if in a request.
    pub(super) location: Option<Location>,
}

impl Occurrence<'_> {
    /// Whether it is from the command line, where files are named.
    pub(super) fn is_local(&self) -> bool {
        self.location.is_none()
    }

    /// What is wrong with it as a whole.
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
