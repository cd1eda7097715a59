//! Compares numbers by value, not by representation: 5 equals 5.0, 2⁶³ differs from 2⁶³ + 1, and 1e400 is a number.

use std::cmp::Ordering;

use serde_json::{Number, Value};

/// A number as decimal digits and the place of its point. Exact, since numbers are kept as they were written.
#[derive(Debug, Clone, Copy)]
struct Decimal<'a> {
    is_negative: bool,
    /// The digits before the point as written.
    whole: &'a [u8],
    /// The digits after it.
    fraction: &'a [u8],
    /// The number of digits before the point if there were no exponent and no leading zeros; less than 0 if zeros follow
    /// the point.
    magnitude: i64,
}

impl<'a> Decimal<'a> {
    /// Reads a number of JSON's grammar. `None` for zero.
    fn of(number: &'a Number) -> Option<Self> {
        let text = number.as_str().as_bytes();
        let (is_negative, text) = text.strip_prefix(b"-").map_or((false, text), |rest| (true, rest));
        let (digits, exponent) = split_at_byte(text, |byte| matches!(byte, b'e' | b'E'));
        let (whole, fraction) = split_at_byte(digits, |byte| byte == b'.');
        let zeros = whole.iter().chain(fraction).position(|digit| *digit != b'0')?;
        let magnitude = (length(whole.len()) - length(zeros)).saturating_add(exponent_of(exponent));
        Some(Self { is_negative, whole, fraction, magnitude })
    }

    /// The digits from the first to the last that is not zero.
    fn significant(&self) -> impl Iterator<Item = u8> {
        let is_zero = |digit: &&u8| **digit == b'0';
        let trailing = self.fraction.iter().rev().take_while(is_zero).count();
        let (mut whole, fraction) = (self.whole, &self.fraction[..self.fraction.len() - trailing]);
        if fraction.is_empty() {
            whole = &whole[..whole.len() - whole.iter().rev().take_while(is_zero).count()];
        }
        whole.iter().chain(fraction).copied().skip_while(|digit| *digit == b'0')
    }
}

/// The parts before and behind the first byte of that kind.
fn split_at_byte(text: &[u8], is_wanted: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    match text.iter().position(|byte| is_wanted(*byte)) {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, &[]),
    }
}

fn length(digits: usize) -> i64 {
    i64::try_from(digits).unwrap_or(i64::MAX)
}

/// The value of an exponent. One beyond 64 bits counts as the greatest or the least.
fn exponent_of(text: &[u8]) -> i64 {
    let (is_negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    let value = digits.iter().fold(0_i64, |sum, digit| sum.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
    if is_negative { -value } else { value }
}

/// Compares two numbers exactly.
pub(crate) fn compare(left: &Number, right: &Number) -> Ordering {
    let sign = |decimal: &Option<Decimal<'_>>| decimal.map_or(0, |decimal| if decimal.is_negative { -1 } else { 1 });
    let (left, right) = (Decimal::of(left), Decimal::of(right));
    sign(&left).cmp(&sign(&right)).then_with(|| {
        let (Some(left), Some(right)) = (left, right) else { return Ordering::Equal };
        let larger = left.magnitude.cmp(&right.magnitude).then_with(|| left.significant().cmp(right.significant()));
        if left.is_negative { larger.reverse() } else { larger }
    })
}

/// The number as an integer, if it is whole and within -2⁶³ … 2⁶⁴ - 1.
pub(super) fn whole(number: &Number) -> Option<Number> {
    /// Digits of 2⁶⁴ - 1.
    const MOST: usize = 20;
    let Some(decimal) = Decimal::of(number) else { return Some(0.into()) };
    let size = usize::try_from(decimal.magnitude).ok().filter(|size| *size <= MOST)?;
    let mut digits = decimal.significant();
    let leading = (0..size).fold(0_i128, |sum, _| sum * 10 + i128::from(digits.next().unwrap_or(b'0') - b'0'));
    let integer = if decimal.is_negative { -leading } else { leading };
    let is_in_bounds = (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&integer);
    // A digit that is left is one behind the point.
    if digits.next().is_none() && is_in_bounds { Number::from_i128(integer) } else { None }
}

/// Whether a 64-bit float can hold the number, if not exactly.
pub(super) fn is_float(number: &Number) -> bool {
    number.as_f64().is_some_and(f64::is_finite)
}

/// Equality as JSON Schema defines it: numbers by value, objects regardless of order.
pub(crate) fn same(left: &Value, right: &Value) -> bool {
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

#[cfg(test)]
mod tests;
