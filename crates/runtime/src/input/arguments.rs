//! A body with the arguments of an action: stored as every body is, then read for what it holds.
//!
//! Files stay on disk; what is read into memory is bounded.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::Path,
};

use bytes::Bytes;

use bandog_codec::base64::{self, is_blank};

use super::{
    BodyError, BodySource, Envelope, FormPart, Input, InputDir, InputError, InputKind, envelope::BodyFormat, receive,
    text::TextFormat,
};
use crate::actions::{
    self, Action, ArgumentError, ArgumentErrorKind, ArgumentErrors, Body, Budget, FormField, Location, MAX_VALUES,
    Placement, Type, read_json,
};

/// Bytes of JSON, or of the text fields of a form, that are read as arguments. Beyond it they are refused; files are not
/// counted.
const LIMIT: u64 = 8 * 1024 * 1024;

/// Bytes of a file read in one go.
const PIECE: usize = 64 * 1024;

/// Reads what a body holds, which was received in `dir` by [`Envelope::for_action`].
///
/// - JSON is an object with arguments in it; so is base64 of one.
/// - `application/x-www-form-urlencoded` is a form without control characters, unless it begins with `{`, or is base64 of something that does, or,
///   for an action of which one argument is a file, base64 with no argument's name in it.
/// - The parts of a form are arguments; a file for an argument of another type than `path` is read as its text.
/// - All else is a file.
pub fn arguments(
    envelope: &Envelope,
    input: &Input,
    dir: InputDir<'_>,
    action: &Action,
    way: Placement,
) -> Result<Body, InputError> {
    let Some(path) = &input.path else { return Ok(Body::None) };
    let wants_file = action.file_argument(way).is_some();
    let file = || Body::File(path.clone());
    match input.kind {
        InputKind::Empty if wants_file && envelope.content == BodyFormat::Raw => Ok(file()),
        InputKind::Empty => Ok(Body::None),
        InputKind::Multipart => fields(&input.parts, action).map(Body::Fields),
        InputKind::Json => {
            // A body labelled as JSON is JSON, and is not kept in a file.
            let is_labelled =
                matches!(envelope.content, BodyFormat::Text(TextFormat::AnyJsonOrBase64 | TextFormat::Json));
            if wants_file && !is_labelled && first(path)? != Some(b'{') {
                Ok(file())
            } else {
                object(path, input.bytes)
            }
        }
        InputKind::Base64 if first(path)? == Some(b'{') => match object(path, input.bytes) {
            Err(InputError::Arguments(_) | InputError::LongArguments { .. }) if wants_file => Ok(file()),
            read => read,
        },
        InputKind::Raw if envelope.content == BodyFormat::Fields => urlencoded(path, input.bytes, dir, action, way),
        InputKind::Base64 | InputKind::Text | InputKind::Raw => Ok(file()),
    }
}

/// The object in a file.
fn object(path: &Path, bytes: u64) -> Result<Body, InputError> {
    object_of(&contents(path, bytes)?)
}

fn object_of(text: &[u8]) -> Result<Body, InputError> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    match read_json(text, &mut Budget::default()) {
        Ok(serde_json::Value::Object(members)) => Ok(Body::Object(members)),
        Ok(other) => Err(whole(ArgumentError::new(
            "",
            ArgumentErrorKind::Invalid,
            Some(&other),
            "a JSON object with the arguments",
        ))),
        Err(error) => {
            let expected = format!("a JSON object with the arguments, which this is not: {error}");
            Err(whole(ArgumentError::new("", ArgumentErrorKind::Invalid, None, expected)))
        }
    }
}

