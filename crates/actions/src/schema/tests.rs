//! Tests of each type, as JSON and as text, and of the equivalence with its JSON Schema.

use proptest::prelude::*;
use regex_lite::Regex;
use serde_json::json;

use super::*;
use crate::{ArgumentErrorKind, ArgumentErrors, MAX_LISTED_ERRORS};

fn of(kind: Type) -> Schema {
    Schema { kind, ..Schema::default() }
}

fn number(value: &Value) -> Option<Number> {
    value.as_number().cloned()
}

fn ranged(kind: Type, min: &Value, max: &Value) -> Schema {
    Schema { range: Some(Range { min: number(min), max: number(max) }), ..of(kind) }
}

fn property(name: &str, schema: Schema, required: bool) -> Property {
    Property { name: name.to_owned(), schema, required, help: None }
}

fn one_of(choices: &Value) -> Schema {
    Schema { choices: choices.as_array().cloned(), ..of(Type::Enum) }
}

/// All errors, as `path: problem`.
fn told(errors: &ArgumentErrors) -> Vec<String> {
    errors.listed().iter().map(|error| format!("{}: {}", error.argument, error.kind.as_str())).collect()
}

#[test]
fn each_type_takes_its_own_json_and_gives_it_back_in_one_form() {
    let uuid = "F81D4FAE-7dec-11d0-a765-00a0c91e6bf6";
    for (kind, taken, refused) in [
        (
            Type::Int,
            vec![
                (json!(5), json!(5)),
                (json!(5.0), json!(5)),
                (json!(-0.0), json!(0)),
                (json!(1e3), json!(1000)),
                (json!(u64::MAX), json!(u64::MAX)),
                (json!(i64::MIN), json!(i64::MIN)),
            ],
            vec![json!(5.5), json!("5"), json!(true), json!(null), json!([5]), json!(18_446_744_073_709_551_616.0)],
        ),
        (
            Type::Float,
            vec![(json!(5), json!(5)), (json!(0.1), json!(0.1)), (json!(1e300), json!(1e300))],
            vec![json!("5"), json!(false), json!(null), json!({})],
        ),
        (Type::String, vec![(json!(""), json!("")), (json!("5"), json!("5"))], vec![json!(5), json!(null), json!([])]),
        (Type::Boolean, vec![(json!(true), json!(true))], vec![json!("true"), json!(1), json!(null)]),
        (Type::List, vec![(json!([]), json!([])), (json!([1, null]), json!([1, null]))], vec![json!({}), json!("[]")]),
        (Type::Map, vec![(json!({"a": null}), json!({"a": null}))], vec![json!([]), json!("{}"), json!(null)]),
        (Type::Object, vec![(json!({"a": 1}), json!({"a": 1}))], vec![json!([]), json!("{}"), json!(null)]),
        (
            Type::Uuid,
            vec![(json!(uuid), json!(uuid))],
            vec![json!(""), json!(&uuid[1..]), json!(5), json!("x".repeat(36))],
        ),
        (Type::Any, vec![(json!([1.0]), json!([1.0])), (json!("x"), json!("x"))], vec![]),
    ] {
        for (value, wanted) in taken {
            assert_eq!(of(kind).check(value.clone()), Ok(wanted), "{value} as {}", kind.as_str());
        }
        for value in refused {
            let errors = of(kind).check(value.clone()).expect_err("refused");
            assert_eq!((errors.count(), errors.listed()[0].kind), (1, ArgumentErrorKind::Invalid), "{value}");
            assert_eq!(errors.listed()[0].value, Some(value));
        }
    }
}

#[test]
fn each_type_is_read_from_its_own_text() {
    for (kind, taken, refused) in [
        (
            Type::Int,
            vec![("5", json!(5)), ("+5", json!(5)), ("-007", json!(-7)), ("18446744073709551615", json!(u64::MAX))],
            vec!["", "5.0", " 5", "5 ", "1e3", "0x5", "٥", "18446744073709551616", "-9223372036854775809", "null", "+"],
        ),
        (
            Type::Float,
            vec![("5", json!(5)), ("+5", json!(5)), ("5.5", json!(5.5)), ("1e+16", json!(1e16)), ("-0.5", json!(-0.5))],
            vec!["", "NaN", "inf", " 5", "5\n", "1e999", ".5", "5.", "null", "true"],
        ),
        (Type::String, vec![("", json!("")), ("null", json!("null")), ("5", json!("5"))], vec![]),
        (Type::Boolean, vec![("true", json!(true)), ("false", json!(false))], vec!["", "True", "1", "null", " true"]),
        (
            Type::List,
            vec![("[1, \"a\"]", json!([1, "a"])), ("null", json!(null))],
            vec!["", "a", "{}", "[1", "[1] x", "[{\"a\":1,\"a\":2}]"],
        ),
        (
            Type::Map,
            vec![("{\"a\":1}", json!({"a": 1})), ("null", json!(null))],
            vec!["", "[]", "{", "{\"a\":1,\"a\":1}"],
        ),
        (Type::Object, vec![("{}", json!({})), ("null", json!(null))], vec!["", "[]", "a=1"]),
        (Type::Uuid, vec![], vec!["", "null", "not one"]),
        (
            Type::Any,
            vec![("5", json!(5)), ("", json!("")), ("01", json!("01")), ("null", json!(null)), ("[1]", json!([1]))],
            vec![],
        ),
    ] {
        for (text, wanted) in taken {
            assert_eq!(of(kind).read_text(text), Ok(wanted), "{text} as {}", kind.as_str());
        }
        for text in refused {
            let errors = of(kind).read_text(text).expect_err("refused");
            assert_eq!(told(&errors), [": invalid"], "{text:?} as {}", kind.as_str());
        }
    }
}

