//! Checks the values given for one argument, and combines them into one.

use std::{borrow::Cow, io, path::PathBuf};

use serde_json::Value;

use super::{
    content,
    input::Placement,
    occurrence::{Occurrence, RawValue},
};
use crate::{
    action::Argument,
    argument_error::{ArgumentError, ArgumentErrorKind, ArgumentErrors},
    json::Budget,
    location::Location,
    schema::{
        Schema, Type,
        check::{Strictness, element_at},
        number,
    },
};

/// The expected value where the bytes are not UTF-8.
const NO_TEXT: &str = "text in UTF-8";

/// A value that satisfies its schema, with files not stored yet.
#[derive(Debug)]
pub(super) enum CheckedValue {
    /// A value in which files are base64, or names if it comes from the command line.
    Content { value: Value, is_local: bool },
    /// The path of a stored file.
    File(PathBuf),
    /// Elements that were given one at a time.
    List(Vec<CheckedValue>),
}

impl CheckedValue {
    /// The value as the action gets it, with files replaced by their paths.
    pub(super) fn stored(
        self,
        name: &str,
        schema: &Schema,
        store: &mut dyn FnMut(&str, &[u8]) -> io::Result<PathBuf>,
    ) -> io::Result<Value> {
        match self {
            Self::Content { value, is_local } => content::stored(value, schema, is_local, name, store),
            Self::File(path) => content::path_value(path),
            Self::List(fits) => {
                let any = Schema::default();
                let elements = schema.elements.as_deref().unwrap_or(&any);
                fits.into_iter().map(|fit| fit.stored(name, elements, store)).collect()
            }
        }
    }
}

impl Argument {
    /// Combines all values given for the argument; `None` if there is none or one is invalid.
    pub(super) fn check(
        &self,
        mut given: Vec<Occurrence<'_>>,
        placement: Placement,
        budget: &mut Budget,
        errors: &mut ArgumentErrors,
    ) -> Option<CheckedValue> {
        let location = given.first().map(|one| one.location);
        let mut found = ArgumentErrors::default();
        let fit = match (given.len(), given.pop()) {
            (1, Some(one)) => self.one(one, budget, &mut found),
            (_, Some(last)) => {
                given.push(last);
                let apart =
                    given.iter().any(|one| Some(one.location) != location || matches!(one.raw, RawValue::Value(_)));
                if self.schema.kind != Type::List || apart {
                    let last = &given[given.len() - 1];
                    errors.push(|| last.error(ArgumentErrorKind::Repeated, "it once".to_owned()));
                    return None;
                }
                self.list(given, budget, &mut found)
            }
            (_, None) => None,
        };
        if fit.is_none() && found.is_empty() {
            if self.required && self.default.is_none() {
                let location = match placement {
                    Placement::Any => Location::Body,
                    Placement::Declared => self.location,
                };
                let expected = self.schema.expected();
                errors.push(|| ArgumentError {
                    location: Some(location),
                    ..ArgumentError::new(&self.name, ArgumentErrorKind::Missing, None, expected)
                });
            }
            return None;
        }
        found.set_location(location.flatten());
        errors.append(found);
        fit
    }

    /// Checks a single value; `None` without an error for null.
    fn one(&self, one: Occurrence<'_>, budget: &mut Budget, errors: &mut ArgumentErrors) -> Option<CheckedValue> {
        let is_local = one.is_local();
        let at = &mut self.name.clone();
        match &one.raw {
            RawValue::Text(text) if self.schema.kind == Type::List && !text.starts_with('[') && text != "null" => {
                return self.list(vec![one], budget, errors);
            }
            RawValue::File(_) if self.schema.kind == Type::List => return self.list(vec![one], budget, errors),
            RawValue::Text(_) | RawValue::NoText | RawValue::Value(_) | RawValue::File(_) => {}
        }
        let value = match one.raw {
            RawValue::Text(text) => self.schema.read_text_at(&text, at, budget, errors)?,
            RawValue::NoText => return no_text(at, errors),
            RawValue::Value(value) => self.schema.check_at(value, at, Strictness::Argument, budget, errors)?,
            RawValue::File(path) => return file(path, &self.schema, at, errors),
        };
        let is_given = !value.is_null() && content::check(&value, &self.schema, is_local, at, errors);
        is_given.then_some(CheckedValue::Content { value, is_local })
    }

