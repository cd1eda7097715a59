//! Checks a value against its schema.

use serde_json::{Map, Value};

use super::{Schema, Type, number, pattern::Pattern};
use crate::{
    argument_error::{ArgumentError, ArgumentErrorKind, ArgumentErrors, shortened},
    json::{Budget, BudgetExceeded},
};

/// The rules for undeclared members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strictness {
    /// An argument: an undeclared member is an error.
    Argument,
    /// A result: undeclared members are accepted.
    Result,
}

impl Schema {
    /// Checks a JSON value and returns it in its canonical form: 5.0 becomes 5 where a whole number is declared (any
    /// other number stays as it was written), a choice is written as in the file, members are in the declared order and without nulls.
    pub fn check(&self, value: Value) -> Result<Value, ArgumentErrors> {
        let mut errors = ArgumentErrors::default();
        let value = self.check_at(value, &mut String::new(), Strictness::Argument, &mut Budget::default(), &mut errors);
        value.filter(|_| errors.is_empty()).ok_or(errors)
    }

    /// Checks a result: like [`Schema::check`], but undeclared members are accepted.
    pub fn check_result(&self, value: Value) -> Result<Value, ArgumentErrors> {
        let mut errors = ArgumentErrors::default();
        let value = self.check_at(value, &mut String::new(), Strictness::Result, &mut Budget::default(), &mut errors);
        value.filter(|_| errors.is_empty()).ok_or(errors)
    }

    /// Checks the value at the path `at`; `None` if it is invalid.
    pub(crate) fn check_at(
        &self,
        value: Value,
        at: &mut String,
        strictness: Strictness,
        budget: &mut Budget,
        errors: &mut ArgumentErrors,
    ) -> Option<Value> {
        let value = match (self.kind, value) {
            (Type::Int, Value::Number(number)) => match number::whole(&number) {
                Some(whole) => Value::Number(whole),
                None => return self.refuse(&Value::Number(number), at, errors),
            },
            (Type::List, Value::Array(elements)) => self.check_elements(elements, at, strictness, budget, errors)?,
            (Type::Map, Value::Object(entries)) => self.check_entries(entries, at, strictness, budget, errors)?,
            (Type::Object, Value::Object(members)) => self.check_members(members, at, strictness, budget, errors)?,
            (Type::Uuid, Value::String(text)) if !is_uuid(&text) => {
                return self.refuse(&Value::String(text), at, errors);
            }
            (Type::Float, Value::Number(number)) if !number::is_float(&number) => {
                return self.refuse(&Value::Number(number), at, errors);
            }
            (Type::Float, value @ Value::Number(_))
            | (Type::String | Type::Uuid | Type::Path, value @ Value::String(_))
            | (Type::Boolean, value @ Value::Bool(_))
            | (Type::Enum | Type::Any, value) => value,
            (
                Type::Int
                | Type::Float
                | Type::String
                | Type::Boolean
                | Type::List
                | Type::Map
                | Type::Object
                | Type::Uuid
                | Type::Path,
                value,
            ) => return self.refuse(&value, at, errors),
        };
        let value = match &self.choices {
            None => value,
            Some(choices) => match choices.iter().find(|choice| number::same(choice, &value)) {
                Some(choice) => choice.clone(),
                None => return self.refuse(&value, at, errors),
            },
        };
        match self.fits(&value, budget) {
            Ok(true) => Some(value),
            Ok(false) => self.refuse(&value, at, errors),
            Err(BudgetExceeded) => {
                errors.push(|| ArgumentError::new(at, ArgumentErrorKind::Invalid, Some(&value), self.shorter()));
                None
            }
        }
    }

