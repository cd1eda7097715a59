//! The port that a process is told to listen on, and whether it can have it.

use std::{
    ffi::{CString, OsStr},
    io,
    net::{Ipv4Addr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use tokio::{runtime::Handle, time::timeout};

use super::address::Address;
use crate::{ids, invocation::PORT, process::variable};

/// How long an address may take to say whether something listens there already.
const TAKEN: Duration = Duration::from_secs(1);

/// How many ports are tried before the kernel is asked for any.
const TRIES: usize = 64;

/// Where a process of our own is told to listen.
#[derive(Debug)]
pub(crate) enum AssignedPort {
    /// On a port that is free, another one at each start.
    Free(Arc<AtomicU16>),
    /// On this one.
    Fixed(u16),
    /// The process knows by itself.
    Nothing,
}

impl AssignedPort {
    /// Looks whether something listens at `address`, where the process is to listen: calls would go there, and it would
    /// seem to be ready. Blocks.
    ///
    /// # Errors
    /// Something does.
    pub(super) fn check(&self, address: Option<&Address>, runtime: &Handle) -> io::Result<()> {
        let address = match (address, self) {
            (Some(address), Self::Fixed(_) | Self::Nothing) => address,
            // A port that is chosen for each start is free.
            (Some(_), Self::Free(_)) | (None, _) => return Ok(()),
        };
        match runtime.block_on(async { timeout(TAKEN, address.reach()).await }) {
            Ok(Ok(_)) => Err(io::Error::new(
                io::ErrorKind::AddrInUse,
                format!(
                    "another process listens at {address} already and would get its calls; end that, or use another port"
                ),
            )),
            // Refused, or not to be reached at all.
            Ok(Err(_)) | Err(_) => Ok(()),
        }
    }

    /// The variables of the function in addition to those that it inherits: the port to listen on.
    pub(super) fn variables(&self) -> io::Result<Vec<CString>> {
        let port = match self {
            Self::Fixed(port) => *port,
            // Free at this moment. If another process takes it first, the function fails and is restarted on another port.
            Self::Free(told) => {
                let port = free_port()?;
                told.store(port, Ordering::Relaxed);
                port
            }
            Self::Nothing => return Ok(Vec::new()),
        };
        Ok(vec![variable(OsStr::new(PORT), OsStr::new(&port.to_string()))?])
    }
}

/// A port that is free at this moment, outside of the range from which the kernel assigns ports itself (ip(7),
/// `ip_local_port_range`): a port of that range is likely to be taken before the function binds it.
fn free_port() -> io::Result<u16> {
    const FIRST: u16 = 10_000;
    const COUNT: u16 = 22_768;
    for _ in 0..TRIES {
        let [high, low, ..] = *ids::random().as_bytes();
        let port = FIRST + u16::from_be_bytes([high, low]) % COUNT;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
