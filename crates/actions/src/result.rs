//! Checks the result of an action against its declared output.
//!
//! A valid result is passed on as it was written. It is rewritten only if its encoding differs from the declared
//! content type, such as plain text that is declared as JSON.

use std::fmt;

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::{
    action::{MediaType, Output},
    argument_error::{ArgumentError, ArgumentErrorKind, ArgumentErrors, shortened},
    json::{self, Budget},
    query::decode_pairs,
    schema::{Schema, Type},
};
use form_fields::FormFields;

mod form_fields;

/// Bytes of a result that is checked, and therefore held in memory. A longer result is an error; large files need
/// `application/octet-stream`, which is not checked.
pub const MAX_RESULT: usize = 8 * 1024 * 1024;

/// Values that a result may have: as many numbers as fit into half of [`MAX_RESULT`]. At worst they take some hundred
/// megabytes of memory.
const MAX_VALUES: usize = 1_000_000;

/// A valid result, in the form in which it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedResult {
    /// Its `Content-Type`; `None` for no result.
    pub media_type: Option<String>,
    /// The whole body.
    pub body: Bytes,
}

/// A result that does not match the declared output.
#[derive(Debug, Clone, PartialEq)]
pub struct InvalidResult {
    /// The defect.
    pub why: ResultError,
    /// The beginning of the result.
    pub beginning: String,
}

/// The defect of a result.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ResultError {
    /// It is longer than [`MAX_RESULT`].
    #[error("it is longer than {MAX_RESULT} bytes; only application/octet-stream may be longer")]
    TooLong,
    /// It should be text, but is not UTF-8.
    #[error("it is not UTF-8; if it is not text, declare contentType: application/octet-stream")]
    NotUtf8,
    /// It should be JSON.
    #[error("it is not JSON: {0}")]
    NotJson(String),
    /// It should be a form.
    #[error("it is not multipart/form-data: {0}")]
    NotMultipart(String),
    /// It does not satisfy the schema.
    #[error("{0}")]
    Schema(#[from] ArgumentErrors),
}

impl fmt::Display for InvalidResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the result is not what the action declares: {}; it ", self.why)?;
        if self.beginning.is_empty() { f.write_str("is empty") } else { write!(f, "begins with `{}`", self.beginning) }
    }
}

impl std::error::Error for InvalidResult {}

/// The encoding in which a result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ResultEncoding<'a> {
    Json,
    Fields,
    Multipart(Option<&'a [u8]>),
    /// The output of a program, or any other type.
    Text,
}

impl Output {
    /// Whether the result must be complete before its first byte is sent, because it may be invalid. Otherwise the
    /// response of a server can be streamed.
    #[must_use]
    pub fn is_checked_whole(&self) -> bool {
        self.content_type != Some(MediaType::Bytes)
            && self.schema.as_ref().is_some_and(|schema| {
                let is_bound = schema.choices.is_some() || schema.range.is_some() || schema.pattern.is_some();
                is_bound || self.content_type.is_some() || !matches!(schema.kind, Type::String | Type::Path | Type::Any)
            })
    }

    /// Whether blanks around a command's output belong to the result. This holds for `application/octet-stream` only,
    /// which is also the only type that may exceed [`MAX_RESULT`].
    #[must_use]
    pub fn is_verbatim(&self) -> bool {
        self.content_type == Some(MediaType::Bytes)
    }

