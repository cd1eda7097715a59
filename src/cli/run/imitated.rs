//! The head of the request that a run imitates.

use std::os::unix::ffi::OsStrExt as _;

use hyper::{
    Method, Request,
    header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderMap, HeaderValue},
    http::request::Parts,
};

use super::{Event, RunArgs};
use crate::{actions::Placement, reply};

/// The header fields of the request that is imitated.
pub(super) fn headers(io: &RunArgs) -> HeaderMap {
    let mut headers: HeaderMap = io.headers.iter().cloned().collect();
    if headers.contains_key(CONTENT_TYPE) || matches!(io.event, Event::Stdin | Event::Nowhere) {
        return headers;
    }
    if io.action.as_ref().is_some_and(|action| action.file_argument(Placement::Any).is_none()) {
        // No argument is a file: it holds arguments.
        return headers;
    }
    // A file or a text is the input itself, not an encoding of it. JSON is labelled as such, for storage events.
    let is_json = match &io.event {
        Event::Text(text) => serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok(),
        Event::File(_) | Event::Stdin | Event::Nowhere => false,
    };
    let media_type = if is_json { "application/json" } else { "application/octet-stream" };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    if let Event::File(path) = &io.event
        && let Some(name) = path.file_name()
        && !headers.contains_key(CONTENT_DISPOSITION)
        && let Ok(value) = HeaderValue::from_str(&reply::disposition(name.as_bytes()))
    {
        headers.insert(CONTENT_DISPOSITION, value);
    }
    headers
}

/// The request that the invocation would have come by.
pub(super) fn head(headers: HeaderMap) -> Parts {
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = Method::POST;
    parts.headers = headers;
    parts
}
