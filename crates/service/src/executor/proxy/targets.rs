//! The servers of a service with actions: the ports of its own process, and servers elsewhere.

use std::{collections::BTreeMap, io, path::Path, sync::Arc, time::Duration};

use bandog_runtime::daemon::{Daemon, StopCommand};
use hyper::http::uri::Scheme;

use super::{
    Upstream, address::Address, assigned_port::AssignedPort, health::Health, managed::ManagedServer, tls::Trust,
};
use crate::{
    actions::{Endpoint, HttpCall, Interface, ScrapeTarget, Service},
    invocation::{Function, UpstreamKind},
};

/// How long the service's process may take to say that it is ready: what the specification gives each try.
const READY: Duration = Duration::from_secs(1);

/// The servers that the requests of actions, and forwarded paths, go to.
#[derive(Debug)]
pub(crate) struct Targets {
    /// The service's process; `None` if there is none.
    managed: Option<Arc<ManagedServer>>,
    /// The ports of that process.
    ports: BTreeMap<u16, Arc<Upstream>>,
    /// By scheme and authority.
    elsewhere: BTreeMap<String, Arc<Upstream>>,
    /// Where that process has metrics.
    pub(super) scrape: Option<ScrapeTarget>,
}

impl Targets {
    /// Prepares what `service` needs. Nothing is started yet.
    ///
    /// # Errors
    /// The address of a server elsewhere, or the certificates that it is checked with, cannot be used.
    pub(crate) fn new(
        service: &Service,
        startup: Option<Function>,
        shutdown: Option<Function>,
        certificates: Option<&Path>,
    ) -> io::Result<Self> {
        let ports = ports(service);
        let first = ports.first().copied().or(service.lifecycle.port);
        let process = startup.map(|function| Daemon::new(function, UpstreamKind::Service));
        let stop_command = shutdown.map(StopCommand::new);
        let managed = (process.is_some() || stop_command.is_some() || first.is_some()).then(|| {
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
                ManagedServer::new(
                    UpstreamKind::Service,
                    process,
                    first.map_or(AssignedPort::Nothing, AssignedPort::Fixed),
                    health,
                )
                .stopped_by(stop_command),
            )
        });
        let ports = ports.into_iter().map(|port| {
            let upstream = Upstream::plain(UpstreamKind::Service, Address::Local(port), managed.clone());
            (port, Arc::new(upstream))
        });
        Ok(Self {
            ports: ports.collect(),
            managed,
            elsewhere: elsewhere(service, certificates)?,
            scrape: service.metrics.clone(),
        })
    }

    /// The service's process, if there is one.
    pub(crate) fn managed(&self) -> Option<&Arc<ManagedServer>> {
        self.managed.as_ref()
    }

    /// A port of the service's process.
    pub(crate) fn port(&self, port: u16) -> Option<&Arc<Upstream>> {
        self.ports.get(&port)
    }

    /// Where the request of an action goes.
    pub(crate) fn of(&self, endpoint: &Endpoint) -> Option<&Arc<Upstream>> {
        match endpoint {
            Endpoint::Service { port, .. } => self.port(*port),
            Endpoint::External { origin, .. } => self.elsewhere.get(&origin.to_string()),
        }
    }
}

/// The servers elsewhere that actions go to.
fn elsewhere(service: &Service, certificates: Option<&Path>) -> io::Result<BTreeMap<String, Arc<Upstream>>> {
    let mut servers = BTreeMap::new();
    let mut trust = None;
    for action in &service.actions {
        let Interface::Http(HttpCall { endpoint: Endpoint::External { origin, .. }, .. }) = &action.interface else {
            continue;
        };
        let nowhere = || io::Error::other(format!("the action {}: there is no host in {origin}", action.name));
        let authority = origin.authority().ok_or_else(nowhere)?.clone();
        let is_https = origin.scheme() == Some(&Scheme::HTTPS);
        let port = authority.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        let tls = if is_https {
            let trust = match &mut trust {
                Some(trust) => trust,
                none => none.insert(Trust::new(certificates)?),
            };
            Some(trust.of(authority.host().trim_matches(['[', ']']))?)
        } else {
            None
        };
        let server =
            || Arc::new(Upstream::plain(UpstreamKind::External, Address::Named { authority, port, tls }, None));
        servers.entry(origin.to_string()).or_insert_with(server);
    }
    Ok(servers)
}

/// The ports of the service's process that something goes to, in the order of the file.
fn ports(service: &Service) -> Vec<u16> {
    let actions = service.actions.iter().filter_map(|action| match &action.interface {
        Interface::Http(call) => match call.endpoint {
            Endpoint::Service { port, .. } => Some(port),
            Endpoint::External { .. } => None,
        },
        Interface::Command(_) | Interface::Rpc | Interface::Events => None,
    });
    let forwards = service.forwards.iter().map(|forward| forward.port);
    let metrics = service.metrics.iter().map(|metrics| metrics.port);
    actions.chain(forwards).chain(metrics).collect()
}
