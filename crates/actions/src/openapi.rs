//! A [`Service`] as an OpenAPI 3.1 document: every action, its requests and its responses.
//!
//! The document states one way to send each argument, not all: clients generated from it need not know that
//! `/run/ACTION` also reads the query, or that JSON may be sent as base64. It depends on the file and the
//! authentication only, not on the state of the running program.

mod operation;
mod request;
mod responses;
mod security;

use serde_json::{Map, Value, json};

use crate::{service::Service, template::Template};
pub use security::Authentication;

/// The version of the OpenAPI Specification that the document follows.
const VERSION: &str = "3.1.1";

/// The encodings of bodies that the document describes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Bodies {
    /// All that bandog takes.
    #[default]
    Every,
    /// JSON alone, for programs that generate a client and can do with one body for each action only.
    Json,
}

impl Bodies {
    /// The names that a user chooses by.
    pub const NAMES: [(&str, Self); 2] = [("every", Self::Every), ("json", Self::Json)];

    /// The bodies of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, bodies)| bodies)
    }
}

/// The document of a service whose callers authenticate in this way.
#[must_use]
pub fn document(service: &Service, authentication: Authentication, bodies: Bodies) -> Value {
    let mut document = Map::new();
    document.insert("openapi".to_owned(), VERSION.into());
    document.insert("info".to_owned(), info(service));
    document.insert("servers".to_owned(), json!([{"url": "/"}]));
    if let Some(security) = authentication.requirement() {
        document.insert("security".to_owned(), security);
    }
    document.insert("paths".to_owned(), paths(service, authentication, bodies));
    document.insert("components".to_owned(), components(authentication));
    Value::Object(document)
}

fn info(service: &Service) -> Value {
    let info = &service.info;
    let file = service.file.file_name().unwrap_or_default().to_string_lossy();
    let mut object = Map::new();
    // OpenAPI requires both (3.1.1 §4.8.2), the file neither.
    object.insert("title".to_owned(), info.title.clone().unwrap_or_else(|| format!("Actions of {file}")).into());
    object.insert("version".to_owned(), info.version.clone().unwrap_or_else(|| "unknown".to_owned()).into());
    let texts = info.description.clone().into_iter().chain(straight_through(service));
    let description = texts.collect::<Vec<_>>().join("\n\n");
    if !description.is_empty() {
        object.insert("description".to_owned(), description.into());
    }
    let contact = named(["name", "url", "email"], &info.contact);
    if !contact.is_empty() {
        object.insert("contact".to_owned(), contact.into());
    }
    let [name, url] = &info.license;
    // OpenAPI requires the name of a licence (3.1.1 §4.8.4).
    let license = named(["name", "url"], &[name.clone().or_else(|| url.clone()), url.clone()]);
    if !license.is_empty() {
        object.insert("license".to_owned(), license.into());
    }
    Value::Object(object)
}

/// The members that have a value.
fn named<const N: usize>(names: [&str; N], values: &[Option<String>; N]) -> Map<String, Value> {
    let pairs = names.into_iter().zip(values);
    pairs.filter_map(|(name, value)| Some((name.to_owned(), value.clone()?.into()))).collect()
}

/// A paragraph about the forwarded paths, which the document cannot describe.
fn straight_through(service: &Service) -> Option<String> {
    let lines = service.forwards.iter().map(|forward| {
        let help = forward.help.as_deref().map(|help| format!(": {help}")).unwrap_or_default();
        format!("\n- `{}` and all paths below ({}){help}", forward.path, forward.name)
    });
    let lines: String = lines.collect();
    (!lines.is_empty())
        .then(|| format!("The following paths are forwarded to the service and not described here:\n{lines}"))
}

/// All actions under `/run/`, and the own paths of those that have one.
fn paths(service: &Service, authentication: Authentication, bodies: Bodies) -> Value {
    let mut paths = Map::new();
    for action in &service.actions {
        let operation = operation::of_run(action, authentication, bodies);
        paths.insert(format!("/run/{}", action.name), json!({"post": operation}));
    }
    let mut own: Vec<(&Template, String)> = Vec::new();
    for (action, call, path) in service.own_paths() {
        // Paths that differ only in the names of their parameters are the same path (OpenAPI 3.1.1 §4.8.8.1); the first
        // one names them.
        let first =
            own.iter().find(|(other, _)| path.shape() == other.shape()).map(|(other, key)| (*other, key.clone()));
        let (names, key) = first.unwrap_or_else(|| {
            own.push((path, path.to_string()));
            (path, path.to_string())
        });
        let operation = operation::of_own_path((action, call), names, authentication, bodies);
        let item = paths.entry(key).or_insert_with(|| json!({}));
        item[call.method.as_str().to_ascii_lowercase()] = operation;
    }
    Value::Object(paths)
}

fn components(authentication: Authentication) -> Value {
    let mut components = Map::new();
    components.insert("schemas".to_owned(), json!({"Problem": responses::problem()}));
    components.insert("headers".to_owned(), responses::headers());
    components.insert("responses".to_owned(), responses::failures());
    if let Some(schemes) = authentication.schemes() {
        components.insert("securitySchemes".to_owned(), schemes);
    }
    Value::Object(components)
}

#[cfg(test)]
mod tests;
