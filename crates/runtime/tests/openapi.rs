//! The OpenAPI document of the actions is made in a crate that knows neither the header fields of bandog's responses nor
//! its error codes. These tests compare the two.

use std::collections::BTreeSet;

use bandog_actions::{
    Action, Endpoint, HttpCall, Interface, MediaType, Output, Service, Template,
    openapi::{self, Authentication},
};
use bandog_runtime::{
    headers::{
        RESERVED, X_BANDOG_STORED, X_BANDOG_TOKEN, X_EXIT_CODE, X_OUTPUT_ENCODING, X_OUTPUT_KIND, X_OUTPUT_NAME,
    },
    reply::ErrorCode,
};
use http::{
    Method,
    header::{ALLOW, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde_json::Value;

/// The fields of responses that are bandog's own and not in the document, with the reason.
const UNDOCUMENTED: [(HeaderName, &str); 4] = [
    (X_BANDOG_STORED, "results are not stored"),
    (X_OUTPUT_ENCODING, "results are not encoded in base64"),
    (X_OUTPUT_KIND, "the form of a result is declared by its schema"),
    (X_OUTPUT_NAME, "a result is no file of an output directory"),
];

/// The fields of HTTP itself that some failures have.
const OF_HTTP: [HeaderName; 3] = [WWW_AUTHENTICATE, ALLOW, RETRY_AFTER];

/// The codes whose status is not in the document, with the reason.
const NEVER_OF_ACTIONS: [(ErrorCode, &str); 2] = [
    (ErrorCode::ClientGone, "the client is gone, and sees no status"),
    (ErrorCode::RangeNotSatisfiable, "only files of a directory have ranges"),
];

/// The document of a service with an action of each kind.
fn document(authentication: Authentication) -> Value {
    let path = Template::parse("/", |_| true);
    let call =
        HttpCall { method: Method::POST, endpoint: Endpoint::Service { port: 1, path }, content_type: MediaType::Json };
    let kinds = [Interface::Command(Vec::new()), Interface::Http(call), Interface::Rpc];
    let actions = kinds.into_iter().zip(["command", "http", "rpc"]).map(|(interface, name)| {
        std::sync::Arc::new(Action {
            name: name.to_owned(),
            help: None,
            deprecated: false,
            interface,
            arguments: Vec::new(),
            variadic: false,
            output: Output::default(),
        })
    });
    openapi::document(
        &Service { actions: actions.collect(), ..Service::default() },
        authentication,
        openapi::Bodies::Every,
    )
}

/// The names of all members below `value` that are called `key`, in lower case.
fn names_within(value: &Value, key: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if name == key {
                    found.extend(member.as_object().into_iter().flatten().map(|(name, _)| name.to_ascii_lowercase()));
                }
                names_within(member, key, found);
            }
        }
        Value::Array(elements) => elements.iter().for_each(|element| names_within(element, key, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_document_names_the_header_fields_that_bandog_sends() {
    let mut document = document(Authentication::Jwt);
    // The components have names of their own; the responses refer to them by the names of the fields.
    document["components"]["headers"].take();
    let mut named = BTreeSet::new();
    names_within(&document, "headers", &mut named);

    let undocumented = UNDOCUMENTED.map(|(name, _)| name.as_str().to_owned());
    let own = RESERVED.iter().map(|name| (*name).to_owned()).filter(|name| !undocumented.contains(name));
    let sent: BTreeSet<_> = own.chain(OF_HTTP.map(|name| name.as_str().to_owned())).collect();
    assert_eq!(named, sent, "a new field belongs in openapi/responses.rs of bandog-actions, or in UNDOCUMENTED here");
    assert!(named.contains(X_EXIT_CODE.as_str()));
}

#[test]
fn the_document_names_the_header_field_of_the_token() {
    let document = document(Authentication::Token);
    let name = document["components"]["securitySchemes"]["token"]["name"].as_str().expect("a name");
    assert_eq!(name.to_ascii_lowercase(), X_BANDOG_TOKEN.as_str());
}

#[test]
fn the_document_has_the_statuses_of_all_error_codes() {
    let mut statuses = BTreeSet::new();
    names_within(&document(Authentication::Jwt), "responses", &mut statuses);
    // Those of the components have names.
    let documented: BTreeSet<u16> =
        statuses.iter().filter_map(|status| status.parse().ok()).filter(|status| *status >= 400).collect();

    let excepted = NEVER_OF_ACTIONS.map(|(code, _)| code);
    let codes = ErrorCode::ALL.into_iter().filter(|code| !excepted.contains(code));
    let possible: BTreeSet<u16> = codes.map(|code| code.status().as_u16()).collect();
    assert_eq!(documented, possible, "a new status belongs in FAILURES of bandog-actions, or in NEVER_OF_ACTIONS here");
}
