//! Tests of the YAML tree.

use serde_json::{Value, json};

use super::*;

/// A number with its digits.
fn written(text: &str) -> Value {
    Value::Number(text.parse().expect("a number"))
}

fn value(text: &str) -> Value {
    Node::parse(text).expect("YAML").value().expect("JSON")
}

#[test]
fn plain_scalars_are_what_the_core_schema_says_and_quoted_ones_are_texts() {
    for (text, wanted) in [
        ("0", json!(0)),
        ("-12", json!(-12)),
        ("+7", json!(7)),
        ("007", json!(7)),
        ("0o17", json!(15)),
        ("0xFf", json!(255)),
        ("18446744073709551615", json!(u64::MAX)),
        ("-9223372036854775808", json!(i64::MIN)),
        ("18446744073709551616", written("18446744073709551616")),
        ("340282366920938463463374607431768211455", written("340282366920938463463374607431768211455")),
        ("1.50", written("1.50")),
        ("+007.10", written("7.10")),
        ("00", json!(0)),
        ("-0.0", written("-0.0")),
        (".5", json!(0.5)),
        ("-2.", json!(-2.0)),
        ("1e3", written("1e3")),
        ("1E-2", written("1E-2")),
        ("True", json!(true)),
        ("FALSE", json!(false)),
        ("~", json!(null)),
        ("", json!(null)),
        ("yes", json!("yes")),
        ("1e999", json!("1e999")),
        (".inf", json!(".inf")),
        (".nan", json!(".nan")),
        ("0x", json!("0x")),
        ("0x+1", json!("0x+1")),
        ("e5", json!("e5")),
        ("1e", json!("1e")),
        (".", json!(".")),
        ("1_000", json!("1_000")),
        ("+", json!("+")),
        ("2019-01-01", json!("2019-01-01")),
        ("'1'", json!("1")),
        ("\"true\"", json!("true")),
        ("'~'", json!("~")),
        ("|\n  5\n", json!("5\n")),
        ("!!str 5", json!("5")),
        ("!!int '5'", json!(5)),
        ("!other 5", json!("5")),
    ] {
        assert_eq!(value(text), wanted, "{text:?}");
    }
}

#[test]
fn a_mapping_has_its_own_entries_then_those_it_merges_the_first_of_a_name() {
    let text = "a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4, <<: {w: 5}}\nc: {<<: [*b, *a], z: 6}\n";
    let root = Node::parse(text).expect("YAML");
    let merged = root.get("c").expect("a mapping").expect("there");
    let entries = merged.entries().expect("a mapping");
    let names: Vec<_> = entries.members.iter().map(|(name, key, _)| (*name, key.position().line)).collect();
    assert_eq!(names, [("z", 3), ("y", 2), ("w", 2), ("x", 1)]);
    assert_eq!(merged.value(), Ok(json!({"z": 6, "y": 3, "w": 5, "x": 1})));
}

#[test]
fn keys_that_come_twice_or_have_no_name_and_merges_of_other_things_are_told_apart() {
    let root = Node::parse("a: 1\nb: 2\n'a': 3\n[x]: 4\n~: 5\n<<: 6\n").expect("YAML");
    let entries = root.entries().expect("a mapping");
    let lines = |nodes: &[&Node]| nodes.iter().map(|node| node.position().line).collect::<Vec<_>>();
    assert_eq!(entries.members.len(), 2);
    assert_eq!(lines(&entries.repeated), [3]);
    assert_eq!(lines(&entries.nameless), [4, 5]);
    assert_eq!(lines(&entries.unmerged), [6]);
    assert_eq!(root.value(), Err(LineColumn { line: 3, column: 1 }));
    assert!(Node::parse("[1]").expect("YAML").entries().is_none());
}
