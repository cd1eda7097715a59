//! Reads JSON that callers send, strictly and within bounds.
//!
//! A key that occurs twice in an object is an error, since parsers disagree which value counts. serde_json bounds the
//! depth (128), a [`Budget`] the number of values: a value can take fifty times the memory of its text.
//!
//! A number keeps its spelling: 1.10 has three digits, and 2¹²⁸ - 1 all of its 39. serde_json keeps the digits, but
//! rewrites exponents, and presents such a number as an object with a telling key, which a caller could send as well.
//! So the numbers are taken from the text, in which they come in the same order.

use std::{borrow::Cow, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::argument_error::shortened;

/// Values that the arguments of one call may have in total: numbers, strings, lists and so on. A call with more is
/// refused.
pub const MAX_VALUES: usize = 100_000;

/// The work that checking one call may still take.
#[derive(Debug)]
pub struct Budget {
    /// The number of values that may still be read.
    values: usize,
    /// The matching of patterns that remains, in the units of a pattern's cost.
    steps: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self::with_values(MAX_VALUES)
    }
}

impl Budget {
    /// The cost of all patterns of a call: about two seconds.
    pub(super) const STEPS: u64 = 1 << 32;

    /// A budget with another number of values.
    pub(super) fn with_values(values: usize) -> Self {
        Self { values, steps: Self::STEPS }
    }

    /// Takes one value from the budget.
    pub(super) fn spend(&mut self) -> Result<(), BudgetExceeded> {
        self.values = self.values.checked_sub(1).ok_or(BudgetExceeded)?;
        Ok(())
    }

    /// Takes the cost of a match from the budget.
    pub(super) fn spend_steps(&mut self, steps: u64) -> Result<(), BudgetExceeded> {
        self.steps = self.steps.checked_sub(steps).ok_or(BudgetExceeded)?;
        Ok(())
    }
}

/// The budget is used up.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("too many values")]
pub(super) struct BudgetExceeded;

/// Reads a single JSON value. The error has the reason and the position.
pub fn read_json(text: &[u8], budget: &mut Budget) -> Result<Value, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let mut tokens = Tokens { rest: text };
    let value = Counted { budget, tokens: &mut tokens }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// The beginnings of objects, and the numbers, of a JSON text in the order written. The text is checked by the
/// deserializer, which is never behind.
struct Tokens<'t> {
    rest: &'t [u8],
}

enum Token<'t> {
    Object,
    Number(&'t str),
}

impl<'t> Tokens<'t> {
    fn next(&mut self) -> Option<Token<'t>> {
        loop {
            let (&first, after) = self.rest.split_first()?;
            match first {
                b'"' => self.rest = after_string(after),
                b'{' => {
                    self.rest = after;
                    return Some(Token::Object);
                }
                b'-' | b'0'..=b'9' => {
                    let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-');
                    let length = self.rest.iter().take_while(|byte| is_part(byte)).count();
                    let (number, rest) = self.rest.split_at(length);
                    self.rest = rest;
                    return std::str::from_utf8(number).ok().map(Token::Number);
                }
                _ => self.rest = after,
            }
        }
    }

    fn number<E: Error>(&mut self) -> Result<Value, E> {
        match self.next() {
            Some(Token::Number(text)) => Ok(as_written(text)),
            Some(Token::Object) | None => Err(E::custom("a number that is not in the text")),
        }
    }
}

/// A number that keeps its spelling.
fn as_written(text: &str) -> Value {
    // The one constructor that keeps it. Parsing would rewrite the exponent.
    Value::Number(Number::from_string_unchecked(text.to_owned()))
}

/// The rest of a text behind the string that it begins in.
fn after_string(mut text: &[u8]) -> &[u8] {
    loop {
        text = match text {
            [b'"', after @ ..] => return after,
            [b'\\', _, after @ ..] | [_, after @ ..] => after,
            [] => return text,
        };
    }
}

/// Deserializes a value, and counts it and all values in it.
struct Counted<'a, 't> {
    budget: &'a mut Budget,
    tokens: &'a mut Tokens<'t>,
}

impl<'t> Counted<'_, 't> {
    fn again(&mut self) -> Counted<'_, 't> {
        Counted { budget: self.budget, tokens: self.tokens }
    }
}

impl<'de> DeserializeSeed<'de> for Counted<'_, '_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.budget.spend().map_err(D::Error::custom)?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Counted<'_, '_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Value, E> {
        self.tokens.number()
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Value, E> {
        self.tokens.number()
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Value, E> {
        self.tokens.number()
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = elements.next_element_seed(self.again())? {
            list.push(element);
        }
        Ok(list.into())
    }

    /// An object, or a number that fits no 64-bit integer.
    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<Value, A::Error> {
        if let Some(Token::Number(text)) = self.tokens.next() {
            return Ok(as_written(text));
        }
        let mut object = Map::new();
        while let Some(name) = members.next_key::<Cow<'de, str>>()? {
            if object.contains_key(name.as_ref()) {
                return Err(A::Error::custom(format!("the key `{}` occurs twice", shortened(&name))));
            }
            let value = members.next_value_seed(self.again())?;
            object.insert(name.into_owned(), value);
        }
        Ok(object.into())
    }
}

#[cfg(test)]
mod tests;
