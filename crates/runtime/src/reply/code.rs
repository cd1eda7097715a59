//! The error codes: one row for each, with the word, the status, the title, and when to try again.

use std::time::Duration;

use http::StatusCode;

/// Seconds to wait for a permit, or for a server to be ready: either may come free at any moment.
const SOON: Option<u64> = Some(1);

/// Seconds to wait after a failure that another attempt, or another instance, may not meet.
const LATER: Option<u64> = Some(5);

/// Makes the type and everything that enumerates the codes from one table, so that a new code is one row.
macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident: $word:literal, $status:literal, $title:literal, $retry:expr;)*) => {
        /// The error code of a problem: the end of its `type`, and the value of `X-Bandog-Error`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($(#[$doc])* $name,)*
        }

        impl ErrorCode {
            /// All codes.
            pub const ALL: [Self; [$($word),*].len()] = [$(Self::$name),*];

            /// The word, the status, the title, and the seconds of `Retry-After`.
            const fn row(self) -> (&'static str, u16, &'static str, Option<u64>) {
                match self {
                    $(Self::$name => ($word, $status, $title, $retry),)*
                }
            }
        }
    };
}

error_codes! {
    /// The request is malformed, or could be read in two ways.
    BadRequest: "bad-request", 400, "This is not a proper request", None;
    /// The request's target is longer than any can be.
    TargetTooLong: "target-too-long", 414, "The target is too long", None;
    /// An `Expect` other than `100-continue`.
    ExpectationFailed: "expectation-failed", 417, "What is expected can't be done", None;
    /// Not HTTP/1.0, 1.1 or 2.
    VersionNotSupported: "version-not-supported", 505, "This version of HTTP is not spoken", None;
    /// The body is not what its `Content-Type` says, or neither JSON nor base64.
    BadInput: "bad-input", 400, "The body can't be decoded", None;
    /// What an action was given is not what it takes.
    InvalidArguments: "invalid-arguments", 400, "These are not the arguments that the action takes", None;
    /// The client took longer than `--read-timeout` to send the body. Not 408: clients repeat those.
    BodyTimeout: "body-timeout", 400, "The body did not arrive in time", None;
    /// The body broke off before its end; seen by clients that are still there.
    BodyIncomplete: "body-incomplete", 400, "The body ended too early", None;
    /// The body is larger than `--max-body`.
    BodyTooLarge: "body-too-large", 413, "The body is too large", None;
    /// A `Content-Encoding` other than gzip.
    UnsupportedEncoding: "unsupported-encoding", 415, "The content encoding is not supported", None;
    /// The input could not be read from where it comes from.
    InputUnreadable: "input-unreadable", 500, "The input could not be read", None;
    /// The input file could not be written.
    InputNotStored: "input-not-stored", 500, "The input could not be stored", None;
    /// The event is about an object in a store, which bandog does not fetch.
    StorageNotSupported: "storage-not-supported", 501, "Storage events are not supported yet", None;
    /// No token, or a wrong one.
    Unauthorized: "unauthorized", 401, "A valid token is needed", None;
    /// A token that does not permit to call this function.
    Forbidden: "forbidden", 403, "The token does not permit it", None;
    /// There is no service, or no page, of that name.
    NotFound: "not-found", 404, "There is nothing here", None;
    /// Not a method that invokes the function.
    MethodNotAllowed: "method-not-allowed", 405, "The method is not allowed", None;
    /// The header fields are too large.
    HeadersTooLarge: "headers-too-large", 431, "The header fields are too large", None;
    /// No place was free in time.
    TooManyRequests: "too-many-requests", 429, "No place was free in time", SOON;
    /// bandog is about to stop and takes no new calls.
    Draining: "draining", 503, "This instance takes no new calls", SOON;
    /// The function exited with a code other than 0.
    FunctionFailed: "function-failed", 500, "The function failed", None;
    /// The function was killed by a signal.
    FunctionKilled: "function-killed", 500, "The function was killed", None;
    /// The kernel killed the function for want of memory.
    OutOfMemory: "out-of-memory", 500, "The function ran out of memory", None;
    /// The function used up its CPU time.
    CpuTimeExceeded: "cpu-time-exceeded", 500, "The function used up its CPU time", None;
    /// The function was killed as it wrote a file beyond `--max-output`.
    FileTooLarge: "file-too-large", 500, "The function wrote too large a file", None;
    /// The function left more than `--max-output`.
    OutputTooLarge: "output-too-large", 500, "The output is too large", None;
    /// The action failed, and would again.
    ActionFailed: "action-failed", 422, "The action failed", None;
    /// The action failed, and might not again.
    ActionUnavailable: "action-unavailable", 503, "The action can't be done at the moment", LATER;
    /// What the action gave is not what it said it would.
    ResultInvalid: "result-invalid", 500, "The result is not what the action said it would be", None;
    /// The action is described, but not done.
    InterfaceNotSupported: "interface-not-supported", 501, "The action's interface is not spoken yet", None;
    /// The function could not be started.
    FunctionNotStarted: "function-not-started", 500, "The function could not be started", None;
    /// The function ran longer than `--exec-timeout`.
    FunctionTimeout: "function-timeout", 504, "The function took too long", None;
    /// The workspace could not be made.
    WorkspaceUnavailable: "workspace-unavailable", 500, "There is no place to work in", None;
    /// What the function left can't be read whole, or its response headers make no sense.
    OutputUnreadable: "output-unreadable", 500, "The output can't be sent", None;
    /// The client hung up before the response; never seen.
    ClientGone: "client-gone", 499, "The client went away", None;
    /// bandog stopped before the function ended.
    ShuttingDown: "shutting-down", 503, "This instance stopped before the function ended", LATER;
    /// A function that speaks HTTP itself did not answer.
    UpstreamFailed: "upstream-failed", 502, "The function did not answer", None;
    /// A function that speaks HTTP itself is not ready.
    NotReady: "not-ready", 503, "The function is not ready", SOON;
    /// The part of the file that was asked for is not there.
    RangeNotSatisfiable: "range-not-satisfiable", 416, "The file has no such part", None;
    /// bandog itself failed.
    Internal: "internal", 500, "bandog failed", None;
}

impl ErrorCode {
    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.row().0
    }

    /// The status of the response.
    #[must_use]
    pub fn status(self) -> StatusCode {
        StatusCode::from_u16(self.row().1).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The title, which is the same for every occurrence (RFC 9457 §3.1.4).
    #[must_use]
    pub const fn title(self) -> &'static str {
        self.row().2
    }

    /// How long a client should wait before it tries again, if another attempt may succeed.
    #[must_use]
    pub fn retry_after(self) -> Option<Duration> {
        self.row().3.map(Duration::from_secs)
    }
}
