//! Bodies labelled `application/x-www-form-urlencoded`. curl and many clients put this label on anything, so that by
//! default it says nothing; a function that serves HTML forms can ask for them.

use bandog_codec::{base64::is_blank, json};
use serde_json::{Map, Value};

use super::{InputError, InputKind};
use crate::actions::{MAX_VALUES, decode_pairs};

/// The treatment of bodies with the label of forms.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Forms {
    /// The label says nothing: JSON or base64, as without a label.
    #[default]
    Detect,
    /// The bytes as sent.
    Raw,
    /// A JSON object of the fields.
    Json,
}

/// Bytes of a form that becomes an object. It is held in memory.
const LIMIT: usize = 8 * 1024 * 1024;

/// Bytes of a body that are looked at to say what it looks like.
pub(super) const HEAD: usize = 100;

/// Collects a form and makes an object of it.
#[derive(Debug, Default)]
pub(super) struct FormObject {
    text: Vec<u8>,
}

impl FormObject {
    pub(super) fn push(&mut self, piece: &[u8]) -> Result<(), InputError> {
        if self.text.len() + piece.len() > LIMIT {
            return Err(InputError::LongForm { limit: LIMIT });
        }
        self.text.extend_from_slice(piece);
        Ok(())
    }

    /// The object, as JSON without blanks: a text for each field, a list of texts for a field that occurs more than once.
    /// A JSON object that only has the label of a form stays as it is: in a form, a brace is encoded.
    pub(super) fn finish(self) -> Result<(InputKind, Vec<u8>), InputError> {
        let text = self.text;
        if text.is_empty() {
            return Ok((InputKind::Empty, text));
        }
        if text.iter().find(|byte| !is_blank(**byte)) == Some(&b'{') {
            let mut checker = json::Checker::new(0);
            if checker.push(&text).and_then(|()| checker.finish()).is_ok() {
                return Ok((InputKind::Json, text));
            }
        }
        let mut fields: Map<String, Value> = Map::new();
        let line = text.strip_suffix(b"\n").unwrap_or(&text);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        for (number, (name, value)) in decode_pairs(line).enumerate() {
            if number == MAX_VALUES {
                return Err(InputError::NotForm(format!("it has more than {MAX_VALUES} fields")));
            }
            let Some(value) = value else {
                return Err(InputError::NotForm(format!("field {} is not UTF-8", number + 1)));
            };
            match fields.get_mut(&name) {
                None => _ = fields.insert(name, value.into()),
                Some(Value::Array(values)) => values.push(value.into()),
                Some(first) => *first = Value::Array(vec![first.take(), value.into()]),
            }
        }
        Ok((InputKind::Json, Value::Object(fields).to_string().into_bytes()))
    }
}

/// Whether a body that begins with these bytes looks like a form: a name, `=`, and only characters that forms have.
pub(super) fn is_like_form(head: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"*-._~+%&=;[]".contains(byte);
    let line = head.trim_ascii();
    // `==` is the end of base64.
    let is_named =
        line.iter().position(|byte| *byte == b'=').is_some_and(|at| at > 0 && line.get(at + 1) != Some(&b'='));
    is_named && line.iter().all(is_part)
}

/// The request that a body came with, for the line to type instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AskedBy {
    /// Where it went.
    pub(super) url: String,
    /// The length of its body, if the head has it.
    pub(super) length: Option<u64>,
}

impl AskedBy {
    /// The command that sends this body, or a file, as it is.
    pub(super) fn curl_line(&self, head: &[u8]) -> String {
        let is_whole = head.len() < HEAD && self.length == Some(head.len() as u64);
        let is_plain =
            head.iter().all(|byte| matches!(byte, b' '..=b'~') && *byte != b'\'') && head.first() != Some(&b'@');
        let body = match std::str::from_utf8(head) {
            Ok(text) if is_whole && is_plain => format!("'{text}'"),
            Ok(_) | Err(_) => "@FILE".to_owned(),
        };
        format!("curl -H 'Content-Type: application/octet-stream' --data-binary {body} {}", self.url)
    }
}

#[cfg(test)]
mod tests;
