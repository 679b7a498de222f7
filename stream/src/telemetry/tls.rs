//! The certificate a server shows.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, ensure};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::reload::Reloaded;

/// Certificate and key, read again when their files change. TLS 1.2 and 1.3, HTTP/1.1 and HTTP/2.
#[derive(Debug)]
pub struct Tls(Reloaded<Arc<ServerConfig>>);

impl Tls {
    /// Reads a certificate chain (the server's first) and its private key, both PEM.
    ///
    /// # Errors
    /// When a file cannot be read, holds nothing of the kind, or the two do not belong together.
    pub fn open(certificate: &Path, key: &Path) -> anyhow::Result<Self> {
        let named = format!("use the certificate {} with the key {}", certificate.display(), key.display());
        let read = move |contents: &[Vec<u8>]| match contents {
            [certificate, key] => config(certificate, key).with_context(|| named.clone()),
            _ => unreachable!("two files were named"),
        };
        Ok(Tls(Reloaded::open(vec![certificate.to_owned(), key.to_owned()], read)?))
    }

    /// What the next connection is greeted with.
    pub(super) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.get())
    }
}

fn config(certificate: &[u8], key: &[u8]) -> anyhow::Result<Arc<ServerConfig>> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(certificate)
        .collect::<Result<_, _>>()
        .ok()
        .context("the certificate's file is not PEM text")?;
    ensure!(!chain.is_empty(), "the certificate's file holds no certificate (-----BEGIN CERTIFICATE-----)");
    // The error of a key is not shown: it could hold a piece of it.
    let key = PrivateKeyDer::from_pem_slice(key).ok().context("the key's file holds no private key in PEM")?;
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().context("choose TLS versions")?.with_no_client_auth();
    let mut config = builder.with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
