//! The front door of a service that has actions: what a request is to, before anybody else is asked.
//!
//! Made at start from the file; a request is only looked up. Here is who does an action, not how: a command is an
//! invocation like every other.

use std::{collections::BTreeMap, io, sync::Arc};

use hyper::{
    Method,
    header::{ALLOW, HeaderValue},
};

use super::{
    Server,
    bridge::Answer,
    handler,
    upstream::{self, Origins, Passage, Upstream},
};
use crate::{
    actions::{Action, Found, Interface, OtherMethods, Routes, Service},
    config::Config,
    invocation::{Function, Ground},
    reply::{
        Accept,
        problem::{Problem, Slug},
    },
};

/// Where what can be called is listed.
pub(super) const LIST: &str = "/_/actions";

/// The front door.
#[derive(Debug)]
pub(super) struct Front {
    routes: Routes,
    /// Of every action, by its name.
    ways: BTreeMap<String, Way>,
    /// Where HTTP actions and forwards go.
    origins: Origins,
}

/// Who does an action.
#[derive(Debug)]
pub(super) enum Way {
    /// A process for each call.
    Command(Arc<Function>),
    /// Nobody: its interface is not spoken.
    NotYet,
}

/// What a request is to.
#[derive(Debug)]
#[expect(dead_code, reason = "what its caller gives is not bound to it yet")]
pub(super) enum Asked<'a> {
    /// An action whose command is to be run.
    Command {
        /// What is run.
        function: &'a Arc<Function>,
        /// What it is.
        action: &'a Arc<Action>,
        /// `None` at `/run/NAME`; at the action's own path what that has in its places.
        places: Option<Vec<(String, String)>>,
    },
    /// A path whose traffic goes straight through.
    Forward(&'a Arc<Upstream>),
}

impl Front {
    /// Prepares what the actions of `service` need. Nothing is started yet.
    ///
    /// # Errors
    /// A command cannot be prepared.
    pub(super) fn new(config: &Config, service: &Arc<Service>, ground: &Ground) -> io::Result<Self> {
        let ways = service.actions.iter().map(|action| {
            let way = match &action.interface {
                Interface::Command(_) => {
                    let program = config.programs.actions.get(&action.name).ok_or_else(|| {
                        io::Error::other(format!("no program was found for the action {}", action.name))
                    })?;
                    Way::Command(Arc::new(Function::of_action(config, ground, action, program)?))
                }
                Interface::Http(_) | Interface::Rpc | Interface::Events => Way::NotYet,
            };
            Ok((action.name.clone(), way))
        });
        let ways = ways.collect::<io::Result<_>>()?;
        Ok(Self { routes: Routes::new(service), ways, origins: Origins::new(config, service, ground)? })
    }

    /// Where HTTP actions and forwards go.
    pub(super) fn origins(&self) -> &Origins {
        &self.origins
    }

    /// What a request with this head is to; `None` if that is none of the service's.
    #[expect(clippy::result_large_err, reason = "the answer to the request, and made once for it")]
    pub(super) fn find(&self, method: &Method, path: &str) -> Result<Option<Asked<'_>>, Problem> {
        let (action, places) = match self.routes.find(method, path).map_err(|other| other_methods(&other))? {
            None => return Ok(None),
            Some(Found::Run(action)) => (action, None),
            Some(Found::Own(action, places)) => (action, Some(places)),
            Some(Found::Forward(_, forward)) => return Ok(self.origins.port(forward.port).map(Asked::Forward)),
        };
        match self.ways.get(&action.name) {
            Some(Way::Command(function)) => Ok(Some(Asked::Command { function, action, places })),
            Some(Way::NotYet) | None => Err(not_yet(&format!("the action {}", action.name), action.interface.name())),
        }
    }
}

impl Asked<'_> {
    /// Who has to be ready before it is passed on.
    pub(super) fn upstream(&self) -> Option<&Arc<Upstream>> {
        match self {
            Self::Command { .. } => None,
            Self::Forward(upstream) => Some(upstream),
        }
    }
}

/// Has an action done.
pub(super) async fn call(server: &Arc<Server>, asked: Asked<'_>, passage: Passage<'_>) -> Result<Answer, Problem> {
    match asked {
        Asked::Forward(upstream) => Ok(upstream::pass(server, upstream, passage).await),
        Asked::Command { function, .. } => {
            let Passage { parts, call_id, envelope, place, arrival, .. } = passage;
            let call = handler::told(server, &parts, call_id, envelope);
            // What an action gives is sent as it is, whoever asks.
            handler::invoke(server, Arc::clone(function), call, Accept::default(), None, place, arrival).await
        }
    }
}

/// The answer where there are actions and nothing else.
pub(super) fn nothing_here(path: &str) -> Problem {
    Problem::new(Slug::NotFound, format!("no action is at {path}; what can be called is listed at {LIST}"))
}

fn other_methods(OtherMethods { allowed }: &OtherMethods) -> Problem {
    let problem = Problem::new(Slug::MethodNotAllowed, format!("use {allowed}"));
    HeaderValue::from_str(allowed).into_iter().fold(problem, |problem, allowed| problem.header(ALLOW, allowed))
}

fn not_yet(what: &str, interface: &str) -> Problem {
    let detail =
        format!("{what} has an interface that this version of bandog describes but does not speak: {interface}");
    Problem::new(Slug::InterfaceNotSupported, detail).member("interface", interface)
}
