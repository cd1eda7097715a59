//! A value that came as text: from a query, a form, a path, a header field, a command line or the environment.

use serde_json::{Number, Value};

use super::{Schema, Type, check::Strictness, number};
use crate::{
    argument_error::{ArgumentError, ArgumentErrorKind, ArgumentErrors},
    json::{self, Budget},
};

impl Schema {
    /// Reads a text as what is wanted, and holds it against this. Null, which is what `null` means where a list, a map,
    /// an object or anything is wanted, stands for nothing given.
    pub fn read_text(&self, text: &str) -> Result<Value, ArgumentErrors> {
        let mut errors = ArgumentErrors::default();
        let value = self.read_text_at(text, &mut String::new(), &mut Budget::default(), &mut errors);
        value.filter(|_| errors.is_empty()).ok_or(errors)
    }

    /// Reads the text at `at`; `None` if something is wrong with it.
    pub(crate) fn read_text_at(
        &self,
        text: &str,
        at: &mut String,
        budget: &mut Budget,
        errors: &mut ArgumentErrors,
    ) -> Option<Value> {
        // Put into words only where it is listed, as there may be a hundred thousand of them.
        let refuse = |errors: &mut ArgumentErrors, at: &str, expected: &dyn Fn() -> String| {
            errors.push(|| ArgumentError::new(at, ArgumentErrorKind::Invalid, Some(&text.into()), expected()));
            None
        };
        let expected = || self.expected();
        if budget.spend().is_err() {
            return refuse(errors, at, &|| format!("at most {} values", json::MAX_VALUES));
        }
        let value = match self.kind {
            Type::String | Type::Uuid | Type::Path => text.into(),
            Type::Int => match int(text) {
                Some(number) => Value::Number(number),
                None => return refuse(errors, at, &expected),
            },
            Type::Float => match float(text) {
                Some(number) => Value::Number(number),
                None => return refuse(errors, at, &expected),
            },
            Type::Boolean => match text {
                "true" => true.into(),
                "false" => false.into(),
                _ => return refuse(errors, at, &expected),
            },
            Type::Enum => match self.choice(text) {
                Some(choice) => return Some(choice.clone()),
                None if self.choices.is_some() => return refuse(errors, at, &expected),
                None => json::read_json(text.as_bytes(), budget).unwrap_or_else(|_| text.into()),
            },
            Type::Any => match json::read_json(text.as_bytes(), budget) {
                Ok(Value::Null) => return Some(Value::Null),
                Ok(value) => value,
                Err(_) => text.into(),
            },
            Type::List | Type::Map | Type::Object => match json::read_json(text.as_bytes(), budget) {
                Ok(Value::Null) => return Some(Value::Null),
                Ok(value) => value,
                Err(error) => return refuse(errors, at, &|| format!("{} as JSON ({error})", self.expected())),
            },
        };
        self.check_at(value, at, Strictness::Argument, budget, errors)
    }

    /// The choice that a text stands for: the text itself before what it means as JSON.
    fn choice(&self, text: &str) -> Option<&Value> {
        let choices = self.choices.as_ref()?;
        let exact = choices.iter().find(|choice| choice.as_str() == Some(text));
        exact.or_else(|| {
            let value = json::read_json(text.as_bytes(), &mut Budget::default()).ok()?;
            choices.iter().find(|choice| number::same(choice, &value))
        })
    }

    /// Whether a map may have this key. Keys stay texts, so that where there are no bounds a number may be of any
    /// length.
    pub(super) fn takes_key(&self, key: &str, budget: &mut Budget) -> bool {
        match self.kind {
            Type::Int if self.range.is_none() && self.choices.is_none() => is_int(key),
            Type::Int | Type::Float | Type::Boolean | Type::Uuid => self.read_text(key).is_ok(),
            Type::String | Type::List | Type::Map | Type::Object | Type::Enum | Type::Any | Type::Path => {
                let is_key = |choice: &Value| key == choice.as_str().map_or_else(|| choice.to_string(), str::to_owned);
                self.choices.as_ref().is_none_or(|choices| choices.iter().any(is_key))
                    && self.pattern.as_ref().is_none_or(|pattern| pattern.is_in(key, budget).unwrap_or(false))
            }
        }
    }
}

/// `^[-+]?\d+$`.
fn is_int(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// A whole number of 64 bits.
fn int(text: &str) -> Option<Number> {
    // What is longer than an i128 is no number of 64 bits, unless it begins with zeros.
    let number = if is_int(text) { text.parse::<i128>().ok()? } else { return None };
    if number < i128::from(i64::MIN) || number > i128::from(u64::MAX) {
        return None;
    }
    Number::from_i128(number)
}

/// A number as JSON has it, or a whole one as texts have it.
fn float(text: &str) -> Option<Number> {
    if text.starts_with(|first: char| first.is_ascii_whitespace())
        || text.ends_with(|last: char| last.is_ascii_whitespace())
    {
        return None;
    }
    serde_json::from_str(text).ok().or_else(|| int(text))
}
