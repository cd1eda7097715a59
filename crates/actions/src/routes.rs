//! Finds the action that a method and a path mean. It is built once from a [`Service`], and looks at neither query nor
//! body.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use http::Method;
use percent_encoding::percent_decode_str;

use crate::{
    action::{Action, Endpoint, HttpCall, Interface},
    service::{Forward, Service},
    template::{Piece, Template},
};

/// The prefix of the path that every action can be called at; its name follows.
pub const RUN: &str = "/run/";

/// The prefixes of bandog's own paths.
const OWN_PREFIXES: [&str; 2] = ["/_", "/run"];

/// The prefix of bandog's own paths that this path has.
pub(crate) fn own_prefix(path: &str) -> Option<&'static str> {
    let is_below = |own: &&str| path.strip_prefix(*own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    OWN_PREFIXES.into_iter().find(is_below)
}

impl Service {
    /// The actions that can be called at a path of their own, each with its request and that path. Of those that share
    /// method and path it is the first; none has a path of bandog's.
    pub fn own_paths(&self) -> impl Iterator<Item = (&Arc<Action>, &HttpCall, &Template)> {
        let mut taken = HashSet::new();
        self.actions.iter().filter_map(move |action| {
            let Interface::Http(call) = &action.interface else { return None };
            let Endpoint::Service { path, .. } = &call.endpoint else { return None };
            let is_free = own_prefix(&path.to_string()).is_none() && taken.insert((&call.method, path.shape()));
            is_free.then_some((action, call, path))
        })
    }
}

/// All paths of a service.
#[derive(Debug)]
pub struct Routes {
    service: Arc<Service>,
    own: Vec<OwnPath>,
}

/// The own path of an action.
#[derive(Debug)]
struct OwnPath {
    method: Method,
    /// The segments between the slashes; the first slash precedes them.
    segments: Vec<Template>,
    action: Arc<Action>,
}

/// The target of a path.
#[derive(Debug)]
pub enum RouteMatch<'a> {
    /// An action, called by its name.
    Run(&'a Arc<Action>),
    /// An action, called at its own path, with the values of the path's placeholders.
    Own(&'a Arc<Action>, Vec<(String, String)>),
    /// A path whose traffic is forwarded to the service's process.
    Forward(&'a Forward),
}

/// The path exists, but not with this method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MethodNotAllowed {
    /// The value of `Allow`.
    pub allowed: String,
}

impl Routes {
    /// All paths of `service`.
    #[must_use]
    pub fn new(service: &Arc<Service>) -> Self {
        let own = service.own_paths().map(|(action, call, path)| OwnPath {
            method: call.method.clone(),
            segments: segments(path),
            action: Arc::clone(action),
        });
        Self { own: own.collect(), service: Arc::clone(service) }
    }

    /// Finds the target of `path`; `None` if the service has no such path.
    ///
    /// # Errors
    ///
    /// The path is an action's, with other methods.
    pub fn find(&self, method: &Method, path: &str) -> Result<Option<RouteMatch<'_>>, MethodNotAllowed> {
        if let Some(action) = path.strip_prefix(RUN).and_then(|name| self.service.action(&decoded(name)?)) {
            let is_post = *method == Method::POST;
            return if is_post {
                Ok(Some(RouteMatch::Run(action)))
            } else {
                Err(MethodNotAllowed { allowed: "POST".to_owned() })
            };
        }
        match self.own(method, path) {
            Ok(Some(own)) => Ok(Some(own)),
            // An action on a path that is forwarded takes the calls with its method, and leaves the others.
            other => self.forward(method, path).map_or(other, |forward| Ok(Some(RouteMatch::Forward(forward)))),
        }
    }

    /// The longest path that covers this one, of equal ones the first.
    fn forward(&self, method: &Method, path: &str) -> Option<&Forward> {
        // CONNECT asks for a tunnel, which no path of a service offers.
        if *method == Method::CONNECT || climbs(path) {
            return None;
        }
        let forwards = self.service.forwards.iter().rev().filter(|forward| is_below(path, forward));
        forwards.max_by_key(|forward| forward.path.trim_end_matches('/').len())
    }

    fn own(&self, method: &Method, path: &str) -> Result<Option<RouteMatch<'_>>, MethodNotAllowed> {
        let Some(asked) = path.strip_prefix('/') else { return Ok(None) };
        // A path that is not UTF-8 matches no placeholder.
        let Some(asked) = asked.split('/').map(decoded).collect::<Option<Vec<_>>>() else { return Ok(None) };
        let matching = self.own.iter().filter_map(|own| Some((own, own.places(&asked)?)));
        let matching: Vec<(&OwnPath, Vec<(String, String)>)> = matching.collect();
        let Some(closest) = matching.iter().map(|(own, _)| own.looseness()).min() else { return Ok(None) };
        let mut allowed = BTreeSet::new();
        for (own, places) in matching.into_iter().filter(|(own, _)| own.looseness() == closest) {
            if own.method == *method {
                return Ok(Some(RouteMatch::Own(&own.action, places)));
            }
            allowed.insert(own.method.as_str());
        }
        Err(MethodNotAllowed { allowed: allowed.into_iter().collect::<Vec<_>>().join(", ") })
    }
}

