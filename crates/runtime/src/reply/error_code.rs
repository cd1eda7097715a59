//! The table of error codes.

use std::time::Duration;

use http::StatusCode;

use crate::{
    input::InputErrorKind,
    invocation::{Cause, Failure, Outcome},
    storage::StorageErrorKind,
};

/// The `Retry-After` of a response that another instance, or this one after a moment, may replace by a success.
const SOON: Option<Duration> = Some(Duration::from_secs(1));

/// The `Retry-After` of a response to a call that may have begun.
const LATER: Option<Duration> = Some(Duration::from_secs(5));

/// No `Retry-After`.
const NEVER: Option<Duration> = None;

/// Exit code of `bandog run` when the reader of the result is gone: as if killed by SIGPIPE, 128 + 13.
pub const READER_GONE: u8 = 141;

/// The exit code of `bandog run`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RunExit {
    /// The exit code of the process; 128 + n if signal n killed it.
    Process,
    /// This code.
    Fixed(u8),
}

use RunExit::Process as PROCESS;

/// The action failed permanently, as its command would have reported it.
const ACTION_FAILED: RunExit = RunExit::Fixed(1);
/// The action failed temporarily, as its command would have reported it.
const ACTION_UNAVAILABLE: RunExit = RunExit::Fixed(2);
/// The input is bad: `EX_DATAERR` of sysexits.h.
const DATA: RunExit = RunExit::Fixed(65);
/// There is no such input: `EX_NOINPUT` of sysexits.h.
const NO_INPUT: RunExit = RunExit::Fixed(66);
/// A store cannot be reached: `EX_UNAVAILABLE` of sysexits.h.
const UNAVAILABLE: RunExit = RunExit::Fixed(69);
/// The result cannot be stored: `EX_IOERR` of sysexits.h.
const IO: RunExit = RunExit::Fixed(74);
/// A later attempt may succeed: `EX_TEMPFAIL` of sysexits.h.
const TEMPORARY: RunExit = RunExit::Fixed(75);
/// The configuration is wrong: `EX_CONFIG` of sysexits.h.
const CONFIGURATION: RunExit = RunExit::Fixed(78);
/// bandog failed, or could not start the function: `EX_SOFTWARE` of sysexits.h.
const SOFTWARE: RunExit = RunExit::Fixed(70);
/// The function ran too long, as timeout(1) reports it.
const TIMEOUT: RunExit = RunExit::Fixed(124);
/// The reader is gone.
const PIPE: RunExit = RunExit::Fixed(READER_GONE);
/// bandog was told to stop, as if SIGTERM had killed it.
const TERMINATED: RunExit = RunExit::Fixed(143);

/// Declares the codes. A new one is a row here, a row and a section in docs/errors.md (a test compares them), and where
/// it is the outcome of an invocation, a line in [`ErrorCode::of_outcome`] (the compiler names it).
macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident: $text:literal, $status:literal, $retry:ident, $exit:ident, $title:literal;)*) => {
        /// A reason for an error response: the end of the problem's `type`, and the value of `X-Bandog-Error`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($(#[$doc])* $name,)*
        }

        impl ErrorCode {
            /// All codes.
            pub const ALL: [Self; [$(Self::$name),*].len()] = [$(Self::$name),*];

            fn row(self) -> Row {
                match self {
                    $(Self::$name => Row { text: $text, status: $status, retry: $retry, exit: $exit, title: $title },)*
                }
            }
        }
    };
}

/// A row of the table.
struct Row {
    text: &'static str,
    status: u16,
    retry: Option<Duration>,
    exit: RunExit,
    /// The same for every occurrence (RFC 9457 §3.1.4).
    title: &'static str,
}

