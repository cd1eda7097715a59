//! Over TLS, with certificates that openssl(1) makes.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    path::Path,
    process::Command,
    sync::{Arc, mpsc},
    thread,
};

use tokio_rustls::rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use super::*;
use crate::testing::source;

/// Makes a certificate for 127.0.0.1, and its key: `NAME.crt` and `NAME.key`.
fn certificate(dir: &Path, name: &str) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-keyout", &format!("{name}.key"), "-out", &format!("{name}.crt")])
        .current_dir(dir)
        .output()
        .expect("openssl is installed by scripts/setup.sh");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// A server that takes one connection after the other and one object on each. Sends `x-amz-content-sha256` of each.
fn serve(dir: &Path, heard: mpsc::Sender<String>) -> Endpoint {
    let chain = vec![CertificateDer::from_pem_file(dir.join("own.crt")).expect("a certificate")];
    let key = PrivateKeyDer::from_pem_file(dir.join("own.key")).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map(Arc::new)
        .expect("a configuration");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let connection = ServerConnection::new(Arc::clone(&config)).expect("a connection");
            let mut stream = BufReader::new(StreamOwned::new(connection, stream));
            let lines: Vec<String> =
                stream.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
            let value = |name: &str| lines.iter().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
            // A client that does not trust the certificate sends nothing.
            let Some(length) = value("content-length: ").and_then(|length| length.parse().ok()) else { continue };
            let mut body = vec![0; length];
            let is_read = stream.read_exact(&mut body).is_ok();
            let _ = stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            if !is_read || heard.send(value("x-amz-content-sha256: ").unwrap_or_default()).is_err() {
                return;
            }
        }
    });
    Endpoint::parse(&format!("https://{address}")).expect("an address")
}

#[test]
fn a_certificate_is_trusted_by_its_file_or_without_a_check_and_the_payload_is_not_signed() {
    let dir = tempfile::tempdir().expect("a directory");
    certificate(dir.path(), "own");
    certificate(dir.path(), "other");
    let (heard, requests) = mpsc::channel();
    let endpoint = serve(dir.path(), heard);
    let store = |verify: bool, file: Option<&str>| {
        let trust = Trust { verify, ca_file: file.map(|file| dir.path().join(file)) };
        let store = S3::new("s3.test".parse().expect("a name"), Settings { trust, ..settings(&endpoint) });
        store.expect("a store").store(&source(b"content"), &at("key"), &Control::default())
    };
    for (verify, file) in [(true, Some("own.crt")), (false, None)] {
        store(verify, file).expect("stored");
        assert_eq!(requests.recv().expect("a request"), "UNSIGNED-PAYLOAD");
    }
    for file in [None, Some("other.crt")] {
        let error = store(true, file).expect_err("another certificate");
        assert_eq!(error.kind, ErrorKind::Tls, "{error}");
    }
    assert!(requests.try_recv().is_err(), "nothing was sent to a server that is not trusted");
}
