//! https to servers elsewhere: the certificates that are trusted, and the handshake.

use std::{fmt, io, path::Path};

use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream, rustls::pki_types::ServerName};

use bandog_tls::{client_config, read_certificates};

/// The certificates that all connections trust.
pub(super) struct Trust(TlsConnector);

impl Trust {
    /// Those of the file, or those of the authorities that Mozilla's programs trust, as `bandog call` does.
    ///
    /// # Errors
    /// The file has no certificates that can be read.
    pub(super) fn new(certificates: Option<&Path>) -> io::Result<Self> {
        let own = certificates.map(|path| {
            let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
            read_certificates(path).map_err(named)
        });
        Ok(Self(client_config(own.transpose()?)?.into()))
    }

    /// For connections to this host.
    ///
    /// # Errors
    /// No certificate can have such a name.
    pub(super) fn of(&self, host: &str) -> io::Result<Tls> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        Ok(Tls { connector: self.0.clone(), name })
    }
}

/// The TLS settings for one host.
#[derive(Clone)]
pub(crate) struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tls").field(&self.name).finish()
    }
}

impl Tls {
    /// Makes sure that it is that host.
    pub(super) async fn greet(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.connector.connect(self.name.clone(), stream).await
    }
}
