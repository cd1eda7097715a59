//! bandog turns any program into an HTTP function: one request, one process, one response.
//!
//! This crate is the binary: the command line ([`cli`]), the configuration ([`config`]) and the adapters for the programs
//! that bandog replaces ([`platform`]). The configuration becomes plain settings for the crates below, which know none
//! of the three:
//!
//! ```text
//! http        listener → connection → authentication → checks of the head
//!   │
//! service     Service::call: router → admission → executor
//!   │
//! runtime     one invocation, blocking: input → process → output → response
//!   │
//!   ├─ actions    the file of actions, arguments, results, OpenAPI
//!   └─ process    spawn · supervise · terminate · reap; the only unsafe code
//!        codec    base64, gzip, JSON, forms, YAML: bytes only
//! ```
//!
//! Dependencies point down only. `bandog run` and `bandog serve` share everything from `service` down, so that a script
//! that works in one works in the other.
//!
//! The network side is asynchronous and runs on one thread. An invocation is plain, blocking code on a thread of its own;
//! bodies cross that border as bounded channels of [`bytes::Bytes`], so that backpressure works both ways and no body is
//! ever held as a whole. The first thread of the process does neither: it takes signals and reaps orphans
//! ([`process::run_with_reaper`]).

// They panic if the stream cannot be written, and the exit code would be the panic's: see `cli::exit`.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

pub use bandog_actions as actions;
pub use bandog_http as http;
pub use bandog_process::{self as process, ids};
pub use bandog_runtime::{input, invocation, logs, output, reply, request, storage, telemetry, workspace};
pub use bandog_service as service;

pub mod cli;
pub mod config;
pub mod platform;