    /// Checks the output of a command.
    pub fn check(&self, printed: &Bytes) -> Result<CheckedResult, InvalidResult> {
        if self.is_verbatim() && self.schema.is_some() {
            return Ok(CheckedResult { media_type: Some(MediaType::Bytes.as_str().to_owned()), body: printed.clone() });
        }
        let Some(schema) = &self.schema else { return Ok(CheckedResult { media_type: None, body: Bytes::new() }) };
        let body = printed.slice_ref(printed.trim_ascii());
        let invalid = |why| InvalidResult { why, beginning: beginning(&body) };
        let written = match self.content_type {
            Some(MediaType::Json) => ResultEncoding::Json,
            Some(MediaType::Form) => ResultEncoding::Fields,
            Some(MediaType::Multipart) => ResultEncoding::Multipart(first_boundary(&body)),
            Some(MediaType::Bytes) | None => ResultEncoding::Text,
        };
        let checked = schema.check_written(&body, written).map_err(invalid)?;
        let media_type = match (written, &checked) {
            (ResultEncoding::Multipart(boundary), _) => {
                let boundary = String::from_utf8_lossy(boundary.unwrap_or_default()).into_owned();
                format!("multipart/form-data; boundary=\"{boundary}\"")
            }
            (ResultEncoding::Fields, _) => MediaType::Form.as_str().to_owned(),
            (ResultEncoding::Json, _) | (ResultEncoding::Text, ResultForm::Json(_)) => {
                MediaType::Json.as_str().to_owned()
            }
            (ResultEncoding::Text, ResultForm::Text) => "text/plain; charset=utf-8".to_owned(),
        };
        let body = match (written, checked) {
            (ResultEncoding::Json, ResultForm::Text) => quoted(&body).map_err(invalid)?,
            (_, ResultForm::Json(Some(value))) => value.to_string().into(),
            (_, ResultForm::Json(None) | ResultForm::Text) => body,
        };
        Ok(CheckedResult { media_type: Some(media_type), body })
    }

    /// Checks the response of a server. Its body and type are passed on unchanged.
    pub fn check_response(&self, content_type: Option<&str>, body: &Bytes) -> Result<CheckedResult, InvalidResult> {
        let Some(schema) = &self.schema else { return Ok(CheckedResult { media_type: None, body: Bytes::new() }) };
        let Some(content_type) = content_type else { return self.check(body) };
        if self.is_checked_whole() {
            let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            let boundary;
            let written = match essence.as_str() {
                "application/x-www-form-urlencoded" => ResultEncoding::Fields,
                "multipart/form-data" => {
                    boundary = bandog_codec::content_headers::boundary(content_type.as_bytes()).ok();
                    ResultEncoding::Multipart(boundary.as_deref())
                }
                "application/json" => ResultEncoding::Json,
                json if json.ends_with("+json") => ResultEncoding::Json,
                _ => ResultEncoding::Text,
            };
            let checked = match schema.check_written(body, written) {
                // A server's JSON must be valid as it is: its response is not rewritten.
                Ok(ResultForm::Text | ResultForm::Json(Some(_))) if written == ResultEncoding::Json => {
                    Err(ResultError::NotJson("it is plain text, but the server declares application/json".to_owned()))
                }
                checked => checked,
            };
            checked.map_err(|why| InvalidResult { why, beginning: beginning(body) })?;
        }
        Ok(CheckedResult { media_type: Some(content_type.to_owned()), body: body.clone() })
    }
}

/// The form of a valid result.
#[derive(Debug, Clone, PartialEq)]
enum ResultForm {
    /// JSON, and the value to send instead if the result was not written as JSON.
    Json(Option<Value>),
    /// Text, or a form.
    Text,
}

impl Schema {
    fn check_written(&self, body: &Bytes, written: ResultEncoding<'_>) -> Result<ResultForm, ResultError> {
        if body.len() > MAX_RESULT {
            return Err(ResultError::TooLong);
        }
        match written {
            ResultEncoding::Multipart(boundary) => {
                let fields = FormFields::read(body, boundary).map_err(ResultError::NotMultipart)?;
                self.check_fields(fields)?;
                return Ok(ResultForm::Text);
            }
            ResultEncoding::Fields => {
                // A field without a text value is a file.
                let fields = decode_pairs(body).map(|(name, value)| value.map(|value| (name, Some(value))));
                self.check_fields(fields.collect::<Option<_>>().ok_or(ResultError::NotUtf8)?)?;
                return Ok(ResultForm::Text);
            }
            ResultEncoding::Json | ResultEncoding::Text => {}
        }
        let text = std::str::from_utf8(body).map_err(|_| ResultError::NotUtf8)?;
        match self.kind {
            Type::List | Type::Map | Type::Object => {
                let value = parsed(text).map_err(|error| ResultError::NotJson(error.to_string()))?;
                self.check_result(value)?;
                Ok(ResultForm::Json(None))
            }
            Type::Int | Type::Float | Type::Boolean => {
                // 5.0 is a whole number in JSON, and +5 is one in text.
                let value = parsed(text).or_else(|_| self.read_text(text))?;
                let is_json = serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
                let value = self.check_result(value)?;
                Ok(ResultForm::Json((!is_json).then_some(value)))
            }
            Type::Any => match parsed(text) {
                Ok(value) => {
                    self.check_result(value)?;
                    Ok(ResultForm::Json(None))
                }
                Err(error) if written == ResultEncoding::Json => Err(ResultError::NotJson(error.to_string())),
                Err(_) => {
                    self.check_result(text.into())?;
                    Ok(ResultForm::Text)
                }
            },
            Type::String | Type::Enum | Type::Uuid | Type::Path => {
                if written == ResultEncoding::Json
                    && let Ok(value) = parsed(text)
                    && (value.is_string() || self.kind == Type::Enum)
                {
                    self.check_result(value)?;
                    return Ok(ResultForm::Json(None));
                }
                let value = self.read_text(text)?;
                // A choice that is not a string is sent as its own JSON value.
                let is_json = written == ResultEncoding::Json && !value.is_string();
                Ok(if is_json { ResultForm::Json(Some(value)) } else { ResultForm::Text })
            }
        }
    }

