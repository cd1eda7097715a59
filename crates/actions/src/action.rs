//! An action: its name, arguments, output and interface.

use http::{Method, Uri};
use serde_json::Value;

use crate::{location::Location, schema::Schema, template::Template};

/// An action.
#[derive(Debug, Clone)]
pub struct Action {
    /// `^[a-zA-Z_][a-zA-Z_0-9]*$`.
    pub name: String,
    /// A description for people.
    pub help: Option<String>,
    /// Callers should no longer use it.
    pub deprecated: bool,
    /// How it is run.
    pub interface: Interface,
    /// In the order of the file; names are unique.
    pub arguments: Vec<Argument>,
    /// Whether undeclared arguments are accepted.
    pub variadic: bool,
    /// The result.
    pub output: Output,
}

/// How an action is run.
#[derive(Debug, Clone)]
pub enum Interface {
    /// `format.command`: a process for each call. Holds the words of the command, the program first. If no word has a
    /// placeholder, all arguments follow as one JSON object.
    Command(Vec<Template>),
    /// `http`: a request to a running server.
    Http(HttpCall),
    /// `rpc`: described only.
    Rpc,
    /// `events`: described only.
    Events,
}

impl Interface {
    /// The key of the interface in the file.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Command(_) => "command",
            Self::Http(_) => "http",
            Self::Rpc => "rpc",
            Self::Events => "events",
        }
    }
}

/// The HTTP request that runs an action.
#[derive(Debug, Clone)]
pub struct HttpCall {
    /// GET, POST, PUT, PATCH or DELETE.
    pub method: Method,
    /// The server and path.
    pub endpoint: Endpoint,
    /// The encoding of the arguments in the body.
    pub content_type: MediaType,
}

/// The server and path of an action's request.
#[derive(Debug, Clone)]
pub enum Endpoint {
    /// The service's own process.
    Service {
        /// The port it listens on.
        port: u16,
        /// Begins with a slash. bandog accepts calls of this action on the same path.
        path: Template,
    },
    /// A server that is not part of the service.
    External {
        /// Scheme (`http` or `https`) and authority.
        origin: Uri,
        /// Begins with a slash.
        path: Template,
    },
}

/// An encoding of a body that the specification knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaType {
    /// `application/json`.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `multipart/form-data`.
    Multipart,
    /// `application/octet-stream`.
    Bytes,
}

impl MediaType {
    /// All media types.
    pub const ALL: [Self; 4] = [Self::Json, Self::Form, Self::Multipart, Self::Bytes];

    /// The value of `Content-Type`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Form => "application/x-www-form-urlencoded",
            Self::Multipart => "multipart/form-data",
            Self::Bytes => "application/octet-stream",
        }
    }
}

/// An argument.
#[derive(Debug, Clone)]
pub struct Argument {
    /// `^\w+$`.
    pub name: String,
    /// Its location in the action's own request.
    pub location: Location,
    /// The values it may have.
    pub schema: Schema,
    /// Whether a call without it is refused.
    pub required: bool,
    /// The value if none is given; it satisfies the schema.
    pub default: Option<Value>,
    /// Callers should no longer give it.
    pub deprecated: bool,
    /// A description for people.
    pub help: Option<String>,
}

/// The result of an action.
#[derive(Debug, Clone, Default)]
pub struct Output {
    /// The values it may have; `None` for `type: none`, no result.
    pub schema: Option<Schema>,
    /// The encoding of the response, if the file declares one.
    pub content_type: Option<MediaType>,
    /// A description for people.
    pub help: Option<String>,
}

impl Action {
    /// The argument of this name.
    #[must_use]
    pub fn argument(&self, name: &str) -> Option<&Argument> {
        self.arguments.iter().find(|argument| argument.name == name)
    }
}
