//! Certificates from PEM files, for links and for the gate.

use std::path::Path;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::CertificateDer;

/// The certificates in a file: one at least.
///
/// # Errors
/// Says why there is none.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let all = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let all = all.map_err(|error| error.to_string())?;
    if all.is_empty() {
        return Err("it holds no certificate".to_owned());
    }
    Ok(all)
}
