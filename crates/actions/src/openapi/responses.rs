//! The responses of the document: an action's result and all failures.

use serde_json::{Map, Value, json};

use super::{request::binary, security::Authentication};
use crate::{
    action::{Action, Interface, MediaType, Output},
    schema::{Schema, Type},
};

/// The failures that a call can end with: status, name of the component, description.
const FAILURES: [(u16, &str, &str); 18] = [
    (
        400,
        "BadRequest",
        "The arguments are missing, invalid or unexpected (`errors` lists all errors), \
        or the request itself is invalid. Nothing was started.",
    ),
    (401, "Unauthorized", "No token, or a wrong one."),
    (403, "Forbidden", "The token does not permit it."),
    (404, "NotFound", "There is no such action."),
    (405, "MethodNotAllowed", "The path does not accept this method."),
    (413, "BodyTooLarge", "The body is too large."),
    (414, "TargetTooLong", "The request target is too long."),
    (415, "UnsupportedEncoding", "The content encoding is not supported."),
    (417, "ExpectationFailed", "The expectation cannot be met."),
    (422, "ActionFailed", "The action failed, and will fail again with the same arguments; `traceback` says why."),
    (429, "TooManyRequests", "Too many calls are running, and none ended in time."),
    (431, "HeadersTooLarge", "The header fields are too large."),
    (500, "InternalError", "The action ended abnormally, or its result does not match its declaration."),
    (501, "NotImplemented", "This kind of action is not supported yet."),
    (502, "BadGateway", "The service did not respond, or failed for a reason other than the action."),
    (503, "Unavailable", "The action is unavailable now; try again later or on another instance."),
    (504, "TimedOut", "The action took too long."),
    (505, "VersionNotSupported", "This version of HTTP is not supported."),
];

/// The responses of an action.
pub(super) fn of(action: &Action, authentication: Authentication) -> Value {
    let mut responses = Map::new();
    if !matches!(action.interface, Interface::Rpc | Interface::Events) {
        responses.insert("200".to_owned(), success(action));
    }
    for (status, name, _) in FAILURES {
        if can_be(status, action, authentication) {
            responses.insert(status.to_string(), json!({"$ref": format!("#/components/responses/{name}")}));
        }
    }
    Value::Object(responses)
}

/// Whether a call of this action can end with this status.
fn can_be(status: u16, action: &Action, authentication: Authentication) -> bool {
    let (is_done, by_http) = match action.interface {
        Interface::Command(_) => (true, false),
        Interface::Http(_) => (true, true),
        Interface::Rpc | Interface::Events => (false, false),
    };
    match status {
        401 => authentication.is_required(),
        403 => authentication == Authentication::Jwt,
        422 => is_done,
        501 => !is_done,
        502 => by_http,
        _ => true,
    }
}

fn success(action: &Action) -> Value {
    let mut headers = json!({
        "X-Call-Id": {"$ref": "#/components/headers/CallId"},
        "X-Duration-Seconds": {"$ref": "#/components/headers/Duration"},
    });
    if matches!(action.interface, Interface::Command(_)) {
        headers["X-Exit-Code"] = json!({"$ref": "#/components/headers/ExitCode"});
    }
    let help = action.output.help.as_deref().map_or("The result.", str::trim);
    let mut response = json!({"description": help, "headers": headers});
    if let Some(content) = content(&action.output) {
        response["content"] = content;
    }
    response
}

/// The media types of a result; `None` if there is none.
fn content(output: &Output) -> Option<Value> {
    let schema = output.schema.as_ref()?;
    Some(match output.content_type {
        Some(MediaType::Json) => json!({"application/json": {"schema": schema.to_result_json_schema()}}),
        Some(media @ (MediaType::Form | MediaType::Multipart | MediaType::Bytes)) => {
            json!({media.as_str(): {"schema": binary()}})
        }
        None => match schema.kind {
            Type::String | Type::Enum | Type::Uuid | Type::Path => json!({"text/plain": {"schema": text(schema)}}),
            // JSON if the output parses as JSON, else text.
            Type::Any => json!({"application/json": {"schema": {}}, "text/plain": {"schema": {"type": "string"}}}),
            Type::Int | Type::Float | Type::Boolean | Type::List | Type::Map | Type::Object => {
                json!({"application/json": {"schema": schema.to_result_json_schema()}})
            }
        },
    })
}

