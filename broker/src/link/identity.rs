//! Who a link is towards brokers that want a certificate: its own, its key, and the authority it trusts.

use crate::pem;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{crypto::ring, ClientConfig, RootCertStore};

/// A certificate with its key, and whom it trusts. Clones are the same one.
#[derive(Clone)]
pub struct Identity(Arc<ClientConfig>);

/// Why there is no identity.
#[derive(Debug, Error)]
#[error("reading {path}: {reason}", path = path.display())]
pub struct IdentityError {
    path: PathBuf,
    reason: String,
}

impl Identity {
    /// Reads PEM files: the party's certificate with those above it, its key, and the authority that signs
    /// brokers' certificates.
    ///
    /// # Errors
    /// Where a file can't be read, holds something else, or they don't fit together.
    pub fn load(certificate: &Path, key: &Path, authority: &Path) -> Result<Self, IdentityError> {
        let wrong = |path: &Path, reason: String| IdentityError { path: path.to_owned(), reason };
        let mut roots = RootCertStore::empty();
        for trusted in certificates(authority)? {
            roots.add(trusted).map_err(|e| wrong(authority, e.to_string()))?;
        }
        let secret = PrivateKeyDer::from_pem_file(key).map_err(|e| wrong(key, e.to_string()))?;
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|e| wrong(certificate, e.to_string()))?
            .with_root_certificates(roots)
            .with_client_auth_cert(certificates(certificate)?, secret)
            .map_err(|e| wrong(certificate, e.to_string()))?;
        Ok(Self(Arc::new(config)))
    }

    pub(super) fn config(&self) -> Arc<ClientConfig> {
        self.0.clone()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity")
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    pem::certificates(path).map_err(|reason| IdentityError { path: path.to_owned(), reason })
}