/// Reads a body that is labelled as `application/x-www-form-urlencoded`.
fn urlencoded(path: &Path, bytes: u64, dir: InputDir<'_>, action: &Action, way: Placement) -> Result<Body, InputError> {
    let wants_file = action.file_argument(way).is_some();
    if bytes > LIMIT {
        // Too long for arguments, and perhaps no form at all.
        return if wants_file { decoded(path, dir) } else { Err(InputError::LongArguments { limit: LIMIT }) };
    }
    let text = contents(path, bytes)?;
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    let is_object = |text: &[u8]| text.iter().find(|byte| !is_blank(**byte)) == Some(&b'{');
    if is_object(text) {
        return object_of(text);
    }
    // What has control characters is a file, and the label the one that curl sets by itself.
    let is_control = |byte: &u8| byte.is_ascii_control() && !is_blank(*byte);
    if let Some(offset) = text.iter().position(is_control) {
        return Err(InputError::BytesInForm { byte: text[offset], offset });
    }
    let pairs = || actions::decode_pairs(text);
    let is_known = pairs().any(|(name, _)| action.argument(&name).is_some());
    if !is_known && let Some(plain) = plain(text) {
        if is_object(&plain)
            && let Ok(body) = object_of(&plain)
        {
            return Ok(body);
        }
        if wants_file && !plain.is_empty() {
            return decoded(path, dir);
        }
    }
    if pairs().nth(MAX_VALUES).is_some() {
        let expected = format!("at most {MAX_VALUES} fields");
        return Err(whole(ArgumentError::new("", ArgumentErrorKind::Invalid, None, expected)));
    }
    let field = |(name, value)| FormField { name, content: actions::FieldContent::Text(value) };
    Ok(Body::Fields(pairs().map(field).collect()))
}

/// The bytes that `text` encodes, if it is base64.
fn plain(text: &[u8]) -> Option<Vec<u8>> {
    let (mut decoder, mut plain) = (base64::Decoder::new(0), Vec::new());
    decoder.push(text, &mut plain).ok()?;
    decoder.finish(&mut plain).ok()?;
    Some(plain)
}

/// The file that a file of base64 holds, in its place.
fn decoded(path: &Path, dir: InputDir<'_>) -> Result<Body, InputError> {
    let mut source = StoredFile(File::open(path).map_err(BodyError::Io)?);
    let input = receive(&Envelope::base64(), &mut source, dir, 0).map_err(|error| match error {
        InputError::NotBase64(_) => InputError::LongArguments { limit: LIMIT },
        other => other,
    })?;
    fs::remove_file(path).map_err(InputError::Store)?;
    Ok(input.path.map_or(Body::None, Body::File))
}

/// The parts of a form, with the texts among them.
fn fields(parts: &[FormPart], action: &Action) -> Result<Vec<FormField>, InputError> {
    let mut left = LIMIT;
    let mut fields = Vec::with_capacity(parts.len());
    for part in parts {
        let name = part.name.clone().unwrap_or_default();
        let takes_file = action.argument(&name).is_none_or(|argument| {
            let elements = argument.schema.elements.as_ref().map(|elements| elements.kind);
            argument.schema.kind == Type::Path || argument.schema.kind == Type::List && elements == Some(Type::Path)
        });
        let content = if part.is_file && takes_file {
            actions::FieldContent::File(part.path.clone())
        } else {
            left = left.checked_sub(part.bytes).ok_or(InputError::LongArguments { limit: LIMIT })?;
            actions::FieldContent::Text(String::from_utf8(contents(&part.path, part.bytes)?).ok())
        };
        fields.push(FormField { name, content });
    }
    Ok(fields)
}

/// A flaw of the body as a whole.
fn whole(flaw: ArgumentError) -> InputError {
    InputError::Arguments(ArgumentErrors::one(ArgumentError { location: Some(Location::Body), ..flaw }))
}

/// The first byte of a file that is no blank.
fn first(path: &Path) -> Result<Option<u8>, InputError> {
    let mut file = File::open(path).map_err(BodyError::Io)?;
    let mut piece = vec![0; PIECE];
    loop {
        let read = file.read(&mut piece).map_err(BodyError::Io)?;
        if let Some(first) = piece[..read].iter().find(|byte| !is_blank(**byte)) {
            return Ok(Some(*first));
        }
        if read == 0 {
            return Ok(None);
        }
    }
}

/// All of a file of this length.
fn contents(path: &Path, bytes: u64) -> Result<Vec<u8>, InputError> {
    if bytes > LIMIT {
        return Err(InputError::LongArguments { limit: LIMIT });
    }
    Ok(fs::read(path).map_err(BodyError::Io)?)
}

/// A body that is in a file.
struct StoredFile(File);

impl BodySource for StoredFile {
    fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        let mut piece = vec![0; PIECE];
        loop {
            match self.0.read(&mut piece) {
                Ok(0) => return Ok(None),
                Ok(read) => {
                    piece.truncate(read);
                    return Ok(Some(piece.into()));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests;
