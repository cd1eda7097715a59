use proptest::prelude::*;

use super::*;
use crate::json::{Budget, read_json};

fn number(text: &str) -> Number {
    match read_json(text.as_bytes(), &mut Budget::default()) {
        Ok(Value::Number(number)) => number,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn numbers_are_ordered_by_their_value() {
    let ascending = [
        "-1e999999999999999999999",
        "-1e400",
        "-18446744073709551616",
        "-2.5",
        "-2.4999999999999999999999999",
        "-1e-400",
        "0",
        "1e-999999999999999999999",
        "1e-400",
        "0.5",
        "9.99999999999999999999",
        "10",
        "10.000000000000000000001",
        "9223372036854775807",
        "9223372036854775808",
        "340282366920938463463374607431768211455",
        "340282366920938463463374607431768211456",
        "1e400",
        "1.1e400",
        "1e999999999999999999999",
    ];
    for (at, left) in ascending.iter().enumerate() {
        for (other, right) in ascending.iter().enumerate() {
            assert_eq!(compare(&number(left), &number(right)), at.cmp(&other), "{left} and {right}");
        }
    }
    for same in [["0", "-0"], ["0.000", "0e9"], ["5", "5.0"], ["5", "500e-2"], ["5", "0.00005E+5"], ["1e3", "1000.00"]]
    {
        assert_eq!(compare(&number(same[0]), &number(same[1])), Ordering::Equal, "{same:?}");
    }
}

#[test]
fn a_whole_number_is_one_in_any_spelling_and_within_64_bits() {
    for (text, wanted) in [
        ("5.0", Some("5")),
        ("50e-1", Some("5")),
        ("0.5e1", Some("5")),
        ("-0", Some("0")),
        ("0.0e5", Some("0")),
        ("18446744073709551615", Some("18446744073709551615")),
        ("18446744073709551615.000", Some("18446744073709551615")),
        ("-9223372036854775808", Some("-9223372036854775808")),
        ("1e19", Some("10000000000000000000")),
        ("18446744073709551616", None),
        ("-9223372036854775809", None),
        ("1e20", None),
        ("1e400", None),
        ("0.5", None),
        ("5.0000000000000000000000001", None),
        ("1e-1", None),
    ] {
        assert_eq!(whole(&number(text)).map(|whole| whole.to_string()).as_deref(), wanted, "{text}");
    }
}

proptest! {
    #[test]
    fn integers_compare_as_integers_however_they_are_spelled(
        left in any::<i64>(), right in any::<i64>(), zeros in 0_usize..30,
    ) {
        let spelled = format!("{left}{}e-{zeros}", "0".repeat(zeros));
        let plain = number(&right.to_string());
        prop_assert_eq!(compare(&number(&spelled), &plain), left.cmp(&right));
        prop_assert_eq!(compare(&plain, &number(&spelled)), right.cmp(&left));
        prop_assert_eq!(whole(&number(&spelled)).map(|whole| whole.to_string()), Some(left.to_string()));
    }

    #[test]
    fn floats_compare_as_floats(left in any::<f64>(), right in any::<f64>()) {
        prop_assume!(left.is_finite() && right.is_finite());
        let order = left.partial_cmp(&right).expect("no NaN");
        prop_assert_eq!(compare(&number(&format!("{left:e}")), &number(&format!("{right:?}"))), order);
    }
}
