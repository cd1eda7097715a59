//! The operations of the document: the ways to call an action.

use serde_json::{Map, Value};

use super::{Bodies, request, responses, security::Authentication};
use crate::{
    action::{Action, Endpoint, HttpCall, Interface},
    location::Location,
    template::Template,
};

/// `POST /run/ACTION`, which every action has.
pub(super) fn of_run(action: &Action, authentication: Authentication, bodies: Bodies) -> Value {
    let mut operation = about(action, &action.name);
    let body = request::body(action, &action.arguments.iter().collect::<Vec<_>>(), bodies);
    operation.extend(body.map(|body| ("requestBody".to_owned(), body)));
    operation.insert("responses".to_owned(), responses::of(action, authentication));
    Value::Object(operation)
}

/// The own method and path of an action. `names` has the names of the path's parameters, in order.
pub(super) fn of_own_path(
    (action, call): (&Action, &HttpCall),
    names: &Template,
    authentication: Authentication,
    bodies: Bodies,
) -> Value {
    // An action's name cannot contain a hyphen, so the id is unique.
    let mut operation = about(action, &format!("{}-http", action.name));
    let renamed: Vec<(&str, &str)> = path_of(call).into_iter().flat_map(Template::names).zip(names.names()).collect();
    let parameters: Vec<Value> = action
        .arguments
        .iter()
        .filter_map(|argument| {
            let renamed = renamed.iter().find(|(own, _)| *own == argument.name).map(|(_, name)| *name);
            request::parameter(argument, renamed.filter(|_| argument.location == Location::Path))
        })
        .collect();
    if !parameters.is_empty() {
        operation.insert("parameters".to_owned(), parameters.into());
    }
    let in_body: Vec<_> = action.arguments.iter().filter(|argument| argument.location == Location::Body).collect();
    operation.extend(request::body(action, &in_body, bodies).map(|body| ("requestBody".to_owned(), body)));
    operation.insert("responses".to_owned(), responses::of(action, authentication));
    Value::Object(operation)
}

fn path_of(call: &HttpCall) -> Option<&Template> {
    match &call.endpoint {
        Endpoint::Service { path, .. } => Some(path),
        Endpoint::External { .. } => None,
    }
}

/// The members that all operations of an action share.
fn about(action: &Action, id: &str) -> Map<String, Value> {
    let mut operation = Map::new();
    operation.insert("operationId".to_owned(), id.into());
    let help = action.help.as_deref().unwrap_or_default().trim();
    let summary = help.lines().next().unwrap_or_default();
    operation.insert("summary".to_owned(), if summary.is_empty() { &action.name } else { summary }.into());
    let more = (help != summary).then_some(help);
    let yet = match action.interface {
        Interface::Command(_) | Interface::Http(_) => None,
        Interface::Rpc | Interface::Events => Some("This kind of action is not supported yet: every call returns 501."),
    };
    let texts: Vec<&str> = more.into_iter().chain(yet).collect();
    if !texts.is_empty() {
        operation.insert("description".to_owned(), texts.join("\n\n").into());
    }
    if action.deprecated {
        operation.insert("deprecated".to_owned(), true.into());
    }
    operation
}
