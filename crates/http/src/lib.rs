//! The HTTP front door: listener → connection → handler → [`Service::call`].
//!
//! One thread, asynchronous: it parses heads, checks who calls, and moves frames of bodies. Everything behind that is the
//! service's.

mod access_log;
mod admin;
mod auth;
mod connection;
mod handler;
mod listener;
mod lock_file;
mod request_body;
mod resolver;
mod settings;
mod tls;
mod validate;

use std::{io, sync::Arc, time::Instant};

use self::{auth::Auth, connection::state::DisconnectTimer, lock_file::LockFile};
pub use self::{
    listener::{bind, serve},
    resolver::ThreadResolver,
    settings::{AdminSettings, AuthSettings, JwtSettings, LockFileSettings, Settings, ShownLimits, TokenSource},
    tls::TlsConnector,
};
use bandog_actions as actions;
use bandog_process as process;
use bandog_runtime::{input, reply, request};
use bandog_service::{self as service, Service};

/// The HTTP front door of a service.
#[derive(Debug)]
pub struct Server {
    service: Arc<Service>,
    settings: Settings,
    auth: Auth,
    lock_file: Option<LockFile>,
    disconnects: DisconnectTimer,
    started: Instant,
}

impl Server {
    /// Prepares to serve `service`.
    ///
    /// # Errors
    /// The keys of the provider of tokens cannot be fetched.
    pub async fn new(settings: Settings, service: Service) -> io::Result<Self> {
        Ok(Self {
            service: Arc::new(service),
            auth: Auth::new(&settings.auth).await?,
            lock_file: settings.lock_file.clone().map(LockFile::new),
            settings,
            disconnects: DisconnectTimer::default(),
            started: Instant::now(),
        })
    }

    /// The service behind it.
    #[must_use]
    pub fn service(&self) -> &Arc<Service> {
        &self.service
    }

    /// Makes the lock file, if there is to be one. To be called once the listener is bound.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn lock(&self) -> io::Result<()> {
        self.lock_file.as_ref().map_or(Ok(()), LockFile::make)
    }
}

#[cfg(test)]
mod tests;
