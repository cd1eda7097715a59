//! Where HTTP actions and forwards go: the ports of the service's process, and servers elsewhere.

use std::{collections::BTreeMap, io, path::Path, sync::Arc, time::Duration};

use hyper::http::uri::Scheme;

use super::{
    Upstream,
    address::Address,
    health::Health,
    standing::{Standing, Told},
    tls::{SSL_CERT_FILE, Trust},
};
use crate::{
    actions::{Endpoint, HttpCall, Interface, Scrape, Service},
    config::Config,
    invocation::{Errand, Function, Ground, Party, Resident},
};

/// How long the service's process may take to say that it is ready: what the specification gives each try.
const READY: Duration = Duration::from_secs(1);

/// All that requests are sent to for the sake of actions.
#[derive(Debug)]
pub(in crate::http) struct Origins {
    /// Of the service's process; `None` if nothing is to be had from one.
    standing: Option<Arc<Standing>>,
    /// The ports of that process.
    ports: BTreeMap<u16, Arc<Upstream>>,
    /// By scheme and authority.
    elsewhere: BTreeMap<String, Arc<Upstream>>,
    /// Where that process has metrics.
    pub(super) scrape: Option<Scrape>,
}

impl Origins {
    /// Prepares what `service` needs. Nothing is started yet.
    ///
    /// # Errors
    /// A command of its lifecycle cannot be prepared.
    pub(in crate::http) fn new(config: &Config, service: &Service, ground: &Ground) -> io::Result<Self> {
        let ports = ports(service);
        let first = ports.first().copied().or(service.lifecycle.port);
        let settings = config.function_settings();
        let function = |command: &Option<_>, limit| {
            command.as_ref().map(|command| Function::of_service(&settings, ground, command, limit)).transpose()
        };
        let resident = function(&config.programs.startup, None)?;
        let resident = resident.map(|function| Resident::new(function, Party::Service));
        let limit = service.lifecycle.shutdown.as_ref().and_then(|shutdown| shutdown.timeout);
        let errand = function(&config.programs.shutdown, Some(limit.unwrap_or(config.kill_grace)))?.map(Errand::new);
        let standing = (resident.is_some() || errand.is_some() || first.is_some()).then(|| {
            let health = match &service.health {
                Some(health) => (Some(health.port), Some(health.path.clone())),
                None => (first, None),
            };
            let health = Health {
                address: health.0.map(Address::Local),
                target: health.1,
                takes_redirections: true,
                limit: READY,
            };
            Arc::new(
                Standing::new(Party::Service, resident, first.map_or(Told::Nothing, Told::Fixed), health)
                    .stopped_by(errand),
            )
        });
        let ports = ports.into_iter().map(|port| {
            let upstream = Upstream::plain(Party::Service, Address::Local(port), standing.clone());
            (port, Arc::new(upstream))
        });
        Ok(Self {
            ports: ports.collect(),
            standing,
            elsewhere: elsewhere(config, service)?,
            scrape: service.metrics.clone(),
        })
    }

    /// How the service's process stands, if there is one.
    pub(in crate::http) fn standing(&self) -> Option<&Arc<Standing>> {
        self.standing.as_ref()
    }

    /// A port of the service's process.
    pub(in crate::http) fn port(&self, port: u16) -> Option<&Arc<Upstream>> {
        self.ports.get(&port)
    }

    /// Where the request of an action goes.
    pub(in crate::http) fn of(&self, endpoint: &Endpoint) -> Option<&Arc<Upstream>> {
        match endpoint {
            Endpoint::Service { port, .. } => self.port(*port),
            Endpoint::Elsewhere { origin, .. } => self.elsewhere.get(&origin.to_string()),
        }
    }
}

/// The servers elsewhere that actions go to.
fn elsewhere(config: &Config, service: &Service) -> io::Result<BTreeMap<String, Arc<Upstream>>> {
    let mut servers = BTreeMap::new();
    let mut trust = None;
    let certificates = config.environment.iter().find(|(name, _)| name == SSL_CERT_FILE).map(|(_, value)| value);
    for action in &service.actions {
        let Interface::Http(HttpCall { endpoint: Endpoint::Elsewhere { origin, .. }, .. }) = &action.interface else {
            continue;
        };
        let nowhere = || io::Error::other(format!("the action {}: there is no host in {origin}", action.name));
        let authority = origin.authority().ok_or_else(nowhere)?.clone();
        let is_https = origin.scheme() == Some(&Scheme::HTTPS);
        let port = authority.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        let tls = if is_https {
            let trust = match &mut trust {
                Some(trust) => trust,
                none => none.insert(Trust::new(certificates.map(Path::new))?),
            };
            Some(trust.of(authority.host().trim_matches(['[', ']']))?)
        } else {
            None
        };
        let server = || Arc::new(Upstream::plain(Party::Elsewhere, Address::Named { authority, port, tls }, None));
        servers.entry(origin.to_string()).or_insert_with(server);
    }
    Ok(servers)
}

/// The ports of the service's process that something goes to, in the order of the file.
fn ports(service: &Service) -> Vec<u16> {
    let actions = service.actions.iter().filter_map(|action| match &action.interface {
        Interface::Http(call) => match call.endpoint {
            Endpoint::Service { port, .. } => Some(port),
            Endpoint::Elsewhere { .. } => None,
        },
        Interface::Command(_) | Interface::Rpc | Interface::Events => None,
    });
    let forwards = service.forwards.iter().map(|forward| forward.port);
    let metrics = service.metrics.iter().map(|metrics| metrics.port);
    actions.chain(forwards).chain(metrics).collect()
}
