//! From what a caller has sent to arguments that fit.
//!
//! Each argument is picked from where it belongs, read if it came as text, held against its schema, or filled in; all
//! that is wrong is found before anything is stored. Content that came as base64 for a `path` argument is stored last.

use std::{borrow::Cow, io, path::PathBuf};

use serde_json::{Map, Value};

use super::{Action, Argument, Flaw, FlawKind, Flaws, Location, Schema, Type, json::Budget, schema::only};

mod arguments;
mod content;
mod fit;

pub use arguments::{Arguments, Bound};
use fit::further;

/// By which way an action is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// `/run/ACTION` and `bandog run`: any argument may be in the body or the query, whatever its place.
    Any,
    /// The action's own path: each argument is in its own place.
    Declared,
}

/// Where a text came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The query.
    Query,
    /// The path.
    Path,
    /// A header field. Those that are no argument's are nobody's business.
    Header,
    /// `-a name=value`.
    CommandLine,
}

impl Source {
    /// The place that is meant, if it is one in a request.
    fn place(self) -> Option<Location> {
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
pub struct Text {
    /// Its name.
    pub name: String,
    /// Its value; none if that is no UTF-8.
    pub value: Option<String>,
    /// Where it was.
    pub source: Source,
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
    Fields(Vec<Field>),
    /// A file, which is the one argument of type `path`.
    File(PathBuf),
}

impl Body {
    /// Whether there are files in it, which have to be there as long as the arguments are used.
    #[must_use]
    pub fn has_files(&self) -> bool {
        match self {
            Self::None | Self::Object(_) => false,
            Self::Fields(fields) => fields.iter().any(|field| matches!(field.content, Content::File(_))),
            Self::File(_) => true,
        }
    }
}

/// A field of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// What is in it.
    pub content: Content,
}

/// What is in a field of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Text; none if it is no UTF-8.
    Text(Option<String>),
    /// A file, stored here.
    File(PathBuf),
}

/// Why there are no arguments.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// What was given is wrong.
    #[error(transparent)]
    Flaws(#[from] Flaws),
    /// The content of a `path` argument could not be stored.
    #[error("cannot store an argument: {0}")]
    Store(#[from] io::Error),
}

/// A value as it came.
#[derive(Debug)]
enum Raw<'a> {
    /// To be read.
    Text(Cow<'a, str>),
    /// What should be text, and is no UTF-8.
    NoText,
    /// As JSON has it.
    Value(Value),
    /// A file that is there.
    File(PathBuf),
}

impl<'a> Raw<'a> {
    fn text(text: Option<Cow<'a, str>>) -> Self {
        text.map_or(Self::NoText, Self::Text)
    }
}

/// One giving of an argument.
#[derive(Debug)]
struct Given<'a> {
    name: Cow<'a, str>,
    raw: Raw<'a>,
    /// Where it was, if in a request.
    place: Option<Location>,
}

