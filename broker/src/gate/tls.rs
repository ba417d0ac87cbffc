//! Mutual TLS: who has a certificate of the market's authority that has not been revoked is the party it
//! names. Files are read at the start and again when they change.
//!
//! A certificate names its party as `role/id`, by its common name or by a URI `gridpact:role/id` among its
//! other names. It names one: where it has both they must agree.

use crate::pem;
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;
use thiserror::Error;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{crypto::ring, RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;
use wire::party::PartyId;
use wire::topic::Network;
use x509_cert::crl::CertificateList;
use x509_cert::der::asn1::{Ia5StringRef, PrintableStringRef, Utf8StringRef};
use x509_cert::der::Decode;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::Certificate;

/// What a URI that names a party begins with.
const URI: &str = "gridpact:";
/// Object identifier of a common name.
const COMMON_NAME: &str = "2.5.4.3";

/// Where certificates, key and revocations lie, all PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The broker's own certificate, with those above it.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authority that signs parties' certificates.
    pub authority: PathBuf,
    /// The authority's revocation list, where there is one.
    pub revoked: Option<PathBuf>,
}

/// Why there is no TLS.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file can't be read, or holds something else.
    #[error("reading {path}: {reason}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The files don't fit together.
    #[error("TLS with the certificate in {path}: {reason}", path = path.display())]
    Config {
        /// The certificate's file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// A certificate that names no party.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the certificate names no party: {reason}")]
pub struct Nameless {
    reason: String,
}

/// Who has proven to have a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The party it names.
    pub party: PartyId,
    /// The certificate's serial number.
    pub serial: Vec<u8>,
}

/// A listener's side of mutual TLS.
pub struct Mutual {
    network: Network,
    files: TlsFiles,
    current: RwLock<Current>,
}

struct Current {
    config: Arc<ServerConfig>,
    revoked: BTreeSet<Vec<u8>>,
    /// When the files had last been changed as they were read.
    changed: Vec<Option<SystemTime>>,
}

impl fmt::Debug for Mutual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mutual").field("network", &self.network).field("files", &self.files).finish()
    }
}

impl Mutual {
    /// TLS for parties of this market, by these files.
    ///
    /// # Errors
    /// As [`TlsError`] says.
    pub fn load(network: Network, files: TlsFiles) -> Result<Self, TlsError> {
        let current = RwLock::new(read(&files)?);
        Ok(Self { network, files, current })
    }

    /// Reads the files again. Connections made from now on go by them; where they are wrong, nothing changes.
    ///
    /// # Errors
    /// As [`TlsError`] says.
    pub fn reload(&self) -> Result<(), TlsError> {
        let fresh = read(&self.files)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// Reads the files again where one has been changed since; whether it has.
    ///
    /// # Errors
    /// As [`Mutual::reload`].
    pub fn reload_if_changed(&self) -> Result<bool, TlsError> {
        let known = self.current.read().unwrap_or_else(PoisonError::into_inner).changed.clone();
        let changed = known != changed(&self.files);
        if changed {
            self.reload()?;
        }
        Ok(changed)
    }

    /// The market.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Whether the certificate of this serial number is revoked.
    pub fn has_revoked(&self, serial: &[u8]) -> bool {
        self.current.read().unwrap_or_else(PoisonError::into_inner).revoked.contains(serial)
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.current.read().unwrap_or_else(PoisonError::into_inner).config.clone().into()
    }
}

/// When each of the files was last changed; unknown where the system doesn't say, or there is none.
fn changed(files: &TlsFiles) -> Vec<Option<SystemTime>> {
    let paths = [&files.certificate, &files.key, &files.authority].into_iter().chain(&files.revoked);
    paths.map(|path| path.metadata().and_then(|about| about.modified()).ok()).collect()
}

fn read(files: &TlsFiles) -> Result<Current, TlsError> {
    let changed = changed(files);
    let config = |reason: String| TlsError::Config { path: files.certificate.clone(), reason };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&files.authority)? {
        roots.add(certificate).map_err(|e| file(&files.authority, e))?;
    }
    let lists = files.revoked.as_deref().map_or(Ok(Vec::new()), revocations)?;
    let mut revoked = BTreeSet::new();
    for list in &lists {
        let path = files.revoked.as_deref().unwrap_or(Path::new(""));
        let list = CertificateList::from_der(list).map_err(|e| file(path, e))?;
        let serials = list.tbs_cert_list.revoked_certificates.into_iter().flatten();
        revoked.extend(serials.map(|entry| entry.serial_number.as_bytes().to_vec()));
    }
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .with_crls(lists)
        .build()
        .map_err(|e| config(e.to_string()))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|e| file(&files.key, e))?;
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| config(e.to_string()))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(certificates(&files.certificate)?, key)
        .map_err(|e| config(e.to_string()))?;
    Ok(Current { config: Arc::new(config), revoked, changed })
}

