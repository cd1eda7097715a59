//! The request that does an action, made of its arguments.

use std::{borrow::Cow, net::IpAddr};

use hyper::{
    HeaderMap, Request,
    header::{
        ACCEPT, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, HeaderName, HeaderValue, TE, TRAILER,
        TRANSFER_ENCODING, UPGRADE, USER_AGENT,
    },
    http::request::Parts,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use super::payload::{Part, Payload};
use crate::{
    actions::{
        Action, ArgumentError, ArgumentErrorKind, ArgumentErrors, Arguments, BoundArgument, Endpoint, HttpCall,
        Location, MediaType, Piece, Template, Type,
    },
    executor::proxy::{
        Address,
        request::{X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO},
    },
    reply::X_CALL_ID,
};

/// The media types that the server of an action may respond with.
const ACCEPTED: HeaderValue = HeaderValue::from_static("application/json, text/plain, */*");

/// The characters to encode in a path, a query and a form: all but the unreserved ones (RFC 3986 §2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Bytes of a target that can be sent; what is longer servers do not take.
const TARGET_LIMIT: usize = 64 * 1024;

/// Fields that are not for an argument: they frame the request.
const FRAMING: [HeaderName; 9] =
    [CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];

/// The facts about a call, except its arguments.
pub(super) struct ActionFacts<'a> {
    pub(super) call_id: &'a str,
    /// The header fields of the caller. Only those that name the target of the call are forwarded.
    pub(super) caller: &'a HeaderMap,
    pub(super) peer: Option<IpAddr>,
    /// It goes to the service itself, which may know who has called.
    pub(super) is_ours: bool,
    /// Its connection is for this request only.
    pub(super) closes: bool,
}

/// A request, ready to be sent.
#[derive(Debug)]
pub(super) struct PreparedRequest {
    pub(super) head: Parts,
    pub(super) payload: Payload,
}

impl PreparedRequest {
    /// Makes it of the arguments, and of the fields that do not come from them.
    ///
    /// # Errors
    /// Arguments that fit, but cannot be sent.
    pub(super) fn new(
        action: &Action,
        how: &HttpCall,
        arguments: &Arguments,
        mut headers: HeaderMap,
    ) -> Result<Self, ArgumentErrors> {
        let mut flaws = ArgumentErrors::default();
        let (Endpoint::Service { path, .. } | Endpoint::External { path, .. }) = &how.endpoint;
        let declares_body = action.arguments.iter().any(|argument| argument.location == Location::Body);
        let takes_body = how.method != hyper::Method::GET || declares_body;
        let place = |bound: &BoundArgument| match bound.location {
            Location::Body if !takes_body => Location::Query,
            other => other,
        };
        let at = |wanted| arguments.iter().filter(move |bound| place(bound) == wanted);
        let mut target = target(path, arguments, &mut flaws);
        for (number, bound) in at(Location::Query).enumerate() {
            target.push(if number == 0 { '?' } else { '&' });
            pair(&mut target, bound);
        }
        for bound in at(Location::Header) {
            match field(bound) {
                Some((name, value)) => drop(headers.insert(name, value)),
                None => flaws.push(|| flaw(bound, "what can be sent in a header field of this name")),
            }
        }
        let body: Vec<&BoundArgument> = at(Location::Body).collect();
        if how.content_type == MediaType::Bytes {
            for bound in body.iter().skip(1) {
                flaws.push(|| flaw(bound, "one argument in the body, which is all of it"));
            }
        }
        let payload = if takes_body && (declares_body || !body.is_empty()) {
            payload(how.content_type, action, &body)
        } else {
            Payload::Nothing
        };
        if let Some(kind) = payload.content_type(how.content_type) {
            headers.insert(CONTENT_TYPE, kind);
        }
        let (mut head, ()) = Request::new(()).into_parts();
        head.method = how.method.clone();
        head.headers = headers;
        match target.parse() {
            Ok(uri) if target.len() <= TARGET_LIMIT => head.uri = uri,
            _ => flaws.push(|| {
                let expected = format!("arguments in path and query of at most {TARGET_LIMIT} bytes in all");
                ArgumentError::new("", ArgumentErrorKind::Invalid, Some(&target.as_str().into()), expected)
            }),
        }
        if flaws.is_empty() { Ok(Self { head, payload }) } else { Err(flaws) }
    }
}

