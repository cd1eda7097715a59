//! One invocation, as plain blocking code: body → input file → process → output → response.
//!
//! ```text
//! call           an invocation and its response
//!   ├─ reply         outcome → status, header fields, streamed body
//!   └─ invocation    one request = one process = one outcome
//!        ├─ input      body → input file (knows encodings, not sockets)
//!        ├─ workspace   private directories, removed on drop
//!        ├─ output      output directory → file | zip | nothing
//!        └─ logs        captured lines, level filter, bounded
//! daemon         processes that run beside the requests
//! storage        the seam of object storage: events → inputs, outputs → objects
//! request        head of a request → call id, content headers, variables
//! ```
//!
//! [`call::run_and_answer`] carries out one call. Nothing here knows a network: bodies and responses are streams of bytes
//! behind traits. `bandog-process` starts the processes, `bandog-actions` binds the arguments of actions.

pub mod call;
pub mod daemon;
pub mod headers;
pub mod input;
pub mod invocation;
pub mod logs;
pub mod output;
pub mod reply;
pub mod request;
pub mod storage;
pub mod telemetry;
pub mod workspace;

use bandog_actions as actions;
use bandog_process::{self as process, ids};