// The exit code of a problem that is never the outcome of an invocation is SOFTWARE.
error_codes! {
    /// The request is malformed, or could be read in two ways.
    BadRequest: "bad-request", 400, NEVER, SOFTWARE, "Bad request";
    /// The request target is too long.
    TargetTooLong: "target-too-long", 414, NEVER, SOFTWARE, "The request target is too long";
    /// An `Expect` other than `100-continue`.
    ExpectationFailed: "expectation-failed", 417, NEVER, SOFTWARE, "The expectation is not supported";
    /// Not HTTP/1.0, 1.1 or 2.
    VersionNotSupported: "version-not-supported", 505, NEVER, SOFTWARE, "The HTTP version is not supported";
    /// The body does not match its `Content-Type`, or is neither JSON nor base64.
    BadInput: "bad-input", 400, NEVER, DATA, "The body cannot be decoded";
    /// The arguments do not fit the action.
    InvalidArguments: "invalid-arguments", 400, NEVER, DATA, "The arguments do not fit the action";
    /// The client took longer than `--read-timeout` to send the body. Not 408, because clients repeat those requests.
    BodyTimeout: "body-timeout", 400, NEVER, DATA, "The body did not arrive in time";
    /// The body broke off before its end. Only a client that is still connected sees this.
    BodyIncomplete: "body-incomplete", 400, NEVER, DATA, "The body is incomplete";
    /// The body is larger than `--max-body`.
    BodyTooLarge: "body-too-large", 413, NEVER, DATA, "The body is too large";
    /// A `Content-Encoding` other than gzip.
    UnsupportedEncoding: "unsupported-encoding", 415, NEVER, DATA, "The content encoding is not supported";
    /// The input could not be read from its source.
    InputUnreadable: "input-unreadable", 500, NEVER, SOFTWARE, "The input could not be read";
    /// The input file could not be written.
    InputNotStored: "input-not-stored", 500, NEVER, SOFTWARE, "The input could not be stored";
    /// The object that the event names does not exist.
    InputNotFound: "input-not-found", 422, NEVER, NO_INPUT, "The object does not exist";
    /// The object was replaced while it was fetched.
    InputChanged: "input-changed", 422, NEVER, NO_INPUT, "The object was replaced while it was fetched";
    /// The store does not permit to read the object.
    InputDenied: "input-denied", 422, NEVER, NO_INPUT, "The store does not permit to read the object";
    /// The object is larger than `--max-body`.
    InputTooLarge: "input-too-large", 413, NEVER, DATA, "The object is too large";
    /// The bytes of the object did not all arrive, at any attempt.
    InputTruncated: "input-truncated", 503, LATER, UNAVAILABLE, "The object did not arrive whole";
    /// No storage provider is configured for the event.
    ProviderUnknown: "provider-unknown", 500, NEVER, CONFIGURATION, "The storage provider is not configured";
    /// The store does not know the credentials, or there are none.
    ProviderCredentials: "provider-credentials", 500, NEVER, CONFIGURATION, "The store does not accept the credentials";
    /// The store cannot be reached, or failed at each attempt.
    ProviderUnreachable: "provider-unreachable", 503, LATER, UNAVAILABLE, "The store cannot be reached";
    /// The certificate of the store is not trusted.
    ProviderTls: "provider-tls", 503, LATER, UNAVAILABLE, "The store cannot be reached over TLS";
    /// The clocks of this machine and of the store differ too much.
    ProviderClock: "provider-clock", 503, LATER, UNAVAILABLE, "The clock differs from that of the store";
    /// The function has failed for the same event a moment ago.
    EventBusy: "event-busy", 503, LATER, TEMPORARY, "The function failed for this event a moment ago";
    /// The function succeeded, and an output could not be stored. The response contains the output.
    OutputNotStored: "output-not-stored", 502, NEVER, IO, "An output could not be stored";
    /// No token, or a wrong one.
    Unauthorized: "unauthorized", 401, NEVER, SOFTWARE, "A valid token is required";
    /// A token that does not permit calling this function.
    Forbidden: "forbidden", 403, NEVER, SOFTWARE, "The token does not permit this call";
    /// There is no service, or no page, of that name.
    NotFound: "not-found", 404, NEVER, SOFTWARE, "Not found";
    /// The method does not invoke the function.
    MethodNotAllowed: "method-not-allowed", 405, NEVER, SOFTWARE, "The method is not allowed";
    /// The header fields are too large.
    HeadersTooLarge: "headers-too-large", 431, NEVER, SOFTWARE, "The header fields are too large";
    /// No permit was available in time.
    TooManyRequests: "too-many-requests", 429, SOON, SOFTWARE, "Too many requests";
    /// bandog is about to stop and accepts no new calls.
    Draining: "draining", 503, SOON, SOFTWARE, "This instance accepts no new calls";
    /// The function exited with a code other than 0.
    FunctionFailed: "function-failed", 500, NEVER, PROCESS, "The function failed";
    /// The function was killed by a signal.
    FunctionKilled: "function-killed", 500, NEVER, PROCESS, "The function was killed";
    /// The kernel killed the function because there was no memory left.
    OutOfMemory: "out-of-memory", 500, NEVER, PROCESS, "The function ran out of memory";
    /// The function used up its CPU time.
    CpuTimeExceeded: "cpu-time-exceeded", 500, NEVER, PROCESS, "The function used up its CPU time";
    /// The function was killed when it wrote a file larger than `--max-output`.
    FileTooLarge: "file-too-large", 500, NEVER, PROCESS, "The function wrote a file that is too large";
    /// The function left more than `--max-output`.
    OutputTooLarge: "output-too-large", 500, NEVER, SOFTWARE, "The output is too large";
    /// The action failed permanently.
    ActionFailed: "action-failed", 422, NEVER, ACTION_FAILED, "The action failed";
    /// The action failed temporarily.
    ActionUnavailable: "action-unavailable", 503, LATER, ACTION_UNAVAILABLE, "The action is temporarily unavailable";
    /// The result of the action does not match its description.
    ResultInvalid: "result-invalid", 500, NEVER, SOFTWARE, "The result does not match the action's description";
    /// The action is described, but bandog does not support its interface.
    InterfaceNotSupported: "interface-not-supported", 501, NEVER, SOFTWARE,
        "The action's interface is not supported yet";
    /// The path is one of jobs, and none are kept.
    JobsNotKept: "jobs-not-kept", 501, NEVER, SOFTWARE, "Jobs are not kept here";
    /// The function could not be started.
    FunctionNotStarted: "function-not-started", 500, NEVER, SOFTWARE, "The function could not be started";
    /// The function ran longer than `--exec-timeout`.
    FunctionTimeout: "function-timeout", 504, NEVER, TIMEOUT, "The function took too long";
    /// The workspace could not be created.
    WorkspaceUnavailable: "workspace-unavailable", 500, NEVER, SOFTWARE, "The workspace is unavailable";
    /// The output cannot be read completely, or the function's response headers are invalid.
    OutputUnreadable: "output-unreadable", 500, NEVER, SOFTWARE, "The output cannot be sent";
    /// The client is gone. nginx uses the same status; only the access log shows it.
    ClientGone: "client-gone", 499, NEVER, PIPE, "The client disconnected";
    /// bandog stopped before the function ended.
    ShuttingDown: "shutting-down", 503, LATER, TERMINATED, "This instance stopped before the function ended";
    /// A function that speaks HTTP itself did not respond.
    UpstreamFailed: "upstream-failed", 502, NEVER, SOFTWARE, "The function did not respond";
    /// A function that speaks HTTP itself is not ready.
    NotReady: "not-ready", 503, SOON, SOFTWARE, "The function is not ready";
    /// There is no thread to be had for the call: a limit on processes or memory is reached.
    Overloaded: "overloaded", 503, SOON, SOFTWARE, "This instance has no room for another call";
    /// The requested range of the file does not exist.
    RangeNotSatisfiable: "range-not-satisfiable", 416, NEVER, SOFTWARE, "The requested range does not exist";
    /// bandog itself failed.
    Internal: "internal", 500, NEVER, SOFTWARE, "Internal error";
}

