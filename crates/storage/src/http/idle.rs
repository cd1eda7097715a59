//! The connections that are kept for later requests.

use std::sync::{Mutex, PoisonError};

use super::connection::Connection;

/// Connections that are kept: as many as there are transfers at once.
const KEPT: usize = 16;

/// The idle connections to one server.
#[derive(Debug, Default)]
pub(super) struct IdleConnections(Mutex<Vec<Connection>>);

impl IdleConnections {
    /// Takes the one that was used last, of those that are still open.
    pub(super) fn take(&self) -> Option<Connection> {
        loop {
            let mut connection = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            if connection.is_open() {
                return Some(connection);
            }
        }
    }

    /// Keeps a connection whose last response was read to its end.
    pub(super) fn give_back(&self, connection: Connection) {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT {
            idle.push(connection);
        }
    }
}