#[test]
fn a_choice_is_a_member_of_any_type_and_a_text_means_itself_first() {
    let schema = one_of(&json!(["red", 5, "5", true, null, {"a": 1}]));
    for value in [json!("red"), json!(5.0), json!("5"), json!(true), json!({"a": 1.0})] {
        assert!(schema.check(value.clone()).is_ok(), "{value}");
    }
    assert_eq!(schema.check(json!(5.0)), Ok(json!(5)), "as the file has it");
    for value in [json!("Red"), json!("true"), json!(1), json!(false), json!([]), json!({"a": 1, "b": 1})] {
        assert!(schema.check(value.clone()).is_err(), "{value}");
    }
    for (text, wanted) in [("red", json!("red")), ("\"red\"", json!("red")), ("5", json!("5")), ("5.0", json!(5))] {
        assert_eq!(schema.read_text(text), Ok(wanted), "{text}");
    }
    assert!(schema.read_text("blue").is_err());
    let numbers = Schema { choices: json!([1, 2]).as_array().cloned(), ..of(Type::Int) };
    assert_eq!((numbers.read_text("2"), numbers.read_text("3").is_err()), (Ok(json!(2)), true));
}

#[test]
fn bounds_are_compared_without_loss() {
    let beyond = 9_007_199_254_740_993_u64; // 2⁵³ + 1 has no exact float.
    let schema = ranged(Type::Int, &json!(beyond), &json!(null));
    assert!(schema.check(json!(beyond)).is_ok());
    assert!(schema.check(json!(beyond - 1)).is_err());
    let schema = ranged(Type::Float, &json!(0.5), &json!(u64::MAX));
    for (value, fits) in [
        (json!(0.5), true),
        (json!(0), false),
        (json!(1), true),
        (json!(u64::MAX), true),
        (json!(18_446_744_073_709_551_616.0), false),
        (json!(-1e300), false),
    ] {
        assert_eq!(schema.check(value.clone()).is_ok(), fits, "{value}");
    }
    let schema = ranged(Type::Int, &json!(-1.5), &json!(2.5));
    for (value, fits) in [(-2, false), (-1, true), (2, true), (3, false)] {
        assert_eq!(schema.check(json!(value)).is_ok(), fits, "{value}");
    }
    assert_eq!(schema.read_text("3").expect_err("refused").listed()[0].expected, "a whole number from -1.5 to 2.5");
}

#[test]
fn a_pattern_is_searched_for() {
    let schema = Schema { pattern: Some(Pattern::new("b\\d").expect("a pattern")), ..of(Type::String) };
    assert!(schema.check(json!("ab1c")).is_ok() && schema.read_text("b2").is_ok());
    assert!(schema.check(json!("ab")).is_err() && schema.read_text("").is_err());
}

