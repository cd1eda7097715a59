//! Compares numbers by value, not by representation: 5 equals 5.0, 2⁶³ differs from 2⁶³ + 1.

use std::cmp::Ordering;

use serde_json::{Number, Value};

/// Compares two numbers exactly.
pub(super) fn compare(left: &Number, right: &Number) -> Ordering {
    match (integer(left), integer(right)) {
        (Some(left), Some(right)) => left.cmp(&right),
        (Some(left), None) => with_fraction(left, right.as_f64().unwrap_or_default()),
        (None, Some(right)) => with_fraction(right, left.as_f64().unwrap_or_default()).reverse(),
        // JSON has no NaN.
        (None, None) => left.as_f64().partial_cmp(&right.as_f64()).unwrap_or(Ordering::Equal),
    }
}

/// The number as an integer, if it is whole and within -2⁶³ … 2⁶⁴ - 1.
pub(super) fn whole(number: &Number) -> Option<Number> {
    if let Some(integer) = integer(number) {
        return Number::from_i128(integer);
    }
    let float = number.as_f64().filter(|float| float.fract() == 0.0 && in_bounds(*float))?;
    #[expect(clippy::cast_possible_truncation, reason = "it has no fraction and is in bounds")]
    let integer = float as i128;
    Number::from_i128(integer)
}

/// Equality as JSON Schema defines it: numbers by value, objects regardless of order.
pub(super) fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => compare(left, right) == Ordering::Equal,
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(name, left)| right.get(name).is_some_and(|right| same(left, right)))
        }
        (left, right) => left == right,
    }
}

/// The integer of a number that is represented as one.
fn integer(number: &Number) -> Option<i128> {
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
}

/// Whether a float is within the range of 64-bit integers.
fn in_bounds(float: f64) -> bool {
    // Both are powers of two, so they are exact. The least integer itself never arrives as a float, but slightly
    // smaller numbers do, rounded to it.
    const LEAST: f64 = -9_223_372_036_854_775_808.0;
    const BEYOND: f64 = 18_446_744_073_709_551_616.0;
    LEAST < float && float < BEYOND
}

/// Compares a 64-bit integer with a float.
fn with_fraction(integer: i128, float: f64) -> Ordering {
    if !in_bounds(float) {
        return if float < 0.0 { Ordering::Greater } else { Ordering::Less };
    }
    #[expect(clippy::cast_possible_truncation, reason = "it is in bounds")]
    let floor = float.floor() as i128;
    integer.cmp(&floor).then_with(|| if float.fract() == 0.0 { Ordering::Equal } else { Ordering::Less })
}
