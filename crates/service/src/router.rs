//! The router: from the head of a call to the executor that answers it.
//!
//! Made at start; a call is only looked up. It says which executor does an action, not how: a command is an invocation
//! like every other.

use std::{collections::BTreeMap, io, path::PathBuf, sync::Arc};

use hyper::{Method, header::CONTENT_LENGTH, http::request::Parts};

use super::{
    body::Response,
    call::{Admitted, Call},
    context::Context,
    executor::{
        Executor, ManagedServer, files, http_action, process,
        proxy::{self, Targets},
    },
};
use crate::{
    actions::{
        self, Action, Interface, Location, MethodNotAllowed, Placement, RouteMatch, Routes, TextArgument, TextSource,
    },
    input::{BodyForm, ContentHeaders, Envelope, InputError},
    invocation::Function,
    reply::{ErrorCode, Problem},
    request,
};

/// Where the actions are listed.
pub const ACTIONS_PAGE: &str = "/_/actions";

/// The methods that invoke a function.
const METHODS: &str = "GET, POST, PUT, PATCH, DELETE";

/// The methods that a directory answers.
const FILE_METHODS: &str = "GET, HEAD";

/// The files that browsers and crawlers ask every server for.
const BROWSERS: [&str; 2] = ["/favicon.ico", "/robots.txt"];

/// The path below which jobs are submitted.
const JOBS: &str = "/job";

/// The routes of all calls.
#[derive(Debug)]
pub struct Router {
    actions: Option<Actions>,
    /// Answers what is no action's; without `actions`, the action that a call names too.
    fallback: Option<Executor>,
    paths: PathPolicy,
}

/// Which paths and methods call a function that is a process for each call.
#[derive(Debug, Clone, Default)]
pub struct PathPolicy {
    /// The name of the service, which `/run/NAME` must have.
    pub service: Option<String>,
    /// Every method invokes the function.
    pub any_method: bool,
    /// So does every path: those of jobs too, and those that browsers ask every server for.
    pub any_path: bool,
}

/// The commands of a service with actions, prepared.
#[derive(Debug, Default)]
pub struct Commands {
    /// The functions of the actions that are commands, by the names of the actions.
    pub actions: BTreeMap<String, Function>,
    /// The service's own process.
    pub startup: Option<Function>,
    /// The command that stops it.
    pub shutdown: Option<Function>,
    /// The certificates that servers elsewhere are checked with; `None` for the usual ones.
    pub certificates: Option<PathBuf>,
}

/// The actions of a service and the paths that it forwards.
#[derive(Debug)]
pub struct Actions {
    routes: Routes,
    /// By the names of the actions. An action without one has an interface that is not supported.
    executors: BTreeMap<String, Executor>,
    /// By the port that a path is forwarded to.
    forwards: BTreeMap<u16, Executor>,
    targets: Targets,
}

/// The way of one call.
#[derive(Debug)]
pub(crate) struct Route<'a> {
    executor: &'a Executor,
    destination: Destination,
}

/// The destination of a call.
#[derive(Debug)]
enum Destination {
    /// An action.
    Action {
        action: Arc<Action>,
        /// [`Placement::Declared`] at the action's own path.
        way: Placement,
        /// The arguments that the front door names, or that the path holds.
        given: Vec<TextArgument>,
    },
    /// A path whose calls go straight through.
    Forward,
    /// The one function, server or directory.
    Fallback,
}

