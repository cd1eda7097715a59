//! Reads values from text: from a query, a form, a path, a header field, a command line or the environment.

use serde_json::{Number, Value};

use super::{Schema, Type, check::Strictness, number};
use crate::{
    argument_error::{ArgumentError, ArgumentErrorKind, ArgumentErrors},
    json::{self, Budget},
};

impl Schema {
    /// Parses a text by the type and checks the value. For a list, a map, an object or any value, `null` means that no
    /// value is given.
    pub fn read_text(&self, text: &str) -> Result<Value, ArgumentErrors> {
        let mut errors = ArgumentErrors::default();
        let value = self.read_text_at(text, &mut String::new(), &mut Budget::default(), &mut errors);
        value.filter(|_| errors.is_empty()).ok_or(errors)
    }

    /// Parses the text at the path `at`; `None` if it is invalid.
    pub(crate) fn read_text_at(
        &self,
        text: &str,
        at: &mut String,
        budget: &mut Budget,
        errors: &mut ArgumentErrors,
    ) -> Option<Value> {
        // The description is a closure, since only the listed errors need it and there may be 100,000 errors.
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

    /// The choice that a text means: first by its text, then by its JSON value.
    fn choice(&self, text: &str) -> Option<&Value> {
        let choices = self.choices.as_ref()?;
        let exact = choices.iter().find(|choice| choice.as_str() == Some(text));
        exact.or_else(|| {
            let value = json::read_json(text.as_bytes(), &mut Budget::default()).ok()?;
            choices.iter().find(|choice| number::same(choice, &value))
        })
    }

    /// Whether a map may have this key. Keys remain strings, so a number without bounds may have any length.
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

/// A 64-bit whole number.
fn int(text: &str) -> Option<Number> {
    // An i128 holds every 64-bit number, whatever its leading zeros.
    let number = if is_int(text) { text.parse::<i128>().ok()? } else { return None };
    if number < i128::from(i64::MIN) || number > i128::from(u64::MAX) {
        return None;
    }
    Number::from_i128(number)
}

/// A JSON number, or a whole number in text form.
fn float(text: &str) -> Option<Number> {
    if text.starts_with(|first: char| first.is_ascii_whitespace())
        || text.ends_with(|last: char| last.is_ascii_whitespace())
    {
        return None;
    }
    match json::read_json(text.as_bytes(), &mut Budget::default()) {
        Ok(Value::Number(number)) => Some(number),
        Ok(_) | Err(_) => int(text),
    }
}
