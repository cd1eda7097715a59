//! Parses the environment variables that a service needs.

use std::collections::HashSet;

use serde_json::Value;

use super::{
    argument::is_word,
    cursor::{Cursor, Fields},
    report::Report,
    schema,
};
use crate::{schema::Type, service::Variable};

/// The prefix of bandog's own settings. Functions do not inherit them, and some are secret.
const OWN: &str = "BANDOG_";

pub(super) fn variables(cursor: &Cursor<'_>, report: &mut Report) -> Vec<Variable> {
    let Some(fields) = Fields::of(cursor, report) else { return Vec::new() };
    let mut variables: Vec<Variable> = Vec::new();
    let mut names = HashSet::new();
    for (name, cursor) in fields.members() {
        let starts_well = !name.starts_with(|letter: char| letter.is_ascii_digit());
        if !starts_well || !is_word(name) {
            let advice = "expected a variable's name of letters, digits and underscores (of ASCII), that does not begin with a digit";
            report.error(&cursor.without_value(), advice);
        }
        let name = name.to_ascii_uppercase();
        if name.starts_with(OWN) {
            report.error(
                &cursor.without_value(),
                "this is a setting of bandog, not a variable of the service; set it where bandog is started",
            );
        }
        if !names.insert(name.clone()) {
            report.error(&cursor.without_value(), format!("another key already declares the variable {name}"));
        }
        report.record_line(&cursor);
        variables.extend(variable(name, &cursor, report));
    }
    variables
}

fn variable(name: String, cursor: &Cursor<'_>, report: &mut Report) -> Option<Variable> {
    let mut fields = Fields::of(cursor, report)?;
    let sensitive = fields.boolean(report, "sensitive");
    let schema = schema::required(&mut fields, Type::String, report);
    let default = fields.take(report, &["default"]).map(|cursor| if sensitive { cursor.redacted() } else { cursor });
    let variable = Variable {
        name,
        required: fields.boolean(report, "required"),
        default: default.and_then(|cursor| {
            let schema = schema.as_ref()?;
            let value = cursor.node()?.value().ok();
            // A number keeps its notation.
            let text = match (cursor.scalar(), value) {
                (Some(text), _) => text.to_owned(),
                (None, Some(value @ (Value::Array(_) | Value::Object(_)))) => value.to_string(),
                _ => {
                    report.error(&cursor, "expected a value other than null");
                    return None;
                }
            };
            if text.contains('\0') || schema.read_text(&text).is_err() {
                report.error(&cursor, format!("does not fit the type: expected {}", schema.expected()));
                return None;
            }
            Some(text)
        }),
        sensitive,
        deprecated: fields.boolean(report, "deprecated"),
        help: fields.text(report, "help"),
        schema: schema.unwrap_or_default(),
    };
    fields.end(report);
    Some(variable)
}