impl OwnPath {
    /// The values of the placeholders, if the segments match.
    fn places(&self, asked: &[String]) -> Option<Vec<(String, String)>> {
        let mut places = Vec::new();
        (self.segments.len() == asked.len()
            && self.segments.iter().zip(asked).all(|(segment, text)| fit(&segment.pieces, text, &mut places)))
        .then_some(places)
    }

    /// Orders matching paths: the smallest is the most specific. In each segment, from the first on, plain text is more
    /// specific than text with placeholders, and that more than a lone placeholder.
    fn looseness(&self) -> Vec<u8> {
        let of = |segment: &Template| match segment.pieces.as_slice() {
            [Piece::Placeholder(_)] => 2,
            _ if segment.is_plain() => 0,
            _ => 1,
        };
        self.segments.iter().map(of).collect()
    }
}

/// Splits a path into its segments.
fn segments(path: &Template) -> Vec<Template> {
    let mut segments = vec![Template { pieces: Vec::new() }];
    for piece in &path.pieces {
        match piece {
            Piece::Placeholder(_) => segments.last_mut().into_iter().for_each(|last| last.pieces.push(piece.clone())),
            Piece::Text(text) => {
                for (number, part) in text.split('/').enumerate() {
                    if number > 0 {
                        segments.push(Template { pieces: Vec::new() });
                    }
                    // Compare decoded text, since clients may escape it differently.
                    let part = decoded(part).unwrap_or_else(|| part.to_owned());
                    if !part.is_empty() {
                        segments.last_mut().into_iter().for_each(|last| last.pieces.push(Piece::Text(part.clone())));
                    }
                }
            }
        }
    }
    // The path begins with a slash, so the first segment is empty.
    segments.remove(0);
    segments
}

/// Whether `text` matches these pieces, with a value for each placeholder, which is added to `places`. A placeholder
/// ends at the first occurrence of the text that follows it. The match never backtracks, so its time is bounded for any
/// path.
fn fit(pieces: &[Piece], text: &str, places: &mut Vec<(String, String)>) -> bool {
    let mut fill = |name: &String, value: &str| places.push((name.clone(), value.to_owned()));
    match pieces {
        [] => text.is_empty(),
        [Piece::Text(all)] => text == all,
        [Piece::Placeholder(name)] => {
            fill(name, text);
            !text.is_empty()
        }
        [Piece::Text(start), rest @ ..] => {
            text.strip_prefix(start.as_str()).is_some_and(|text| fit(rest, text, places))
        }
        [rest @ .., Piece::Text(end)] => text.strip_suffix(end.as_str()).is_some_and(|text| fit(rest, text, places)),
        [Piece::Placeholder(name), behind @ ..] => {
            let Some(first) = text.chars().next() else { return false };
            let (behind, next) = match behind {
                [Piece::Text(next), behind @ ..] => (behind, next.as_str()),
                _ => (behind, ""),
            };
            let Some(end) = text[first.len_utf8()..].find(next) else { return false };
            let (value, rest) = text.split_at(first.len_utf8() + end);
            fill(name, value);
            fit(behind, &rest[next.len()..], places)
        }
    }
}

