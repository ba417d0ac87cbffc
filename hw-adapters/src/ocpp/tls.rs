//! TLS for charge points: with our certificate (security profile 2), and with theirs as well (3).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use thiserror::Error;
use tokio::sync::Mutex;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{crypto::ring, RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;
use x509_cert::der::asn1::{Ia5StringRef, PrintableStringRef, Utf8StringRef};
use x509_cert::der::{Any, Decode};
use x509_cert::Certificate;

/// How often files are looked at while charge points connect.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(1);
/// Object identifier of a common name.
const COMMON_NAME: &str = "2.5.4.3";

/// Where certificates and key lie, all PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// Our certificate, with those above it.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authority that signs charge points' certificates, where they must have one (security profile 3).
    pub clients: Option<PathBuf>,
    /// What that authority has revoked: its revocation lists.
    pub revoked: Option<PathBuf>,
}

impl TlsFiles {
    fn all(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.certificate, &self.key].into_iter().chain(&self.clients).chain(&self.revoked)
    }

    /// When each was last changed, and how long it is; none for one that can't be looked at.
    fn stamps(&self) -> Vec<Option<(SystemTime, u64)>> {
        let stamp = |path: &PathBuf| {
            let about = std::fs::metadata(path).ok()?;
            Some((about.modified().ok()?, about.len()))
        };
        self.all().map(stamp).collect()
    }
}

/// TLS as its files have it now: renewed certificates and revocations count for who connects from then on, without a
/// restart. Files that don't fit leave what was.
#[derive(Clone)]
pub(super) struct Renewed {
    files: TlsFiles,
    state: Arc<Mutex<State>>,
}

struct State {
    acceptor: TlsAcceptor,
    stamps: Vec<Option<(SystemTime, u64)>>,
    looked: Instant,
}

impl Renewed {
    /// Reads the files.
    pub fn new(files: TlsFiles) -> Result<Self, TlsError> {
        let stamps = files.stamps();
        let state = State { acceptor: acceptor(&files)?, stamps, looked: Instant::now() };
        Ok(Self { files, state: Arc::new(Mutex::new(state)) })
    }

    /// What to accept by; the files are looked at again where that was some time ago.
    pub async fn acceptor(&self) -> TlsAcceptor {
        let mut state = self.state.lock().await;
        if state.looked.elapsed() < LOOKED_AT_EVERY {
            return state.acceptor.clone();
        }
        state.looked = Instant::now();
        let (files, before) = (self.files.clone(), state.stamps.clone());
        let read = tokio::task::spawn_blocking(move || {
            let stamps = files.stamps();
            (stamps != before).then(|| (acceptor(&files), stamps))
        });
        match read.await {
            Ok(Some((Ok(acceptor), stamps))) => {
                tracing::info!(certificate = %self.files.certificate.display(), "TLS files read anew");
                (state.acceptor, state.stamps) = (acceptor, stamps);
            }
            Ok(Some((Err(error), _))) => {
                tracing::warn!(%error, "changed TLS files can't be used; the old ones hold")
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "looking at TLS files"),
        }
        state.acceptor.clone()
    }
}

/// Why there is no TLS.
#[derive(Debug, Error)]
#[error("TLS with {path}: {reason}", path = path.display())]
pub struct TlsError {
    /// The file that can't be read, or doesn't fit the others.
    pub path: PathBuf,
    /// What is wrong.
    pub reason: String,
}

/// Reads the files.
fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|e| error(&files.certificate, e))?;
    let builder = match (&files.clients, &files.revoked) {
        (None, None) => builder.with_no_client_auth(),
        (None, Some(path)) => return Err(error(path, "without `clients` nobody's certificate is looked at")),
        (Some(path), revoked) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|e| error(path, e))?;
            }
            let lists = revoked.as_ref().map(|path| revocations(path)).transpose()?;
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .with_crls(lists.unwrap_or_default());
            builder.with_client_cert_verifier(verifier.build().map_err(|e| error(path, e))?)
        }
    };
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|e| error(&files.key, e))?;
    let config = builder
        .with_single_cert(certificates(&files.certificate)?, key)
        .map_err(|e| error(&files.certificate, e))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
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

fn revocations(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
    let all =
        CertificateRevocationListDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let all = all.map_err(|e| error(path, e))?;
    if all.is_empty() {
        return Err(error(path, "it holds no revocation list"));
    }
    Ok(all)
}

/// Whether a certificate, whose signatures have been checked, is of this identity: its one common name (OCPP
/// 1.6 security whitepaper, section 3.2; 2.0.1 part 2, A00.FR.509).
pub(super) fn is_of(certificate: &[u8], identity: &str) -> bool {
    let Ok(certificate) = Certificate::from_der(certificate) else { return false };
    let attributes = certificate.tbs_certificate.subject.0.iter().flat_map(|name| name.0.iter());
    let names = attributes.filter(|attribute| attribute.oid.to_string() == COMMON_NAME);
    let names: Vec<Option<String>> = names.map(|attribute| text(&attribute.value)).collect();
    matches!(&names[..], [Some(name)] if name == identity)
}

fn text(value: &Any) -> Option<String> {
    let utf8 = value.decode_as::<Utf8StringRef<'_>>().map(|text| text.as_str().to_owned());
    utf8.or_else(|_| value.decode_as::<PrintableStringRef<'_>>().map(|text| text.as_str().to_owned()))
        .or_else(|_| value.decode_as::<Ia5StringRef<'_>>().map(|text| text.as_str().to_owned()))
        .ok()
}
