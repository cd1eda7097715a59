//! Adapters for the programs that bandog replaces: OpenFaaS' two watchdogs and OSCAR's supervisor.
//!
//! An adapter translates a platform's environment into settings, an event of the platform into an input
//! ([`crate::input::InputFilter`]), and an outcome into the platform's words ([`crate::reply::AnswerStyle`]). The
//! layers below know the traits and the policies, and no platform. The configuration chooses the adapter; no adapter
//! reads the configuration.

pub mod compat;
mod invoked_as;
pub mod openfaas;
pub mod oscar;
mod translation;

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
};

pub use compat::{Compat, LegacyBehaviour};
pub use invoked_as::{InvokedAs, ProcessRank};
pub use translation::{TranslatedValue, Translation, VariableError, VariableNote};

/// Environment variables by name, as bandog was started with them.
pub type Environment = BTreeMap<OsString, OsString>;

/// The value of a variable; `None` if it is not set, or empty.
#[must_use]
pub fn non_empty<'a>(environment: &'a Environment, name: &str) -> Option<&'a OsStr> {
    environment.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
}