#[test]
fn all_that_is_wrong_within_a_value_is_told_by_the_way_to_it() {
    let size = Schema {
        properties: vec![property("width", of(Type::Int), true), property("unit", of(Type::String), false)],
        ..of(Type::Object)
    };
    let schema = Schema {
        properties: vec![
            property("size", size, true),
            property("tags", Schema { elements: Some(Box::new(of(Type::String))), ..of(Type::List) }, false),
            property(
                "colours",
                Schema {
                    keys: Some(Box::new(of(Type::Int))),
                    values: Some(Box::new(ranged(Type::Float, &json!(0), &json!(1)))),
                    ..of(Type::Map)
                },
                false,
            ),
            property("name", of(Type::String), true),
        ],
        ..of(Type::Object)
    };
    let value = json!({"size": {"width": "x", "depth": 1}, "tags": ["a", 1, null],
        "colours": {"1": 2, "red": 0.5, "007": 1}, "extra": 1});
    let errors = schema.check(value).expect_err("refused");
    assert_eq!(
        told(&errors),
        [
            "size.width: invalid",
            "size.depth: unexpected",
            "tags[1]: invalid",
            "tags[2]: invalid",
            "colours.1: invalid",
            "colours.red: invalid",
            "name: missing",
            "extra: unexpected"
        ]
    );
    let right = json!({"name": "n", "tags": null, "size": {"unit": null, "width": 1.0}});
    assert_eq!(schema.check(right).map(|value| value.to_string()), Ok(r#"{"size":{"width":1},"name":"n"}"#.to_owned()));
    let result = json!({"size": {"width": 1, "depth": 1}, "name": "n", "extra": 1});
    assert_eq!(schema.check_result(result.clone()), Ok(result), "a result may have more");
}

#[test]
fn a_million_mistakes_are_a_hundred_and_a_number_and_none_is_quoted_whole() {
    let schema = Schema { elements: Some(Box::new(of(Type::Int))), ..of(Type::List) };
    let errors = schema.check(vec!["x"; 1000].into()).expect_err("refused");
    assert_eq!((errors.listed().len(), errors.count()), (MAX_LISTED_ERRORS, 1000));
    assert!(errors.to_string().ends_with("; and 900 more"), "{errors}");
    for long in [json!("é".repeat(1000)), json!(vec!["é"; 1000])] {
        let errors = of(Type::Int).check(long).expect_err("refused");
        let quoted = errors.listed()[0].value.as_ref().and_then(Value::as_str).expect("a text").to_owned();
        assert!(quoted.chars().count() == 81 && quoted.ends_with('…'), "{quoted}");
    }
}

/// A plain second implementation of the parts of JSON Schema 2020-12 that are used.
fn is_valid(schema: &Value, value: &Value) -> bool {
    let float = |number: &Value| number.as_f64().expect("a number");
    schema.as_object().expect("a schema").iter().all(|(keyword, what)| match (keyword.as_str(), value) {
        ("type", _) => {
            let is = |name: &Value| match (name.as_str().expect("a name"), value) {
                ("integer", Value::Number(_)) => float(value).fract() == 0.0,
                ("number", Value::Number(_))
                | ("string", Value::String(_))
                | ("boolean", Value::Bool(_))
                | ("array", Value::Array(_))
                | ("object", Value::Object(_))
                | ("null", Value::Null) => true,
                _ => false,
            };
            what.as_array().map_or_else(|| is(what), |names| names.iter().any(is))
        }
        ("enum", _) => what.as_array().expect("a list").iter().any(|choice| match (choice, value) {
            (Value::Number(_), Value::Number(_)) => (float(choice) - float(value)).abs() == 0.0,
            _ => choice == value,
        }),
        ("minimum", Value::Number(_)) => float(what) <= float(value),
        ("maximum", Value::Number(_)) => float(value) <= float(what),
        ("minLength", Value::String(text)) => text.chars().count() as u64 >= what.as_u64().expect("a length"),
        ("maxLength", Value::String(text)) => text.chars().count() as u64 <= what.as_u64().expect("a length"),
        ("pattern", Value::String(text)) => {
            Regex::new(what.as_str().expect("a pattern")).expect("a pattern").is_match(text)
        }
        ("const", _) => is_valid(&json!({"enum": [what]}), value),
        ("anyOf", _) => what.as_array().expect("a list").iter().any(|schema| is_valid(schema, value)),
        ("allOf", _) => what.as_array().expect("a list").iter().all(|schema| is_valid(schema, value)),
        ("items", Value::Array(elements)) => elements.iter().all(|element| is_valid(what, element)),
        ("propertyNames", Value::Object(members)) => members.keys().all(|name| is_valid(what, &json!(name))),
        ("properties", Value::Object(members)) => {
            let properties = what.as_object().expect("an object");
            properties.iter().all(|(name, schema)| members.get(name).is_none_or(|member| is_valid(schema, member)))
        }
        ("required", Value::Object(members)) => {
            what.as_array().expect("a list").iter().all(|name| members.contains_key(name.as_str().expect("a name")))
        }
        ("additionalProperties", Value::Object(members)) => {
            let declared = |name: &str| schema["properties"].get(name).is_some();
            let mut others = members.iter().filter(|(name, _)| !declared(name));
            others.all(|(_, member)| what.as_bool().unwrap_or_else(|| is_valid(what, member)))
        }
        (
            "minimum"
            | "maximum"
            | "minLength"
            | "maxLength"
            | "pattern"
            | "items"
            | "propertyNames"
            | "properties"
            | "required"
            | "additionalProperties"
            | "format"
            | "description"
            | "contentEncoding",
            _,
        ) => true,
        (other, _) => panic!("{other} is not used"),
    })
}

fn scalars() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        (-3_i64..6).prop_map(Value::from),
        prop_oneof![Just(5.0), Just(0.5), Just(-2.0), Just(1e17), Just(1e300)].prop_map(Value::from),
        "[a-c5+-]{0,3}".prop_map(Value::from),
        Just(json!("f81d4fae-7dec-11d0-a765-00a0c91e6bf6")),
        Just(json!("true")),
    ]
}

