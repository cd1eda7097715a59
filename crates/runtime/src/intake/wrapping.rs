//! A body that holds another one: what API gateways make of a request, and what OSCAR makes of an event that one
//! cluster delegates to another. Looked for only in the place of OSCAR's supervisor.
//!
//! Users' own JSON comes in by the same door, so nothing less than the exact shape counts:
//!
//! - An API gateway's request has `httpMethod`, `headers`, `body`, `isBase64Encoded` and `queryStringParameters`, each
//!   of its type. The input is the body, taken by the headers' `Content-Type`, or what its base64 holds.
//! - A delegated event has `storage_provider` and `event`, and nothing else, both text, `event` itself an object, which
//!   is the input.
//! - A storage event (see [`super::event`]) is an error, unless the function fetches it itself.
//!
//! The first may hold the other two, the second the third. The outer body is stored first, as any body is, so that
//! memory does not grow with it; one of more than [`LIMIT`] is not looked into.

use std::{borrow::Cow, ffi::OsStr, io};

use bytes::Bytes;
use memchr::memmem;
use rustix::fs::{AtFlags, Dir, Mode, OFlags, openat, unlinkat};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;

use bandog_codec::base64;

use super::{
    Envelope, Error, Input, InputDir, Kind, Labels, Source, SourceError,
    envelope::Content,
    event, receive,
    shape::{Text, Texts},
};

/// Bytes of the largest body that is looked into; a larger one is an ordinary one. While it is looked into, an
/// invocation holds two or three times that. AWS passes 6 MiB on to a function.
const LIMIT: u64 = 8 * 1024 * 1024;

/// What precedes the names of the variables that hold the query of an API gateway's request.
pub const QUERY_PREFIX: &str = "CONT_VAR_";

/// Bytes that the query may have, names and values together: as many as a request's header fields.
const QUERY_LIMIT: usize = 64 * 1024;

/// Names that the query may have: as many as a request has header fields. One with more is too long as well.
const QUERY_NAMES: usize = 256;

/// Bytes handed on in one piece.
const PIECE: usize = 64 * 1024;

/// Replaces an input that was received by what it holds, if it is an event of a platform. With `skips_input` no file
/// is left of it: the function is only told what it is about. With `is_loose` one key makes it such an event, as the
/// original had it.
///
/// # Errors
/// It names storage, and the function does not fetch it itself; or what it holds is a bad body. Then `dir` is empty.
pub fn unwrap(
    input: Input,
    dir: InputDir<'_>,
    max_body: u64,
    skips_input: bool,
    is_loose: bool,
) -> Result<Input, Error> {
    let unwrapped = layer_by_layer(input, dir, max_body, skips_input, is_loose);
    if unwrapped.is_err() {
        // The workspace goes too; a second failure has nobody to go to.
        let _ = clear(dir);
    }
    unwrapped
}

fn layer_by_layer(
    mut input: Input,
    dir: InputDir<'_>,
    max_body: u64,
    skips_input: bool,
    is_loose: bool,
) -> Result<Input, Error> {
    let (mut variables, mut notes) = (Vec::new(), Vec::new());
    let mut layers = Layers { gateway: true, delegated: true, json: input.kind == Kind::Json };
    // What plain bandog sees in it is seen again below.
    input.event = None;
    while let Some(text) = text_of(&input, dir, &layers).map_err(Error::Store)? {
        let strict = found(&text, &layers);
        let (envelope, body) = match strict.or_else(|| loosely_found(&text, &layers).filter(|_| is_loose)) {
            None => break,
            Some(Found::Storage(named)) => {
                input.event = named.event.filter(|_| skips_input);
                if input.event.is_none() {
                    return Err(Error::Storage { store: named.store });
                }
                notes.push("Storage event found.");
                break;
            }
            Some(Found::Delegated(event)) => {
                notes.push("Delegated event found.");
                layers = Layers { gateway: false, delegated: false, json: true };
                // Strictly it is an object; loosely anything, by the table.
                (Envelope::parse(&Labels::default())?, Cow::Owned(event.into_owned().into_bytes()))
            }
            Some(Found::Gateway(gateway)) => {
                notes.push("API Gateway event found.");
                variables = gateway.variables()?;
                layers = Layers { gateway: false, delegated: true, json: gateway.is_base64 };
                gateway.body()?
            }
        };
        clear(dir).map_err(Error::Store)?;
        input = receive(&envelope, &mut Pieces(body.chunks(PIECE)), dir, max_body)?;
        layers.json |= input.kind == Kind::Json;
        input.event = None;
    }
    if skips_input {
        clear(dir).map_err(Error::Store)?;
        input.path = None;
        notes.push("Skipping download of input file.");
    }
    Ok(Input { variables, notes, ..input })
}

