use proptest::prelude::*;
use serde_json::json;

use super::*;

fn read(text: &str) -> Result<Value, String> {
    read_json(text.as_bytes(), &mut Budget::default()).map_err(|error| error.to_string())
}

/// Numbers in any spelling that JSON has.
pub(crate) fn numbers() -> impl Strategy<Value = String> {
    "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,40})?([eE][+-]?[0-9]{1,6})?"
}

#[test]
fn a_number_stays_as_it_was_written() {
    for number in [
        "0",
        "-0",
        "-0.0",
        "5.0",
        "1.10",
        "1e5",
        "1E5",
        "1e+05",
        "1E-7",
        "1e400",
        "-1e-400",
        "0.1000000000000000055511151231257827",
        "18446744073709551615",
        "18446744073709551616",
        "-9223372036854775809",
        "340282366920938463463374607431768211455",
    ] {
        assert_eq!(read(number).expect("JSON").to_string(), number);
        let object = format!("{{\"a\":[{number},\"{number}\",{{\"{number}\":{number}}}],\"b\":{number}}}");
        assert_eq!(read(&object).expect("JSON").to_string(), object);
    }
}

#[test]
fn an_object_that_looks_like_a_number_of_serde_json_stays_an_object() {
    let text = r#"{"$serde_json::private::Number":"12","b":1.50,"$serde_json::private::RawValue":"{"}"#;
    assert_eq!(read(text).expect("JSON").to_string(), text);
    let text = r#"[{"$serde_json::private::Number":"1e5"},2.0,{"\u0024serde_json::private::Number":{"a":3E1}}]"#;
    assert_eq!(read(text).expect("JSON").to_string(), text.replace("\\u0024", "$"));
}

#[test]
fn strings_and_keys_with_digits_braces_and_quotes_are_no_numbers() {
    let text = r#"{"1{\"2":"3\\","-4":[5.00,"\\\"6{",7E7,true,null],"e":"8"}"#;
    assert_eq!(read(text).expect("JSON").to_string(), text);
}

#[test]
fn no_text_that_json_has_not_is_read() {
    for text in ["01", "1.", ".5", "+1", "1e", "1e+", "--1", "1-2", "[1-2]", "[1 2]", "0x1", "NaN", "1,", "{1:2}", ""] {
        read(text).expect_err(text);
    }
    assert_eq!(read("{\"a\":1,\"a\":2}").expect_err("twice"), "the key `a` occurs twice at line 1 column 10");
    assert_eq!(read(" [1, 2.50 ] "), Ok(json!([1, read("2.50").expect("a number")])));
}

proptest! {
    #[test]
    fn any_number_stays_as_it_was_written_wherever_it_stands(
        numbers in prop::collection::vec(numbers(), 1..8), text in "[\"\\\\{}0-9e+-]{0,8}",
    ) {
        let quoted = Value::from(text.as_str()).to_string();
        let list = numbers.join(",");
        let sent = format!("{{{quoted}:[{list},{quoted},{{\"n\":{},{quoted}:{}}}]}}", numbers[0], numbers[numbers.len() - 1]);
        let read = read(&sent);
        if text == "n" {
            prop_assert!(read.is_err());
        } else {
            prop_assert_eq!(read.map(|value| value.to_string()), Ok(sent));
        }
    }

    #[test]
    fn what_is_read_is_what_serde_json_reads(text in "[\\[\\]{},:\"\\\\0-9.eE+a \n-]{0,24}") {
        let reference = serde_json::from_str::<Value>(&text);
        prop_assert!(read(&text).is_ok() || reference.is_err() || read(&text).is_err_and(|error| error.contains("twice")));
        prop_assert!(reference.is_ok() || read(&text).is_err());
    }
}