    /// Checks the elements of a list that were given one at a time.
    fn list(
        &self,
        given: Vec<Occurrence<'_>>,
        budget: &mut Budget,
        errors: &mut ArgumentErrors,
    ) -> Option<CheckedValue> {
        let any = Schema::default();
        let schema = self.schema.elements.as_deref().unwrap_or(&any);
        let mut elements = Some(Vec::with_capacity(given.len()));
        let at = &mut self.name.clone();
        for (number, one) in given.into_iter().enumerate() {
            let is_local = one.is_local();
            let element = element_at(at, number, |at| match one.raw {
                RawValue::Text(text) => {
                    let value = schema.read_text_at(&text, at, budget, errors)?;
                    if value.is_null() && schema.kind != Type::Any {
                        errors.push(|| {
                            ArgumentError::new(at, ArgumentErrorKind::Invalid, Some(&value), schema.expected())
                        });
                        return None;
                    }
                    content::check(&value, schema, is_local, at, errors)
                        .then_some(CheckedValue::Content { value, is_local })
                }
                RawValue::NoText => no_text(at, errors),
                RawValue::File(path) => file(path, schema, at, errors),
                RawValue::Value(_) => None,
            });
            match (&mut elements, element) {
                (Some(elements), Some(element)) => elements.push(element),
                (elements, None) => *elements = None,
                (None, Some(_)) => {}
            }
        }
        let elements = elements?;
        // The choices of a list apply to its value as a whole, in which files have no part.
        if let Some(choices) = &self.schema.choices {
            let values = elements.iter().map(|fit| match fit {
                CheckedValue::Content { value, .. } => value.clone(),
                CheckedValue::File(_) | CheckedValue::List(_) => Value::Null,
            });
            let value: Value = values.collect();
            if !choices.iter().any(|choice| number::same(choice, &value)) {
                errors
                    .push(|| ArgumentError::new(at, ArgumentErrorKind::Invalid, Some(&value), self.schema.expected()));
                return None;
            }
        }
        Some(CheckedValue::List(elements))
    }
}

/// Reports text that is not UTF-8.
fn no_text(at: &str, errors: &mut ArgumentErrors) -> Option<CheckedValue> {
    errors.push(|| ArgumentError::new(at, ArgumentErrorKind::Invalid, None, NO_TEXT));
    None
}

/// Accepts a file if the schema permits one.
fn file(path: PathBuf, schema: &Schema, at: &str, errors: &mut ArgumentErrors) -> Option<CheckedValue> {
    if matches!(schema.kind, Type::Path | Type::Any) {
        return Some(CheckedValue::File(path));
    }
    errors.push(|| {
        ArgumentError::new(at, ArgumentErrorKind::Unexpected, None, format!("{}, and no file", schema.expected()))
    });
    None
}

/// Undeclared arguments, unchecked: text remains a string.
pub(super) fn further(
    extras: Vec<Occurrence<'_>>,
    errors: &mut ArgumentErrors,
) -> Vec<(String, CheckedValue, Location)> {
    let mut fits: Vec<(String, CheckedValue, Location)> = Vec::with_capacity(extras.len());
    let mut names = std::collections::HashSet::new();
    for one in extras {
        if matches!(one.raw, RawValue::Value(Value::Null)) {
            continue;
        }
        if !names.insert(one.name.clone().into_owned()) {
            errors.push(|| one.error(ArgumentErrorKind::Repeated, "it once".to_owned()));
            continue;
        }
        let fit = match one.raw {
            RawValue::NoText => {
                errors.push(|| one.error(ArgumentErrorKind::Invalid, NO_TEXT.to_owned()));
                continue;
            }
            RawValue::Text(text) => CheckedValue::Content { value: Cow::into_owned(text).into(), is_local: false },
            RawValue::Value(value) => CheckedValue::Content { value, is_local: false },
            RawValue::File(path) => CheckedValue::File(path),
        };
        fits.push((one.name.into_owned(), fit, one.location.unwrap_or(Location::Body)));
    }
    fits
}
