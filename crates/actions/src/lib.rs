//! What a service in a container says it can do, and with what arguments: the Open Microservice specification
//! (`oms.yml`, before that `microservice.yml`).
//!
//! Here an action is described, and what is sent to it is made into arguments that fit the description. Nothing here
//! knows HTTP's connections or starts a process: actions are a front door onto the same invocation as every request.
//!
//! A file of either generation of the specification becomes the same [`Service`].

mod action;
mod argument_error;
mod bind;
#[cfg(test)]
mod corpus;
mod json;
pub mod list;
mod location;
pub mod openapi;
mod parse;
mod query;
mod result;
mod routes;
mod schema;
mod service;
mod template;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use action::{Action, Argument, Endpoint, HttpCall, Interface, MediaType, Output};
pub use argument_error::{ArgumentError, ArgumentErrorKind, ArgumentErrors, MAX_LISTED_ERRORS};
pub use bind::{
    Arguments, BindError, Body, BoundArgument, FieldContent, FormField, Placement, TextArgument, TextSource,
};
pub use json::{Budget, MAX_VALUES, read_json};
pub use location::Location;
pub use parse::{Diagnostic, MAX_BYTES, ParsedFile};
pub use query::decode_pairs;
pub use result::{CheckedResult, InvalidResult, MAX_RESULT, ResultError};
pub use routes::{MethodNotAllowed, RUN, RouteMatch, Routes};
pub use schema::{Pattern, Property, Range, Schema, Type};
pub use service::{Forward, Generation, Health, Info, Lifecycle, ScrapeTarget, Service, Shutdown, Variable};
pub use template::{Piece, Template};