impl Actions {
    /// Prepares the executors of all actions. Nothing is started yet.
    ///
    /// # Errors
    /// A command is missing, or a server elsewhere cannot be called.
    pub fn new(service: &Arc<actions::Service>, commands: Commands) -> io::Result<Self> {
        let Commands { actions: mut functions, startup, shutdown, certificates } = commands;
        let targets = Targets::new(service, startup, shutdown, certificates.as_deref())?;
        let mut executors = BTreeMap::new();
        for action in &service.actions {
            let executor = match &action.interface {
                Interface::Command(_) => {
                    let function = functions.remove(&action.name).ok_or_else(|| {
                        io::Error::other(format!("no program was found for the action {}", action.name))
                    })?;
                    Executor::Process(Arc::new(function))
                }
                Interface::Http(how) => {
                    let upstream = targets.of(&how.endpoint).ok_or_else(|| {
                        io::Error::other(format!("no upstream is configured for action {}", action.name))
                    })?;
                    Executor::HttpAction(Arc::new(how.clone()), Arc::clone(upstream))
                }
                Interface::Rpc | Interface::Events => continue,
            };
            executors.insert(action.name.clone(), executor);
        }
        let forwards = service.forwards.iter().filter_map(|forward| {
            let upstream = targets.port(forward.port)?;
            Some((forward.port, Executor::Proxy(Arc::clone(upstream))))
        });
        let forwards = forwards.collect();
        Ok(Self { routes: Routes::new(service), executors, forwards, targets })
    }

    /// The executor of an action.
    #[expect(clippy::result_large_err, reason = "the response to the request, and made once for it")]
    fn executor(&self, action: &Action) -> Result<&Executor, Problem> {
        self.executors.get(&action.name).ok_or_else(|| not_supported(action))
    }

    /// The route of a request; `None` if it is to no action.
    #[expect(clippy::result_large_err, reason = "the response to the request, and made once for it")]
    fn find(&self, method: &Method, path: &str) -> Result<Option<Route<'_>>, Problem> {
        let (action, way, places) = match self.routes.find(method, path).map_err(|other| other_methods(&other))? {
            None => return Ok(None),
            Some(RouteMatch::Run(action)) => (action, Placement::Any, Vec::new()),
            Some(RouteMatch::Own(action, places)) => (action, Placement::Declared, places),
            Some(RouteMatch::Forward(forward)) => {
                let executor = self.forwards.get(&forward.port);
                return Ok(executor.map(|executor| Route { executor, destination: Destination::Forward }));
            }
        };
        let given =
            places.into_iter().map(|(name, value)| TextArgument { name, value: Some(value), source: TextSource::Path });
        let destination = Destination::Action { action: Arc::clone(action), way, given: given.collect() };
        Ok(Some(Route { executor: self.executor(action)?, destination }))
    }
}

impl Router {
    /// The routes to `actions`, and to `fallback` for all else.
    ///
    /// # Errors
    /// There is neither.
    pub fn new(actions: Option<Actions>, fallback: Option<Executor>, paths: PathPolicy) -> io::Result<Self> {
        if actions.is_none() && fallback.is_none() {
            return Err(io::Error::other("there is nothing to answer requests with"));
        }
        Ok(Self { actions, fallback, paths })
    }

    /// All servers that live longer than a call.
    pub(crate) fn managed(&self) -> impl Iterator<Item = &Arc<ManagedServer>> {
        let of_service = self.actions.as_ref().and_then(|actions| actions.targets.managed());
        let of_fallback = self.fallback.as_ref().and_then(Executor::upstream).and_then(|upstream| upstream.managed());
        of_fallback.into_iter().chain(of_service)
    }

    /// The metrics of the service's process, if it has some.
    pub(crate) async fn scrape(&self) -> Option<String> {
        self.actions.as_ref()?.targets.scrape().await
    }

