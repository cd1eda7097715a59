//! Events of OSCAR that contain the input: a request that an API gateway has wrapped, and an event that one cluster
//! delegates to another.
//!
//! Users' own JSON takes the same way, so only the exact shape of an event counts:
//!
//! - An API gateway's request has `httpMethod`, `headers`, `body`, `isBase64Encoded` and `queryStringParameters`, each
//!   of its type. The input is the body, read by the `Content-Type` in `headers`, or the bytes that its base64 encodes.
//! - A delegated event has `storage_provider`, which is text, and `event`, and nothing else. `event` is the text of an
//!   object, which is the input, or a storage event as it is.
//! - A storage event (see [`storage_notification`]) stays as it is: the object that it names becomes the input afterwards,
//!   unless the function fetches the object itself.
//!
//! The first may contain the other two, the second the third. The outer body is stored first, as any body is, so that
//! memory does not grow with it. A body of more than [`LIMIT`] is not searched for an event.

use std::{
    borrow::Cow,
    ffi::{OsStr, OsString},
    io,
};

use bandog_codec::base64;
use bytes::Bytes;
use memchr::memmem;
use rustix::fs::{Mode, OFlags, openat};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Value, value::RawValue};

use crate::{
    actions::{Budget, read_json},
    input::{
        BodyError, BodySource, ContentHeaders, Envelope, Input, InputDir, InputError, InputFilter, InputKind,
        StorageError, StorageErrorKind, StorageNotification, receive,
        shape::{MaybeText, Text, Texts},
        storage_notification,
    },
};

/// Bytes of the largest body that is searched for an event. A larger one is an ordinary body. The search takes two or
/// three times as much memory. AWS passes at most 6 MiB to a function.
const LIMIT: u64 = 8 * 1024 * 1024;

/// The prefix of the variables that hold the query of an API gateway's request.
pub const QUERY_PREFIX: &str = "CONT_VAR_";

/// Bytes that the query may have, names and values together: as many as a request's header fields.
const QUERY_LIMIT: usize = 64 * 1024;

/// Names that the query may have: as many as a request has header fields.
const QUERY_NAMES: usize = 256;

/// Bytes passed on in one piece.
const PIECE: usize = 64 * 1024;

/// Opens OSCAR's events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvelopeFilter {
    /// Whether the function fetches its input itself: no file is left, and a storage event is passed on.
    pub skips_input: bool,
    /// Whether the object that a storage event names takes its place afterwards. Otherwise such an event is an error.
    pub has_store: bool,
    /// Whether a single key makes a body an event, as in the replaced program.
    pub is_loose: bool,
    /// Variables of the function that an event overrides.
    pub replaceable: Vec<(OsString, OsString)>,
}

impl InputFilter for EnvelopeFilter {
    fn filter(&self, input: Input, dir: InputDir<'_>, max_body: u64) -> Result<Input, InputError> {
        let opened = self.open_envelope(input, dir, max_body);
        if opened.is_err() {
            // Ignored: the workspace is removed too, and the first error is the one to report.
            let _ = dir.clear();
        }
        let (mut input, is_storage) = opened?;
        let is_set = |name: &OsStr| {
            let is_event = name == "EVENT" && is_storage;
            is_event || input.variables.iter().any(|(set, _)| set == name)
        };
        let inherited: Vec<_> = self.replaceable.iter().filter(|(name, _)| !is_set(name)).cloned().collect();
        input.variables.extend(inherited);
        Ok(input)
    }
}

