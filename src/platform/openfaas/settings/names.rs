//! The names of the variables that tell the two watchdogs apart, of those without a use, and of the modes.

/// The variables that only of-watchdog reads. Any of them, without `mode`, selects its default mode.
pub(super) const OF_ONLY: [&str; 12] = [
    "function_process",
    "upstream_url",
    "http_upstream_url",
    "http_buffer_req_body",
    "buffer_http",
    "static_path",
    "ready_path",
    "prefix_logs",
    "log_buffer_size",
    "log_callid",
    "log_call_id",
    "one_shot",
];

/// The variables that only classic-watchdog reads.
pub(super) const CLASSIC_ONLY: [&str; 5] =
    ["cgi_headers", "combine_output", "marshal_request", "write_debug", "debug_headers"];

/// Names that the projects' documents or sources mention and bandog has no use for, and the way to what they promise.
pub(super) const UNUSED: [(&str, &str); 4] = [
    ("jwt_auth_local", "bandog fetches the keys from the issuer; name another one with --jwt-issuer"),
    ("hard_timeout", "the watchdogs read exec_timeout; set that"),
    ("read_debug", "--log-level DEBUG shows the request's headers"),
    ("combined_output", "the watchdogs read combine_output; set that"),
];

/// The modes of of-watchdog, and the equivalent ones of bandog.
pub(super) const MODES: [(&str, &str); 4] =
    [("streaming", "streaming"), ("serializing", "stdio"), ("http", "http"), ("static", "static")];