impl ActionFacts<'_> {
    /// The fields that do not come from arguments.
    pub(super) fn fields(&self, address: &Address) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut set = |name, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        set(HOST, &address.to_string());
        set(USER_AGENT, concat!("bandog/", env!("CARGO_PKG_VERSION")));
        set(X_CALL_ID, self.call_id);
        if self.is_ours {
            let came = |name: HeaderName| self.caller.get(name).and_then(|value| value.to_str().ok());
            let before = self.caller.get_all(X_FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok());
            let line: Vec<String> = before.map(str::to_owned).chain(self.peer.map(|peer| peer.to_string())).collect();
            if !line.is_empty() {
                set(X_FORWARDED_FOR, &line.join(", "));
            }
            set(X_FORWARDED_PROTO, came(X_FORWARDED_PROTO).unwrap_or("http"));
            if let Some(host) = came(X_FORWARDED_HOST).or_else(|| came(HOST)) {
                set(X_FORWARDED_HOST, host);
            }
        }
        headers.insert(ACCEPT, ACCEPTED);
        if self.closes {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        for name in ["traceparent", "tracestate"] {
            if let Some(value) = self.caller.get(name) {
                headers.insert(name, value.clone());
            }
        }
        headers
    }
}

/// The path with its placeholders filled. A missing argument leaves an empty string.
fn target(path: &Template, arguments: &Arguments, flaws: &mut ArgumentErrors) -> String {
    let mut target = String::new();
    for piece in &path.pieces {
        match piece {
            Piece::Text(text) => target.push_str(text),
            Piece::Placeholder(name) => {
                let Some(bound) = arguments.iter().find(|bound| bound.name == *name) else { continue };
                let text = bound.text();
                // Some servers take them for another path than the one that was meant (RFC 3986 §5.2.4), also where a
                // slash is encoded.
                if matches!(&*text, "" | ".") || text.split(['/', '\\']).any(|part| part == "..") {
                    flaws.push(|| flaw(bound, "a part of a path, which is neither empty nor . nor has .. in it"));
                }
                target.extend(utf8_percent_encode(&text, RESERVED));
            }
        }
    }
    target
}

/// `NAME=VALUE` of a query or a form.
fn pair(text: &mut String, bound: &BoundArgument) {
    text.extend(utf8_percent_encode(&bound.name, RESERVED));
    text.push('=');
    text.extend(utf8_percent_encode(&bound.text(), RESERVED));
}

/// As a header field, if it can be one.
fn field(bound: &BoundArgument) -> Option<(HeaderName, HeaderValue)> {
    let name = HeaderName::from_bytes(bound.name.as_bytes()).ok().filter(|name| !FRAMING.contains(name))?;
    Some((name, HeaderValue::from_bytes(bound.text().as_bytes()).ok()?))
}

fn flaw(bound: &BoundArgument, expected: &str) -> ArgumentError {
    let mut flaw = ArgumentError::new(&bound.name, ArgumentErrorKind::Invalid, Some(&bound.value), expected);
    flaw.location = Some(bound.location);
    flaw
}

/// The body of these arguments.
fn payload(kind: MediaType, action: &Action, body: &[&BoundArgument]) -> Payload {
    match kind {
        MediaType::Json => {
            let members: Map<String, Value> =
                body.iter().map(|bound| (bound.name.clone(), bound.value.clone())).collect();
            Payload::Bytes(Value::Object(members).to_string().into())
        }
        MediaType::Form => {
            let mut form = String::new();
            for (number, bound) in body.iter().enumerate() {
                if number > 0 {
                    form.push('&');
                }
                pair(&mut form, bound);
            }
            Payload::Bytes(form.into())
        }
        MediaType::Multipart => {
            let fields =
                body.iter().flat_map(|bound| parts(action, bound).into_iter().map(|part| (&*bound.name, part)));
            Payload::form(fields)
        }
        MediaType::Bytes => body.first().map_or(Payload::Nothing, |bound| Payload::Stream(vec![part(action, bound)])),
    }
}

/// The parts of an argument: one, or one for each file of a list.
fn parts(action: &Action, bound: &BoundArgument) -> Vec<Part> {
    let schema = action.argument(&bound.name).map(|argument| &argument.schema);
    let elements = schema.and_then(|schema| schema.elements.as_ref());
    match &bound.value {
        Value::Array(files) if elements.is_some_and(|elements| elements.kind == Type::Path) => {
            files.iter().filter_map(Value::as_str).map(|path| Part::File(path.into())).collect()
        }
        _ => vec![part(action, bound)],
    }
}

/// The part of an argument: a file if the argument is one.
fn part(action: &Action, bound: &BoundArgument) -> Part {
    let is_file = action.argument(&bound.name).is_some_and(|argument| argument.schema.kind == Type::Path);
    match bound.text() {
        Cow::Borrowed(path) if is_file => Part::File(path.into()),
        text => Part::Bytes(text.into_owned().into()),
    }
}
