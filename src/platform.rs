//! Adapters for the programs that bandog replaces: OpenFaaS' two watchdogs and OSCAR's supervisor.
//!
//! An adapter translates a platform's environment into settings, an event of the platform into an input
//! ([`crate::intake::InputFilter`]), and an outcome into the platform's words ([`crate::reply::AnswerStyle`]). The
//! layers below know the traits and the policies, and no platform. The configuration chooses the adapter; no adapter
//! reads the configuration.

pub mod compat;
pub mod openfaas;
pub mod oscar;

pub use compat::{Compat, LegacyBehaviour};
