//! The names of bandog's own header fields.

use http::HeaderName;

/// Declares the header fields that only bandog sets. A new one is a line here: [`RESERVED`] follows from it.
macro_rules! own_response_headers {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        $($(#[$doc])* pub const $name: HeaderName = HeaderName::from_static($text);)*

        /// The names of all these fields, in lower case. A function cannot set them.
        pub const RESERVED: &[&str] = &[$($text),*];
    };
}

own_response_headers! {
    /// The error code of a response that bandog made itself.
    X_BANDOG_ERROR = "x-bandog-error";
    /// The id of the call, as in every log line about it.
    X_CALL_ID = "x-call-id";
    /// Objects that the output was stored as.
    X_BANDOG_STORED = "x-bandog-stored";
    /// Seconds from the first byte of the body to the end of the process.
    X_DURATION_SECONDS = "x-duration-seconds";
    /// The function's exit code.
    X_EXIT_CODE = "x-exit-code";
    /// The coding of the bytes that are sent in base64, where they have one: the `Content-Encoding` of a server's response
    /// before it was encoded.
    X_OUTPUT_ENCODING = "x-output-encoding";
    /// [`crate::output::OutputKind::name`].
    X_OUTPUT_KIND = "x-output-kind";
    /// The path of the one file below the output directory, percent-encoded.
    X_OUTPUT_NAME = "x-output-name";
}

/// `base64` if the body is base64, so that a client need not guess (RFC 2045 §6).
pub const CONTENT_TRANSFER_ENCODING: HeaderName = HeaderName::from_static("content-transfer-encoding");

/// Where the time of a run went (Server Timing, W3C). A function may add entries of its own.
pub const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// The request header for the token, for callers behind a proxy that uses `Authorization` itself.
pub const X_BANDOG_TOKEN: HeaderName = HeaderName::from_static("x-bandog-token");

/// The request header of a client that reads trailers: `1`.
pub const X_BANDOG_TRAILERS: HeaderName = HeaderName::from_static("x-bandog-trailers");

/// The id of a call, as some proxies name it.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
