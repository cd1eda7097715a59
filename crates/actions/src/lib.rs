//! The actions of a service, as the Open Microservice specification declares them in a file (`oms.yml`, formerly
//! `microservice.yml`): the file, the arguments of a call, its result, and the OpenAPI document.
//!
//! This crate parses the file into a [`Service`], finds the action that a request means, binds what the caller sent to
//! the action's arguments, and checks its result. It knows no connections and starts no processes: a call of an action
//! runs like any other request.
//!
//! Both generations of the specification, 2018 and 2019, become the same [`Service`].

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
