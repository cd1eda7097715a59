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
    // One beyond the range of floats is text, as it has always been.
    if is_float && text.parse::<f64>().is_ok_and(f64::is_finite) { json_spelling(text).parse().ok() } else { None }
}

/// A number of YAML in the grammar of JSON, with all of its digits: `.5` is 0.5, `-2.` is -2.0, `+007.10` is 7.10.
fn json_spelling(text: &str) -> String {
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = unsigned.split_at(unsigned.find(['e', 'E']).unwrap_or(unsigned.len()));
    let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, None), |(whole, rest)| (whole, Some(rest)));
    let whole = Some(whole.trim_start_matches('0')).filter(|whole| !whole.is_empty()).unwrap_or("0");
    match fraction {
        None => format!("{sign}{whole}{exponent}"),
        Some("") => format!("{sign}{whole}.0{exponent}"),
        Some(fraction) => format!("{sign}{whole}.{fraction}{exponent}"),
    }
}