pub(crate) fn values() -> impl Strategy<Value = Value> {
    scalars().prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[ab5]|true", inner), 0..4).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

pub(crate) fn schemas() -> impl Strategy<Value = Schema> {
    let leaf = (
        prop::sample::select(Type::ALL.to_vec()).prop_filter("a leaf", |kind| *kind != Type::Path),
        prop::option::weighted(0.2, prop::collection::vec(scalars(), 1..4)),
        prop::option::weighted(0.2, (-3_i64..6, 0_i64..4)),
        prop::option::weighted(0.2, Just("^[ab]")),
    );
    let leaf = leaf.prop_map(|(kind, choices, range, pattern)| Schema {
        choices,
        range: range.map(|(min, more)| Range { min: Some(min.into()), max: Some((min + more).into()) }),
        pattern: pattern.map(|pattern| Pattern::new(pattern).expect("a pattern")),
        ..of(kind)
    });
    let key = prop::sample::select(vec![Type::Int, Type::Float, Type::String, Type::Boolean, Type::Uuid, Type::Any]);
    leaf.prop_recursive(3, 12, 3, move |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| Schema { elements: Some(Box::new(inner)), ..of(Type::List) }),
            (key.clone(), inner.clone()).prop_map(|(key, inner)| Schema {
                keys: Some(Box::new(of(key))),
                values: Some(Box::new(inner)),
                ..of(Type::Map)
            }),
            (inner.clone(), inner, any::<bool>()).prop_map(|(a, b, required)| Schema {
                properties: vec![property("a", a, required), property("b", b, false)],
                ..of(Type::Object)
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_is_taken_is_what_the_json_schema_says(schema in schemas(), value in values()) {
        let given = !value.is_null() && schema.check(value.clone()).is_ok();
        prop_assert_eq!(given, is_valid(&schema.to_json_schema(), &value), "required: {}", schema.to_json_schema());
        let nullable = schema.to_nullable_json_schema();
        prop_assert_eq!(given || value.is_null(), is_valid(&nullable, &value), "optional: {}", nullable);
        let result = schema.to_result_json_schema();
        prop_assert_eq!(schema.check_result(value.clone()).is_ok(), is_valid(&result, &value), "result: {}", result);
    }

    #[test]
    fn what_was_taken_is_taken_again_and_stays_as_it_is(schema in schemas(), value in values()) {
        if let Ok(taken) = schema.check(value) {
            let read = crate::read_json(taken.to_string().as_bytes(), &mut crate::Budget::default());
            prop_assert_eq!(schema.check(read.expect("JSON")), Ok(taken));
        }
    }

    #[test]
    fn text_and_json_mean_the_same(schema in schemas(), value in values()) {
        let is_text = matches!(schema.kind, Type::String | Type::Uuid);
        if value.is_string() != is_text || schema.kind == Type::Enum {
            return Ok(());
        }
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let by_text = schema.read_text(&text);
        match schema.check(value.clone()) {
            // In text only integers without a fraction are whole numbers.
            Ok(taken) if schema.kind != Type::Int || value.is_i64() => prop_assert_eq!(by_text, Ok(taken)),
            Ok(_) => {}
            Err(_) => prop_assert!(by_text.is_err() || value.is_null() || !is_text && by_text.is_ok_and(|it| it == value && schema.kind == Type::Any)),
        }
    }

    #[test]
    fn no_text_does_harm(schema in schemas(), text in ".{0,20}") {
        let _ = schema.read_text(&text);
    }

    #[test]
    fn base64_is_what_its_pattern_says(text in "[AQgwEI_+ \\n=!]{0,10}") {
        let pattern = Regex::new(json_schema::BASE64).expect("a pattern");
        let (mut decoder, mut bytes) = (bandog_codec::base64::Decoder::new(0), Vec::new());
        let decoded = decoder.push(text.as_bytes(), &mut bytes).and_then(|()| decoder.finish(&mut bytes));
        prop_assert_eq!(decoded.is_ok(), pattern.is_match(&text), "{:?}", text);
    }
}
