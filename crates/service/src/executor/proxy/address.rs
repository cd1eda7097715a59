//! Where a server is, and the way to it.

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _},
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
};

use hyper::http::uri::Authority;
use tokio::net::TcpStream;

use super::tls::Tls;
use crate::aside::aside;

/// Where a server is.
#[derive(Debug, Clone)]
pub(crate) enum Address {
    /// A port of this machine.
    Local(u16),
    /// The port that a process of our own was assigned at its last start.
    Assigned(Arc<AtomicU16>),
    /// A host that has been named.
    Named {
        /// Host and port.
        authority: Authority,
        /// The port, also if it was not named.
        port: u16,
        /// How it is made sure that it is that host; `None` for plain HTTP.
        tls: Option<Tls>,
    },
}

impl Address {
    /// A socket.
    pub(super) async fn reach(&self) -> io::Result<TcpStream> {
        let port = match self {
            Self::Named { authority, port, .. } => {
                return connect(authority.host().trim_matches(['[', ']']), *port).await;
            }
            Self::Local(port) => *port,
            Self::Assigned(port) => port.load(Ordering::Relaxed),
        };
        // A program that was told a port may listen on either.
        let places = [SocketAddr::from((Ipv4Addr::LOCALHOST, port)), (Ipv6Addr::LOCALHOST, port).into()];
        TcpStream::connect(&places[..]).await
    }

    /// How it is made sure that it is the right host, if it is.
    pub(super) fn tls(&self) -> Option<&Tls> {
        match self {
            Self::Named { tls, .. } => tls.as_ref(),
            Self::Local(_) | Self::Assigned(_) => None,
        }
    }
}

/// Connects to a host, at the first of its addresses that takes the connection.
async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return TcpStream::connect((ip, port)).await;
    }
    let name = host.to_owned();
    let places = aside("resolver", move || (name.as_str(), port).to_socket_addrs().map(Vec::from_iter)).await??;
    TcpStream::connect(&places[..]).await
}

impl fmt::Display for Address {
    /// `HOST:PORT`, for messages, and for requests that name no host.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named { authority, .. } => authority.fmt(f),
            Self::Local(port) => write!(f, "127.0.0.1:{port}"),
            Self::Assigned(port) => write!(f, "127.0.0.1:{}", port.load(Ordering::Relaxed)),
        }
    }
}