    /// The route of a call.
    ///
    /// # Errors
    /// The problem of a head that nothing answers.
    #[expect(clippy::result_large_err, reason = "the response to the request, and made once for it")]
    pub(crate) fn find(&self, call: &Call) -> Result<Route<'_>, Problem> {
        let head = &call.head;
        let nothing_here = || nothing_here(head.uri.path());
        if let Some(named) = &call.action {
            let executor = match &self.actions {
                Some(actions) => actions.executor(&named.action)?,
                None => self.fallback.as_ref().ok_or_else(nothing_here)?,
            };
            let (action, given) = (Arc::clone(&named.action), named.texts.clone());
            return Ok(Route { executor, destination: Destination::Action { action, way: Placement::Any, given } });
        }
        if let Some(actions) = &self.actions
            && let Some(route) = actions.find(&head.method, head.uri.path())?
        {
            return Ok(route);
        }
        let executor = self.fallback.as_ref().ok_or_else(nothing_here)?;
        self.check(executor, head)?;
        Ok(Route { executor, destination: Destination::Fallback })
    }

    /// Whether the fallback answers this method, and the path does not name another service.
    #[expect(clippy::result_large_err, reason = "the response to the request, and made once for it")]
    fn check(&self, executor: &Executor, head: &Parts) -> Result<(), Problem> {
        match self.methods(executor, &head.method) {
            Some(methods) if !methods.split(", ").any(|method| head.method == method) => {
                return Err(Problem::method_not_allowed(format!("use one of {methods}"), methods));
            }
            // A tunnel to anywhere is none of a function's tasks.
            None if head.method == Method::CONNECT => {
                let allowed = "any method but CONNECT";
                return Err(Problem::method_not_allowed(format!("use one of {allowed}"), allowed));
            }
            Some(_) | None => {}
        }
        match executor {
            Executor::Process(_) => self.paths.check(head.uri.path()),
            // Paths are the server's, or those of files.
            Executor::Proxy(_) | Executor::HttpAction(..) | Executor::Files(_) => Ok(()),
        }
    }

    /// The methods that are answered; `None` where the server decides. A HEAD asks for no body, so that one that is passed
    /// on while it is written would be ended with its head.
    fn methods(&self, executor: &Executor, asked: &Method) -> Option<&'static str> {
        match executor {
            Executor::Process(function) if self.paths.any_method => {
                (function.is_live() && *asked == Method::HEAD).then_some(METHODS)
            }
            Executor::Process(_) => Some(METHODS),
            Executor::Files(_) => Some(FILE_METHODS),
            Executor::Proxy(_) | Executor::HttpAction(..) => None,
        }
    }
}

impl PathPolicy {
    /// Whether a process is started for a call of this path.
    #[expect(clippy::result_large_err, reason = "the response to the request, and made once for it")]
    fn check(&self, path: &str) -> Result<(), Problem> {
        if let (Some(name), Some(asked)) = (&self.service, path.strip_prefix("/run/")) {
            let asked = percent_encoding::percent_decode_str(asked.split('/').next().unwrap_or_default());
            if !asked.clone().eq(name.bytes()) {
                let detail = format!("this is the service {name:?}, not {:?}", asked.decode_utf8_lossy());
                return Err(Problem::new(ErrorCode::NotFound, detail));
            }
        }
        if self.any_path {
            return Ok(());
        }
        // Written with escapes it is the same path (RFC 3986 §6.2.2.2).
        let path = &*percent_encoding::percent_decode_str(path).decode_utf8_lossy();
        if BROWSERS.contains(&path) {
            let detail = format!("{path} does not call the function; --paths any makes it do so");
            return Err(Problem::new(ErrorCode::NotFound, detail));
        }
        if path == JOBS || path.strip_prefix(JOBS).is_some_and(|rest| rest.starts_with('/')) {
            let detail = format!(
                "{path} is for jobs that run after the response, and none are kept here; send the request to / for a \
                 response with the result, or set --paths any to have it call the function"
            );
            return Err(Problem::new(ErrorCode::JobsNotKept, detail));
        }
        Ok(())
    }
}

