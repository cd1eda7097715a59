//! Compares the paths of a service with each other and with bandog's own.

use std::collections::HashMap;

use super::{cursor::Cursor, report::Report};
use crate::{
    action::{Endpoint, HttpCall},
    routes::own_prefix,
};

/// A path at which requests arrive.
pub(super) struct DeclaredPath<'a> {
    /// The action or forward it belongs to, for messages.
    owner: String,
    /// The name of the action; `None` for a forward.
    action: Option<String>,
    /// The method and the path without the names of its arguments. A forwarded path has no method.
    shape: String,
    path: String,
    cursor: Cursor<'a>,
}

impl<'a> DeclaredPath<'a> {
    /// The path at which an action is called; `None` if its server is external.
    pub(super) fn of_action(name: &str, call: &HttpCall, cursor: Cursor<'a>) -> Option<Self> {
        let Endpoint::Service { path, .. } = &call.endpoint else { return None };
        let shape = format!("{} {}", call.method, path.shape());
        let (owner, action) = (format!("action {name}"), Some(name.to_owned()));
        Some(Self { owner, action, shape, path: path.to_string(), cursor })
    }

    /// A path whose traffic is forwarded.
    pub(super) fn of_forward(name: &str, path: &str, cursor: Cursor<'a>) -> Self {
        // Paths with and without a trailing slash cover the same paths below.
        let path = path.trim_end_matches('/');
        Self { owner: format!("forward {name}"), action: None, shape: path.to_owned(), path: path.to_owned(), cursor }
    }
}

/// Reports what cannot be reached at its path. An action can still be called by its name, so that is a warning.
pub(super) fn check(paths: &[DeclaredPath<'_>], report: &mut Report) {
    let mut taken: HashMap<&str, &DeclaredPath<'_>> = HashMap::new();
    for path in paths {
        match (own_prefix(&path.path), &path.action) {
            (Some(own), None) => {
                report.error(&path.cursor, format!("paths below {own}/ are bandog's own; choose another"));
            }
            (Some(own), Some(name)) => {
                let advice = format!("paths below {own}/ are bandog's own; call the action at POST /run/{name}");
                report.warn(&path.cursor, advice);
                continue;
            }
            (None, _) => {}
        }
        if let Some(first) = taken.get(path.shape.as_str()) {
            let first = format!("{} has the same path on line {}, and its calls", first.owner, first.cursor.line());
            let advice = match &path.action {
                Some(name) => format!("{first}; call this action at POST /run/{name}"),
                None => format!("{first}; choose another"),
            };
            report.warn(&path.cursor, advice);
        } else {
            taken.insert(&path.shape, path);
        }
    }
    // An action takes precedence over a forward of the same path.
    for forward in paths.iter().filter(|path| !path.shape.contains(' ')) {
        let mut actions = paths.iter().filter(|path| path.shape.contains(' '));
        if let Some(action) = actions.find(|action| action.path == forward.path && !forward.path.is_empty()) {
            let (owner, line) = (&action.owner, action.cursor.line());
            let advice = format!("{owner} has this path on line {line}, and the calls with its method");
            report.warn(&forward.cursor, advice);
        }
    }
}
