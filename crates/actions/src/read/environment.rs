//! The variables that a service needs.

use std::collections::HashSet;

use serde_json::Value;

use super::{
    action::is_word,
    schema,
    walk::{Fields, Notes, Spot},
};
use crate::Variable;

/// What the names of bandog's own settings begin with. Functions do not inherit them, and some are secret.
const OWN: &str = "BANDOG_";

pub(super) fn variables(spot: &Spot<'_>, notes: &mut Notes) -> Vec<Variable> {
    let Some(fields) = Fields::of(spot, notes) else { return Vec::new() };
    let mut variables: Vec<Variable> = Vec::new();
    let mut names = HashSet::new();
    for (name, spot) in fields.members() {
        let starts_well = !name.starts_with(|letter: char| letter.is_ascii_digit());
        if !starts_well || !is_word(name) {
            let advice = "expected a variable's name of letters, digits and underscores (of ASCII), without a digit at its beginning";
            notes.wrong(&spot.unquoted(), advice);
        }
        let name = name.to_ascii_uppercase();
        if name.starts_with(OWN) {
            notes
                .wrong(&spot.unquoted(), "bandog's own settings are not the service's; set it where bandog is started");
        }
        if !names.insert(name.clone()) {
            notes.wrong(&spot.unquoted(), format!("means the variable {name}, which is there already"));
        }
        notes.keep(&spot);
        variables.extend(variable(name, &spot, notes));
    }
    variables
}

fn variable(name: String, spot: &Spot<'_>, notes: &mut Notes) -> Option<Variable> {
    let mut fields = Fields::of(spot, notes)?;
    let sensitive = fields.switch(notes, "sensitive");
    let schema = schema::required(&mut fields, notes);
    let default = fields.take(notes, &["default"]).map(|spot| if sensitive { spot.veiled() } else { spot });
    let variable = Variable {
        name,
        required: fields.switch(notes, "required"),
        default: default.and_then(|spot| {
            let schema = schema.as_ref()?;
            let value = spot.node()?.value().ok();
            // A number keeps the form it is written in.
            let text = match (spot.scalar(), value) {
                (Some(text), _) => text.to_owned(),
                (None, Some(value @ (Value::Array(_) | Value::Object(_)))) => value.to_string(),
                _ => {
                    notes.wrong(&spot, "expected a value that a variable can have");
                    return None;
                }
            };
            if text.contains('\0') || schema.read_text(&text).is_err() {
                notes.wrong(&spot, format!("does not fit the type: expected {}", schema.expected()));
                return None;
            }
            Some(text)
        }),
        sensitive,
        deprecated: fields.switch(notes, "deprecated"),
        help: fields.text(notes, "help"),
        schema: schema.unwrap_or_default(),
    };
    fields.end(notes);
    Some(variable)
}