impl ErrorCode {
    /// The code as text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.row().text
    }

    /// The status of the response.
    #[must_use]
    pub fn status(self) -> StatusCode {
        StatusCode::from_u16(self.row().status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The title of the problem.
    #[must_use]
    pub fn title(self) -> &'static str {
        self.row().title
    }

    /// How long a client should wait before it repeats the request; `None` if that would not help.
    #[must_use]
    pub fn retry_after(self) -> Option<Duration> {
        self.row().retry
    }

    /// The exit code of `bandog run`.
    pub(super) fn run_exit(self) -> RunExit {
        self.row().exit
    }

    /// The code of an input that could not be fetched.
    fn of_storage(kind: StorageErrorKind) -> Self {
        match kind {
            StorageErrorKind::NotFound => Self::InputNotFound,
            StorageErrorKind::Changed => Self::InputChanged,
            StorageErrorKind::Truncated => Self::InputTruncated,
            StorageErrorKind::Denied => Self::InputDenied,
            StorageErrorKind::TooLarge => Self::InputTooLarge,
            StorageErrorKind::ProviderUnknown => Self::ProviderUnknown,
            StorageErrorKind::ProviderCredentials => Self::ProviderCredentials,
            StorageErrorKind::ProviderUnreachable => Self::ProviderUnreachable,
            StorageErrorKind::ProviderTls => Self::ProviderTls,
            StorageErrorKind::ProviderClock => Self::ProviderClock,
            StorageErrorKind::Busy(_) => Self::EventBusy,
            StorageErrorKind::File => Self::InputNotStored,
        }
    }

    /// The code of an outcome; `None` for a success.
    #[must_use]
    pub fn of_outcome(outcome: &Outcome) -> Option<Self> {
        Some(match outcome {
            Outcome::Done { .. } if !outcome.is_success() => Self::OutputNotStored,
            Outcome::Done { .. } | Outcome::Passed => return None,
            Outcome::Settled(event) => return event.failure().and_then(Self::of_outcome),
            Outcome::Failed { failure, .. } => match failure {
                Failure::Exit(_) => Self::FunctionFailed,
                Failure::Signal { .. } => Self::FunctionKilled,
                Failure::OutOfMemory { .. } => Self::OutOfMemory,
                Failure::CpuTime { .. } => Self::CpuTimeExceeded,
                Failure::FileTooLarge { .. } => Self::FileTooLarge,
                Failure::OutputTooLarge { .. } => Self::OutputTooLarge,
                Failure::ActionFailed => Self::ActionFailed,
                Failure::ActionUnavailable { .. } => Self::ActionUnavailable,
                Failure::InvalidResult(_) => Self::ResultInvalid,
                Failure::Spawn(_) | Failure::Confine(_) => Self::FunctionNotStarted,
                Failure::Workspace(_) => Self::WorkspaceUnavailable,
                Failure::Output(_) => Self::OutputUnreadable,
                Failure::Supervise(_) => Self::Internal,
                Failure::NoThread(_) => Self::Overloaded,
                Failure::Upstream(_) => Self::UpstreamFailed,
            },
            Outcome::TimedOut { .. } => Self::FunctionTimeout,
            Outcome::Cancelled { cause: Cause::ClientGone, .. } => Self::ClientGone,
            Outcome::Cancelled { cause: Cause::Shutdown, .. } => Self::ShuttingDown,
            Outcome::Refused(error) => match error.kind() {
                InputErrorKind::Incomplete => Self::BodyIncomplete,
                InputErrorKind::TimedOut => Self::BodyTimeout,
                InputErrorKind::ReadFailed => Self::InputUnreadable,
                InputErrorKind::Bad => Self::BadInput,
                InputErrorKind::Arguments => Self::InvalidArguments,
                InputErrorKind::TooLarge => Self::BodyTooLarge,
                InputErrorKind::UnsupportedEncoding => Self::UnsupportedEncoding,
                InputErrorKind::Storage(kind) => Self::of_storage(kind),
                InputErrorKind::Store => Self::InputNotStored,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_codes_are_the_same_and_each_is_a_failure() {
        let words: HashSet<_> = ErrorCode::ALL.into_iter().map(ErrorCode::as_str).collect();
        assert_eq!(words.len(), ErrorCode::ALL.len());
        for code in ErrorCode::ALL {
            assert!(code.status().as_u16() >= 400 && code.status() != StatusCode::REQUEST_TIMEOUT, "{code:?}");
            assert_eq!(code.status().as_u16(), code.row().status, "{code:?}");
            assert!(code.as_str().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'));
        }
    }
}
