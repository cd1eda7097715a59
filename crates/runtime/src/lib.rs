//! One invocation, as plain blocking code: body → input file → process → output → response.
//!
//! ```text
//! reply        outcome → status, header fields, streamed body
//!   │
//! invocation   one request = one process = one outcome
//!   │
//!   ├─ input      body → input file (knows encodings, not sockets)
//!   ├─ workspace   private directories, removed on drop
//!   ├─ output      output directory → file | zip | nothing
//!   └─ logs        captured lines, level filter, bounded
//! ```
//!
//! [`reply::deliver()`] is the whole of a call. Nothing here knows a network: bodies and responses are streams of bytes
//! behind traits. Processes are started by `bandog-process`, arguments of actions are bound by `bandog-actions`.

pub mod input;
pub mod invocation;
pub mod logs;
pub mod output;
pub mod reply;
pub mod request;
pub mod telemetry;
pub mod workspace;

use bandog_actions as actions;
use bandog_process::{self as process, ids};
