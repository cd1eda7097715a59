//! Files as arguments. They are given as base64, or by name on the command line; the action gets their paths.

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

/// Bytes of files that fit among the other arguments of a body, as base64: the same limit as for the files of a caller.
const MAX_CONTENTS: u64 = 8 * 1024 * 1024;

/// Checks all files in a value.
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

/// Reports each invalid file in a value.
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

/// Replaces the files in a value, which have passed [`check`], by their paths.
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

/// Replaces each file in a value by the result of `file`.
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
    /// The arguments for a server that does not share the file system: paths are replaced by the base64 of the files. A
    /// file that a body of this kind carries as a file remains a path.
    ///
    /// # Errors
    ///
    /// The files hold more than 8 MiB, or cannot be read.
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

/// Whether the argument is sent as a file: a part of its own in a form, or the whole body.
fn is_sent_as_file(kind: MediaType, schema: &Schema) -> bool {
    let is_list = schema.elements.as_ref().is_some_and(|schema| schema.kind == Type::Path);
    match kind {
        MediaType::Json | MediaType::Form => false,
        MediaType::Multipart => schema.kind == Type::Path || is_list,
        MediaType::Bytes => schema.kind == Type::Path,
    }
}

/// The path of a file as a JSON string.
pub(super) fn path_value(path: PathBuf) -> io::Result<Value> {
    match path.into_os_string().into_string() {
        Ok(path) => Ok(path.into()),
        Err(path) => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("{} is not UTF-8, which JSON has to be; set another --workspace", path.display()),
        )),
    }
}

/// The absolute path of a file of this machine.
fn local(name: &str) -> io::Result<PathBuf> {
    let metadata = fs::metadata(name)?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    path::absolute(Path::new(name))
}

/// Decodes base64, as leniently as everywhere in bandog.
fn decoded(text: &str) -> Result<Vec<u8>, base64::Base64Error> {
    let (mut decoder, mut bytes) = (base64::Decoder::new(0), Vec::new());
    decoder.push(text.as_bytes(), &mut bytes)?;
    decoder.finish(&mut bytes)?;
    Ok(bytes)
}
