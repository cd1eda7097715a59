//! The paths that a service takes, compared with each other and with bandog's own.

use std::collections::HashMap;

use super::walk::{Notes, Spot};
use crate::{Endpoint, HttpCall, Piece};

/// A path that requests come in on.
pub(super) struct Route<'a> {
    /// Whose it is, in words.
    owner: String,
    /// The method and the path without the names of its arguments; a path that is handed on has no method.
    shape: String,
    path: String,
    spot: Spot<'a>,
}

impl<'a> Route<'a> {
    /// The path that an action has here; none if its request goes elsewhere.
    pub(super) fn of_action(name: &str, call: &HttpCall, spot: Spot<'a>) -> Option<Self> {
        let Endpoint::Service { path, .. } = &call.endpoint else { return None };
        let nameless = path.pieces.iter().map(|piece| match piece {
            Piece::Text(text) => text.as_str(),
            Piece::Place(_) => "{}",
        });
        let shape = format!("{} {}", call.method, nameless.collect::<String>());
        Some(Self { owner: format!("action {name}"), shape, path: path.to_string(), spot })
    }

    /// A path whose traffic goes straight through.
    pub(super) fn of_forward(name: &str, path: &str, spot: Spot<'a>) -> Self {
        // With a slash at its end or without, the same is below it.
        let path = path.trim_end_matches('/');
        Self { owner: format!("forward {name}"), shape: path.to_owned(), path: path.to_owned(), spot }
    }
}

pub(super) fn check(routes: &[Route<'_>], notes: &mut Notes) {
    let mut taken: HashMap<&str, &Route<'_>> = HashMap::new();
    for route in routes {
        for own in ["/_", "/run"] {
            if route.path.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
                notes.wrong(&route.spot, format!("paths below {own}/ are bandog's own; choose another"));
            }
        }
        if let Some(first) = taken.get(route.shape.as_str()) {
            notes.wrong(
                &route.spot,
                format!("{} has the same on line {}; choose another", first.owner, first.spot.line()),
            );
        } else {
            taken.insert(&route.shape, route);
        }
    }
    // An action's path is looked for first, so a forward of the same one would be half hidden.
    for forward in routes.iter().filter(|route| !route.shape.contains(' ')) {
        let mut actions = routes.iter().filter(|route| route.shape.contains(' '));
        if let Some(action) = actions.find(|action| action.path == forward.path && !forward.path.is_empty()) {
            let advice = format!("{} has this path on line {}; choose another", action.owner, action.spot.line());
            notes.wrong(&forward.spot, advice);
        }
    }
}
