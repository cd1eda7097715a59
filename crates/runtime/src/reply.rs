//! [`Outcome`](crate::invocation::Outcome) → status, header fields and a streamed body; and the exit code of
//! `bandog run`.
//!
//! `serve` and `run` both respond through here, so that the body is the same byte for byte. The form of a response is
//! decided before its first byte: [`answer`] returns the [`Head`], and [`Reply::write_to`] sends exactly the body that
//! the head announced, or fails, so that a short response never looks complete.
//!
//! | function exited with 0 and left | sent | if `Accept` or the function's own `Content-Type` says so |
//! |---|---|---|
//! | one file | its base64 | the file as it is |
//! | several files | the base64 of a zip | the zip as it is |
//! | none | the captured logs | – |
//! | standard output (modes `stdio` and `streaming`) | that as it is, or with `--encode` as one file | as one file |
//! | any of these, but the last as it is | | the [`json::JsonDocument`], or the [`EventStream`] of the run |
//!
//! Every other outcome is a [`Problem`], which an [`AnswerStyle`] may word differently. [`ErrorCode`] is the table of all
//! problems.

pub mod accept;
mod answer;
mod body;
mod error_code;
pub mod events;
mod exit_code;
pub mod head;
pub mod json;
pub mod problem;
mod settled;
mod style;
pub mod text;
mod trailers;

#[cfg(test)]
mod tests;

pub use self::{
    accept::Accept,
    answer::{answer, refusal},
    body::Reply,
    error_code::{ErrorCode, READER_GONE},
    events::EventStream,
    exit_code::exit_code,
    head::{CallFacts, Head, Seconds, disposition},
    problem::Problem,
    style::{AnswerStyle, FailureOutput, ProblemJson},
    trailers::Trailers,
};
pub use crate::{
    headers::{
        CONTENT_TRANSFER_ENCODING, X_BANDOG_ERROR, X_BANDOG_STORED, X_BANDOG_TRAILERS, X_CALL_ID, X_DURATION_SECONDS,
        X_EXIT_CODE, X_OUTPUT_ENCODING, X_OUTPUT_KIND, X_OUTPUT_NAME,
    },
    output::TransferError,
};
