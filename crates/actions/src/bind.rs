//! Binds what a caller sent to the arguments of an action.
//!
//! Each argument is taken from its location, parsed if it came as text, checked against its schema, or replaced by its
//! default. All errors are found before anything is stored. The base64 content of `path` arguments is stored last.

use std::{borrow::Cow, io, path::PathBuf};

use serde_json::Value;

use crate::{
    action::{Action, Argument},
    argument_error::{ArgumentError, ArgumentErrorKind, ArgumentErrors},
    json::Budget,
    location::Location,
    schema::{Schema, Type, check::only},
};
use occurrence::{Occurrence, RawValue};
use value::further;

mod arguments;
mod content;
mod error;
mod input;
mod occurrence;
mod value;

pub use arguments::{Arguments, BoundArgument};
pub use error::BindError;
pub use input::{Body, FieldContent, FormField, Placement, TextArgument, TextSource};

impl Action {
    /// Binds the texts and the body of a call. `store` receives an argument's name and the content of a file, and
    /// returns the path of the stored file.
    ///
    /// A list may be given as JSON or one element at a time: `?tag=["a","b"]`, `?tag=a&tag=b`. A single text that does
    /// not begin with `[` is the only element of a list, so that `?tag=a` means the same wherever it comes from.
    ///
    /// # Errors
    ///
    /// All errors in what was sent, or a file that cannot be stored.
    pub fn bind(
        &self,
        placement: Placement,
        texts: &[TextArgument],
        body: Body,
        store: &mut dyn FnMut(&str, &[u8]) -> io::Result<PathBuf>,
    ) -> Result<Arguments, BindError> {
        let mut errors = ArgumentErrors::default();
        let mut given: Vec<Vec<Occurrence<'_>>> = self.arguments.iter().map(|_| Vec::new()).collect();
        let mut extras: Vec<Occurrence<'_>> = Vec::new();
        for text in texts.iter().filter(|text| text.source != TextSource::Header) {
            let one = Occurrence {
                name: Cow::Borrowed(&text.name),
                raw: RawValue::text(text.value.as_deref().map(Cow::Borrowed)),
                location: text.source.location(),
            };
            self.pick(one, placement, &mut given, &mut extras, &mut errors);
        }
        for one in self.in_body(body, placement, &mut errors) {
            self.pick(one, placement, &mut given, &mut extras, &mut errors);
        }
        for (argument, given) in self.arguments.iter().zip(&mut given) {
            if argument.location == Location::Header && (placement == Placement::Declared || given.is_empty()) {
                let fields = texts.iter().filter(|text| text.source == TextSource::Header);
                given.extend(fields.filter(|text| text.name.eq_ignore_ascii_case(&argument.name)).map(|text| {
                    Occurrence {
                        name: Cow::Borrowed(&argument.name),
                        raw: RawValue::text(text.value.as_deref().map(Cow::Borrowed)),
                        location: Some(Location::Header),
                    }
                }));
            }
        }
        let mut budget = Budget::default();
        let mut values = Vec::with_capacity(self.arguments.len());
        for (argument, given) in self.arguments.iter().zip(given) {
            values.push((argument, argument.check(given, placement, &mut budget, &mut errors)));
        }
        let extras = further(extras, &mut errors);
        if !errors.is_empty() {
            return Err(errors.into());
        }
        let mut arguments = Arguments::default();
        for (argument, value) in values {
            let value = match value {
                Some(value) => Some(value.stored(&argument.name, &argument.schema, store)?),
                None => argument.default.clone(),
            };
            if let Some(value) = value {
                arguments.push(BoundArgument { name: argument.name.clone(), value, location: argument.location });
            }
        }
        for (name, value, location) in extras {
            let value = value.stored(&name, &Schema::default(), store)?;
            arguments.push(BoundArgument { name, value, location });
        }
        Ok(arguments)
    }

    /// The argument that a raw body fills: the only argument of type `path`, if it may be in the body.
    #[must_use]
    pub fn file_argument(&self, placement: Placement) -> Option<&Argument> {
        let mut files = self.arguments.iter().filter(|argument| {
            argument.schema.kind == Type::Path && (placement == Placement::Any || argument.location == Location::Body)
        });
        files.next().filter(|_| files.next().is_none())
    }

    /// The values in the body.
    fn in_body<'a>(&self, body: Body, placement: Placement, errors: &mut ArgumentErrors) -> Vec<Occurrence<'a>> {
        let give = |name: String, raw| Occurrence { name: name.into(), raw, location: Some(Location::Body) };
        match body {
            Body::None => Vec::new(),
            Body::Object(members) => {
                members.into_iter().map(|(name, value)| give(name, RawValue::Value(value))).collect()
            }
            Body::Fields(fields) => fields
                .into_iter()
                .map(|FormField { name, content }| {
                    give(
                        name,
                        match content {
                            FieldContent::Text(text) => RawValue::text(text.map(Cow::Owned)),
                            FieldContent::File(path) => RawValue::File(path),
                        },
                    )
                })
                .collect(),
            Body::File(path) => {
                if let Some(argument) = self.file_argument(placement) {
                    return vec![give(argument.name.clone(), RawValue::File(path))];
                }
                errors.push(|| ArgumentError {
                    location: Some(Location::Body),
                    ..ArgumentError::new(
                        "",
                        ArgumentErrorKind::Unexpected,
                        None,
                        "a JSON object or a form that holds the arguments, since none of them alone can be the body",
                    )
                });
                Vec::new()
            }
        }
    }

    /// Assigns a value to its argument.
    fn pick<'a>(
        &self,
        one: Occurrence<'a>,
        placement: Placement,
        given: &mut [Vec<Occurrence<'a>>],
        extras: &mut Vec<Occurrence<'a>>,
        errors: &mut ArgumentErrors,
    ) {
        let at = self.arguments.iter().position(|argument| argument.name == one.name);
        let Some(at) = at else {
            if self.variadic {
                extras.push(one);
            } else if one.name.is_empty() {
                errors.push(|| ArgumentError {
                    value: None,
                    ..one.error(ArgumentErrorKind::Invalid, "a name for each value".to_owned())
                });
            } else {
                let names = self.arguments.iter().map(|argument| argument.name.as_str());
                errors.push(|| one.error(ArgumentErrorKind::Unexpected, only(names)));
            }
            return;
        };
        let location = self.arguments[at].location;
        if placement == Placement::Declared && one.location.is_some_and(|found| found != location) {
            errors.push(|| one.error(ArgumentErrorKind::Unexpected, format!("it in {}", location.in_words())));
        } else if !matches!(one.raw, RawValue::Value(Value::Null)) {
            given[at].push(one);
        }
    }
}

#[cfg(test)]
mod tests;
