//! Who answers the requests: the actions of a service, and what is no action's the function, by `--mode`.

use std::{io, sync::Arc, time::Duration};

use super::{
    Server,
    front::Front,
    head::METHODS,
    site::Site,
    upstream::{Standing, Upstream},
};
use crate::{
    config::{Config, Mode},
    invocation::{Function, Ground},
    reply::Problem,
    workspace::Root,
};

/// Who answers the requests.
#[derive(Debug)]
pub struct Backend {
    /// What is asked first.
    pub(super) front: Option<Front>,
    pub(super) kind: Kind,
}

/// Who answers what is no action's.
#[derive(Debug)]
pub(super) enum Kind {
    /// A process for each request.
    Function(Arc<Function>),
    /// A process that speaks HTTP itself, or whoever listens at a URL.
    Upstream(Arc<Upstream>),
    /// The files of a directory.
    Files(Arc<Site>),
    /// There are actions only.
    Nobody,
}

impl Backend {
    /// Prepares what `config` asks for. Nothing is started yet.
    ///
    /// # Errors
    /// The function cannot be prepared, or the directory not be opened.
    pub fn new(config: &Config, workspaces: &Arc<Root>) -> io::Result<Self> {
        let needs_ground = config.command.is_some() || config.actions.is_some();
        let ground = needs_ground.then(|| Ground::new(&config.confinement, Arc::clone(workspaces))).transpose()?;
        let front = config.actions.as_ref().zip(ground.as_ref());
        let front = front.map(|(service, ground)| Front::new(config, service, ground)).transpose()?;
        let function = config.command.as_ref().zip(ground.as_ref());
        let function = function.map(|(command, ground)| Function::new(&config.function_settings(), ground, command));
        let function = function.transpose()?;
        let kind = match (config.mode, &config.static_dir, function) {
            (Mode::Static, Some(dir), _) => Kind::Files(Arc::new(Site::open(dir)?)),
            (Mode::Http, _, function) if function.is_some() || config.upstream.is_some() => {
                Kind::Upstream(Arc::new(Upstream::of_mode(config, function)))
            }
            (_, _, Some(function)) => Kind::Function(Arc::new(function)),
            (_, _, None) if front.is_some() => Kind::Nobody,
            (_, _, None) => return Err(io::Error::other("there is nothing to answer requests with")),
        };
        Ok(Self { front, kind })
    }

    /// Starts what is to run before the first request.
    pub(super) fn begin(&self, server: &Arc<Server>) {
        for standing in self.standings() {
            standing.begin(server);
        }
    }

    /// What has been started may end from now on.
    pub(super) fn let_end(&self) {
        for standing in self.standings() {
            standing.let_end();
        }
    }

    /// Ends what has been started; without a grace period if it is to be `now`.
    pub(super) fn end(&self, now: bool) {
        for standing in self.standings() {
            standing.end(now);
        }
    }

    /// Ends when all that has been started has ended.
    pub(super) async fn is_over(&self) {
        for standing in self.standings() {
            standing.is_over().await;
        }
    }

    /// How long the end may take before processes are told.
    pub(super) fn patience(&self) -> Duration {
        self.standings().map(|standing| standing.patience()).max().unwrap_or_default()
    }

    /// All that lives longer than a request.
    fn standings(&self) -> impl Iterator<Item = &Arc<Standing>> {
        let of_service = self.front.as_ref().and_then(|front| front.origins().standing());
        self.upstream().and_then(|upstream| upstream.standing()).into_iter().chain(of_service)
    }

    pub(super) fn upstream(&self) -> Option<&Arc<Upstream>> {
        match &self.kind {
            Kind::Upstream(upstream) => Some(upstream),
            Kind::Function(_) | Kind::Files(_) | Kind::Nobody => None,
        }
    }

    /// Whether requests are taken: by a function that lives long, once it is ready.
    pub(super) async fn check_ready(&self) -> Result<(), Problem> {
        for standing in self.standings() {
            if !standing.is_ready().await {
                return Err(standing.not_ready());
            }
        }
        Ok(())
    }

    /// The methods that are answered; `None` if that is not for bandog to say.
    pub(super) fn methods(&self) -> Option<&'static str> {
        match &self.kind {
            Kind::Function(_) => Some(METHODS),
            Kind::Upstream(_) | Kind::Nobody => None,
            Kind::Files(_) => Some("GET, HEAD"),
        }
    }

    /// Whether paths are bandog's own to understand: there `/run/NAME` names the service.
    pub(super) fn names_services(&self) -> bool {
        matches!(self.kind, Kind::Function(_))
    }
}