/// The schema of a result that is sent as plain text.
fn text(schema: &Schema) -> Value {
    match (schema.kind, &schema.choices) {
        (Type::Enum, Some(choices)) => {
            let texts = choices.iter().map(|choice| choice.as_str().map_or_else(|| choice.to_string(), str::to_owned));
            json!({"type": "string", "enum": texts.collect::<Vec<_>>()})
        }
        _ => schema.to_result_json_schema(),
    }
}

/// All failures, as components.
pub(super) fn failures() -> Value {
    let responses = FAILURES.into_iter().map(|(status, name, description)| {
        let mut headers = json!({
            "X-Bandog-Error": {"$ref": "#/components/headers/Error"},
            "X-Call-Id": {"$ref": "#/components/headers/CallId"},
            "X-Duration-Seconds": {"$ref": "#/components/headers/Duration"},
        });
        let own = match status {
            401 => Some("WWW-Authenticate"),
            405 => Some("Allow"),
            429 | 503 => Some("Retry-After"),
            _ => None,
        };
        if let Some(own) = own {
            headers[own] = json!({"$ref": format!("#/components/headers/{}", own.replace('-', ""))});
        }
        let content = json!({"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}});
        (name.to_owned(), json!({"description": description, "headers": headers, "content": content}))
    });
    Value::Object(responses.collect())
}

/// All header fields, as components.
pub(super) fn headers() -> Value {
    json!({
        "CallId": {"description": "The id of the call, which its log lines have too.", "schema": {"type": "string"}},
        "Duration": {"description": "The duration of the call in seconds.", "schema": {"type": "number", "minimum": 0}},
        "ExitCode": {"description": "The exit code of the command.", "schema": {"type": "integer"}},
        "Error": {
            "description": "The error code.",
            "required": true,
            "schema": {"type": "string", "pattern": "^[a-z-]+$"},
        },
        "WWWAuthenticate": {"description": "How to authenticate.", "required": true, "schema": {"type": "string"}},
        "Allow": {"description": "The methods that the path accepts.", "required": true, "schema": {"type": "string"}},
        "RetryAfter": {
            "description": "The number of seconds to wait before trying again.",
            "schema": {"type": "integer", "minimum": 1},
        },
    })
}

/// The problem document of every failure (RFC 9457), with bandog's own members.
pub(super) fn problem() -> Value {
    json!({
        "type": "object",
        "description": "The problem (RFC 9457).",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string", "pattern": "^urn:bandog:error:[a-z-]+$", "description": "The error code as a URN."},
            "title": {"type": "string", "description": "The kind of error, for people."},
            "status": {"type": "integer", "minimum": 400, "maximum": 599, "description": "The status of the response."},
            "detail": {"type": "string", "description": "This error, and what to do about it."},
            "call_id": {"type": "string", "description": "The id of the call."},
            "errors": {
                "type": "array",
                "description": "All errors in the arguments.",
                "items": {
                    "type": "object",
                    "required": ["argument", "problem", "detail"],
                    "properties": {
                        "argument": {"type": "string", "description": "The argument's name, followed by the path to the value in it."},
                        "in": {"type": "string", "description": "Where the argument was, or should be."},
                        "problem": {"enum": ["missing", "invalid", "unexpected", "repeated"]},
                        "value": {"description": "The value given; a long one is truncated."},
                        "detail": {"type": "string", "description": "The expected value."},
                    },
                },
            },
            "traceback": {"type": "string", "description": "The end of the action's error output."},
            "logs": {"type": "string", "description": "The end of the run's log."},
            "attempts": {"type": "integer", "minimum": 1, "description": "The number of attempts."},
            "upstream_status": {"type": "integer", "description": "The status of the service's response."},
            "exit_code": {"type": "integer", "description": "The exit code of the command."},
            "signal": {"type": "integer", "description": "The signal that ended the command."},
            "signal_name": {"type": "string", "description": "The name of the signal."},
            "duration_seconds": {"type": "number", "minimum": 0, "description": "The duration of the call in seconds."},
        },
    })
}
