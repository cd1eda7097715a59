//! Who answers the requests, by `--mode`.

use std::{io, sync::Arc};

use super::{
    Server,
    handler::METHODS,
    site::Site,
    upstream::{self, Upstream},
};
use crate::{
    config::{Config, Mode},
    invocation::{Function, Ground},
    reply::Problem,
    workspace::Root,
};

/// Who answers the requests.
#[derive(Debug)]
pub struct Backend(pub(super) Kind);

#[derive(Debug)]
pub(super) enum Kind {
    /// A process for each request.
    Function(Arc<Function>),
    /// A process that speaks HTTP itself, or whoever listens at a URL.
    Upstream(Arc<Upstream>),
    /// The files of a directory.
    Files(Arc<Site>),
}

impl Backend {
    /// Prepares what `config` asks for. Nothing is started yet.
    ///
    /// # Errors
    /// The function cannot be prepared, or the directory not be opened.
    pub fn new(config: &Config, workspaces: &Arc<Root>) -> io::Result<Self> {
        let ground = || Ground::new(config, Arc::clone(workspaces));
        Ok(Self(match (config.mode, &config.static_dir) {
            (Mode::Static, Some(dir)) => Kind::Files(Arc::new(Site::open(dir)?)),
            (Mode::Http, _) => {
                let function = config.command.as_ref().map(|_| Function::new(config, &ground()?)).transpose()?;
                Kind::Upstream(Arc::new(Upstream::new(config, function)))
            }
            (Mode::Files | Mode::Stdio | Mode::Streaming | Mode::Static, _) => {
                Kind::Function(Arc::new(Function::new(config, &ground()?)?))
            }
        }))
    }

    /// Starts what is to run before the first request.
    pub(super) fn begin(&self, server: &Arc<Server>) {
        if let Some(upstream) = self.upstream() {
            upstream.begin(server);
        }
    }

    /// What has been started may end from now on.
    pub(super) fn let_end(&self) {
        if let Some(upstream) = self.upstream() {
            upstream.let_end();
        }
    }

    /// Ends what has been started; without a grace period if it is to be `now`.
    pub(super) fn end(&self, now: bool) {
        if let Some(upstream) = self.upstream() {
            upstream.end(now);
        }
    }

    /// Ends when all that has been started has ended.
    pub(super) async fn is_over(&self) {
        if let Some(upstream) = self.upstream() {
            upstream.is_over().await;
        }
    }

    pub(super) fn upstream(&self) -> Option<&Arc<Upstream>> {
        match &self.0 {
            Kind::Upstream(upstream) => Some(upstream),
            Kind::Function(_) | Kind::Files(_) => None,
        }
    }

    /// Whether requests are taken: by a function that lives long, once it is ready.
    pub(super) async fn check_ready(&self) -> Result<(), Problem> {
        match self.upstream() {
            Some(upstream) if !upstream.is_ready().await => Err(upstream::not_ready()),
            Some(_) | None => Ok(()),
        }
    }

    /// The methods that are answered; `None` if that is not for bandog to say.
    pub(super) fn methods(&self) -> Option<&'static str> {
        match &self.0 {
            Kind::Function(_) => Some(METHODS),
            Kind::Upstream(_) => None,
            Kind::Files(_) => Some("GET, HEAD"),
        }
    }

    /// Whether paths are bandog's own to understand: there `/run/NAME` names the service.
    pub(super) fn names_services(&self) -> bool {
        matches!(self.0, Kind::Function(_))
    }
}
