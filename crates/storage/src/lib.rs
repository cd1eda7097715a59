//! Files that come from and go to object storage.
//!
//! ```text
//! event ──▶ input of a provider ──fetch──▶ input directory ──▶ function ──▶ outputs ──store──▶ provider
//! ```
//!
//! A [`Provider`] fetches and stores objects; there is a directory for each below `provider`. `http` is the client that
//! those share which speak HTTP. Everything blocks: a call runs on a thread of its own, and so does each transfer that runs
//! beside others.
//!
//! [`event`] recognises the notifications of stores and finds the provider of each, [`dedupe`] runs each once, and [`plan`]
//! says which file goes to which output.
//!
//! A [`Journal`] names the uploads that are open, so that those of a process that was killed are discarded by the next one:
//! a [`Source`] is recorded in it, and [`Journal::sweep`] hands what is left to [`Provider::discard`].
//!
//! Knows stores, keys and files. Does not know functions, requests or the configuration.

pub mod control;
pub mod dedupe;
pub mod error;
pub mod event;
pub mod http;
pub mod journal;
pub mod name;
pub mod object;
pub mod place;
pub mod plan;
pub mod provider;
pub mod retry;
pub mod secret;
pub mod source;
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;
pub mod watch;

pub use self::{
    control::Control,
    error::{Error, ErrorKind},
    journal::Journal,
    name::{ProviderName, ProviderType},
    object::ObjectPath,
    provider::{Fetch, Fetched, Provider},
    secret::Secret,
    source::Source,
};

#[cfg(test)]
mod corpus;
