//! One action: its name, what it takes, what it gives, and how it is done.

use http::{Method, Uri};
use serde_json::Value;

use crate::{location::Location, schema::Schema, template::Template};

/// One action.
#[derive(Debug, Clone)]
pub struct Action {
    /// `^[a-zA-Z_][a-zA-Z_0-9]*$`.
    pub name: String,
    /// What it does.
    pub help: Option<String>,
    /// Nobody should call it any more.
    pub deprecated: bool,
    /// How it is done.
    pub interface: Interface,
    /// In the order of the file; no two of one name.
    pub arguments: Vec<Argument>,
    /// Arguments that are not among them are let through.
    pub variadic: bool,
    /// What it gives.
    pub output: Output,
}

/// How an action is done.
#[derive(Debug, Clone)]
pub enum Interface {
    /// `format.command`: a process for each call. The words of the command, the program first; without a placeholder in
    /// any of them, all arguments follow as one JSON object.
    Command(Vec<Template>),
    /// `http`: a request to a server that runs already.
    Http(HttpCall),
    /// `rpc`: described only.
    Rpc,
    /// `events`: described only.
    Events,
}

impl Interface {
    /// The word for it.
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

/// The request that an action is done by.
#[derive(Debug, Clone)]
pub struct HttpCall {
    /// GET, POST, PUT, PATCH or DELETE.
    pub method: Method,
    /// Where it goes.
    pub endpoint: Endpoint,
    /// How the arguments of the body are sent.
    pub content_type: MediaType,
}

/// Where the request of an action goes.
#[derive(Debug, Clone)]
pub enum Endpoint {
    /// To the service's own process.
    Service {
        /// Its port.
        port: u16,
        /// Begins with a slash. Also where bandog takes calls of this action.
        path: Template,
    },
    /// To somebody else, who has nothing to do with the service's process.
    External {
        /// Scheme (`http` or `https`) and authority.
        origin: Uri,
        /// Begins with a slash.
        path: Template,
    },
}

/// A form of a body that the specification knows.
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
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Json, Self::Form, Self::Multipart, Self::Bytes];

    /// As in `Content-Type`.
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

/// One argument.
#[derive(Debug, Clone)]
pub struct Argument {
    /// `^\w+$`.
    pub name: String,
    /// Where it is in the action's own request.
    pub location: Location,
    /// What it has to be.
    pub schema: Schema,
    /// Without it nothing is started.
    pub required: bool,
    /// What it is if it is not given; fits the schema.
    pub default: Option<Value>,
    /// Nobody should give it any more.
    pub deprecated: bool,
    /// What it is for.
    pub help: Option<String>,
}

/// What an action gives.
#[derive(Debug, Clone, Default)]
pub struct Output {
    /// What it has to be; `None` for `type: none`: nothing.
    pub schema: Option<Schema>,
    /// As what it is sent, if the file says so.
    pub content_type: Option<MediaType>,
    /// What it means.
    pub help: Option<String>,
}

impl Action {
    /// The argument of this name.
    #[must_use]
    pub fn argument(&self, name: &str) -> Option<&Argument> {
        self.arguments.iter().find(|argument| argument.name == name)
    }
}