/// What is still looked for.
struct Layers {
    gateway: bool,
    delegated: bool,
    /// Whether the input may be JSON.
    json: bool,
}

/// What was found.
enum Found<'a> {
    Gateway(Gateway<'a>),
    Delegated(Cow<'a, str>),
    Storage(event::Named),
}

fn found<'a>(json: &'a [u8], layers: &Layers) -> Option<Found<'a>> {
    // Most bodies are not events; this finds out without parsing them a second time.
    let has = |key: &str| memmem::find(json, key.as_bytes()).is_some();
    if layers.gateway
        && has("\"httpMethod\"")
        && let Ok(gateway) = serde_json::from_slice(json)
    {
        return Some(Found::Gateway(gateway));
    }
    if layers.delegated
        && has("\"storage_provider\"")
        && let Ok(Delegated { event: Text(event), .. }) = serde_json::from_slice(json)
        && event.trim_ascii_start().starts_with('{')
        && serde_json::from_str::<IgnoredAny>(&event).is_ok()
    {
        return Some(Found::Delegated(event));
    }
    event::named(json).map(Found::Storage)
}

/// What the original found, which looked for one key.
fn loosely_found<'a>(json: &'a [u8], layers: &Layers) -> Option<Found<'a>> {
    if layers.gateway
        && let Ok(LooseGateway { body, query, .. }) = serde_json::from_slice(json)
    {
        // It looked at neither the headers nor `isBase64Encoded`.
        return Some(Found::Gateway(Gateway { _method: Method::Post, headers: None, body, is_base64: false, query }));
    }
    if layers.delegated
        && let Ok(LooselyDelegated { event }) = serde_json::from_slice(json)
    {
        let text = match event {
            Value::String(text) => text,
            other => other.to_string(),
        };
        return Some(Found::Delegated(Cow::Owned(text)));
    }
    None
}

/// The whole of an input, if it may be an event.
fn text_of(input: &Input, dir: InputDir<'_>, layers: &Layers) -> io::Result<Option<Vec<u8>>> {
    let name = input.path.as_ref().and_then(|path| path.file_name());
    let Some(name) = name.filter(|_| layers.json && input.bytes <= LIMIT && input.kind != Kind::Multipart) else {
        return Ok(None);
    };
    let file = openat(dir.fd, name, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty())?;
    let mut text = vec![0; usize::try_from(input.bytes).unwrap_or_default()];
    io::Read::read_exact(&mut std::fs::File::from(file), &mut text)?;
    Ok(Some(text).filter(|text| text.trim_ascii_start().starts_with(b"{")))
}

/// Removes what was received.
fn clear(dir: InputDir<'_>) -> io::Result<()> {
    for entry in Dir::read_from(dir.fd)? {
        let name = entry?;
        let name = OsStr::new(std::str::from_utf8(name.file_name().to_bytes()).map_err(io::Error::other)?);
        if name != "." && name != ".." {
            unlinkat(dir.fd, name, AtFlags::empty())?;
        }
    }
    Ok(())
}

/// What OSCAR makes of an event that it hands on to another cluster.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Delegated<'a> {
    #[serde(borrow, rename = "storage_provider")]
    _storage_provider: Text<'a>,
    #[serde(borrow)]
    event: Text<'a>,
}

/// What the original took for a delegated event.
#[derive(Deserialize)]
struct LooselyDelegated {
    event: Value,
}

