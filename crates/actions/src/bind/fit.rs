//! What was given for one argument, made a value that fits.

use std::{borrow::Cow, io, path::PathBuf};

use serde_json::Value;

use super::{Given, Raw, Way, content};
use crate::{
    Argument, Flaw, FlawKind, Flaws, Location, Schema, Type,
    flaw::shortened,
    json::Budget,
    schema::{Strictness, element_at},
};

/// What is expected of bytes that are to be a text.
const NO_TEXT: &str = "text in UTF-8";

/// A value that fits.
#[derive(Debug)]
pub(super) enum Fit {
    /// A value, in which a file is base64, or on the command line a name.
    Content { value: Value, is_local: bool },
    /// A file that is there.
    File(PathBuf),
    /// Values that were given one by one.
    List(Vec<Fit>),
}

impl Fit {
    /// The value as the action gets it, with files by their paths.
    pub(super) fn stored(
        self,
        name: &str,
        schema: &Schema,
        store: &mut dyn FnMut(&str, &[u8]) -> io::Result<PathBuf>,
    ) -> io::Result<Value> {
        match self {
            Self::Content { value, is_local } => content::stored(value, schema, is_local, name, store),
            Self::File(path) => content::name(path),
            Self::List(fits) => {
                let any = Schema::default();
                let elements = schema.elements.as_deref().unwrap_or(&any);
                fits.into_iter().map(|fit| fit.stored(name, elements, store)).collect()
            }
        }
    }
}

impl Argument {
    /// Makes one value of all that was given; `None` if nothing was, or if something is wrong.
    pub(super) fn fit(
        &self,
        mut given: Vec<Given<'_>>,
        way: Way,
        budget: &mut Budget,
        flaws: &mut Flaws,
    ) -> Option<Fit> {
        let place = given.first().map(|one| one.place);
        let mut found = Flaws::default();
        let fit = match (given.len(), given.pop()) {
            (1, Some(one)) => self.one(one, budget, &mut found),
            (_, Some(last)) => {
                given.push(last);
                let apart = given.iter().any(|one| Some(one.place) != place || matches!(one.raw, Raw::Value(_)));
                if self.schema.kind != Type::List || apart {
                    let last = &given[given.len() - 1];
                    flaws.push(|| last.flaw(FlawKind::Repeated, "it once".to_owned()));
                    return None;
                }
                self.list(given, budget, &mut found)
            }
            (_, None) => None,
        };
        if fit.is_none() && found.is_empty() {
            if self.required && self.default.is_none() {
                let place = match way {
                    Way::Any => Location::Body,
                    Way::Declared => self.location,
                };
                let expected = self.schema.expected();
                flaws.push(|| Flaw { place: Some(place), ..Flaw::new(&self.name, FlawKind::Missing, None, expected) });
            }
            return None;
        }
        found.place(place.flatten());
        flaws.append(found);
        fit
    }

    /// What was given once; `None` without a flaw for null.
    fn one(&self, one: Given<'_>, budget: &mut Budget, flaws: &mut Flaws) -> Option<Fit> {
        let is_local = one.is_local();
        let at = &mut self.name.clone();
        match &one.raw {
            Raw::Text(text) if self.schema.kind == Type::List && !text.starts_with('[') && text != "null" => {
                return self.list(vec![one], budget, flaws);
            }
            Raw::File(_) if self.schema.kind == Type::List => return self.list(vec![one], budget, flaws),
            Raw::Text(_) | Raw::NoText | Raw::Value(_) | Raw::File(_) => {}
        }
        let value = match one.raw {
            Raw::Text(text) => self.schema.read_text_at(&text, at, budget, flaws)?,
            Raw::NoText => return no_text(at, flaws),
            Raw::Value(value) => self.schema.check_at(value, at, Strictness::Given, budget, flaws)?,
            Raw::File(path) => return file(path, &self.schema, at, flaws),
        };
        let is_given = !value.is_null() && content::check(&value, &self.schema, is_local, at, flaws);
        is_given.then_some(Fit::Content { value, is_local })
    }

