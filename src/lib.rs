//! bandog turns any program into an HTTP function: one request, one process, one answer.

pub mod config;
pub mod http;
pub mod intake;
pub mod invocation;
pub mod logs;
pub mod output;
// The one module that may use `unsafe`: clone(2) as vfork, and wait and signal calls without a safe wrapper.
#[expect(unsafe_code, reason = "starting a process at vfork speed has no safe interface")]
pub mod process;
pub mod reply;
pub mod request;
pub mod telemetry;
pub mod workspace;
