//! The errors of a call's arguments or result. All errors are collected before the call is refused.

use std::fmt;

use serde_json::{Map, Value};

use crate::location::Location;

/// The number of errors that are listed; further ones are only counted. A list of a million wrong numbers is one
/// mistake.
pub const MAX_LISTED_ERRORS: usize = 100;

/// Characters of a value or a name that an error quotes.
const QUOTED: usize = 80;

/// An error in an argument.
#[derive(Debug, Clone, PartialEq)]
pub struct ArgumentError {
    /// The path to the value: `size.width`, `tags[3]`. Empty if the error concerns the input as a whole.
    pub argument: String,
    /// The location in the request, if the value came with a request.
    pub location: Option<Location>,
    /// The kind of error.
    pub kind: ArgumentErrorKind,
    /// The value given, if any; a long one is truncated.
    pub value: Option<Value>,
    /// The expected value: the end of a sentence that begins with "expected".
    pub expected: String,
}

/// The kind of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ArgumentErrorKind {
    /// A required value is absent.
    Missing,
    /// The value does not satisfy the schema.
    Invalid,
    /// No argument has this name, or it is in the wrong location.
    Unexpected,
    /// The value is given more than once.
    Repeated,
}

impl ArgumentErrorKind {
    /// The word for it in a problem document.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Invalid => "invalid",
            Self::Unexpected => "unexpected",
            Self::Repeated => "repeated",
        }
    }
}

impl ArgumentError {
    /// An error without a location in the request.
    #[must_use]
    pub fn new(argument: &str, kind: ArgumentErrorKind, value: Option<&Value>, expected: impl Into<String>) -> Self {
        Self {
            argument: argument.to_owned(),
            location: None,
            kind,
            value: value.map(quoted_value),
            expected: expected.into(),
        }
    }

    /// The error as an object of a problem document.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut members = Map::new();
        members.insert("argument".to_owned(), self.argument.as_str().into());
        if let Some(location) = self.location {
            members.insert("in".to_owned(), location.as_str().into());
        }
        members.insert("problem".to_owned(), self.kind.as_str().into());
        if let Some(value) = &self.value {
            members.insert("value".to_owned(), value.clone());
        }
        members.insert("detail".to_owned(), format!("expected {}", self.expected).into());
        Value::Object(members)
    }
}

impl fmt::Display for ArgumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.argument.is_empty() {
            match self.location {
                Some(Location::Body) => f.write_str("the body")?,
                Some(Location::Query) => f.write_str("the query")?,
                Some(Location::Path | Location::Header) | None => f.write_str("the value")?,
            }
        } else {
            write!(f, "`{}`", self.argument)?;
        }
        match (self.kind, &self.value) {
            (ArgumentErrorKind::Invalid, Some(value)) => write!(f, " is {value}")?,
            (kind, _) => write!(f, " is {}", kind.as_str())?,
        }
        write!(f, ", expected {}", self.expected)
    }
}

/// All errors, in the order of detection.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ArgumentErrors {
    listed: Vec<ArgumentError>,
    more: usize,
}

impl ArgumentErrors {
    /// A single error.
    #[must_use]
    pub fn one(error: ArgumentError) -> Self {
        Self { listed: vec![error], more: 0 }
    }

    /// Adds an error; beyond [`MAX_LISTED_ERRORS`] it is only counted.
    pub fn push(&mut self, error: impl FnOnce() -> ArgumentError) {
        if self.listed.len() < MAX_LISTED_ERRORS {
            self.listed.push(error());
        } else {
            self.more += 1;
        }
    }

    /// Adds all errors of `others`.
    pub fn append(&mut self, others: Self) {
        for error in others.listed {
            self.push(|| error);
        }
        self.more += others.more;
    }

    /// Whether there is no error.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    /// The number of errors, including those that are not listed.
    #[must_use]
    pub fn count(&self) -> usize {
        self.listed.len() + self.more
    }

    /// The first [`MAX_LISTED_ERRORS`] errors.
    #[must_use]
    pub fn listed(&self) -> &[ArgumentError] {
        &self.listed
    }

    /// Sets the location of the listed errors.
    pub(super) fn set_location(&mut self, location: Option<Location>) {
        for error in &mut self.listed {
            error.location = location;
        }
    }

    /// The errors as a list of a problem document.
    #[must_use]
    pub fn to_json(&self) -> Value {
        self.listed.iter().map(ArgumentError::to_json).collect()
    }
}

impl fmt::Display for ArgumentErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, error) in self.listed.iter().enumerate() {
            let between = if number > 0 { "; " } else { "" };
            write!(f, "{between}{error}")?;
        }
        if self.more > 0 { write!(f, "; and {} more", self.more) } else { Ok(()) }
    }
}

impl std::error::Error for ArgumentErrors {}

/// A value as errors quote it: whole if it is short, else the beginning of its JSON text.
fn quoted_value(value: &Value) -> Value {
    match value {
        Value::Number(number) if number.as_str().len() > QUOTED => shortened(number.as_str()).into(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        Value::String(text) => shortened(text).into(),
        Value::Array(_) | Value::Object(_) => match beginning(value) {
            Ok(()) => value.clone(),
            Err(begun) => shortened(&begun).into(),
        },
    }
}

/// Serializes a value up to the length that is quoted; the error is the beginning of a longer text.
fn beginning(value: &Value) -> Result<(), String> {
    struct Limited(Vec<u8>);
    impl std::io::Write for Limited {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.extend_from_slice(bytes);
            // A character has at most four bytes.
            if self.0.len() > QUOTED * 4 { Err(std::io::ErrorKind::WriteZero.into()) } else { Ok(bytes.len()) }
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut written = Limited(Vec::new());
    let whole = serde_json::to_writer(&mut written, value).is_ok();
    let text = String::from_utf8_lossy(&written.0);
    if whole && text.chars().count() <= QUOTED { Ok(()) } else { Err(text.into_owned()) }
}

/// The beginning of a text, if it is long.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(QUOTED) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
