//! C

use crate::service::Generation;

/// What is known of the whole file before its actions are read.
pub(super) struct FileContext {
    /// In 2018 an action without an interface is run by its name.
    pub(super) generation: Generation,
    /// There is an `rpc` at the root, which is the interface of actions without one.
    pub(super) rpc: bool,
    /// Where the service's own process listens, if a place names no port.
    pub(super) port: Option<u16>,
}