impl EnvelopeFilter {
    /// Removes one layer after the other. Also returns whether the last of them names an object in a store.
    fn open_envelope(&self, mut input: Input, dir: InputDir<'_>, max_body: u64) -> Result<(Input, bool), InputError> {
        let (mut variables, mut notes, mut provider) = (Vec::new(), Vec::new(), None);
        let mut is_storage = false;
        let mut expected = Expected { gateway: true, delegated: true, json: input.kind == InputKind::Json };
        // Recognised again below, where the function may or may not have it.
        input.event = None;
        while let Some(text) = text_of(&input, dir, &expected).map_err(InputError::Store)? {
            let layer = strict_layer(&text, &expected);
            let layer = layer.or_else(|| loose_layer(&text, &expected).filter(|_| self.is_loose));
            let (envelope, body) = match layer {
                None => break,
                Some(Layer::Storage(notice)) => {
                    if !self.has_store && !self.skips_input {
                        return Err(InputError::Storage(StorageError {
                            kind: StorageErrorKind::ProviderUnknown,
                            detail: format!(
                                "the event names an object in {}, which is not fetched here: in mode http, or in a build \
                                 without storage",
                                notice.store
                            ),
                        }));
                    }
                    if self.skips_input && notice.event.is_none() {
                        return Err(InputError::Filter(format!(
                            "the event names an object in {}, and the function, which fetches it itself, cannot be told: \
                             no variable can hold the event",
                            notice.store
                        )));
                    }
                    // Unless the function fetches it itself, the object takes the place of the event.
                    input.event = notice.event;
                    is_storage = true;
                    notes.push("Storage event found.");
                    break;
                }
                Some(Layer::Delegated(event, name)) => {
                    provider = name.map(Cow::into_owned);
                    notes.push("Delegated event found.");
                    expected = Expected { gateway: false, delegated: false, json: true };
                    // An object in a strict layer. In a loose one it may be any body.
                    (Envelope::parse(&ContentHeaders::default())?, Cow::Owned(event.into_owned().into_bytes()))
                }
                Some(Layer::Gateway(gateway)) => {
                    notes.push("API Gateway event found.");
                    variables = gateway.variables()?;
                    expected = Expected { gateway: false, delegated: true, json: gateway.is_base64 };
                    gateway.body()?
                }
            };
            dir.clear().map_err(InputError::Store)?;
            input = receive(&envelope, &mut Pieces(body.chunks(PIECE)), dir, max_body)?;
            expected.json |= input.kind == InputKind::Json;
            input.event = None;
        }
        if self.skips_input {
            dir.clear().map_err(InputError::Store)?;
            input.path = None;
            notes.push("Skipping download of input file.");
        }
        Ok((Input { variables, notes, provider, ..input }, is_storage))
    }
}

/// The layers that may still come.
struct Expected {
    gateway: bool,
    delegated: bool,
    /// Whether the input may be JSON.
    json: bool,
}

/// A layer around the input, or the event in place of it.
enum Layer<'a> {
    Gateway(Gateway<'a>),
    /// The event, and the name of its store.
    Delegated(Cow<'a, str>, Option<Cow<'a, str>>),
    Storage(StorageNotification),
}

/// The layer that has the exact shape of one.
fn strict_layer<'a>(json: &'a [u8], expected: &Expected) -> Option<Layer<'a>> {
    // Most bodies are not events. Searching for a key avoids parsing those a second time.
    let has = |key: &str| memmem::find(json, key.as_bytes()).is_some();
    if expected.gateway
        && has("\"httpMethod\"")
        && let Ok(gateway) = serde_json::from_slice(json)
    {
        return Some(Layer::Gateway(gateway));
    }
    if expected.delegated
        && has("\"storage_provider\"")
        && let Ok(Delegated { event, storage_provider: Text(provider) }) = serde_json::from_slice(json)
        && let Some(event) = object_of(event)
    {
        return Some(Layer::Delegated(event, Some(provider)));
    }
    storage_notification(json).map(Layer::Storage)
}

/// The object that a text holds, or a storage event that is no text. Another object there is users' own.
fn object_of(value: &RawValue) -> Option<Cow<'_, str>> {
    if storage_notification(value.get().as_bytes()).is_some() {
        return Some(Cow::Borrowed(value.get()));
    }
    let Text(text) = serde_json::from_str(value.get()).ok()?;
    let is_object = text.trim_ascii_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(&text).is_ok();
    is_object.then_some(text)
}

/// The layer that the replaced program would have found, which looked for one key.
fn loose_layer<'a>(json: &'a [u8], expected: &Expected) -> Option<Layer<'a>> {
    if expected.gateway
        && let Ok(LooseGateway { body, query, .. }) = serde_json::from_slice(json)
    {
        // It looked at neither the headers nor `isBase64Encoded`.
        return Some(Layer::Gateway(Gateway { _method: Method::Post, headers: None, body, is_base64: false, query }));
    }
    if expected.delegated
        && let Ok(LooselyDelegated { event, storage_provider: provider }) = serde_json::from_slice(json)
    {
        // Text, or the JSON of any other value without blanks and with its numbers as they were written; what is too large
        // to be read stays as it is.
        let text = match read_json(event.get().as_bytes(), &mut Budget::default()) {
            Ok(Value::String(text)) => Cow::Owned(text),
            Ok(other) => Cow::Owned(other.to_string()),
            Err(_) => Cow::Borrowed(event.get()),
        };
        return Some(Layer::Delegated(text, provider.text().map(|name| Cow::Owned(name.to_owned()))));
    }
    None
}

