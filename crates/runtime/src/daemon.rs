//! Processes that run beside the requests: a server that is restarted when it ends, and the command that stops it.
//!
//! Nothing here knows HTTP. The caller that talks to the process is notified of each start and end.

mod process;
mod restarted;
mod stop_command;

pub use self::{
    restarted::{Daemon, DaemonEvent},
    stop_command::StopCommand,
};