impl Action {
    /// Makes arguments of what was sent. `store` takes the name of an argument and the content of a file, and says
    /// where it is from then on.
    ///
    /// A list may be given as JSON, or one value each: `?tag=["a","b"]`, `?tag=a&tag=b`. A single text that does not
    /// begin with `[` is the one element of a list, so that `?tag=a` means the same wherever the values come from.
    ///
    /// # Errors
    /// All that is wrong with what was sent; or a file cannot be stored.
    pub fn bind(
        &self,
        way: Way,
        texts: &[Text],
        body: Body,
        store: &mut dyn FnMut(&str, &[u8]) -> io::Result<PathBuf>,
    ) -> Result<Arguments, BindError> {
        let mut flaws = Flaws::default();
        let mut given: Vec<Vec<Given<'_>>> = self.arguments.iter().map(|_| Vec::new()).collect();
        let mut extras: Vec<Given<'_>> = Vec::new();
        for text in texts.iter().filter(|text| text.source != Source::Header) {
            let one = Given {
                name: Cow::Borrowed(&text.name),
                raw: Raw::text(text.value.as_deref().map(Cow::Borrowed)),
                place: text.source.place(),
            };
            self.pick(one, way, &mut given, &mut extras, &mut flaws);
        }
        for one in self.in_body(body, way, &mut flaws) {
            self.pick(one, way, &mut given, &mut extras, &mut flaws);
        }
        for (argument, given) in self.arguments.iter().zip(&mut given) {
            if argument.location == Location::Header && (way == Way::Declared || given.is_empty()) {
                let fields = texts.iter().filter(|text| text.source == Source::Header);
                given.extend(fields.filter(|text| text.name.eq_ignore_ascii_case(&argument.name)).map(|text| Given {
                    name: Cow::Borrowed(&argument.name),
                    raw: Raw::text(text.value.as_deref().map(Cow::Borrowed)),
                    place: Some(Location::Header),
                }));
            }
        }
        let mut budget = Budget::default();
        let mut fits = Vec::with_capacity(self.arguments.len());
        for (argument, given) in self.arguments.iter().zip(given) {
            fits.push((argument, argument.fit(given, way, &mut budget, &mut flaws)));
        }
        let extras = further(extras, &mut flaws);
        if !flaws.is_empty() {
            return Err(flaws.into());
        }
        let mut arguments = Arguments::default();
        for (argument, fit) in fits {
            let value = match fit {
                Some(fit) => Some(fit.stored(&argument.name, &argument.schema, store)?),
                None => argument.default.clone(),
            };
            if let Some(value) = value {
                arguments.push(Bound { name: argument.name.clone(), value, location: argument.location });
            }
        }
        for (name, fit, location) in extras {
            let value = fit.stored(&name, &Schema::default(), store)?;
            arguments.push(Bound { name, value, location });
        }
        Ok(arguments)
    }

    /// The argument that a whole body can be: the only file, if the way allows it to be there.
    #[must_use]
    pub fn file_argument(&self, way: Way) -> Option<&Argument> {
        let mut files = self.arguments.iter().filter(|argument| {
            argument.schema.kind == Type::Path && (way == Way::Any || argument.location == Location::Body)
        });
        files.next().filter(|_| files.next().is_none())
    }

    /// What the body gives.
    fn in_body<'a>(&self, body: Body, way: Way, flaws: &mut Flaws) -> Vec<Given<'a>> {
        let give = |name: String, raw| Given { name: name.into(), raw, place: Some(Location::Body) };
        match body {
            Body::None => Vec::new(),
            Body::Object(members) => members.into_iter().map(|(name, value)| give(name, Raw::Value(value))).collect(),
            Body::Fields(fields) => fields
                .into_iter()
                .map(|Field { name, content }| {
                    give(
                        name,
                        match content {
                            Content::Text(text) => Raw::text(text.map(Cow::Owned)),
                            Content::File(path) => Raw::File(path),
                        },
                    )
                })
                .collect(),
            Body::File(path) => {
                if let Some(argument) = self.file_argument(way) {
                    return vec![give(argument.name.clone(), Raw::File(path))];
                }
                flaws.push(|| Flaw {
                    place: Some(Location::Body),
                    ..Flaw::new(
                        "",
                        FlawKind::Unexpected,
                        None,
                        "a JSON object or a form with the arguments in it, since no single one is a file",
                    )
                });
                Vec::new()
            }
        }
    }

    /// Puts what was given where it belongs.
    fn pick<'a>(
        &self,
        one: Given<'a>,
        way: Way,
        given: &mut [Vec<Given<'a>>],
        extras: &mut Vec<Given<'a>>,
        flaws: &mut Flaws,
    ) {
        let at = self.arguments.iter().position(|argument| argument.name == one.name);
        let Some(at) = at else {
            if self.variadic {
                extras.push(one);
            } else if one.name.is_empty() {
                flaws.push(|| Flaw { value: None, ..one.flaw(FlawKind::Invalid, "a name for each value".to_owned()) });
            } else {
                let names = self.arguments.iter().map(|argument| argument.name.as_str());
                flaws.push(|| one.flaw(FlawKind::Unexpected, only(names)));
            }
            return;
        };
        let location = self.arguments[at].location;
        if way == Way::Declared && one.place.is_some_and(|place| place != location) {
            flaws.push(|| one.flaw(FlawKind::Unexpected, format!("it in {}", location.in_words())));
        } else if !matches!(one.raw, Raw::Value(Value::Null)) {
            given[at].push(one);
        }
    }
}

#[cfg(test)]
mod tests;
