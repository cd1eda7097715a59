//! The executors: how a call is answered.

use std::sync::Arc;

use crate::{actions::HttpCall, invocation::Function};
pub use files::StaticDir;
pub(crate) use proxy::ManagedServer;
pub use proxy::{ProxySettings, Upstream};

pub(crate) mod files;
pub(crate) mod http_action;
pub(crate) mod process;
pub(crate) mod proxy;

/// How a call is answered.
#[derive(Debug)]
pub enum Executor {
    /// By a process of its own.
    Process(Arc<Function>),
    /// By a server that speaks HTTP itself, which the call is forwarded to.
    Proxy(Arc<Upstream>),
    /// By an action that a request to a server does.
    HttpAction(Arc<HttpCall>, Arc<Upstream>),
    /// By a file of a directory.
    Files(Arc<StaticDir>),
}

impl Executor {
    /// The server that the call goes to, which must be ready before the call is taken.
    #[must_use]
    pub fn upstream(&self) -> Option<&Arc<Upstream>> {
        match self {
            Self::Proxy(upstream) | Self::HttpAction(_, upstream) => Some(upstream),
            Self::Process(_) | Self::Files(_) => None,
        }
    }
}
