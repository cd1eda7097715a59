//! The servers that a provider trusts.

use std::{path::PathBuf, sync::Arc};

use tokio_rustls::rustls::ClientConfig;

use crate::error::{Error, ErrorKind};

/// The servers that a provider trusts, where it is reached over TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// Whether the certificate of the server is checked.
    pub verify: bool,
    /// A file in PEM with the certificates that are trusted; `None` for the authorities that Mozilla trusts.
    pub ca_file: Option<PathBuf>,
}

impl Default for Trust {
    fn default() -> Self {
        Self { verify: true, ca_file: None }
    }
}

impl Trust {
    /// The settings of TLS.
    ///
    /// # Errors
    /// [`ErrorKind::Tls`]: the file cannot be read, or holds no certificate.
    pub fn client_config(&self) -> Result<Arc<ClientConfig>, Error> {
        let failed = |error: std::io::Error| Error::new(ErrorKind::Tls, format!("cannot set up TLS: {error}"));
        if !self.verify {
            return bandog_tls::unverified_client_config().map_err(failed);
        }
        let Some(file) = &self.ca_file else { return bandog_tls::client_config(None).map_err(failed) };
        let config = bandog_tls::read_certificates(file).and_then(|read| bandog_tls::client_config(Some(read)));
        config.map_err(|error| Error::new(ErrorKind::Tls, format!("cannot use the file {}: {error}", file.display())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_certificate_is_named() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let trust = Trust { verify: true, ca_file: Some(file.path().to_owned()) };
        let error = trust.client_config().expect_err("no certificate");
        assert_eq!(error.kind, ErrorKind::Tls);
        assert!(error.detail.contains(&file.path().display().to_string()), "{error}");
        assert!(error.detail.contains("expected certificates in PEM"), "{error}");
    }

    #[test]
    fn trust_without_a_file_needs_none() {
        for verify in [true, false] {
            assert!(Trust { verify, ca_file: None }.client_config().is_ok());
        }
    }
}