/// The whole of an input, if it may be an event.
fn text_of(input: &Input, dir: InputDir<'_>, expected: &Expected) -> io::Result<Option<Vec<u8>>> {
    let name = input.path.as_ref().and_then(|path| path.file_name());
    let Some(name) = name.filter(|_| expected.json && input.bytes <= LIMIT && input.kind != InputKind::Multipart)
    else {
        return Ok(None);
    };
    let file = openat(dir.fd, name, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty())?;
    let mut text = vec![0; usize::try_from(input.bytes).unwrap_or_default()];
    io::Read::read_exact(&mut std::fs::File::from(file), &mut text)?;
    Ok(Some(text).filter(|text| text.trim_ascii_start().starts_with(b"{")))
}

/// An event that OSCAR delegates to another cluster.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Delegated<'a> {
    #[serde(borrow)]
    storage_provider: Text<'a>,
    #[serde(borrow)]
    event: &'a RawValue,
}

/// A delegated event, by the rules of the replaced program.
#[derive(Deserialize)]
struct LooselyDelegated<'a> {
    #[serde(borrow)]
    event: &'a RawValue,
    #[serde(borrow, default)]
    storage_provider: MaybeText<'a>,
}

/// An API gateway's request, by the rules of the replaced program.
#[derive(Deserialize)]
struct LooseGateway<'a> {
    #[serde(rename = "httpMethod")]
    _method: IgnoredAny,
    #[serde(borrow, default)]
    body: Option<Text<'a>>,
    #[serde(borrow, default, rename = "queryStringParameters")]
    query: Option<Texts<'a>>,
}

/// A request that an API gateway has wrapped. Each field must be there; some of them may be null.
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
    /// The body, and how to read it.
    fn body(self) -> Result<(Envelope, Cow<'a, [u8]>), InputError> {
        let headers = self.headers.unwrap_or_default();
        let label = |name: &str| {
            let found = headers.0.iter().find(|(field, _)| field.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.as_bytes().to_vec())
        };
        let envelope = Envelope::parse(&ContentHeaders {
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
        // The gateway has encoded it, so that it is decoded once and then read as bytes.
        let (mut decoder, mut bytes) = (base64::Decoder::new(0), Vec::with_capacity(text.len() / 4 * 3 + 3));
        for piece in text.as_bytes().chunks(PIECE) {
            decoder.push(piece, &mut bytes)?;
        }
        decoder.finish(&mut bytes)?;
        Ok((envelope.decoded(), Cow::Owned(bytes)))
    }

    /// The query as variables. Empty values are left out, as the replaced program did, and so are names that no shell
    /// can read.
    fn variables(&self) -> Result<Vec<(OsString, OsString)>, InputError> {
        let is_name =
            |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let query = self.query.as_ref().map(|query| query.0.as_slice()).unwrap_or_default();
        let length: usize = query.iter().map(|(name, value)| name.len() + value.len()).sum();
        if length > QUERY_LIMIT || query.len() > QUERY_NAMES {
            return Err(InputError::Filter(format!(
                "queryStringParameters of the API gateway's event have more than {QUERY_LIMIT} bytes, or more than \
                 {QUERY_NAMES} names"
            )));
        }
        let mut variables: Vec<(OsString, OsString)> = Vec::with_capacity(query.len());
        for (name, value) in query {
            if !is_name(name) || value.is_empty() || value.contains('\0') {
                continue;
            }
            let name = OsString::from(format!("{QUERY_PREFIX}{name}"));
            // The last one counts, as in a parser that fills a map.
            variables.retain(|(earlier, _)| *earlier != name);
            variables.push((name, OsString::from(&**value)));
        }
        Ok(variables)
    }
}

/// A body in memory.
struct Pieces<'a>(std::slice::Chunks<'a, u8>);

impl BodySource for Pieces<'_> {
    fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        Ok(self.0.next().map(Bytes::copy_from_slice))
    }
}

#[cfg(test)]
mod tests;