    /// Whether a number is in the range, or a string matches the pattern.
    fn fits(&self, value: &Value, budget: &mut Budget) -> Result<bool, BudgetExceeded> {
        Ok(match value {
            Value::Number(number) => self.range.as_ref().is_none_or(|range| {
                range.min.as_ref().is_none_or(|min| number::compare(min, number).is_le())
                    && range.max.as_ref().is_none_or(|max| number::compare(number, max).is_le())
            }),
            Value::String(text) if self.kind != Type::Path => {
                self.pattern.as_ref().map_or(Ok(true), |pattern| pattern.is_in(text, budget))?
            }
            Value::String(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => true,
        })
    }

    /// The expected length of strings that are too long to match against the pattern.
    fn shorter(&self) -> String {
        let longest = self.pattern.as_ref().map_or(0, Pattern::longest);
        format!("at most {longest} characters in all strings with this pattern, to bound the time of the check")
    }

    fn check_elements(
        &self,
        elements: Vec<Value>,
        at: &mut String,
        strictness: Strictness,
        budget: &mut Budget,
        errors: &mut ArgumentErrors,
    ) -> Option<Value> {
        let Some(schema) = &self.elements else { return Some(elements.into()) };
        let mut checked = Some(Vec::with_capacity(elements.len()));
        for (number, element) in elements.into_iter().enumerate() {
            let element = element_at(at, number, |at| schema.check_at(element, at, strictness, budget, errors));
            push(&mut checked, element);
        }
        checked.map(Value::Array)
    }

    fn check_entries(
        &self,
        entries: Map<String, Value>,
        at: &mut String,
        strictness: Strictness,
        budget: &mut Budget,
        errors: &mut ArgumentErrors,
    ) -> Option<Value> {
        let mut checked = Some(Map::new());
        for (key, value) in entries {
            let value = member_at(at, &key, |at| {
                if let Some(keys) = self.keys.as_ref().filter(|keys| !keys.takes_key(&key, budget)) {
                    let expected = || format!("a key that is {}", keys.expected());
                    errors.push(|| {
                        ArgumentError::new(at, ArgumentErrorKind::Invalid, Some(&key.as_str().into()), expected())
                    });
                    return None;
                }
                match &self.values {
                    Some(schema) => schema.check_at(value, at, strictness, budget, errors),
                    None => Some(value),
                }
            });
            push(&mut checked, value.map(|value| (key, value)));
        }
        checked.map(Value::Object)
    }

    fn check_members(
        &self,
        mut members: Map<String, Value>,
        at: &mut String,
        strictness: Strictness,
        budget: &mut Budget,
        errors: &mut ArgumentErrors,
    ) -> Option<Value> {
        if self.properties.is_empty() {
            return Some(members.into());
        }
        let mut checked = Some(Map::new());
        for property in &self.properties {
            // Constant time, at the price of the order of the undeclared members.
            match members.swap_remove(&property.name).filter(|value| !value.is_null()) {
                Some(value) => {
                    let value = member_at(at, &property.name, |at| {
                        property.schema.check_at(value, at, strictness, budget, errors)
                    });
                    push(&mut checked, value.map(|value| (property.name.clone(), value)));
                }
                None if property.required => {
                    member_at(at, &property.name, |at| {
                        errors.push(|| {
                            ArgumentError::new(at, ArgumentErrorKind::Missing, None, property.schema.expected())
                        });
                    });
                    checked = None;
                }
                None => {}
            }
        }
        match strictness {
            Strictness::Result => {
                if let Some(checked) = &mut checked {
                    checked.extend(members);
                }
            }
            Strictness::Argument => {
                for (name, value) in &members {
                    member_at(at, name, |at| {
                        let names = self.properties.iter().map(|property| property.name.as_str());
                        errors.push(|| ArgumentError::new(at, ArgumentErrorKind::Unexpected, Some(value), only(names)));
                    });
                    checked = None;
                }
            }
        }
        checked.map(Value::Object)
    }

    fn refuse(&self, value: &Value, at: &str, errors: &mut ArgumentErrors) -> Option<Value> {
        errors.push(|| ArgumentError::new(at, ArgumentErrorKind::Invalid, Some(value), self.expected()));
        None
    }

    /// A description of the schema, for error messages.
    #[must_use]
    pub fn expected(&self) -> String {
        let mut expected = match (self.kind, &self.choices) {
            (_, Some(choices)) => {
                let listed = choices.iter().map(|choice| shortened(&choice.to_string())).collect::<Vec<_>>();
                return format!("one of {}", shortened_list(&listed));
            }
            (Type::Int, None) => "a whole number".to_owned(),
            (Type::Float, None) => "a number".to_owned(),
            (Type::String, None) => "a string".to_owned(),
            (Type::Boolean, None) => "true or false".to_owned(),
            (Type::List, None) => "a list".to_owned(),
            (Type::Map | Type::Object, None) => "an object".to_owned(),
            (Type::Enum | Type::Any, None) => "a value".to_owned(),
            (Type::Uuid, None) => "a UUID".to_owned(),
            (Type::Path, None) => "a file, or its content in base64".to_owned(),
        };
        if let Some(range) = &self.range {
            let range = match (&range.min, &range.max) {
                (Some(min), Some(max)) => format!(" from {min} to {max}"),
                (Some(min), None) => format!(" of at least {min}"),
                (None, Some(max)) => format!(" of at most {max}"),
                (None, None) => String::new(),
            };
            expected.push_str(&range);
        }
        if let Some(pattern) = self.pattern.as_ref().filter(|_| self.kind != Type::Path) {
            expected.push_str(" with the pattern ");
            expected.push_str(&shortened(pattern.as_str()));
        }
        expected
    }
}

/// Runs `f` with the path extended by the number of an element.
pub(crate) fn element_at<T>(at: &mut String, number: usize, f: impl FnOnce(&mut String) -> T) -> T {
    let length = at.len();
    at.extend(["[", &number.to_string(), "]"]);
    let result = f(at);
    at.truncate(length);
    result
}

/// Runs `f` with the path extended by the name of a member.
pub(crate) fn member_at<T>(at: &mut String, name: &str, f: impl FnOnce(&mut String) -> T) -> T {
    let length = at.len();
    if length > 0 {
        at.push('.');
    }
    at.push_str(&shortened(name));
    let result = f(at);
    at.truncate(length);
    result
}

/// Adds a valid element, or gives up the collection if the element is invalid.
fn push<C: Extend<T>, T>(all: &mut Option<C>, one: Option<T>) {
    match (&mut *all, one) {
        (Some(right), Some(one)) => right.extend([one]),
        (_, None) => *all = None,
        (None, Some(_)) => {}
    }
}

/// The permitted names, for error messages.
pub(crate) fn only<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
    match names.as_slice() {
        [] => "nothing".to_owned(),
        [name] => format!("only {name}"),
        names => format!("only {}", shortened_list(names)),
    }
}

/// A list as a phrase, truncated if it is long.
fn shortened_list(items: &[String]) -> String {
    const LISTED: usize = 20;
    let listed = items[..items.len().min(LISTED)].join(", ");
    if items.len() > LISTED { format!("{listed}, …") } else { listed }
}

/// The text form of RFC 9562 §4, in either case.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}