fn file(path: &Path, reason: impl ToString) -> TlsError {
    TlsError::File { path: path.to_owned(), reason: reason.to_string() }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    pem::certificates(path).map_err(|reason| file(path, reason))
}

fn revocations(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
    let all = CertificateRevocationListDer::pem_file_iter(path);
    all.and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(|e| file(path, e))
}

impl Peer {
    /// Whom a certificate names, whose signatures have been checked.
    ///
    /// # Errors
    /// [`Nameless`] where it names nobody, or two.
    pub fn of(certificate: &[u8]) -> Result<Peer, Nameless> {
        let nameless = |reason: String| Nameless { reason };
        let certificate = Certificate::from_der(certificate).map_err(|e| nameless(e.to_string()))?;
        let uris = uris(&certificate).map_err(|e| nameless(e.to_string()))?;
        let names = common_names(&certificate).into_iter().chain(uris);
        // A common name may also say something for people to read.
        let mut parties: Vec<PartyId> = names.filter_map(|name| name.parse().ok()).collect();
        parties.sort_unstable();
        parties.dedup();
        let Ok([party]) = <[PartyId; 1]>::try_from(parties) else {
            return Err(nameless("one name as role/id is wanted".to_owned()));
        };
        Ok(Peer { party, serial: certificate.tbs_certificate.serial_number.as_bytes().to_vec() })
    }

    /// Whether a client id is this party's: none, its name, or its name and more behind a hyphen.
    pub fn owns(&self, client_id: &str) -> bool {
        let name = format!("{}-{}", self.party.role.word(), self.party.id);
        let rest = client_id.strip_prefix(&name).or_else(|| client_id.strip_prefix(&self.party.to_string()));
        client_id.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    }
}

fn common_names(certificate: &Certificate) -> Vec<String> {
    let attributes = certificate.tbs_certificate.subject.0.iter().flat_map(|name| name.0.iter());
    let text = |value: &x509_cert::der::Any| {
        let utf8 = value.decode_as::<Utf8StringRef<'_>>().map(|text| text.as_str().to_owned());
        utf8.or_else(|_| value.decode_as::<PrintableStringRef<'_>>().map(|text| text.as_str().to_owned()))
            .or_else(|_| value.decode_as::<Ia5StringRef<'_>>().map(|text| text.as_str().to_owned()))
    };
    attributes
        .filter(|attribute| attribute.oid.to_string() == COMMON_NAME)
        .map(|attribute| text(&attribute.value).unwrap_or_default())
        .collect()
}

fn uris(certificate: &Certificate) -> x509_cert::der::Result<Vec<String>> {
    let Some((_, names)) = certificate.tbs_certificate.get::<SubjectAltName>()? else {
        return Ok(Vec::new());
    };
    let party = |name: &GeneralName| match name {
        GeneralName::UniformResourceIdentifier(uri) => uri.as_str().strip_prefix(URI).map(str::to_owned),
        _ => None,
    };
    Ok(names.0.iter().filter_map(party).collect())
}