impl Route<'_> {
    pub(crate) fn executor(&self) -> &Executor {
        self.executor
    }

    /// How the body is to be taken in, from what the head says of it.
    #[expect(clippy::result_large_err, reason = "the response to the request, and made once for it")]
    pub(crate) fn envelope(&self, context: &Context, head: &Parts) -> Result<Envelope, Problem> {
        let headers = &head.headers;
        let limit = context.settings.limits.body;
        let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if length.is_some_and(|length| limit > 0 && length > limit) {
            return Err(Problem::bad_body(InputError::TooLarge { limit, form: BodyForm::Sent }));
        }
        match self.destination {
            Destination::Forward => Ok(Envelope::as_sent(&request::content_headers(headers))),
            Destination::Action { .. } => {
                Envelope::for_action(&request::content_headers(headers)).map_err(Problem::bad_body)
            }
            Destination::Fallback => {
                let (bodies, requests) = (&context.settings.bodies, &context.settings.requests);
                // A document of our own says nothing of the body in it.
                let is_untyped = bodies.ignore_type || requests.document.is_some();
                let labels = if is_untyped { ContentHeaders::default() } else { request::content_headers(headers) };
                if bodies.decode {
                    let envelope = Envelope::parse(&labels).map_err(Problem::bad_body)?.with_forms(bodies.forms);
                    Ok(match request::url(head).filter(|_| requests.shows_head) {
                        Some(url) => envelope.asked_by(url, length),
                        None => envelope,
                    })
                } else {
                    Ok(Envelope::as_sent(&labels))
                }
            }
        }
    }

    /// Has the executor answer.
    ///
    /// # Errors
    /// The problem to answer with, where the executor could not begin.
    pub(crate) async fn execute(self, context: &Arc<Context>, admitted: Admitted<'_>) -> Result<Response, Problem> {
        match (self.executor, self.destination) {
            (Executor::Process(function), Destination::Action { action, way, given }) => {
                let texts = texts(&action, &admitted.head, given);
                process::call_action(context, function, admitted, way, texts).await
            }
            (Executor::Process(function), Destination::Forward | Destination::Fallback) => {
                process::call(context, function, admitted).await
            }
            (Executor::HttpAction(how, upstream), Destination::Action { action, way, given }) => {
                let texts = texts(&action, &admitted.head, given);
                let action = http_action::RequestedAction { action: &action, how, way, texts };
                http_action::call(context, upstream, action, admitted).await
            }
            (Executor::Proxy(upstream) | Executor::HttpAction(_, upstream), _) => {
                Ok(proxy::forward(context, upstream, admitted).await)
            }
            (Executor::Files(directory), _) => files::call(context, directory, admitted).await,
        }
    }
}

/// The arguments of an action in the head: in the path, the query, and the header fields that are arguments of it.
fn texts(action: &Action, head: &Parts, mut texts: Vec<TextArgument>) -> Vec<TextArgument> {
    let text = |source| move |(name, value)| TextArgument { name, value, source };
    let query = actions::decode_pairs(head.uri.query().unwrap_or_default().as_bytes());
    let fields = action.arguments.iter().filter(|argument| argument.location == Location::Header);
    let fields = fields.flat_map(|argument| {
        let values = head.headers.get_all(argument.name.as_str()).iter();
        values.map(|value| (argument.name.clone(), str::from_utf8(value.as_bytes()).ok().map(str::to_owned)))
    });
    texts.extend(query.map(text(TextSource::Query)).chain(fields.map(text(TextSource::Header))));
    texts
}

/// The problem where there are actions and nothing else.
fn nothing_here(path: &str) -> Problem {
    let detail = format!("no action is at {path}; what can be called is listed at {ACTIONS_PAGE}");
    Problem::new(ErrorCode::NotFound, detail)
}

fn other_methods(MethodNotAllowed { allowed }: &MethodNotAllowed) -> Problem {
    Problem::method_not_allowed(format!("use {allowed}"), allowed)
}

fn not_supported(action: &Action) -> Problem {
    let (name, interface) = (&action.name, action.interface.name());
    let detail =
        format!("the action {name} has an interface that this version of bandog does not support: {interface}");
    Problem::new(ErrorCode::InterfaceNotSupported, detail).member("interface", interface)
}
