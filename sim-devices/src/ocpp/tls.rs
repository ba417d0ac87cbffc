//! TLS towards a central system, with a certificate of one's own where it wants one.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{crypto::ring, ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

/// Why there is no TLS.
#[derive(Debug, Error)]
#[error("TLS with {path}: {reason}", path = path.display())]
pub struct TlsError {
    /// The file that can't be read, or doesn't fit the others.
    pub path: PathBuf,
    /// What is wrong.
    pub reason: String,
}

/// Reads the files: the authority that signs the central system's certificate, and the certificate and key to
/// be shown.
pub(super) fn connector(
    authority: &Path,
    certificate: Option<&(PathBuf, PathBuf)>,
) -> Result<TlsConnector, TlsError> {
    let mut roots = RootCertStore::empty();
    for root in certificates(authority)? {
        roots.add(root).map_err(|e| error(authority, e))?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| error(authority, e))?
        .with_root_certificates(roots);
    let config = match certificate {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => {
            let private = PrivateKeyDer::from_pem_file(key).map_err(|e| error(key, e))?;
            builder.with_client_auth_cert(certificates(chain)?, private).map_err(|e| error(chain, e))?
        }
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

fn error(path: &Path, reason: impl ToString) -> TlsError {
    TlsError { path: path.to_owned(), reason: reason.to_string() }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let all = all.map_err(|e| error(path, e))?;
    if all.is_empty() {
        return Err(error(path, "it holds no certificate"));
    }
    Ok(all)
}
