//! Reads JSON that callers send, strictly and within bounds.
//!
//! A key that occurs twice in an object is an error, since parsers disagree which value counts. serde_json bounds the
//! depth (128), a [`Budget`] the number of values: a value can take fifty times the memory of its text.

use std::{borrow::Cow, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

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
    let value = Counted(budget).deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// Deserializes a value, and counts it and all values in it.
struct Counted<'a>(&'a mut Budget);

impl<'de> DeserializeSeed<'de> for Counted<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.0.spend().map_err(D::Error::custom)?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Counted<'_> {
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

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = elements.next_element_seed(Counted(self.0))? {
            list.push(element);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<Cow<'de, str>>()? {
            if object.contains_key(name.as_ref()) {
                return Err(A::Error::custom(format!("the key `{}` occurs twice", shortened(&name))));
            }
            let value = members.next_value_seed(Counted(self.0))?;
            object.insert(name.into_owned(), value);
        }
        Ok(object.into())
    }
}
