//! The front door of a service that has actions: what a request is to, before anybody else is asked.
//!
//! Made at start from the file; a request is only looked up. Here is who does an action, not how: a command is an
//! invocation like every other.

use std::{collections::BTreeMap, io, sync::Arc};

use hyper::{
    Method,
    header::{ALLOW, HeaderValue},
    http::request::Parts,
};

use super::{
    Server,
    bridge::Answer,
    handler,
    upstream::{self, Asking, Origins, Passage, Upstream},
};
use crate::{
    actions::{self, Action, Found, HttpCall, Interface, Location, OtherMethods, Routes, Service, Source, Text},
    config::Config,
    invocation::{Call, Function, Ground},
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
    /// A server that runs already.
    Http(Arc<HttpCall>, Arc<Upstream>),
    /// Nobody: its interface is not spoken.
    NotYet,
}

/// What a request is to.
#[derive(Debug)]
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
    /// An action that is done by a request.
    Http {
        /// The request.
        how: &'a Arc<HttpCall>,
        /// Where it goes.
        upstream: &'a Arc<Upstream>,
        /// What it is.
        action: &'a Arc<Action>,
        /// As of a command.
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
        let origins = Origins::new(config, service, ground)?;
        let settings = config.function_settings();
        let ways = service.actions.iter().map(|action| {
            let way = match &action.interface {
                Interface::Command(_) => {
                    let program = config.programs.actions.get(&action.name).ok_or_else(|| {
                        io::Error::other(format!("no program was found for the action {}", action.name))
                    })?;
                    Way::Command(Arc::new(Function::of_action(&settings, ground, action, program)?))
                }
                Interface::Http(how) => {
                    let upstream = origins
                        .of(&how.endpoint)
                        .ok_or_else(|| io::Error::other(format!("the action {} is done by nobody", action.name)))?;
                    Way::Http(Arc::new(how.clone()), Arc::clone(upstream))
                }
                Interface::Rpc | Interface::Events => Way::NotYet,
            };
            Ok((action.name.clone(), way))
        });
        let ways = ways.collect::<io::Result<_>>()?;
        Ok(Self { routes: Routes::new(service), ways, origins })
    }

    /// Where HTTP actions and forwards go.
    pub(super) fn origins(&self) -> &Origins {
        &self.origins
    }

    /// The request that an action is done by, and where it goes; `None` if it is done in another way.
    pub(super) fn request(&self, action: &Action) -> Option<(&Arc<HttpCall>, &Arc<Upstream>)> {
        match self.ways.get(&action.name) {
            Some(Way::Http(how, upstream)) => Some((how, upstream)),
            Some(Way::Command(_) | Way::NotYet) | None => None,
        }
    }

    /// What a request with this head is to; `None` if that is none of the service's.
    #[expect(clippy::result_large_err, reason = "the answer to the request, and made once for it")]
    pub(super) fn find(&self, method: &Method, path: &str) -> Result<Option<Asked<'_>>, Problem> {
        let (action, places) = match self.routes.find(method, path).map_err(|other| other_methods(&other))? {
            None => return Ok(None),
            Some(Found::Run(action)) => (action, None),
            Some(Found::Own(action, places)) => (action, Some(places)),
            Some(Found::Forward(forward)) => return Ok(self.origins.port(forward.port).map(Asked::Forward)),
        };
        match self.ways.get(&action.name) {
            Some(Way::Command(function)) => Ok(Some(Asked::Command { function, action, places })),
            Some(Way::Http(how, upstream)) => Ok(Some(Asked::Http { how, upstream, action, places })),
            Some(Way::NotYet) | None => Err(not_yet(&format!("the action {}", action.name), action.interface.name())),
        }
    }
}

impl Asked<'_> {
    /// Who has to be ready before it is passed on.
    pub(super) fn upstream(&self) -> Option<&Arc<Upstream>> {
        match self {
            Self::Command { .. } => None,
            Self::Http { upstream, .. } | Self::Forward(upstream) => Some(upstream),
        }
    }
}

/// Has an action done.
pub(super) async fn call(server: &Arc<Server>, asked: Asked<'_>, passage: Passage<'_>) -> Result<Answer, Problem> {
    match asked {
        Asked::Forward(upstream) => Ok(upstream::pass(server, upstream, passage).await),
        Asked::Http { how, upstream, action, places } => {
            let way = if places.is_some() { actions::Way::Declared } else { actions::Way::Any };
            let texts = texts(action, &passage.parts, places);
            Ok(upstream::call(server, upstream, Asking { action, how, way, texts }, passage).await)
        }
        Asked::Command { function, action, places } => {
            let Passage { parts, call_id, envelope, place, arrival, .. } = passage;
            let call = Call {
                way: if places.is_some() { actions::Way::Declared } else { actions::Way::Any },
                texts: texts(action, &parts, places),
                ..handler::told(server, &parts, call_id, envelope)
            };
            // What an action gives is sent as it is, whoever asks.
            handler::invoke(server, Arc::clone(function), call, Accept::default(), None, place, arrival).await
        }
    }
}

/// What an action is given in the head: in the path, the query, and header fields that are arguments of it.
fn texts(action: &Action, parts: &Parts, places: Option<Vec<(String, String)>>) -> Vec<Text> {
    let text = |source| move |(name, value)| Text { name, value, source };
    let query = actions::pairs(parts.uri.query().unwrap_or_default().as_bytes());
    let fields = action.arguments.iter().filter(|argument| argument.location == Location::Header);
    let fields = fields.flat_map(|argument| {
        let values = parts.headers.get_all(argument.name.as_str()).iter();
        values.map(|value| (argument.name.clone(), str::from_utf8(value.as_bytes()).ok().map(str::to_owned)))
    });
    let places = places.into_iter().flatten().map(|(name, value)| (name, Some(value))).map(text(Source::Path));
    places.chain(query.map(text(Source::Query))).chain(fields.map(text(Source::Header))).collect()
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
