//! https to servers elsewhere: the certificates that are trusted, and the handshake.

use std::{fmt, io, path::Path, sync::Arc};

use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName, pem::PemObject as _},
    },
};

/// The variable that OpenSSL's programs take their authorities from, which messages name.
const SSL_CERT_FILE: &str = "SSL_CERT_FILE";

/// The certificates that all connections trust.
pub(super) struct Trust(TlsConnector);

impl Trust {
    /// Those that `certificates` holds, or that Mozilla's programs trust, as `bandog call` does.
    ///
    /// # Errors
    /// The file has no certificates that can be read.
    pub(super) fn new(certificates: Option<&Path>) -> io::Result<Self> {
        let mut roots = RootCertStore::empty();
        match certificates {
            None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Some(path) => {
                let failed =
                    |what: &dyn fmt::Display| io::Error::other(format!("{SSL_CERT_FILE}={}: {what}", path.display()));
                for certificate in CertificateDer::pem_file_iter(path).map_err(|error| failed(&error))? {
                    let certificate = certificate.map_err(|error| failed(&error))?;
                    roots.add(certificate).map_err(|error| failed(&error))?;
                }
                if roots.is_empty() {
                    return Err(failed(&"no certificate is in it"));
                }
            }
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(Arc::new(config).into()))
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
