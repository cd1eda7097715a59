//! Plain scalars as JSON values.

use serde_json::{Number, Value};

/// The value of an unquoted scalar by the core schema (YAML 1.2.2 §10.3.2).
pub(super) fn plain_value(text: &str) -> Value {
    match text {
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number)
}

fn number(text: &str) -> Option<Number> {
    for (prefix, radix) in [("0o", 8), ("0x", 16)] {
        if let Some(digits) = text.strip_prefix(prefix).filter(|digits| !digits.starts_with(['+', '-'])) {
            return u64::from_str_radix(digits, radix).ok().map(Number::from);
        }
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !unsigned.is_empty() && digits(unsigned) {
        let positive = text.strip_prefix('+').unwrap_or(text);
        if let Ok(integer) = positive.parse::<i64>() {
            return Some(integer.into());
        }
        if let Ok(integer) = positive.parse::<u64>() {
            return Some(integer.into());
        }
    }
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let is_float = digits(whole) && digits(fraction) && whole.len() + fraction.len() > 0;
    let is_float = is_float && !exponent.is_empty() && digits(exponent);
    // JSON has no number beyond the range of floats.
    if is_float { Number::from_f64(text.parse().ok()?) } else { None }
}