/// Decodes a segment; `None` if the result is not UTF-8.
fn decoded(segment: &str) -> Option<String> {
    percent_decode_str(segment).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

/// Whether a server might resolve this path to one outside the forwarded path (RFC 3986 §5.2.4). Well-behaved clients
/// resolve such segments themselves.
fn climbs(path: &str) -> bool {
    let path: Vec<u8> = percent_decode_str(path).collect();
    let mut segments = path.split(|byte| matches!(byte, b'/' | b'\\'));
    segments.any(|segment| segment.split(|byte| *byte == b';').next() == Some(b"..".as_slice()))
}

/// Whether `path` is the path of `forward` or below it.
fn is_below(path: &str, forward: &Forward) -> bool {
    let above = forward.path.trim_end_matches('/');
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::{MediaType, Output};

    fn action(name: &str, interface: Interface) -> Arc<Action> {
        Arc::new(Action {
            name: name.to_owned(),
            help: None,
            deprecated: false,
            interface,
            arguments: Vec::new(),
            variadic: false,
            output: Output::default(),
        })
    }

    fn own(name: &str, method: Method, path: &str) -> Arc<Action> {
        let path = Template::parse(path, |_| true);
        let endpoint = Endpoint::Service { port: 80, path };
        action(name, Interface::Http(HttpCall { method, endpoint, content_type: MediaType::Json }))
    }

    fn routes() -> Routes {
        let forward =
            |name: &str, path: &str| Forward { name: name.to_owned(), help: None, port: 80, path: path.to_owned() };
        Routes::new(&Arc::new(Service {
            actions: vec![
                action("count", Interface::Command(Vec::new())),
                own("user", Method::GET, "/users/{id}"),
                own("remove", Method::DELETE, "/users/{name}"),
                own("me", Method::GET, "/users/me"),
                own("file", Method::GET, "/users/{id}.json"),
                own("add", Method::POST, "/users"),
                own("deep", Method::GET, "/a/{x}/{y}-{z}/b%20c"),
                own("root", Method::GET, "/"),
            ],
            forwards: vec![forward("ui", "/ui/"), forward("more", "/ui/more")],
            ..Service::default()
        }))
    }

    fn shown(method: &Method, path: &str) -> String {
        match routes().find(method, path) {
            Ok(None) => "-".to_owned(),
            Ok(Some(RouteMatch::Run(action))) => format!("run {}", action.name),
            Ok(Some(RouteMatch::Own(action, places))) => {
                let places = places.iter().map(|(name, value)| [" ", name, "=", value].concat());
                action.name.clone() + &places.collect::<Vec<_>>().concat()
            }
            Ok(Some(RouteMatch::Forward(forward))) => format!("to {}", forward.name),
            Err(MethodNotAllowed { allowed }) => format!("405 {allowed}"),
        }
    }

    #[test]
    fn an_action_is_found_by_its_name_and_by_its_own_path() {
        for (method, path, wanted) in [
            (Method::POST, "/run/count", "run count"),
            (Method::POST, "/run/c%6funt", "run count"),
            (Method::GET, "/run/count", "405 POST"),
            (Method::POST, "/run/count/", "-"),
            (Method::POST, "/run/other", "-"),
            (Method::POST, "/run/user", "run user"),
            (Method::POST, "/users", "add"),
            (Method::POST, "/users/", "-"),
            (Method::GET, "/users", "405 POST"),
            (Method::GET, "/users/7", "user id=7"),
            (Method::GET, "/users/a%2Fb%20c", "user id=a/b c"),
            (Method::GET, "/users/%ff", "-"),
            (Method::DELETE, "/users/7", "remove name=7"),
            (Method::PUT, "/users/7", "405 DELETE, GET"),
            (Method::GET, "/users/me", "me"),
            (Method::DELETE, "/users/me", "405 GET"),
            (Method::GET, "/users/7.json", "file id=7"),
            (Method::GET, "/users/.json", "user id=.json"),
            (Method::GET, "/a/1/2-3-4/b%20c", "deep x=1 y=2 z=3-4"),
            (Method::GET, "/a/1/2/b%20c", "-"),
            (Method::GET, "/a//2-3/b%20c", "-"),
            (Method::GET, "/", "root"),
            (Method::GET, "*", "-"),
        ] {
            assert_eq!(shown(&method, path), wanted, "{method} {path}");
        }
    }

    #[test]
    fn a_forward_has_its_path_and_all_below_it() {
        for (path, wanted) in [
            ("/ui", "to ui"),
            ("/ui/", "to ui"),
            ("/ui/x/y", "to ui"),
            ("/ui/more", "to more"),
            ("/ui/more/x", "to more"),
            ("/ui/mores", "to ui"),
            ("/uix", "-"),
            ("/ui/..x/...", "to ui"),
            ("/ui/./x", "to ui"),
            ("/ui/../users", "-"),
            ("/ui/..", "-"),
            ("/ui/%2e%2E/users", "-"),
            ("/ui/x%2f..%2f../users", "-"),
            ("/ui/..%5cusers", "-"),
            ("/ui/..;x/users", "-"),
        ] {
            assert_eq!(shown(&Method::PATCH, path), wanted, "{path}");
        }
        assert_eq!(shown(&Method::CONNECT, "/ui"), "-");
    }
}
