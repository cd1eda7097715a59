//! Files as arguments: as content in base64, or on the command line by name; for the action always by path.

use std::{
    fs, io,
    path::{self, Path, PathBuf},
};

use serde_json::Value;

use crate::{
    actions::{Flaw, FlawKind, Flaws, Schema, Type, schema::element_at, schema::member_at},
    intake::base64,
};

/// Whether all files in a value are what they have to be.
pub(super) fn check(value: &Value, schema: &Schema, is_local: bool, at: &mut String, flaws: &mut Flaws) -> bool {
    let before = flaws.count();
    look_through(value, schema, is_local, at, flaws);
    flaws.count() == before
}

/// Tells of every file in a value that is not what it has to be.
fn look_through(value: &Value, schema: &Schema, is_local: bool, at: &mut String, flaws: &mut Flaws) {
    match (schema.kind, value) {
        (Type::Path, Value::String(text)) => {
            let found = if is_local {
                local(text).err().map(|error| format!("a file that can be read: {error}"))
            } else {
                decoded(text).err().map(|error| format!("base64: {error}"))
            };
            if let Some(expected) = found {
                flaws.push(|| Flaw::new(at, FlawKind::Invalid, Some(value), expected));
            }
        }
        (Type::List, Value::Array(elements)) => {
            let Some(schema) = &schema.elements else { return };
            for (number, element) in elements.iter().enumerate() {
                element_at(at, number, |at| look_through(element, schema, is_local, at, flaws));
            }
        }
        (Type::Map, Value::Object(entries)) => {
            let Some(schema) = &schema.values else { return };
            for (key, entry) in entries {
                member_at(at, key, |at| look_through(entry, schema, is_local, at, flaws));
            }
        }
        (Type::Object, Value::Object(members)) => {
            for property in &schema.properties {
                let Some(member) = members.get(&property.name) else { continue };
                member_at(at, &property.name, |at| look_through(member, &property.schema, is_local, at, flaws));
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
    Ok(match (schema.kind, value) {
        (Type::Path, Value::String(text)) if is_local => name(local(&text)?)?,
        (Type::Path, Value::String(text)) => name(store(argument, &decoded(&text).map_err(io::Error::other)?)?)?,
        (Type::List, Value::Array(elements)) => match &schema.elements {
            Some(schema) => elements
                .into_iter()
                .map(|element| stored(element, schema, is_local, argument, store))
                .collect::<io::Result<Value>>()?,
            None => elements.into(),
        },
        (Type::Map, Value::Object(mut entries)) => {
            if let Some(schema) = &schema.values {
                for entry in entries.values_mut() {
                    *entry = stored(entry.take(), schema, is_local, argument, store)?;
                }
            }
            entries.into()
        }
        (Type::Object, Value::Object(mut members)) => {
            for property in &schema.properties {
                if let Some(member) = members.get_mut(&property.name) {
                    *member = stored(member.take(), &property.schema, is_local, argument, store)?;
                }
            }
            members.into()
        }
        (_, value) => value,
    })
}

/// The path of a file as a value.
pub(super) fn name(path: PathBuf) -> io::Result<Value> {
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
fn decoded(text: &str) -> Result<Vec<u8>, base64::Error> {
    let (mut decoder, mut bytes) = (base64::Decoder::new(0), Vec::new());
    decoder.push(text.as_bytes(), &mut bytes)?;
    decoder.finish(&mut bytes)?;
    Ok(bytes)
}
