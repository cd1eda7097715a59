//! The wording of bandog's own responses.
//!
//! [`ProblemJson`] is bandog's own: failures are problem documents, and `Accept` chooses the form of a result. A
//! platform whose clients expect other words implements [`AnswerStyle`].

use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};

use super::{
    body::{Body, BodyEncoding, Reply},
    head::{CallFacts, Head},
    problem::Problem,
};
use crate::{
    headers::CONTENT_TRANSFER_ENCODING,
    invocation::{Outcome, Report},
    logs::Logs,
    output::{OutputFile, ResponseHeaders},
};

/// How outcomes and problems are worded.
///
/// Every method has a default, and the defaults together are bandog's own style.
pub trait AnswerStyle: fmt::Debug + Send + Sync {
    /// Whether the request's `Accept` chooses the form of the response.
    fn reads_accept(&self) -> bool {
        true
    }

    /// Whether responses tell where their time went (`Server-Timing`).
    fn shows_times(&self) -> bool {
        true
    }

    /// Words a failure that did not involve a function.
    fn page(&self, problem: Problem) -> (Head, Bytes) {
        problem.into_parts()
    }

    /// Changes the response of a function that succeeded. `response_headers` are the function's own header fields, which are
    /// added afterwards; `request_type` is the request's `Content-Type`.
    fn success(
        &self,
        _reply: &mut Reply<'_>,
        _report: &Report,
        _directives: &ResponseHeaders,
        _request_type: Option<&HeaderValue>,
    ) {
    }

    /// Words an outcome other than a success. The fields of the report are added afterwards.
    fn failure<'a>(
        &self,
        outcome: &'a Outcome,
        call: &CallFacts<'_>,
        _request_type: Option<&HeaderValue>,
    ) -> Reply<'a> {
        Problem::of_outcome(outcome, call).into_reply()
    }
}

/// bandog's own style.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProblemJson;

impl AnswerStyle for ProblemJson {}

/// A style for one request.
#[derive(Debug, Clone)]
pub(super) struct RequestStyle {
    style: Arc<dyn AnswerStyle>,
    request_type: Option<HeaderValue>,
}

impl RequestStyle {
    pub(super) fn new(style: &Arc<dyn AnswerStyle>, headers: &HeaderMap) -> Self {
        Self { style: Arc::clone(style), request_type: headers.get(header::CONTENT_TYPE).cloned() }
    }

    pub(super) fn shows_times(&self) -> bool {
        self.style.shows_times()
    }

    pub(super) fn success(&self, reply: &mut Reply<'_>, report: &Report, response_headers: &ResponseHeaders) {
        self.style.success(reply, report, response_headers, self.request_type.as_ref());
    }

    pub(super) fn failure<'a>(&self, outcome: &'a Outcome, call: &CallFacts<'_>) -> Reply<'a> {
        self.style.failure(outcome, call, self.request_type.as_ref())
    }
}

/// The part of a failed function's output that the response contains.
#[derive(Debug, Clone, Copy)]
pub enum FailureOutput<'a> {
    /// The captured logs.
    Logs(&'a Logs),
    /// The standard output.
    Stdout(&'a OutputFile),
}

impl<'a> FailureOutput<'a> {
    /// The number of its bytes.
    #[must_use]
    pub fn size(self) -> u64 {
        match self {
            Self::Logs(logs) => logs.len(),
            Self::Stdout(file) => file.size(),
        }
    }

    /// Its first bytes, at most `limit`.
    #[must_use]
    pub fn start(self, limit: usize) -> Vec<u8> {
        match self {
            Self::Logs(logs) => start_of(logs, limit),
            Self::Stdout(file) => file.beginning(limit),
        }
    }

    fn into_body(self) -> Body<'a> {
        match self {
            Self::Logs(logs) => Body::Logs(logs),
            Self::Stdout(file) => Body::File(file, BodyEncoding::Raw),
        }
    }
}

// The methods below are for the styles of platforms, which build and change responses.
impl<'a> Reply<'a> {
    /// A response of a text, the output of the function, and an ending. Sets the length.
    #[must_use]
    pub fn of_text(mut head: Head, text: Bytes, output: Option<FailureOutput<'a>>, ending: Bytes) -> Self {
        let output_size = output.map_or(0, FailureOutput::size);
        head.length = Some(text.len() as u64 + output_size + ending.len() as u64);
        let output = output.map(FailureOutput::into_body);
        let parts = [Body::Bytes(text)].into_iter().chain(output).chain([Body::Bytes(ending)]);
        Self { head, body: Body::Joined(parts.collect()) }
    }

    /// The status and the header fields, to be changed.
    pub fn head_mut(&mut self) -> &mut Head {
        &mut self.head
    }

    /// Whether the body is the captured logs.
    #[must_use]
    pub fn is_logs(&self) -> bool {
        matches!(self.body, Body::Logs(_))
    }

    /// The first bytes of the body, at most `limit`, to guess its media type from. They are empty for base64, which is
    /// text. `None` if the caller or the function has chosen the form.
    #[must_use]
    pub fn sample(&self, limit: usize) -> Option<Vec<u8>> {
        match &self.body {
            Body::Logs(logs) => Some(start_of(logs, limit)),
            Body::File(_, BodyEncoding::Base64) | Body::Zip(_, BodyEncoding::Base64) => Some(Vec::new()),
            Body::File(file, BodyEncoding::Raw) if file.is_bare() => Some(file.beginning(limit)),
            Body::File(_, BodyEncoding::Raw)
            | Body::Zip(_, BodyEncoding::Raw)
            | Body::Empty
            | Body::Bytes(_)
            | Body::Json(_)
            | Body::Events(..)
            | Body::Joined(_) => None,
        }
    }

    /// Adds bytes before and after the body.
    pub fn surround(&mut self, before: Bytes, after: Bytes) {
        if before.is_empty() && after.is_empty() {
            return;
        }
        if !before.is_empty() {
            // With these bytes before it, the body is not base64.
            self.head.headers.remove(CONTENT_TRANSFER_ENCODING);
        }
        self.head.length = self.head.length.map(|length| length + (before.len() + after.len()) as u64);
        let body = std::mem::replace(&mut self.body, Body::Empty);
        self.body = Body::Joined(vec![Body::Bytes(before), body, Body::Bytes(after)]);
    }
}

/// The first bytes of logs; none if they cannot be read: sending them will report the error.
fn start_of(logs: &Logs, limit: usize) -> Vec<u8> {
    let mut bytes = vec![0; limit];
    let read = logs.read_at(0, &mut bytes).unwrap_or(0);
    bytes.truncate(read);
    bytes
}

#[cfg(test)]
mod tests;
