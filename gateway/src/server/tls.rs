//! TLS from a certificate chain and a key in PEM files.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

pub(crate) fn acceptor(config: &config::Tls) -> io::Result<TlsAcceptor> {
    let chain = CertificateDer::pem_file_iter(&config.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| explain(&config.certificate, "certificate", error))?;
    let key = PrivateKeyDer::from_pem_file(&config.key)
        .map_err(|error| explain(&config.key, "private key", error))?;

    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| explain(&config.certificate, "certificate", error))?;
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(server)))
}

fn explain(path: &Path, what: &str, error: impl std::fmt::Display) -> io::Error {
    io::Error::other(format!(
        "the TLS {what} {} cannot be used: {error}",
        path.display()
    ))
}
