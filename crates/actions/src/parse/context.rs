//! The facts about the whole file that its parts depend on.

use crate::service::Generation;

/// The facts about the whole file that are known before its actions are parsed.
pub(super) struct FileContext {
    /// In 2018 an action without an interface is run by its name.
    pub(super) generation: Generation,
    /// Whether `rpc` at the root is the interface of actions without one.
    pub(super) rpc: bool,
    /// The port of the service's own process, for paths without a port.
    pub(super) port: Option<u16>,
}
