//! The state that bandog starts with: signals, timers, limits, streams that are closed or full, a seccomp filter. None
//! of it ends bandog, loses a call, or is handed down to a function.

mod filters;
pub(crate) mod limits;
mod signals;
mod streams;
