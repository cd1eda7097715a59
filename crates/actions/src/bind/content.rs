//! Files as arguments: as content in base64, or on the command line by name; for the action always by path.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::{self, Path, PathBuf},
};

use bandog_codec::base64;
use serde_json::Value;

use super::{
    arguments::{Arguments, BoundArgument},
    error::BindError,
};
use crate::{
    action::{Action, MediaType},
    argument_error::{ArgumentError, ArgumentErrorKind, ArgumentErrors},
    schema::{
        Schema, Type,
        check::{element_at, member_at},
    },
};

/// Bytes of files that can be among the other arguments of a body, as base64: as many as of all that callers give there.
const MAX_CONTENTS: u64 = 8 * 1024 * 1024;

/// Whether all files in a value are what they have to be.
pub(super) fn check(
    value: &Value,
    schema: &Schema,
    is_local: bool,
    at: &mut String,
    errors: &mut ArgumentErrors,
) -> bool {
    let before = errors.count();
    look_through(value, schema, is_local, at, errors);
    errors.count() == before
}

/// Tells of every file in a value that is not what it has to be.
fn look_through(value: &Value, schema: &Schema, is_local: bool, at: &mut String, errors: &mut ArgumentErrors) {
    match (schema.kind, value) {
        (Type::Path, Value::String(text)) => {
            let found = if is_local {
                local(text).err().map(|error| format!("a file that can be read: {error}"))
            } else {
                decoded(text).err().map(|error| format!("base64: {error}"))
            };
            if let Some(expected) = found {
                errors.push(|| ArgumentError::new(at, ArgumentErrorKind::Invalid, Some(value), expected));
            }
        }
        (Type::List, Value::Array(elements)) => {
            let Some(schema) = &schema.elements else { return };
            for (number, element) in elements.iter().enumerate() {
                element_at(at, number, |at| look_through(element, schema, is_local, at, errors));
            }
        }
        (Type::Map, Value::Object(entries)) => {
            let Some(schema) = &schema.values else { return };
            for (key, entry) in entries {
                member_at(at, key, |at| look_through(entry, schema, is_local, at, errors));
            }
        }
        (Type::Object, Value::Object(members)) => {
            for property in &schema.properties {
                let Some(member) = members.get(&property.name) else { continue };
                member_at(at, &property.name, |at| look_through(member, &property.schema, is_local, at, errors));
            }
        }
        _ => {}
    }
}

/// The value with the paths of its files, which have passed [`check`].
pub(super) fn stored(
    value: Value,
    schema: &Schema,
    is_local: bool,
    argument: &str,
    store: &mut dyn FnMut(&str, &[u8]) -> io::Result<PathBuf>,
) -> io::Result<Value> {
    with_files(value, schema, &mut |text| {
        if is_local {
            return path_value(local(text)?);
        }
        path_value(store(argument, &decoded(text).map_err(io::Error::other)?)?)
    })
}

/// The value with something else in the place of each of its files.
fn with_files(value: Value, schema: &Schema, file: &mut dyn FnMut(&str) -> io::Result<Value>) -> io::Result<Value> {
    Ok(match (schema.kind, value) {
        (Type::Path, Value::String(text)) => file(&text)?,
        (Type::List, Value::Array(elements)) => match &schema.elements {
            Some(schema) => {
                elements.into_iter().map(|element| with_files(element, schema, file)).collect::<io::Result<Value>>()?
            }
            None => elements.into(),
        },
        (Type::Map, Value::Object(mut entries)) => {
            if let Some(schema) = &schema.values {
                for entry in entries.values_mut() {
                    *entry = with_files(entry.take(), schema, file)?;
                }
            }
            entries.into()
        }
        (Type::Object, Value::Object(mut members)) => {
            for property in &schema.properties {
                if let Some(member) = members.get_mut(&property.name) {
                    *member = with_files(member.take(), &property.schema, file)?;
                }
            }
            members.into()
        }
        (_, value) => value,
    })
}

impl Action {
    /// The arguments for somebody who has not the same disk: with what is in their files, as base64, in the place of the
    /// paths. What a body of this kind has as a file stays one.
    ///
    /// # Errors
    /// There is more in the files than 8 MiB, or they cannot be read.
    pub fn with_contents(&self, arguments: Arguments, kind: MediaType) -> Result<Arguments, BindError> {
        let mut left = MAX_CONTENTS;
        let mut read = |path: &str| {
            let mut bytes = Vec::new();
            File::open(path)?.take(left + 1).read_to_end(&mut bytes)?;
            left = left.checked_sub(bytes.len() as u64).ok_or(io::ErrorKind::FileTooLarge)?;
            Ok(base64_simd::STANDARD.encode_to_string(&bytes).into())
        };
        let mut told = Arguments::default();
        for BoundArgument { name, value, location } in arguments {
            let schema = self.argument(&name).map(|argument| &argument.schema);
            let value = match schema.filter(|schema| !is_sent_as_file(kind, schema)) {
                None => value,
                Some(schema) => with_files(value, schema, &mut read).map_err(|error| match error.kind() {
                    io::ErrorKind::FileTooLarge => {
                        let expected = format!("files of at most {MAX_CONTENTS} bytes in all, to be sent as base64");
                        let error = ArgumentError::new(&name, ArgumentErrorKind::Invalid, None, expected);
                        ArgumentErrors::one(ArgumentError { location: Some(location), ..error }).into()
                    }
                    _ => BindError::Store(error),
                })?,
            };
            told.push(BoundArgument { name, value, location });
        }
        Ok(told)
    }
}

/// Whether an argument is a part of a body by itself, or all of it.
fn is_sent_as_file(kind: MediaType, schema: &Schema) -> bool {
    let is_list = schema.elements.as_ref().is_some_and(|schema| schema.kind == Type::Path);
    match kind {
        MediaType::Json | MediaType::Form => false,
        MediaType::Multipart => schema.kind == Type::Path || is_list,
        MediaType::Bytes => schema.kind == Type::Path,
    }
}

/// The path of a file as a value.
pub(super) fn path_value(path: PathBuf) -> io::Result<Value> {
    match path.into_os_string().into_string() {
        Ok(path) => Ok(path.into()),
        Err(path) => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("{} is not UTF-8, which JSON has to be; set another --workspace", path.display()),
        )),
    }
}

/// A file of this machine, by its absolute path.
fn local(name: &str) -> io::Result<PathBuf> {
    let metadata = fs::metadata(name)?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    path::absolute(Path::new(name))
}

/// What base64 holds, as everywhere in bandog.
fn decoded(text: &str) -> Result<Vec<u8>, base64::Base64Error> {
    let (mut decoder, mut bytes) = (base64::Decoder::new(0), Vec::new());
    decoder.push(text.as_bytes(), &mut bytes)?;
    decoder.finish(&mut bytes)?;
    Ok(bytes)
}