/// What the original took for an API gateway's request.
#[derive(Deserialize)]
struct LooseGateway<'a> {
    #[serde(rename = "httpMethod")]
    _method: IgnoredAny,
    #[serde(borrow, default)]
    body: Option<Text<'a>>,
    #[serde(borrow, default, rename = "queryStringParameters")]
    query: Option<Texts<'a>>,
}

/// A request as an API gateway hands it on. A field that is not there is not the same as one that is null.
#[derive(Deserialize)]
struct Gateway<'a> {
    #[serde(rename = "httpMethod")]
    _method: Method,
    #[serde(borrow, deserialize_with = "Option::deserialize")]
    headers: Option<Texts<'a>>,
    #[serde(borrow, deserialize_with = "Option::deserialize")]
    body: Option<Text<'a>>,
    #[serde(rename = "isBase64Encoded")]
    is_base64: bool,
    #[serde(borrow, rename = "queryStringParameters", deserialize_with = "Option::deserialize")]
    query: Option<Texts<'a>>,
}

/// The methods of RFC 9110 §9 and RFC 5789.
#[derive(Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Method {
    Get,
    Head,
    Post,
    Put,
    Delete,
    Connect,
    Options,
    Trace,
    Patch,
}

impl<'a> Gateway<'a> {
    /// The body, and how it is to be taken.
    fn body(self) -> Result<(Envelope, Cow<'a, [u8]>), Error> {
        let headers = self.headers.unwrap_or_default();
        let label = |name: &str| {
            let found = headers.0.iter().find(|(field, _)| field.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.as_bytes().to_vec())
        };
        let mut envelope = Envelope::parse(&Labels {
            content_type: label("content-type"),
            content_encoding: label("content-encoding"),
            content_transfer_encoding: label("content-transfer-encoding"),
            content_disposition: label("content-disposition"),
        })?;
        let text = self.body.map(|Text(body)| body).unwrap_or_default();
        if !self.is_base64 {
            return Ok((
                envelope,
                match text {
                    Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                    Cow::Owned(text) => Cow::Owned(text.into_bytes()),
                },
            ));
        }
        // What the gateway has encoded is decoded once; there is nothing left to find out.
        if let Content::Text(_) = envelope.content {
            envelope.content = Content::Raw;
        }
        let (mut decoder, mut bytes) = (base64::Decoder::new(0), Vec::with_capacity(text.len() / 4 * 3 + 3));
        for piece in text.as_bytes().chunks(PIECE) {
            decoder.push(piece, &mut bytes)?;
        }
        decoder.finish(&mut bytes)?;
        Ok((envelope, Cow::Owned(bytes)))
    }

    /// The query as variables. Empty values are none, as the supervisor has it; names that no shell can read are left
    /// out.
    fn variables(&self) -> Result<Vec<(String, String)>, Error> {
        let is_name =
            |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let query = self.query.as_ref().map(|query| query.0.as_slice()).unwrap_or_default();
        let length: usize = query.iter().map(|(name, value)| name.len() + value.len()).sum();
        if length > QUERY_LIMIT || query.len() > QUERY_NAMES {
            return Err(Error::Query { limit: QUERY_LIMIT, names: QUERY_NAMES });
        }
        let mut variables: Vec<(String, String)> = Vec::with_capacity(query.len());
        for (name, value) in query {
            if !is_name(name) || value.is_empty() || value.contains('\0') {
                continue;
            }
            let name = format!("{QUERY_PREFIX}{name}");
            // As a parser into a map has it, the last one counts.
            variables.retain(|(earlier, _)| *earlier != name);
            variables.push((name, value.to_string()));
        }
        Ok(variables)
    }
}

/// A body that is in memory.
struct Pieces<'a>(std::slice::Chunks<'a, u8>);

impl Source for Pieces<'_> {
    fn next(&mut self) -> Result<Option<Bytes>, SourceError> {
        Ok(self.0.next().map(Bytes::copy_from_slice))
    }
}

#[cfg(test)]
mod tests;
