//! What a service in a container says it can do, and with what arguments: the Open Microservice specification
//! (`oms.yml`, before that `microservice.yml`).
//!
//! Here an action is described, and what is sent to it is made into arguments that fit the description. Nothing here
//! knows HTTP's connections or starts a process: actions are a front door onto the same invocation as every request.
//!
//! A file of either generation of the specification becomes the same [`Service`].

mod action;
mod answer;
mod anything;
mod bind;
#[cfg(test)]
mod corpus;
mod flaw;
mod json;
pub mod list;
pub mod openapi;
mod pairs;
mod read;
mod routes;
mod schema;
mod service;
mod template;

pub use action::{Action, Argument, Endpoint, HttpCall, Interface, Location, MediaType, Output};
pub use answer::{Answer, MAX_RESULT, ResultError, ResultFlaw};
pub use anything::bind_anything;
pub use bind::{Arguments, BindError, Body, Bound, Content, Field, Source, Text, Way};
pub use flaw::{Flaw, FlawKind, Flaws, MAX_FLAWS};
pub use json::{Budget, MAX_VALUES, read as read_json};
pub use pairs::pairs;
#[doc(hidden)]
pub use read::read_anything;
pub use read::{MAX_BYTES, Reading, Remark};
pub use routes::{Found, OtherMethods, RUN, Routes};
pub use schema::{Pattern, Property, Range, Schema, Type};
pub use service::{Forward, Generation, Health, Info, Lifecycle, Scrape, Service, Shutdown, Variable};
pub use template::{Piece, Template};
