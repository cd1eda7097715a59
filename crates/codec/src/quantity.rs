//! Durations and sizes as people write them. Pure: text in, value out.
//!
//! The grammar of durations is Go's, which the programs of the field use, with one addition: a bare number is
//! seconds. Crates of the field differ in just that (a bare number is refused, or is a float).

use std::{fmt::Write as _, time::Duration};

/// No duration is longer: 136 years, so that adding one to a clock never overflows.
pub const MAX_DURATION: Duration = Duration::from_secs(u32::MAX as u64);

/// The values that [`duration`] accepts, for messages.
pub const DURATION_EXPECTED: &str = "a duration such as 300, 300s, 5m, 1m30s";

/// The values that [`size`] accepts, for messages.
pub const SIZE_EXPECTED: &str = "a size such as 1024, 64KiB, 10MB, 1GiB";

/// A duration: `300` (seconds), `300s`, `5m`, `1m30s`, `1.5h`, `250ms`; `None` for anything else and for more than
/// [`MAX_DURATION`].
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        let whole = Duration::from_secs(text.parse().ok()?);
        return (whole <= MAX_DURATION).then_some(whole);
    }
    let mut rest = text;
    let mut nanoseconds: u128 = 0;
    while !rest.is_empty() {
        let (whole, after_whole) = digits(rest);
        let (fraction, after_number) = match after_whole.strip_prefix('.') {
            Some(after_point) => digits(after_point),
            None => ("", after_whole),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let end = after_number.find(|letter: char| letter.is_ascii_digit() || letter == '.');
        let (unit, after_unit) = after_number.split_at(end.unwrap_or(after_number.len()));
        let unit = nanoseconds_in(unit)?;
        nanoseconds = nanoseconds.checked_add(scaled(whole, unit)?)?.checked_add(fraction_of(fraction, unit))?;
        rest = after_unit;
    }
    if nanoseconds > MAX_DURATION.as_nanos() {
        return None;
    }
    Some(Duration::from_nanos_u128(nanoseconds))
}