    /// The elements of a list that were given one by one.
    fn list(&self, given: Vec<Given<'_>>, budget: &mut Budget, flaws: &mut Flaws) -> Option<Fit> {
        let any = Schema::default();
        let schema = self.schema.elements.as_deref().unwrap_or(&any);
        let mut elements = Some(Vec::with_capacity(given.len()));
        let at = &mut self.name.clone();
        for (number, one) in given.into_iter().enumerate() {
            let is_local = one.is_local();
            let element = element_at(at, number, |at| match one.raw {
                Raw::Text(text) => {
                    let value = schema.read_text_at(&text, at, budget, flaws)?;
                    if value.is_null() && schema.kind != Type::Any {
                        flaws.push(|| Flaw::new(at, FlawKind::Invalid, Some(&value), schema.expected()));
                        return None;
                    }
                    content::check(&value, schema, is_local, at, flaws).then_some(Fit::Content { value, is_local })
                }
                Raw::NoText => no_text(at, flaws),
                Raw::File(path) => file(path, schema, at, flaws),
                Raw::Value(_) => None,
            });
            match (&mut elements, element) {
                (Some(elements), Some(element)) => elements.push(element),
                (elements, None) => *elements = None,
                (None, Some(_)) => {}
            }
        }
        let elements = elements?;
        // What the list as a whole has to be is about its value, which files have no part in.
        if let Some(choices) = &self.schema.choices {
            let values = elements.iter().map(|fit| match fit {
                Fit::Content { value, .. } => value.clone(),
                Fit::File(_) | Fit::List(_) => Value::Null,
            });
            let value: Value = values.collect();
            if !choices.contains(&value) {
                flaws.push(|| Flaw::new(at, FlawKind::Invalid, Some(&value), self.schema.expected()));
                return None;
            }
        }
        Some(Fit::List(elements))
    }
}

/// What should be text, and is no UTF-8.
fn no_text(at: &str, flaws: &mut Flaws) -> Option<Fit> {
    flaws.push(|| Flaw::new(at, FlawKind::Invalid, None, NO_TEXT));
    None
}

/// A file where one is wanted, or anything.
fn file(path: PathBuf, schema: &Schema, at: &str, flaws: &mut Flaws) -> Option<Fit> {
    if matches!(schema.kind, Type::Path | Type::Any) {
        return Some(Fit::File(path));
    }
    flaws.push(|| Flaw::new(at, FlawKind::Unexpected, None, format!("{}, and no file", schema.expected())));
    None
}

/// Arguments that nobody has declared, as they came: text stays text.
pub(super) fn further(extras: Vec<Given<'_>>, flaws: &mut Flaws) -> Vec<(String, Fit, Location)> {
    let mut fits: Vec<(String, Fit, Location)> = Vec::with_capacity(extras.len());
    let mut names = std::collections::HashSet::new();
    for one in extras {
        if matches!(one.raw, Raw::Value(Value::Null)) {
            continue;
        }
        if !names.insert(one.name.clone().into_owned()) {
            flaws.push(|| one.flaw(FlawKind::Repeated, "it once".to_owned()));
            continue;
        }
        let fit = match one.raw {
            Raw::NoText => {
                flaws.push(|| one.flaw(FlawKind::Invalid, NO_TEXT.to_owned()));
                continue;
            }
            Raw::Text(text) => Fit::Content { value: Cow::into_owned(text).into(), is_local: false },
            Raw::Value(value) => Fit::Content { value, is_local: false },
            Raw::File(path) => Fit::File(path),
        };
        fits.push((one.name.into_owned(), fit, one.place.unwrap_or(Location::Body)));
    }
    fits
}

impl Given<'_> {
    /// Whether it is from the command line, where files are named.
    fn is_local(&self) -> bool {
        self.place.is_none()
    }

    /// What is wrong with it as a whole.
    pub(super) fn flaw(&self, kind: FlawKind, expected: String) -> Flaw {
        let value = match &self.raw {
            Raw::Text(text) => Some(Value::from(text.as_ref())),
            Raw::Value(value) => Some(value.clone()),
            Raw::NoText | Raw::File(_) => None,
        };
        Flaw { place: self.place, ..Flaw::new(&shortened(&self.name), kind, value.as_ref(), expected) }
    }
}
