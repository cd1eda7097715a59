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
//! Knows stores, keys and files. Does not know functions, requests or the configuration.

pub mod control;
pub mod error;
pub mod http;
pub mod name;
pub mod object;
pub mod provider;
pub mod retry;
pub mod secret;
pub mod source;
#[cfg(feature = "testing")]
pub mod testing;

pub use self::{
    control::Control,
    error::{Error, ErrorKind},
    name::{ProviderName, ProviderType},
    object::ObjectPath,
    provider::{Fetch, Fetched, Provider},
    secret::Secret,
    source::Source,
};
