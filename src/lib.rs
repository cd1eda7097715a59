//! bandog turns any program into an HTTP function: one request, one process, one answer.
//!
//! # The way down
//!
//! ```text
//!             cli                           http
//!    serve · run · call · check · …    listener → admission → handler
//!              \                           |
//!               \                          v
//!                +------------------->    reply      Outcome → status, headers, streamed body
//!                                          |
//!                                          v
//!                                      invocation    one request = one process = one Outcome
//!                                          |
//!                    input ───────────────┤   body → input file (knows encodings, not sockets)
//!                    workspace ────────────┤   private directories, removed on drop
//!                    process ──────────────┤   spawn · supervise · terminate · reap
//!                    output ───────────────┤   output directory → file | zip | nothing
//!                    logs ─────────────────┘   captured lines, level filter, bounded
//! ```
//!
//! Dependencies point down only, and nothing from [`invocation`] down knows HTTP. Beside the way stand [`config`],
//! which says once what has been set, [`actions`], what a service says it can do and what its arguments have to be, and
//! [`telemetry`], the container's own log. `bandog run` and `bandog serve` share everything from [`reply`] down
//! ([`crate::call::run_and_answer()`] is the whole of a call), so that a script that works in one works in the other. A call of an
//! action goes the same way: its arguments are bound between reading the input and starting the process.
//!
//! The network side is asynchronous and lives on one thread. An invocation is plain, blocking code on a thread of
//! its own; bodies cross that border as bounded channels of [`bytes::Bytes`], so that back-pressure works both ways
//! and no body is ever held whole. The process's first thread does neither: it takes signals and reaps orphans
//! ([`process::run_with_reaper`]).

pub use bandog_actions as actions;
pub use bandog_http as http;
pub use bandog_process::{self as process, ids};
pub use bandog_runtime::{input, invocation, logs, output, reply, request, telemetry, workspace};
pub use bandog_service as service;

pub mod cli;
pub mod config;
pub mod platform;