/// A size in bytes: `1024`, `64KiB`, `10MB`, `1Gi`, any case; `None` for anything else and for what has no place in 64
/// bits.
#[must_use]
pub fn size(text: &str) -> Option<u64> {
    let (number, unit) = digits(text);
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1000,
        "m" | "mb" => 1000 * 1000,
        "g" | "gb" => 1000 * 1000 * 1000,
        "t" | "tb" => 1000 * 1000 * 1000 * 1000,
        "ki" | "kib" => 1 << 10,
        "mi" | "mib" => 1 << 20,
        "gi" | "gib" => 1 << 30,
        "ti" | "tib" => 1 << 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// A duration as the shortest text that [`duration`] reads back: `1h30m`, `5m`, `250ms`, `0`.
#[must_use]
pub fn duration_text(duration: Duration) -> String {
    if duration.is_zero() {
        return "0".to_owned();
    }
    let seconds = duration.as_secs();
    let mut text = String::new();
    for (count, unit) in [
        (seconds / 3600, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
        (duration.subsec_millis().into(), "ms"),
        (u64::from(duration.subsec_nanos() % 1_000_000), "ns"),
    ] {
        if count > 0 {
            let _ = write!(text, "{count}{unit}");
        }
    }
    text
}

/// A size as the largest binary unit that holds it exactly: `1GiB`, `64KiB`, `1000`.
#[must_use]
pub fn size_text(bytes: u64) -> String {
    let units = [(1_u64 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.into_iter().find(|(factor, _)| bytes > 0 && bytes.is_multiple_of(*factor)) {
        Some((factor, unit)) => format!("{}{unit}", bytes / factor),
        None => bytes.to_string(),
    }
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len()))
}

fn nanoseconds_in(unit: &str) -> Option<u128> {
    Some(match unit {
        "ns" => 1,
        // Both signs that Unicode has for micro, as in Go.
        "us" | "\u{b5}s" | "\u{3bc}s" => 1000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60 * 1_000_000_000,
        "h" => 3600 * 1_000_000_000,
        _ => return None,
    })
}

fn scaled(whole: &str, unit: u128) -> Option<u128> {
    if whole.is_empty() { Some(0) } else { whole.parse::<u128>().ok()?.checked_mul(unit) }
}

/// `0.fraction` of a unit, rounded down. No digit after the thirteenth can be worth a nanosecond.
fn fraction_of(fraction: &str, unit: u128) -> u128 {
    let mut place = unit;
    let mut sum = 0;
    // Digit by digit would round each one down; so a scale that keeps all of them is used first.
    let scale = 10_u128.pow(13);
    place *= scale;
    for digit in fraction.bytes().take(13) {
        place /= 10;
        sum += u128::from(digit - b'0') * place;
    }
    sum / scale
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        let seconds = |text, wanted| assert_eq!(duration(text), Some(Duration::from_secs(wanted)), "{text}");
        seconds("0", 0);
        seconds("300", 300);
        seconds("300s", 300);
        seconds("5m", 300);
        seconds("1m30s", 90);
        seconds("1h", 3600);
        seconds("1.5h", 5400);
        seconds("0s", 0);
        assert_eq!(duration("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(duration("1.000000001s"), Some(Duration::new(1, 1)));
        assert_eq!(duration(".5s"), Some(Duration::from_millis(500)));
        assert_eq!(duration("3us4\u{b5}s5ns"), Some(Duration::from_nanos(7005)));
    }

    #[test]
    fn what_is_no_duration_or_too_long_is_refused() {
        let long = "9".repeat(60);
        for text in [
            "",
            "5 parsecs",
            "s",
            ".",
            ".s",
            "-1",
            "-1s",
            "+1",
            "1 s",
            "1d",
            "5M",
            "1.5",
            "1..5s",
            "1s1",
            "1e3",
            "٣s",
            "4294967296",
            "4294967295s1ns",
            &long,
            &format!("{long}h"),
        ] {
            assert_eq!(duration(text), None, "{text:?}");
        }
        assert_eq!(duration("4294967295"), Some(MAX_DURATION));
    }

    #[test]
    fn sizes_have_decimal_and_binary_units_in_any_case() {
        for (text, wanted) in [
            ("0", 0),
            ("1024", 1024),
            ("64KiB", 65536),
            ("64kib", 65536),
            ("64Ki", 65536),
            ("10MB", 10_000_000),
            ("10M", 10_000_000),
            ("1GiB", 1 << 30),
            ("1GIB", 1 << 30),
            ("2TiB", 1 << 41),
            ("7b", 7),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(size(text), Some(wanted), "{text}");
        }
        let long = "9".repeat(60);
        for text in ["", "KiB", "1.5GiB", "-1", "1 KiB", "1PB", "18446744073709551616", "16777216TiB", &long] {
            assert_eq!(size(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_duration_written_out_is_read_back(nanoseconds in 0..=MAX_DURATION.as_nanos()) {
            let original = Duration::from_nanos_u128(nanoseconds);
            prop_assert_eq!(duration(&duration_text(original)), Some(original));
        }

        #[test]
        fn a_size_written_out_is_read_back(bytes: u64, shift in 0_u32..64) {
            let bytes = bytes >> shift << (shift % 41);
            prop_assert_eq!(size(&size_text(bytes)), Some(bytes));
        }

        #[test]
        fn parts_add_up(hours in 0..10_000_u64, minutes in 0..10_000_u64, seconds in 0..10_000_u64) {
            let text = format!("{hours}h{minutes}m{seconds}s");
            prop_assert_eq!(duration(&text), Some(Duration::from_secs(hours * 3600 + minutes * 60 + seconds)));
        }

        #[test]
        fn a_fraction_is_exact_to_the_nanosecond(seconds in 0..1_000_000_u64, nanoseconds in 0..1_000_000_000_u32) {
            let text = format!("{seconds}.{nanoseconds:09}s");
            prop_assert_eq!(duration(&text), Some(Duration::new(seconds, nanoseconds)));
        }

        #[test]
        fn no_text_panics(text in "[0-9.hmsnuµkKiIbBgG -]{0,40}|\\PC*") {
            let _ = (duration(&text), size(&text));
        }
    }
}