    /// Checks the fields of a form; a field without text is a file.
    fn check_fields(&self, fields: Vec<(String, Option<String>)>) -> Result<(), ResultError> {
        if fields.len() > MAX_VALUES {
            let expected = format!("at most {MAX_VALUES} fields");
            return Err(ArgumentErrors::one(ArgumentError::new("", ArgumentErrorKind::Invalid, None, expected)).into());
        }
        let any = Self::default();
        let mut errors = ArgumentErrors::default();
        let mut members = Map::new();
        for (name, text) in fields {
            let property = self.properties.iter().find(|property| property.name == name);
            let schema = property.map(|property| &property.schema).or(self.values.as_deref()).unwrap_or(&any);
            let value = match text {
                Some(text) if std::ptr::eq(schema, &raw const any) => Some(text.into()),
                Some(text) => schema.read_text_at(&text, &mut name.clone(), &mut Budget::default(), &mut errors),
                None if matches!(schema.kind, Type::Path | Type::Any) => Some("".into()),
                None => {
                    let expected = format!("{}, and no file", schema.expected());
                    errors.push(|| ArgumentError::new(&name, ArgumentErrorKind::Unexpected, None, expected));
                    None
                }
            };
            if let Some(value) = value
                && members.insert(name.clone(), value).is_some()
                && property.is_some()
            {
                errors.push(|| ArgumentError::new(&name, ArgumentErrorKind::Repeated, None, "it once"));
            }
        }
        for property in self.properties.iter().filter(|property| property.required) {
            let name = &property.name;
            let is_there = members.contains_key(name) || errors.listed().iter().any(|error| error.argument == *name);
            if !is_there {
                errors.push(|| ArgumentError::new(name, ArgumentErrorKind::Missing, None, property.schema.expected()));
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(errors.into()) }
    }
}

/// Parses a result as JSON.
fn parsed(text: &str) -> Result<Value, serde_json::Error> {
    json::read_json(text.as_bytes(), &mut Budget::with_values(MAX_VALUES))
}

/// A text as a JSON string.
fn quoted(text: &[u8]) -> Result<Bytes, ResultError> {
    let text = std::str::from_utf8(text).map_err(|_| ResultError::NotUtf8)?;
    Ok(Value::from(text).to_string().into())
}

/// The beginning of a result.
fn beginning(body: &[u8]) -> String {
    // A character has at most four bytes.
    shortened(&String::from_utf8_lossy(&body[..body.len().min(400)]))
}

/// The boundary in the first line of a form.
fn first_boundary(body: &[u8]) -> Option<&[u8]> {
    let line = body.split(|byte| *byte == b'\n').next()?;
    let boundary = line.strip_prefix(b"--")?.trim_ascii_end();
    // The characters that a quoted parameter can hold.
    let is_allowed = (1..=70).contains(&boundary.len())
        && boundary.iter().all(|byte| (*byte == b' ' || byte.is_ascii_graphic()) && !b"\"\\".contains(byte));
    is_allowed.then_some(boundary)
}

#[cfg(test)]
mod tests;
