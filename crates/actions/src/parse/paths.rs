//! Compares the paths of a service with each other and with bandog's own.

use std::collections::HashMap;

use super::cursor::{Cursor, Report};
use crate::{
    action::{Endpoint, HttpCall},
    template::Piece,
};

/// A path at which requests arrive.
pub(super) struct DeclaredPath<'a> {
    /// The action or forward it belongs to, for messages.
    owner: String,
    /// The method and the path without the names of its arguments. A forwarded path has no method.
    shape: String,
    path: String,
    cursor: Cursor<'a>,
}

impl<'a> DeclaredPath<'a> {
    /// The path at which an action is called; `None` if its server is external.
    pub(super) fn of_action(name: &str, call: &HttpCall, cursor: Cursor<'a>) -> Option<Self> {
        let Endpoint::Service { path, .. } = &call.endpoint else { return None };
        let nameless = path.pieces.iter().map(|piece| match piece {
            Piece::Text(text) => text.as_str(),
            Piece::Placeholder(_) => "{}",
        });
        let shape = format!("{} {}", call.method, nameless.collect::<String>());
        Some(Self { owner: format!("action {name}"), shape, path: path.to_string(), cursor })
    }

    /// A path whose traffic is forwarded.
    pub(super) fn of_forward(name: &str, path: &str, cursor: Cursor<'a>) -> Self {
        // Paths with and without a trailing slash cover the same paths below.
        let path = path.trim_end_matches('/');
        Self { owner: format!("forward {name}"), shape: path.to_owned(), path: path.to_owned(), cursor }
    }
}

pub(super) fn check(paths: &[DeclaredPath<'_>], report: &mut Report) {
    let mut taken: HashMap<&str, &DeclaredPath<'_>> = HashMap::new();
    for path in paths {
        for own in ["/_", "/run"] {
            if path.path.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
                report.error(&path.cursor, format!("paths below {own}/ are bandog's own; choose another"));
            }
        }
        if let Some(first) = taken.get(path.shape.as_str()) {
            report.error(
                &path.cursor,
                format!("{} has the same path on line {}; choose another", first.owner, first.cursor.line()),
            );
        } else {
            taken.insert(&path.shape, path);
        }
    }
    // An action takes precedence over a forward of the same path, and would hide a part of it.
    for forward in paths.iter().filter(|path| !path.shape.contains(' ')) {
        let mut actions = paths.iter().filter(|path| path.shape.contains(' '));
        if let Some(action) = actions.find(|action| action.path == forward.path && !forward.path.is_empty()) {
            let advice = format!("{} has this path on line {}; choose another", action.owner, action.cursor.line());
            report.error(&forward.cursor, advice);
        }
    }
}
