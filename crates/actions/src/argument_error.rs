//! What is wrong with what was given, all of it at once.

use std::fmt;

use serde_json::{Map, Value};

use crate::location::Location;

/// ArgumentErrors that are listed. Of further ones there is only the number: a list of a million wrong numbers is one mistake.
pub const MAX_LISTED_ERRORS: usize = 100;

/// Characters of a value, or of a name, that a error quotes.
const QUOTED: usize = 80;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct ArgumentError {
    /// The whole way to it: `size.width`, `tags[3]`; empty for what is given as a whole.
    pub argument: String,
    /// Where it is in the request, if it is in one.
    pub location: Option<Location>,
    /// In which way it is wrong.
    pub kind: ArgumentErrorKind,
    /// What was given, if anything was; text that is cut where it is long.
    pub value: Option<Value>,
    /// What was expected: the end of a sentence that begins with it.
    pub expected: String,
}

/// In which way something is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ArgumentErrorKind {
    /// It has to be there.
    Missing,
    /// It is not what it has to be.
    Invalid,
    /// There is nothing of that name.
    Unexpected,
    /// It is given more than once.
    Repeated,
}

impl ArgumentErrorKind {
    /// The word for it.
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
    /// Something of this name or placement, which is not in a request yet.
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

    /// As a problem document lists it.
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
                Some(Location::Path | Location::Header) | None => f.write_str("the whole")?,
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

/// All that is wrong, in the order found.
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

    /// Adds one; beyond [`MAX_LISTED_ERRORS`] it is only counted.
    pub fn push(&mut self, error: impl FnOnce() -> ArgumentError) {
        if self.listed.len() < MAX_LISTED_ERRORS {
            self.listed.push(error());
        } else {
            self.more += 1;
        }
    }

    /// Adds all of `others`.
    pub fn append(&mut self, others: Self) {
        for error in others.listed {
            self.push(|| error);
        }
        self.more += others.more;
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    /// How many there are, with those that are not listed.
    #[must_use]
    pub fn count(&self) -> usize {
        self.listed.len() + self.more
    }

    /// The first [`MAX_LISTED_ERRORS`].
    #[must_use]
    pub fn listed(&self) -> &[ArgumentError] {
        &self.listed
    }

    /// Those that are listed, to say where they are.
    pub(super) fn set_location(&mut self, location: Option<Location>) {
        for error in &mut self.listed {
            error.location = location;
        }
    }

    /// As a problem document lists them.
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

/// A value as a error quotes it: itself if it is short, else the beginning of its text.
fn quoted_value(value: &Value) -> Value {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        Value::String(text) => shortened(text).into(),
        Value::Array(_) | Value::Object(_) => match beginning(value) {
            Ok(()) => value.clone(),
            Err(begun) => shortened(&begun).into(),
        },
    }
}

/// Writes a value as JSON as far as it is quoted; an error is the beginning of what is longer.
fn beginning(value: &Value) -> Result<(), String> {
    struct Limited(Vec<u8>);
    impl std::io::Write for Limited {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.extend_from_slice(bytes);
            // A character has up to four bytes.
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

/// The beginning of a text that is long.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(QUOTED) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
